//! What a caller wants to write to an agreement (Graph: oAuth2PermissionGrant): its ends fit together, and the resource
//! offers every scope. Whether the caller may at all is asked of `permission` first.

use crate::directory::application::Application;
use crate::directory::application_change::ApplicationRefusal;
use crate::id::UserId;
use uuid::Uuid;

/// Longest text of scopes, in characters (Graph: oAuth2PermissionGrant.scope).
const LONGEST: usize = 3_850;

/// An agreement to be made, with the ids as they were sent.
#[derive(Clone, Debug)]
pub struct NewConsent {
    pub client: Uuid,
    /// `None` for an agreement that covers every user.
    pub principal: Option<UserId>,
    pub resource: Uuid,
    pub scope: String,
}

const fn invalid(property: &'static str, problem: &'static str) -> ApplicationRefusal {
    ApplicationRefusal::Invalid { property, problem }
}

/// Whom an agreement covers: `consentType` and `principalId` must say the same.
pub fn principal(
    consent_type: Option<&str>,
    principal: Option<&str>,
) -> Result<Option<UserId>, ApplicationRefusal> {
    match (consent_type, principal) {
        (Some("AllPrincipals"), None) => Ok(None),
        (Some("AllPrincipals"), Some(_)) => {
            Err(invalid("principalId", "Leave it out where consentType is AllPrincipals."))
        }
        (Some("Principal"), Some(id)) => match id.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(invalid("principalId", "Give the id of a user.")),
        },
        (Some("Principal"), None) => {
            Err(invalid("principalId", "It is required where consentType is Principal."))
        }
        (None | Some(_), _) => Err(invalid("consentType", "Give AllPrincipals or Principal.")),
    }
}

/// The scopes of a text, spelled as the resource spells them, each once.
pub fn scopes(text: &str, resource: &Application) -> Result<Vec<String>, ApplicationRefusal> {
    if text.chars().count() > LONGEST {
        return Err(invalid("scope", "Give at most 3,850 characters."));
    }
    let mut scopes: Vec<String> = Vec::new();
    for asked in text.split_ascii_whitespace() {
        let offered = resource.scopes.iter().filter(|scope| scope.is_enabled);
        let found = offered.map(|scope| &scope.value).find(|value| value.eq_ignore_ascii_case(asked));
        let value = found.ok_or(invalid("scope", "The resource offers no permission of that name."))?;
        if !scopes.contains(value) {
            scopes.push(value.clone());
        }
    }
    match scopes.is_empty() {
        true => Err(invalid("scope", "Name at least one permission, or delete the grant.")),
        false => Ok(scopes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::first_party;

    #[test]
    fn the_type_and_the_user_must_agree() {
        let id = "00000000-0000-0000-0000-000000000007";
        assert_eq!(principal(Some("AllPrincipals"), None), Ok(None));
        assert_eq!(principal(Some("Principal"), Some(id)), Ok(Some(id.parse().unwrap())));
        for (kind, user) in [
            (Some("AllPrincipals"), Some(id)),
            (Some("Principal"), None),
            (Some("Principal"), Some("dave")),
            (Some("Everybody"), None),
            (None, Some(id)),
        ] {
            assert!(principal(kind, user).is_err(), "{kind:?} {user:?}");
        }
    }

    #[test]
    fn scopes_are_those_that_the_resource_offers() {
        let graph = first_party::graph();
        let read = |text: &str| scopes(text, graph);
        assert_eq!(read(" user.read  openid User.Read").unwrap(), ["User.Read", "openid"]);
        for refused in ["", "  ", "User.Read Magic.Read", &"x".repeat(LONGEST + 1)] {
            assert!(read(refused).is_err(), "{refused}");
        }
        let mut disabled = graph.clone();
        disabled.scopes.iter_mut().for_each(|scope| scope.is_enabled = false);
        assert!(scopes("User.Read", &disabled).is_err());
    }
}
