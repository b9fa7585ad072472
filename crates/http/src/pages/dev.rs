//! What `hospes dev` shows besides: the world, the mailbox. These addresses do not exist under `serve`.

use super::{html, view};
use crate::App;
use crate::oauth::error::json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// Mails shown at most.
const MAILS: i64 = 200;

pub(crate) async fn world(State(app): State<App>) -> Response {
    match &app.dev {
        Some(dev) => json(StatusCode::OK, &dev.world),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The start page: who and what there is.
pub(crate) async fn home(State(app): State<App>) -> Response {
    let Some(dev) = &app.dev else { return StatusCode::NOT_FOUND.into_response() };
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let tenants = list(&dev.world, "tenants")
        .iter()
        .map(|tenant| view::DevTenant {
            name: text(tenant, "displayName"),
            domain: text(tenant, "domain"),
            id: text(tenant, "id"),
            users: list(tenant, "users")
                .iter()
                .map(|user| {
                    let roles: Vec<String> =
                        list(user, "roles").iter().filter_map(Value::as_str).map(str::to_owned).collect();
                    view::DevUser {
                        name: text(user, "userPrincipalName"),
                        password: text(user, "password"),
                        roles: roles.join(", "),
                    }
                })
                .collect(),
            apps: list(tenant, "applications")
                .iter()
                .map(|app| view::DevApp {
                    kind: text(app, "kind"),
                    name: text(app, "displayName"),
                    app_id: text(app, "appId"),
                    secret: app.get("secret").and_then(Value::as_str).map(str::to_owned),
                })
                .collect(),
        })
        .collect();
    html(StatusCode::OK, &view::DevHomePage { base: app.service.settings().base.to_string(), tenants })
}

pub(crate) async fn mailbox(State(app): State<App>) -> Response {
    match app.service.recent_mail(MAILS) {
        Ok(rows) => {
            let messages = rows
                .into_iter()
                .map(|row| view::MailRow {
                    id: row.id.to_string(),
                    to: row.mail.to,
                    from: row.from,
                    subject: row.mail.subject,
                    sent: standards::time::rfc3339(row.created_at.millis()),
                    text: row.mail.text,
                })
                .collect();
            html(StatusCode::OK, &view::MailboxPage { messages })
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

pub(crate) async fn mailbox_json(State(app): State<App>) -> Response {
    match app.service.recent_mail(MAILS) {
        Ok(rows) => {
            let messages: Vec<Value> = rows
                .into_iter()
                .map(|row| {
                    json!({
                        "id": row.id,
                        "to": row.mail.to,
                        "from": row.from,
                        "subject": row.mail.subject,
                        "text": row.mail.text,
                        "html": row.mail.html,
                        "sentDateTime": standards::time::rfc3339(row.created_at.millis()),
                    })
                })
                .collect();
            json(StatusCode::OK, &json!({ "messages": messages }))
        }
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
