//! `/applications` (Graph: application; facts: graph §5).

use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, organization, render};
use domain::directory::application::{
    AppRole, Application, ClientSecret, Platform, RedirectUri, RequiredAccess, Scope, SignInAudience,
    TokenVersion,
};
use domain::id::PartId;
use domain::time::Timestamp;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::applications::{ApplicationKey, ApplicationRefusal};
use standards::jose::Algorithm;
use standards::odata::path::Key;
use uuid::Uuid;

const KNOWN: &[&str] = &[
    "api",
    "appRoles",
    "description",
    "displayName",
    "identifierUris",
    "isFallbackPublicClient",
    "notes",
    "publicClient",
    "requiredResourceAccess",
    "signInAudience",
    "spa",
    "tags",
    "web",
];

fn invalid(property: &'static str, problem: &str) -> GraphError {
    ApplicationRefusal::Invalid { property, problem: problem.to_owned() }.into()
}

fn key(key: &Key) -> Result<ApplicationKey, GraphError> {
    let not_found = || GraphError::from(ApplicationRefusal::NotFound);
    match key {
        Key::Single(text) => text.parse().map(ApplicationKey::Id).map_err(|_| not_found()),
        Key::Named(name, text) if name == "appId" => {
            text.parse().map(ApplicationKey::AppId).map_err(|_| not_found())
        }
        Key::Named(..) | Key::None => Err(not_found()),
    }
}

pub(super) fn list(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let (apps, next) = ask.app.service.list_applications(&ask.viewer, &ask.query, after, false)??;
    let select = ask.query.select.as_deref();
    let values = apps.iter().map(|app| organization::selected(body(&ask, app), select)).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "applications", values, next, None)))
}

fn entity(ask: &Ask<'_>, app: &Application) -> Value {
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, "applications", true).into());
    entity.extend(body(ask, app));
    organization::selected(entity, ask.query.select.as_deref())
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let app = ask.app.service.find_application(&ask.viewer, key(at)?)??;
    Ok(Answer::Json(StatusCode::OK, entity(ask, &app)))
}

/// A registration with nothing in it yet.
fn blank(ask: &Ask<'_>) -> Application {
    let (id, app_id) = ask.app.service.new_application_ids(ask.moment);
    Application {
        id,
        app_id,
        owner: Some(ask.viewer.tenant),
        display_name: String::new(),
        audience: SignInAudience::OwnTenant,
        identifier_uris: Vec::new(),
        redirect_uris: Vec::new(),
        logout_url: None,
        home_page_url: None,
        is_fallback_public: false,
        secrets: Vec::new(),
        scopes: Vec::new(),
        roles: Vec::new(),
        required_access: Vec::new(),
        token_version: TokenVersion::V1,
        token_algorithm: Algorithm::Rs256,
        tags: Vec::new(),
        notes: None,
        description: None,
        created_at: ask.moment.now,
        deleted_at: None,
    }
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let mut app = blank(&ask);
    edit(&mut app, &ask.body)?;
    let made = ask.app.service.create_application(&ask.viewer, app, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &made)))
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key) -> Handled {
    let body = ask.body.clone();
    // Tried on a blank first: a malformed body is refused before anything is looked up.
    edit(&mut blank(&ask), &body)?;
    let change = move |app: &mut Application| match edit(app, &body) {
        Ok(()) => Ok(()),
        Err(GraphError::Application(refusal)) => Err(refusal),
        Err(_) => Err(ApplicationRefusal::Invalid {
            property: "body",
            problem: "The body does not fit the application.".to_owned(),
        }),
    };
    ask.app.service.update_application(&ask.viewer, key(at)?, change, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    ask.app.service.delete_application(&ask.viewer, key(at)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn add_password(ask: Ask<'_>, at: &Key) -> Handled {
    let reader = Reader::new(&ask.body, &["passwordCredential"])?;
    let credential = reader.object("passwordCredential")?;
    let known =
        ["displayName", "endDateTime", "startDateTime", "keyId", "hint", "secretText", "customKeyIdentifier"];
    let credential = credential.map(|credential| Reader::new(credential, &known)).transpose()?;
    let (name, end) = match &credential {
        None => (None, None),
        Some(credential) => (credential.text("displayName")?, credential.text("endDateTime")?),
    };
    let end = match end {
        None => None,
        Some(text) => {
            let millis = standards::time::parse_rfc3339(&text);
            Some(Timestamp::from_millis(
                millis.ok_or_else(|| invalid("endDateTime", "Give a time such as 2027-01-01T00:00:00Z."))?,
            ))
        }
    };
    let made = ask.app.service.add_password(&ask.viewer, key(at)?, name, end, ask.moment).await??;
    let mut body = Map::new();
    let base = &ask.app.service.settings().base;
    body.insert(
        "@odata.context".to_owned(),
        format!("{base}/v1.0/$metadata#microsoft.graph.passwordCredential").into(),
    );
    if let Value::Object(secret) = secret(&made.secret, Some(&made.text)) {
        body.extend(secret);
    }
    Ok(Answer::Json(StatusCode::OK, body.into()))
}

pub(super) async fn remove_password(ask: Ask<'_>, at: &Key) -> Handled {
    let reader = Reader::new(&ask.body, &["keyId"])?;
    let id = reader.text("keyId")?.and_then(|id| id.parse::<PartId>().ok());
    let id = id.ok_or_else(|| invalid("keyId", "Give the id of a secret."))?;
    ask.app.service.remove_password(&ask.viewer, key(at)?, id, ask.moment).await??;
    Ok(Answer::NoContent)
}

fn secret(secret: &ClientSecret, text: Option<&str>) -> Value {
    json!({
        "customKeyIdentifier": null,
        "displayName": secret.display_name,
        "endDateTime": render::time(secret.expires_at),
        "hint": secret.hint,
        "keyId": secret.id.to_string(),
        "secretText": text,
        "startDateTime": render::time(secret.starts_at),
    })
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

fn addresses(app: &Application, platform: Platform) -> Vec<&str> {
    app.redirect_uris.iter().filter(|uri| uri.platform == platform).map(|uri| uri.uri.as_str()).collect()
}

/// All properties of a registration, secrets without their text.
pub(super) fn body(_ask: &Ask<'_>, app: &Application) -> Map<String, Value> {
    let access = |access: &RequiredAccess| {
        let part = |kind: &str, id: &PartId| json!({ "id": id.to_string(), "type": kind });
        let scopes = access.scopes.iter().map(|id| part("Scope", id));
        let roles = access.roles.iter().map(|id| part("Role", id));
        json!({ "resourceAppId": access.resource.to_string(), "resourceAccess": scopes.chain(roles).collect::<Vec<_>>() })
    };
    let version = match app.token_version {
        TokenVersion::V1 => Value::Null,
        TokenVersion::V2 => 2.into(),
    };
    let value = json!({
        "id": app.id.to_string(),
        "deletedDateTime": app.deleted_at.map(render::time),
        "appId": app.app_id.to_string(),
        "createdDateTime": render::time(app.created_at),
        "description": app.description,
        "displayName": app.display_name,
        "identifierUris": app.identifier_uris,
        "isFallbackPublicClient": app.is_fallback_public,
        "notes": app.notes,
        "signInAudience": app.audience.as_str(),
        "tags": app.tags,
        "addIns": [],
        "api": {
            "acceptMappedClaims": null,
            "knownClientApplications": [],
            "oauth2PermissionScopes": scopes(&app.scopes),
            "preAuthorizedApplications": [],
            "requestedAccessTokenVersion": version,
        },
        "appRoles": roles(&app.roles),
        "keyCredentials": [],
        "passwordCredentials": app.secrets.iter().map(|known| secret(known, None)).collect::<Vec<_>>(),
        "publicClient": { "redirectUris": addresses(app, Platform::Native) },
        "requiredResourceAccess": app.required_access.iter().map(access).collect::<Vec<_>>(),
        "spa": { "redirectUris": addresses(app, Platform::Spa) },
        "web": {
            "homePageUrl": app.home_page_url,
            "implicitGrantSettings": { "enableAccessTokenIssuance": false, "enableIdTokenIssuance": false },
            "logoutUrl": app.logout_url,
            "redirectUris": addresses(app, Platform::Web),
        },
    });
    match value {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

/// Applies a body to a registration.
fn edit(app: &mut Application, body: &Map<String, Value>) -> Result<(), GraphError> {
    let reader = Reader::new(body, KNOWN)?;
    if let Some(name) = reader.text("displayName")? {
        app.display_name = name;
    }
    if let Some(audience) = reader.text("signInAudience")? {
        let known = SignInAudience::parse(&audience);
        app.audience =
            known.ok_or_else(|| invalid("signInAudience", "Use AzureADMyOrg or AzureADMultipleOrgs."))?;
    }
    if let Some(uris) = reader.texts("identifierUris")? {
        app.identifier_uris = uris;
    }
    if let Some(is) = reader.flag("isFallbackPublicClient")? {
        app.is_fallback_public = is;
    }
    for (name, target) in [("description", &mut app.description), ("notes", &mut app.notes)] {
        if body.contains_key(name) {
            *target = reader.text(name)?;
            if target.as_ref().is_some_and(|text| text.len() > 1024) {
                return Err(invalid("description", "At most 1024 bytes are kept."));
            }
        }
    }
    if let Some(tags) = reader.texts("tags")? {
        if tags.len() > 100 || tags.iter().any(|tag| tag.is_empty() || tag.len() > 256) {
            return Err(invalid("tags", "At most 100 tags of 1 to 256 characters are kept."));
        }
        app.tags = tags;
    }
    if let Some(web) = reader.object("web")? {
        let web = Reader::new(
            web,
            &["homePageUrl", "implicitGrantSettings", "logoutUrl", "redirectUris", "redirectUriSettings"],
        )?;
        if let Some(url) = web.text("homePageUrl")? {
            app.home_page_url = Some(url);
        }
        if let Some(url) = web.text("logoutUrl")? {
            app.logout_url = Some(url);
        }
        replace_addresses(app, Platform::Web, web.texts("redirectUris")?);
    }
    for (name, platform) in [("spa", Platform::Spa), ("publicClient", Platform::Native)] {
        if let Some(part) = reader.object(name)? {
            let part = Reader::new(part, &["redirectUris"])?;
            replace_addresses(app, platform, part.texts("redirectUris")?);
        }
    }
    if let Some(api) = reader.object("api")? {
        edit_api(app, api)?;
    }
    if let Some(roles) = reader.objects("appRoles")? {
        app.roles = roles.into_iter().map(role).collect::<Result<_, _>>()?;
    }
    if let Some(access) = reader.objects("requiredResourceAccess")? {
        app.required_access = access.into_iter().map(required_access).collect::<Result<_, _>>()?;
    }
    Ok(())
}

fn replace_addresses(app: &mut Application, platform: Platform, uris: Option<Vec<String>>) {
    if let Some(uris) = uris {
        app.redirect_uris.retain(|known| known.platform != platform);
        app.redirect_uris.extend(uris.into_iter().map(|uri| RedirectUri { uri, platform }));
    }
}

fn edit_api(app: &mut Application, api: &Map<String, Value>) -> Result<(), GraphError> {
    let known = [
        "acceptMappedClaims",
        "knownClientApplications",
        "oauth2PermissionScopes",
        "preAuthorizedApplications",
        "requestedAccessTokenVersion",
    ];
    let api = Reader::new(api, &known)?;
    match api.number("requestedAccessTokenVersion")? {
        None => {}
        Some(1) => app.token_version = TokenVersion::V1,
        Some(2) => app.token_version = TokenVersion::V2,
        Some(_) => return Err(invalid("api", "requestedAccessTokenVersion must be 1, 2 or null.")),
    }
    if let Some(scopes) = api.objects("oauth2PermissionScopes")? {
        app.scopes = scopes.into_iter().map(scope).collect::<Result<_, _>>()?;
    }
    Ok(())
}

fn part_id(reader: &Reader<'_>, property: &'static str) -> Result<PartId, GraphError> {
    let id = reader.text("id")?.and_then(|id| Uuid::parse_str(&id).ok());
    id.map(PartId::new).ok_or_else(|| invalid(property, "Each entry needs an id that is a UUID."))
}

fn scope(body: &Map<String, Value>) -> Result<Scope, GraphError> {
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
        let [first, second] = names;
        Ok(reader.text(first)?.or(reader.text(second)?).unwrap_or_default())
    };
    Ok(Scope {
        id: part_id(&reader, "api")?,
        value: reader.text("value")?.unwrap_or_default(),
        title: first(["userConsentDisplayName", "adminConsentDisplayName"])?,
        description: first(["userConsentDescription", "adminConsentDescription"])?,
        is_admin_only: reader.text("type")?.as_deref() == Some("Admin"),
        is_enabled: reader.flag("isEnabled")?.unwrap_or(true),
    })
}

fn role(body: &Map<String, Value>) -> Result<AppRole, GraphError> {
    let known = ["allowedMemberTypes", "description", "displayName", "id", "isEnabled", "origin", "value"];
    let reader = Reader::new(body, &known)?;
    let members = reader.texts("allowedMemberTypes")?.unwrap_or_default();
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
    let wrong =
        || invalid("requiredResourceAccess", "Each entry needs resourceAppId and resourceAccess with ids.");
    let reader = Reader::new(body, &["resourceAppId", "resourceAccess"])?;
    let resource = reader.text("resourceAppId")?.and_then(|id| id.parse().ok()).ok_or_else(wrong)?;
    let mut access = RequiredAccess { resource, scopes: Vec::new(), roles: Vec::new() };
    let parts = reader.objects("resourceAccess")?.unwrap_or_default();
    if parts.len() > 400 {
        return Err(wrong());
    }
    for part in parts {
        let part = Reader::new(part, &["id", "type"])?;
        let id = part_id(&part, "requiredResourceAccess")?;
        match part.text("type")?.as_deref() {
            Some("Scope") => access.scopes.push(id),
            Some("Role") => access.roles.push(id),
            Some(_) | None => return Err(wrong()),
        }
    }
    Ok(access)
}
