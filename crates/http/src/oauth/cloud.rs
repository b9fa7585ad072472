//! What tools made for clouds ask before they sign in: Azure CLI (`az cloud register`, `az login`) and Terraform's
//! `metadata_host`. Public: it names this deployment's own addresses and nothing else.

use super::discovery::cacheable;
use crate::App;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use standards::oauth::params::Params;

/// From this version on the answer is one cloud, before it was a list of clouds.
const ONE_CLOUD: &str = "2022-09-01";

/// The endpoints of this cloud, as Azure Resource Manager publishes them: one host is all of them here.
pub(crate) async fn endpoints(State(app): State<App>, request: Request) -> Response {
    let settings = app.service.settings();
    let base: &str = &settings.base;
    let cloud = json!({
        "name": &*settings.cloud_instance_name,
        "portal": format!("{base}/myapps"),
        "authentication": {
            "loginEndpoint": base,
            "audiences": [base],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": base,
        "graph": base,
        "graphAudience": base,
        "microsoftGraphResourceId": base,
        "suffixes": {},
    });
    let params = Params::parse(request.uri().query().unwrap_or_default().as_bytes()).ok();
    let version = params.as_ref().and_then(|params| params.take("api-version").ok().flatten());
    // Versions are dates, so their order is that of text.
    cacheable(&if version.is_none_or(|version| version >= ONE_CLOUD) { cloud } else { json!([cloud]) })
}

/// A directory without Azure has no subscriptions.
// COMPAT: `az login --allow-no-subscriptions` asks nevertheless, and stops at anything but a list.
pub(crate) async fn subscriptions() -> Response {
    cacheable(&json!({ "value": Vec::<Value>::new() }))
}
