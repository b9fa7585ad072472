//! Answers in Graph's own names and types (facts: graph §1, graph-contract).

use super::{Ask, error::GraphError};
use domain::directory::property::{Property, Source};
use domain::directory::query::Position;
use domain::directory::user::User;
use domain::tenancy::tenant::Tenant;
use domain::time::Timestamp;
use serde_json::{Map, Value, json};
use service::directory::DirectoryRefusal;

pub(super) fn time(at: Timestamp) -> String {
    standards::time::rfc3339(at.millis())
}

/// The address that explains an answer's form: `…/$metadata#users/$entity`, with the selection if there was one.
pub(super) fn context(ask: &Ask<'_>, set: &str, is_entity: bool) -> String {
    let base = &ask.app.service.settings().base;
    let selection =
        ask.query.select.as_ref().map(|names| format!("({})", names.join(","))).unwrap_or_default();
    let entity = if is_entity { "/$entity" } else { "" };
    format!("{base}/v1.0/$metadata#{set}{selection}{entity}")
}

/// A collection's answer with its next link.
pub(super) fn collection(
    ask: &Ask<'_>,
    set: &str,
    values: Vec<Value>,
    next: Option<Position>,
    count: Option<i64>,
) -> Value {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), context(ask, set, false).into());
    if let Some(count) = count {
        body.insert("@odata.count".to_owned(), count.into());
    }
    if let Some(next) = next {
        body.insert("@odata.nextLink".to_owned(), next_link(ask, &next).into());
    }
    body.insert("value".to_owned(), values.into());
    Value::Object(body)
}

/// The next page's address: the same listing, and a token that fits it only (clients 22).
fn next_link(ask: &Ask<'_>, next: &Position) -> String {
    let listing = listing(ask);
    let joint = if ask.query.listing.is_empty() { "?" } else { "&" };
    let token = ask.app.service.skip_token(ask.viewer, &listing, next);
    format!("{listing}{joint}%24skiptoken={token}")
}

/// The address of a listing with its options.
fn listing(ask: &Ask<'_>) -> String {
    let Ask { address, query, .. } = ask;
    if query.listing.is_empty() { address.clone() } else { format!("{address}?{}", query.listing) }
}

/// The position to go on from; `None` without a token.
pub(super) fn after(ask: &Ask<'_>) -> Result<Option<Position>, GraphError> {
    let Some(token) = &ask.query.skiptoken else { return Ok(None) };
    let position = ask.app.service.read_skip_token(ask.viewer, &listing(ask), token);
    position.map(Some).ok_or(GraphError::Directory(DirectoryRefusal::SkipToken))
}

/// An object with its type: lists that hold several kinds tell them apart by it (clients 25).
pub(super) fn typed(kind: &str, body: Map<String, Value>) -> Map<String, Value> {
    let mut typed = Map::new();
    typed.insert("@odata.type".to_owned(), format!("#microsoft.graph.{kind}").into());
    typed.extend(body);
    typed
}

/// A user with the chosen properties.
pub(super) fn user(user: &User, columns: &[&'static Property], tenant: &Tenant) -> Map<String, Value> {
    columns.iter().map(|property| (property.name.to_owned(), user_value(user, property, tenant))).collect()
}

fn user_value(user: &User, property: &Property, tenant: &Tenant) -> Value {
    match property.source {
        Source::AccountEnabled => user.is_enabled.into(),
        Source::BusinessPhones => user.business_phones.clone().into(),
        Source::Created => time(user.created_at).into(),
        Source::CreationType => user.creation.map(|creation| creation.as_str()).into(),
        Source::Deleted => user.deleted_at.map(time).into(),
        Source::DisplayName => user.display_name.clone().into(),
        Source::ExternalState => user.external.as_ref().map(|external| external.state.as_str()).into(),
        Source::ExternalStateChanged => {
            user.external.as_ref().map(|external| time(external.changed_at)).into()
        }
        Source::Id => user.id.to_string().into(),
        Source::Identities => identities(user, tenant),
        Source::LastPasswordChange => user.last_password_change_at.map(time).into(),
        Source::Mail => user.mail.clone().into(),
        Source::MailNickname => user.mail_nickname.clone().into(),
        // Users have no such properties.
        Source::Named => Value::Null,
        Source::OtherMails => user.other_mails.clone().into(),
        Source::Profile => user.profile.get(property.name).cloned().into(),
        Source::ProxyAddresses => user.proxy_addresses.clone().into(),
        // Nobody had a session before there was an account.
        Source::SessionsValidFrom => time(user.sessions_valid_from.max(user.created_at)).into(),
        Source::ShowInAddressList => user.is_shown_in_address_list.into(),
        Source::SignInName => user.sign_in_name.clone().into(),
        Source::UserType => user.user_type.as_str().into(),
    }
}

/// The local name, and after redemption where the person authenticates; never which tenant (facts: b2b §3).
fn identities(user: &User, tenant: &Tenant) -> Value {
    let issuer = tenant.initial_domain().map(ToString::to_string).unwrap_or_default();
    let mut identities = vec![json!({
        "signInType": "userPrincipalName",
        "issuer": issuer,
        "issuerAssignedId": user.sign_in_name,
    })];
    if user.identity.is_some() {
        identities.push(
            json!({ "signInType": "federated", "issuer": "ExternalAzureAD", "issuerAssignedId": null }),
        );
    }
    identities.into()
}
