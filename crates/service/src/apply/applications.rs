//! Applications with their service principals and secrets, and who holds which of their roles.

use super::here::{Here, Named, id_is_made, same};
use super::work::{Resource, Work};
use super::{Action, Changed, Found, PlanError, changed, refused, text, texts, wrong};
use crate::applications::InstanceChange;
use crate::seed::required_access;
use crate::world::{WorldApplication, WorldPermissionGrant};
use domain::directory::application::{AppRole, Application, Platform, Scope, SignInAudience, TokenVersion};
use domain::directory::application_change::{self as change, Change};
use domain::directory::consent_change;
use domain::directory::first_party;
use domain::entropy::Entropy;
use domain::id::{AppId, ApplicationId, PartId};
use standards::jose::Algorithm;
use std::collections::BTreeSet;
use store::{Assigned, AssignmentFilter, ConsentRow};
use uuid::Uuid;

pub(super) fn find(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    let mut names = BTreeSet::new();
    for (index, described) in here.described.applications.iter().enumerate() {
        let place = here.place(&format!("applications / {}", described.display_name));
        if described.display_name.trim().is_empty() {
            return Err(wrong(&place, "displayName is missing"));
        }
        if !names.insert(described.key()) {
            return Err(wrong(&place, "this application is described twice"));
        }
        let app = here.application(described)?;
        let entropy = here.moment.entropy.child("apply application", index);
        let changes = changes(described, app.as_ref(), &entropy).map_err(|text| wrong(&place, text))?;
        match app {
            None => create(here, described, (index, changes), &place, found)?,
            Some(app) => update(here, described, (index, changes), &app, &place, found)?,
        }
    }
    Ok(())
}

fn create(
    here: &Here<'_>,
    described: &WorldApplication,
    (index, changes): (usize, Vec<Change>),
    place: &str,
    found: &mut Found,
) -> Result<(), PlanError> {
    if described.app_id.is_some() {
        return Err(id_is_made(place));
    }
    if described.secret.is_some() {
        return Err(wrong(
            place,
            "a secret is chosen in a fresh `hospes dev` world only; leave it out and one is made and shown once",
        ));
    }
    let ids = (ApplicationId::new(Uuid::nil()), AppId::new(Uuid::nil()));
    change::create(&changes, ids, &here.tenant, here.moment.now)
        .map_err(|refusal| refused(place, refusal))?;
    let kind = changed("kind", None, Some(described.kind.clone()));
    let redirects = Some(texts(&described.redirect_uris)).filter(|_| !described.redirect_uris.is_empty());
    let shown = kind.into_iter().chain(changed("redirectUris", None, redirects)).collect();
    let work = Work::CreateApplication { at: here.at, index, changes };
    found.push(Some(here.step(Action::Create, "application", &described.display_name, shown, work)));
    Ok(())
}

fn update(
    here: &Here<'_>,
    described: &WorldApplication,
    (index, changes): (usize, Vec<Change>),
    app: &Application,
    place: &str,
    found: &mut Found,
) -> Result<(), PlanError> {
    let name = &described.display_name;
    let after = change::apply(app, &changes, &here.tenant).map_err(|refusal| refused(place, refusal))?;
    let (mut sent, mut shown) = (Vec::new(), Vec::new());
    for change in changes {
        let differences = difference(&change, app, &after);
        if !differences.is_empty() {
            shown.extend(differences);
            sent.push(change);
        }
    }
    let work = Work::UpdateApplication { at: here.at, application: app.id, changes: sent };
    found.push((!shown.is_empty()).then(|| here.step(Action::Update, "application", name, shown, work)));
    match here.instance(app)? {
        None => {
            let work = Work::AddInstance { at: here.at, index };
            found.push(Some(here.step(Action::Create, "service principal", name, Vec::new(), work)));
        }
        Some(instance) => {
            let wanted = described.app_role_assignment_required;
            if let Some(wanted) = wanted.filter(|wanted| *wanted != instance.is_assignment_required) {
                let (was, is) = (instance.is_assignment_required.to_string(), wanted.to_string());
                let shown = changed("appRoleAssignmentRequired", Some(was), Some(is)).into_iter().collect();
                let change =
                    InstanceChange { is_assignment_required: Some(wanted), ..InstanceChange::default() };
                let work = Work::UpdateInstance { at: here.at, instance: instance.id, change };
                found.push(Some(here.step(Action::Update, "service principal", name, shown, work)));
            }
        }
    }
    // It was made here, and stopped before it had its secret.
    let key = described.key();
    let is_made = |kind: &str| here.applied.iter().any(|made| made.kind == kind && made.name == key);
    if described.has_secret() && is_made("application") && !is_made("secret") {
        let work = Work::AddSecret { at: here.at, index };
        found.push(Some(here.step(Action::Create, "secret of application", name, Vec::new(), work)));
    }
    Ok(())
}

/// What Graph would be sent: the described properties, and what the application's kind means.
fn changes(
    described: &WorldApplication,
    app: Option<&Application>,
    entropy: &Entropy,
) -> Result<Vec<Change>, String> {
    let platform = match described.kind.as_str() {
        "api" | "daemon" | "web" => Platform::Web,
        "native" => Platform::Native,
        "spa" => Platform::Spa,
        _ => return Err("kind must be web, spa, native, api or daemon".to_owned()),
    };
    let is_api = described.kind == "api";
    let mut changes = vec![Change::DisplayName(described.display_name.clone())];
    changes.extend(
        described.multi_tenant.map(|is| {
            Change::Audience(if is { SignInAudience::AnyTenant } else { SignInAudience::OwnTenant })
        }),
    );
    if !described.redirect_uris.is_empty() {
        changes.push(Change::RedirectUris(platform, described.redirect_uris.clone()));
    }
    if platform == Platform::Native {
        changes.push(Change::IsFallbackPublic(true));
    }
    let some = |text: &Option<String>| text.clone().map(Some);
    changes.extend(some(&described.home_page_url).map(Change::HomePageUrl));
    changes.extend(some(&described.logout_url).map(Change::LogoutUrl));
    changes.extend(some(&described.description).map(Change::Description));
    changes.extend(some(&described.notes).map(Change::Notes));
    changes.extend(described.tags.clone().map(Change::Tags));
    match (described.requested_access_token_version, app) {
        (Some(1), _) => changes.push(Change::TokenVersion(TokenVersion::V1)),
        (Some(2), _) => changes.push(Change::TokenVersion(TokenVersion::V2)),
        (None, None) if is_api => changes.push(Change::TokenVersion(TokenVersion::V2)),
        (None, _) => {}
        (Some(_), _) => return Err("requestedAccessTokenVersion must be 1 or 2".to_owned()),
    }
    if let Some(name) = &described.token_signing_algorithm {
        let wanted = Algorithm::parse(name).ok_or("tokenSigningAlgorithm must be RS256 or ES256")?;
        if wanted != app.map_or(Algorithm::Rs256, |app| app.token_algorithm) {
            return Err("tokenSigningAlgorithm is chosen in a fresh `hospes dev` world only".to_owned());
        }
    }
    if !described.scopes.is_empty() {
        changes.push(Change::Scopes(scopes(described, app, entropy)));
    }
    if !described.app_roles.is_empty() {
        changes.push(Change::Roles(roles(described, app, entropy)?));
    }
    if !described.permissions.is_empty() {
        let graph = required_access(described)?;
        let mut access = app.map(|app| app.required_access.clone()).unwrap_or_default();
        access.retain(|known| known.resource != graph.resource);
        access.push(graph);
        changes.push(Change::RequiredAccess(access));
    }
    if !described.identifier_uris.is_empty() {
        changes.push(Change::IdentifierUris(described.identifier_uris.clone()));
    } else if let Some(app) = app.filter(|app| is_api && app.identifier_uris.is_empty()) {
        changes.push(Change::IdentifierUris(vec![format!("api://{}", app.app_id)]));
    }
    Ok(changes)
}

/// The scopes that are there, and those that are described besides.
fn scopes(described: &WorldApplication, app: Option<&Application>, entropy: &Entropy) -> Vec<Scope> {
    let mut scopes = app.map(|app| app.scopes.clone()).unwrap_or_default();
    for value in &described.scopes {
        if !scopes.iter().any(|known| known.value == *value) {
            scopes.push(Scope {
                id: PartId::new(entropy.uuid(&format!("scope {value}"))),
                value: value.clone(),
                title: format!("Use {}", described.display_name),
                description: format!("Lets the application use {} as you.", described.display_name),
                is_admin_only: false,
                is_enabled: true,
            });
        }
    }
    scopes
}

/// The roles that are there, as far as described with what is described, and those that are described besides.
fn roles(
    described: &WorldApplication,
    app: Option<&Application>,
    entropy: &Entropy,
) -> Result<Vec<AppRole>, String> {
    let mut roles = app.map(|app| app.roles.clone()).unwrap_or_default();
    for role in &described.app_roles {
        let known = roles.iter().position(|known| known.value == role.value);
        let mut made = match known {
            Some(index) => roles.remove(index),
            None => AppRole {
                id: PartId::new(entropy.uuid(&format!("app role {}", role.value))),
                value: role.value.clone(),
                display_name: role.value.clone(),
                description: role.value.clone(),
                for_applications: true,
                for_users: true,
                is_enabled: true,
            },
        };
        if let Some(name) = &role.display_name {
            made.display_name.clone_from(name);
        }
        if let Some(text) = &role.description {
            made.description.clone_from(text);
        }
        if !role.allowed_member_types.is_empty() {
            let types = &role.allowed_member_types;
            if types.iter().any(|kind| kind != "User" && kind != "Application") {
                return Err("allowedMemberTypes names User, Application or both".to_owned());
            }
            made.for_applications = types.iter().any(|kind| kind == "Application");
            made.for_users = types.iter().any(|kind| kind == "User");
        }
        roles.insert(known.unwrap_or(roles.len()), made);
    }
    Ok(roles)
}

/// What a change makes different, as it is shown.
fn difference(change: &Change, before: &Application, after: &Application) -> Vec<Changed> {
    let quoted = |value: &Option<String>| value.as_deref().map(text);
    let one = match change {
        Change::Audience(_) => changed(
            "signInAudience",
            Some(text(before.audience.as_str())),
            Some(text(after.audience.as_str())),
        ),
        Change::Description(_) => {
            changed("description", quoted(&before.description), quoted(&after.description))
        }
        Change::DisplayName(_) => {
            changed("displayName", Some(text(&before.display_name)), Some(text(&after.display_name)))
        }
        Change::HomePageUrl(_) => {
            changed("homePageUrl", quoted(&before.home_page_url), quoted(&after.home_page_url))
        }
        Change::IdentifierUris(_) => changed(
            "identifierUris",
            Some(texts(&before.identifier_uris)),
            Some(texts(&after.identifier_uris)),
        ),
        Change::IsFallbackPublic(_) => changed(
            "isFallbackPublicClient",
            Some(before.is_fallback_public.to_string()),
            Some(after.is_fallback_public.to_string()),
        ),
        Change::LogoutUrl(_) => changed("logoutUrl", quoted(&before.logout_url), quoted(&after.logout_url)),
        Change::Notes(_) => changed("notes", quoted(&before.notes), quoted(&after.notes)),
        Change::RedirectUris(platform, _) => {
            let of = |app: &Application| {
                let uris = app.redirect_uris.iter().filter(|uri| uri.platform == *platform);
                texts(&uris.map(|uri| uri.uri.clone()).collect::<Vec<_>>())
            };
            changed("redirectUris", Some(of(before)), Some(of(after)))
        }
        Change::RequiredAccess(_) => {
            changed("permissions", Some(permissions(before)), Some(permissions(after)))
        }
        Change::Roles(_) => {
            let of = |app: &Application| {
                let shown = |role: &AppRole| {
                    let kinds = [(role.for_users, "User"), (role.for_applications, "Application")];
                    let kinds: Vec<_> =
                        kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect();
                    format!("{} ({}; {})", role.value, role.display_name, kinds.join(", "))
                };
                texts(&app.roles.iter().map(shown).collect::<Vec<_>>())
            };
            // Descriptions are too long to be shown, and may be all that changes.
            let is_other = before.roles != after.roles && of(before) == of(after);
            let hidden = is_other.then(|| Changed {
                property: "appRoles".to_owned(),
                before: None,
                after: "other descriptions".to_owned(),
            });
            hidden.or_else(|| changed("appRoles", Some(of(before)), Some(of(after))))
        }
        Change::Scopes(_) => {
            let of = |app: &Application| {
                texts(&app.scopes.iter().map(|scope| scope.value.clone()).collect::<Vec<_>>())
            };
            changed("scopes", Some(of(before)), Some(of(after)))
        }
        Change::Tags(_) => changed("tags", Some(texts(&before.tags)), Some(texts(&after.tags))),
        Change::TokenVersion(_) => {
            let of = |app: &Application| match app.token_version {
                TokenVersion::V1 => Some("1".to_owned()),
                TokenVersion::V2 => Some("2".to_owned()),
            };
            changed("requestedAccessTokenVersion", of(before), of(after))
        }
        // A description gives none of these.
        Change::Certificates(_)
        | Change::FrontChannel(_)
        | Change::GroupClaims(_)
        | Change::Information(_)
        | Change::KnownClients(_)
        | Change::OptionalClaims(..)
        | Change::PreAuthorized(_)
        | Change::ServiceReference(_) => None,
    };
    one.into_iter().collect()
}

/// The permissions of Graph that a registration asks for, by their names and in their order.
fn permissions(app: &Application) -> String {
    let graph = first_party::graph();
    let mut names = Vec::new();
    for access in app.required_access.iter().filter(|access| access.resource == graph.app_id) {
        let scopes = graph.scopes.iter().filter(|scope| access.scopes.contains(&scope.id));
        let roles = graph.roles.iter().filter(|role| access.roles.contains(&role.id));
        names.extend(scopes.map(|scope| scope.value.clone()).chain(roles.map(|role| role.value.clone())));
    }
    texts(&names)
}

/// App roles that are not held yet: those of Graph that a daemon names as its permissions, and those that an
/// application's description gives to others.
pub(super) fn assignments(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    for (index, described) in here.described.applications.iter().enumerate() {
        let app = here.application(described)?;
        if described.kind == "daemon" {
            let me = match described.app_id {
                Some(app_id) => Named::ApplicationId(AppId::new(app_id)),
                None => Named::Application(described.display_name.clone()),
            };
            for value in &described.permissions {
                let graph = first_party::graph();
                let held = is_held(here, Some(graph), &me, value)?;
                let work = Work::AssignAppRole {
                    at: here.at,
                    principal: me.clone(),
                    resource: Resource::Graph,
                    role: value.clone(),
                };
                let kind = format!("permission \"{value}\" of application");
                let name = &described.display_name;
                found.push((!held).then(|| here.step(Action::Create, &kind, name, Vec::new(), work)));
            }
        }
        for given in &described.app_role_assigned_to {
            let place = here.place(&format!("applications / {} / appRoleAssignedTo", described.display_name));
            let principal = here.named(&given.principal, &place)?;
            let value = &given.app_role;
            let is_described = described.app_roles.iter().any(|role| role.value == *value);
            let is_there = app.as_ref().is_some_and(|app| app.roles.iter().any(|role| role.value == *value));
            if !is_described && !is_there {
                return Err(wrong(&place, format!("the application offers no app role `{value}`")));
            }
            let held = is_held(here, app.as_ref(), &principal, value)?;
            let resource = Resource::Described(index);
            let work = Work::AssignAppRole { at: here.at, principal, resource, role: value.clone() };
            let kind = format!("app role \"{value}\" of \"{}\" to", described.display_name);
            found.push((!held).then(|| here.step(Action::Create, &kind, &given.principal, Vec::new(), work)));
        }
    }
    Ok(())
}

fn is_held(
    here: &Here<'_>,
    resource: Option<&Application>,
    principal: &Named,
    value: &str,
) -> Result<bool, PlanError> {
    let Some(resource) = resource else { return Ok(false) };
    let role = resource.roles.iter().find(|role| role.value == value).map(|role| role.id);
    let (Some(role), Some(instance), Some(principal)) =
        (role, here.instance(resource)?, here.find(principal)?)
    else {
        return Ok(false);
    };
    let filter =
        AssignmentFilter { principal: None, resource: Some(instance.id.uuid()), role: Some(role.uuid()) };
    let held = here.read(|tx| tx.list_assignments(Assigned::Of(principal), &filter, None, 1))?;
    Ok(held.is_some_and(|held| !held.is_empty()))
}

/// Agreements for everybody that are missing, or hold other scopes.
pub(super) fn grants(here: &Here<'_>, found: &mut Found) -> Result<(), PlanError> {
    for (client, described) in here.described.applications.iter().enumerate() {
        let place =
            here.place(&format!("applications / {} / oauth2PermissionGrants", described.display_name));
        let mut resources = BTreeSet::new();
        for given in &described.permission_grants {
            let (resource, name) = granted_resource(here, given).ok_or_else(|| {
                let name = given.resource.as_deref().unwrap_or_default();
                wrong(&place, format!("the description has no application `{name}`; leave `resource` out for Microsoft Graph"))
            })?;
            if !resources.insert(name.to_lowercase()) {
                return Err(wrong(
                    &place,
                    format!("`{name}` stands there twice; name all its scopes in one `scope`"),
                ));
            }
            let registration = match resource {
                Resource::Described(index) => match here.described.applications.get(index) {
                    Some(described) => here.application(described)?,
                    None => None,
                },
                Resource::Graph => Some(first_party::graph().clone()),
            };
            let scopes = registration.map(|app| consent_change::scopes(&given.scope, &app)).transpose();
            let mut wanted = scopes.map_err(|refusal| refused(&place, refusal))?.unwrap_or_default();
            let held = held_grant(here, described, resource)?;
            let mut has = held.as_ref().map(|row| row.scopes.clone()).unwrap_or_default();
            wanted.sort();
            has.sort();
            let shown =
                changed("scope", held.as_ref().map(|_| text(&has.join(" "))), Some(text(&given.scope)));
            let action = if held.is_some() { Action::Update } else { Action::Create };
            let work = Work::Grant { at: here.at, client, resource, scope: given.scope.clone() };
            let kind = format!("permission grant on \"{name}\" of application");
            let shown = shown.into_iter().collect();
            let step = here.step(action, &kind, &described.display_name, shown, work);
            found.push((held.is_none() || has != wanted).then_some(step));
        }
    }
    Ok(())
}

/// The application whose permissions are granted, and what it is called.
pub(super) fn granted_resource<'a>(
    here: &Here<'a>,
    given: &'a WorldPermissionGrant,
) -> Option<(Resource, &'a str)> {
    let graph = first_party::graph().display_name.as_str();
    let Some(name) = given.resource.as_deref().filter(|name| !same(name, graph)) else {
        return Some((Resource::Graph, graph));
    };
    let index = here.described.applications.iter().position(|app| same(&app.display_name, name))?;
    Some((Resource::Described(index), name))
}

/// The agreement for everybody between two described applications, if there is one.
pub(super) fn held_grant(
    here: &Here<'_>,
    client: &WorldApplication,
    resource: Resource,
) -> Result<Option<ConsentRow>, PlanError> {
    let instance = |described: &WorldApplication| match here.application(described)? {
        Some(app) => here.instance(&app),
        None => Ok(None),
    };
    let resource = match resource {
        Resource::Described(index) => match here.described.applications.get(index) {
            Some(described) => instance(described)?,
            None => None,
        },
        Resource::Graph => here.instance(first_party::graph())?,
    };
    let (Some(client), Some(resource)) = (instance(client)?, resource) else { return Ok(None) };
    Ok(here.read(|tx| tx.find_consent_between(client.id, None, resource.id))?.flatten())
}
