//! What agreeing to an application's request means, permission by permission, and who may agree. The page shows it, the
//! answer writes it; both look here (Graph: oAuth2PermissionGrant).

use crate::directory::application::{App, AppRole, Scope, SharedApp};
use crate::directory::first_party;
use crate::directory::user::SignInUser;
use crate::id::AppId;
use crate::issuance::Denial;
use crate::issuance::decide::missing_scopes;
use crate::issuance::scope::{ScopeAsk, Wanted};
use crate::tenancy::tenant::UserConsent;
use standards::crypto;

/// What the plan looks at.
#[derive(Clone, Debug)]
pub struct Facts {
    pub client: SharedApp,
    pub resource: Offered,
    /// The other resources that the client's registration names, and Graph, which OpenID scopes belong to.
    pub others: Vec<Offered>,
    /// Resources that know the client as theirs, and what they need themselves.
    pub tiers: Vec<Tier>,
    /// Everything that is asked is listed, agreed to before or not (`prompt=consent`).
    pub is_forced: bool,
    /// What users may agree to; the rest is an administrator's.
    pub user_consent: UserConsent,
    /// The application is the tenant's own, one of this service, or of an organisation that proved a domain of its own.
    pub is_publisher_known: bool,
}

/// A resource whose `knownClientApplications` names the client: one page asks for both (facts: protocol §10).
#[derive(Clone, Debug)]
pub struct Tier {
    pub client: SharedApp,
    /// What its registration names, and what of that was agreed to for it.
    pub offered: Vec<Offered>,
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
    /// What an administrator's yes lets the application do by itself.
    pub roles: Vec<RoleAgreement>,
    /// Some of what is not agreed to yet needs an administrator.
    pub needs_admin: bool,
    /// Some of it gives rights over the directory itself.
    pub needs_role_admin: bool,
}

/// One app role that an administrator's yes gives to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAgreement {
    pub resource: SharedApp,
    pub role: AppRole,
}

/// What the page says besides the permissions.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub client: &'a App,
    pub publisher: Option<&'a str>,
    pub user: &'a SignInUser,
}

impl Plan {
    /// A digest of all that the page says: who asks, for whom, and every permission in its words. A yes counts for what was
    /// read, so another list is another digest.
    pub fn fingerprint(&self, shown: &Shown<'_>) -> [u8; 32] {
        let mut text = Vec::new();
        // Each part with its length, so that no two lists read alike.
        let mut add = |part: &[u8]| {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        };
        let client = &shown.client.registration;
        add(client.app_id.uuid().as_bytes());
        add(client.display_name.as_bytes());
        add(shown.publisher.unwrap_or_default().as_bytes());
        add(shown.user.id.uuid().as_bytes());
        add(&[u8::from(shown.user.can_consent_for_all())]);
        for Agreement { client, resource, scope } in &self.agreements {
            add(client.registration.app_id.uuid().as_bytes());
            add(client.registration.display_name.as_bytes());
            add(resource.registration.app_id.uuid().as_bytes());
            add(scope.id.uuid().as_bytes());
            add(scope.value.as_bytes());
            add(scope.title.as_bytes());
            add(scope.description.as_bytes());
            add(&[0, u8::from(scope.is_admin_only)]);
        }
        for RoleAgreement { resource, role } in &self.roles {
            add(resource.registration.app_id.uuid().as_bytes());
            add(role.id.uuid().as_bytes());
            add(role.value.as_bytes());
            add(role.display_name.as_bytes());
            add(role.description.as_bytes());
            add(&[1]);
        }
        crypto::sha256(&[&text])
    }

    /// The scope values of one resource that this person's yes gives.
    pub fn values_given_by<'a>(
        &'a self,
        user: &'a SignInUser,
        (client, resource): (AppId, AppId),
    ) -> impl Iterator<Item = &'a str> {
        let is_meant = move |agreement: &&Agreement| {
            agreement.client.registration.app_id == client
                && agreement.resource.registration.app_id == resource
                && agreement.may_be_given_by(user)
        };
        self.agreements.iter().filter(is_meant).map(|agreement| agreement.scope.value.as_str())
    }
}

/// One permission that a yes grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Who gets it: the client, or a resource that it works through.
    pub client: SharedApp,
    pub resource: SharedApp,
    pub scope: Scope,
}

impl Tier {
    fn needs(&self, offered: &Offered, scope: &Scope) -> bool {
        let app_id = offered.resource.registration.app_id;
        let mut needs = self.client.registration.required_access.iter();
        scope.is_enabled && needs.any(|it| it.resource == app_id && it.scopes.contains(&scope.id))
    }
}

impl Agreement {
    /// Whether this person's yes counts. What only an administrator gives is an administrator's though a user was shown it:
    /// kept under the user's name it would outlive the administrator's own agreement.
    pub fn may_be_given_by(&self, user: &SignInUser) -> bool {
        !self.scope.is_admin_only || user.can_consent_for_all()
    }
}

/// What a sign-in needs: permissions of Graph that users give where they may give only those of low impact.
const LOW_IMPACT: [&str; 5] = ["email", "offline_access", "openid", "profile", "User.Read"];

const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// Plans the agreement. `.default` stands for everything that the registration names, so that is what is judged (facts:
/// protocol §3).
pub fn plan(facts: &Facts, scope: &ScopeAsk) -> Result<Plan, Denial> {
    let missing = missing_scopes(&facts.resource.resource, scope, &facts.resource.agreed)?;
    let mut plan = Plan { missing, ..Plan::default() };
    let client = &facts.client;
    let mut is_anything_new = !plan.missing.is_empty();
    let mut is_low_impact = facts.is_publisher_known;
    let mut add = |client: &SharedApp, offered: &Offered, is_meant: &dyn Fn(&Scope) -> bool| {
        for scope in offered.resource.registration.scopes.iter().filter(|scope| is_meant(scope)) {
            let app_id = offered.resource.registration.app_id;
            let is_listed = plan.agreements.iter().any(|known| {
                known.client.registration.app_id == client.registration.app_id
                    && known.resource.registration.app_id == app_id
                    && known.scope.value == scope.value
            });
            if is_listed {
                continue;
            }
            let is_agreed = offered.agreed.iter().any(|known| known.eq_ignore_ascii_case(&scope.value));
            plan.needs_admin |= scope.is_admin_only && !is_agreed;
            let is_own = client.registration.app_id == facts.client.registration.app_id;
            is_low_impact &= is_agreed
                || is_own
                    && app_id == first_party::GRAPH_APP_ID
                    && LOW_IMPACT.contains(&scope.value.as_str());
            is_anything_new |= !is_agreed && !OPENID.contains(&scope.value.as_str());
            plan.agreements.push(Agreement {
                client: client.clone(),
                resource: offered.resource.clone(),
                scope: scope.clone(),
            });
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
            add(client, offered, &|scope| scope.is_enabled && access.scopes.contains(&scope.id));
        }
        for tier in &facts.tiers {
            for offered in &tier.offered {
                add(&tier.client, offered, &|scope| tier.needs(offered, scope));
            }
        }
    }
    if let Some(Wanted::Named(named)) = wanted {
        let is_asked = |value: &str| named.iter().any(|name| name.eq_ignore_ascii_case(value));
        let is_agreed =
            |value: &str| facts.resource.agreed.iter().any(|known| known.eq_ignore_ascii_case(value));
        let is_listed = |value: &str| is_asked(value) && (facts.is_forced || !is_agreed(value));
        add(client, &facts.resource, &|scope| is_listed(&scope.value));
    }
    if let Some(graph) = find(first_party::GRAPH_APP_ID) {
        let asked = [scope.openid, scope.profile, scope.email, scope.offline_access];
        add(client, graph, &|scope| {
            OPENID.iter().zip(asked).any(|(name, is_asked)| is_asked && *name == scope.value)
        });
    }
    let may_users = match facts.user_consent {
        UserConsent::Everything => true,
        UserConsent::LowImpact => is_low_impact,
        UserConsent::Nothing => false,
    };
    plan.needs_admin |= is_anything_new && !may_users;
    Ok(plan)
}

/// Plans an administrator's agreement for everybody: what the request names, or, with `.default` and where it names
/// nothing, everything that the registration does, app roles included (facts: protocol §10). The whole list is shown each
/// time, agreed to before or not.
pub fn plan_for_organization(facts: &Facts, scope: &ScopeAsk) -> Result<Plan, Denial> {
    let Facts { client, resource, others, .. } = facts;
    // What the resource does not offer is refused here.
    missing_scopes(&resource.resource, scope, &[])?;
    let mut plan = Plan { needs_admin: true, ..Plan::default() };
    let all: Vec<&SharedApp> = std::iter::once(resource).chain(others).map(|it| &it.resource).collect();
    let find = |app_id: AppId| all.iter().copied().find(|app| app.registration.app_id == app_id);
    let named = match scope.resource.as_ref().map(|ask| &ask.wanted) {
        Some(Wanted::Named(named)) => Some(named),
        Some(Wanted::Default) | None => None,
    };
    let mut openid = [scope.openid, scope.profile, scope.email, scope.offline_access];
    if let Some(named) = named {
        let is_named = |scope: &&Scope| named.iter().any(|name| name.eq_ignore_ascii_case(&scope.value));
        add_all(&mut plan, client, &resource.resource, is_named);
    } else {
        for access in &client.registration.required_access {
            let Some(resource) = find(access.resource) else { continue };
            add_all(&mut plan, client, resource, |scope| {
                scope.is_enabled && access.scopes.contains(&scope.id)
            });
            let roles = resource.registration.roles.iter();
            let roles = roles
                .filter(|role| role.is_enabled && role.for_applications && access.roles.contains(&role.id));
            plan.needs_role_admin |=
                access.resource == first_party::GRAPH_APP_ID && roles.clone().next().is_some();
            plan.roles
                .extend(roles.map(|role| RoleAgreement { resource: resource.clone(), role: role.clone() }));
        }
        for tier in &facts.tiers {
            for offered in &tier.offered {
                add_all(&mut plan, &tier.client, &offered.resource, |scope| tier.needs(offered, scope));
            }
        }
        // Where people sign in, nobody should be asked about that any more either.
        if !client.registration.redirect_uris.is_empty() {
            let [openid, profile, _, offline_access] = &mut openid;
            (*openid, *profile, *offline_access) = (true, true, true);
        }
    }
    if let Some(graph) = find(first_party::GRAPH_APP_ID) {
        let is_asked =
            |scope: &&Scope| OPENID.iter().zip(openid).any(|(name, is)| is && *name == scope.value);
        add_all(&mut plan, client, graph, is_asked);
    }
    Ok(plan)
}

fn add_all(plan: &mut Plan, client: &SharedApp, resource: &SharedApp, is_meant: impl Fn(&&Scope) -> bool) {
    for scope in resource.registration.scopes.iter().filter(is_meant) {
        let agreement =
            Agreement { client: client.clone(), resource: resource.clone(), scope: scope.clone() };
        if !plan.agreements.contains(&agreement) {
            plan.agreements.push(agreement);
        }
    }
}
