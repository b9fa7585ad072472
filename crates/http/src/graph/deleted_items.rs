//! `/directory/deletedItems`: users and applications, 30 days.

use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, organization, render, users};
use http::StatusCode;
use serde_json::{Map, Value};
use service::applications::{ApplicationRefusal, SeenApplication};
use service::directory::DirectoryRefusal;
use standards::odata::path::Key;
use uuid::Uuid;

fn typed(kind: &str, body: Map<String, Value>) -> Value {
    let mut typed = Map::new();
    typed.insert("@odata.type".to_owned(), format!("#microsoft.graph.{kind}").into());
    typed.extend(body);
    typed.into()
}

pub(super) fn list_users(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let (page, plan, tenant) =
        ask.app.service.list_deleted_users(ask.viewer, &ask.query, ask.is_advanced, after)??;
    let users =
        page.users.iter().map(|user| typed("user", render::user(user, &plan.columns, &tenant))).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "users", users, page.next, page.count)))
}

pub(super) fn list_applications(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let (apps, next) = ask.app.service.list_applications(ask.viewer, &ask.query, after, true)??;
    let values = apps.iter().map(|app| application(&ask, app)).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "applications", values, next, None)))
}

fn application(ask: &Ask<'_>, app: &SeenApplication) -> Result<Value, GraphError> {
    let selected = applications::selected(ask, applications::body(ask, app))?;
    Ok(typed("application", applications::object(selected)))
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
        Ok(seen) => {
            ask.serves(&["$select"])?;
            Ok(Answer::Json(StatusCode::OK, typed("user", users::entity(ask, &seen)?)))
        }
        Err(refusal) if !is_elsewhere(&refusal) => Err(refusal.into()),
        Err(refusal) => match ask.app.service.find_deleted_application(ask.viewer, id)? {
            Ok(app) => {
                ask.serves(&["$select"])?;
                Ok(Answer::Json(StatusCode::OK, application(ask, &app)?))
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
            let Value::Object(body) = body else { return Err(GraphError::NotFound) };
            Ok(Answer::Json(StatusCode::OK, organization::selected(body, ask.query.select.as_deref())))
        }
        Err(ApplicationRefusal::NotFound | ApplicationRefusal::Permission(_)) => {
            let seen = ask.app.service.restore_user(ask.viewer, id, ask.moment).await??;
            Ok(Answer::Json(StatusCode::OK, typed("user", users::entity(&ask, &seen)?)))
        }
        Err(refusal) => Err(refusal.into()),
    }
}
