//! `/groups`, who is in them, and the groups of users, groups and service principals (Graph: group, directoryObject).

use super::body::Reader;
use super::error::GraphError;
use super::expand::{self, Expansion};
use super::{Answer, Ask, Handled, applications, directory_roles, render, service_principals};
use domain::directory::change::ChangeRefusal;
use domain::directory::group::{ADDED_AT_ONCE, Change, Group, Link, LinkedKind};
use domain::directory::permission::Visibility;
use domain::directory::property::{GROUP, Property, Resource, USER};
use domain::directory::query;
use domain::id::GroupId;
use domain::tenancy::tenant::Tenant;
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::directory::{DirectoryRefusal, UserKey};
use service::expand::Reached;
use service::groups::{Holder, Linked, LinkedPage, NewGroup, SeenGroup, SeenKinds, Within};
use standards::odata::path::Key;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Only the server writes these (R22, R25).
const READ_ONLY: &[&str] = &[
    "createdDateTime",
    "deletedDateTime",
    "id",
    "mail",
    "onPremisesSyncEnabled",
    "proxyAddresses",
    "renewedDateTime",
    "securityIdentifier",
];

/// Graph's properties that nothing here acts on: empty ones are let pass, for clients send back what they read.
const UNSERVED: &[&str] = &[
    "classification",
    "expirationDateTime",
    "preferredDataLocation",
    "preferredLanguage",
    "resourceBehaviorOptions",
    "resourceProvisioningOptions",
    "theme",
    "uniqueName",
];

const WRITTEN: &[&str] = &[
    "description",
    "displayName",
    "groupTypes",
    "isAssignableToRole",
    "mailEnabled",
    "mailNickname",
    "membershipRule",
    "membershipRuleProcessingState",
    "securityEnabled",
    "visibility",
];

/// Ids asked about at once (Graph: checkMemberGroups).
const CHECKED: usize = 20;

pub(super) fn key(key: &Key) -> Result<GroupId, GraphError> {
    match key {
        Key::Single(text) => text.parse().map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

pub(super) fn object(part: Option<&str>) -> Result<Uuid, GraphError> {
    part.and_then(|text| Uuid::parse_str(text).ok()).ok_or(GraphError::NotFound)
}

/// A group with the chosen properties.
pub(super) fn body(group: &Group, columns: &[&'static Property]) -> Map<String, Value> {
    columns.iter().map(|property| (property.name.to_owned(), value(group, property.name))).collect()
}

fn value(group: &Group, name: &str) -> Value {
    match name {
        "createdDateTime" => render::time(group.created_at).into(),
        "deletedDateTime" => group.deleted_at.map(render::time).into(),
        "description" => group.description.clone().into(),
        "displayName" => group.display_name.clone().into(),
        "groupTypes" => {
            let types = [("DynamicMembership", group.dynamic.is_some()), ("Unified", group.is_unified)];
            types.into_iter().filter_map(|(name, is)| is.then_some(name)).collect()
        }
        "id" => group.id.to_string().into(),
        "isAssignableToRole" => {
            if group.is_role_assignable {
                true.into()
            } else {
                Value::Null
            }
        }
        "mail" => group.mail.clone().into(),
        "mailEnabled" => group.is_unified.into(),
        "mailNickname" => group.mail_nickname.clone().into(),
        "membershipRule" => group.dynamic.as_ref().map(|dynamic| dynamic.rule.as_str()).into(),
        "membershipRuleProcessingState" => group.dynamic.as_ref().map(|dynamic| dynamic.processing()).into(),
        "proxyAddresses" => group.mail.iter().map(|mail| format!("SMTP:{mail}")).collect(),
        "renewedDateTime" => render::time(group.created_at).into(),
        "resourceBehaviorOptions" | "resourceProvisioningOptions" => json!([]),
        "securityEnabled" => group.is_security_enabled.into(),
        "visibility" => group.visibility.map(|visibility| visibility.as_str()).into(),
        _ => Value::Null,
    }
}

pub(super) fn entity(ask: &Ask<'_>, seen: &SeenGroup) -> Result<Map<String, Value>, GraphError> {
    let columns = query::columns(&GROUP, ask.query.select.as_deref(), seen.visibility);
    let columns = columns.map_err(DirectoryRefusal::Query)?;
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, "groups", true).into());
    entity.extend(body(&seen.group, &columns));
    Ok(entity)
}

pub(super) fn list(ask: Ask<'_>) -> Handled {
    let (after, expansion) = (render::after(&ask)?, Expansion::of_groups(&ask)?);
    let query = ask.query.unexpanded();
    let (page, plan) = ask.app.service.list_groups(ask.viewer, &query, ask.is_advanced, after.as_ref())??;
    let with_id = |group: &Group| (group.id.uuid(), body(group, &plan.columns));
    let mut groups: Vec<_> = page.items.iter().map(with_id).collect();
    expand::fill(&ask, expansion, Reached::Groups, &mut groups)?;
    let values = groups.into_iter().map(|(_, group)| group.into()).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "groups", values, page.next, page.count)))
}

pub(super) fn list_deleted(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let Ask { app, viewer, query, is_advanced, moment, .. } = &ask;
    let (page, plan) =
        app.service.list_deleted_groups(viewer, query, *is_advanced, after.as_ref(), moment.now)??;
    let values =
        page.items.iter().map(|group| render::typed("group", body(group, &plan.columns)).into()).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "groups", values, page.next, page.count)))
}

pub(super) fn count(ask: Ask<'_>) -> Handled {
    Ok(Answer::Count(ask.app.service.count_groups(ask.viewer, &ask.query, ask.is_advanced)??))
}

pub(super) fn get(ask: Ask<'_>, at: &Key) -> Handled {
    let seen = ask.app.service.find_group(ask.viewer, key(at)?)??;
    ask.serves(&["$expand", "$select"])?;
    let expansion = Expansion::of_groups(&ask)?;
    let mut found = [(seen.group.id.uuid(), entity(&ask, &seen)?)];
    expand::fill(&ask, expansion, Reached::Group(seen.group.id), &mut found)?;
    let [(_, body)] = found;
    Ok(Answer::Json(StatusCode::OK, body.into()))
}

/// The changes of a body, and the objects that it links.
fn read(ask: &Ask<'_>) -> Result<NewGroup, GraphError> {
    let reader = Reader::new(&ask.body, &[WRITTEN, READ_ONLY, UNSERVED].concat())?;
    for name in READ_ONLY.iter().chain(UNSERVED) {
        if reader.has(name) && !ask.body.get(*name).is_some_and(|value| *value == json!([])) {
            return Err(match UNSERVED.contains(name) {
                true => super::applications::invalid(name, "It is not supported here yet."),
                false => ChangeRefusal::ReadOnly((*name).to_owned()).into(),
            });
        }
    }
    let mut changes = Vec::new();
    for name in ask.body.keys() {
        changes.push(match name.as_str() {
            "description" => Change::Description(reader.text(name)?),
            "displayName" => Change::DisplayName(reader.text(name)?),
            "groupTypes" => Change::Types(reader.texts(name)?.unwrap_or_default()),
            "isAssignableToRole" => Change::IsRoleAssignable(reader.flag(name)?),
            "mailEnabled" => Change::IsMailEnabled(reader.flag(name)?),
            "mailNickname" => Change::MailNickname(reader.text(name)?),
            "membershipRule" => Change::MembershipRule(reader.text(name)?),
            "membershipRuleProcessingState" => Change::Processing(reader.text(name)?),
            "securityEnabled" => Change::IsSecurityEnabled(reader.flag(name)?),
            "visibility" => Change::Visibility(reader.text(name)?),
            _ => continue,
        });
    }
    let bound = |name: &'static str| -> Result<Vec<Uuid>, GraphError> {
        let addresses = reader.texts(name)?.unwrap_or_default();
        addresses.iter().map(|address| reference(ask, address, LINKED)).collect()
    };
    Ok(NewGroup { changes, members: bound("members@odata.bind")?, owners: bound("owners@odata.bind")? })
}

/// The sets that hold what can be linked.
pub(super) const LINKED: &[&str] = &["directoryObjects", "groups", "servicePrincipals", "users"];

/// The id at the end of an object's address: `…/directoryObjects/{id}`, on our own origin or relative.
pub(super) fn reference(ask: &Ask<'_>, address: &str, sets: &[&str]) -> Result<Uuid, GraphError> {
    let wrong = || GraphError::Body("Invalid object identifier in '@odata.id'.".to_owned());
    let base = &*ask.app.service.settings().base;
    // Microsoft's own address stands in the examples that people copy.
    let path = ["https://graph.microsoft.com", base].iter().find_map(|origin| address.strip_prefix(origin));
    let path = path.unwrap_or(address);
    if path.contains("://") || path.starts_with("//") {
        return Err(wrong());
    }
    let mut segments = path.trim_end_matches('/').rsplit('/');
    let last = segments.next().unwrap_or_default();
    let (set, id) = match last.split_once("('") {
        Some((set, id)) => (set, id.trim_end_matches("')")),
        None => (segments.next().unwrap_or_default(), last),
    };
    Uuid::parse_str(id).ok().filter(|_| sets.contains(&set)).ok_or_else(wrong)
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let new = read(&ask)?;
    // A selection that cannot be answered is refused before anything is made.
    query::columns(&GROUP, ask.query.select.as_deref(), Visibility::Full).map_err(DirectoryRefusal::Query)?;
    let seen = ask.app.service.create_group(ask.viewer, new, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &seen)?.into()))
}

pub(super) async fn patch(ask: Ask<'_>, at: &Key) -> Handled {
    let NewGroup { changes, members, owners } = read(&ask)?;
    if members.len() > ADDED_AT_ONCE || !owners.is_empty() {
        return Err(GraphError::Body(
            "At most 20 members, and no owners, are added by one PATCH.".to_owned(),
        ));
    }
    ask.app.service.update_group(ask.viewer, key(at)?, changes, members, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    ask.app.service.delete_group(ask.viewer, key(at)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// The object that the body of a `$ref` names.
pub(super) fn reference_of(ask: &Ask<'_>) -> Result<Uuid, GraphError> {
    reference_among(ask, LINKED)
}

/// The same, of an object of other sets.
pub(super) fn reference_among(ask: &Ask<'_>, sets: &[&str]) -> Result<Uuid, GraphError> {
    let address = ask.body.get("@odata.id").and_then(Value::as_str);
    let address =
        address.ok_or_else(|| GraphError::Body("Give the object's address as '@odata.id'.".to_owned()))?;
    reference(ask, address, sets)
}

pub(super) async fn add(ask: Ask<'_>, at: &Key, link: Link) -> Handled {
    let object = reference_of(&ask)?;
    ask.app.service.add_link(ask.viewer, key(at)?, link, object, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn remove(ask: Ask<'_>, at: &Key, link: Link, part: Option<&str>) -> Handled {
    ask.app.service.remove_link(ask.viewer, key(at)?, link, object(part)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// Which links of a group an address means.
#[derive(Clone, Copy)]
pub(super) enum Links {
    Members,
    Owners,
    TransitiveMembers,
}

fn within(links: Links, group: GroupId) -> Within {
    match links {
        Links::Members => Within::LinkedTo(group, Link::Member),
        Links::Owners => Within::LinkedTo(group, Link::Owner),
        Links::TransitiveMembers => Within::AllMembersOf(group),
    }
}

pub(super) fn links(ask: Ask<'_>, at: &Key, links: Links, cast: Option<LinkedKind>) -> Handled {
    let (group, after) = (key(at)?, render::after(&ask)?);
    let within = within(links, group);
    let service = &ask.app.service;
    let seen = service.list_links(
        ask.viewer,
        group,
        within,
        cast,
        &ask.query,
        ask.is_advanced,
        after.as_ref(),
    )??;
    objects(&ask, seen, cast)
}

pub(super) fn count_links(ask: Ask<'_>, at: &Key, links: Links) -> Handled {
    let group = key(at)?;
    ask.serves(&["$count"])?;
    let service = &ask.app.service;
    Ok(Answer::Count(service.count_links(ask.viewer, group, within(links, group), ask.is_advanced)??))
}

/// Whose groups an address asks for.
#[derive(Clone, Copy)]
pub(super) enum Who {
    Group,
    Me,
    /// `/directoryObjects`: of whatever kind.
    Object,
    ServicePrincipal,
    User,
}

pub(super) fn holder(ask: &Ask<'_>, who: Who, at: &Key) -> Result<Holder, GraphError> {
    Ok(match who {
        Who::Group => Holder::Group(key(at)?),
        Who::Me => Holder::User(UserKey::Me),
        Who::Object => return super::objects::holder(ask, at),
        Who::ServicePrincipal => match at {
            Key::Single(text) => Holder::ServicePrincipal(text.parse().map_err(|_| GraphError::NotFound)?),
            Key::None | Key::Named(..) => return Err(GraphError::NotFound),
        },
        Who::User => Holder::User(super::users::key(at)?),
    })
}

pub(super) fn memberships(
    ask: Ask<'_>,
    at: &Key,
    who: Who,
    is_transitive: bool,
    cast: Option<LinkedKind>,
) -> Handled {
    let (holder, after) = (holder(&ask, who, at)?, render::after(&ask)?);
    let Ask { app, viewer, query, is_advanced, .. } = &ask;
    let seen = app.service.list_memberships(
        viewer,
        &holder,
        is_transitive,
        cast,
        query,
        *is_advanced,
        after.as_ref(),
    )??;
    objects(&ask, seen, cast)
}

/// How objects of several kinds are shown to the caller, each with its type (clients 25).
pub(super) struct Shown<'a> {
    seen: SeenKinds,
    tenant: &'a Tenant,
    select: Option<&'a [String]>,
    group_columns: Vec<&'static Property>,
    user_columns: Vec<&'static Property>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(
        seen: SeenKinds,
        tenant: &'a Tenant,
        select: Option<&'a [String]>,
    ) -> Result<Self, GraphError> {
        // A name that one kind has may be strange to another.
        let known = |resource: &'static Resource| -> Option<Vec<String>> {
            select.map(|names| names.iter().filter(|name| resource.find(name).is_some()).cloned().collect())
        };
        let columns = |resource, visibility: Option<Visibility>| {
            let visibility = visibility.unwrap_or(Visibility::Limited);
            query::columns(resource, known(resource).as_deref(), visibility).map_err(DirectoryRefusal::Query)
        };
        let group_columns = columns(&GROUP, seen.groups)?;
        let user_columns = columns(&USER, seen.users)?;
        Ok(Self { seen, tenant, select, group_columns, user_columns })
    }

    /// Without the right to read a kind only ids are shown, as on Graph.
    pub(super) fn value(&self, linked: &Linked) -> Value {
        let Self { seen, tenant, select, group_columns, user_columns } = self;
        let only_id =
            |kind: &str, id: String| json!({ "@odata.type": format!("#microsoft.graph.{kind}"), "id": id });
        match linked {
            Linked::Application(app) if seen.applications.is_none() => {
                only_id("application", app.registration.id.to_string())
            }
            Linked::Application(app) => {
                let body = render::typed("application", applications::body(app));
                super::organization::selected(body, *select)
            }
            Linked::Group(group) if seen.groups.is_none() => only_id("group", group.id.to_string()),
            Linked::Group(group) => render::typed("group", body(group, group_columns)).into(),
            Linked::Role(role) => {
                let body = render::typed("directoryRole", directory_roles::body(tenant.id, role));
                super::organization::selected(body, *select)
            }
            Linked::ServicePrincipal(row) if seen.service_principals.is_none() => {
                only_id("servicePrincipal", row.instance.id.to_string())
            }
            Linked::ServicePrincipal(row) => {
                let body = render::typed("servicePrincipal", service_principals::body(row));
                super::organization::selected(body, *select)
            }
            Linked::User(user) if seen.users.is_none() => only_id("user", user.id.to_string()),
            Linked::User(user) => render::typed("user", render::user(user, user_columns, tenant)).into(),
        }
    }
}

/// A page of objects of several kinds.
pub(super) fn objects(ask: &Ask<'_>, seen: LinkedPage, cast: Option<LinkedKind>) -> Handled {
    let LinkedPage { page, seen, tenant } = seen;
    let shown = Shown::new(seen, &tenant, ask.query.select.as_deref())?;
    let set = match cast {
        None => "directoryObjects",
        Some(LinkedKind::Application) => "applications",
        Some(LinkedKind::Group) => "groups",
        Some(LinkedKind::ServicePrincipal) => "servicePrincipals",
        Some(LinkedKind::User) => "users",
    };
    let values = page.items.iter().map(|linked| shown.value(linked)).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(ask, set, values, page.next, page.count)))
}

/// `getMemberGroups` and `getMemberObjects`.
pub(super) fn member_groups(ask: Ask<'_>, at: &Key, who: Who, has_roles: bool) -> Handled {
    let reader = Reader::new(&ask.body, &["securityEnabledOnly"])?;
    let is_security_only = reader.flag("securityEnabledOnly")?.unwrap_or(false);
    let ids =
        ask.app.service.member_groups(ask.viewer, &holder(&ask, who, at)?, is_security_only, has_roles)??;
    Ok(ids_of(&ask, ids))
}

/// `checkMemberGroups` and `checkMemberObjects`: which of the ids the object is in.
pub(super) fn check_groups(ask: Ask<'_>, at: &Key, who: Who, has_roles: bool) -> Handled {
    let name = if has_roles { "ids" } else { "groupIds" };
    let reader = Reader::new(&ask.body, &[name])?;
    let asked = reader.texts(name)?.unwrap_or_default();
    if asked.is_empty() || asked.len() > CHECKED {
        return Err(GraphError::Body(format!("Give 1 to {CHECKED} ids in '{name}'.")));
    }
    let asked: Option<BTreeSet<Uuid>> = asked.iter().map(|id| Uuid::parse_str(id).ok()).collect();
    let asked = asked.ok_or_else(|| GraphError::Body(format!("'{name}' holds what is no id.")))?;
    let ids = ask.app.service.member_groups(ask.viewer, &holder(&ask, who, at)?, false, has_roles)??;
    Ok(ids_of(&ask, ids.into_iter().filter(|id| asked.contains(id)).collect()))
}

fn ids_of(ask: &Ask<'_>, ids: Vec<Uuid>) -> Answer {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let base = &ask.app.service.settings().base;
    let context = format!("{base}/v1.0/$metadata#Collection(Edm.String)");
    Answer::Json(StatusCode::OK, json!({ "@odata.context": context, "value": ids }))
}
