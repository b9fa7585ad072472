//! The sign-in pages: reads a form's answer, asks the service for progress, shows it.

use super::view::{
    AccountPicker, AccountTile, AdminConsentPage, ApprovalPage, AskAdministratorPage, ChangePasswordPage,
    Chrome, ConfirmDevicePage, ConsentPage, Form, MessagePage, NamePage, PasswordPage, RedemptionConsentPage,
    ScopeLine, StaySignedInPage,
};
use super::{Look, too_large};
use crate::oauth::{admin_consent, authorize};
use crate::{App, edge};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::id::AttemptId;
use domain::issuance::Denial;
use domain::issuance::consent_request::Refusal;
use domain::signin::next::NameProblem;
use http::StatusCode;
use service::TenantSegment;
use service::signin::{Answer, Asks, Browser, ConsentView, Page, PasswordProblem, Progress, ScopeView};
use standards::oauth::params::Params;

/// Longest name that is looked up.
const LONGEST_NAME: usize = 254;

/// Takes the answer of any sign-in page.
pub(crate) async fn submit(
    State(app): State<App>,
    Path(segment): Path<String>,
    request: Request,
) -> Response {
    let moment = edge::moment(&app, request.headers(), edge::peer(&request));
    let browser = edge::browser(request.headers());
    let is_own = edge::is_own_origin(request.headers(), &app.service.settings().base);
    let mut look = Look::new(&app, &moment, browser);
    let tenant = match app.service.find_tenant(&segment) {
        Ok(TenantSegment::One(tenant)) => Some(tenant),
        Ok(TenantSegment::Any) => None,
        Ok(TenantSegment::Consumers | TenantSegment::Unknown) => {
            return look.refuse(None, Denial::FlowExpired).await;
        }
        Err(fault) => return look.fault(fault),
    };
    let params = match edge::form(request).await.map(|body| Params::parse(&body)) {
        Some(Ok(params)) => params,
        Some(Err(error)) => return look.refuse_request(tenant.as_deref(), &error.into()).await,
        None => return look.refuse_request(tenant.as_deref(), &too_large()).await,
    };
    let take = |name| params.take(name).ok().flatten();
    let attempt = take("attempt").and_then(|id| id.parse::<AttemptId>().ok());
    let proof = take("proof").unwrap_or_default();
    // The form must come from our own page in the browser that the sign-in began in.
    let proved = match (browser, attempt) {
        (Some(browser), Some(attempt)) if is_own && browser.is_form_proof(attempt, proof) => {
            Some((browser, attempt))
        }
        (_, _) => None,
    };
    let Some((browser, attempt)) = proved else {
        return look.refuse(tenant.as_deref(), Denial::FlowExpired).await;
    };
    let answer = answer(&params);
    if let Answer::StaySignedIn(stays) = answer {
        look.stays = Some(stays);
    }
    match app.service.submit(tenant.map(|tenant| tenant.id), attempt, answer, browser, &moment).await {
        Ok(progress) => show(&look, progress),
        Err(fault) => look.fault(fault),
    }
}

/// What the pressed button and the fields say. Anything unknown goes back to the first page.
fn answer(params: &Params) -> Answer {
    let take = |name| params.take(name).ok().flatten();
    if let Some(account) = take("account") {
        let (tenant, session) = account.split_once('.').unwrap_or(("", account));
        if let Ok(session) = session.parse() {
            return Answer::PickSession { tenant: tenant.parse().ok(), session };
        }
    }
    match take("action") {
        Some("next") => {
            let login = take("login").unwrap_or_default().trim();
            Answer::Name(login.chars().take(LONGEST_NAME).collect())
        }
        Some("signin") => Answer::Password(take("password").unwrap_or_default().to_owned()),
        Some("change") => {
            let (new, again) =
                (take("new_password").unwrap_or_default(), take("confirm_password").unwrap_or_default());
            // Two different texts are no password: the page says so by its rules.
            Answer::ChangePassword { new: if new == again { new.to_owned() } else { String::new() } }
        }
        Some("stay_yes") => Answer::StaySignedIn(true),
        Some("stay_no") => Answer::StaySignedIn(false),
        Some("accept") if params.has("redemption") => Answer::Redemption { accepted: true },
        Some("cancel") if params.has("redemption") => Answer::Redemption { accepted: false },
        Some("accept") => {
            let shown = take("shown").unwrap_or_default().to_owned();
            Answer::Consent { accepted: true, for_organization: params.has("for_organization"), shown }
        }
        Some("cancel") => Answer::Consent { accepted: false, for_organization: false, shown: String::new() },
        Some("device_yes") => Answer::Device { confirmed: true },
        Some("device_no") => Answer::Device { confirmed: false },
        Some("request") => Answer::ApprovalReason(take("reason").unwrap_or_default().to_owned()),
        Some("other") => Answer::OtherAccount,
        Some(_) | None => Answer::Back,
    }
}

/// Shows where the sign-in stands.
pub(crate) fn show(look: &Look<'_>, progress: Progress) -> Response {
    let is_lasting = matches!(&progress, Progress::ToClient(to_client)
        if to_client.outcome.as_ref().is_ok_and(|granted| granted.is_persistent));
    // A session that lasts is used: the cookie that it hangs on lasts as long from now.
    let look = &Look { stays: look.stays.or(is_lasting.then_some(true)), ..*look };
    let response = match progress {
        Progress::AdminConsent(answer) => admin_consent::answer(&answer, look),
        Progress::ToClient(to_client) => authorize::answer(&to_client, look.app, look.moment),
        Progress::ToHome { url } => authorize::redirect_to(&url),
        Progress::ToPortal { tenant } => {
            authorize::redirect_to(&format!("{}/myapps?tenant={tenant}", look.app.service.settings().base))
        }
        Progress::Redeemed { url, is_known: true, .. } => authorize::redirect_to(&url),
        Progress::Redeemed { tenant, url, is_known: false } => {
            let host = url::Url::parse(&url)
                .ok()
                .and_then(|url| url.host_str().map(str::to_owned))
                .unwrap_or_default();
            let page = super::view::GoOnPage { chrome: look.chrome(Some(&tenant)), host, url };
            super::html(StatusCode::OK, &page)
        }
        Progress::ApprovalAsked { tenant, app_name } => {
            let title = "Request sent".to_owned();
            let text = format!(
                "The reviewers of {} were asked to approve {app_name}. You get a mail with their answer. You can close this window.",
                tenant.display_name
            );
            look.page(
                StatusCode::OK,
                &MessagePage { chrome: look.chrome(Some(&tenant)), title, text, link: None },
            )
        }
        Progress::DeviceDone { tenant, app_name } => {
            let title = "Your device is signed in".to_owned();
            let text = format!("{app_name} goes on by itself. You can close this window.");
            look.page(
                StatusCode::OK,
                &MessagePage { chrome: look.chrome(Some(&tenant)), title, text, link: None },
            )
        }
        Progress::Refused(refused) => look.denied(refused.tenant.as_deref(), refused.denial),
        Progress::Page(page) => match look.browser {
            Some(browser) => ask(look, *page, browser),
            None => look.denied(page.tenant.as_deref(), Denial::FlowExpired),
        },
    };
    with_cookie(look, response)
}

/// Redirects carry the cookie, too.
fn with_cookie(look: &Look<'_>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if !headers.contains_key(http::header::SET_COOKIE)
        && let Some(cookie) = look.cookie()
    {
        headers.append(http::header::SET_COOKIE, cookie);
    }
    response
}

fn ask(look: &Look<'_>, page: Page, browser: Browser) -> Response {
    let base = &look.app.service.settings().base;
    let segment = page.tenant.as_ref().map_or_else(|| "common".to_owned(), |tenant| tenant.id.to_string());
    let form = Form {
        action_url: format!("{base}/{segment}/login"),
        attempt: page.attempt.to_string(),
        proof: browser.form_proof(page.attempt),
    };
    let chrome = look.chrome(page.tenant.as_deref());
    let login = page.login.unwrap_or_default();
    let app_name = page.app_name;
    let ok = StatusCode::OK;
    match page.asks {
        Asks::Name { problem } => {
            let error = problem.map(|NameProblem::Unknown| {
                "We do not know an organisation for this name. Check the spelling, or use another account.".to_owned()
            });
            look.page(ok, &NamePage { chrome, form, login, error, app_name })
        }
        Asks::Pick { accounts } => {
            let accounts = accounts
                .into_iter()
                .map(|account| AccountTile {
                    value: format!("{}.{}", account.tenant, account.session),
                    name: account.display_name,
                    sign_in_name: account.sign_in_name,
                })
                .collect();
            look.page(ok, &AccountPicker { chrome, form, accounts, app_name })
        }
        Asks::Password { problem } => {
            let error = problem.map(|problem| match problem {
                PasswordProblem::TooManyAttempts => {
                    "There were too many wrong passwords. Wait a quarter of an hour and try again.".to_owned()
                }
                PasswordProblem::Wrong => {
                    "Name or password is not right. If you do not remember your password, ask your administrator.".to_owned()
                }
            });
            look.page(ok, &PasswordPage { chrome, form, login, error })
        }
        Asks::NewPassword { problem } => {
            let rules =
                "At least 8 characters, of at least three kinds: lower case, upper case, digits, symbols."
                    .to_owned();
            look.page(
                ok,
                &ChangePasswordPage { chrome, form, login, error: problem.map(str::to_owned), rules },
            )
        }
        Asks::Device { user, publisher, address } => {
            let page = ConfirmDevicePage {
                app_name: app_name.unwrap_or_default(),
                publisher,
                login: user.sign_in_name,
                address,
                chrome,
                form,
            };
            look.page(ok, &page)
        }
        Asks::StaySignedIn { user } => {
            look.page(ok, &StaySignedInPage { chrome, form, login: user.sign_in_name })
        }
        Asks::Administrator { user } => {
            let page = AskAdministratorPage {
                chrome,
                form,
                app_name: app_name.unwrap_or_default(),
                login: user.sign_in_name,
            };
            look.page(ok, &page)
        }
        Asks::Approval(view) => {
            let page = ApprovalPage {
                chrome,
                form,
                app_name: app_name.unwrap_or_default(),
                publisher: view.publisher,
                login: view.user.sign_in_name,
                obstacle: view.obstacle.map(refused_request).map(str::to_owned),
                error: view.problem.map(refused_request).map(str::to_owned),
            };
            look.page(ok, &page)
        }
        Asks::Consent(view) => {
            let shown = browser.shown_proof(page.attempt, &view.shown);
            let app_name = app_name.unwrap_or_default();
            consent(look, *view, shown, chrome, form, app_name)
        }
        Asks::Redemption { user, home_name } => {
            let tenant = page.tenant.as_deref();
            let domain = tenant.and_then(|tenant| tenant.default_domain());
            let page = RedemptionConsentPage {
                inviting: chrome.tenant_name.clone(),
                inviting_domain: domain.map(ToString::to_string).unwrap_or_default(),
                domain_verified: tenant.is_some_and(domain::tenancy::tenant::Tenant::is_verified),
                home_name,
                login: user.sign_in_name,
                privacy_url: tenant.and_then(|tenant| tenant.settings.privacy_statement_url.clone()),
                chrome,
                form,
            };
            look.page(ok, &page)
        }
    }
}

fn refused_request(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::AlreadyAsked => {
            "You asked for this application already. You get a mail as soon as a reviewer has answered."
        }
        Refusal::ApplicationBlocked => {
            "An administrator blocked this application. It cannot be asked for from here."
        }
        Refusal::NotOffered => "Requests are not taken any more. Ask an administrator of your organisation.",
        Refusal::ReasonInvalid => "Write why you need the application: 1 to 500 characters of plain text.",
        Refusal::TooMany => {
            "Too many requests are open. Wait a day, or ask an administrator of your organisation."
        }
    }
}

fn consent(
    look: &Look<'_>,
    view: ConsentView,
    shown: String,
    chrome: Chrome,
    form: Form,
    app_name: String,
) -> Response {
    let lines = |scopes: Vec<ScopeView>| {
        let line = |scope: ScopeView| ScopeLine {
            title: scope.title,
            description: scope.description,
            admin: scope.is_admin_only,
            through: scope.through,
        };
        scopes.into_iter().map(line).collect()
    };
    let ConsentView { publisher, has_changed, .. } = view;
    let (login, scopes) = (view.user.sign_in_name, lines(view.scopes));
    if view.is_for_all {
        let roles = lines(view.roles);
        let page =
            AdminConsentPage { chrome, form, shown, has_changed, app_name, publisher, login, scopes, roles };
        return look.page(StatusCode::OK, &page);
    }
    let on_behalf_possible = view.can_consent_for_all;
    let page = ConsentPage {
        chrome,
        form,
        shown,
        has_changed,
        app_name,
        publisher,
        login,
        scopes,
        on_behalf_possible,
    };
    look.page(StatusCode::OK, &page)
}
