//! A user's manager, reports and sponsors, what the user owns, owners of applications, and the end of sessions.

use super::groups::{self, object, reference_of};
use super::{Answer, Ask, Handled, objects, render};
use http::StatusCode;
use serde_json::json;
use service::directory::UserKey;
use service::owners::Owned;
use service::relations::Relation;

pub(super) fn list(ask: &Ask<'_>, key: &UserKey, relation: Relation) -> Handled {
    let after = render::after(ask)?;
    let Ask { app, viewer, query, is_advanced, .. } = ask;
    let service = &app.service;
    let seen = service.list_related(viewer, key, relation, None, query, *is_advanced, after.as_ref())??;
    groups::objects(ask, seen, None)
}

pub(super) fn manager(ask: &Ask<'_>, key: &UserKey) -> Handled {
    let seen = ask.app.service.find_manager(ask.viewer, key)??;
    objects::entity(ask, &seen)
}

pub(super) async fn set_manager(ask: Ask<'_>, key: UserKey) -> Handled {
    let manager = reference_of(&ask)?;
    ask.app.service.set_manager(ask.viewer, key, manager, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn clear_manager(ask: Ask<'_>, key: UserKey) -> Handled {
    ask.app.service.clear_manager(ask.viewer, key, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn add_sponsor(ask: Ask<'_>, key: UserKey) -> Handled {
    let sponsor = reference_of(&ask)?;
    ask.app.service.add_sponsor(ask.viewer, key, sponsor, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn remove_sponsor(ask: Ask<'_>, key: UserKey, part: Option<&str>) -> Handled {
    ask.app.service.remove_sponsor(ask.viewer, key, object(part)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) fn owners(ask: &Ask<'_>, owned: Owned) -> Handled {
    let after = render::after(ask)?;
    let Ask { app, viewer, query, is_advanced, .. } = ask;
    let seen = app.service.list_owners(viewer, owned, None, query, *is_advanced, after.as_ref())??;
    groups::objects(ask, seen, None)
}

pub(super) async fn add_owner(ask: Ask<'_>, owned: Owned) -> Handled {
    let owner = reference_of(&ask)?;
    ask.app.service.add_owner(ask.viewer, owned, owner, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn remove_owner(ask: Ask<'_>, owned: Owned, part: Option<&str>) -> Handled {
    ask.app.service.remove_owner(ask.viewer, owned, object(part)?, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn revoke_sessions(ask: Ask<'_>, key: UserKey) -> Handled {
    ask.app.service.revoke_sessions(ask.viewer, key, ask.moment).await??;
    let context = render::context(&ask, "Edm.Boolean", false);
    Ok(Answer::Json(StatusCode::OK, json!({ "@odata.context": context, "value": true })))
}
