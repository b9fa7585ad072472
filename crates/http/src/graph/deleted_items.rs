//! `/directory/deletedItems`: users and applications, 30 days.

use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, organization, render, users};
use http::StatusCode;
use serde_json::{Map, Value};
use service::applications::{Among, ApplicationRefusal};
use service::directory::DirectoryRefusal;
use standards::odata::path::Key;
use uuid::Uuid;

fn typed(kind: &str, body: Map<String, Value>) -> Map<String, Value> {
    let mut typed = Map::new();
    typed.insert("@odata.type".to_owned(), format!("#microsoft.graph.{kind}").into());
    typed.extend(body);
    typed
}

pub(super) fn list_users(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let (page, plan, tenant) =
        ask.app.service.list_deleted_users(ask.viewer, &ask.query, ask.is_advanced, after.as_ref())??;
    let users = page
        .items
        .iter()
        .map(|user| typed("user", render::user(user, &plan.columns, &tenant)).into())
        .collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "users", users, page.next, page.count)))
}

pub(super) fn list_applications(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let Ask { app, viewer, query, is_advanced, .. } = &ask;
    let page =
        app.service.list_applications(viewer, query, *is_advanced, after.as_ref(), Among::Deleted)??;
    let one = |app| {
        organization::selected(typed("application", applications::body(&ask, app)), query.select.as_deref())
    };
    let values = page.items.iter().map(one).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "applications", values, page.next, page.count)))
}

fn id(key: &Key) -> Result<Uuid, GraphError> {
    match key {
        Key::Single(text) => Uuid::parse_str(text).map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

/// Whether a refusal only says that the item is not one of that kind.
fn is_elsewhere(refusal: &DirectoryRefusal) -> bool {
    *refusal == DirectoryRefusal::NotFound
}

pub(super) fn get(ask: &Ask<'_>, key: &Key) -> Handled {
    let id = id(key)?;
    match ask.app.service.find_deleted_user(ask.viewer, id)? {
        Ok(seen) => Ok(Answer::Json(StatusCode::OK, typed("user", users::entity(ask, &seen)?).into())),
        Err(refusal) if !is_elsewhere(&refusal) => Err(refusal.into()),
        Err(refusal) => match ask.app.service.find_deleted_application(ask.viewer, id)? {
            Ok(app) => {
                Ok(Answer::Json(StatusCode::OK, typed("application", applications::body(ask, &app)).into()))
            }
            Err(_) => Err(refusal.into()),
        },
    }
}

pub(super) async fn purge(ask: Ask<'_>, key: &Key) -> Handled {
    let id = id(key)?;
    match ask.app.service.purge_application(ask.viewer, id, ask.moment).await? {
        Ok(()) => Ok(Answer::NoContent),
        Err(ApplicationRefusal::NotFound | ApplicationRefusal::Permission(_)) => {
            ask.app.service.purge_user(ask.viewer, id, ask.moment).await??;
            Ok(Answer::NoContent)
        }
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn restore(ask: Ask<'_>, key: &Key) -> Handled {
    let id = id(key)?;
    match ask.app.service.restore_application(ask.viewer, id, ask.moment).await? {
        Ok(app) => {
            let body = typed("application", applications::body(&ask, &app));
            Ok(Answer::Json(StatusCode::OK, organization::selected(body, ask.query.select.as_deref())))
        }
        Err(ApplicationRefusal::NotFound | ApplicationRefusal::Permission(_)) => {
            let seen = ask.app.service.restore_user(ask.viewer, id, ask.moment).await??;
            Ok(Answer::Json(StatusCode::OK, typed("user", users::entity(&ask, &seen)?).into()))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
