//! Federated credentials: workloads elsewhere that may speak for an application with a token of their own issuer (Graph:
//! federatedIdentityCredential; facts: protocol §3, limits §3).

use crate::directory::application_change::ApplicationRefusal;
use crate::id::PartId;
use url::Url;

/// Whom an application trusts to speak for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedCredential {
    pub id: PartId,
    /// Unique in the application, and settled at creation.
    pub name: String,
    pub issuer: String,
    pub subject: String,
    pub audiences: Vec<String>,
    pub description: Option<String>,
}

/// What a caller writes; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct CredentialChange {
    pub name: Option<String>,
    pub issuer: Option<String>,
    pub subject: Option<String>,
    pub audiences: Option<Vec<String>>,
    /// `Some(None)` takes it away.
    pub description: Option<Option<String>>,
}

/// Issuer, subject, audience and description, in characters (Graph: federatedIdentityCredential).
const TEXT: usize = 600;

const fn invalid(property: &'static str, problem: &'static str) -> ApplicationRefusal {
    ApplicationRefusal::Invalid { property, problem }
}

/// The credentials with a new one, of which there are so many at most.
pub fn add(
    known: &[FederatedCredential],
    id: PartId,
    ask: &CredentialChange,
    most: i64,
) -> Result<Vec<FederatedCredential>, ApplicationRefusal> {
    if known.len() as i64 >= most {
        let problem = "The application has as many as it may. Remove one first.";
        return Err(invalid("federatedIdentityCredentials", problem));
    }
    let required = |text: &Option<String>, property| {
        text.clone().ok_or_else(|| invalid(property, "A value is required."))
    };
    let new = FederatedCredential {
        id,
        name: required(&ask.name, "name")?,
        issuer: required(&ask.issuer, "issuer")?,
        subject: required(&ask.subject, "subject")?,
        audiences: ask.audiences.clone().ok_or_else(|| invalid("audiences", "A value is required."))?,
        description: ask.description.clone().flatten(),
    };
    check(known, &new)?;
    let mut after = known.to_vec();
    after.push(new);
    Ok(after)
}

/// The credentials with one of them changed.
pub fn change(
    known: &[FederatedCredential],
    id: PartId,
    ask: &CredentialChange,
) -> Result<Vec<FederatedCredential>, ApplicationRefusal> {
    let before = known.iter().find(|one| one.id == id).ok_or(ApplicationRefusal::NotFound)?;
    let mut after = before.clone();
    if ask.name.as_ref().is_some_and(|name| *name != before.name) {
        return Err(invalid("name", "The name is settled at creation."));
    }
    if let Some(issuer) = &ask.issuer {
        after.issuer.clone_from(issuer);
    }
    if let Some(subject) = &ask.subject {
        after.subject.clone_from(subject);
    }
    if let Some(audiences) = &ask.audiences {
        after.audiences.clone_from(audiences);
    }
    if let Some(description) = &ask.description {
        after.description.clone_from(description);
    }
    let others: Vec<FederatedCredential> = known.iter().filter(|one| one.id != id).cloned().collect();
    check(&others, &after)?;
    Ok(known.iter().map(|one| if one.id == id { after.clone() } else { one.clone() }).collect())
}

fn check(others: &[FederatedCredential], one: &FederatedCredential) -> Result<(), ApplicationRefusal> {
    let is_name = (3..=120).contains(&one.name.len())
        && one.name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && one.name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !is_name {
        return Err(invalid("name", "Give 3 to 120 letters, digits, - and _, with a letter or digit first."));
    }
    let is_text =
        |text: &str| !text.is_empty() && text.chars().count() <= TEXT && !text.chars().any(char::is_control);
    if !is_text(&one.issuer) || !is_issuer(&one.issuer) {
        return Err(invalid("issuer", "Give the https address of the issuer, as its tokens say it in iss."));
    }
    if !is_text(&one.subject) {
        return Err(invalid("subject", "Give the sub of the workload's tokens, 1 to 600 characters."));
    }
    match one.audiences.as_slice() {
        [audience] if is_text(audience) => {}
        _ => return Err(invalid("audiences", "Give one audience; api://AzureADTokenExchange is usual.")),
    }
    if one.description.as_deref().is_some_and(|text| !text.is_empty() && !is_text(text)) {
        return Err(invalid("description", "Give at most 600 characters."));
    }
    if others.iter().any(|other| other.name == one.name) {
        return Err(invalid("name", "The application has a credential of that name."));
    }
    if others.iter().any(|other| other.issuer == one.issuer && other.subject == one.subject) {
        return Err(invalid("subject", "The application has a credential of that issuer and subject."));
    }
    Ok(())
}

/// Metadata is fetched below it (OIDC Discovery §4), so nothing may come behind the path.
fn is_issuer(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https"
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    }) && text.starts_with("https://")
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'?' | b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn ask(name: &str, issuer: &str, subject: &str, audiences: &[&str]) -> CredentialChange {
        CredentialChange {
            name: Some(name.to_owned()),
            issuer: Some(issuer.to_owned()),
            subject: Some(subject.to_owned()),
            audiences: Some(audiences.iter().map(|&one| one.to_owned()).collect()),
            description: None,
        }
    }

    fn id(number: u128) -> PartId {
        PartId::new(Uuid::from_u128(number))
    }

    fn add(
        known: &[FederatedCredential],
        id: PartId,
        ask: &CredentialChange,
    ) -> Result<Vec<FederatedCredential>, ApplicationRefusal> {
        super::add(known, id, ask, 20)
    }

    #[test]
    fn names_and_issuer_with_subject_are_nobody_elses() {
        let known = add(&[], id(1), &ask("one", "https://i.test", "s", &["a"])).unwrap();
        assert!(add(&known, id(2), &ask("one", "https://i.test", "t", &["a"])).is_err());
        assert!(add(&known, id(2), &ask("two", "https://i.test", "s", &["a"])).is_err());
        let known = add(&known, id(2), &ask("two", "https://i.test", "t", &["a"])).unwrap();
        let to_s = CredentialChange { subject: Some("s".into()), ..CredentialChange::default() };
        assert!(change(&known, id(2), &to_s).is_err());
        assert!(change(&known, id(1), &to_s).is_ok());
        let renamed = CredentialChange { name: Some("x-y".into()), ..CredentialChange::default() };
        assert!(change(&known, id(1), &renamed).is_err());
        assert_eq!(change(&known, id(9), &to_s), Err(ApplicationRefusal::NotFound));
    }

    #[test]
    fn there_are_as_many_as_may_be_and_no_more() {
        let one = add(&[], id(1), &ask("one", "https://i.test", "1", &["a"])).unwrap();
        let new = ask("two", "https://i.test", "2", &["a"]);
        assert!(super::add(&one, id(2), &new, 1).is_err());
        assert_eq!(super::add(&one, id(2), &new, 2).unwrap().len(), 2);
    }

    #[test]
    fn r31_what_is_no_plain_https_issuer_is_refused() {
        for issuer in [
            "http://i.test",
            "https://u@i.test",
            "https://i.test/?a",
            "https://i.test/#a",
            "i.test",
            "https://",
            "HTTPS://i.test",
            "https://i.test\\@x.test/",
        ] {
            assert!(add(&[], id(1), &ask("one", issuer, "s", &["a"])).is_err(), "{issuer}");
        }
        for (name, subject, audiences) in [
            ("ab", "s", &["a"][..]),
            ("-ab", "s", &["a"]),
            ("a b c", "s", &["a"]),
            ("abc", "", &["a"]),
            ("abc", "s", &[]),
            ("abc", "s", &["a", "b"]),
        ] {
            assert!(
                add(&[], id(1), &ask(name, "https://i.test", subject, audiences)).is_err(),
                "{name} {subject}"
            );
        }
    }
}
