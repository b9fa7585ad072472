//! What a caller wants to write to a user: typed, limited, and only what may be written at all (R25, R35).

use crate::directory::membership_rule::RuleProblem;
use crate::directory::permission::Scope;
use crate::directory::property::{Kind, Property, Source, USER};
use crate::directory::user::{User, UserType};
use crate::tenancy::domain_name::Address;
use crate::tenancy::tenant::Tenant;

/// A new value, its type settled by whoever read the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum NewValue {
    Bool(bool),
    Null,
    Text(String),
    Texts(Vec<String>),
}

/// One property and its new value.
#[derive(Clone, Debug)]
pub struct Change {
    pub property: &'static Property,
    pub value: NewValue,
}

/// Why a write is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeRefusal {
    /// The caller may not write this property of this user.
    Forbidden(String),
    /// The person came again, and is another guest here by now.
    IdentityTaken,
    Invalid(String),
    Missing(&'static str),
    NameTaken,
    PasswordWeak(&'static str),
    ReadOnly(String),
    /// A membership rule that cannot be, and where: counted in characters from zero.
    Rule(RuleProblem),
    TooLong(String),
    Unknown(String),
    WrongType(String),
}

/// Names one property of a body; what is no property at all is refused by name.
pub fn name(text: &str, value: NewValue) -> Result<Change, ChangeRefusal> {
    let shown = || text.chars().take(64).collect::<String>();
    let property = USER.find(text).ok_or_else(|| ChangeRefusal::Unknown(shown()))?;
    if property.written_as.is_none() {
        return Err(ChangeRefusal::ReadOnly(property.name.to_owned()));
    }
    let is_right = match (&value, property.kind) {
        (NewValue::Bool(_), Kind::Bool)
        | (NewValue::Text(_) | NewValue::Null, Kind::Text)
        | (NewValue::Texts(_), Kind::Texts) => true,
        (NewValue::Bool(_) | NewValue::Null | NewValue::Text(_) | NewValue::Texts(_), _) => false,
    };
    if !is_right {
        return Err(ChangeRefusal::WrongType(property.name.to_owned()));
    }
    let is_long =
        |text: &String| text.chars().count() > property.longest || text.chars().any(|c| c.is_control());
    let is_too_long = match &value {
        NewValue::Text(text) => is_long(text),
        NewValue::Texts(texts) => texts.len() > 250 || texts.iter().any(is_long),
        NewValue::Bool(_) | NewValue::Null => false,
    };
    if is_too_long {
        return Err(ChangeRefusal::TooLong(property.name.to_owned()));
    }
    Ok(Change { property, value })
}

/// Applies changes to a user, if each may be written by this caller.
pub fn apply(
    user: &mut User,
    changes: &[Change],
    scope: &Scope,
    tenant: &Tenant,
) -> Result<(), ChangeRefusal> {
    for change in changes {
        let may = change.property.written_as.is_some_and(|part| scope.may_change(part));
        if !may {
            return Err(ChangeRefusal::Forbidden(change.property.name.to_owned()));
        }
        apply_one(user, change, tenant)?;
    }
    Ok(())
}

fn apply_one(user: &mut User, change: &Change, tenant: &Tenant) -> Result<(), ChangeRefusal> {
    let name = change.property.name;
    let invalid = || ChangeRefusal::Invalid(name.to_owned());
    let text = match &change.value {
        NewValue::Text(text) if !text.is_empty() => Some(text.clone()),
        NewValue::Bool(_) | NewValue::Null | NewValue::Text(_) | NewValue::Texts(_) => None,
    };
    let texts = match &change.value {
        NewValue::Texts(texts) => texts.clone(),
        NewValue::Bool(_) | NewValue::Null | NewValue::Text(_) => Vec::new(),
    };
    let flag = change.value == NewValue::Bool(true);
    match change.property.source {
        Source::AccountEnabled => user.is_enabled = flag,
        Source::ShowInAddressList => user.is_shown_in_address_list = flag,
        Source::BusinessPhones => user.business_phones = texts,
        Source::OtherMails => {
            if texts.iter().any(|mail| Address::parse(mail).is_none()) {
                return Err(invalid());
            }
            user.other_mails = texts;
        }
        Source::DisplayName => user.display_name = text.ok_or_else(invalid)?,
        Source::Mail => {
            if text.as_deref().is_some_and(|mail| Address::parse(mail).is_none()) {
                return Err(invalid());
            }
            user.mail = text;
        }
        Source::MailNickname => user.mail_nickname = text,
        Source::SignInName => {
            let text = text.ok_or_else(invalid)?;
            check_sign_in_name(&text, tenant)?;
            user.sign_in_name = text;
        }
        Source::UserType => user.user_type = text.as_deref().and_then(UserType::parse).ok_or_else(invalid)?,
        Source::Profile => match text {
            Some(text) => {
                user.profile.insert(name.to_owned(), text);
            }
            None => {
                user.profile.remove(name);
            }
        },
        Source::Created
        | Source::CreationType
        | Source::Deleted
        | Source::ExternalState
        | Source::ExternalStateChanged
        | Source::Id
        | Source::Identities
        | Source::LastPasswordChange
        | Source::Named
        | Source::ProxyAddresses
        | Source::SessionsValidFrom => return Err(ChangeRefusal::ReadOnly(name.to_owned())),
    }
    Ok(())
}

/// A sign-in name ends with a domain that the tenant verified; `#` is reserved for guests (facts: b2b §3).
pub fn check_sign_in_name(name: &str, tenant: &Tenant) -> Result<(), ChangeRefusal> {
    let is_right = Address::parse_invitable(name).is_some_and(|address| tenant.owns(address.domain()));
    if is_right { Ok(()) } else { Err(ChangeRefusal::Invalid("userPrincipalName".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r25_what_only_proofs_write_cannot_be_named_in_a_body() {
        for property in
            ["id", "externalUserState", "identities", "creationType", "proxyAddresses", "deletedDateTime"]
        {
            let refused = name(property, NewValue::Text("Accepted".into())).unwrap_err();
            assert_eq!(refused, ChangeRefusal::ReadOnly(property.into()));
        }
    }

    #[test]
    fn names_types_and_lengths_are_checked() {
        assert!(matches!(name("magic", NewValue::Null), Err(ChangeRefusal::Unknown(_))));
        assert!(matches!(
            name("accountEnabled", NewValue::Text("true".into())),
            Err(ChangeRefusal::WrongType(_))
        ));
        assert!(matches!(
            name("displayName", NewValue::Text("x".repeat(257))),
            Err(ChangeRefusal::TooLong(_))
        ));
        assert!(name("jobTitle", NewValue::Text("Engineer".into())).is_ok());
    }
}
