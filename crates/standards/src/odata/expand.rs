//! `$expand`: one relation, with a selection inside and how many levels of it (OData URL Conventions §5.1.3). The directory
//! takes no more than that.

/// A relation to be shown with each object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expand {
    pub relation: String,
    pub select: Option<Vec<String>>,
    pub levels: Option<Levels>,
}

/// How often a relation is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    Max,
    Only(u32),
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
    let mut expand = Expand { relation: relation.to_owned(), ..Expand::default() };
    for option in options.into_iter().flat_map(|options| options.split(';')) {
        const UNSUPPORTED: &str = "inside of $expand only $select and $levels are supported";
        let (name, value) = option.split_once('=').ok_or(UNSUPPORTED)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "$levels" if expand.levels.is_none() => expand.levels = Some(levels(value.trim())?),
            "$select" if expand.select.is_none() => expand.select = Some(select(value)?),
            "$levels" | "$select" => return Err("an option inside of $expand stands there twice"),
            _ => return Err(UNSUPPORTED),
        }
    }
    Ok(expand)
}

fn levels(value: &str) -> Result<Levels, &'static str> {
    if value.eq_ignore_ascii_case("max") {
        return Ok(Levels::Max);
    }
    let number = value.bytes().all(|byte| byte.is_ascii_digit()).then(|| value.parse().ok()).flatten();
    number.map(Levels::Only).ok_or("give $levels a number, or max")
}

fn select(names: &str) -> Result<Vec<String>, &'static str> {
    let names: Vec<String> =
        names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let is_good = !names.is_empty()
        && names.len() <= SELECTED
        && names.iter().all(|name| !name.contains(['$', '(', '=']));
    is_good.then_some(names).ok_or("the $select inside of $expand is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_relation_is_read_with_what_is_selected_of_it() {
        let plain = Expand { relation: "members".to_owned(), ..Expand::default() };
        assert_eq!(parse(" members "), Ok(plain));
        let select = Some(vec!["id".to_owned(), "displayName".to_owned()]);
        let chosen = Expand { relation: "members".to_owned(), select, levels: None };
        assert_eq!(parse("members($select=id, displayName)"), Ok(chosen.clone()));
        assert_eq!(parse("members ($SELECT=id,displayName)"), Ok(chosen));
    }

    #[test]
    fn levels_stand_before_or_behind_the_selection() {
        for (text, levels) in [
            ("manager($levels=max;$select=id)", Levels::Max),
            ("manager($select=id;$LEVELS=MAX)", Levels::Max),
            ("manager($select=id; $levels = 3)", Levels::Only(3)),
            ("manager($levels=0;$select=id)", Levels::Only(0)),
        ] {
            let select = Some(vec!["id".to_owned()]);
            let expected = Expand { relation: "manager".to_owned(), select, levels: Some(levels) };
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
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
            "members($levels=)",
            "members($levels=-1)",
            "members($levels=+1)",
            "members($levels=1.5)",
            "members($levels=99999999999)",
            "members($levels=2;$levels=2)",
            "members($select=id;$select=id)",
            "members($select=id;)",
            "members($select=id=x)",
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
