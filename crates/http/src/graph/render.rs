//! Answers in Graph's own names and types (facts: graph §1, graph-contract).

use super::{Ask, error::GraphError};
use domain::directory::property::{Source, UserProperty};
use domain::directory::user::User;
use domain::tenancy::tenant::Tenant;
use domain::time::Timestamp;
use serde_json::{Map, Value, json};
use service::directory::DirectoryRefusal;
use standards::{b64, crypto};

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
    next: Option<i64>,
    count: Option<i64>,
) -> Value {
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), context(ask, set, false).into());
    if let Some(count) = count {
        body.insert("@odata.count".to_owned(), count.into());
    }
    if let Some(next) = next {
        body.insert("@odata.nextLink".to_owned(), next_link(ask, next).into());
    }
    body.insert("value".to_owned(), values.into());
    Value::Object(body)
}

/// The next page's address: the same listing, and a token that fits it only (clients 22).
fn next_link(ask: &Ask<'_>, after: i64) -> String {
    let Ask { address, query, .. } = ask;
    let joint = if query.listing.is_empty() { "" } else { "&" };
    format!("{address}?{}{joint}%24skiptoken={}", query.listing, skip_token(ask, after))
}

/// Key and a mark of the listing and tenant, so that a token of another query, tenant or making is refused. It holds
/// nothing secret and grants nothing: every page asks for leave again.
fn skip_token(ask: &Ask<'_>, after: i64) -> String {
    let mark = mark(ask, after);
    let token: Vec<u8> = after.to_be_bytes().into_iter().chain(mark.into_iter().take(8)).collect();
    b64::encode(&token)
}

fn mark(ask: &Ask<'_>, after: i64) -> [u8; 32] {
    let tenant = ask.viewer.tenant.uuid();
    let listing = crypto::sha256(&[ask.address.as_bytes(), b"?", ask.query.listing.as_bytes()]);
    crypto::sha256(&[b"skip token", tenant.as_bytes(), &listing, &after.to_be_bytes()])
}

/// The key to go on from; 0 without a token.
pub(super) fn after(ask: &Ask<'_>) -> Result<i64, GraphError> {
    let Some(token) = &ask.query.skiptoken else { return Ok(0) };
    let refused = || GraphError::Directory(DirectoryRefusal::SkipToken);
    let bytes = b64::decode(token).filter(|bytes| bytes.len() == 16).ok_or_else(refused)?;
    let (key, presented) = bytes.split_at(8);
    let after = i64::from_be_bytes(key.try_into().map_err(|_| refused())?);
    let expected = mark(ask, after);
    let is_own = expected.get(..8).is_some_and(|expected| crypto::constant_time_eq(expected, presented));
    if is_own && after >= 0 { Ok(after) } else { Err(refused()) }
}

/// A user with the chosen properties.
pub(super) fn user(user: &User, columns: &[&'static UserProperty], tenant: &Tenant) -> Map<String, Value> {
    columns.iter().map(|property| (property.name.to_owned(), user_value(user, property, tenant))).collect()
}

fn user_value(user: &User, property: &UserProperty, tenant: &Tenant) -> Value {
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
        Source::OtherMails => user.other_mails.clone().into(),
        Source::Profile => user.profile.get(property.name).cloned().into(),
        Source::ProxyAddresses => user.proxy_addresses.clone().into(),
        Source::SessionsValidFrom => time(user.sessions_valid_from).into(),
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
