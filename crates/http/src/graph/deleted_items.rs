//! `/directory/deletedItems`: users, groups, applications and service principals, 30 days.

use super::error::GraphError;
use super::{Answer, Ask, Handled, applications, groups, organization, render, service_principals, users};
use domain::directory::group::LinkedKind;
use domain::directory::permission::Visibility;
use domain::directory::property::{APPLICATION, GROUP, SERVICE_PRINCIPAL, USER};
use domain::directory::query;
use domain::id::GroupId;
use http::StatusCode;
use serde_json::{Map, Value};
use service::applications::ApplicationRefusal;
use service::deleted;
use service::directory::DirectoryRefusal;
use standards::odata::path::Key;
use uuid::Uuid;

pub(super) fn list_users(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let Ask { app, viewer, query, is_advanced, moment, .. } = &ask;
    let (page, plan, tenant) =
        app.service.list_deleted_users(viewer, query, *is_advanced, after.as_ref(), moment.now)??;
    let users = page
        .items
        .iter()
        .map(|user| render::typed("user", render::user(user, &plan.columns, &tenant)).into())
        .collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "users", users, page.next, page.count)))
}

pub(super) fn list_applications(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let Ask { app, viewer, query, is_advanced, moment, .. } = &ask;
    let bin = deleted::bin(moment.now);
    let page = app.service.list_applications(viewer, query, *is_advanced, after.as_ref(), bin)??;
    let show = |app| shown(&ask, "application", applications::body(app));
    let values = page.items.iter().map(show).collect::<Result<_, _>>()?;
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "applications", values, page.next, page.count)))
}

pub(super) fn list_service_principals(ask: Ask<'_>) -> Handled {
    let after = render::after(&ask)?;
    let Ask { app, viewer, query, is_advanced, moment, .. } = &ask;
    let bin = deleted::bin(moment.now);
    let page = app.service.list_service_principals(viewer, query, *is_advanced, after.as_ref(), bin)??;
    let show = |row| shown(&ask, "servicePrincipal", service_principals::body(row));
    let values = page.items.iter().map(show).collect::<Result<_, _>>()?;
    let body = render::collection(&ask, "servicePrincipals", values, page.next, page.count);
    Ok(Answer::Json(StatusCode::OK, body))
}

/// An object that is rendered whole, as far as it was selected.
fn shown(ask: &Ask<'_>, kind: &str, body: Map<String, Value>) -> Result<Value, GraphError> {
    let selected = applications::selected(ask, body)?;
    Ok(render::typed(kind, applications::object(selected)).into())
}

fn id(key: &Key) -> Result<Uuid, GraphError> {
    match key {
        Key::Single(text) => Uuid::parse_str(text).map_err(|_| GraphError::NotFound),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

/// Every kind shares one address. Whoever may not do this to what lies there hears what is said of nothing at all: what
/// is said of a user who is not there (R23).
fn unless_hidden<T>(outcome: Result<T, impl Into<GraphError>>) -> Result<Option<T>, GraphError> {
    match outcome.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(
            GraphError::Application(ApplicationRefusal::Permission(_))
            | GraphError::Directory(DirectoryRefusal::Permission(_)),
        ) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

pub(super) fn get(ask: &Ask<'_>, key: &Key) -> Handled {
    let (id, now, Ask { viewer, app, .. }) = (id(key)?, ask.moment.now, ask);
    let service = &app.service;
    let found = match service.deleted_kind(viewer, id, now)? {
        Some(LinkedKind::Application) => unless_hidden(service.find_deleted_application(viewer, id, now)?)?
            .map(|app| shown(ask, "application", applications::body(&app)))
            .transpose()?,
        Some(LinkedKind::Group) => unless_hidden(service.find_deleted_group(viewer, id, now)?)?
            .map(|seen| Ok::<_, GraphError>(render::typed("group", groups::entity(ask, &seen)?).into()))
            .transpose()?,
        Some(LinkedKind::ServicePrincipal) => {
            unless_hidden(service.find_deleted_service_principal(viewer, id, now)?)?
                .map(|row| shown(ask, "servicePrincipal", service_principals::body(&row)))
                .transpose()?
        }
        Some(LinkedKind::User) | None => None,
    };
    let body = match found {
        Some(body) => body,
        None => {
            let seen = service.find_deleted_user(viewer, id, now)??;
            render::typed("user", users::entity(ask, &seen)?).into()
        }
    };
    ask.serves(&["$select"])?;
    Ok(Answer::Json(StatusCode::OK, body))
}

pub(super) async fn purge(ask: Ask<'_>, key: &Key) -> Handled {
    let (id, Ask { viewer, moment, app, .. }) = (id(key)?, &ask);
    let service = &app.service;
    let purged = match service.deleted_kind(viewer, id, moment.now)? {
        Some(LinkedKind::Application) => unless_hidden(service.purge_application(viewer, id, moment).await?)?,
        Some(LinkedKind::Group) => {
            unless_hidden(service.purge_group(viewer, GroupId::new(id), moment).await?)?
        }
        Some(LinkedKind::ServicePrincipal) => {
            unless_hidden(service.purge_service_principal(viewer, id, moment).await?)?
        }
        Some(LinkedKind::User) | None => None,
    };
    if purged.is_none() {
        service.purge_user(viewer, id, moment).await??;
    }
    Ok(Answer::NoContent)
}

pub(super) async fn restore(ask: Ask<'_>, key: &Key) -> Handled {
    let (id, Ask { viewer, moment, app, .. }) = (id(key)?, &ask);
    let service = &app.service;
    let kind = service.deleted_kind(viewer, id, moment.now)?;
    let resource = match kind {
        Some(LinkedKind::Application) => &APPLICATION,
        Some(LinkedKind::Group) => &GROUP,
        Some(LinkedKind::ServicePrincipal) => &SERVICE_PRINCIPAL,
        Some(LinkedKind::User) | None => &USER,
    };
    // A selection that cannot be answered is refused before anything is restored.
    let select = ask.query.select.as_deref();
    query::columns(resource, select, Visibility::Full).map_err(DirectoryRefusal::Query)?;
    let whole = |kind, body| organization::selected(render::typed(kind, body), select);
    let restored = match kind {
        Some(LinkedKind::Application) => {
            let app = unless_hidden(service.restore_application(viewer, id, moment).await?)?;
            app.map(|app| whole("application", applications::body(&app)))
        }
        Some(LinkedKind::Group) => {
            let seen = unless_hidden(service.restore_group(viewer, GroupId::new(id), moment).await?)?;
            seen.map(|seen| Ok::<_, GraphError>(render::typed("group", groups::entity(&ask, &seen)?).into()))
                .transpose()?
        }
        Some(LinkedKind::ServicePrincipal) => {
            let row = unless_hidden(service.restore_service_principal(viewer, id, moment).await?)?;
            row.map(|row| whole("servicePrincipal", service_principals::body(&row)))
        }
        Some(LinkedKind::User) | None => None,
    };
    let body = match restored {
        Some(body) => body,
        None => {
            let seen = service.restore_user(viewer, id, moment).await??;
            render::typed("user", users::entity(&ask, &seen)?).into()
        }
    };
    Ok(Answer::Json(StatusCode::OK, body))
}
