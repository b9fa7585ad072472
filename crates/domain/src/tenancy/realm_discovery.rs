//! Home-realm discovery: where the person behind an address signs in.

use crate::directory::user::SignInUser;
use crate::id::{TenantId, UserId};

/// Where someone who typed a name is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// The name belongs to this tenant: ask for the password here. `None` when no such user exists, which the page
    /// must not show.
    Here(Option<UserId>),
    /// The name's domain belongs to another tenant on this server.
    Home(TenantId),
    /// Nobody here knows the domain.
    Unknown,
}

/// What the store found about a typed name.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The user of this tenant with exactly that sign-in name.
    pub user: Option<SignInUser>,
    /// A guest of this tenant that was invited under that address.
    pub guest: Option<SignInUser>,
    /// The tenant on this server that owns the address's domain.
    pub domain_owner: Option<TenantId>,
}

/// Finds the realm of a typed name within `tenant`. A guest authenticates at home whatever name was typed.
pub fn discover(tenant: TenantId, facts: Facts) -> Realm {
    match facts {
        Facts { user: Some(user), .. } if user.external.is_none() => Realm::Here(Some(user.id)),
        Facts { domain_owner: Some(owner), .. } if owner != tenant => Realm::Home(owner),
        Facts { domain_owner: Some(_), .. } => Realm::Here(None),
        Facts { user: Some(guest), .. } | Facts { guest: Some(guest), .. } => {
            guest.home_tenant.map_or(Realm::Unknown, Realm::Home)
        }
        Facts { .. } => Realm::Unknown,
    }
}
