//! `/directoryObjects`, and what everybody may know of an organisation (Graph:
//! directoryObject, tenantInformation).

use super::applications::object;
use super::body::Reader;
use super::error::GraphError;
use super::{Answer, Ask, Handled, groups, organization, render};
use domain::directory::group::LinkedKind;
use domain::id::{ApplicationId, GroupId, ServicePrincipalId, UserId};
use http::StatusCode;
use serde_json::{Map, Value, json};
use service::applications::{ApplicationKey, ApplicationRefusal, InstanceKey};
use service::directory::{DirectoryRefusal, UserKey};
use service::groups::{Holder, LinkedPage};
use service::objects::OrganizationKey;
use standards::odata::path::Key;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Ids asked for at once (facts: limits §7).
const IDS: usize = 1_000;

/// One object that may be of any kind.
pub(super) fn entity(ask: &Ask<'_>, seen: &LinkedPage) -> Handled {
    let shown = groups::Shown::new(seen.seen, &seen.tenant, ask.query.select.as_deref())?;
    let Some(Value::Object(found)) = seen.page.items.first().map(|linked| shown.value(linked)) else {
        return Err(GraphError::NotFound);
    };
    ask.serves(&["$select"])?;
    let mut entity = Map::new();
    entity.insert("@odata.context".to_owned(), render::context(ask, "directoryObjects", true).into());
    entity.extend(found);
    Ok(Answer::Json(StatusCode::OK, entity.into()))
}

/// `getByIds`: the objects of a list of ids; ids of nothing are left out.
pub(super) fn by_ids(ask: &Ask<'_>) -> Handled {
    let reader = Reader::new(&ask.body, &["ids", "types"])?;
    let ids = reader.texts("ids")?.unwrap_or_default();
    if ids.is_empty() || ids.len() > IDS {
        return Err(GraphError::Body("Give 1 to 1,000 ids in 'ids'.".to_owned()));
    }
    let ids: Option<BTreeSet<Uuid>> = ids.iter().map(|id| Uuid::parse_str(id).ok()).collect();
    let ids = ids.ok_or_else(|| GraphError::Body("'ids' holds what is no id.".to_owned()))?;
    let types = reader.texts("types")?.filter(|types| !types.is_empty());
    // Kinds that are not kept here have no objects.
    let kind = |name: &String| match name.trim_start_matches("microsoft.graph.").to_lowercase().as_str() {
        "application" => Some(LinkedKind::Application),
        "group" => Some(LinkedKind::Group),
        "serviceprincipal" => Some(LinkedKind::ServicePrincipal),
        "user" => Some(LinkedKind::User),
        _ => None,
    };
    let is_any = |name: &String| name.to_lowercase().ends_with("directoryobject");
    let types = types.filter(|types| !types.iter().any(is_any));
    let kinds: Option<Vec<LinkedKind>> = types.map(|types| types.iter().filter_map(kind).collect());
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let seen = ask.app.service.find_objects(ask.viewer, &ids, kinds.as_deref())??;
    ask.serves(&["$select"])?;
    groups::objects(ask, seen, None)
}

fn id(key: &Key) -> Result<Uuid, GraphError> {
    match key {
        Key::Single(text) => Uuid::parse_str(text).map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

pub(super) fn get(ask: &Ask<'_>, at: &Key) -> Handled {
    let seen = ask.app.service.find_objects(ask.viewer, &[id(at)?], None)??;
    entity(ask, &seen)
}

/// Whose memberships are asked for, where the address does not say of which kind the object is.
pub(super) fn holder(ask: &Ask<'_>, at: &Key) -> Result<Holder, GraphError> {
    let id = id(at)?;
    Ok(match ask.app.service.object_kind(ask.viewer, id)? {
        Some(LinkedKind::Group) => Holder::Group(GroupId::new(id)),
        Some(LinkedKind::ServicePrincipal) if ask.app.service.may_read_instances(ask.viewer) => {
            Holder::ServicePrincipal(ServicePrincipalId::new(id))
        }
        // Nothing at all, what may not be read and what is in no group is answered like a user who is not there (R23).
        Some(LinkedKind::Application | LinkedKind::ServicePrincipal | LinkedKind::User) | None => {
            Holder::User(UserKey::Id(UserId::new(id)))
        }
    })
}

/// Deletes an object as its own address does, and with the rights that are needed there.
pub(super) async fn delete(ask: Ask<'_>, at: &Key) -> Handled {
    let (id, service, viewer) = (id(at)?, &ask.app.service, ask.viewer);
    let denied = match service.object_kind(viewer, id)? {
        Some(LinkedKind::Application) => {
            let key = ApplicationKey::Id(ApplicationId::new(id));
            match service.delete_application(viewer, key, ask.moment).await? {
                Err(ApplicationRefusal::Permission(_)) => true,
                outcome => outcome.map(|()| false)?,
            }
        }
        Some(LinkedKind::Group) => match service.delete_group(viewer, GroupId::new(id), ask.moment).await? {
            Err(DirectoryRefusal::Permission(_)) => true,
            outcome => outcome.map(|()| false)?,
        },
        Some(LinkedKind::ServicePrincipal) => {
            let key = InstanceKey::Id(ServicePrincipalId::new(id));
            match service.delete_service_principal(viewer, key, ask.moment).await? {
                Err(ApplicationRefusal::Permission(_)) => true,
                outcome => outcome.map(|()| false)?,
            }
        }
        Some(LinkedKind::User) | None => true,
    };
    // Whoever may not hears what is said of nothing at all (R23).
    if denied {
        service.delete_user(viewer, &UserKey::Id(UserId::new(id)), ask.moment).await??;
    }
    Ok(Answer::NoContent)
}

/// `findTenantInformationByTenantId` and `…ByDomainName`.
pub(super) fn organization_information(ask: &Ask<'_>, at: &Key) -> Handled {
    let key = match at {
        Key::Named(name, value) if name == "domainName" => OrganizationKey::Domain(value.clone()),
        Key::Named(name, value) if name == "tenantId" => OrganizationKey::Id(value.clone()),
        Key::Named(..) | Key::None | Key::Single(_) => return Err(GraphError::NotFound),
    };
    let tenant = ask.app.service.find_organization(ask.viewer, &key)??;
    ask.serves(&["$select"])?;
    let context = render::context(ask, "microsoft.graph.tenantInformation", false);
    let body = object(json!({
        "@odata.context": context,
        "tenantId": tenant.id.to_string(),
        "federationBrandName": null,
        "displayName": tenant.display_name,
        "defaultDomainName": tenant.default_domain().map(ToString::to_string),
    }));
    Ok(Answer::Json(StatusCode::OK, organization::selected(body, ask.query.select.as_deref())))
}
