//! Worlds: a description of tenants, people and applications, made real. What exists already is left alone, so seeding
//! again changes nothing.

use crate::tenants::{NewPerson, NewTenant, SetupRefusal};
use crate::{Fault, Moment, Service};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::directory::application::{
    AppRole, Application, ClientSecret, Platform, RedirectUri, RequiredAccess, Scope, ServicePrincipal,
    SignInAudience, TokenVersion,
};
use domain::directory::{first_party, role};
use domain::entropy::Entropy;
use domain::id::{AppId, ApplicationId, PartId, ServicePrincipalId, TenantId, UserId};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::{AllowInvitesFrom, TenantSettings};
use domain::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use standards::crypto;
use standards::jose::Algorithm;
use standards::oauth::redirect;
use std::collections::BTreeMap;
use store::{Recorded, WriteTx};
use uuid::Uuid;

/// A world as a file describes it (design: the world document). Ids, passwords and secrets may be given; left out, they
/// are made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct World {
    pub tenants: Vec<WorldTenant>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldTenant {
    pub id: Option<Uuid>,
    pub domain: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_domains: Vec<String>,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_region_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_region_sub_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_invites_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent_color: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_statement_url: Option<String>,
    pub users: Vec<WorldUser>,
    pub applications: Vec<WorldApplication>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldUser {
    pub id: Option<Uuid>,
    pub user_principal_name: String,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    pub password: Option<String>,
    pub roles: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldApplication {
    pub app_id: Option<Uuid>,
    pub display_name: String,
    /// `web`, `spa`, `native`, `api` or `daemon`.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    pub redirect_uris: Vec<String>,
    /// Graph permissions: of an application for daemons, of people for the others.
    pub permissions: Vec<String>,
    pub multi_tenant: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifier_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_signing_algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_page_url: Option<String>,
}

/// What is wrong with a description, and where.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("{place}: {problem}")]
    Description { place: String, problem: String },
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn problem(place: &str, problem: impl Into<String>) -> SeedError {
    SeedError::Description { place: place.to_owned(), problem: problem.into() }
}

/// Application permissions of the built-in daemons (design §7), as far as Graph here knows them.
const DAEMON_PERMISSIONS: [&str; 14] = [
    "User.ReadWrite.All",
    "User.Invite.All",
    "User.DeleteRestore.All",
    "Group.ReadWrite.All",
    "Directory.ReadWrite.All",
    "Application.ReadWrite.All",
    "AppRoleAssignment.ReadWrite.All",
    "Organization.Read.All",
    "Organization.ReadWrite.All",
    "Domain.Read.All",
    "Policy.Read.All",
    "Policy.ReadWrite.CrossTenantAccess",
    "Policy.ReadWrite.ConditionalAccess",
    "AuditLog.Read.All",
];

/// The world that comes with the product: Contoso and Fabrikam.
pub fn built_in() -> World {
    let user = |name: &str, display: &str, title: &str, roles: &[&str]| WorldUser {
        user_principal_name: name.to_owned(),
        display_name: display.to_owned(),
        given_name: display.split(' ').next().map(str::to_owned),
        surname: display.split(' ').nth(1).map(str::to_owned),
        job_title: Some(title.to_owned()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..WorldUser::default()
    };
    let apps = |organization: &str, is_spa_shared: bool| {
        let app = |kind: &str, name: &str| WorldApplication {
            display_name: format!("{organization} {name}"),
            kind: kind.to_owned(),
            ..WorldApplication::default()
        };
        vec![
            app("web", "Web"),
            WorldApplication { multi_tenant: is_spa_shared, ..app("spa", "Single Page") },
            app("native", "Desktop"),
            app("api", "Tasks API"),
            WorldApplication { token_signing_algorithm: Some("ES256".to_owned()), ..app("api", "Fast API") },
            app("daemon", "Daemon"),
        ]
    };
    World {
        tenants: vec![
            WorldTenant {
                domain: "contoso.test".to_owned(),
                display_name: "Contoso".to_owned(),
                tenant_region_scope: Some("EU".to_owned()),
                accent_color: Some("#0f5c8a".to_owned()),
                users: vec![
                    user("alice@contoso.test", "Alice Adams", "Administrator", &["Global Administrator"]),
                    user("carol@contoso.test", "Carol Clark", "Engineer", &[]),
                    user("dave@contoso.test", "Dave Diaz", "Designer", &[]),
                ],
                applications: apps("Contoso", true),
                ..WorldTenant::default()
            },
            WorldTenant {
                domain: "fabrikam.test".to_owned(),
                display_name: "Fabrikam".to_owned(),
                tenant_region_scope: Some("NA".to_owned()),
                accent_color: Some("#7a2e8e".to_owned()),
                users: vec![
                    user("frank@fabrikam.test", "Frank Foster", "Administrator", &["Global Administrator"]),
                    user("bob@fabrikam.test", "Bob Brown", "Consultant", &[]),
                    user("eve@fabrikam.test", "Eve Evans", "Analyst", &[]),
                ],
                applications: apps("Fabrikam", false),
                ..WorldTenant::default()
            },
        ],
    }
}

/// Fills in what a description leaves out: ids, passwords, secrets, the addresses of each kind of application.
pub fn complete(mut world: World, base: &str, entropy: &Entropy) -> Result<World, SeedError> {
    for (index, tenant) in world.tenants.iter_mut().enumerate() {
        let entropy = entropy.child("world tenant", index);
        tenant.id.get_or_insert_with(|| entropy.uuid("tenant"));
        for (index, user) in tenant.users.iter_mut().enumerate() {
            let entropy = entropy.child("world user", index);
            user.id.get_or_insert_with(|| entropy.uuid("user"));
            // Readable, different every time, and of three kinds of characters.
            user.password.get_or_insert_with(|| {
                let text: String =
                    entropy.secret("password").chars().filter(char::is_ascii_alphanumeric).take(14).collect();
                format!("Hs-{text}")
            });
        }
        for (index, app) in tenant.applications.iter_mut().enumerate() {
            complete_application(app, base, &entropy.child("world application", index))
                .map_err(|text| problem(&format!("{} / {}", tenant.domain, app.display_name), text))?;
        }
    }
    Ok(world)
}

fn complete_application(
    app: &mut WorldApplication,
    base: &str,
    entropy: &Entropy,
) -> Result<(), &'static str> {
    let app_id = *app.app_id.get_or_insert_with(|| entropy.uuid("app id"));
    let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (redirects, permissions) = match app.kind.as_str() {
        "web" => (own(&["http://localhost:5000/callback"]), own(&["User.Read"])),
        "spa" => {
            (own(&["http://localhost:5001/", "http://localhost:5001/redirect.html"]), own(&["User.Read"]))
        }
        "native" => (
            vec!["http://localhost".to_owned(), format!("{base}/common/oauth2/nativeclient")],
            own(&["User.Read"]),
        ),
        "api" => {
            if app.identifier_uris.is_empty() {
                app.identifier_uris.push(format!("api://{app_id}"));
            }
            (Vec::new(), Vec::new())
        }
        "daemon" => (Vec::new(), own(&DAEMON_PERMISSIONS)),
        _ => return Err("kind must be web, spa, native, api or daemon"),
    };
    if app.redirect_uris.is_empty() {
        app.redirect_uris = redirects;
    }
    if app.permissions.is_empty() {
        app.permissions = permissions;
    }
    if app.kind == "web" && app.home_page_url.is_none() {
        app.home_page_url = app.redirect_uris.first().and_then(|uri| {
            let url = url::Url::parse(uri).ok()?;
            url.join("/").ok().map(String::from)
        });
    }
    if matches!(app.kind.as_str(), "web" | "daemon") {
        app.secret.get_or_insert_with(|| {
            let text: String = entropy.secret("secret").chars().take(40).collect();
            text
        });
    }
    Ok(())
}

impl Service {
    /// Makes a completed world real.
    pub async fn seed(&self, world: &World, moment: &Moment) -> Result<(), SeedError> {
        for (index, tenant) in world.tenants.iter().enumerate() {
            let moment = Moment { entropy: moment.entropy.child("seed tenant", index), ..moment.clone() };
            self.seed_tenant(tenant, &moment).await?;
        }
        Ok(())
    }

    async fn seed_tenant(&self, tenant: &WorldTenant, moment: &Moment) -> Result<(), SeedError> {
        let place = if tenant.domain.is_empty() { &tenant.display_name } else { &tenant.domain };
        let domain = |text: &str| {
            DomainName::parse(text).ok_or_else(|| problem(place, format!("`{text}` is no domain name")))
        };
        let initial = domain(&tenant.domain)?;
        if self.store.read(|tx| tx.find_domain_owner(&initial)).map_err(Fault::from)?.is_some() {
            return Ok(());
        }
        let region = tenant.tenant_region_scope.clone().unwrap_or_else(|| "WW".to_owned());
        let mut settings = TenantSettings::for_region(&region);
        if let Some(level) = &tenant.allow_invites_from {
            settings.allow_invites_from = AllowInvitesFrom::parse(level)
                .ok_or_else(|| problem(place, format!("`{level}` is no value of allowInvitesFrom")))?;
        }
        settings.accent_color.clone_from(&tenant.accent_color);
        settings.privacy_statement_url.clone_from(&tenant.privacy_statement_url);
        let people = tenant.users.iter().map(|user| person(user, place)).collect::<Result<Vec<_>, _>>()?;
        let new = NewTenant {
            id: tenant.id.map(TenantId::new),
            display_name: tenant.display_name.clone(),
            initial_domain: initial,
            other_domains: tenant.other_domains.iter().map(|name| domain(name)).collect::<Result<_, _>>()?,
            region_scope: region,
            region_sub_scope: tenant.tenant_region_sub_scope.clone(),
            settings,
        };
        let id = match self.create_tenant(new, people, moment).await? {
            Ok(id) => id,
            Err(refusal) => return Err(problem(place, SetupRefusal::as_str(refusal))),
        };
        for (index, app) in tenant.applications.iter().enumerate() {
            let entropy = moment.entropy.child("seed application", index);
            let planned = application(app, id, &entropy, moment.now)
                .map_err(|text| problem(&format!("{place} / {}", app.display_name), text))?;
            let permissions = app.permissions.clone();
            let is_daemon = app.kind == "daemon";
            let moment = Moment { entropy, ..moment.clone() };
            let is_written = self
                .store
                .tenant(id)
                .write(move |tx| write_application(tx, &planned, &permissions, is_daemon, &moment))
                .await
                .map_err(Fault::from)?;
            if !is_written {
                return Err(problem(
                    place,
                    format!("the ids or addresses of `{}` are taken", app.display_name),
                ));
            }
        }
        self.grant_tasks(id, tenant, moment).await?;
        Ok(())
    }

    /// Each daemon may call its tenant's own APIs.
    async fn grant_tasks(&self, id: TenantId, tenant: &WorldTenant, moment: &Moment) -> Result<(), Fault> {
        let of_kind = |kind: &str| {
            let found = tenant.applications.iter().filter(|app| app.kind == kind);
            found.filter_map(|app| app.app_id).map(AppId::new).collect::<Vec<_>>()
        };
        let (daemons, apis) = (of_kind("daemon"), of_kind("api"));
        let moment = moment.clone();
        self.store
            .tenant(id)
            .write(move |tx| {
                for daemon in &daemons {
                    for api in &apis {
                        let (Some(daemon), Some(api)) = (tx.find_app(*daemon)?, tx.find_app(*api)?) else {
                            continue;
                        };
                        let pair = daemon.instance.as_ref().zip(api.instance.as_ref());
                        let role = api.registration.roles.first();
                        if let (Some((daemon, api)), Some(role)) = (pair, role) {
                            let id = moment.entropy.uuid(&format!("tasks {} {}", daemon.id, api.id));
                            tx.assign_app_role(id, daemon.id.uuid(), api.id, role.id, moment.now)?;
                        }
                    }
                }
                Ok(Recorded::new(
                    record("Add app role assignment to service principal", Uuid::nil(), "", &moment),
                    (),
                ))
            })
            .await?;
        Ok(())
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
    let fields = [("givenName", &user.given_name), ("surname", &user.surname), ("jobTitle", &user.job_title)];
    for (name, value) in fields {
        if let Some(value) = value {
            profile.insert(name.to_owned(), value.clone());
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
    let scope = Scope {
        id: PartId::new(entropy.uuid("scope")),
        value: "access_as_user".to_owned(),
        title: format!("Use {}", app.display_name),
        description: format!("Lets the application use {} as you.", app.display_name),
        is_admin_only: false,
        is_enabled: true,
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
        audience: if app.multi_tenant { SignInAudience::AnyTenant } else { SignInAudience::OwnTenant },
        identifier_uris: app.identifier_uris.clone(),
        redirect_uris: app
            .redirect_uris
            .iter()
            .map(|uri| RedirectUri { uri: uri.clone(), platform })
            .collect(),
        logout_url: None,
        home_page_url: app.home_page_url.clone(),
        is_fallback_public: app.kind == "native",
        secrets: secrets.collect(),
        scopes: if is_api { vec![scope] } else { Vec::new() },
        roles: if is_api { vec![role] } else { Vec::new() },
        required_access: vec![required_access(app)?],
        token_version: if is_api { TokenVersion::V2 } else { TokenVersion::V1 },
        token_algorithm: algorithm,
        tags: Vec::new(),
        notes: None,
        description: None,
        created_at: now,
        deleted_at: None,
    })
}

/// What the registration says it needs of Graph.
fn required_access(app: &WorldApplication) -> Result<RequiredAccess, String> {
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

fn record(activity: &'static str, target: Uuid, name: &str, moment: &Moment) -> Record {
    Record::Directory(DirectoryRecord {
        activity,
        category: "ApplicationManagement",
        actor: RecordActor::Operator,
        target: Some(target),
        target_name: Some(name.to_owned()),
        refusal: None,
        reasons: String::new(),
        origin: moment.origin.clone(),
    })
}

fn write_application(
    tx: &WriteTx<'_>,
    app: &Application,
    permissions: &[String],
    is_daemon: bool,
    moment: &Moment,
) -> Result<Recorded<bool>, store::Fault> {
    let is_written = tx.add_application(app)?;
    if is_written {
        let instance = ServicePrincipal {
            id: ServicePrincipalId::new(moment.entropy.uuid("instance")),
            app_id: app.app_id,
            is_enabled: true,
            is_assignment_required: false,
            created_at: moment.now,
            deleted_at: None,
        };
        tx.add_service_principal(&instance)?;
        if is_daemon {
            let graph = tx.find_app(first_party::GRAPH_APP_ID)?;
            let graph = graph.ok_or(store::Fault::Bug("Graph is missing"))?;
            let resource =
                graph.instance.as_ref().ok_or(store::Fault::Bug("Graph has no instance in a tenant"))?.id;
            for role in graph.registration.roles.iter().filter(|role| permissions.contains(&role.value)) {
                let id = moment.entropy.uuid(&format!("assignment {}", role.value));
                tx.assign_app_role(id, instance.id.uuid(), resource, role.id, moment.now)?;
            }
        }
    }
    Ok(Recorded::new(record("Add application", app.id.uuid(), &app.display_name, moment), is_written))
}
