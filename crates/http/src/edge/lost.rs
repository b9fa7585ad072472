//! Answers of the door itself: nothing is at the address, the method is not served there, a handler broke. Clients parse
//! whatever comes from the token endpoint and Graph, so each surface speaks its own form here, too (clients 7, 23).

use crate::graph::error::GraphError;
use crate::oauth::error::OAuthError;
use crate::pages::Look;
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use service::{Fault, Moment};
use standards::oauth::authorize::RequestError;
use standards::oauth::error::ErrorCode;

/// What an address is answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    Graph,
    Page,
    Protocol,
}

impl Speech {
    pub(crate) fn of(path: &str) -> Self {
        let is_below =
            |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if ["/v1.0", "/beta", "/graph/v1.0"].iter().any(|root| is_below(root)) {
            return Self::Graph;
        }
        let is_for_people = ["/authorize", "/logout", "/nativeclient"].iter().any(|end| path.ends_with(end));
        let is_protocol = ["/oidc", "/metadata", "/subscriptions"].iter().any(|root| is_below(root))
            || ["/oauth2/", "/discovery/", "/.well-known/"].iter().any(|part| path.contains(part));
        if is_protocol && !is_for_people { Self::Protocol } else { Self::Page }
    }
}

/// Nothing is at the address.
pub(crate) async fn nowhere(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let words = ("There is nothing at this address", "No page of this service has this address.");
    answer(&app, &request, &moment, StatusCode::NOT_FOUND, GraphError::NotFound, words)
}

/// Something is at the address, but not for this method. Which methods are served stands in `Allow`.
pub(crate) async fn wrong_method(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let words = ("This address cannot be used like that", "It does not take requests of this method.");
    answer(&app, &request, &moment, StatusCode::METHOD_NOT_ALLOWED, GraphError::Method, words)
}

fn answer(
    app: &App,
    request: &Request,
    moment: &Moment,
    status: StatusCode,
    on_graph: GraphError,
    (title, happened): (&'static str, &'static str),
) -> Response {
    let base = &app.service.settings().base;
    match Speech::of(request.uri().path()) {
        Speech::Graph => on_graph.respond(base, &moment.origin.correlation.to_string(), moment),
        Speech::Page => {
            let next = "Check the address, or go back to where you came from.";
            Look::new(app, moment, None).error(None, status, 90_023, title, happened, next)
        }
        Speech::Protocol => {
            let error = RequestError::new(ErrorCode::InvalidRequest, 90_023, format!("{title}."));
            let mut response = OAuthError::from(error).respond(app, moment);
            *response.status_mut() = status;
            response
        }
    }
}

/// A handler panicked: a fault of ours, and nobody hears more than that.
pub(crate) fn broken(app: &App, speech: Speech, moment: &Moment) -> Response {
    let fault = Fault::Bug("a handler panicked");
    match speech {
        Speech::Graph => {
            let base = &app.service.settings().base;
            GraphError::Fault(fault).respond(base, &moment.origin.correlation.to_string(), moment)
        }
        Speech::Page => Look::new(app, moment, None).fault(fault),
        Speech::Protocol => OAuthError::from(fault).respond(app, moment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_read_json_and_people_pages() {
        for (path, speech) in [
            ("/v1.0", Speech::Graph),
            ("/v1.0/", Speech::Graph),
            ("/beta/users", Speech::Graph),
            ("/graph/v1.0/users", Speech::Graph),
            ("/v1.0x", Speech::Page),
            ("/contoso.test/oauth2/v2.0/token", Speech::Protocol),
            ("/contoso.test/oauth2/token", Speech::Protocol),
            ("/contoso.test/discovery/v2.0/keys", Speech::Protocol),
            ("/contoso.test/v2.0/.well-known/openid-configuration", Speech::Protocol),
            ("/oidc/userinfo", Speech::Protocol),
            ("/metadata/endpoints", Speech::Protocol),
            ("/contoso.test/oauth2/v2.0/authorize", Speech::Page),
            ("/contoso.test/oauth2/v2.0/logout", Speech::Page),
            ("/myapps", Speech::Page),
            ("/", Speech::Page),
        ] {
            assert_eq!(Speech::of(path), speech, "{path}");
        }
    }
}
