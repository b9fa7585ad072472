//! Token lifetime policies: how long tokens live that an application is given, or that are for it (Graph:
//! tokenLifetimePolicy). Which of them counts is decided by `issuance::lifetime`.

use crate::directory::application_change::ApplicationRefusal;
use crate::id::PolicyId;
use crate::time::Span;
use standards::token_lifetime;

/// A policy of one tenant, which it, an application or a service principal may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenLifetimePolicy {
    pub id: PolicyId,
    pub display_name: String,
    pub description: Option<String>,
    /// As it was written (`standards::token_lifetime`).
    pub definition: String,
    /// What the definition says, of access and ID tokens alike.
    pub lifetime: Span,
    /// Whether it counts for every application of the tenant; at most one does.
    pub is_organization_default: bool,
}

/// What a caller writes; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct PolicyChange {
    pub display_name: Option<String>,
    /// `Some(None)` takes it away.
    pub description: Option<Option<String>>,
    pub definition: Option<Vec<String>>,
    pub is_organization_default: Option<bool>,
}

/// What the tenant has already.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub policies: usize,
    /// The policy that counts for the whole tenant.
    pub organization_default: Option<PolicyId>,
}

/// Shortest and longest lifetime (facts: protocol §6). A day is one second short of it, as Graph documents.
const SHORTEST: Span = Span::minutes(10);
const LONGEST: Span = Span::seconds(24 * 60 * 60 - 1);
/// Policies of one tenant at most.
// DEFAULT: 100, far more than there are lifetimes that differ; Graph publishes no number.
pub const MOST: usize = 100;
// DEFAULT: as of other objects of the directory; Graph publishes no number.
const DISPLAY_NAME: usize = 256;
const DESCRIPTION: usize = 1024;

const fn invalid(property: &'static str, problem: &'static str) -> ApplicationRefusal {
    ApplicationRefusal::Invalid { property, problem }
}

/// A new policy.
pub fn create(
    id: PolicyId,
    ask: &PolicyChange,
    known: Known,
) -> Result<TokenLifetimePolicy, ApplicationRefusal> {
    if known.policies >= MOST {
        return Err(invalid("tokenLifetimePolicies", "An organization has at most 100; delete one first."));
    }
    let bare = TokenLifetimePolicy {
        id,
        display_name: String::new(),
        description: None,
        definition: String::new(),
        lifetime: SHORTEST,
        is_organization_default: false,
    };
    if ask.definition.is_none() {
        return Err(invalid("definition", "A value is required."));
    }
    change(&bare, ask, known)
}

/// A policy with what a caller changes of it.
pub fn change(
    before: &TokenLifetimePolicy,
    ask: &PolicyChange,
    known: Known,
) -> Result<TokenLifetimePolicy, ApplicationRefusal> {
    let mut after = before.clone();
    if let Some(name) = &ask.display_name {
        after.display_name.clone_from(name);
    }
    if let Some(description) = &ask.description {
        after.description.clone_from(description);
    }
    if let Some(definition) = &ask.definition {
        let [text] = definition.as_slice() else {
            return Err(invalid("definition", "Give one text."));
        };
        let seconds = token_lifetime::parse(text).map_err(|problem| invalid("definition", problem))?;
        after.definition.clone_from(text);
        after.lifetime = Span::seconds(seconds);
    }
    after.is_organization_default = ask.is_organization_default.unwrap_or(after.is_organization_default);
    if !is_text(&after.display_name, DISPLAY_NAME) || after.display_name.trim().is_empty() {
        return Err(invalid("displayName", "Give 1 to 256 characters."));
    }
    if after.description.as_deref().is_some_and(|text| !is_text(text, DESCRIPTION)) {
        return Err(invalid("description", "Give at most 1,024 characters."));
    }
    if !(SHORTEST..=LONGEST).contains(&after.lifetime) {
        return Err(invalid("definition", "AccessTokenLifetime must be 00:10:00 to 23:59:59."));
    }
    if after.is_organization_default && known.organization_default.is_some_and(|other| other != after.id) {
        return Err(invalid("isOrganizationDefault", "Another policy is the organization's default."));
    }
    Ok(after)
}

fn is_text(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NONE: Known = Known { policies: 0, organization_default: None };

    fn id(number: u128) -> PolicyId {
        PolicyId::new(Uuid::from_u128(number))
    }

    fn ask(lifetime: &str) -> PolicyChange {
        let text = format!(r#"{{"TokenLifetimePolicy":{{"Version":1,"AccessTokenLifetime":"{lifetime}"}}}}"#);
        PolicyChange {
            display_name: Some("Short".to_owned()),
            definition: Some(vec![text]),
            ..PolicyChange::default()
        }
    }

    #[test]
    fn a_lifetime_is_ten_minutes_to_a_day() {
        for (text, seconds) in [("00:10:00", 600), ("23:59:59", 86_399)] {
            assert_eq!(create(id(1), &ask(text), NONE).unwrap().lifetime, Span::seconds(seconds));
        }
        for bad in ["00:09:59", "00:00:00", "1.00:00:00", "99.00:00:00"] {
            assert!(create(id(1), &ask(bad), NONE).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_policy_counts_for_the_whole_tenant() {
        let for_all = PolicyChange { is_organization_default: Some(true), ..ask("8:00:00") };
        let first = create(id(1), &for_all, NONE).unwrap();
        let known = Known { policies: 1, organization_default: Some(first.id) };
        assert!(create(id(2), &for_all, known).is_err());
        assert!(change(&first, &for_all, known).is_ok());
        let second = create(id(2), &ask("8:00:00"), known).unwrap();
        assert!(change(&second, &for_all, known).is_err());
        assert!(change(&second, &for_all, NONE).is_ok());
    }

    #[test]
    fn names_texts_and_numbers_have_limits() {
        let named = |name: &str| PolicyChange { display_name: Some(name.to_owned()), ..ask("8:00:00") };
        for bad in [String::new(), " ".to_owned(), "a\nb".to_owned(), "x".repeat(257)] {
            assert!(create(id(1), &named(&bad), NONE).is_err(), "{bad}");
        }
        let nameless = PolicyChange { display_name: None, ..ask("8:00:00") };
        assert!(create(id(1), &nameless, NONE).is_err());
        let undefined = PolicyChange { definition: None, ..ask("8:00:00") };
        assert!(create(id(1), &undefined, NONE).is_err());
        let defined = |texts: Vec<String>| PolicyChange { definition: Some(texts), ..ask("8:00:00") };
        let text = ask("8:00:00").definition.unwrap().remove(0);
        assert!(create(id(1), &defined(Vec::new()), NONE).is_err());
        assert!(create(id(1), &defined(vec![text.clone(), text]), NONE).is_err());
        let described = PolicyChange { description: Some(Some("x".repeat(1_025))), ..ask("8:00:00") };
        assert!(create(id(1), &described, NONE).is_err());
        assert!(create(id(1), &ask("8:00:00"), Known { policies: MOST, ..NONE }).is_err());
    }

    #[test]
    fn what_is_left_out_stays() {
        let described = PolicyChange { description: Some(Some("d".to_owned())), ..ask("8:00:00") };
        let first = create(id(1), &described, NONE).unwrap();
        assert_eq!(change(&first, &PolicyChange::default(), NONE), Ok(first.clone()));
        let bare = PolicyChange { description: Some(None), ..PolicyChange::default() };
        assert_eq!(change(&first, &bare, NONE), Ok(TokenLifetimePolicy { description: None, ..first }));
    }
}
