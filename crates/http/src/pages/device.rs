//! Where a person types the code that a device shows (RFC 8628 §3.3). The address never carries the code (R33).

use super::{Look, signin, too_large, view};
use crate::{App, edge};
use axum::extract::{Request, State};
use axum::response::Response;
use domain::issuance::Denial;
use http::StatusCode;
use service::device::UserCodeProblem;
use service::signin::Browser;
use standards::oauth::params::Params;

pub(crate) async fn show(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let known = edge::browser(request.headers());
    let browser = known.unwrap_or_else(|| Browser::new(&moment));
    page(&Look::new(&app, &moment, known).with(browser), browser, None)
}

fn page(look: &Look<'_>, browser: Browser, problem: Option<UserCodeProblem>) -> Response {
    let error = problem.map(|problem| match problem {
        UserCodeProblem::TooManyAttempts => {
            "There were too many wrong codes. Wait a quarter of an hour, then start again at the device.".to_owned()
        }
        UserCodeProblem::Unknown => {
            "This code is not valid. Look at the device again: codes have nine letters and are good for a quarter of an hour.".to_owned()
        }
    });
    let action_url = format!("{}/device", look.app.service.settings().base);
    let page =
        view::DevicePage { chrome: look.chrome(None), action_url, proof: browser.device_proof(), error };
    look.page(StatusCode::OK, &page)
}

pub(crate) async fn submit(State(app): State<App>, request: Request) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let is_own = edge::is_own_origin(request.headers(), &app.service.settings().base);
    let browser = edge::browser(request.headers());
    let look = Look::new(&app, &moment, browser);
    let params = match edge::form(request).await.map(|body| Params::parse(&body)) {
        Some(Ok(params)) => params,
        Some(Err(error)) => return look.refuse_request(None, &error.into()).await,
        None => return look.refuse_request(None, &too_large()).await,
    };
    let text = |name| params.take(name).ok().flatten().unwrap_or_default();
    // The code must have been typed on our own page: nobody else may send a browser here with one.
    let Some(browser) = browser.filter(|browser| is_own && browser.is_device_proof(text("proof"))) else {
        return look.refuse(None, Denial::FlowExpired).await;
    };
    match app.service.enter_user_code(text("user_code"), browser, &moment).await {
        Ok(Ok(progress)) => signin::show(&look, progress),
        Ok(Err(problem)) => page(&look, browser, Some(problem)),
        Err(fault) => look.fault(fault),
    }
}
