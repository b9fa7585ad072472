//! Registrations and their instances in tenants.

use crate::changes::Operation;
use crate::fault::Fault;
use crate::listing::{Among, Column, Fold, Page, Table};
use crate::quota::Fate;
use crate::sql::{Link, Row, Value, to_json};
use crate::terms::{self, Object, Terms};
use crate::{ReadTx, WriteTx};
use domain::directory::application::{
    App, AppRole, Application, ClientCertificate, ClientSecret, Details, FrontChannel, GrantedRole,
    Information, Platform, PreAuthorized, RedirectUri, RequiredAccess, Scope, ServicePrincipal, SharedApp,
    SignInAudience, TokenVersion,
};
use domain::directory::federated_credential::FederatedCredential;
use domain::directory::first_party;
use domain::directory::property::Property;
use domain::directory::query::{Plan, Position, Predicate};
use domain::directory::token_claims::{Additional, ClaimName, GroupClaims, OptionalClaim, TokenClaims};
use domain::id::{AppId, ApplicationId, PartId, ServicePrincipalId, TenantId};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use standards::b64;
use standards::jose::{Algorithm, KeyKind};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The parts of a registration that nothing searches by.
#[derive(Serialize, Deserialize)]
struct Body {
    redirect_uris: Vec<(String, String)>,
    logout_url: Option<String>,
    home_page_url: Option<String>,
    is_fallback_public: bool,
    #[serde(default)]
    has_front_channel_access_tokens: bool,
    #[serde(default)]
    has_front_channel_id_tokens: bool,
    scopes: Vec<ScopeBody>,
    roles: Vec<RoleBody>,
    required_access: Vec<(String, Vec<String>, Vec<String>)>,
    #[serde(default)]
    known_clients: Vec<String>,
    #[serde(default)]
    pre_authorized: Vec<(String, Vec<String>)>,
    token_version: u8,
    token_algorithm: String,
    tags: Vec<String>,
    notes: Option<String>,
    description: Option<String>,
    #[serde(default)]
    certificates: Vec<CertificateBody>,
    #[serde(default)]
    info: InformationBody,
    #[serde(default)]
    service_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    federated_credentials: Vec<FederatedCredentialBody>,
    #[serde(default, skip_serializing_if = "TokenClaimsBody::is_empty")]
    token_claims: TokenClaimsBody,
}

#[derive(Default, Serialize, Deserialize)]
struct InformationBody {
    marketing_url: Option<String>,
    privacy_url: Option<String>,
    support_url: Option<String>,
    terms_url: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct FederatedCredentialBody {
    id: String,
    name: String,
    issuer: String,
    subject: String,
    audiences: Vec<String>,
    description: Option<String>,
}

/// Graph's words: group claims, and the wishes for ID and access tokens.
#[derive(Default, Serialize, Deserialize)]
struct TokenClaimsBody {
    groups: Option<String>,
    id_token: Vec<OptionalClaimBody>,
    access_token: Vec<OptionalClaimBody>,
}

impl TokenClaimsBody {
    fn is_empty(&self) -> bool {
        self.groups.is_none() && self.id_token.is_empty() && self.access_token.is_empty()
    }
}

#[derive(Serialize, Deserialize)]
struct OptionalClaimBody {
    name: String,
    is_essential: bool,
    additional: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct CertificateBody {
    id: String,
    display_name: Option<String>,
    key_kind: String,
    public_key: String,
    thumbprint_sha1: String,
    thumbprint_sha256: String,
    starts_at: i64,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct ScopeBody {
    id: String,
    value: String,
    title: String,
    description: String,
    is_admin_only: bool,
    is_enabled: bool,
}

#[derive(Serialize, Deserialize)]
struct RoleBody {
    id: String,
    value: String,
    display_name: String,
    description: String,
    for_applications: bool,
    for_users: bool,
    is_enabled: bool,
}

/// What a tenant writes about an instance.
#[derive(Serialize, Deserialize)]
struct DetailsBody {
    alternative_names: Vec<String>,
    description: Option<String>,
    login_url: Option<String>,
    notes: Option<String>,
}

/// A service principal with the registration that it shows.
#[derive(Clone, Debug)]
pub struct ServicePrincipalRow {
    pub instance: ServicePrincipal,
    pub registration: Application,
}

/// Where an instance is.
struct Placed {
    tenant: TenantId,
    id: Uuid,
    deleted_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "o.tenant, o.id, o.app_id, o.display_name, o.audience, o.body, o.created_at, o.deleted_at";
const INSTANCE_COLUMNS: &str =
    "o.id, o.app_id, o.is_enabled, o.is_assignment_required, o.created_at, o.deleted_at, o.details";

pub(crate) static APPLICATIONS: Table<Application> = Table {
    from: "applications o",
    columns: COLUMNS,
    width: 8,
    read: read_application,
    kind: terms::Kind::Application,
    column,
};
pub(crate) static INSTANCES: Table<ServicePrincipal> = Table {
    from: "service_principals o",
    columns: INSTANCE_COLUMNS,
    width: 7,
    read: read_instance,
    kind: terms::Kind::ServicePrincipal,
    column,
};

/// Where a property of a registration or an instance is compared.
pub(crate) fn column(property: &Property) -> Option<Column> {
    Some(match property.name {
        "accountEnabled" => Column::plain("o.is_enabled", Fold::None),
        "appId" => Column::plain("o.app_id", Fold::None),
        "createdDateTime" => Column::indexed("o.created_at", Fold::None),
        "deletedDateTime" => Column::plain("o.deleted_at", Fold::None),
        "displayName" => Column::indexed("o.display_name_folded", Fold::Full),
        "id" => Column::plain("o.id", Fold::None),
        // The only type there is.
        "servicePrincipalType" => Column::plain("'application'", Fold::Full),
        "signInAudience" => Column::plain("lower(o.audience)", Fold::Full),
        _ => return None,
    })
}

fn platform_text(platform: Platform) -> &'static str {
    match platform {
        Platform::Native => "native",
        Platform::Spa => "spa",
        Platform::Web => "web",
    }
}

pub(crate) fn platform(text: &str) -> Result<Platform, Fault> {
    match text {
        "native" => Ok(Platform::Native),
        "spa" => Ok(Platform::Spa),
        "web" => Ok(Platform::Web),
        _ => Err(Fault::Bug("a stored platform is unknown")),
    }
}

pub(crate) fn platform_name(platform: Platform) -> &'static str {
    platform_text(platform)
}

fn part(text: &str) -> Result<PartId, Fault> {
    text.parse().map_err(|_| Fault::Bug("a stored part id is no id"))
}

fn read_application(row: &Row<'_>) -> Result<Application, Fault> {
    let body: Body = row.json(5)?;
    let scope = |scope: ScopeBody| {
        Ok(Scope {
            id: part(&scope.id)?,
            value: scope.value,
            title: scope.title,
            description: scope.description,
            is_admin_only: scope.is_admin_only,
            is_enabled: scope.is_enabled,
        })
    };
    let role = |role: RoleBody| {
        Ok(AppRole {
            id: part(&role.id)?,
            value: role.value,
            display_name: role.display_name,
            description: role.description,
            for_applications: role.for_applications,
            for_users: role.for_users,
            is_enabled: role.is_enabled,
        })
    };
    let app_id = |id: &str| id.parse::<AppId>().map_err(|_| Fault::Bug("a stored app id is no id"));
    let access = |(resource, scopes, roles): (String, Vec<String>, Vec<String>)| {
        Ok(RequiredAccess {
            resource: app_id(&resource)?,
            scopes: scopes.iter().map(|id| part(id)).collect::<Result<_, Fault>>()?,
            roles: roles.iter().map(|id| part(id)).collect::<Result<_, Fault>>()?,
        })
    };
    let trust = |(client, scopes): (String, Vec<String>)| {
        let scopes = scopes.iter().map(|id| part(id)).collect::<Result<_, Fault>>()?;
        Ok(PreAuthorized { client: app_id(&client)?, scopes })
    };
    let redirect = |(uri, kind): (String, String)| Ok(RedirectUri { uri, platform: platform(&kind)? });
    Ok(Application {
        id: ApplicationId::new(row.uuid(1)?),
        app_id: AppId::new(row.uuid(2)?),
        owner: Some(TenantId::new(row.uuid(0)?)),
        display_name: row.text(3)?,
        audience: SignInAudience::parse(&row.text(4)?).ok_or(Fault::Bug("a stored audience is unknown"))?,
        identifier_uris: Vec::new(),
        redirect_uris: body.redirect_uris.into_iter().map(redirect).collect::<Result<_, Fault>>()?,
        logout_url: body.logout_url,
        home_page_url: body.home_page_url,
        is_fallback_public: body.is_fallback_public,
        front_channel: FrontChannel {
            has_access_tokens: body.has_front_channel_access_tokens,
            has_id_tokens: body.has_front_channel_id_tokens,
        },
        token_claims: read_token_claims(&body.token_claims)?,
        secrets: Vec::new(),
        certificates: body.certificates.iter().map(read_certificate).collect::<Result<_, Fault>>()?,
        federated_credentials: body
            .federated_credentials
            .into_iter()
            .map(read_federated_credential)
            .collect::<Result<_, Fault>>()?,
        scopes: body.scopes.into_iter().map(scope).collect::<Result<_, Fault>>()?,
        roles: body.roles.into_iter().map(role).collect::<Result<_, Fault>>()?,
        required_access: body.required_access.into_iter().map(access).collect::<Result<_, Fault>>()?,
        known_clients: body.known_clients.iter().map(|id| app_id(id)).collect::<Result<_, Fault>>()?,
        pre_authorized: body.pre_authorized.into_iter().map(trust).collect::<Result<_, Fault>>()?,
        token_version: if body.token_version == 2 { TokenVersion::V2 } else { TokenVersion::V1 },
        token_algorithm: Algorithm::parse(&body.token_algorithm)
            .ok_or(Fault::Bug("a stored algorithm is unknown"))?,
        tags: body.tags,
        notes: body.notes,
        description: body.description,
        info: Information {
            marketing_url: body.info.marketing_url,
            privacy_url: body.info.privacy_url,
            support_url: body.info.support_url,
            terms_url: body.info.terms_url,
        },
        service_reference: body.service_reference,
        created_at: row.time(6)?,
        deleted_at: row.opt_time(7)?,
    })
}

fn read_federated_credential(body: FederatedCredentialBody) -> Result<FederatedCredential, Fault> {
    Ok(FederatedCredential {
        id: part(&body.id)?,
        name: body.name,
        issuer: body.issuer,
        subject: body.subject,
        audiences: body.audiences,
        description: body.description,
    })
}

fn federated_credential_body(credential: &FederatedCredential) -> FederatedCredentialBody {
    FederatedCredentialBody {
        id: credential.id.to_string(),
        name: credential.name.clone(),
        issuer: credential.issuer.clone(),
        subject: credential.subject.clone(),
        audiences: credential.audiences.clone(),
        description: credential.description.clone(),
    }
}

fn read_token_claims(body: &TokenClaimsBody) -> Result<TokenClaims, Fault> {
    const BROKEN: Fault = Fault::Bug("a stored wish for claims is unknown");
    let wish = |body: &OptionalClaimBody| {
        let additional = body.additional.iter().map(|text| Additional::parse(text).ok_or(BROKEN));
        Ok(OptionalClaim {
            name: ClaimName::parse(&body.name).ok_or(BROKEN)?,
            is_essential: body.is_essential,
            additional: additional.collect::<Result<_, Fault>>()?,
        })
    };
    Ok(TokenClaims {
        groups: match &body.groups {
            None => GroupClaims::default(),
            Some(text) => GroupClaims::parse(text).ok_or(BROKEN)?,
        },
        id_token: body.id_token.iter().map(wish).collect::<Result<_, Fault>>()?,
        access_token: body.access_token.iter().map(wish).collect::<Result<_, Fault>>()?,
    })
}

fn token_claims_body(claims: &TokenClaims) -> TokenClaimsBody {
    let wish = |wish: &OptionalClaim| OptionalClaimBody {
        name: wish.name.as_str().to_owned(),
        is_essential: wish.is_essential,
        additional: wish.additional.iter().map(|one| one.as_str().to_owned()).collect(),
    };
    TokenClaimsBody {
        groups: claims.groups.text(),
        id_token: claims.id_token.iter().map(wish).collect(),
        access_token: claims.access_token.iter().map(wish).collect(),
    }
}

fn read_certificate(body: &CertificateBody) -> Result<ClientCertificate, Fault> {
    const BROKEN: Fault = Fault::Bug("a stored certificate does not parse");
    let bytes = |text: &str| b64::decode(text).ok_or(BROKEN);
    Ok(ClientCertificate {
        id: part(&body.id)?,
        display_name: body.display_name.clone(),
        key_kind: match body.key_kind.as_str() {
            "EC" => KeyKind::EcP256,
            "RSA" => KeyKind::Rsa,
            _ => return Err(BROKEN),
        },
        public_key: bytes(&body.public_key)?,
        thumbprint_sha1: bytes(&body.thumbprint_sha1)?.try_into().map_err(|_| BROKEN)?,
        thumbprint_sha256: bytes(&body.thumbprint_sha256)?.try_into().map_err(|_| BROKEN)?,
        starts_at: Timestamp::from_millis(body.starts_at),
        expires_at: Timestamp::from_millis(body.expires_at),
    })
}

fn certificate_body(certificate: &ClientCertificate) -> CertificateBody {
    CertificateBody {
        id: certificate.id.to_string(),
        display_name: certificate.display_name.clone(),
        key_kind: match certificate.key_kind {
            KeyKind::EcP256 => "EC".to_owned(),
            KeyKind::Rsa => "RSA".to_owned(),
        },
        public_key: b64::encode(&certificate.public_key),
        thumbprint_sha1: b64::encode(&certificate.thumbprint_sha1),
        thumbprint_sha256: b64::encode(&certificate.thumbprint_sha256),
        starts_at: certificate.starts_at.millis(),
        expires_at: certificate.expires_at.millis(),
    }
}

fn body(app: &Application) -> Result<String, Fault> {
    to_json(&Body {
        redirect_uris: app
            .redirect_uris
            .iter()
            .map(|uri| (uri.uri.clone(), platform_text(uri.platform).to_owned()))
            .collect(),
        logout_url: app.logout_url.clone(),
        home_page_url: app.home_page_url.clone(),
        is_fallback_public: app.is_fallback_public,
        has_front_channel_access_tokens: app.front_channel.has_access_tokens,
        has_front_channel_id_tokens: app.front_channel.has_id_tokens,
        scopes: app
            .scopes
            .iter()
            .map(|scope| ScopeBody {
                id: scope.id.to_string(),
                value: scope.value.clone(),
                title: scope.title.clone(),
                description: scope.description.clone(),
                is_admin_only: scope.is_admin_only,
                is_enabled: scope.is_enabled,
            })
            .collect(),
        roles: app
            .roles
            .iter()
            .map(|role| RoleBody {
                id: role.id.to_string(),
                value: role.value.clone(),
                display_name: role.display_name.clone(),
                description: role.description.clone(),
                for_applications: role.for_applications,
                for_users: role.for_users,
                is_enabled: role.is_enabled,
            })
            .collect(),
        required_access: app
            .required_access
            .iter()
            .map(|access| {
                let texts = |ids: &[PartId]| ids.iter().map(ToString::to_string).collect();
                (access.resource.to_string(), texts(&access.scopes), texts(&access.roles))
            })
            .collect(),
        known_clients: app.known_clients.iter().map(ToString::to_string).collect(),
        pre_authorized: app
            .pre_authorized
            .iter()
            .map(|known| (known.client.to_string(), known.scopes.iter().map(ToString::to_string).collect()))
            .collect(),
        token_version: match app.token_version {
            TokenVersion::V1 => 1,
            TokenVersion::V2 => 2,
        },
        token_algorithm: app.token_algorithm.as_str().to_owned(),
        tags: app.tags.clone(),
        notes: app.notes.clone(),
        description: app.description.clone(),
        certificates: app.certificates.iter().map(certificate_body).collect(),
        info: InformationBody {
            marketing_url: app.info.marketing_url.clone(),
            privacy_url: app.info.privacy_url.clone(),
            support_url: app.info.support_url.clone(),
            terms_url: app.info.terms_url.clone(),
        },
        service_reference: app.service_reference.clone(),
        federated_credentials: app.federated_credentials.iter().map(federated_credential_body).collect(),
        token_claims: token_claims_body(&app.token_claims),
    })
}

fn read_secret(row: &Row<'_>) -> Result<ClientSecret, Fault> {
    Ok(ClientSecret {
        id: PartId::new(row.uuid(0)?),
        display_name: row.opt_text(1)?,
        hint: row.text(2)?,
        hash: row
            .bytes(3)?
            .try_into()
            .map_err(|_| Fault::Bug("a stored secret's hash has a wrong length"))?,
        starts_at: row.time(4)?,
        expires_at: row.time(5)?,
    })
}

fn read_details(body: DetailsBody) -> Details {
    Details {
        alternative_names: body.alternative_names,
        description: body.description,
        login_url: body.login_url,
        notes: body.notes,
    }
}

/// `None` of an instance about which nothing was written, as of most.
fn details_body(details: &Details) -> Result<Option<String>, Fault> {
    if *details == Details::default() {
        return Ok(None);
    }
    let body = DetailsBody {
        alternative_names: details.alternative_names.clone(),
        description: details.description.clone(),
        login_url: details.login_url.clone(),
        notes: details.notes.clone(),
    };
    to_json(&body).map(Some)
}

fn read_instance(row: &Row<'_>) -> Result<ServicePrincipal, Fault> {
    Ok(ServicePrincipal {
        id: ServicePrincipalId::new(row.uuid(0)?),
        app_id: AppId::new(row.uuid(1)?),
        is_enabled: row.flag(2)?,
        is_assignment_required: row.flag(3)?,
        details: match row.opt_text(6)? {
            None => Details::default(),
            Some(_) => read_details(row.json(6)?),
        },
        secrets: Vec::new(),
        created_at: row.time(4)?,
        deleted_at: row.opt_time(5)?,
    })
}

impl ReadTx<'_> {
    /// An application as this tenant sees it: the registration, wherever it lives, and its instance here. Whether it may
    /// be used here is the gate's decision. From the cache where that is valid.
    pub fn find_app(&self, app_id: AppId) -> Result<Option<SharedApp>, Fault> {
        let tenant = self.tenant()?;
        if let Some(app) = self.cache().and_then(|cache| cache.app(tenant, app_id)) {
            return Ok(Some(app));
        }
        let Some(registration) = self.find_registration(app_id)? else { return Ok(None) };
        let instance = self.find_instance(app_id)?;
        let granted_roles = match &instance {
            Some(instance) => self.granted_roles(instance.id)?,
            None => Vec::new(),
        };
        let lifetimes = self.token_lifetimes(&registration, instance.as_ref())?;
        let app = Arc::new(App { registration, instance, granted_roles, lifetimes });
        if let Some(cache) = self.cache() {
            cache.put_app(self.ticket, tenant, &app);
        }
        Ok(Some(app))
    }

    /// The application in this tenant that offers the identifier URI.
    pub fn find_app_by_uri(&self, uri: &str) -> Result<Option<SharedApp>, Fault> {
        let tenant = self.tenant()?.uuid();
        // A multi-tenant resource's URI counts wherever the resource has an instance.
        let found = self.link().one(
            "SELECT u.app_id FROM identifier_uris u JOIN service_principals s ON s.app_id = u.app_id
              WHERE s.tenant = $1 AND s.deleted_at IS NULL AND u.uri = $2",
            &[(&tenant).into(), Value::Text(uri)],
            |row| Ok(AppId::new(row.uuid(0)?)),
        )?;
        found.map_or(Ok(None), |app_id| self.find_app(app_id))
    }

    /// A registration by its public id, of whatever tenant, or one that comes with the product.
    pub fn find_registration(&self, app_id: AppId) -> Result<Option<Application>, Fault> {
        if let Some(own) = first_party::all().into_iter().find(|app| app.app_id == app_id) {
            return Ok(Some(own.clone()));
        }
        let sql = format!("SELECT {COLUMNS} FROM applications o WHERE o.app_id = $1");
        let found = self.link().one(&sql, &[(&app_id.uuid()).into()], read_application)?;
        found.map(|app| self.complete(app)).transpose()
    }

    /// A registration of this tenant, deleted ones included.
    pub fn find_application(&self, id: ApplicationId) -> Result<Option<Application>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM applications o WHERE o.tenant = $1 AND o.id = $2");
        let found = self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read_application)?;
        found.map(|app| self.complete(app)).transpose()
    }

    pub(crate) fn complete(&self, mut app: Application) -> Result<Application, Fault> {
        let app_id = app.app_id.uuid();
        app.identifier_uris = self.link().all(
            "SELECT uri FROM identifier_uris WHERE app_id = $1 ORDER BY uri",
            &[(&app_id).into()],
            |row| row.text(0),
        )?;
        app.secrets = self.link().all(
            "SELECT id, display_name, hint, hash, starts_at, expires_at FROM client_secrets WHERE app_id = $1 ORDER BY starts_at, id",
            &[(&app_id).into()],
            read_secret,
        )?;
        Ok(app)
    }

    /// Registrations of this tenant that fit the plan, after a position.
    pub fn list_applications(
        &self,
        plan: &Plan,
        after: Option<&Position>,
        among: Among,
    ) -> Result<Page<Application>, Fault> {
        self.page(&APPLICATIONS, plan, after, among, None)?.try_map(|app| self.complete(app))
    }

    /// How many registrations fit a filter.
    pub fn count_applications(&self, filter: Option<&Predicate>) -> Result<i64, Fault> {
        self.count(&APPLICATIONS, filter, Among::Living, None)
    }

    fn find_instance(&self, app_id: AppId) -> Result<Option<ServicePrincipal>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {INSTANCE_COLUMNS} FROM service_principals o WHERE o.tenant = $1 AND o.app_id = $2 AND o.deleted_at IS NULL"
        );
        let found = self.link().one(&sql, &[(&tenant).into(), (&app_id.uuid()).into()], read_instance)?;
        found.map(|instance| self.with_secrets(instance)).transpose()
    }

    /// A service principal of this tenant with its registration.
    pub fn find_service_principal(
        &self,
        id: ServicePrincipalId,
    ) -> Result<Option<ServicePrincipalRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {INSTANCE_COLUMNS} FROM service_principals o WHERE o.tenant = $1 AND o.id = $2 AND o.deleted_at IS NULL"
        );
        let found = self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read_instance)?;
        found.map(|instance| self.with_registration(instance)).transpose()
    }

    /// The same of one in the bin.
    pub fn find_deleted_service_principal(
        &self,
        id: ServicePrincipalId,
    ) -> Result<Option<ServicePrincipalRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {INSTANCE_COLUMNS} FROM service_principals o WHERE o.tenant = $1 AND o.id = $2 AND o.deleted_at IS NOT NULL"
        );
        let found = self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read_instance)?;
        found.map(|instance| self.with_registration(instance)).transpose()
    }

    /// Service principals of this tenant that fit the plan, after a position.
    pub fn list_service_principals(
        &self,
        plan: &Plan,
        after: Option<&Position>,
        among: Among,
    ) -> Result<Page<ServicePrincipalRow>, Fault> {
        self.page(&INSTANCES, plan, after, among, None)?.try_map(|instance| self.with_registration(instance))
    }

    /// How many service principals fit a filter.
    pub fn count_service_principals(&self, filter: Option<&Predicate>) -> Result<i64, Fault> {
        self.count(&INSTANCES, filter, Among::Living, None)
    }

    fn with_secrets(&self, mut instance: ServicePrincipal) -> Result<ServicePrincipal, Fault> {
        let tenant = self.tenant()?.uuid();
        instance.secrets = self.link().all(
            "SELECT id, display_name, hint, hash, starts_at, expires_at FROM instance_secrets
              WHERE tenant = $1 AND instance = $2 ORDER BY starts_at, id",
            &[(&tenant).into(), (&instance.id.uuid()).into()],
            read_secret,
        )?;
        Ok(instance)
    }

    pub(crate) fn with_registration(&self, instance: ServicePrincipal) -> Result<ServicePrincipalRow, Fault> {
        let instance = self.with_secrets(instance)?;
        let registration = self.find_registration(instance.app_id)?;
        let registration = registration.ok_or(Fault::Bug("an instance has no registration"))?;
        Ok(ServicePrincipalRow { instance, registration })
    }

    /// The application of this tenant, deleted ones included, that holds an identifier URI.
    pub fn identifier_uri_owner(&self, uri: &str) -> Result<Option<AppId>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().one(
            "SELECT app_id FROM identifier_uris WHERE tenant = $1 AND uri = $2",
            &[(&tenant).into(), Value::Text(uri)],
            |row| Ok(AppId::new(row.uuid(0)?)),
        )
    }

    fn granted_roles(&self, principal: ServicePrincipalId) -> Result<Vec<GrantedRole>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().all(
            "SELECT resource, role FROM app_role_assignments WHERE tenant = $1 AND principal = $2",
            &[(&tenant).into(), (&principal.uuid()).into()],
            |row| {
                Ok(GrantedRole {
                    resource: ServicePrincipalId::new(row.uuid(0)?),
                    role: PartId::new(row.uuid(1)?),
                })
            },
        )
    }
}

/// Writes the terms of all registrations and instances.
pub(crate) fn write_terms(link: Link<'_>) -> Result<(), Fault> {
    let sql = format!("SELECT {COLUMNS}, o.row FROM applications o");
    let mut apps = link.all(&sql, &[], |row| Ok((row.uuid(0)?, row.int(8)?, read_application(row)?)))?;
    for (tenant, row, app) in &mut apps {
        app.identifier_uris = link.all(
            "SELECT uri FROM identifier_uris WHERE app_id = $1",
            &[(&app.app_id.uuid()).into()],
            |row| row.text(0),
        )?;
        terms::insert(link, *tenant, terms::Kind::Application, *row, &terms::of_application(app))?;
    }
    let registered = apps.iter().map(|(_, _, app)| app).chain(first_party::all());
    let registered: BTreeMap<Uuid, &Application> = registered.map(|app| (app.app_id.uuid(), app)).collect();
    let instances = link.all("SELECT tenant, row, app_id FROM service_principals", &[], |row| {
        Ok((row.uuid(0)?, row.int(1)?, row.uuid(2)?))
    })?;
    for (tenant, row, app_id) in instances {
        let Some(app) = registered.get(&app_id) else { continue };
        link.run(
            "UPDATE service_principals SET display_name_folded = $1 WHERE row = $2",
            &[Value::Text(&app.display_name.to_lowercase()), row.into()],
        )?;
        terms::insert(link, tenant, terms::Kind::ServicePrincipal, row, &terms::of_instance(app))?;
    }
    Ok(())
}

impl WriteTx<'_> {
    /// Adds a registration to this tenant. `false` when an id or an identifier URI is taken (R22).
    pub fn add_application(&self, app: &Application) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        if self.is_buried(app.id.uuid())? || self.is_buried(app.app_id.uuid())? {
            return Ok(false);
        }
        let is_new = self.link().insert(
            "INSERT INTO applications (tenant, id, app_id, display_name, display_name_folded, audience, body, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                (&tenant).into(),
                (&app.id.uuid()).into(),
                (&app.app_id.uuid()).into(),
                (&app.display_name).into(),
                Value::Text(&app.display_name.to_lowercase()),
                app.audience.as_str().into(),
                Value::Text(&body(app)?),
                app.created_at.into(),
            ],
        )?;
        if !is_new || !self.put_identifier_uris(app)? {
            return Ok(false);
        }
        for secret in &app.secrets {
            self.add_client_secret(app.app_id, secret)?;
        }
        self.set_application_terms(app.id, None, Some(app))?;
        self.count_object()?;
        self.log_change("application", app.id.uuid(), Operation::Created, app.created_at)?;
        Ok(true)
    }

    fn set_application_terms(
        &self,
        id: ApplicationId,
        before: Option<&Application>,
        after: Option<&Application>,
    ) -> Result<(), Fault> {
        let of = |app: Option<&Application>| app.map(terms::of_application).unwrap_or_default();
        let object = Object { tenant: self.tenant()?, kind: terms::Kind::Application, id: id.uuid() };
        self.set_terms(&object, &of(before), &of(after))
    }

    /// Instances in every tenant are found by what their registration says.
    fn refresh_instances(
        &self,
        before: &Application,
        after: &Application,
        at: Timestamp,
    ) -> Result<(), Fault> {
        // An instance does not show whether its registration is deleted.
        if *after == (Application { deleted_at: after.deleted_at, ..before.clone() }) {
            return Ok(());
        }
        let (old, new) = (terms::of_instance(before), terms::of_instance(after));
        if old != new {
            self.link().run(
                "UPDATE service_principals SET display_name_folded = $1 WHERE app_id = $2",
                &[Value::Text(&after.display_name.to_lowercase()), (&after.app_id.uuid()).into()],
            )?;
        }
        for Placed { tenant, id, deleted_at } in self.instances_of(after.app_id)? {
            self.set_terms(&Object { tenant, kind: terms::Kind::ServicePrincipal, id }, &old, &new)?;
            if deleted_at.is_none() {
                self.log_change_in(tenant, "servicePrincipal", id, Operation::Updated, at)?;
            }
        }
        Ok(())
    }

    /// The instances of an application in every tenant, those in the bin included.
    fn instances_of(&self, app_id: AppId) -> Result<Vec<Placed>, Fault> {
        self.link().all(
            "SELECT tenant, id, deleted_at FROM service_principals WHERE app_id = $1",
            &[(&app_id.uuid()).into()],
            |row| {
                Ok(Placed {
                    tenant: TenantId::new(row.uuid(0)?),
                    id: row.uuid(1)?,
                    deleted_at: row.opt_time(2)?,
                })
            },
        )
    }

    /// Writes a registration as a whole, secrets aside. Its instance in the same tenant goes into the bin with it, and
    /// comes back with it. `false` when an identifier URI is taken.
    pub fn update_application(&self, app: &Application, at: Timestamp) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        let before = self.find_application(app.id)?;
        self.link().run(
            "UPDATE applications SET display_name = $1, display_name_folded = $2, audience = $3, body = $4, deleted_at = $5
              WHERE tenant = $6 AND id = $7",
            &[
                (&app.display_name).into(),
                Value::Text(&app.display_name.to_lowercase()),
                app.audience.as_str().into(),
                Value::Text(&body(app)?),
                app.deleted_at.into(),
                (&tenant).into(),
                (&app.id.uuid()).into(),
            ],
        )?;
        let was_deleted = before.as_ref().and_then(|before| before.deleted_at);
        let operation = Operation::between(was_deleted, app.deleted_at);
        self.log_change("application", app.id.uuid(), operation, at)?;
        self.link().run("DELETE FROM identifier_uris WHERE app_id = $1", &[(&app.app_id.uuid()).into()])?;
        if let Some(before) = before {
            self.set_application_terms(app.id, Some(&before), Some(app))?;
            self.refresh_instances(&before, app, at)?;
            if let Some(fate) = Fate::of(before.deleted_at, app.deleted_at) {
                self.weigh(app.id.uuid(), fate, at)?;
                self.take_along(app, at)?;
            }
        }
        self.put_identifier_uris(app)
    }

    /// Instances elsewhere stay, and are of no use meanwhile: they are their tenants' to delete.
    fn take_along(&self, app: &Application, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {INSTANCE_COLUMNS} FROM service_principals o
              WHERE o.tenant = $1 AND o.app_id = $2 AND o.deleted_at IS NOT NULL AND o.went_with_application = 1"
        );
        let found = match app.deleted_at {
            Some(_) => self.find_instance(app.app_id)?,
            None => self.link().one(&sql, &[(&tenant).into(), (&app.app_id.uuid()).into()], read_instance)?,
        };
        let Some(instance) = found else { return Ok(()) };
        let id = instance.id.uuid();
        self.update_service_principal(&ServicePrincipal { deleted_at: app.deleted_at, ..instance }, at)?;
        self.link().run(
            "UPDATE service_principals SET went_with_application = $1 WHERE tenant = $2 AND id = $3",
            &[app.deleted_at.is_some().into(), (&tenant).into(), (&id).into()],
        )?;
        Ok(())
    }

    fn put_identifier_uris(&self, app: &Application) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        for uri in &app.identifier_uris {
            let is_free = self.link().insert(
                "INSERT INTO identifier_uris (tenant, uri, app_id) VALUES ($1, $2, $3)",
                &[(&tenant).into(), uri.into(), (&app.app_id.uuid()).into()],
            )?;
            if !is_free {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes a registration for good; its ids never come back (R22). An instance shows what its registration says, so
    /// those of every tenant go with it: answers which.
    pub fn purge_application(
        &self,
        app: &Application,
        at: Timestamp,
    ) -> Result<Vec<(TenantId, ServicePrincipalId)>, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        let app_id = app.app_id.uuid();
        let mut gone = Vec::new();
        let Some(before) = self.find_application(app.id)? else { return Ok(gone) };
        for placed in self.instances_of(app.app_id)? {
            self.purge_instance(&placed, &before, at)?;
            gone.push((placed.tenant, ServicePrincipalId::new(placed.id)));
        }
        self.set_application_terms(app.id, Some(&before), None)?;
        self.weigh(app.id.uuid(), Fate::Gone { binned_at: before.deleted_at }, at)?;
        for sql in
            ["DELETE FROM client_secrets WHERE app_id = $1", "DELETE FROM identifier_uris WHERE app_id = $1"]
        {
            self.link().run(sql, &[(&app_id).into()])?;
        }
        self.link().run(
            "DELETE FROM applications WHERE tenant = $1 AND id = $2",
            &[(&tenant).into(), (&app.id.uuid()).into()],
        )?;
        let tenant = self.tenant()?;
        self.forget_relations(tenant, app.id.uuid(), at)?;
        self.bury(tenant, "application", app.id.uuid(), at)?;
        self.bury(tenant, "appId", app_id, at)?;
        self.log_change("application", app.id.uuid(), Operation::Purged, at)?;
        Ok(gone)
    }

    /// Removes an instance for good, with everything that refers to it; its id never comes back (R22).
    pub fn purge_service_principal(&self, row: &ServicePrincipalRow, at: Timestamp) -> Result<(), Fault> {
        let (id, deleted_at) = (row.instance.id.uuid(), row.instance.deleted_at);
        self.purge_instance(&Placed { tenant: self.tenant()?, id, deleted_at }, &row.registration, at)
    }

    fn purge_instance(
        &self,
        placed: &Placed,
        registration: &Application,
        at: Timestamp,
    ) -> Result<(), Fault> {
        self.touch_config();
        let Placed { tenant, id, deleted_at } = *placed;
        let object = Object { tenant, kind: terms::Kind::ServicePrincipal, id };
        self.set_terms(&object, &terms::of_instance(registration), &Terms::new())?;
        self.weigh_in(tenant, id, Fate::Gone { binned_at: deleted_at }, at)?;
        for sql in [
            "DELETE FROM instance_secrets WHERE tenant = $1 AND instance = $2",
            "DELETE FROM app_role_assignments WHERE tenant = $1 AND principal = $2",
            "DELETE FROM app_role_assignments WHERE tenant = $1 AND resource = $2",
            "DELETE FROM consents WHERE tenant = $1 AND client = $2",
            "DELETE FROM consents WHERE tenant = $1 AND resource = $2",
            "DELETE FROM service_principals WHERE tenant = $1 AND id = $2",
        ] {
            self.link().run(sql, &[(&tenant.uuid()).into(), (&id).into()])?;
        }
        self.forget_relations(tenant, id, at)?;
        self.bury(tenant, "servicePrincipal", id, at)?;
        self.log_change_in(tenant, "servicePrincipal", id, Operation::Purged, at)
    }

    pub fn add_client_secret(&self, app_id: AppId, secret: &ClientSecret) -> Result<(), Fault> {
        self.touch_config();
        self.link().run(
            "INSERT INTO client_secrets (app_id, id, display_name, hint, hash, starts_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&app_id.uuid()).into(),
                (&secret.id.uuid()).into(),
                secret.display_name.as_deref().into(),
                (&secret.hint).into(),
                (&secret.hash).into(),
                secret.starts_at.into(),
                secret.expires_at.into(),
            ],
        )?;
        Ok(())
    }

    /// Removes a secret; it stops working with the commit. `false` when there is none.
    pub fn remove_client_secret(&self, app_id: AppId, id: PartId) -> Result<bool, Fault> {
        self.touch_config();
        let removed = self.link().run(
            "DELETE FROM client_secrets WHERE app_id = $1 AND id = $2",
            &[(&app_id.uuid()).into(), (&id.uuid()).into()],
        )?;
        Ok(removed > 0)
    }

    /// Adds a secret that works in this tenant only.
    pub fn add_instance_secret(
        &self,
        instance: ServicePrincipalId,
        secret: &ClientSecret,
    ) -> Result<(), Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO instance_secrets (tenant, instance, id, display_name, hint, hash, starts_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                (&tenant).into(),
                (&instance.uuid()).into(),
                (&secret.id.uuid()).into(),
                secret.display_name.as_deref().into(),
                (&secret.hint).into(),
                (&secret.hash).into(),
                secret.starts_at.into(),
                secret.expires_at.into(),
            ],
        )?;
        Ok(())
    }

    /// Removes a secret of an instance; it stops working with the commit. `false` when there is none.
    pub fn remove_instance_secret(&self, instance: ServicePrincipalId, id: PartId) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        let removed = self.link().run(
            "DELETE FROM instance_secrets WHERE tenant = $1 AND instance = $2 AND id = $3",
            &[(&tenant).into(), (&instance.uuid()).into(), (&id.uuid()).into()],
        )?;
        Ok(removed > 0)
    }

    /// Adds an application's instance to this tenant. `false` when there is one already that is not deleted, or when the
    /// id was ever used (R22).
    pub fn add_service_principal(&self, instance: &ServicePrincipal) -> Result<bool, Fault> {
        self.touch_config();
        let tenant = self.tenant()?.uuid();
        if self.is_buried(instance.id.uuid())? {
            return Ok(false);
        }
        let registration = self.find_registration(instance.app_id)?;
        let registration = registration.ok_or(Fault::Bug("an instance has no registration"))?;
        let is_new = self.link().insert(
            "INSERT INTO service_principals (tenant, id, app_id, is_enabled, is_assignment_required, created_at,
               display_name_folded, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                (&tenant).into(),
                (&instance.id.uuid()).into(),
                (&instance.app_id.uuid()).into(),
                instance.is_enabled.into(),
                instance.is_assignment_required.into(),
                instance.created_at.into(),
                Value::Text(&registration.display_name.to_lowercase()),
                details_body(&instance.details)?.as_deref().into(),
            ],
        )?;
        if is_new {
            let kind = terms::Kind::ServicePrincipal;
            let object = Object { tenant: self.tenant()?, kind, id: instance.id.uuid() };
            self.set_terms(&object, &Terms::new(), &terms::of_instance(&registration))?;
            self.count_object()?;
            self.log_change("servicePrincipal", instance.id.uuid(), Operation::Created, instance.created_at)?;
        }
        Ok(is_new)
    }

    /// Writes what a tenant decides about an instance. What it was granted, its secrets and its owners stay with it in the
    /// bin. `false` when the application has another instance here by now.
    pub fn update_service_principal(
        &self,
        instance: &ServicePrincipal,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        self.touch_config();
        let (tenant, id) = (self.tenant()?, instance.id.uuid());
        let before = self.link().one(
            "SELECT deleted_at FROM service_principals WHERE tenant = $1 AND id = $2",
            &[(&tenant.uuid()).into(), (&id).into()],
            |row| row.opt_time(0),
        )?;
        let Some(before) = before else { return Ok(true) };
        let is_written = self.link().insert(
            "UPDATE service_principals SET is_enabled = $1, is_assignment_required = $2, deleted_at = $3, details = $4,
               went_with_application = 0 WHERE tenant = $5 AND id = $6",
            &[
                instance.is_enabled.into(),
                instance.is_assignment_required.into(),
                instance.deleted_at.into(),
                details_body(&instance.details)?.as_deref().into(),
                (&tenant.uuid()).into(),
                (&id).into(),
            ],
        )?;
        if is_written {
            self.log_change("servicePrincipal", id, Operation::between(before, instance.deleted_at), at)?;
            if let Some(fate) = Fate::of(before, instance.deleted_at) {
                self.weigh(id, fate, at)?;
                self.log_links_of(tenant, id, at)?;
            }
        }
        Ok(is_written)
    }
}
