//! `/$metadata`: the types that are served (OData CSDL XML 4.0). Made by `cargo xtask coverage` from Graph's own types and
//! from what this server answers; everybody may read it, as Graph's.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, header};

const CSDL: &str = include_str!("metadata.xml");

pub(crate) async fn show() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/xml"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
        (HeaderName::from_static("odata-version"), "4.0"),
    ];
    (headers, CSDL).into_response()
}
