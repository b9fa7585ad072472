//! `/directory/deletedItems`: users, groups and applications, 30 days.

use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, groups, organization, render, users};
use domain::directory::permission::Visibility;
use domain::directory::property::{APPLICATION, GROUP, USER};
use domain::directory::query;
use domain::id::GroupId;
use http::StatusCode;
use serde_json::Value;
use service::applications::{Among, ApplicationRefusal, SeenApplication};
use service::directory::{DeletedKind, DirectoryRefusal};
use standards::odata::path::Key;
use uuid::Uuid;

pub(super) fn list_users(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let (page, plan, tenant) =
        ask.app.service.list_deleted_users(ask.viewer, &ask.query, ask.is_advanced, after.as_ref())??;
    let users = page
        .items
        .iter()
        .map(|user| render::typed("user", render::user(user, &plan.columns, &tenant)).into())
        .collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "users", users, page.next, page.count)))
}

pub(super) fn list_applications(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let Ask { app, viewer, query, is_advanced, .. } = &ask;
    let page =
        app.service.list_applications(viewer, query, *is_advanced, after.as_ref(), Among::Deleted)??;
    let values = page.items.iter().map(|app| application(&ask, app)).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "applications", values, page.next, page.count)))
}

fn application(ask: &Ask<'_>, app: &SeenApplication) -> Result<Value, GraphError> {
    let selected = applications::selected(ask, applications::body(app))?;
    Ok(render::typed("application", applications::object(selected)).into())
}

fn id(key: &Key) -> Result<Uuid, GraphError> {
    match key {
        Key::Single(text) => Uuid::parse_str(text).map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

pub(super) fn get(ask: &Ask<'_>, key: &Key) -> Handled {
    let (id, service) = (id(key)?, &ask.app.service);
    let user = || -> Result<Value, GraphError> {
        let seen = service.find_deleted_user(ask.viewer, id)??;
        Ok(render::typed("user", users::entity(ask, &seen)?).into())
    };
    let body = match service.deleted_kind(ask.viewer, id)? {
        DeletedKind::Application => match service.find_deleted_application(ask.viewer, id)? {
            Ok(app) => application(ask, &app)?,
            // Whoever may not see it hears what is said of nothing at all (R23).
            Err(_) => user()?,
        },
        DeletedKind::Group => match service.find_deleted_group(ask.viewer, id)? {
            Ok(seen) => render::typed("group", groups::entity(ask, &seen)?).into(),
            Err(_) => user()?,
        },
        DeletedKind::User => user()?,
    };
    ask.serves(&["$select"])?;
    Ok(Answer::Json(StatusCode::OK, body))
}

pub(super) async fn purge(ask: Ask<'_>, key: &Key) -> Handled {
    let (id, service) = (id(key)?, &ask.app.service);
    match service.deleted_kind(ask.viewer, id)? {
        DeletedKind::Application => match service.purge_application(ask.viewer, id, ask.moment).await? {
            Err(ApplicationRefusal::Permission(_)) => {
                service.purge_user(ask.viewer, id, ask.moment).await??;
            }
            outcome => outcome?,
        },
        DeletedKind::Group => match service.purge_group(ask.viewer, GroupId::new(id), ask.moment).await? {
            Err(DirectoryRefusal::Permission(_)) => {
                service.purge_user(ask.viewer, id, ask.moment).await??;
            }
            outcome => outcome?,
        },
        DeletedKind::User => service.purge_user(ask.viewer, id, ask.moment).await??,
    }
    Ok(Answer::NoContent)
}

pub(super) async fn restore(ask: Ask<'_>, key: &Key) -> Handled {
    let (id, service) = (id(key)?, &ask.app.service);
    let kind = service.deleted_kind(ask.viewer, id)?;
    let resource = match kind {
        DeletedKind::Application => &APPLICATION,
        DeletedKind::Group => &GROUP,
        DeletedKind::User => &USER,
    };
    // A selection that cannot be answered is refused before anything is restored.
    query::columns(resource, ask.query.select.as_deref(), Visibility::Full)
        .map_err(DirectoryRefusal::Query)?;
    let user = async || -> Result<Value, GraphError> {
        let seen = service.restore_user(ask.viewer, id, ask.moment).await??;
        Ok(render::typed("user", users::entity(&ask, &seen)?).into())
    };
    let body = match kind {
        DeletedKind::Application => match service.restore_application(ask.viewer, id, ask.moment).await? {
            Ok(app) => {
                let body = render::typed("application", applications::body(&app));
                organization::selected(body, ask.query.select.as_deref())
            }
            Err(ApplicationRefusal::Permission(_)) => user().await?,
            Err(refusal) => return Err(refusal.into()),
        },
        DeletedKind::Group => match service.restore_group(ask.viewer, GroupId::new(id), ask.moment).await? {
            Ok(seen) => render::typed("group", groups::entity(&ask, &seen)?).into(),
            Err(DirectoryRefusal::Permission(_)) => user().await?,
            Err(refusal) => return Err(refusal.into()),
        },
        DeletedKind::User => user().await?,
    };
    Ok(Answer::Json(StatusCode::OK, body))
}
