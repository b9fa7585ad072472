//! A fresh world for development: tenants made as a description says, with the ids, passwords and secrets it gives. What
//! exists already is left alone, so seeding again changes nothing.

use crate::apply::tenant::{looks, settings as settings_of};
use crate::apply::{PlanError, Stop};
use crate::tenants::{
    First, NewPerson, NewTenant, SetupRefusal, first_party_instance, tenant_record, write_tenant,
};
use crate::world::problem;
pub use crate::world::{
    SeedError, World, WorldApplication, WorldGuest, WorldTenant, WorldUser, built_in, complete, resume,
};
use crate::{Fault, Moment, Service};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::directory::application::{
    AppRole, Application, ClientSecret, Details, FrontChannel, Information, Platform, RedirectUri,
    RequiredAccess, Scope, ServicePrincipal, SignInAudience, TokenVersion,
};
use domain::directory::change::{ChangeRefusal, NewValue};
use domain::directory::token_claims::TokenClaims;
use domain::directory::{first_party, role};
use domain::entropy::Entropy;
use domain::id::{AppId, ApplicationId, PartId, ServicePrincipalId, TenantId, UserId};
use domain::tenancy::branding;
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::TenantSettings;
use domain::time::{Span, Timestamp};
use standards::crypto;
use standards::jose::Algorithm;
use standards::oauth::redirect;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::{Chore, Recorded, WriteTx};

/// An application that is ready to be written, with what it may do.
struct Planned {
    app: Application,
    instance: ServicePrincipalId,
    kind: String,
    /// Application permissions on Graph.
    graph_roles: Vec<PartId>,
}

impl Service {
    /// Makes a completed world real. A tenant is made whole with its people and applications, or not at all; one that
    /// exists is left alone. What has no ids of its own to keep is then applied: groups, guests, who holds which role.
    pub async fn seed(&self, world: &World, moment: &Moment) -> Result<(), SeedError> {
        let mut fresh = Vec::new();
        for (index, tenant) in world.tenants.iter().enumerate() {
            let moment = Moment { entropy: moment.entropy.child("seed tenant", index), ..moment.clone() };
            if self.seed_tenant(tenant, &moment).await? {
                fresh.push(tenant.clone());
            }
        }
        let moment = Moment { entropy: moment.entropy.child("seed rest", 0), ..moment.clone() };
        let world = World { tenants: fresh };
        let fresh: Vec<_> = world.tenants.iter().filter_map(|tenant| tenant.id).map(TenantId::new).collect();
        let plan = self.plan_description(world, false, &moment).map_err(SeedError::Plan)?;
        let steps = AtomicUsize::new(0);
        let clock = || {
            let step = steps.fetch_add(1, Ordering::Relaxed);
            Moment { entropy: moment.entropy.child("seed step", step), ..moment.clone() }
        };
        let outcome = self.apply_plan(&plan, &clock, &mut |_, _| ControlFlow::Continue(())).await;
        // What comes with the world is nothing that `hospes apply` made, and so is never pruned.
        for tenant in fresh {
            let forgotten = self.store.tenant(tenant).write(|tx| {
                tx.forget_all_applied()?;
                Ok(Recorded::chore(Chore::Applied, ()))
            });
            forgotten.await.map_err(Fault::from)?;
        }
        let Some(stop) = outcome.stopped else { return Ok(()) };
        let Some(step) = plan.steps.get(outcome.done) else { return Ok(()) };
        let place = format!("{} / {} {}", step.tenant, step.kind, step.name);
        Err(match stop {
            Stop::Fault(fault) => SeedError::Fault(fault),
            Stop::Refused(refusal) => SeedError::Plan(PlanError::Refused { place, refusal }),
            Stop::Unheard => SeedError::Fault(Fault::Bug("seeding is always heard to its end")),
        })
    }

    /// Whether a description's tenant was made at an earlier start.
    pub fn is_seeded(&self, domain: &str) -> Result<bool, Fault> {
        let Some(name) = DomainName::parse(domain) else { return Ok(false) };
        Ok(self.store.read(|tx| tx.find_domain_owner(&name))?.is_some())
    }

    /// Whether it was made now.
    async fn seed_tenant(&self, tenant: &WorldTenant, moment: &Moment) -> Result<bool, SeedError> {
        let place = if tenant.domain.is_empty() { &tenant.display_name } else { &tenant.domain };
        if self.is_seeded(&tenant.domain)? {
            return Ok(false);
        }
        let new = new_tenant(tenant, place)?;
        let people = tenant.users.iter().map(|user| person(user, place)).collect::<Result<Vec<_>, _>>()?;
        let id = new.tenant_id(moment);
        let mut planned = Vec::new();
        for (index, app) in tenant.applications.iter().enumerate() {
            let entropy = moment.entropy.child("seed application", index);
            let app = plan(app, id, &entropy, moment.now)
                .map_err(|text| problem(&format!("{place} / {}", app.display_name), text))?;
            planned.push(app);
        }
        let refused = |refusal| problem(place, SetupRefusal::as_str(refusal));
        let prepared = self.prepare(people, &moment.entropy).await?.map_err(refused)?;
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        let written = self.store.tenant(id).write(move |tx| {
            // A registration and its instance each.
            let first = First { people: &prepared, others: 2 * planned.len(), limits: &settings.limits };
            let outcome = write_tenant(tx, id, &new, &first, &moment)?;
            if outcome.is_ok() {
                write_applications(tx, id, &planned, &moment)?;
            }
            Ok(Recorded::new(tenant_record(id, &new, outcome.err(), &moment), outcome))
        });
        written.await.map_err(Fault::from)?.map_err(refused).map(|()| true)
    }
}

pub(crate) fn new_tenant(tenant: &WorldTenant, place: &str) -> Result<NewTenant, SeedError> {
    let domain = |text: &str| {
        DomainName::parse(text).ok_or_else(|| problem(place, format!("`{text}` is no domain name")))
    };
    if tenant.display_name.trim().is_empty() {
        return Err(problem(place, "displayName is missing"));
    }
    let region = tenant.tenant_region_scope.clone().unwrap_or_else(|| "WW".to_owned());
    let mut settings = TenantSettings::for_region(&region);
    settings_of(tenant, &mut settings).map_err(|refusal| problem(place, setting_problem(&refusal)))?;
    branding::apply(&mut settings, &looks(tenant)).map_err(|refusal| problem(place, refusal.as_str()))?;
    Ok(NewTenant {
        id: tenant.id.map(TenantId::new),
        display_name: tenant.display_name.clone(),
        initial_domain: domain(&tenant.domain)?,
        other_domains: tenant.other_domains.iter().map(|name| domain(name)).collect::<Result<_, _>>()?,
        region_scope: region,
        region_sub_scope: tenant.tenant_region_sub_scope.clone(),
        settings,
    })
}

/// A setting that is refused, in words; settings are refused for their values only.
fn setting_problem(refusal: &ChangeRefusal) -> String {
    match refusal {
        ChangeRefusal::Invalid(name) => format!("the value of `{name}` is not accepted"),
        other => format!("{other:?}"),
    }
}

fn person(user: &WorldUser, place: &str) -> Result<NewPerson, SeedError> {
    let name = &user.user_principal_name;
    let roles = user
        .roles
        .iter()
        .map(|text| role::find_by_name(text).map(|role| role.id))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| problem(&format!("{place} / {name}"), "one of the roles is not a built-in role"))?;
    let mut profile = BTreeMap::new();
    for (name, value) in user.profile() {
        if let NewValue::Text(text) = value {
            profile.insert(name.to_owned(), text);
        }
    }
    Ok(NewPerson {
        id: user.id.map(UserId::new),
        sign_in_name: name.clone(),
        display_name: if user.display_name.is_empty() { name.clone() } else { user.display_name.clone() },
        password: user.password.clone().unwrap_or_default(),
        roles,
        profile,
    })
}

fn application(
    app: &WorldApplication,
    owner: TenantId,
    entropy: &Entropy,
    now: Timestamp,
) -> Result<Application, String> {
    let platform = match app.kind.as_str() {
        "spa" => Platform::Spa,
        "native" => Platform::Native,
        _ => Platform::Web,
    };
    for uri in &app.redirect_uris {
        redirect::check_registrable(uri, platform == Platform::Native)
            .map_err(|error| format!("{uri}: {error}"))?;
    }
    let algorithm = match &app.token_signing_algorithm {
        None => Algorithm::Rs256,
        Some(name) => Algorithm::parse(name).ok_or("tokenSigningAlgorithm must be RS256 or ES256")?,
    };
    let is_api = app.kind == "api";
    let scope = |value: &str| Scope {
        id: PartId::new(entropy.uuid(&format!("scope {value}"))),
        value: value.to_owned(),
        title: format!("Use {}", app.display_name),
        description: format!("Lets the application use {} as you.", app.display_name),
        is_admin_only: false,
        is_enabled: true,
    };
    let scopes = if app.scopes.is_empty() && is_api {
        vec![scope("access_as_user")]
    } else {
        app.scopes.iter().map(|value| scope(value)).collect()
    };
    let token_version = match app.requested_access_token_version {
        None if is_api => TokenVersion::V2,
        None | Some(1) => TokenVersion::V1,
        Some(2) => TokenVersion::V2,
        Some(_) => return Err("requestedAccessTokenVersion must be 1 or 2".to_owned()),
    };
    let role = AppRole {
        id: PartId::new(entropy.uuid("role")),
        value: "Tasks.Read.All".to_owned(),
        display_name: "Read all tasks".to_owned(),
        description: "Lets an application read every task.".to_owned(),
        for_applications: true,
        for_users: false,
        is_enabled: true,
    };
    let secrets = app.secret.iter().map(|secret| ClientSecret {
        id: PartId::new(entropy.uuid("secret id")),
        display_name: Some("From the world description".to_owned()),
        hint: secret.chars().take(3).collect(),
        hash: crypto::sha256(&[secret.as_bytes()]),
        starts_at: now,
        expires_at: now + Span::days(730),
    });
    Ok(Application {
        id: ApplicationId::new(entropy.uuid("application")),
        app_id: AppId::new(app.app_id.ok_or("appId is missing")?),
        owner: Some(owner),
        display_name: app.display_name.clone(),
        audience: if app.multi_tenant == Some(true) {
            SignInAudience::AnyTenant
        } else {
            SignInAudience::OwnTenant
        },
        identifier_uris: app.identifier_uris.clone(),
        redirect_uris: app
            .redirect_uris
            .iter()
            .map(|uri| RedirectUri { uri: uri.clone(), platform })
            .collect(),
        logout_url: None,
        home_page_url: app.home_page_url.clone(),
        is_fallback_public: app.kind == "native",
        front_channel: FrontChannel::default(),
        token_claims: TokenClaims::default(),
        secrets: secrets.collect(),
        certificates: Vec::new(),
        federated_credentials: Vec::new(),
        scopes,
        roles: if is_api { vec![role] } else { Vec::new() },
        required_access: vec![required_access(app)?],
        known_clients: Vec::new(),
        pre_authorized: Vec::new(),
        token_version,
        token_algorithm: algorithm,
        tags: Vec::new(),
        notes: None,
        description: None,
        info: Information::default(),
        service_reference: None,
        created_at: now,
        deleted_at: None,
    })
}

/// What the registration says it needs of Graph.
pub(crate) fn required_access(app: &WorldApplication) -> Result<RequiredAccess, String> {
    let graph = first_party::graph();
    let mut access =
        RequiredAccess { resource: first_party::GRAPH_APP_ID, scopes: Vec::new(), roles: Vec::new() };
    for permission in &app.permissions {
        let unknown = || format!("`{permission}` is no permission of Graph that this server knows");
        if app.kind == "daemon" {
            let role = graph.roles.iter().find(|role| &role.value == permission).ok_or_else(unknown)?;
            access.roles.push(role.id);
        } else {
            let scope = graph.scopes.iter().find(|scope| &scope.value == permission).ok_or_else(unknown)?;
            access.scopes.push(scope.id);
        }
    }
    Ok(access)
}

fn plan(
    app: &WorldApplication,
    owner: TenantId,
    entropy: &Entropy,
    now: Timestamp,
) -> Result<Planned, String> {
    let registration = application(app, owner, entropy, now)?;
    let graph_roles = registration.required_access.iter().flat_map(|access| access.roles.clone()).collect();
    Ok(Planned {
        app: registration,
        instance: ServicePrincipalId::new(entropy.uuid("instance")),
        kind: app.kind.clone(),
        graph_roles,
    })
}

/// Writes the applications of a tenant made in the same write. Each daemon gets its permissions on Graph, and those of
/// the tenant's own APIs.
fn write_applications(
    tx: &WriteTx<'_>,
    tenant: TenantId,
    planned: &[Planned],
    moment: &Moment,
) -> Result<(), store::Fault> {
    let now = moment.now;
    for Planned { app, instance, .. } in planned {
        if !tx.add_application(app)? {
            let text = format!("the application id or an address of `{}` is taken", app.display_name);
            return Err(store::Fault::Refused(text));
        }
        tx.add_service_principal(&ServicePrincipal {
            id: *instance,
            app_id: app.app_id,
            is_enabled: true,
            is_assignment_required: false,
            details: Details::default(),
            secrets: Vec::new(),
            created_at: now,
            deleted_at: None,
        })?;
        tx.note(Record::Directory(DirectoryRecord {
            activity: "Add application",
            category: "ApplicationManagement",
            actor: RecordActor::Operator,
            target: Some(app.id.uuid()),
            target_name: Some(app.display_name.clone()),
            refusal: None,
            reasons: String::new(),
            modified: Vec::new(),
            origin: moment.origin.clone(),
        }));
    }
    let graph = first_party_instance(first_party::GRAPH_APP_ID, tenant, moment);
    for daemon in planned.iter().filter(|app| app.kind == "daemon") {
        let of_graph = daemon.graph_roles.iter().map(|role| (graph, *role));
        let of_apis = planned.iter().filter(|app| app.kind == "api");
        let of_apis = of_apis.flat_map(|api| api.app.roles.iter().map(|role| (api.instance, role.id)));
        for (resource, role) in of_graph.chain(of_apis) {
            let id = moment.entropy.uuid(&format!("assignment {} {resource} {role}", daemon.instance));
            tx.assign_app_role(id, daemon.instance.uuid(), resource, role, now)?;
        }
    }
    Ok(())
}
#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyRing;
    use crate::password::Passwords;
    use crate::{Settings, world};
    use domain::audit::Origin;
    use outbound::mail::Mailer;
    use store::{Options, Place, RootKey, Store};

    const BASE: &str = "https://localhost:8443";

    fn moment(seed: u8) -> Moment {
        let (now, entropy) = (Timestamp::from_millis(1_795_435_200_000), Entropy::new([seed; 32]));
        let origin =
            Origin { at: now, correlation: entropy.uuid("correlation"), address: None, user_agent: None };
        Moment { now, entropy, origin }
    }

    async fn service() -> Service {
        let root_key = RootKey::new([7; 32]);
        let store =
            Store::open(Options { place: Place::Memory, root_key, readers: 1, reruns: true }).unwrap();
        let keys = KeyRing::open(&store, &moment(0)).await.unwrap();
        let mailer = Mailer::in_memory("invites@localhost");
        Service::new(store, keys, Settings::new(BASE), Passwords::new(2).unwrap(), mailer)
    }

    /// Everybody in the directory, and what anybody may do on Graph.
    fn contents(service: &Service, world: &World) -> Vec<String> {
        let mut found = Vec::new();
        for tenant in &world.tenants {
            let id = TenantId::new(tenant.id.unwrap());
            let read = service.store.tenant(id).read(|tx| {
                for user in &tenant.users {
                    found.push(format!("{:?}", tx.find_user_by_name(&user.user_principal_name)?));
                }
                for app in &tenant.applications {
                    found.push(format!("{:?}", tx.find_app(AppId::new(app.app_id.unwrap()))?));
                }
                Ok(())
            });
            read.unwrap();
        }
        found
    }

    #[tokio::test]
    async fn seeding_again_changes_nothing() {
        let service = service().await;
        let mut described = built_in();
        let guest = WorldGuest { email: "bob@fabrikam.test".to_owned(), ..WorldGuest::default() };
        described.tenants[0].guests.push(guest);
        let world = complete(described, BASE, &moment(1).entropy).unwrap();
        service.seed(&world, &moment(2)).await.unwrap();
        let first = contents(&service, &world);
        assert!(first.iter().all(|found| found != "None"));
        service.seed(&world, &moment(3)).await.unwrap();
        assert_eq!(contents(&service, &world), first);
        assert_eq!(service.recent_mail(10).unwrap().len(), 1, "one invitation for the guest");
        let contoso = service.store.tenant(TenantId::new(world.tenants[0].id.unwrap()));
        assert!(contoso.read(|tx| tx.list_applied()).unwrap().is_empty(), "what was seeded is not pruned");
    }

    #[tokio::test]
    async fn daemons_hold_their_permissions_and_those_of_the_own_apis() {
        let service = service().await;
        let world = complete(built_in(), BASE, &moment(1).entropy).unwrap();
        service.seed(&world, &moment(2)).await.unwrap();
        let contoso = &world.tenants[0];
        let daemon = contoso.applications.iter().find(|app| app.kind == "daemon").unwrap();
        let apis = contoso.applications.iter().filter(|app| app.kind == "api").count();
        let store = service.store.tenant(TenantId::new(contoso.id.unwrap()));
        let app = store.read(|tx| tx.find_app(AppId::new(daemon.app_id.unwrap()))).unwrap().unwrap();
        assert_eq!(app.granted_roles.len(), world::DAEMON_PERMISSIONS.len() + apis);
    }

    #[tokio::test]
    async fn a_wrong_description_leaves_nothing_behind() {
        type Break = fn(&mut WorldTenant);
        let broken: [(Break, &str); 6] = [
            (|tenant| tenant.users[1].user_principal_name = "carol@elsewhere.test".to_owned(), "domains"),
            (|tenant| tenant.users[1].user_principal_name = "Alice@contoso.test".to_owned(), "taken"),
            (|tenant| tenant.users[1].password = Some("short".to_owned()), "8 characters"),
            (|tenant| tenant.users[1].roles = vec!["King".to_owned()], "role"),
            (|tenant| tenant.applications[1].app_id = tenant.applications[0].app_id, "taken"),
            (|tenant| tenant.applications[0].permissions = vec!["World.Rule".to_owned()], "World.Rule"),
        ];
        let service = service().await;
        for (break_it, hint) in broken {
            let mut world = complete(built_in(), BASE, &moment(1).entropy).unwrap();
            break_it(&mut world.tenants[0]);
            let error = service.seed(&world, &moment(2)).await.unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
            assert!(!service.has_tenants().unwrap(), "{hint}");
        }
        // The same ids can still be used.
        let world = complete(built_in(), BASE, &moment(1).entropy).unwrap();
        service.seed(&world, &moment(2)).await.unwrap();
    }

    #[test]
    fn what_exists_keeps_its_secrets_and_what_is_new_is_added() {
        let kept = complete(built_in(), BASE, &moment(1).entropy).unwrap();
        let mut described = built_in();
        described.tenants.remove(0);
        let tailspin = WorldTenant { domain: "tailspin.test".to_owned(), ..WorldTenant::default() };
        described.tenants.push(tailspin);
        let resumed = resume(described, kept.clone(), |domain| domain != "tailspin.test");
        let domains: Vec<&str> = resumed.tenants.iter().map(|tenant| tenant.domain.as_str()).collect();
        assert_eq!(domains, ["fabrikam.test", "tailspin.test", "contoso.test"]);
        assert_eq!(resumed.tenants[0].users[0].password, kept.tenants[1].users[0].password);
    }
}
