//! `/organization/{id}/branding`: the default branding, which is the only one; `Accept-Language` chooses nothing.

use super::body::Reader;
use super::error::GraphError;
use super::organization::{is_own, selected};
use super::{Answer, Ask, Handled, render};
use crate::pages::assets;
use domain::tenancy::branding::Change;
use domain::tenancy::tenant::Tenant;
use http::StatusCode;
use serde_json::{Map, Value, json};
use standards::odata::path::Key;
use std::sync::Arc;

/// The caller's organisation, if it has branding at all (Graph: get organizationalBranding, 404 without).
fn branded(ask: &Ask<'_>, key: &Key) -> Result<Arc<Tenant>, GraphError> {
    is_own(ask, key)?;
    let tenant = ask.app.service.branding(ask.viewer)??;
    let settings = &tenant.settings;
    let is_set =
        settings.accent_color.is_some() || settings.logo.is_some() || settings.sign_in_text.is_some();
    if is_set { Ok(tenant) } else { Err(GraphError::NotFound) }
}

pub(super) fn get(ask: &Ask<'_>, key: &Key) -> Handled {
    let tenant = branded(ask, key)?;
    ask.serves(&["$select"])?;
    let logo = assets::logo_address(&tenant);
    // The two are joined with `https://` and a slash by whoever shows the picture; there is no other network than us.
    let base = &ask.app.service.settings().base;
    let host = logo.as_ref().map(|_| base.trim_start_matches("https://"));
    let Value::Object(found) = json!({
        "id": "0",
        "backgroundColor": tenant.settings.accent_color,
        "backgroundImageRelativeUrl": null,
        "bannerLogoRelativeUrl": logo.as_deref().map(|address| address.trim_start_matches('/')),
        "cdnList": Vec::from_iter(host),
        "signInPageText": tenant.settings.sign_in_text,
        "squareLogoRelativeUrl": null,
        "usernameHintText": null,
    }) else {
        return Err(GraphError::NotFound);
    };
    let mut body = Map::new();
    body.insert("@odata.context".to_owned(), render::context(ask, "branding", false).into());
    body.extend(found);
    Ok(Answer::Json(StatusCode::OK, selected(body, ask.query.select.as_deref())))
}

pub(super) async fn patch(ask: Ask<'_>, key: &Key) -> Handled {
    is_own(&ask, key)?;
    let reader = Reader::new(&ask.body, &["backgroundColor", "signInPageText"])?;
    // COMPAT: Graph's own examples take a text away with "" or " ".
    let text = |name| Ok::<_, GraphError>(reader.text(name)?.filter(|text| !text.trim().is_empty()));
    let mut changes = Vec::new();
    if ask.body.contains_key("backgroundColor") {
        changes.push(Change::AccentColor(text("backgroundColor")?));
    }
    if ask.body.contains_key("signInPageText") {
        changes.push(Change::SignInText(text("signInPageText")?));
    }
    update(&ask, changes).await
}

async fn update(ask: &Ask<'_>, changes: Vec<Change>) -> Handled {
    ask.app.service.update_branding(ask.viewer, changes, ask.moment).await??;
    Ok(Answer::NoContent)
}

/// The picture; nothing where there is other branding only (Graph: get organizationalBrandingLocalization, example 4).
pub(super) fn get_logo(ask: &Ask<'_>, key: &Key) -> Handled {
    let tenant = branded(ask, key)?;
    ask.serves(&[])?;
    Ok(match &tenant.settings.logo {
        None => Answer::Stream("application/octet-stream", Vec::new()),
        Some(logo) => Answer::Stream(logo.kind.as_str(), logo.bytes.clone()),
    })
}

pub(super) async fn put_logo(ask: Ask<'_>, key: &Key) -> Handled {
    is_own(&ask, key)?;
    update(&ask, vec![Change::Logo(Some(ask.stream.to_vec()))]).await
}

pub(super) async fn delete_logo(ask: Ask<'_>, key: &Key) -> Handled {
    is_own(&ask, key)?;
    update(&ask, vec![Change::Logo(None)]).await
}
