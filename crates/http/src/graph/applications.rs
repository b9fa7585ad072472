//! `/applications` (Graph: application; facts: graph §5).

use super::body::{Reader, is_annotation};
use super::error::GraphError;
use super::expand::{self, Expansion};
use super::{Answer, Ask, Handled, organization, render, token_claims};
use domain::directory::application::{
    AppRole, Application, ClientCertificate, ClientSecret, FrontChannel, Information, Platform,
    PreAuthorized, RequiredAccess, Scope, SignInAudience, TokenVersion,
};
use domain::directory::change::ChangeRefusal;
use domain::directory::query::QueryRefusal;
use domain::id::{AppId, PartId};
use domain::time::Timestamp;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::applications::{
    Among, ApplicationKey, ApplicationRefusal, Change, MadeSecret, NewCertificate, NewSecret, SeenApplication,
};
use service::certificate::Labels;
use service::expand::Reached;
use standards::b64;
use standards::odata::path::Key;

/// Only the server writes these (R22, R25).
const READ_ONLY: &[&str] = &[
    "appId",
    "applicationTemplateId",
    "certification",
    "createdByAppId",
    "createdDateTime",
    "deletedDateTime",
    "disabledByMicrosoftStatus",
    "id",
    "publisherDomain",
];

/// Graph's properties that nothing here acts on: empty ones are let pass, for clients send back what they read.
const UNSERVED: &[&str] = &[
    "addIns",
    "authenticationBehaviors",
    "defaultRedirectUri",
    "isDeviceOnlyAuthSupported",
    "isDisabled",
    "managerApplications",
    "nativeAuthenticationApisEnabled",
    "oauth2RequirePostResponse",
    "parentalControlSettings",
    "requestSignatureVerification",
    "samlMetadataUrl",
    "servicePrincipalLockConfiguration",
    "tokenEncryptionKeyId",
    "uniqueName",
    "verifiedPublisher",
];

pub(super) fn invalid(property: &'static str, problem: &'static str) -> GraphError {
    GraphError::Property { property, problem }
}

pub(super) fn key(key: &Key) -> Result<ApplicationKey, GraphError> {
    match key {
        Key::Single(text) => text.parse().map(ApplicationKey::Id).map_err(|_| GraphError::NotFound),
        Key::Named(name, text) if name == "appId" => {
            text.parse().map(ApplicationKey::AppId).map_err(|_| GraphError::NotFound)
        }
        Key::Named(..) | Key::None => Err(GraphError::NotFound),
    }
}

/// The properties that the request selects.
pub(super) fn selected(ask: &Ask<'_>, body: Map<String, Value>) -> Result<Value, GraphError> {
    chosen(ask.query.select.as_deref(), body)
}

/// The selected properties; a name that the object has not is refused.
pub(super) fn chosen(names: Option<&[String]>, body: Map<String, Value>) -> Result<Value, GraphError> {
    let unknown =
        names.into_iter().flatten().find(|name| !body.keys().any(|known| known.eq_ignore_ascii_case(name)));
    match unknown {
        Some(name) => {
            let shown = name.chars().take(64).collect();
            Err(ApplicationRefusal::Query(QueryRefusal::UnknownProperty(shown)).into())
        }
        None => Ok(organization::selected(body, names)),
    }
}

pub(super) fn list(ask: Ask<'_>) -> Handled {
    let (after, expansion) = (render::after(&ask)?, Expansion::of_applications(&ask)?);
    let Ask { app, viewer, is_advanced, .. } = &ask;
    let query = ask.query.unexpanded();
    let page =
        app.service.list_applications(viewer, &query, *is_advanced, after.as_ref(), Among::Living)??;
    let with_id = |app: &SeenApplication| -> Result<_, GraphError> {
        Ok((app.registration.id.uuid(), object(selected(&ask, body(app))?)))
    };
    let mut apps = page.items.iter().map(with_id).collect::<Result<Vec<_>, _>>()?;
    expand::fill(&ask, expansion, Reached::Applications, &mut apps)?;
    let values = apps.into_iter().map(|(_, app)| app.into()).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "applications", values, page.next, page.count)))
}

pub(super) fn count(ask: Ask<'_>) -> Handled {
    Ok(Answer::Count(ask.app.service.count_applications(ask.viewer, &ask.query, ask.is_advanced)??))
}

fn entity(ask: &Ask<'_>, app: &SeenApplication) -> Result<Value, GraphError> {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, "applications", true).into());
    entity.extend(body(app));
    selected(ask, entity)
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let app = ask.app.service.find_application(ask.viewer, key(at)?)??;
    ask.serves(&["$expand", "$select"])?;
    let expansion = Expansion::of_applications(ask)?;
    let mut found = [(app.registration.id.uuid(), object(entity(ask, &app)?))];
    expand::fill(ask, expansion, Reached::Applications, &mut found)?;
    let [(_, body)] = found;
    Ok(Answer::Json(StatusCode::OK, body.into()))
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let changes = changes(&ask)?;
    let made = ask.app.service.create_application(ask.viewer, changes, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &made)?))
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key) -> Handled {
    let changes = changes(&ask)?;
    ask.app.service.update_application(ask.viewer, key(at)?, changes, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    ask.app.service.delete_application(ask.viewer, key(at)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn add_password(ask: Ask<'_>, at: &Key) -> Handled {
    let new = new_secret(&ask)?;
    let made = ask.app.service.add_password(ask.viewer, key(at)?, new, ask.moment).await??;
    Ok(made_secret(&ask, &made))
}

/// The body of `addPassword`.
pub(super) fn new_secret(ask: &Ask<'_>) -> Result<NewSecret, GraphError> {
    let reader = Reader::new(&ask.body, &["passwordCredential"])?;
    // The server's properties are let pass empty, for clients serialise the whole type.
    let known =
        ["customKeyIdentifier", "displayName", "endDateTime", "hint", "keyId", "secretText", "startDateTime"];
    let mut new = NewSecret::default();
    if let Some(credential) = reader.object("passwordCredential")? {
        let credential = Reader::new(credential, &known)?;
        if credential.has("secretText") || credential.has("keyId") || credential.has("hint") {
            return Err(invalid("passwordCredential", "secretText, keyId and hint are made by the server."));
        }
        new.display_name = credential.text("displayName")?;
        new.starts_at = time(&credential, "startDateTime")?;
        new.expires_at = time(&credential, "endDateTime")?;
    }
    Ok(new)
}

/// The answer to `addPassword`: the only one that has the text.
pub(super) fn made_secret(ask: &Ask<'_>, made: &MadeSecret) -> Answer {
    let mut body = secret(&made.secret, Some(&made.text));
    let base = &ask.app.service.settings().base;
    let context = format!("{base}/v1.0/$metadata#microsoft.graph.passwordCredential");
    body.insert("@odata.context".to_owned(), context.into());
    Answer::Json(StatusCode::OK, body.into())
}

fn time(reader: &Reader<'_>, name: &'static str) -> Result<Option<Timestamp>, GraphError> {
    let Some(text) = reader.text(name)? else { return Ok(None) };
    let millis = standards::time::parse_rfc3339(&text);
    let millis = millis.ok_or_else(|| invalid(name, "Give a time such as 2027-01-01T00:00:00Z."))?;
    Ok(Some(Timestamp::from_millis(millis)))
}

pub(super) async fn remove_password(ask: Ask<'_>, at: &Key) -> Handled {
    let id = secret_id(&ask)?;
    ask.app.service.remove_password(ask.viewer, key(at)?, id, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// Secrets without their text.
pub(super) fn secrets(secrets: &[ClientSecret]) -> Value {
    secrets.iter().map(|known| Value::Object(secret(known, None))).collect()
}

/// The body of `removePassword`.
pub(super) fn secret_id(ask: &Ask<'_>) -> Result<PartId, GraphError> {
    let reader = Reader::new(&ask.body, &["keyId"])?;
    let id = reader.text("keyId")?.and_then(|id| id.parse::<PartId>().ok());
    id.ok_or_else(|| invalid("keyId", "Give the id of a password credential."))
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

fn secret(secret: &ClientSecret, text: Option<&str>) -> Map<String, Value> {
    object(json!({
        "customKeyIdentifier": null,
        "displayName": secret.display_name,
        "endDateTime": render::time(secret.expires_at),
        "hint": secret.hint,
        "keyId": secret.id.to_string(),
        "secretText": text,
        "startDateTime": render::time(secret.starts_at),
    }))
}

/// A certificate without its bytes, as Graph shows it in lists.
fn certificate(certificate: &ClientCertificate) -> Value {
    json!({
        "customKeyIdentifier": b64::encode_std(&certificate.thumbprint_sha1),
        "displayName": certificate.display_name,
        "endDateTime": render::time(certificate.expires_at),
        "key": null,
        "keyId": certificate.id.to_string(),
        "startDateTime": render::time(certificate.starts_at),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
    })
}

/// Reads one of `keyCredentials`: a new certificate, or the id of one that stays.
fn key_credential(body: &Map<String, Value>, minted: PartId) -> Result<NewCertificate, GraphError> {
    const NAME: &str = "keyCredentials";
    let known = [
        "customKeyIdentifier",
        "displayName",
        "endDateTime",
        "key",
        "keyId",
        "startDateTime",
        "type",
        "usage",
    ];
    let reader = Reader::new(body, &known)?;
    let id = match reader.text("keyId")? {
        None => None,
        Some(id) => Some(id.parse::<PartId>().map_err(|_| invalid(NAME, "The keyId must be a GUID."))?),
    };
    let Some(key) = reader.text("key")? else {
        let id =
            id.ok_or_else(|| invalid(NAME, "Give the certificate as key, or the keyId of one that stays."))?;
        return Ok(NewCertificate::Keep(id));
    };
    let is_other = |name: &str, served: &str| -> Result<bool, GraphError> {
        Ok(reader.text(name)?.is_some_and(|value| !value.eq_ignore_ascii_case(served)))
    };
    if is_other("type", "AsymmetricX509Cert")? || is_other("usage", "Verify")? {
        return Err(invalid(NAME, "Only certificates for verifying are served: AsymmetricX509Cert, Verify."));
    }
    // COMPAT: Azure CLI sends the body of a PEM file, with its line ends.
    let key: String = key.split_ascii_whitespace().collect();
    let der = b64::decode_std(&key).or_else(|| b64::decode_lenient(&key));
    let der = der.ok_or_else(|| invalid(NAME, "The key must be a certificate in DER, base64 encoded."))?;
    let labels = Labels {
        id: id.unwrap_or(minted),
        display_name: reader.text("displayName")?,
        starts_at: time(&reader, "startDateTime")?,
        expires_at: time(&reader, "endDateTime")?,
    };
    service::certificate::read(&der, labels)
        .map(NewCertificate::Add)
        .map_err(|problem| invalid(NAME, problem))
}

pub(super) fn roles(roles: &[AppRole]) -> Value {
    let role = |role: &AppRole| {
        let kinds = [(role.for_applications, "Application"), (role.for_users, "User")];
        let members: Vec<&str> = kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect();
        json!({
            "allowedMemberTypes": members,
            "description": role.description,
            "displayName": role.display_name,
            "id": role.id.to_string(),
            "isEnabled": role.is_enabled,
            "origin": "Application",
            "value": role.value,
        })
    };
    roles.iter().map(role).collect()
}

pub(super) fn scopes(scopes: &[Scope]) -> Value {
    let scope = |scope: &Scope| {
        json!({
            "adminConsentDescription": scope.description,
            "adminConsentDisplayName": scope.title,
            "id": scope.id.to_string(),
            "isEnabled": scope.is_enabled,
            "type": if scope.is_admin_only { "Admin" } else { "User" },
            "userConsentDescription": scope.description,
            "userConsentDisplayName": scope.title,
            "value": scope.value,
        })
    };
    scopes.iter().map(scope).collect()
}

/// Pictures of applications are not kept, so none has an address.
pub(super) fn information(info: &Information) -> Value {
    json!({
        "logoUrl": null,
        "marketingUrl": info.marketing_url,
        "privacyStatementUrl": info.privacy_url,
        "supportUrl": info.support_url,
        "termsOfServiceUrl": info.terms_url,
    })
}

fn addresses(app: &Application, platform: Platform) -> Vec<&str> {
    app.redirect_uris.iter().filter(|uri| uri.platform == platform).map(|uri| uri.uri.as_str()).collect()
}

/// All properties of a registration, secrets without their text.
pub(super) fn body(seen: &SeenApplication) -> Map<String, Value> {
    let app = &seen.registration;
    let access = |access: &RequiredAccess| {
        let part = |kind: &str, id: &PartId| json!({ "id": id.to_string(), "type": kind });
        let scopes = access.scopes.iter().map(|id| part("Scope", id));
        let roles = access.roles.iter().map(|id| part("Role", id));
        json!({ "resourceAppId": access.resource.to_string(), "resourceAccess": scopes.chain(roles).collect::<Vec<_>>() })
    };
    let trusted = |known: &PreAuthorized| {
        let ids: Vec<_> = known.scopes.iter().map(ToString::to_string).collect();
        json!({ "appId": known.client.to_string(), "delegatedPermissionIds": ids })
    };
    let version = match app.token_version {
        TokenVersion::V1 => Value::Null,
        TokenVersion::V2 => 2.into(),
    };
    object(json!({
        "id": app.id.to_string(),
        "deletedDateTime": app.deleted_at.map(render::time),
        "appId": app.app_id.to_string(),
        "applicationTemplateId": null,
        "createdDateTime": render::time(app.created_at),
        "description": app.description,
        "disabledByMicrosoftStatus": null,
        "displayName": app.display_name,
        "groupMembershipClaims": app.token_claims.groups.text(),
        "identifierUris": app.identifier_uris,
        "isDeviceOnlyAuthSupported": null,
        "isFallbackPublicClient": app.is_fallback_public,
        "notes": app.notes,
        "optionalClaims": token_claims::body(&app.token_claims),
        "publisherDomain": seen.publisher_domain,
        "serviceManagementReference": app.service_reference,
        "signInAudience": app.audience.as_str(),
        "tags": app.tags,
        "tokenEncryptionKeyId": null,
        "uniqueName": null,
        "addIns": [],
        "api": {
            "acceptMappedClaims": null,
            "knownClientApplications": app.known_clients.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "oauth2PermissionScopes": scopes(&app.scopes),
            "preAuthorizedApplications": app.pre_authorized.iter().map(trusted).collect::<Vec<_>>(),
            "requestedAccessTokenVersion": version,
        },
        "appRoles": roles(&app.roles),
        "info": information(&app.info),
        "keyCredentials": app.certificates.iter().map(certificate).collect::<Vec<_>>(),
        "passwordCredentials": secrets(&app.secrets),
        "publicClient": { "redirectUris": addresses(app, Platform::Native) },
        "requiredResourceAccess": app.required_access.iter().map(access).collect::<Vec<_>>(),
        "spa": { "redirectUris": addresses(app, Platform::Spa) },
        "web": {
            "homePageUrl": app.home_page_url,
            "implicitGrantSettings": {
                "enableAccessTokenIssuance": app.front_channel.has_access_tokens,
                "enableIdTokenIssuance": app.front_channel.has_id_tokens,
            },
            "logoutUrl": app.logout_url,
            "redirectUris": addresses(app, Platform::Web),
        },
    }))
}

/// Whether a value asks for nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Lets a property pass that is not acted on here, if it asks for nothing: silence would promise what nobody does.
pub(super) fn check_unserved(body: &Map<String, Value>, names: &[&'static str]) -> Result<(), GraphError> {
    match names.iter().find(|name| body.get(**name).is_some_and(|value| !is_empty(value))) {
        Some(name) => Err(invalid(name, "This server does not act on it; leave it out.")),
        None => Ok(()),
    }
}

/// Reads the body of a create or an update.
fn changes(ask: &Ask<'_>) -> Result<Vec<Change>, GraphError> {
    let body = &ask.body;
    const WRITTEN: &[&str] = &[
        "api",
        "appRoles",
        "description",
        "displayName",
        "groupMembershipClaims",
        "identifierUris",
        "info",
        "isFallbackPublicClient",
        "keyCredentials",
        "notes",
        "optionalClaims",
        "passwordCredentials",
        "publicClient",
        "requiredResourceAccess",
        "serviceManagementReference",
        "signInAudience",
        "spa",
        "tags",
        "web",
    ];
    let known = [WRITTEN, READ_ONLY, UNSERVED].concat();
    let reader = Reader::new(body, &known)?;
    if let Some(name) = READ_ONLY.iter().find(|name| reader.has(name)) {
        return Err(ChangeRefusal::ReadOnly((*name).to_owned()).into());
    }
    check_unserved(body, UNSERVED)?;
    if body.get("passwordCredentials").is_some_and(|value| !is_empty(value)) {
        return Err(invalid("passwordCredentials", "New passwords must be generated with addPassword."));
    }
    let mut changes = Vec::new();
    for name in body.keys().filter(|name| !is_annotation(name)) {
        match name.as_str() {
            "api" => read_api(reader.object(name)?, &mut changes)?,
            "appRoles" => {
                let roles = reader.objects(name)?.unwrap_or_default().into_iter().map(role);
                changes.push(Change::Roles(roles.collect::<Result<_, _>>()?));
            }
            "description" => changes.push(Change::Description(reader.text(name)?)),
            "displayName" => changes.push(Change::DisplayName(reader.text(name)?.unwrap_or_default())),
            "groupMembershipClaims" => {
                changes.push(Change::GroupClaims(token_claims::read_groups(reader.text(name)?.as_deref())?))
            }
            "identifierUris" => changes.push(Change::IdentifierUris(reader.texts(name)?.unwrap_or_default())),
            "info" => changes.push(read_information(reader.object(name)?)?),
            "keyCredentials" => {
                let minted =
                    |index| PartId::new(ask.moment.entropy.child("key credential", index).uuid("id"));
                let read = reader.objects(name)?.unwrap_or_default().into_iter().enumerate();
                let read = read.map(|(index, item)| key_credential(item, minted(index)));
                changes.push(Change::Certificates(read.collect::<Result<_, _>>()?));
            }
            "isFallbackPublicClient" => {
                changes.push(Change::IsFallbackPublic(reader.flag(name)?.unwrap_or(false)))
            }
            "notes" => changes.push(Change::Notes(reader.text(name)?)),
            "optionalClaims" => {
                let (id_token, access_token) = token_claims::read(reader.object(name)?)?;
                changes.push(Change::OptionalClaims(id_token, access_token));
            }
            "publicClient" => read_platform(reader.object(name)?, Platform::Native, &mut changes)?,
            "requiredResourceAccess" => {
                let access = reader.objects(name)?.unwrap_or_default().into_iter().map(required_access);
                changes.push(Change::RequiredAccess(access.collect::<Result<_, _>>()?));
            }
            "serviceManagementReference" => changes.push(Change::ServiceReference(reader.text(name)?)),
            "signInAudience" => {
                let audience = reader.text(name)?.as_deref().and_then(SignInAudience::parse);
                let problem = "Use AzureADMyOrg, AzureADMultipleOrgs or AzureADandPersonalMicrosoftAccount.";
                changes.push(Change::Audience(audience.ok_or_else(|| invalid("signInAudience", problem))?));
            }
            "spa" => read_platform(reader.object(name)?, Platform::Spa, &mut changes)?,
            "tags" => changes.push(Change::Tags(reader.texts(name)?.unwrap_or_default())),
            "web" => read_web(reader.object(name)?, &mut changes)?,
            _ => {}
        }
    }
    Ok(changes)
}

fn read_information(body: Option<&Map<String, Value>>) -> Result<Change, GraphError> {
    let Some(body) = body else { return Ok(Change::Information(Information::default())) };
    let known = ["logoUrl", "marketingUrl", "privacyStatementUrl", "supportUrl", "termsOfServiceUrl"];
    let info = Reader::new(body, &known)?;
    if info.has("logoUrl") {
        return Err(ChangeRefusal::ReadOnly("info/logoUrl".to_owned()).into());
    }
    let url = |name| Ok::<_, GraphError>(info.text(name)?.filter(|url| !url.is_empty()));
    Ok(Change::Information(Information {
        marketing_url: url("marketingUrl")?,
        privacy_url: url("privacyStatementUrl")?,
        support_url: url("supportUrl")?,
        terms_url: url("termsOfServiceUrl")?,
    }))
}

fn read_platform(
    body: Option<&Map<String, Value>>,
    platform: Platform,
    changes: &mut Vec<Change>,
) -> Result<(), GraphError> {
    let Some(body) = body else { return Ok(()) };
    if let Some(uris) = Reader::new(body, &["redirectUris"])?.texts("redirectUris")? {
        changes.push(Change::RedirectUris(platform, uris));
    }
    Ok(())
}

fn read_web(body: Option<&Map<String, Value>>, changes: &mut Vec<Change>) -> Result<(), GraphError> {
    let Some(body) = body else { return Ok(()) };
    // `redirectUriSettings` only orders the addresses.
    let known = ["homePageUrl", "implicitGrantSettings", "logoutUrl", "redirectUris", "redirectUriSettings"];
    let web = Reader::new(body, &known)?;
    if let Some(settings) = web.object("implicitGrantSettings")? {
        let settings = Reader::new(settings, &["enableAccessTokenIssuance", "enableIdTokenIssuance"])?;
        changes.push(Change::FrontChannel(FrontChannel {
            has_access_tokens: settings.flag("enableAccessTokenIssuance")?.unwrap_or_default(),
            has_id_tokens: settings.flag("enableIdTokenIssuance")?.unwrap_or_default(),
        }));
    }
    if body.contains_key("homePageUrl") {
        changes.push(Change::HomePageUrl(web.text("homePageUrl")?.filter(|url| !url.is_empty())));
    }
    if body.contains_key("logoutUrl") {
        changes.push(Change::LogoutUrl(web.text("logoutUrl")?.filter(|url| !url.is_empty())));
    }
    if let Some(uris) = web.texts("redirectUris")? {
        changes.push(Change::RedirectUris(Platform::Web, uris));
    }
    Ok(())
}

fn read_api(body: Option<&Map<String, Value>>, changes: &mut Vec<Change>) -> Result<(), GraphError> {
    const UNSERVED: &[&str] = &["acceptMappedClaims"];
    const NAMED: [&str; 4] = [
        "knownClientApplications",
        "oauth2PermissionScopes",
        "preAuthorizedApplications",
        "requestedAccessTokenVersion",
    ];
    let Some(body) = body else { return Ok(()) };
    let known = [UNSERVED, &NAMED].concat();
    let api = Reader::new(body, &known)?;
    check_unserved(body, UNSERVED)?;
    if body.contains_key("requestedAccessTokenVersion") {
        changes.push(Change::TokenVersion(match api.number("requestedAccessTokenVersion")? {
            None | Some(1) => TokenVersion::V1,
            Some(2) => TokenVersion::V2,
            Some(_) => return Err(invalid("api/requestedAccessTokenVersion", "Use 1, 2 or null.")),
        }));
    }
    if let Some(scopes) = api.objects("oauth2PermissionScopes")? {
        changes.push(Change::Scopes(scopes.into_iter().map(scope).collect::<Result<_, _>>()?));
    }
    if let Some(clients) = api.texts("knownClientApplications")? {
        let client = |id: String| {
            let problem = "Each entry is the appId of an application.";
            id.parse::<AppId>().map_err(|_| invalid("api/knownClientApplications", problem))
        };
        changes.push(Change::KnownClients(clients.into_iter().map(client).collect::<Result<_, _>>()?));
    }
    if let Some(clients) = api.objects("preAuthorizedApplications")? {
        changes
            .push(Change::PreAuthorized(clients.into_iter().map(pre_authorized).collect::<Result<_, _>>()?));
    }
    Ok(())
}

/// `permissionIds` is the older name of `delegatedPermissionIds`, still sent by tools.
fn pre_authorized(body: &Map<String, Value>) -> Result<PreAuthorized, GraphError> {
    const NAME: &str = "api/preAuthorizedApplications";
    let reader = Reader::new(body, &["appId", "delegatedPermissionIds", "permissionIds"])?;
    let client = reader.text("appId")?.and_then(|id| id.parse().ok());
    let client = client.ok_or_else(|| invalid(NAME, "Each entry needs the appId of an application."))?;
    let ids = match reader.texts("delegatedPermissionIds")? {
        Some(ids) => ids,
        None => reader.texts("permissionIds")?.unwrap_or_default(),
    };
    let id = |id: String| id.parse::<PartId>().map_err(|_| invalid(NAME, "A permission id is a UUID."));
    Ok(PreAuthorized { client, scopes: ids.into_iter().map(id).collect::<Result<_, _>>()? })
}

fn part_id(reader: &Reader<'_>, property: &'static str) -> Result<PartId, GraphError> {
    let id = reader.text("id")?.and_then(|id| id.parse().ok());
    id.ok_or_else(|| invalid(property, "Each entry needs an id that is a UUID."))
}

fn scope(body: &Map<String, Value>) -> Result<Scope, GraphError> {
    const NAME: &str = "api/oauth2PermissionScopes";
    let known = [
        "adminConsentDescription",
        "adminConsentDisplayName",
        "id",
        "isEnabled",
        "origin",
        "type",
        "userConsentDescription",
        "userConsentDisplayName",
        "value",
    ];
    let reader = Reader::new(body, &known)?;
    let first = |names: [&str; 2]| -> Result<String, GraphError> {
        for name in names {
            if let Some(text) = reader.text(name)?.filter(|text| !text.is_empty()) {
                return Ok(text);
            }
        }
        Ok(String::new())
    };
    let is_admin_only = match reader.text("type")?.as_deref() {
        Some("Admin") => true,
        Some("User") | None => false,
        Some(_) => return Err(invalid(NAME, "A scope's type is User or Admin.")),
    };
    Ok(Scope {
        id: part_id(&reader, NAME)?,
        value: reader.text("value")?.unwrap_or_default(),
        title: first(["userConsentDisplayName", "adminConsentDisplayName"])?,
        description: first(["userConsentDescription", "adminConsentDescription"])?,
        is_admin_only,
        is_enabled: reader.flag("isEnabled")?.unwrap_or(true),
    })
}

fn role(body: &Map<String, Value>) -> Result<AppRole, GraphError> {
    let known = ["allowedMemberTypes", "description", "displayName", "id", "isEnabled", "origin", "value"];
    let reader = Reader::new(body, &known)?;
    let members = reader.texts("allowedMemberTypes")?.unwrap_or_default();
    if members.iter().any(|member| !matches!(member.as_str(), "Application" | "User")) {
        return Err(invalid("appRoles", "allowedMemberTypes names User, Application or both."));
    }
    let has = |kind: &str| members.iter().any(|member| member == kind);
    Ok(AppRole {
        id: part_id(&reader, "appRoles")?,
        value: reader.text("value")?.unwrap_or_default(),
        display_name: reader.text("displayName")?.unwrap_or_default(),
        description: reader.text("description")?.unwrap_or_default(),
        for_applications: has("Application"),
        for_users: has("User"),
        is_enabled: reader.flag("isEnabled")?.unwrap_or(true),
    })
}

fn required_access(body: &Map<String, Value>) -> Result<RequiredAccess, GraphError> {
    const NAME: &str = "requiredResourceAccess";
    let reader = Reader::new(body, &["resourceAppId", "resourceAccess"])?;
    let resource = reader.text("resourceAppId")?.and_then(|id| id.parse().ok());
    let resource = resource.ok_or_else(|| invalid(NAME, "Each entry needs the appId of a resource."))?;
    let mut access = RequiredAccess { resource, scopes: Vec::new(), roles: Vec::new() };
    for part in reader.objects("resourceAccess")?.unwrap_or_default() {
        let part = Reader::new(part, &["id", "type"])?;
        let id = part_id(&part, NAME)?;
        match part.text("type")?.as_deref() {
            Some("Role") => access.roles.push(id),
            Some("Scope") => access.scopes.push(id),
            Some(_) | None => return Err(invalid(NAME, "A permission's type is Scope or Role.")),
        }
    }
    Ok(access)
}
