//! Worlds, browsers and clocks for tests: the real router over SQLite in memory, with a clock that stands still and
//! chance that is counted. Every write runs twice, as it would after a conflict.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test kit: what does not hold fails the test"
)]

mod browser;
pub mod contract;

pub use browser::{Browser, Page};
pub use service::tenants::NewPerson;

use axum::body::Body;
use domain::audit::Origin;
use domain::entropy::Entropy;
use domain::id::TenantId;
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::limits::Limits;
use domain::tenancy::tenant::{OptionalGrants, TenantSettings};
use domain::time::{Span, Timestamp};
use hospes_http::{Dev, Parts, Surface, Throttle};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use outbound::mail::Mailer;
use outbound::web::{Pages, Web};
use serde_json::{Value, json};
use service::keys::KeyRing;
use service::password::Passwords;
use service::seed::{self, WorldApplication, WorldTenant, WorldUser};
use service::{Moment, Service, Settings};
use standards::crypto;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};
use store::{Chore, Options, Place, Recorded, RootKey, Store, WriteTx};
use tower::ServiceExt;

/// The origin of test worlds.
pub const BASE: &str = "https://localhost:8443";
pub const CONTOSO: &str = "contoso.test";
pub const FABRIKAM: &str = "fabrikam.test";

/// A deployment with Contoso and Fabrikam, their people and applications.
pub struct World {
    pub service: Service,
    pub description: seed::World,
    /// What the rest of the world serves.
    web: Web,
    surface: Surface,
    clock: Arc<AtomicI64>,
    draws: Arc<AtomicU64>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.text))
    }
    /// The AADSTS number of a token error.
    pub fn code(&self) -> u64 {
        self.json()["error_codes"][0].as_u64().unwrap_or_default()
    }
    pub fn location(&self) -> Option<&str> {
        self.headers.get(header::LOCATION).and_then(|value| value.to_str().ok())
    }
}

/// What a world has of its own, where that matters.
#[derive(Default)]
pub struct Setup {
    /// Whether guests may let devices in, in every tenant.
    pub allows_device_code_for_guests: bool,
    /// Of every tenant; `everyone` if left out.
    pub allow_invites_from: Option<&'static str>,
    /// Grants that are off by default.
    pub grants: OptionalGrants,
    /// How much there may be of what.
    pub limits: Limits,
    /// As `hospes dev` serves it.
    pub is_dev: bool,
    /// Throttles Graph, at a percentage of the documented limits.
    pub throttling_percent: Option<u32>,
    pub trusted_proxies: Vec<IpAddr>,
}

impl World {
    /// As a deployment is that switches nothing on.
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        // 2026-11-23T12:00:00Z
        let clock = Arc::new(AtomicI64::new(1_795_435_200_000));
        let draws = Arc::new(AtomicU64::new(0));
        let root_key = RootKey::new([7; 32]);
        let store =
            Store::open(Options { place: Place::Memory, root_key, readers: 1, reruns: true }).unwrap();
        let moment = own_moment(&clock, &draws);
        let keys = KeyRing::open(&store, &moment).await.unwrap();
        let web = Web::in_memory();
        let mailer = Mailer::in_memory("Hospes <invites@localhost>");
        let settings = Settings {
            grants: setup.grants,
            limits: setup.limits,
            tenants_under: DomainName::parse("onhospes.test"),
            ..Settings::new(BASE)
        };
        let service =
            Service::new(store, keys, settings, Passwords::new(2).unwrap(), mailer).with_web(web.clone());
        let mut description = seed::complete(seed::built_in(), BASE, &moment.entropy).unwrap();
        for tenant in &mut description.tenants {
            tenant.allow_invites_from = setup.allow_invites_from.map(str::to_owned);
            tenant.allow_device_code_for_guests = Some(setup.allows_device_code_for_guests);
        }
        service.seed(&description, &own_moment(&clock, &draws)).await.unwrap();
        let (time, chance) = (Arc::clone(&clock), Arc::clone(&draws));
        let app = Parts {
            service: service.clone(),
            clock: Box::new(move || Timestamp::from_millis(time.load(Ordering::SeqCst))),
            entropy: Box::new(move || draw(&chance)),
            trusted_proxies: setup.trusted_proxies,
            throttle: setup.throttling_percent.map(Throttle::new),
            dev: setup.is_dev.then(|| Dev { world: serde_json::to_value(&description).unwrap() }),
        };
        Self { service, description, web, surface: Surface::new(app.into()), clock, draws }
    }

    /// Lets time pass.
    pub fn advance(&self, span: Span) {
        self.clock.fetch_add(span.as_millis(), Ordering::SeqCst);
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        let Web::Memory(pages) = &self.web else { panic!("tests ask nobody") };
        pages.lock().unwrap()
    }

    /// Puts a document at an address outside.
    pub fn serve(&self, address: &str, body: &Value) {
        self.pages().pages.insert(address.to_owned(), body.to_string().into_bytes());
    }

    /// How often anything outside was asked for.
    pub fn fetched(&self) -> usize {
        self.pages().requests
    }

    /// Sets something in a tenant that no address of ours sets.
    pub async fn set(&self, domain: &str, change: impl Fn(&mut TenantSettings) + Send + Sync + 'static) {
        let now = self.moment().now;
        let write = move |tx: &WriteTx<'_>| {
            let mut tenant = (*tx.load_tenant()?).clone();
            change(&mut tenant.settings);
            tx.update_tenant(&tenant, now)?;
            Ok(Recorded::chore(Chore::Progress, ()))
        };
        self.service.store().tenant(self.tenant_id(domain)).write(write).await.unwrap();
    }

    /// A moment of its own, for calling the service directly.
    pub fn moment(&self) -> Moment {
        own_moment(&self.clock, &self.draws)
    }

    pub fn tenant(&self, domain: &str) -> &WorldTenant {
        self.description.tenants.iter().find(|tenant| tenant.domain == domain).unwrap()
    }
    pub fn tenant_id(&self, domain: &str) -> TenantId {
        TenantId::new(self.tenant(domain).id.unwrap())
    }
    pub fn app(&self, domain: &str, kind: &str) -> &WorldApplication {
        self.tenant(domain).applications.iter().find(|app| app.kind == kind).unwrap()
    }
    pub fn user(&self, name: &str) -> &WorldUser {
        let people = self.description.tenants.iter().flat_map(|tenant| &tenant.users);
        people.into_iter().find(|user| user.user_principal_name == name).unwrap()
    }

    /// Sends one request as it is. What Graph answers must have Graph's names and types, whoever asks.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        Self::send_to(&self.surface, request).await
    }

    /// Sends one request to a surface that a test made of other parts.
    pub async fn send_to(surface: &Surface, request: Request<Body>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        let path = request.uri().path();
        let is_graph = ["/v1.0/", "/beta/", "/graph/v1.0/"].iter().any(|version| path.starts_with(version));
        let response: Response<Body> = surface.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        };
        if is_graph && answer.status.is_success() {
            contract::check(&answer).unwrap_or_else(|wrong| panic!("{asked}: {wrong}: {}", answer.text));
        }
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Posts a form to a token endpoint.
    pub async fn token(&self, segment: &str, fields: &[(&str, &str)]) -> Answer {
        self.post(&format!("/{segment}/oauth2/v2.0/token"), fields).await
    }

    /// Posts a form as a program does: without cookies or origin.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .unwrap();
        self.send(request).await
    }

    /// A Graph token of a tenant's daemon.
    pub async fn daemon_token(&self, domain: &str) -> String {
        let app = self.app(domain, "daemon");
        let (id, secret) = (app.app_id.unwrap().to_string(), app.secret.clone().unwrap());
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("client_secret", secret.as_str()),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let answer = self.token(domain, &fields).await;
        answer.json()["access_token"].as_str().expect("a token").to_owned()
    }

    /// Calls Graph.
    pub async fn graph(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    /// Invites an address into a tenant by its daemon; answers the invitation.
    pub async fn invite(&self, domain: &str, address: &str) -> Value {
        let token = self.daemon_token(domain).await;
        let body = json!({ "invitedUserEmailAddress": address, "inviteRedirectUrl": format!("{BASE}/myapps"),
            "sendInvitationMessage": true });
        let answer = self.graph(&token, "POST", "/v1.0/invitations", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        answer.json()
    }

    /// Invites a person of Fabrikam into Contoso and lets them accept. Answers their guest's id.
    pub async fn make_guest(&self, name: &str) -> String {
        let invitation = self.invite(CONTOSO, name).await;
        let mut browser = self.browser();
        let page = browser.get(invitation["inviteRedeemUrl"].as_str().unwrap()).await;
        let page = browser.sign_in(page, name).await;
        let page = browser.press(&page, "accept", &[]).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        invitation["invitedUser"]["id"].as_str().unwrap().to_owned()
    }

    pub fn browser(&self) -> Browser<'_> {
        Browser::new(self)
    }

    /// Signs a person in to an application and redeems the code. Answers the token response.
    pub async fn sign_in(&self, domain: &str, kind: &str, name: &str, scope: &str) -> Value {
        let mut browser = self.browser();
        let app = self.app(domain, kind);
        let code = browser.code_for(domain, app, name, scope).await;
        let answer = self.redeem(domain, app, &code).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()
    }

    /// Redeems a code as the application would.
    pub async fn redeem(&self, domain: &str, app: &WorldApplication, code: &str) -> Answer {
        let id = app.app_id.unwrap().to_string();
        let redirect = app.redirect_uris.first().unwrap();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("client_id", id.as_str()),
            ("code", code),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", browser::VERIFIER),
            ("client_info", "1"),
        ];
        if let Some(secret) = &app.secret {
            fields.push(("client_secret", secret));
        }
        self.token(domain, &fields).await
    }

    /// How many tokens were granted and refused in a tenant, by its sign-in log.
    pub fn sign_in_counts(&self, domain: &str) -> (i64, i64) {
        let counts = self
            .service
            .store()
            .tenant(self.tenant_id(domain))
            .read(|tx| tx.count_sign_in_records())
            .unwrap();
        (counts.granted, counts.refused)
    }

    /// How many refused directory requests a tenant's log holds.
    pub fn directory_refusals(&self, domain: &str) -> i64 {
        let tenant = self.service.store().tenant(self.tenant_id(domain));
        tenant.read(|tx| tx.count_directory_records()).unwrap().refused
    }

    /// Records of changes in the log of a tenant that does not exist.
    pub fn records_of_nobody(&self) -> i64 {
        self.service.store().read(|tx| tx.count_records_of_nobody()).unwrap()
    }

    /// Refused sign-ins and tokens that belong to no tenant.
    pub fn stray_refusals(&self) -> i64 {
        self.service.store().read(|tx| tx.count_sign_in_records()).unwrap().refused
    }
}

fn draw(draws: &AtomicU64) -> [u8; 32] {
    crypto::sha256(&[b"test draw", &draws.fetch_add(1, Ordering::SeqCst).to_be_bytes()])
}

fn own_moment(clock: &AtomicI64, draws: &AtomicU64) -> Moment {
    let now = Timestamp::from_millis(clock.load(Ordering::SeqCst));
    let entropy = Entropy::new(draw(draws));
    let origin =
        Origin { at: now, correlation: entropy.uuid("correlation"), address: None, user_agent: None };
    Moment { now, entropy, origin }
}

/// The claims of a token, unverified: for looking at.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).and_then(standards::b64::decode).unwrap();
    serde_json::from_slice(&payload).unwrap()
}
