//! Worlds: a description of tenants, people and applications, made real. What exists already is left alone, so seeding
//! again changes nothing.

use crate::tenants::{
    First, NewPerson, NewTenant, SetupRefusal, first_party_instance, tenant_record, write_tenant,
};
use crate::{Fault, Moment, Service};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::b2b::invitation::NewInvitation;
use domain::directory::application::{
    AppRole, Application, ClientSecret, FrontChannel, Platform, RedirectUri, RequiredAccess, Scope,
    ServicePrincipal, SignInAudience, TokenVersion,
};
use domain::directory::permission::{Actor, Viewer};
use domain::directory::token_claims::TokenClaims;
use domain::directory::user::UserType;
use domain::directory::{first_party, role};
use domain::entropy::Entropy;
use domain::id::{AppId, ApplicationId, PartId, ServicePrincipalId, TenantId, UserId};
use domain::tenancy::branding::{self, Change};
use domain::tenancy::domain_name::{Address, DomainName};
use domain::tenancy::limits::Limits;
use domain::tenancy::tenant::{AllowInvitesFrom, TenantSettings};
use domain::time::{Span, Timestamp};
use domain::verdict::Verdict;
use serde::{Deserialize, Serialize};
use standards::crypto;
use standards::jose::Algorithm;
use standards::oauth::redirect;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
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
    /// The initial domain: guests' sign-in names end with it.
    pub domain: String,
    /// Verified domains besides.
    #[serde(alias = "domains", skip_serializing_if = "Vec::is_empty")]
    pub other_domains: Vec<String>,
    pub display_name: String,
    #[serde(alias = "regionScope", skip_serializing_if = "Option::is_none")]
    pub tenant_region_scope: Option<String>,
    #[serde(alias = "subScope", skip_serializing_if = "Option::is_none")]
    pub tenant_region_sub_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_invites_from: Option<String>,
    /// Whether devices may sign in with a code; the deployment's word if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_device_code: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_device_code_for_guests: Option<bool>,
    /// Whether programs may ask for passwords themselves; the deployment's word if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_password_grant: Option<bool>,
    /// Limits of this tenant alone, by their names; the deployment's if left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accent_color: Option<String>,
    /// Path of a PNG or JPEG file, seen from the description's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<PathBuf>,
    /// What that file holds: the program reads it, because nothing below opens files.
    #[serde(skip)]
    pub logo_bytes: Option<Vec<u8>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy_statement_url: Option<String>,
    pub users: Vec<WorldUser>,
    pub applications: Vec<WorldApplication>,
    /// People of other organisations, invited by the first user who may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<WorldGuest>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct WorldGuest {
    pub email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where the guest lands after accepting; My Apps if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_url: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub employee_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mobile_phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_location: Option<String>,
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
    /// Of access tokens for an API: 1 or 2.
    #[serde(alias = "tokenVersion", skip_serializing_if = "Option::is_none")]
    pub requested_access_token_version: Option<u8>,
    /// Scopes that an API offers; `access_as_user` if left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
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
const DAEMON_PERMISSIONS: [&str; 15] = [
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
    "RoleManagement.ReadWrite.Directory",
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

/// What to seed at a later start: tenants that exist stay as they were made, whatever a description says now, because
/// only what was kept knows their ids, passwords and secrets.
pub fn resume(described: World, kept: World, exists: impl Fn(&str) -> bool) -> World {
    let mut kept: Vec<WorldTenant> =
        kept.tenants.into_iter().filter(|tenant| exists(&tenant.domain)).collect();
    let mut tenants = Vec::new();
    for tenant in described.tenants {
        let known = kept.iter().position(|known| known.domain.eq_ignore_ascii_case(&tenant.domain));
        tenants.push(known.map_or(tenant, |index| kept.remove(index)));
    }
    tenants.append(&mut kept);
    World { tenants }
}

/// An application that is ready to be written, with what it may do.
struct Planned {
    app: Application,
    instance: ServicePrincipalId,
    kind: String,
    /// Application permissions on Graph.
    graph_roles: Vec<PartId>,
}

impl Service {
    /// Makes a completed world real. A tenant is made whole or not at all; one that exists is left alone.
    pub async fn seed(&self, world: &World, moment: &Moment) -> Result<(), SeedError> {
        for (index, tenant) in world.tenants.iter().enumerate() {
            let moment = Moment { entropy: moment.entropy.child("seed tenant", index), ..moment.clone() };
            self.seed_tenant(tenant, &moment).await?;
        }
        // Guests come last: their homes may be tenants of the same world.
        for (index, tenant) in world.tenants.iter().enumerate() {
            let moment = Moment { entropy: moment.entropy.child("seed guests", index), ..moment.clone() };
            self.seed_guests(tenant, &moment).await?;
        }
        Ok(())
    }

    /// Whether a description's tenant was made at an earlier start.
    pub fn is_seeded(&self, domain: &str) -> Result<bool, Fault> {
        let Some(name) = DomainName::parse(domain) else { return Ok(false) };
        Ok(self.store.read(|tx| tx.find_domain_owner(&name))?.is_some())
    }

    async fn seed_tenant(&self, tenant: &WorldTenant, moment: &Moment) -> Result<(), SeedError> {
        let place = if tenant.domain.is_empty() { &tenant.display_name } else { &tenant.domain };
        if self.is_seeded(&tenant.domain)? {
            return Ok(());
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
        written.await.map_err(Fault::from)?.map_err(refused)
    }

    async fn seed_guests(&self, tenant: &WorldTenant, moment: &Moment) -> Result<(), SeedError> {
        let place = &tenant.domain;
        let id = tenant.id.map(TenantId::new).ok_or_else(|| problem(place, "the tenant has no id yet"))?;
        for (index, guest) in tenant.guests.iter().enumerate() {
            let place = format!("{place} / {}", guest.email);
            let address = Address::parse_invitable(&guest.email)
                .ok_or_else(|| problem(&place, "is no address that can be invited"))?;
            let existing =
                self.store.tenant(id).read(|tx| tx.find_user_by_address(&address)).map_err(Fault::from)?;
            if existing.is_some() {
                continue;
            }
            let viewer = Viewer { tenant: id, actor: inviter(tenant, &place)? };
            let ask = NewInvitation {
                address,
                redirect_url: guest
                    .redirect_url
                    .clone()
                    .unwrap_or_else(|| format!("{}/myapps", self.settings.base)),
                display_name: guest.display_name.clone(),
                user_type: None,
                wants_mail: true,
                message: None,
                message_language: None,
                cc: Vec::new(),
                sponsors: Vec::new(),
            };
            let moment = Moment { entropy: moment.entropy.child("seed guest", index), ..moment.clone() };
            match self.invite(&viewer, ask, &moment).await? {
                Verdict::Granted(..) => {}
                Verdict::Refused(refusal, _) => return Err(problem(&place, refusal.as_str())),
            }
        }
        Ok(())
    }
}

fn new_tenant(tenant: &WorldTenant, place: &str) -> Result<NewTenant, SeedError> {
    let domain = |text: &str| {
        DomainName::parse(text).ok_or_else(|| problem(place, format!("`{text}` is no domain name")))
    };
    if tenant.display_name.trim().is_empty() {
        return Err(problem(place, "displayName is missing"));
    }
    let region = tenant.tenant_region_scope.clone().unwrap_or_else(|| "WW".to_owned());
    let mut settings = TenantSettings::for_region(&region);
    if let Some(level) = &tenant.allow_invites_from {
        settings.allow_invites_from = AllowInvitesFrom::parse(level)
            .ok_or_else(|| problem(place, format!("`{level}` is no value of allowInvitesFrom")))?;
    }
    let limits = tenant.limits.iter().map(|(name, most)| (name.as_str(), *most));
    settings.limits =
        Limits::parse(limits).map_err(|name| problem(place, format!("`{name}` is no limit")))?;
    settings.allows_device_code = tenant.allow_device_code;
    settings.allows_password_grant = tenant.allow_password_grant;
    settings.allows_device_code_for_guests = tenant.allow_device_code_for_guests.unwrap_or(false);
    let branding =
        [Change::AccentColor(tenant.accent_color.clone()), Change::Logo(tenant.logo_bytes.clone())];
    branding::apply(&mut settings, &branding).map_err(|refusal| problem(place, refusal.as_str()))?;
    settings.privacy_statement_url.clone_from(&tenant.privacy_statement_url);
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

/// The first described user who may invite, acting for the description.
fn inviter(tenant: &WorldTenant, place: &str) -> Result<Actor, SeedError> {
    for user in &tenant.users {
        let roles: Vec<_> =
            user.roles.iter().filter_map(|name| role::find_by_name(name)).map(|role| role.id).collect();
        if let (true, Some(id)) = (roles.iter().any(|role| role::can_invite(*role)), user.id) {
            return Ok(Actor::User {
                user: UserId::new(id),
                user_type: UserType::Member,
                is_external: false,
                directory_roles: roles,
                app_id: first_party::GRAPH_APP_ID,
                scopes: Vec::new(),
            });
        }
    }
    Err(problem(
        place,
        "guests need a user with the role Global Administrator, User Administrator or Guest Inviter",
    ))
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
    use crate::Settings;
    use crate::keys::KeyRing;
    use crate::password::Passwords;
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
        assert_eq!(app.granted_roles.len(), DAEMON_PERMISSIONS.len() + apis);
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
