//! The line that every request leaves in the log: which address in which tenant, how it was answered, how long it took.
//!
//! Addresses hold names and queries hold tickets, so the line has the template only, and nothing else that came with the
//! request but method and correlation id. For the log alone: no answer depends on what stands here.

use crate::App;
use domain::entropy::Entropy;
use domain::id::TenantId;
use domain::time::Timestamp;
use http::{Method, StatusCode, Uri};
use service::TenantSegment;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use tokio::task::futures::TaskLocalFuture;
use uuid::Uuid;

tokio::task_local! {
    static NOTES: Notes;
}

/// What handlers noted of the request in hand. A request is one task, so nothing has to be passed down for it.
#[derive(Default)]
pub(crate) struct Notes {
    correlation: Cell<Option<Uuid>>,
    tenant: Cell<Option<TenantId>>,
    template: RefCell<Option<String>>,
}

pub(crate) fn note_correlation(id: Uuid) {
    let _ = NOTES.try_with(|notes| notes.correlation.set(Some(id)));
}

/// For addresses that do not name their tenant.
pub(crate) fn note_tenant(tenant: TenantId) {
    let _ = NOTES.try_with(|notes| notes.tenant.set(Some(tenant)));
}

/// For addresses that the router sees as one. The first note counts: a batch is one request.
pub(crate) fn note_template(template: &str) {
    if is_written() {
        let _ = NOTES.try_with(|notes| {
            notes.template.borrow_mut().get_or_insert_with(|| template.to_owned());
        });
    }
}

/// The correlation id of the request that this thread is answering, if it is answering one.
pub fn correlation() -> Option<Uuid> {
    NOTES.try_with(|notes| notes.correlation.get()).ok().flatten()
}

fn is_written() -> bool {
    tracing::enabled!(target: "request", tracing::Level::INFO)
}

/// Runs a request with room for its notes.
pub(crate) fn noting<F: Future>(answer: F) -> TaskLocalFuture<Notes, F> {
    NOTES.scope(Notes::default(), answer)
}

/// Templates of the addresses that the router tells apart.
#[derive(Clone)]
pub(crate) struct Templates(Arc<[&'static str]>);

impl Templates {
    pub(crate) fn new(paths: impl Iterator<Item = &'static str>) -> Self {
        let mut templates: Vec<&str> = Vec::new();
        for path in paths {
            if !templates.contains(&path) {
                templates.push(path);
            }
        }
        Self(templates.into())
    }

    /// `None` for an address that nobody has: it may be anything, so it is not repeated.
    fn of(&self, path: &str) -> Option<&'static str> {
        let is_match = |template: &&&str| {
            let mut parts = path.split('/');
            template.split('/').all(|known| {
                parts.next().is_some_and(|part| known == part || (known.starts_with('{') && !part.is_empty()))
            }) && parts.next().is_none()
        };
        self.0.iter().find(is_match).copied()
    }
}

/// What is known of a request when it comes; `None` when its line is not written.
pub(crate) struct Begun {
    method: &'static str,
    uri: Uri,
    at: Timestamp,
}

/// Looks at a request before it is answered.
pub(crate) fn begin(app: &App, method: &Method, uri: &Uri) -> Option<Begun> {
    is_written().then(|| Begun { method: known(method), uri: uri.clone(), at: (app.clock)() })
}

/// A method is whatever a stranger wrote.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::DELETE => "DELETE",
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "other",
    }
}

/// Writes the line, inside `noting`.
pub(crate) fn write(app: &App, begun: &Begun, templates: &Templates, status: StatusCode) {
    let (correlation, tenant, noted) = NOTES
        .try_with(|notes| (notes.correlation.get(), notes.tenant.get(), notes.template.take()))
        .unwrap_or_default();
    let path = begun.uri.path();
    let found = templates.of(path);
    let tenant = tenant.or_else(|| tenant_of(app, found?, path));
    // What needs no moment has no id yet; the line has one all the same.
    let correlation = correlation.unwrap_or_else(|| Entropy::new((app.entropy)()).uuid("correlation"));
    let millis = (app.clock)().since(begun.at).as_millis().max(0);
    tracing::info!(
        target: "request",
        method = begun.method,
        route = noted.as_deref().or(found).unwrap_or("other"),
        status = status.as_u16(),
        tenant = tenant.map(tracing::field::display),
        correlation = %correlation,
        duration_ms = millis,
        "answered"
    );
}

/// The tenant that an address names.
fn tenant_of(app: &App, template: &str, path: &str) -> Option<TenantId> {
    let at = template.split('/').position(|part| part == "{tenant}")?;
    match app.service.find_tenant(path.split('/').nth(at)?) {
        Ok(TenantSegment::One(tenant)) => Some(tenant.id),
        Ok(TenantSegment::Any | TenantSegment::Consumers | TenantSegment::Unknown) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_the_template_that_the_router_finds() {
        let templates = Templates::new(crate::routes().iter().map(|route| route.path));
        for (path, template) in [
            ("/contoso.test/oauth2/v2.0/token", Some("/{tenant}/oauth2/v2.0/token")),
            ("/common/discovery/instance", Some("/common/discovery/instance")),
            ("/redeem", Some("/redeem")),
            ("/redeem/secret", None),
            ("//oauth2/v2.0/token", None),
            ("/secret", None),
            ("/", Some("/")),
        ] {
            assert_eq!(templates.of(path), template, "{path}");
        }
    }
}
