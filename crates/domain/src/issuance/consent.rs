//! What agreeing to an application's request means, permission by permission, and who may agree. The page shows it, the
//! answer writes it; both look here (Graph: oAuth2PermissionGrant).

use crate::directory::application::{Scope, SharedApp};
use crate::directory::first_party;
use crate::directory::user::SignInUser;
use crate::id::AppId;
use crate::issuance::Denial;
use crate::issuance::decide::missing_scopes;
use crate::issuance::scope::{ScopeAsk, Wanted};

/// What the plan looks at.
#[derive(Clone, Debug)]
pub struct Facts {
    pub client: SharedApp,
    pub resource: Offered,
    /// The other resources that the client's registration names, and Graph, which OpenID scopes belong to.
    pub others: Vec<Offered>,
    /// `false` where every agreement is an administrator's.
    pub can_users_consent: bool,
}

/// A resource, and what of it was agreed to already for this client and user.
#[derive(Clone, Debug)]
pub struct Offered {
    pub resource: SharedApp,
    pub agreed: Vec<String>,
}

/// What is left to agree to. Empty where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What the request lacks, in the request's own words.
    pub missing: Vec<String>,
    /// What a yes grants: listed on the page, one by one.
    pub agreements: Vec<Agreement>,
    /// Some of what is not agreed to yet needs an administrator.
    pub needs_admin: bool,
}

/// One permission that a yes grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    pub resource: SharedApp,
    pub scope: Scope,
}

impl Agreement {
    /// Whether this person's yes counts. What only an administrator gives is an administrator's though a user was shown it:
    /// kept under the user's name it would outlive the administrator's own agreement.
    pub fn may_be_given_by(&self, user: &SignInUser) -> bool {
        !self.scope.is_admin_only || user.can_consent_for_all()
    }
}

const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Plans the agreement. `.default` stands for everything that the registration names, so that is what is judged (facts:
/// protocol §3).
pub fn plan(facts: &Facts, scope: &ScopeAsk) -> Result<Plan, Denial> {
    let missing = missing_scopes(&facts.resource.resource, scope, &facts.resource.agreed)?;
    let mut plan = Plan { missing, ..Plan::default() };
    let mut is_anything_new = !plan.missing.is_empty();
    let mut add = |offered: &Offered, is_meant: &dyn Fn(&Scope) -> bool| {
        for scope in offered.resource.registration.scopes.iter().filter(|scope| is_meant(scope)) {
            let app_id = offered.resource.registration.app_id;
            let is_listed = plan.agreements.iter().any(|known| {
                known.resource.registration.app_id == app_id && known.scope.value == scope.value
            });
            if is_listed {
                continue;
            }
            let is_agreed = offered.agreed.iter().any(|known| known.eq_ignore_ascii_case(&scope.value));
            plan.needs_admin |= scope.is_admin_only && !is_agreed;
            is_anything_new |= !is_agreed && !OPENID.contains(&scope.value.as_str());
            plan.agreements.push(Agreement { resource: offered.resource.clone(), scope: scope.clone() });
        }
    };
    let find = |app_id: AppId| {
        let all = std::iter::once(&facts.resource).chain(&facts.others);
        all.into_iter().find(|offered| offered.resource.registration.app_id == app_id)
    };
    let wanted = scope.resource.as_ref().map(|ask| &ask.wanted);
    if wanted == Some(&Wanted::Default) {
        for access in &facts.client.registration.required_access {
            let Some(offered) = find(access.resource) else { continue };
            add(offered, &|scope| scope.is_enabled && access.scopes.contains(&scope.id));
        }
    }
    if let Some(Wanted::Named(named)) = wanted {
        let is_asked = |value: &str| named.iter().any(|name| name.eq_ignore_ascii_case(value));
        let is_agreed =
            |value: &str| facts.resource.agreed.iter().any(|known| known.eq_ignore_ascii_case(value));
        add(&facts.resource, &|scope| is_asked(&scope.value) && !is_agreed(&scope.value));
    }
    if let Some(graph) = find(first_party::GRAPH_APP_ID) {
        let asked = [scope.openid, scope.profile, scope.email, scope.offline_access];
        add(graph, &|scope| {
            OPENID.iter().zip(asked).any(|(name, is_asked)| is_asked && *name == scope.value)
        });
    }
    plan.needs_admin |= is_anything_new && !facts.can_users_consent;
    Ok(plan)
}
