//! Grants at the token endpoint, and the bearer tokens that come back to our own APIs.

use crate::abroad::Link;
use crate::issue::{Settled, access_token_id, find_resource, load_user_rights};
use crate::signin::empty_record;
use crate::{Fault, Moment, Service, Settings};
use domain::audit::{Record, SignInKind, SignInRecord};
use domain::directory::application::{Platform, SharedApp};
use domain::directory::first_party;
use domain::directory::permission::{Actor, Viewer};
use domain::id::{AppId, GrantId, ServicePrincipalId, SessionId, TenantId, UserId};
use domain::issuance::decide::{
    Ask, CallerToken, CodeFacts, CodeRedemption, Facts, GrantFacts, HomeWord, Permit, decide,
};
use domain::issuance::scope::{self, ScopeAsk};
use domain::issuance::{Denial, denial_code};
use domain::proof::{ProofKind, ProofToken};
use domain::time::Timestamp;
use domain::verdict::{Trace, Verdict};
use standards::b64;
use standards::oauth::token::{Grant, TokenRequest};
use standards::oauth::token_response::TokenResponse;
use std::sync::Arc;
use store::{Chore, ReadTx, Recorded, WriteTx};
use uuid::Uuid;

/// Why a bearer token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    Audience,
    /// Revoked, and its client said that it knows what to do then (`xms_cc`).
    Challenged,
    Expired,
    Missing,
    Revoked,
    Signature,
}

impl AuthFailure {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audience => "Access token validation failure. Invalid audience.",
            Self::Challenged => {
                "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp"
            }
            Self::Expired => "Lifetime validation failed, the token is expired.",
            Self::Missing => "Access token is empty.",
            Self::Revoked => "The token was revoked. Sign in again.",
            Self::Signature => "Access token validation failure.",
        }
    }
}

pub(crate) struct Outcome {
    pub(crate) verdict: Verdict<Settled, Denial>,
    pub(crate) record: SignInRecord,
    /// Everything else holds, and a guest's home is still to be asked.
    asks_home: Option<Link>,
}

/// How far a redemption came.
enum Redeemed {
    AskHome(Link),
    Decided(Box<Verdict<Settled, Denial>>),
}

/// What came with a refresh token.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) grant: Option<&'a GrantFacts>,
    pub(crate) is_session_alive: bool,
    pub(crate) has_origin: bool,
}

impl Service {
    /// Answers a token request in a tenant: one write, then the minting.
    pub async fn token(
        &self,
        tenant: TenantId,
        mut request: TokenRequest,
        has_origin: bool,
        moment: &Moment,
    ) -> Result<Result<TokenResponse, Denial>, Fault> {
        if let Err(denial) = self.verify_foreign(tenant, &mut request, moment).await? {
            return Ok(Err(denial));
        }
        if let Grant::Password { username, password } = &request.grant {
            let (username, password) = (username.clone(), password.clone());
            return self.password_tokens(tenant, request, username, password, moment).await;
        }
        if let Grant::RefreshToken { refresh_token } = &request.grant {
            let presented = ProofToken::parse(ProofKind::RefreshToken, refresh_token);
            if let Some(presented) = presented.filter(|token| token.tenant != tenant) {
                return self.refresh_elsewhere(tenant, presented, request, has_origin, moment).await;
            }
        }
        let caller = match &request.grant {
            Grant::OnBehalfOf { assertion } => self.keys.verify(assertion, moment.now).ok().map(Claims),
            Grant::AuthorizationCode { .. }
            | Grant::ClientCredentials
            | Grant::DeviceCode { .. }
            | Grant::Password { .. }
            | Grant::RefreshToken { .. } => None,
        };
        let client = AppId::new(request.client_id);
        let redemption = Arc::new((request, caller, has_origin));
        let mut redeemed = self.redeem(tenant, Arc::clone(&redemption), HomeWord::NotAsked, moment).await?;
        // Only the tenant's own write knows that this is a guest; nobody else waits for what follows.
        if let Redeemed::AskHome(link) = redeemed {
            let word = self.ask_home_again(link, tenant, tenant, client, moment).await?;
            redeemed = self.redeem(tenant, redemption, word, moment).await?;
        }
        match redeemed {
            Redeemed::AskHome(_) => Err(Fault::Bug("a home was asked, and is to be asked again")),
            Redeemed::Decided(verdict) => match *verdict {
                Verdict::Granted(settled, _) => Ok(Ok(self.mint(settled, moment)?)),
                Verdict::Refused(denial, _) => Ok(Err(denial)),
            },
        }
    }

    async fn redeem(
        &self,
        tenant: TenantId,
        redemption: Arc<(TokenRequest, Option<Claims>, bool)>,
        home: HomeWord,
        moment: &Moment,
    ) -> Result<Redeemed, Fault> {
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        let redeemed = self.store.tenant(tenant).write(move |tx| {
            let (request, caller, has_origin) = &*redemption;
            if let HomeWord::Vouched(assertion) = &home {
                crate::signin::keep_addresses(tx, assertion)?;
            }
            let outcome = redeem(tx, request, caller.as_ref(), *has_origin, &home, &settings, &moment)?;
            Ok(match outcome.asks_home {
                // Nothing was written: it ends in a record when the home has spoken.
                Some(link) if matches!(home, HomeWord::NotAsked) => {
                    Recorded::chore(Chore::Progress, Redeemed::AskHome(link))
                }
                Some(_) | None => {
                    let record = Record::SignIn(Box::new(outcome.record));
                    Recorded::new(record, Redeemed::Decided(Box::new(outcome.verdict)))
                }
            })
        });
        Ok(redeemed.await?)
    }

    /// The tenant that a code or refresh token names; `None` for grants that name none.
    pub fn tenant_of_grant(&self, grant: &Grant) -> Option<TenantId> {
        let token = match grant {
            Grant::AuthorizationCode { code, .. } => ProofToken::parse(ProofKind::AuthorizationCode, code),
            Grant::RefreshToken { refresh_token } => {
                ProofToken::parse(ProofKind::RefreshToken, refresh_token)
            }
            Grant::ClientCredentials
            | Grant::DeviceCode { .. }
            | Grant::OnBehalfOf { .. }
            | Grant::Password { .. } => None,
        };
        let tenant = token.map(|token| token.tenant)?;
        // A token is only text: its tenant counts if it exists.
        self.store.read(|tx| tx.find_tenant(tenant)).ok().flatten().map(|tenant| tenant.id)
    }

    /// Reads a bearer token for our own APIs: signature, audience, time, and that nothing behind it was switched off
    /// since (R01, R14, R38).
    pub fn authenticate(&self, bearer: &str, moment: &Moment) -> Result<Result<Viewer, AuthFailure>, Fault> {
        let Ok(claims) = self.keys.verify(bearer, moment.now) else {
            return Ok(Err(AuthFailure::Signature));
        };
        let claims = Claims(claims);
        let (text, seconds) = (|name: &str| claims.text(name), |name: &str| claims.seconds(name));
        if text("aud") != Some("https://graph.microsoft.com") {
            return Ok(Err(AuthFailure::Audience));
        }
        let now = moment.now.seconds();
        if seconds("exp").is_none_or(|exp| now >= exp) || seconds("nbf").is_none_or(|nbf| nbf > now + 300) {
            return Ok(Err(AuthFailure::Expired));
        }
        let tenant = claims.tenant();
        let app = text("appid").and_then(|app| app.parse::<AppId>().ok());
        let object = text("oid").and_then(|oid| Uuid::parse_str(oid).ok());
        let (Some(tenant), Some(app_id), Some(object)) = (tenant, app, object) else {
            return Ok(Err(AuthFailure::Signature));
        };
        if text("iss") != Some(&self.settings.issuer_v1(tenant)) {
            return Ok(Err(AuthFailure::Signature));
        }
        let seen = Seen {
            app_id,
            object,
            issued_at: seconds("iat").unwrap_or_default(),
            grant: claims.grant(),
            session: text("sid").and_then(|sid| sid.parse().ok()),
            scopes: text("scp")
                .unwrap_or_default()
                .split(' ')
                .filter(|s| !s.is_empty())
                .map(str::to_owned)
                .collect(),
            is_application: text("idtyp") == Some("app"),
        };
        let actor = self.store.tenant(tenant).read(|tx| seen.actor(tx))?;
        Ok(match actor {
            Some(actor) => Ok(Viewer { tenant, actor }),
            None if claims.takes_challenges() => Err(AuthFailure::Challenged),
            None => Err(AuthFailure::Revoked),
        })
    }
}

/// Claims of a token of ours whose signature holds.
struct Claims(Arc<serde_json::Map<String, serde_json::Value>>);

impl Claims {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(|value| value.as_str())
    }
    fn seconds(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(|value| value.as_i64())
    }
    /// Whether the client said that it reads claims challenges.
    fn takes_challenges(&self) -> bool {
        let capabilities = self.0.get("xms_cc").and_then(|value| value.as_array());
        capabilities.is_some_and(|capabilities| capabilities.iter().any(|capability| capability == "cp1"))
    }
    fn tenant(&self) -> Option<TenantId> {
        self.text("tid").and_then(|tid| tid.parse().ok())
    }
    /// The sign-in behind the token (`rh`).
    fn grant(&self) -> Option<GrantId> {
        let id = self.text("rh").and_then(b64::decode)?;
        Uuid::from_slice(&id).ok().map(GrantId::new)
    }
}

/// What a verified token says of its holder.
struct Seen {
    app_id: AppId,
    object: Uuid,
    issued_at: i64,
    grant: Option<GrantId>,
    session: Option<SessionId>,
    scopes: Vec<String>,
    is_application: bool,
}

impl Seen {
    /// The holder as the directory has it now: instant-off holds for tokens that are still young.
    fn actor(self, tx: &ReadTx<'_>) -> Result<Option<Actor>, store::Fault> {
        let Some(tenant) = tx.find_tenant_here()? else { return Ok(None) };
        if tenant.state != domain::tenancy::tenant::TenantState::Active {
            return Ok(None);
        }
        let Some(app) = tx.find_app(self.app_id)? else { return Ok(None) };
        // Whoever agrees to what an application may do gives it an instance; only those that come with the product do
        // without. One that is deleted takes its tokens along (R38).
        let is_enabled = match &app.instance {
            // Nor do they come back with another one.
            Some(instance) => {
                let is_older = self.issued_at < instance.created_at.seconds();
                instance.is_enabled && (app.registration.owner.is_none() || !is_older)
            }
            None => app.registration.owner.is_none(),
        };
        if app.registration.deleted_at.is_some() || !is_enabled {
            return Ok(None);
        }
        if self.is_application {
            let id = ServicePrincipalId::new(self.object);
            if app.instance.as_ref().is_none_or(|instance| instance.id != id) {
                return Ok(None);
            }
            let Some(graph) = tx.find_app(first_party::GRAPH_APP_ID)? else { return Ok(None) };
            let roles = app.role_values(&graph).map(str::to_owned).collect();
            return Ok(Some(Actor::Application { app_id: self.app_id, service_principal: id, roles }));
        }
        let Some(user) = tx.find_sign_in_user(UserId::new(self.object))? else { return Ok(None) };
        let valid_from = user.sessions_valid_from;
        let is_pending = user.external == Some(domain::directory::user::ExternalState::PendingAcceptance);
        if !user.is_enabled || is_pending || self.issued_at < user.sessions_valid_from.seconds() {
            return Ok(None);
        }
        if let Some(grant) = self.grant
            && tx
                .find_grant(grant)?
                .is_none_or(|grant| grant.revoked_at.is_some() || grant.started_at < valid_from)
        {
            return Ok(None);
        }
        if let Some(session) = self.session
            && tx
                .find_session(session)?
                .is_none_or(|session| session.ended_at.is_some() || session.started_at < valid_from)
        {
            return Ok(None);
        }
        Ok(Some(Actor::User {
            user: user.id,
            user_type: user.user_type,
            is_external: user.external.is_some(),
            directory_roles: user.roles,
            without_role: tenant.settings.without_role,
            app_id: self.app_id,
            scopes: self.scopes,
        }))
    }
}

fn kind(request: &TokenRequest) -> SignInKind {
    match request.grant {
        Grant::ClientCredentials => SignInKind::ServicePrincipal,
        Grant::AuthorizationCode { .. }
        | Grant::DeviceCode { .. }
        | Grant::OnBehalfOf { .. }
        | Grant::Password { .. }
        | Grant::RefreshToken { .. } => SignInKind::NonInteractive,
    }
}

fn redeem(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    caller: Option<&Claims>,
    has_origin: bool,
    home: &HomeWord,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    match &request.grant {
        Grant::ClientCredentials => client_credentials(tx, request, settings, moment),
        Grant::AuthorizationCode { code, redirect_uri, code_verifier } => {
            let presented = CodeRedemption {
                client: AppId::new(request.client_id),
                redirect_uri: redirect_uri.as_deref(),
                verifier: code_verifier.as_deref(),
                has_origin,
            };
            authorization_code(tx, request, code, presented, home, settings, moment)
        }
        Grant::DeviceCode { device_code } => {
            device_code_tokens(tx, request, device_code, home, settings, moment)
        }
        Grant::OnBehalfOf { .. } => on_behalf_of(tx, request, caller, home, settings, moment),
        Grant::Password { .. } => Err(store::Fault::Bug("a password is checked before the transaction")),
        Grant::RefreshToken { refresh_token } => {
            let token = ProofToken::parse(ProofKind::RefreshToken, refresh_token);
            let grant = match token {
                None => None,
                Some(token) => tx.find_grant_by_refresh_token(token.hash())?,
            };
            let is_session_alive = is_session_alive(tx, grant.as_ref())?;
            let presented = Presented { grant: grant.as_ref(), is_session_alive, has_origin };
            refresh(tx, request, presented, home, settings, moment)
        }
    }
}

/// A session that was ended, by sign-out or revocation, ends its grants; growing old by itself does not.
pub(crate) fn is_session_alive(tx: &ReadTx<'_>, grant: Option<&GrantFacts>) -> Result<bool, store::Fault> {
    let Some(grant) = grant else { return Ok(true) };
    Ok(tx.find_session(grant.session)?.is_some_and(|session| session.ended_at.is_none()))
}

pub(crate) struct Loaded {
    pub(crate) facts: Facts,
    pub(crate) scope: ScopeAsk,
}

/// Loads what every grant's decision looks at.
pub(crate) fn load(
    tx: &ReadTx<'_>,
    request: &TokenRequest,
    scopes: &[String],
    user: Option<UserId>,
    settings: &Settings,
) -> Result<Result<Loaded, Denial>, store::Fault> {
    let mut scope = match scope::sort(scopes, &settings.graph_aliases) {
        Ok(scope) => scope,
        Err(denial) => return Ok(Err(denial)),
    };
    scope.handles_challenges = request.claims.handles_challenges;
    let client: Option<SharedApp> = tx.find_app(AppId::new(request.client_id))?;
    let tenant = tx.load_tenant()?;
    let mut facts = Facts {
        client,
        resource: find_resource(tx, &scope)?,
        user: user.map_or(Ok(None), |user| tx.find_sign_in_user(user))?,
        origin: Arc::clone(&settings.base),
        grants: tenant.optional_grants(settings.grants),
        ..Facts::new(tenant)
    };
    if let Some(user) = user {
        load_user_rights(tx, &mut facts, user)?;
    }
    Ok(Ok(Loaded { facts, scope }))
}

fn client_credentials(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let loaded = load(tx, request, &request.scope, None, settings)?;
    let verdict = match &loaded {
        Err(denial) => refused(*denial),
        Ok(Loaded { facts, scope }) => {
            decide(facts, &Ask::ApplicationToken { auth: &request.auth, scope }, moment.now)
        }
    };
    Ok(settle(verdict, request, None, moment))
}

/// A service acts for the user it was called by: with a grant of its own, as old and as strong as the caller's.
fn on_behalf_of(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    claims: Option<&Claims>,
    home: &HomeWord,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let client = AppId::new(request.client_id);
    let source = match claims.and_then(Claims::grant) {
        None => None,
        Some(grant) => tx.find_grant(grant)?,
    };
    let is_alive = is_session_alive(tx, source.as_ref())?;
    let caller = claims.map(|claims| CallerToken {
        audience: claims.text("aud").unwrap_or_default().to_owned(),
        tenant: claims.tenant().unwrap_or(crate::NOWHERE),
        expires_at: Timestamp::from_millis(claims.seconds("exp").unwrap_or_default() * 1_000),
        is_application: claims.text("scp").is_none(),
        grant: source.map(|source| GrantFacts {
            id: GrantId::new(moment.entropy.uuid("on-behalf-of grant")),
            client,
            platform: Platform::Web,
            parent: Some(source.id),
            scopes: request.scope.clone(),
            used_at: moment.now,
            ..source
        }),
    });
    let grant = caller.as_ref().and_then(|caller| caller.grant.as_ref());
    let mut loaded = match load(tx, request, &request.scope, grant.map(|grant| grant.user), settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_alive;
    loaded.facts.home = home.clone();
    let ask = Ask::OnBehalfOf { auth: &request.auth, caller: caller.as_ref(), scope: &loaded.scope };
    let verdict = decide(&loaded.facts, &ask, moment.now);
    let mut refresh_token = None;
    if let (Verdict::Granted(permit, _), Some(grant)) = (&verdict, grant) {
        tx.add_grant(grant)?;
        refresh_token = add_refresh_token(tx, permit, moment)?;
    }
    settle_guest(tx, verdict, &loaded.facts, grant, request, refresh_token, moment)
}

/// A refusal for which no facts were loaded.
pub(crate) fn refuse(denial: Denial, request: &TokenRequest, moment: &Moment) -> Outcome {
    settle(refused(denial), request, None, moment)
}

/// Ends what a home does not stand for any more, and says where to ask while nobody did.
fn settle_guest(
    tx: &WriteTx<'_>,
    verdict: Verdict<Permit, Denial>,
    facts: &Facts,
    grant: Option<&GrantFacts>,
    request: &TokenRequest,
    refresh_token: Option<String>,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let denial = match &verdict {
        Verdict::Granted(..) => None,
        Verdict::Refused(denial, _) => Some(*denial),
    };
    let mut asks_home = None;
    if let (Some(denial), Some(grant)) = (denial, grant) {
        if denial == Denial::HomeNotAsked {
            asks_home = Link::of(facts, grant);
        }
        let is_over = match facts.home {
            HomeWord::NotAsked => denial == Denial::HomeNotAsked && asks_home.is_none(),
            HomeWord::Refused(refused) => refused == denial,
            HomeWord::Vouched(_) => false,
        };
        // The session here hangs on the same sign-in at home: left alive it would answer the next request, in vain.
        if is_over
            && tx.find_session(grant.session)?.is_some_and(|session| session.evidence == grant.evidence)
        {
            tx.end_session(grant.session, moment.now)?;
        }
    }
    Ok(Outcome { asks_home, ..settle(verdict, request, refresh_token, moment) })
}

pub(crate) fn refused(denial: Denial) -> Verdict<Permit, Denial> {
    Trace::new().refuse(denial, domain::verdict::Side::Client, "scope-sorted", "")
}

fn authorization_code(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    code: &str,
    presented: CodeRedemption<'_>,
    home: &HomeWord,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let now = moment.now;
    let tenant = tx.load_tenant()?.id;
    let token = ProofToken::parse(ProofKind::AuthorizationCode, code);
    if token.as_ref().is_some_and(|token| token.tenant != tenant) {
        return Ok(settle(refused(Denial::CodeForAnotherTenant), request, None, moment));
    }
    let found: Option<CodeFacts> = match &token {
        None => None,
        Some(token) => tx.find_code(token.hash())?,
    };
    let (user, asked) = match &found {
        Some(found) => (Some(found.grant.user), asked_scopes(request, &found.grant)),
        None => (None, request.scope.clone()),
    };
    let mut loaded = match load(tx, request, &asked, user, settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_session_alive(tx, found.as_ref().map(|found| &found.grant))?;
    loaded.facts.home = home.clone();
    let ask = Ask::CodeTokens {
        auth: &request.auth,
        code: found.as_ref(),
        redemption: presented,
        scope: &loaded.scope,
    };
    let verdict = decide(&loaded.facts, &ask, now);
    if let (Verdict::Refused(Denial::CodeRedeemed, _), Some(found)) = (&verdict, &found) {
        // A replayed code revokes what it issued (R14).
        tx.revoke_grant(found.grant.id, now)?;
    }
    let mut refresh_token = None;
    if let (Verdict::Granted(permit, _), Some(token)) = (&verdict, &token) {
        if !tx.consume_code(token.hash(), now)? {
            return Err(store::Fault::Bug("a code that was unused could not be used"));
        }
        refresh_token = add_refresh_token(tx, permit, moment)?;
    }
    let grant = found.as_ref().map(|found| &found.grant);
    settle_guest(tx, verdict, &loaded.facts, grant, request, refresh_token, moment)
}

/// A device whose code was answered. The gate looks at everything again (R38).
fn device_code_tokens(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    device_code: &str,
    home: &HomeWord,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let token = ProofToken::parse(ProofKind::DeviceCode, device_code);
    let found = match &token {
        None => None,
        Some(token) => tx.find_device_code(token.hash())?,
    };
    let grant = match found.as_ref().and_then(|found| found.approved) {
        None => None,
        Some((_, grant)) => tx.find_grant(grant)?,
    };
    let asked = grant.as_ref().map_or_else(|| request.scope.clone(), |grant| asked_scopes(request, grant));
    let user = grant.as_ref().map(|grant| grant.user);
    let mut loaded = match load(tx, request, &asked, user, settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_session_alive(tx, grant.as_ref())?;
    loaded.facts.home = home.clone();
    let ask = Ask::DeviceTokens {
        auth: &request.auth,
        device: found.as_ref().map(|found| &found.facts),
        grant: grant.as_ref(),
        scope: &loaded.scope,
    };
    let verdict = decide(&loaded.facts, &ask, moment.now);
    if let (Verdict::Refused(Denial::DeviceCodeRedeemed, _), Some(grant)) = (&verdict, &grant) {
        // As with any code: a second use takes back what the first one gave (R14).
        tx.revoke_grant(grant.id, moment.now)?;
    }
    let mut refresh_token = None;
    if let (Verdict::Granted(permit, _), Some(token)) = (&verdict, &token) {
        if !tx.consume_device_code(token.hash(), moment.now)? {
            return Err(store::Fault::Bug("a device code that was unused could not be used"));
        }
        refresh_token = add_refresh_token(tx, permit, moment)?;
    }
    settle_guest(tx, verdict, &loaded.facts, grant.as_ref(), request, refresh_token, moment)
}

/// The scopes of the redemption, or those of the sign-in when it names none. OpenID scopes of the sign-in stay.
fn asked_scopes(request: &TokenRequest, grant: &GrantFacts) -> Vec<String> {
    if request.scope.is_empty() { grant.scopes.clone() } else { request.scope.clone() }
}

pub(crate) fn refresh(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    presented: Presented<'_>,
    home: &HomeWord,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let Presented { grant, is_session_alive, has_origin } = presented;
    let asked = grant.map_or_else(|| request.scope.clone(), |grant| asked_scopes(request, grant));
    let mut loaded = match load(tx, request, &asked, grant.map(|grant| grant.user), settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_session_alive;
    loaded.facts.home = home.clone();
    // A new refresh token comes with every answer: who holds one keeps holding one.
    loaded.scope.offline_access = true;
    let ask = Ask::RefreshTokens { auth: &request.auth, grant, scope: &loaded.scope, has_origin };
    let verdict = decide(&loaded.facts, &ask, moment.now);
    let mut refresh_token = None;
    if let (Verdict::Granted(permit, _), Some(grant)) = (&verdict, grant) {
        tx.touch_grant(grant.id, moment.now)?;
        refresh_token = add_refresh_token(tx, permit, moment)?;
    }
    settle_guest(tx, verdict, &loaded.facts, grant, request, refresh_token, moment)
}

/// A refresh token where `offline_access` was asked (facts: protocol §3).
pub(crate) fn add_refresh_token(
    tx: &WriteTx<'_>,
    permit: &Permit,
    moment: &Moment,
) -> Result<Option<String>, store::Fault> {
    let (Some(grant), true) = (permit.grant(), permit.ask().offline_access) else { return Ok(None) };
    let token =
        ProofToken::new(ProofKind::RefreshToken, permit.tenant().id, moment.entropy.bytes("refresh token"));
    tx.add_refresh_token(token.hash(), grant, moment.now)?;
    Ok(Some(token.text()))
}

pub(crate) fn settle(
    verdict: Verdict<Permit, Denial>,
    request: &TokenRequest,
    refresh_token: Option<String>,
    moment: &Moment,
) -> Outcome {
    let token_id = access_token_id(moment);
    let (permit, denial) = match &verdict {
        Verdict::Granted(permit, _) => (Some(permit), None),
        Verdict::Refused(denial, _) => (None, Some(*denial)),
    };
    let user = permit.and_then(Permit::user);
    let client = permit.and_then(Permit::client).and_then(|client| client.instance.as_ref());
    let record = SignInRecord {
        user: user.map(|user| user.id.uuid()),
        user_name: user.map(|user| user.sign_in_name.clone()),
        service_principal: client.map(|instance| instance.id.uuid()),
        app: Some(AppId::new(request.client_id)),
        resource: permit.and_then(Permit::resource).map(|resource| resource.registration.app_id),
        home_tenant: permit.and_then(Permit::home).map(|home| home.home_tenant),
        session: permit.and_then(Permit::session),
        token: permit.map(|_| token_id),
        error_code: denial.map_or(0, denial_code),
        reasons: verdict.trace().summary(),
        ..empty_record(kind(request), moment)
    };
    let wants_client_info = request.wants_client_info;
    let verdict = verdict.map(|permit| Settled {
        permit,
        token_id,
        refresh_token,
        wants_client_info,
        version: request.version,
    });
    Outcome { verdict, record, asks_home: None }
}
