//! Identifiers. Each kind is its own type, so that a user's id cannot be passed where a tenant's is asked (R21, R22).

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps an id that was read from the store, a token or a path.
            pub const fn new(id: Uuid) -> Self { Self(id) }
            /// The bare id, for wire formats and the store.
            pub const fn uuid(self) -> Uuid { self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{}({})", stringify!($name), self.0) }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            /// Accepts the hyphenated form only; other spellings of a UUID are not ids here (R40).
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                let id = Uuid::parse_str(text)?;
                if text.len() == 36 { Ok(Self(id)) } else { Uuid::parse_str("").map(Self) }
            }
        }
    )*};
}

ids! {
    /// A directory: an organisation served here. Wire name `tid`.
    TenantId
    /// A user object in one tenant. A guest has another one in each tenant. Wire name `oid`.
    UserId
    /// An application registration's public id, `appId` and `client_id` on the wire.
    AppId
    /// An application registration as a directory object, `id` on Graph.
    ApplicationId
    /// An application's instance in a tenant.
    ServicePrincipalId
    /// A group in one tenant.
    GroupId
    /// An invitation; differs from the invited user's id (Graph: invitation).
    InvitationId
    /// An unfinished sign-in.
    AttemptId
    /// A finished sign-in of one user in one tenant and one browser. Wire name `sid`.
    SessionId
    /// What one redeemed code set going: all refresh tokens of one sign-in to one client.
    GrantId
    /// One line of the sign-in or audit log.
    RecordId
    /// A role, scope or secret inside an application registration.
    PartId
    /// A policy that applications and service principals may be given (Graph: stsPolicy).
    PolicyId
    /// A built-in directory role's template (Graph: directoryRoleTemplate).
    RoleTemplateId
}

/// Anything in the directory that rights can attach to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PrincipalId {
    Application(ServicePrincipalId),
    User(UserId),
}

impl PrincipalId {
    /// The object id, whatever the kind.
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Application(id) => id.uuid(),
            Self::User(id) => id.uuid(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r40_only_the_hyphenated_form_is_an_id() {
        let text = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        assert_eq!(text.parse::<TenantId>().unwrap().to_string(), text);
        for bad in ["72f988bf86f141af91ab2d7cd011db47", "{72f988bf-86f1-41af-91ab-2d7cd011db47}", "", "x"] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }
}
