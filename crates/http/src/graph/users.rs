//! `/users` and `/me`.

use super::error::GraphError;
use super::expand::{self, Expansion};
use super::{Answer, Ask, Handled, body, groups, render};
use domain::directory::change::ChangeRefusal;
use domain::directory::permission::Visibility;
use domain::directory::property::USER;
use domain::directory::query;
use domain::directory::user::User;
use http::StatusCode;
use serde_json::{Map, Value};
use service::directory::{DirectoryRefusal, NewUser, SeenUser, UserKey, UserPatch};
use service::expand::Reached;
use standards::odata::path::Key;
use uuid::Uuid;

/// An id, or a sign-in name.
pub(super) fn key(key: &Key) -> Result<UserKey, GraphError> {
    match key {
        Key::Single(text) => Ok(match text.parse() {
            Ok(id) => UserKey::Id(id),
            Err(_) => UserKey::Name(text.clone()),
        }),
        Key::Named(name, text) if name == "userPrincipalName" => Ok(UserKey::Name(text.clone())),
        Key::None | Key::Named(..) => Err(GraphError::NotFound),
    }
}

pub(super) fn list(ask: Ask<'_>) -> Handled {
    let (after, expansion) = (render::after(&ask)?, Expansion::of_users(&ask)?);
    let query = ask.query.unexpanded();
    let (page, plan, tenant) =
        ask.app.service.list_users(ask.viewer, &query, ask.is_advanced, after.as_ref())??;
    let with_id = |user: &User| (user.id.uuid(), render::user(user, &plan.columns, &tenant));
    let mut users: Vec<_> = page.items.iter().map(with_id).collect();
    expand::fill(&ask, expansion, Reached::Users, &mut users)?;
    let users = users.into_iter().map(|(_, user)| user.into()).collect();
    Ok(Answer::Json(StatusCode::OK, render::collection(&ask, "users", users, page.next, page.count)))
}

pub(super) fn count(ask: Ask<'_>) -> Handled {
    Ok(Answer::Count(ask.app.service.count_users(ask.viewer, &ask.query, ask.is_advanced)??))
}

pub(super) fn entity(ask: &Ask<'_>, seen: &SeenUser) -> Result<Map<String, Value>, GraphError> {
    let columns = query::columns(&USER, ask.query.select.as_deref(), seen.visibility)
        .map_err(DirectoryRefusal::Query)?;
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(ask, "users", true).into());
    body.extend(render::user(&seen.user, &columns, &seen.tenant));
    Ok(body)
}

pub(super) fn get(ask: Ask<'_>, key: UserKey) -> Handled {
    let seen = ask.app.service.find_user(ask.viewer, &key)??;
    // COMPAT: clients that ask for all managers count, as the documentation says (Graph: list manager).
    let counted: &[&str] = if ask.query.expand.is_some() { &["$count"] } else { &[] };
    ask.serves(&[&["$expand", "$select"], counted].concat())?;
    let expansion = Expansion::of_user(&ask)?;
    let reached =
        if matches!(key, UserKey::Me) { Reached::Me } else { Reached::User(seen.user.id, seen.visibility) };
    let mut found = [(seen.user.id.uuid(), entity(&ask, &seen)?)];
    expand::fill(&ask, expansion, reached, &mut found)?;
    let [(_, body)] = found;
    Ok(Answer::Json(StatusCode::OK, body.into()))
}

pub(super) fn sponsors(ask: Ask<'_>, key: UserKey) -> Handled {
    let seen = ask.app.service.list_sponsors(ask.viewer, &key)??;
    ask.serves(&["$select"])?;
    groups::objects(&ask, seen, None)
}

/// Whom the body links as the manager.
fn manager(ask: &Ask<'_>) -> Result<Option<Uuid>, GraphError> {
    const NAME: &str = "manager@odata.bind";
    match ask.body.get(NAME) {
        None => Ok(None),
        Some(Value::String(address)) => groups::reference(ask, address, groups::LINKED).map(Some),
        Some(_) => Err(ChangeRefusal::WrongType(NAME.to_owned()).into()),
    }
}

pub(super) async fn create(ask: Ask<'_>) -> Handled {
    let (password, must_change_password) = body::password(&ask.body)?;
    let changes = body::user_changes(&ask.body, &["passwordProfile"])?;
    // A selection that cannot be answered is refused before anything is made.
    query::columns(&USER, ask.query.select.as_deref(), Visibility::Full).map_err(DirectoryRefusal::Query)?;
    let new = NewUser { changes, manager: manager(&ask)?, password, must_change_password };
    let seen = ask.app.service.create_user(ask.viewer, new, ask.moment).await??;
    Ok(Answer::Json(StatusCode::CREATED, entity(&ask, &seen)?.into()))
}

pub(super) async fn patch(ask: Ask<'_>, key: UserKey) -> Handled {
    let (password, must_change_password) = body::password(&ask.body)?;
    let changes = body::user_changes(&ask.body, &["passwordProfile"])?;
    let patch = UserPatch { changes, manager: manager(&ask)?, password, must_change_password };
    ask.app.service.update_user(ask.viewer, &key, patch, ask.moment).await??;
    Ok(Answer::NoContent)
}

pub(super) async fn delete(ask: Ask<'_>, key: UserKey) -> Handled {
    ask.app.service.delete_user(ask.viewer, &key, ask.moment).await??;
    Ok(Answer::NoContent)
}
