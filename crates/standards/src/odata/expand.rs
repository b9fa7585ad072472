//! `$expand`: one relation, with a selection inside (OData URL Conventions §5.1.3). The directory takes no more than that.

/// A relation to be shown with each object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expand {
    pub relation: String,
    pub select: Option<Vec<String>>,
}

/// Properties selected at most.
const SELECTED: usize = 100;

/// Reads an expansion; a refusal says what is not supported.
pub fn parse(text: &str) -> Result<Expand, &'static str> {
    let text = text.trim();
    let (relation, options) = match text.split_once('(') {
        None => (text, None),
        Some((relation, rest)) => {
            let Some((options, rest)) = rest.split_once(')') else {
                return Err("a parenthesis is not closed");
            };
            if !rest.trim().is_empty() {
                return Err("only one relation is expanded in one request, and only one level of it");
            }
            (relation.trim(), Some(options))
        }
    };
    if relation.contains([',', '/']) {
        return Err("only one relation is expanded in one request, and only one level of it");
    }
    if relation.is_empty() || !relation.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("give the name of a relation");
    }
    let select = options.map(select).transpose()?;
    Ok(Expand { relation: relation.to_owned(), select })
}

fn select(options: &str) -> Result<Vec<String>, &'static str> {
    let Some((name, names)) = options.split_once('=') else {
        return Err("inside of $expand only $select is supported");
    };
    if !name.trim().eq_ignore_ascii_case("$select") || names.contains([';', '$', '(']) {
        return Err("inside of $expand only $select is supported");
    }
    let names: Vec<String> =
        names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let is_good = !names.is_empty() && names.len() <= SELECTED;
    is_good.then_some(names).ok_or("the $select inside of $expand is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_relation_is_read_with_what_is_selected_of_it() {
        let plain = Expand { relation: "members".to_owned(), select: None };
        assert_eq!(parse(" members "), Ok(plain));
        let select = Some(vec!["id".to_owned(), "displayName".to_owned()]);
        let chosen = Expand { relation: "members".to_owned(), select };
        assert_eq!(parse("members($select=id, displayName)"), Ok(chosen.clone()));
        assert_eq!(parse("members ($SELECT=id,displayName)"), Ok(chosen));
    }

    #[test]
    fn what_the_directory_does_not_expand_is_refused() {
        for bad in [
            "",
            "*",
            "members,owners",
            "members($select=id),owners",
            "members/memberOf",
            "members($expand=memberOf)",
            "members($levels=2)",
            "members($select=id;$top=5)",
            "members($select=)",
            "members(",
            "members()",
            "members($select=id))",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }
}
