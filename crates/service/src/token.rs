//! Grants at the token endpoint, and the bearer tokens that come back to our own APIs.

use crate::issue::{self, Settled, access_token_id, find_resource, load_user_rights};
use crate::signin::empty_record;
use crate::{Fault, Moment, Service, Settings};
use domain::audit::{Record, SignInKind, SignInRecord};
use domain::directory::application::{Platform, SharedApp};
use domain::directory::first_party;
use domain::directory::permission::{Actor, Viewer};
use domain::id::{AppId, GrantId, ServicePrincipalId, SessionId, TenantId, UserId};
use domain::issuance::decide::{
    Ask, CallerToken, CodeFacts, CodeRedemption, Facts, GrantFacts, Permit, decide,
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
use store::{ReadTx, Recorded, WriteTx};
use uuid::Uuid;

/// Why a bearer token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    Audience,
    Expired,
    Missing,
    Revoked,
    Signature,
}

impl AuthFailure {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audience => "Access token validation failure. Invalid audience.",
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
}

impl Service {
    /// Answers a token request in a tenant: one write, then the minting.
    pub async fn token(
        &self,
        tenant: TenantId,
        request: TokenRequest,
        has_origin: bool,
        moment: &Moment,
    ) -> Result<Result<TokenResponse, Denial>, Fault> {
        if let Grant::Password { username, password } = &request.grant {
            let (username, password) = (username.clone(), password.clone());
            return self.password_tokens(tenant, request, username, password, moment).await;
        }
        if let Grant::RefreshToken { refresh_token } = &request.grant {
            let issuer = ProofToken::parse(ProofKind::RefreshToken, refresh_token).map(|token| token.tenant);
            if let Some(issuer) = issuer.filter(|issuer| *issuer != tenant) {
                return self.refresh_elsewhere(tenant, issuer, request, has_origin, moment).await;
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
        let (settings, work_moment) = (Arc::clone(&self.settings), moment.clone());
        let verdict = self
            .store
            .tenant(tenant)
            .write(move |tx| {
                let outcome = redeem(tx, &request, caller.as_ref(), has_origin, &settings, &work_moment)?;
                Ok(Recorded::new(Record::SignIn(Box::new(outcome.record)), outcome.verdict))
            })
            .await?;
        match verdict {
            Verdict::Granted(settled, _) => Ok(Ok(self.mint(settled, moment)?)),
            Verdict::Refused(denial, _) => Ok(Err(denial)),
        }
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

    /// A refresh token of one tenant at another's endpoint: clients keep one per home account and use it wherever the
    /// person is a guest (clients 19). The issuing tenant vouches as it would in a browser; this one decides anew.
    async fn refresh_elsewhere(
        &self,
        tenant: TenantId,
        issuer: TenantId,
        request: TokenRequest,
        has_origin: bool,
        moment: &Moment,
    ) -> Result<Result<TokenResponse, Denial>, Fault> {
        let Grant::RefreshToken { refresh_token } = &request.grant else {
            return Err(Fault::Bug("only refresh tokens travel between tenants"));
        };
        let Some(token) = ProofToken::parse(ProofKind::RefreshToken, refresh_token) else {
            return Ok(Err(Denial::RefreshUnknown));
        };
        let nonce = moment.entropy.secret("cross-tenant nonce");
        let vouched = self.vouch_for_refresh(issuer, token, tenant, &request, nonce.clone(), moment).await?;
        let (assertion_token, grant) = match vouched {
            Ok(vouched) => vouched,
            Err(denial) => return Ok(Err(denial)),
        };
        let home = self.store.read(|tx| tx.find_tenant(issuer))?;
        let home = home.ok_or(Fault::Bug("a tenant that vouched is gone"))?;
        let expected = domain::federation::assertion::Expected {
            issuer: self.settings.issuer_v2(issuer),
            home: issuer,
            home_domains: home.domains.iter().filter(|d| d.is_verified).map(|d| d.name.clone()).collect(),
            audience: tenant,
            nonce,
            keys: self.keys.believed(moment.now),
        };
        let Ok(assertion) = domain::federation::assertion::verify(&assertion_token, &expected, moment.now)
        else {
            return Ok(Err(Denial::AssertionRejected));
        };
        let (settings, work_moment) = (Arc::clone(&self.settings), moment.clone());
        let verdict = self
            .store
            .tenant(tenant)
            .write(move |tx| {
                let identity = &assertion.identity;
                let guest = tx.find_user_by_identity(&identity.issuer, &identity.subject)?;
                let Some(guest) = guest else {
                    let record = refusal_record(&request, Denial::GuestNotInDirectory, &work_moment);
                    let verdict = Trace::new().refuse(
                        Denial::GuestNotInDirectory,
                        domain::verdict::Side::ResourceTenant,
                        "guest-known",
                        "",
                    );
                    return Ok(Recorded::new(record, verdict));
                };
                let session = SessionId::new(work_moment.entropy.uuid("cross-tenant session"));
                let local = GrantFacts {
                    id: GrantId::new(work_moment.entropy.uuid("cross-tenant grant")),
                    user: guest.id,
                    session,
                    evidence: assertion.evidence.clone(),
                    ..grant.clone()
                };
                let outcome = refresh(tx, &request, Some(&local), true, has_origin, &settings, &work_moment)?;
                if matches!(outcome.verdict, Verdict::Granted(..)) {
                    tx.add_grant(&local)?;
                    issue::open_session_without_browser(tx, &local, &work_moment)?;
                }
                Ok(Recorded::new(Record::SignIn(Box::new(outcome.record)), outcome.verdict))
            })
            .await?;
        match verdict {
            Verdict::Granted(settled, _) => Ok(Ok(self.mint(settled, moment)?)),
            Verdict::Refused(denial, _) => Ok(Err(denial)),
        }
    }

    /// The issuing tenant's half: the refresh token is good there, and its user may be vouched for.
    async fn vouch_for_refresh(
        &self,
        issuer: TenantId,
        token: ProofToken,
        partner: TenantId,
        request: &TokenRequest,
        nonce: String,
        moment: &Moment,
    ) -> Result<Result<(String, GrantFacts), Denial>, Fault> {
        if self.store.read(|tx| tx.find_tenant(issuer))?.is_none() {
            return Ok(Err(Denial::RefreshUnknown));
        }
        let (client, work_moment) = (AppId::new(request.client_id), moment.clone());
        let verdict = self
            .store
            .tenant(issuer)
            .write(move |tx| {
                let now = work_moment.now;
                let found = tx.find_grant_by_refresh_token(token.hash())?;
                let outcome = match found {
                    None => Err(Denial::RefreshUnknown),
                    Some(grant) if grant.client != client => Err(Denial::RefreshForAnotherClient),
                    Some(grant) if grant.revoked_at.is_some() => Err(Denial::GrantRevoked),
                    Some(grant) => {
                        let session = tx.find_session(grant.session)?;
                        if session.is_some_and(|session| session.ended_at.is_none()) {
                            let permit = crate::issue::vouch(
                                tx,
                                grant.user,
                                &grant.evidence,
                                Some(nonce.clone()),
                                partner,
                                now,
                            )?;
                            permit.map(|permit| (permit, grant))
                        } else {
                            Err(Denial::SessionEnded)
                        }
                    }
                };
                let record = SignInRecord {
                    user: outcome.as_ref().ok().map(|(_, grant)| grant.user.uuid()),
                    app: Some(client),
                    error_code: outcome.as_ref().err().map_or(0, |denial| denial_code(*denial)),
                    ..empty_record(SignInKind::Partner, &work_moment)
                };
                Ok(Recorded::new(Record::SignIn(Box::new(record)), outcome))
            })
            .await?;
        match verdict {
            Err(denial) => Ok(Err(denial)),
            Ok((permit, grant)) => {
                Ok(Ok((self.keys.mint_partner_token(&permit, &self.settings, moment)?, grant)))
            }
        }
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
        let is_enabled = app.registration.deleted_at.is_none()
            && app.instance.as_ref().is_none_or(|instance| instance.is_enabled);
        if !is_enabled {
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
            app_id: self.app_id,
            scopes: self.scopes,
        }))
    }
}

fn refusal_record(request: &TokenRequest, denial: Denial, moment: &Moment) -> Record {
    Record::SignIn(Box::new(SignInRecord {
        app: Some(AppId::new(request.client_id)),
        error_code: denial_code(denial),
        ..empty_record(kind(request), moment)
    }))
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
            authorization_code(tx, request, code, presented, settings, moment)
        }
        Grant::DeviceCode { device_code } => device_code_tokens(tx, request, device_code, settings, moment),
        Grant::OnBehalfOf { .. } => on_behalf_of(tx, request, caller, settings, moment),
        Grant::Password { .. } => Err(store::Fault::Bug("a password is checked before the transaction")),
        Grant::RefreshToken { refresh_token } => {
            let token = ProofToken::parse(ProofKind::RefreshToken, refresh_token);
            let grant = match token {
                None => None,
                Some(token) => tx.find_grant_by_refresh_token(token.hash())?,
            };
            let is_alive = is_session_alive(tx, grant.as_ref())?;
            refresh(tx, request, grant.as_ref(), is_alive, has_origin, settings, moment)
        }
    }
}

/// A session that was ended, by sign-out or revocation, ends its grants; growing old by itself does not.
fn is_session_alive(tx: &ReadTx<'_>, grant: Option<&GrantFacts>) -> Result<bool, store::Fault> {
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
    client: AppId,
    scopes: &[String],
    user: Option<UserId>,
    settings: &Settings,
) -> Result<Result<Loaded, Denial>, store::Fault> {
    let scope = match scope::sort(scopes, &settings.graph_aliases) {
        Ok(scope) => scope,
        Err(denial) => return Ok(Err(denial)),
    };
    let client: Option<SharedApp> = tx.find_app(client)?;
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
    let loaded = load(tx, AppId::new(request.client_id), &request.scope, None, settings)?;
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
            scopes: request.scope.clone(),
            used_at: moment.now,
            ..source
        }),
    });
    let grant = caller.as_ref().and_then(|caller| caller.grant.as_ref());
    let mut loaded = match load(tx, client, &request.scope, grant.map(|grant| grant.user), settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_alive;
    let ask = Ask::OnBehalfOf { auth: &request.auth, caller: caller.as_ref(), scope: &loaded.scope };
    let verdict = decide(&loaded.facts, &ask, moment.now);
    let mut refresh_token = None;
    if let (Verdict::Granted(permit, _), Some(grant)) = (&verdict, grant) {
        tx.add_grant(grant)?;
        refresh_token = add_refresh_token(tx, permit, moment)?;
    }
    Ok(settle(verdict, request, refresh_token, moment))
}

pub(crate) fn refused(denial: Denial) -> Verdict<Permit, Denial> {
    Trace::new().refuse(denial, domain::verdict::Side::Client, "scope-sorted", "")
}

fn authorization_code(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    code: &str,
    presented: CodeRedemption<'_>,
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
    let mut loaded = match load(tx, presented.client, &asked, user, settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_session_alive(tx, found.as_ref().map(|found| &found.grant))?;
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
    Ok(settle(verdict, request, refresh_token, moment))
}

/// A device whose code was answered. The gate looks at everything again (R38).
fn device_code_tokens(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    device_code: &str,
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
    let mut loaded = match load(tx, AppId::new(request.client_id), &asked, user, settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_session_alive(tx, grant.as_ref())?;
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
    Ok(settle(verdict, request, refresh_token, moment))
}

/// The scopes of the redemption, or those of the sign-in when it names none. OpenID scopes of the sign-in stay.
fn asked_scopes(request: &TokenRequest, grant: &GrantFacts) -> Vec<String> {
    if request.scope.is_empty() { grant.scopes.clone() } else { request.scope.clone() }
}

fn refresh(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    grant: Option<&GrantFacts>,
    is_session_alive: bool,
    has_origin: bool,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let asked = grant.map_or_else(|| request.scope.clone(), |grant| asked_scopes(request, grant));
    let client = AppId::new(request.client_id);
    let mut loaded = match load(tx, client, &asked, grant.map(|grant| grant.user), settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    loaded.facts.is_session_alive = is_session_alive;
    // A new refresh token comes with every answer: who holds one keeps holding one.
    loaded.scope.offline_access = true;
    let ask = Ask::RefreshTokens { auth: &request.auth, grant, scope: &loaded.scope, has_origin };
    let verdict = decide(&loaded.facts, &ask, moment.now);
    let mut refresh_token = None;
    if let (Verdict::Granted(permit, _), Some(grant)) = (&verdict, grant) {
        tx.touch_grant(grant.id, moment.now)?;
        refresh_token = add_refresh_token(tx, permit, moment)?;
    }
    Ok(settle(verdict, request, refresh_token, moment))
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
    Outcome { verdict, record }
}
