//! Cases of `issuance::consent`: what a yes to an application grants, and whose yes it takes.

use crate::Judged;
use crate::issuance::{instance, registration};
use crate::words::{Answer, Person, id};
use domain::directory::application::{
    App, AppRole, Application, Lifetimes, Platform, RedirectUri, RequiredAccess, Scope, SharedApp,
};
use domain::directory::first_party;
use domain::id::{AppId, PartId};
use domain::issuance::consent::{Facts, Offered, Plan, Tier, plan, plan_for_organization};
use domain::issuance::scope;
use domain::tenancy::tenant::UserConsent;
use domain::verdict::{Trace, Verdict};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Contoso's application `app`, which registered `read` and `write` of `orders` and `User.Read` of Graph. `orders` also
/// offers `audit` to administrators only, and `retired` no more.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    /// `resource/scope`, as the registration names them.
    registered: Vec<String>,
    /// App roles of Graph that the registration names.
    registered_roles: Vec<String>,
    /// People sign in to it.
    has_redirect: bool,
    /// `resource/scope`, as agreed to before.
    agreed: Vec<String>,
    /// What users may agree to.
    users_may: UsersMay,
    /// Nobody knows who is behind `app`.
    is_publisher_unknown: bool,
    /// `orders` knows the client as its own, and needs these of Graph itself.
    orders_needs: Vec<String>,
    user: Person,
}

impl Default for Given {
    fn default() -> Self {
        let registered = ["orders/read", "orders/write", "graph/User.Read"];
        Self {
            registered: registered.map(str::to_owned).into(),
            registered_roles: Vec::new(),
            has_redirect: false,
            agreed: Vec::new(),
            users_may: UsersMay::Everything,
            is_publisher_unknown: false,
            orders_needs: Vec::new(),
            user: Person::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum UsersMay {
    Everything,
    LowImpact,
    Nothing,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Asked {
    scope: String,
    /// An administrator is asked, for everybody.
    for_organization: bool,
    prompt_consent: bool,
}

impl Default for Asked {
    fn default() -> Self {
        Self { scope: "openid api://orders/.default".into(), for_organization: false, prompt_consent: false }
    }
}

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Planned {
    missing: Vec<String>,
    /// What the page lists.
    listed: Vec<String>,
    /// What this user's yes writes, if it is more than a no.
    given: Vec<String>,
    needs_admin: bool,
    /// What the application gets for itself.
    roles: Vec<String>,
    needs_role_admin: bool,
}

pub(crate) fn variants() -> Vec<String> {
    Vec::new()
}

pub(crate) fn judge(given: &Given, asked: &Asked) -> Vec<Judged<Answer<Planned>>> {
    let scopes: Vec<String> = asked.scope.split_whitespace().map(str::to_owned).collect();
    let scope = scope::sort(&scopes, &scope::GraphAliases::default()).unwrap();
    let (orders, graph) = (orders(), graph());
    let is_for_graph = scope.resource.as_ref().is_none_or(|ask| ask.spelled.contains("graph"));
    let offered = |name: &str, resource: &SharedApp| Offered {
        resource: Arc::clone(resource),
        agreed: of(&given.agreed, name).map(str::to_owned).collect(),
    };
    let (orders, graph) = (offered("orders", &orders), offered("graph", &graph));
    let client = client(given, [&orders, &graph]);
    let (resource, other) = if is_for_graph { (graph, orders) } else { (orders, graph) };
    let user_consent = match given.users_may {
        UsersMay::Everything => UserConsent::Everything,
        UsersMay::LowImpact => UserConsent::LowImpact,
        UsersMay::Nothing => UserConsent::Nothing,
    };
    let tiers = match given.orders_needs.is_empty() {
        true => Vec::new(),
        false => vec![tier(given)],
    };
    let is_forced = asked.prompt_consent;
    let is_publisher_known = !given.is_publisher_unknown;
    let others = vec![other];
    let facts = Facts { client, resource, others, tiers, is_forced, user_consent, is_publisher_known };
    let planned_for = if asked.for_organization { plan_for_organization } else { plan };
    let verdict = match planned_for(&facts, &scope) {
        Ok(plan) => Verdict::Granted(plan, Trace::new()),
        Err(denial) => Verdict::Refused(denial, Trace::new()),
    };
    let verdict = Answer::of(verdict, |plan| planned(&plan, given));
    vec![Judged { asked: String::new(), verdict, shown: Vec::new() }]
}

fn planned(plan: &Plan, given: &Given) -> Planned {
    let user = given.user.user();
    let named = |is_meant: &dyn Fn(&domain::issuance::consent::Agreement) -> bool| {
        let meant = plan.agreements.iter().filter(|agreement| is_meant(agreement));
        let name = |agreement: &domain::issuance::consent::Agreement| {
            let is_graph = agreement.resource.registration.app_id == first_party::GRAPH_APP_ID;
            let is_tier = agreement.client.registration.app_id == AppId::new(id("orders"));
            let through = if is_tier { "orders: " } else { "" };
            format!("{through}{}/{}", if is_graph { "graph" } else { "orders" }, agreement.scope.value)
        };
        meant.map(name).collect()
    };
    Planned {
        missing: plan.missing.clone(),
        listed: named(&|_| true),
        given: named(&|agreement| agreement.may_be_given_by(&user)),
        needs_admin: plan.needs_admin,
        roles: plan.roles.iter().map(|agreement| agreement.role.value.clone()).collect(),
        needs_role_admin: plan.needs_role_admin,
    }
}

fn of<'a>(names: &'a [String], resource: &'a str) -> impl Iterator<Item = &'a str> {
    names.iter().filter_map(|name| name.split_once('/')).filter(move |(of, _)| *of == resource).map(|it| it.1)
}

fn client(given: &Given, resources: [&Offered; 2]) -> SharedApp {
    let mut required_access = Vec::new();
    for (name, offered) in ["orders", "graph"].into_iter().zip(resources) {
        let registration = &offered.resource.registration;
        let id_of = |value: &str| registration.scopes.iter().find(|scope| scope.value == value).unwrap().id;
        let scopes: Vec<PartId> = of(&given.registered, name).map(id_of).collect();
        let is_named = |role: &&AppRole| name == "graph" && given.registered_roles.contains(&role.value);
        let roles = registration.roles.iter().filter(is_named).map(|role| role.id).collect();
        required_access.push(RequiredAccess { resource: registration.app_id, scopes, roles });
    }
    let mut registration = Application { required_access, ..registration("app") };
    if given.has_redirect {
        let uri = "https://app.test/".to_owned();
        registration.redirect_uris = vec![RedirectUri { uri, platform: Platform::Web }];
    }
    Arc::new(App {
        registration,
        instance: Some(instance("app", true, false)),
        granted_roles: Vec::new(),
        lifetimes: Lifetimes::default(),
    })
}

fn tier(given: &Given) -> Tier {
    let (mut orders, graph) = (App::clone(&orders()), graph());
    let scopes = graph.registration.scopes.iter();
    let scopes = scopes.filter(|scope| given.orders_needs.contains(&scope.value)).map(|scope| scope.id);
    let access =
        RequiredAccess { resource: first_party::GRAPH_APP_ID, scopes: scopes.collect(), roles: Vec::new() };
    orders.registration.required_access = vec![access];
    Tier { client: Arc::new(orders), offered: vec![Offered { resource: graph, agreed: Vec::new() }] }
}

fn orders() -> SharedApp {
    let scope = |value: &str, is_admin_only, is_enabled| Scope {
        id: PartId::new(id(value)),
        value: value.to_owned(),
        title: value.to_owned(),
        description: value.to_owned(),
        is_admin_only,
        is_enabled,
    };
    let scopes = vec![
        scope("read", false, true),
        scope("write", false, true),
        scope("audit", true, true),
        scope("retired", false, false),
    ];
    let registration = Application { scopes, app_id: AppId::new(id("orders")), ..registration("orders") };
    Arc::new(App {
        registration,
        instance: Some(instance("orders", true, false)),
        granted_roles: Vec::new(),
        lifetimes: Lifetimes::default(),
    })
}

fn graph() -> SharedApp {
    Arc::new(App {
        registration: first_party::graph().clone(),
        instance: Some(instance("graph", true, false)),
        granted_roles: Vec::new(),
        lifetimes: Lifetimes::default(),
    })
}
