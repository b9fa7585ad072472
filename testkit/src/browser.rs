//! A browser without scripts: keeps cookies, follows redirects on our origin, fills forms.

use crate::{Answer, BASE, World};
use axum::body::Body;
use http::{Request, StatusCode, header};
use service::seed::WorldApplication;
use standards::{b64, crypto};

/// The PKCE verifier of every test sign-in.
pub(crate) const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-0";

/// Someone's browser.
pub struct Browser<'a> {
    world: &'a World,
    pub cookies: Vec<(String, String)>,
    /// Names of the cookies that outlive the browser's closing.
    lasting: Vec<String>,
}

/// Where the browser is.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub text: String,
    /// Where it was sent when that is not our origin: an application's address.
    pub left_to: Option<String>,
}

impl Page {
    /// The value of a field of the page's form.
    pub fn field(&self, name: &str) -> Option<String> {
        let start = self.text.find(&format!("name=\"{name}\""))?;
        let rest = self.text.get(start..)?.split_once("value=\"")?.1;
        Some(unescape(rest.split_once('"')?.0))
    }
    fn action(&self) -> Option<String> {
        let rest = self.text.split_once("action=\"")?.1;
        Some(unescape(rest.split_once('"')?.0))
    }
    /// A parameter of the address that the browser left to.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(self.left_to.as_deref()?).unwrap();
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
    pub fn asks_for(&self, field: &str) -> bool {
        self.text.contains(&format!("name=\"{field}\""))
    }
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#x26;", "&")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world, cookies: Vec::new(), lasting: Vec::new() }
    }

    /// Closes the browser and opens it again: only cookies with a `Max-Age` are still there.
    pub fn restart(&mut self) {
        self.cookies.retain(|(name, _)| self.lasting.contains(name));
    }

    /// Opens an address and follows redirects.
    pub async fn get(&mut self, url: &str) -> Page {
        let request = Request::get(url);
        let answer = self.exchange(request, Body::empty()).await;
        self.follow(answer).await
    }

    /// Posts fields to an address of ours and follows redirects.
    pub async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, BASE);
        let answer = self.exchange(request, Body::from(body)).await;
        self.follow(answer).await
    }

    /// Presses a button of the page's form.
    pub async fn press(&mut self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let url = page.action().unwrap_or_else(|| panic!("no form on: {}", page.text));
        let mut all: Vec<(String, String)> = Vec::new();
        for hidden in ["attempt", "proof", "redemption", "shown", "token"] {
            if let Some(value) = page.field(hidden) {
                all.push((hidden.to_owned(), value));
            }
        }
        all.push(("action".to_owned(), action.to_owned()));
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let all: Vec<(&str, &str)> =
            all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(&url, &all).await
    }

    /// Answers name, password and "stay signed in?" as a person of the world, whichever come.
    pub async fn sign_in(&mut self, mut page: Page, name: &str) -> Page {
        let password = self.world.user(name).password.clone().unwrap();
        if page.text.contains("value=\"next\"") {
            page = self.press(&page, "next", &[("login", name)]).await;
        }
        if page.text.contains("value=\"signin\"") {
            page = self.press(&page, "signin", &[("password", &password)]).await;
        }
        if page.text.contains("value=\"stay_no\"") {
            page = self.press(&page, "stay_no", &[]).await;
        }
        page
    }

    /// An authorization request of an application, as its library would make it.
    pub fn authorize_url(
        &self,
        domain: &str,
        app: &WorldApplication,
        scope: &str,
        extra: &[(&str, &str)],
    ) -> String {
        let id = app.app_id.unwrap().to_string();
        let challenge = b64::encode(&crypto::sha256(&[VERIFIER.as_bytes()]));
        let mut url = url::Url::parse(&format!("{BASE}/{domain}/oauth2/v2.0/authorize")).unwrap();
        url.query_pairs_mut().extend_pairs([
            ("client_id", id.as_str()),
            ("response_type", "code"),
            ("redirect_uri", app.redirect_uris.first().unwrap()),
            ("scope", scope),
            ("state", "a|state"),
            ("nonce", "a-nonce"),
            ("client_info", "1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        url.query_pairs_mut().extend_pairs(extra);
        url.into()
    }

    /// Signs in to an application, consents where asked, and answers the code.
    pub async fn code_for(
        &mut self,
        domain: &str,
        app: &WorldApplication,
        name: &str,
        scope: &str,
    ) -> String {
        let url = self.authorize_url(domain, app, scope, &[]);
        let page = self.get(&url).await;
        let mut page = self.sign_in(page, name).await;
        if page.text.contains("value=\"accept\"") {
            page = self.press(&page, "accept", &[]).await;
        }
        if page.text.contains("value=\"stay_no\"") {
            page = self.press(&page, "stay_no", &[]).await;
        }
        page.parameter("code").unwrap_or_else(|| panic!("no code: {page:?}"))
    }

    /// The cookies as a browser sends them.
    pub fn cookie_line(&self) -> String {
        let line: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        line.join("; ")
    }

    async fn exchange(&mut self, mut request: http::request::Builder, body: Body) -> Answer {
        if !self.cookies.is_empty() {
            request = request.header(header::COOKIE, self.cookie_line());
        }
        let answer = self.world.send(request.body(body).unwrap()).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.lasting.retain(|known| known != name);
            if attributes.contains("Max-Age=") {
                self.lasting.push(name.to_owned());
            }
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        answer
    }

    async fn follow(&mut self, mut answer: Answer) -> Page {
        for _ in 0..10 {
            let Some(location) = answer.location().map(str::to_owned) else {
                return Page { status: answer.status, text: answer.text, left_to: None };
            };
            if !location.starts_with(BASE) {
                return Page { status: answer.status, text: answer.text, left_to: Some(location) };
            }
            answer = self.exchange(Request::get(&location), Body::empty()).await;
        }
        panic!("redirected in a circle");
    }
}
