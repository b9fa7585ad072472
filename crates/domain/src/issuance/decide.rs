//! May this be minted? Asked at every sign-in, code, refresh and application token, on facts read in the transaction
//! that records the answer (R32, R38). Nothing else can build a [`Permit`].

use crate::directory::application::{App, Application, FrontChannel, Platform, SharedApp};
use crate::directory::token_claims::NamedGroup;
use crate::directory::user::{ExternalState, HomeIdentity, SignInUser, UserType};
use crate::federation::assertion::HomeAssertion;
use crate::id::{AppId, GrantId, PartId, SessionId, TenantId, UserId};
use crate::issuance::more_claims::role_values;
use crate::issuance::scope::{ScopeAsk, Wanted};
use crate::issuance::{Denial, client_assertion, lifetime};
use crate::signin::evidence::Proved;
use crate::signin::next::Identified;
use crate::tenancy::tenant::{OptionalGrants, Tenant, TenantState};
use crate::time::Timestamp;
use crate::verdict::{Side, Trace, Verdict};
use standards::crypto;
use standards::oauth::authorize::{AuthorizeRequest, ChallengeMethod, CodeChallenge, ResponseType};
use standards::oauth::pkce;
use standards::oauth::token::ClientAuth;
use std::sync::Arc;

/// What the decision looks at. All of it as it is now, not as it was when the flow began.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Our own origin, which a client's assertion must be addressed to; empty where no client proves itself.
    pub origin: Arc<str>,
    pub tenant: Arc<Tenant>,
    pub client: Option<SharedApp>,
    /// The resource that the scopes name; Graph when only OpenID scopes are asked.
    pub resource: Option<SharedApp>,
    pub user: Option<SignInUser>,
    /// Scope values that were agreed to for this client, user and resource.
    pub consented: Vec<String>,
    /// App roles of the resource that the user holds, and whether the user is assigned at all.
    pub user_roles: Vec<PartId>,
    pub is_user_assigned: bool,
    /// App roles of the client that the user holds: an ID token names them.
    pub client_roles: Vec<PartId>,
    /// Groups for the ID token and for the access token, as client and resource asked (`directory::token_claims`).
    pub id_groups: Vec<NamedGroup>,
    pub access_groups: Vec<NamedGroup>,
    /// Whether the session behind a code or refresh token is alive; `true` where none is involved.
    pub is_session_alive: bool,
    /// What this tenant lets be used of the grants that are off by default.
    pub grants: OptionalGrants,
    /// What a guest's home says now; of no matter for everybody else.
    pub home: HomeWord,
}

/// A home's answer to whether it still vouches for a guest.
#[derive(Clone, Debug, Default)]
pub enum HomeWord {
    #[default]
    NotAsked,
    Refused(Denial),
    Vouched(Box<HomeAssertion>),
}

impl Facts {
    /// What is always known; everything else is loaded as the question needs it.
    pub fn new(tenant: Arc<Tenant>) -> Self {
        Self {
            origin: Arc::default(),
            tenant,
            client: None,
            resource: None,
            user: None,
            consented: Vec::new(),
            user_roles: Vec::new(),
            is_user_assigned: false,
            client_roles: Vec::new(),
            id_groups: Vec::new(),
            access_groups: Vec::new(),
            is_session_alive: true,
            grants: OptionalGrants::default(),
            home: HomeWord::NotAsked,
        }
    }
}

/// What is to be minted, and the proof presented for it.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// `client_credentials` (RFC 6749 §4.4).
    ApplicationToken { auth: &'a ClientAuth, scope: &'a ScopeAsk },
    /// `authorization_code` (RFC 6749 §4.1.3). `code` is `None` when no such code exists.
    CodeTokens {
        auth: &'a ClientAuth,
        code: Option<&'a CodeFacts>,
        redemption: CodeRedemption<'a>,
        scope: &'a ScopeAsk,
    },
    /// Tokens for a device whose code was answered (RFC 8628 §3.4). `device` is `None` when no such code exists, `grant`
    /// what the person's answer set going.
    DeviceTokens {
        auth: &'a ClientAuth,
        device: Option<&'a DeviceFacts>,
        grant: Option<&'a GrantFacts>,
        scope: &'a ScopeAsk,
    },
    /// On-behalf-of: a service presents the token it was called with. `caller` is `None` when that is no token of ours.
    OnBehalfOf { auth: &'a ClientAuth, caller: Option<&'a CallerToken>, scope: &'a ScopeAsk },
    /// A home answers its user's question for a partner tenant.
    PartnerCode { identified: &'a Identified, partner: &'a Tenant, nonce: Option<&'a str> },
    /// `password` (RFC 6749 §4.3), with what came of checking the password.
    PasswordTokens { auth: &'a ClientAuth, password: &'a PasswordCheck, scope: &'a ScopeAsk },
    /// A session for the tenant's own pages.
    Portal { identified: &'a Identified },
    /// `refresh_token` (RFC 6749 §6). `grant` is `None` when no such token exists.
    RefreshTokens {
        auth: &'a ClientAuth,
        grant: Option<&'a GrantFacts>,
        scope: &'a ScopeAsk,
        has_origin: bool,
    },
    /// A grant of this tenant is used at another one. For its own users the tenant vouches to that partner; of a guest it says
    /// only that the grant is good, and the home vouches. A client presents a refresh token of its own; a tenant asks by
    /// what it was told itself, which no client can name.
    Renewal {
        grant: Option<&'a GrantFacts>,
        presented_by: Option<AppId>,
        partner: Option<&'a Tenant>,
        nonce: Option<&'a str>,
    },
    /// An authorization code for an application, and the session behind it.
    SignInCode { identified: &'a Identified, request: &'a AuthorizeRequest, scope: &'a ScopeAsk },
    /// A person lets a device in, which fetches its tokens later.
    SignInDevice { identified: &'a Identified, scope: &'a ScopeAsk },
}

/// The access token that a service was called with: its signature holds, nothing else is judged yet.
#[derive(Clone, Debug)]
pub struct CallerToken {
    pub audience: String,
    pub tenant: TenantId,
    pub expires_at: Timestamp,
    /// The service's own share in the sign-in behind it, as old and as strong; `None` for an application's own token, or
    /// one whose sign-in is gone.
    pub grant: Option<GrantFacts>,
    pub is_application: bool,
}

/// What came with a code (R26, R27).
#[derive(Clone, Copy, Debug)]
pub struct CodeRedemption<'a> {
    pub client: AppId,
    pub redirect_uri: Option<&'a str>,
    pub verifier: Option<&'a str>,
    pub has_origin: bool,
}

/// A stored authorization code.
#[derive(Clone, Debug)]
pub struct CodeFacts {
    pub grant: GrantFacts,
    pub redirect_uri: String,
    pub challenge: Option<CodeChallenge>,
    pub nonce: Option<String>,
    pub expires_at: Timestamp,
    pub redeemed_at: Option<Timestamp>,
}

/// What came of a password that a program presents for a person.
#[derive(Clone, Debug)]
pub enum PasswordCheck {
    /// The name belongs to another home, which alone asks for its passwords.
    Elsewhere,
    /// Too many wrong ones lately: it was not looked at.
    Paused,
    /// It is right, and this is what the sign-in sets going.
    Right(GrantFacts),
    /// Wrong, of nobody, or not looked at yet.
    Wrong,
}

/// A stored device code.
#[derive(Clone, Debug)]
pub struct DeviceFacts {
    pub client: AppId,
    pub expires_at: Timestamp,
    pub answer: DeviceAnswer,
    pub redeemed_at: Option<Timestamp>,
}

/// What the person said of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceAnswer {
    Approved,
    Declined,
    Pending,
}

impl DeviceFacts {
    /// How a code stands with the client that shows it; `Ok` when it was approved. Another client's code is an unknown one.
    pub fn standing(device: Option<&Self>, client: AppId, now: Timestamp) -> Result<(), Denial> {
        let Some(device) = device.filter(|device| device.client == client) else {
            return Err(Denial::DeviceCodeUnknown);
        };
        match device.answer {
            _ if device.redeemed_at.is_some() => Err(Denial::DeviceCodeRedeemed),
            DeviceAnswer::Declined => Err(Denial::AuthorizationDeclined),
            DeviceAnswer::Approved | DeviceAnswer::Pending if now >= device.expires_at => {
                Err(Denial::DeviceCodeExpired)
            }
            DeviceAnswer::Approved => Ok(()),
            DeviceAnswer::Pending => Err(Denial::AuthorizationPending),
        }
    }
}

/// How a grant came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By way of a browser: the authorization endpoint.
    Browser,
    DeviceCode,
    Password,
}

/// What one sign-in to one client set going. Refresh tokens live and die with it.
#[derive(Clone, Debug)]
pub struct GrantFacts {
    pub id: GrantId,
    pub client: AppId,
    pub user: UserId,
    pub session: SessionId,
    pub evidence: Vec<Proved>,
    pub platform: Platform,
    /// Refresh tokens last only while this way is allowed.
    pub via: Via,
    /// The grant on whose strength a service acts: revoking that one revokes this one.
    pub parent: Option<GrantId>,
    /// The scopes of the sign-in as the client wrote them.
    pub scopes: Vec<String>,
    pub started_at: Timestamp,
    pub used_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// How a client proved itself: `appidacr`, `azpacr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProof {
    Certificate,
    Public,
    Secret,
}

/// Leave to mint. Built only here; everything a token says is read from it.
#[derive(Clone, Debug)]
pub struct Permit {
    tenant: Arc<Tenant>,
    client: Option<SharedApp>,
    resource: Option<SharedApp>,
    subject: Subject,
    evidence: Vec<Proved>,
    scopes: Vec<String>,
    roles: Vec<String>,
    client_roles: Vec<String>,
    id_groups: Vec<NamedGroup>,
    access_groups: Vec<NamedGroup>,
    ask: ScopeAsk,
    nonce: Option<String>,
    session: Option<SessionId>,
    grant: Option<GrantId>,
    platform: Option<Platform>,
    proof: ClientProof,
    partner: Option<TenantId>,
}

/// Whom a token is about.
#[derive(Clone, Debug)]
pub enum Subject {
    Application,
    User(Box<SignInUser>),
}

macro_rules! readers {
    ($($name:ident: $kind:ty),*) => {$( pub fn $name(&self) -> $kind { &self.$name } )*};
}

impl Permit {
    readers! { tenant: &Tenant, subject: &Subject, evidence: &[Proved], scopes: &[String], roles: &[String], ask: &ScopeAsk }
    readers! { client_roles: &[String], id_groups: &[NamedGroup], access_groups: &[NamedGroup] }

    pub fn client(&self) -> Option<&App> {
        self.client.as_deref()
    }
    pub fn resource(&self) -> Option<&App> {
        self.resource.as_deref()
    }
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }
    /// The same leave, with the session that was opened for it.
    pub fn in_session(&self, session: SessionId) -> Self {
        Self { session: Some(session), ..self.clone() }
    }
    pub fn grant(&self) -> Option<GrantId> {
        self.grant
    }
    /// The same leave, under the grant that was made for it.
    pub fn under(&self, grant: GrantId) -> Self {
        Self { grant: Some(grant), ..self.clone() }
    }
    pub fn platform(&self) -> Option<Platform> {
        self.platform
    }
    pub fn proof(&self) -> ClientProof {
        self.proof
    }
    /// The tenant that asked, for a home's answer to a partner.
    pub fn partner(&self) -> Option<TenantId> {
        self.partner
    }
    pub fn user(&self) -> Option<&SignInUser> {
        match &self.subject {
            Subject::Application => None,
            Subject::User(user) => Some(user),
        }
    }
    /// A guest's identity at home.
    pub fn home(&self) -> Option<&HomeIdentity> {
        self.user().and_then(|user| user.identity.as_ref())
    }
}

/// Decides.
pub fn decide(facts: &Facts, ask: &Ask<'_>, now: Timestamp) -> Verdict<Permit, Denial> {
    match check(facts, ask, now, Trace::new()) {
        Ok((permit, trace)) => trace.grant(permit),
        Err(refused) => {
            let Refused { denial, side, rule, detail, trace } = *refused;
            trace.refuse(denial, side, rule, detail)
        }
    }
}

struct Refused {
    denial: Denial,
    side: Side,
    rule: &'static str,
    detail: String,
    trace: Trace,
}

/// The decision in progress: what passed so far.
struct Gate<'a> {
    facts: &'a Facts,
    now: Timestamp,
    trace: Trace,
}

type Checked<T> = Result<T, Box<Refused>>;

fn check(facts: &Facts, ask: &Ask<'_>, now: Timestamp, trace: Trace) -> Checked<(Permit, Trace)> {
    let mut gate = Gate { facts, now, trace };
    gate.tenant()?;
    let permit = match *ask {
        Ask::ApplicationToken { auth, scope } => gate.application_token(auth, scope)?,
        Ask::CodeTokens { auth, code, redemption, scope } => {
            gate.code_tokens(auth, code, redemption, scope)?
        }
        Ask::DeviceTokens { auth, device, grant, scope } => gate.device_tokens(auth, device, grant, scope)?,
        Ask::OnBehalfOf { auth, caller, scope } => gate.on_behalf_of(auth, caller, scope)?,
        Ask::PartnerCode { identified, partner, nonce } => {
            let permit = gate.partner_code(identified, partner)?;
            Permit { nonce: nonce.map(str::to_owned), ..permit }
        }
        Ask::PasswordTokens { auth, password, scope } => gate.password_tokens(auth, password, scope)?,
        Ask::Portal { identified } => {
            let user = gate.user(identified.user.id)?;
            Permit { session: identified.session, ..gate.permit(user, identified.evidence.clone()) }
        }
        Ask::RefreshTokens { auth, grant, scope, has_origin } => {
            gate.refresh_tokens(auth, grant, scope, has_origin)?
        }
        Ask::Renewal { grant, presented_by, partner, nonce } => {
            let permit = gate.renewal(grant, presented_by, partner)?;
            Permit { nonce: nonce.map(str::to_owned), ..permit }
        }
        Ask::SignInCode { identified, request, scope } => gate.sign_in_code(identified, request, scope)?,
        Ask::SignInDevice { identified, scope } => gate.sign_in_device(identified, scope)?,
    };
    Ok((permit, gate.trace))
}

impl Gate<'_> {
    fn refuse<T>(
        &mut self,
        denial: Denial,
        side: Side,
        rule: &'static str,
        detail: impl Into<String>,
    ) -> Checked<T> {
        let trace = std::mem::take(&mut self.trace);
        Err(Box::new(Refused { denial, side, rule, detail: detail.into(), trace }))
    }

    fn require(&mut self, holds: bool, denial: Denial, side: Side, rule: &'static str) -> Checked<()> {
        if !holds {
            return self.refuse(denial, side, rule, "");
        }
        self.trace.passed(side, rule, "");
        Ok(())
    }

    fn tenant(&mut self) -> Checked<()> {
        let is_active = self.facts.tenant.state == TenantState::Active;
        self.require(is_active, Denial::TenantSuspended, Side::ResourceTenant, "tenant-active")
    }

    /// The client exists here and may be used by this tenant.
    fn client(&mut self) -> Checked<SharedApp> {
        let tenant = self.facts.tenant.id;
        let Some(client) = self.facts.client.clone() else {
            return self.refuse(Denial::ClientUnknown, Side::Client, "client-known", "");
        };
        let registration = &client.registration;
        let is_own = registration.owner == Some(tenant) || registration.owner.is_none();
        if registration.deleted_at.is_some() || !(is_own || registration.audience.is_multi_tenant()) {
            return self.refuse(Denial::ClientUnknown, Side::Client, "client-known", "registered elsewhere");
        }
        let is_enabled = client.instance.as_ref().is_none_or(|instance| instance.is_enabled);
        self.require(is_enabled, Denial::ClientDisabled, Side::ResourceTenant, "client-enabled")?;
        Ok(client)
    }

    /// The client proved itself as its platform demands.
    fn authenticate(&mut self, client: &App, auth: &ClientAuth, platform: Platform) -> Checked<ClientProof> {
        let secret = match (auth, platform) {
            (ClientAuth::SecretBasic(secret) | ClientAuth::SecretPost(secret), Platform::Web) => secret,
            (ClientAuth::None, Platform::Native | Platform::Spa) => return Ok(ClientProof::Public),
            (ClientAuth::None, Platform::Web) if client.registration.is_fallback_public => {
                return Ok(ClientProof::Public);
            }
            (ClientAuth::Assertion(text), Platform::Web) => {
                let Facts { origin, tenant, .. } = self.facts;
                return match client_assertion::check(&client.registration, tenant, origin, text, self.now) {
                    Ok(()) => {
                        self.trace.passed(Side::Client, "client-assertion", "");
                        Ok(ClientProof::Certificate)
                    }
                    Err(denial) => self.refuse(denial, Side::Client, "client-assertion", ""),
                };
            }
            (ClientAuth::Foreign(said), Platform::Web) => {
                return match client_assertion::check_foreign(&client.registration, said, self.now) {
                    Ok(()) => {
                        self.trace.passed(Side::Client, "federated-credential", "");
                        Ok(ClientProof::Certificate)
                    }
                    Err(denial) => self.refuse(denial, Side::Client, "federated-credential", &said.issuer),
                };
            }
            (ClientAuth::None, Platform::Web) => {
                return self.refuse(
                    Denial::ClientSecretMissing,
                    Side::Client,
                    "client-secret",
                    "none presented",
                );
            }
            (_, Platform::Native | Platform::Spa) => {
                return self.refuse(Denial::ClientIsPublic, Side::Client, "client-secret", "public client");
            }
        };
        let hash = crypto::sha256(&[secret.as_bytes()]);
        let of_instance = client.instance.iter().flat_map(|instance| &instance.secrets);
        let mut known = client.registration.secrets.iter().chain(of_instance);
        let found = known.find(|known| crypto::constant_time_eq(&known.hash, &hash));
        match found {
            None => self.refuse(Denial::ClientSecretWrong, Side::Client, "client-secret", ""),
            Some(known) if self.now >= known.expires_at => {
                self.refuse(Denial::ClientSecretExpired, Side::Client, "client-secret", "expired")
            }
            Some(known) if self.now < known.starts_at => {
                self.refuse(Denial::ClientSecretWrong, Side::Client, "client-secret", "not valid yet")
            }
            Some(_) => {
                self.trace.passed(Side::Client, "client-secret", "");
                Ok(ClientProof::Secret)
            }
        }
    }

    fn resource(&mut self) -> Checked<SharedApp> {
        let Some(resource) = self.facts.resource.clone() else {
            return self.refuse(Denial::ResourceUnknown, Side::ResourceTenant, "resource-known", "");
        };
        let is_enabled = resource.instance.as_ref().is_some_and(|instance| instance.is_enabled);
        self.require(is_enabled, Denial::ResourceDisabled, Side::ResourceTenant, "resource-enabled")?;
        Ok(resource)
    }

    /// The user as the directory has it now: enabled, not awaiting redemption (R38).
    fn user(&mut self, id: UserId) -> Checked<SignInUser> {
        let user = match &self.facts.user {
            Some(user) if user.id == id => user.clone(),
            Some(_) | None => return self.refuse(Denial::UserUnknown, Side::User, "user-known", ""),
        };
        self.require(user.is_enabled, Denial::AccountDisabled, Side::User, "user-enabled")?;
        let is_pending = user.external == Some(ExternalState::PendingAcceptance);
        self.require(!is_pending, Denial::GuestPending, Side::User, "guest-redeemed")?;
        self.require(!user.must_change_password, Denial::PasswordExpired, Side::User, "password-current")?;
        Ok(user)
    }

    fn permit(&self, user: SignInUser, evidence: Vec<Proved>) -> Permit {
        Permit {
            tenant: Arc::clone(&self.facts.tenant),
            client: self.facts.client.clone(),
            resource: self.facts.resource.clone(),
            subject: Subject::User(Box::new(user)),
            evidence,
            scopes: Vec::new(),
            roles: Vec::new(),
            client_roles: Vec::new(),
            id_groups: Vec::new(),
            access_groups: Vec::new(),
            ask: ScopeAsk::default(),
            nonce: None,
            session: None,
            grant: None,
            platform: None,
            proof: ClientProof::Public,
            partner: None,
        }
    }

    fn application_token(&mut self, auth: &ClientAuth, scope: &ScopeAsk) -> Checked<Permit> {
        let client = self.client()?;
        let proof = self.authenticate(&client, auth, Platform::Web)?;
        if proof == ClientProof::Public {
            return self.refuse(Denial::ClientSecretMissing, Side::Client, "client-secret", "none presented");
        }
        let has_instance = client.instance.is_some();
        self.require(has_instance, Denial::ClientUnknown, Side::ResourceTenant, "client-in-tenant")?;
        let wanted = scope.resource.as_ref().map(|resource| &resource.wanted);
        if wanted != Some(&Wanted::Default) {
            return self.refuse(
                Denial::ScopeInvalid,
                Side::Client,
                "scope-default",
                "an application asks for .default",
            );
        }
        let resource = self.resource()?;
        let roles: Vec<String> = client.role_values(&resource).map(str::to_owned).collect();
        let needs_assignment =
            resource.instance.as_ref().is_some_and(|instance| instance.is_assignment_required);
        self.require(
            !needs_assignment || !roles.is_empty(),
            Denial::ApplicationNotAssigned,
            Side::ResourceTenant,
            "application-assigned",
        )?;
        Ok(Permit {
            tenant: Arc::clone(&self.facts.tenant),
            client: Some(client),
            resource: Some(resource),
            subject: Subject::Application,
            evidence: Vec::new(),
            scopes: Vec::new(),
            roles,
            client_roles: Vec::new(),
            id_groups: Vec::new(),
            access_groups: Vec::new(),
            ask: scope.clone(),
            nonce: None,
            session: None,
            grant: None,
            platform: None,
            proof,
            partner: None,
        })
    }

    fn sign_in_code(
        &mut self,
        who: &Identified,
        request: &AuthorizeRequest,
        scope: &ScopeAsk,
    ) -> Checked<Permit> {
        let client = self.client()?;
        let presented = request.redirect_uri.as_deref().unwrap_or_default();
        let Some(platform) = client.registration.platform_of(presented) else {
            return self.refuse(Denial::RedirectMismatch, Side::Client, "redirect-registered", "");
        };
        let response_type = request.response_type;
        if let Err(denial) = admit_response(client.registration.front_channel, response_type) {
            return self.refuse(denial, Side::Client, "response-type", "");
        }
        let needs_challenge = platform != Platform::Web && response_type.code;
        let method = request.code_challenge.as_ref().map(|challenge| challenge.method);
        if needs_challenge && method == Some(ChallengeMethod::Plain) {
            return self.refuse(Denial::PkceMissing, Side::Client, "pkce", "plain");
        }
        self.require(!needs_challenge || method.is_some(), Denial::PkceMissing, Side::Client, "pkce")?;
        let user = self.user(who.user.id)?;
        let permit = self.permit(user, who.evidence.clone());
        let permit = self.scopes(permit, scope)?;
        Ok(Permit { session: who.session, platform: Some(platform), nonce: request.nonce.clone(), ..permit })
    }

    fn sign_in_device(&mut self, who: &Identified, scope: &ScopeAsk) -> Checked<Permit> {
        let client = self.client()?;
        let platform = client.registration.platform_without_browser();
        let user = self.user(who.user.id)?;
        self.device_code_allowed(&user)?;
        let permit = self.permit(user, who.evidence.clone());
        let permit = self.scopes(permit, scope)?;
        Ok(Permit { platform: Some(platform), ..permit })
    }

    fn device_tokens(
        &mut self,
        auth: &ClientAuth,
        device: Option<&DeviceFacts>,
        grant: Option<&GrantFacts>,
        scope: &ScopeAsk,
    ) -> Checked<Permit> {
        let client = self.client()?;
        let proof = self.authenticate(&client, auth, client.registration.platform_without_browser())?;
        if let Err(denial) = DeviceFacts::standing(device, client.registration.app_id, self.now) {
            return self.refuse(denial, Side::Client, "device-code", "");
        }
        self.trace.passed(Side::Client, "device-code", "");
        let Some(grant) = grant else {
            return self.refuse(Denial::GrantRevoked, Side::ResourceTenant, "grant-alive", "");
        };
        let user = self.user(grant.user)?;
        self.device_code_allowed(&user)?;
        let permit = self.granted(grant, scope)?;
        Ok(Permit { proof, ..permit })
    }

    /// A code that somebody else began is the lure of its kind: whoever uses the grant must have wanted it (R33).
    fn device_code_allowed(&mut self, user: &SignInUser) -> Checked<()> {
        let is_on = self.facts.grants.device_code;
        self.require(is_on, Denial::DeviceCodeDisabled, Side::ResourceTenant, "device-code-allowed")?;
        let is_member = user.external.is_none() && user.user_type == UserType::Member;
        let may = is_member || self.facts.tenant.settings.allows_device_code_for_guests;
        self.require(may, Denial::DeviceCodeForGuest, Side::ResourceTenant, "device-code-guests")
    }

    /// Whether the password is right is asked last: what else is wrong with the request says nothing about it.
    fn password_tokens(
        &mut self,
        auth: &ClientAuth,
        password: &PasswordCheck,
        scope: &ScopeAsk,
    ) -> Checked<Permit> {
        let is_on = self.facts.grants.password;
        let off = Denial::PasswordGrantDisabled;
        self.require(is_on, off, Side::ResourceTenant, "password-grant-allowed")?;
        let client = self.client()?;
        let platform = client.registration.platform_without_browser();
        let proof = self.authenticate(&client, auth, platform)?;
        let grant = match password {
            PasswordCheck::Elsewhere => {
                return self.refuse(Denial::UserUnknown, Side::User, "user-at-home", "");
            }
            PasswordCheck::Paused => {
                return self.refuse(Denial::TooManyAttempts, Side::User, "password-attempts", "");
            }
            PasswordCheck::Right(grant) => grant,
            PasswordCheck::Wrong => return self.refuse(Denial::PasswordWrong, Side::User, "password", ""),
        };
        self.trace.passed(Side::User, "password", "");
        // Before the home would be asked: whoever has one proves a password there.
        let is_at_home =
            self.facts.user.as_ref().is_none_or(|user| user.external.is_none() && user.identity.is_none());
        self.require(is_at_home, Denial::UserUnknown, Side::User, "user-at-home")?;
        let permit = self.granted(grant, scope)?;
        Ok(Permit { proof, ..permit })
    }

    fn partner_code(&mut self, who: &Identified, partner: &Tenant) -> Checked<Permit> {
        let user = self.user(who.user.id)?;
        let permit = self.vouch(user, who.evidence.clone(), partner)?;
        Ok(Permit { session: who.session, ..permit })
    }

    /// A home says to a partner who its user is.
    fn vouch(&mut self, user: SignInUser, evidence: Vec<Proved>, partner: &Tenant) -> Checked<Permit> {
        self.require(user.external.is_none(), Denial::UserUnknown, Side::HomeTenant, "user-at-home")?;
        let both_take_part = self.facts.tenant.takes_part_in_b2b() && partner.takes_part_in_b2b();
        self.require(both_take_part, Denial::PartnerTakesNoPart, Side::HomeTenant, "region-scope")?;
        let is_partner_active = partner.state == TenantState::Active;
        self.require(is_partner_active, Denial::TenantSuspended, Side::ResourceTenant, "tenant-active")?;
        let permit = self.permit(user, evidence);
        Ok(Permit { client: None, resource: None, partner: Some(partner.id), ..permit })
    }

    fn renewal(
        &mut self,
        grant: Option<&GrantFacts>,
        presented_by: Option<AppId>,
        partner: Option<&Tenant>,
    ) -> Checked<Permit> {
        let Some(grant) = grant else {
            return self.refuse(Denial::RefreshUnknown, Side::Client, "refresh-known", "");
        };
        let is_own = presented_by.is_none_or(|client| grant.client == client);
        self.require(is_own, Denial::RefreshForAnotherClient, Side::Client, "refresh-client")?;
        self.refresh_age(grant)?;
        self.way_allowed(grant)?;
        let user = self.sign_in_behind(grant)?;
        let permit = match partner {
            Some(partner) => self.vouch(user, grant.evidence.clone(), partner)?,
            None => self.permit(user, grant.evidence.clone()),
        };
        Ok(Permit { session: Some(grant.session), grant: Some(grant.id), ..permit })
    }

    fn code_tokens(
        &mut self,
        auth: &ClientAuth,
        code: Option<&CodeFacts>,
        presented: CodeRedemption<'_>,
        scope: &ScopeAsk,
    ) -> Checked<Permit> {
        let client = self.client()?;
        let Some(code) = code else {
            return self.refuse(Denial::CodeUnknown, Side::Client, "code-known", "");
        };
        let is_own = code.grant.client == presented.client;
        self.require(is_own, Denial::CodeForAnotherClient, Side::Client, "code-client")?;
        let proof = self.authenticate(&client, auth, code.grant.platform)?;
        self.require(code.redeemed_at.is_none(), Denial::CodeRedeemed, Side::Client, "code-unused")?;
        self.require(self.now < code.expires_at, Denial::CodeExpired, Side::Client, "code-fresh")?;
        let is_redirect_same = presented.redirect_uri == Some(code.redirect_uri.as_str());
        self.require(is_redirect_same, Denial::RedirectMismatch, Side::Client, "redirect-same")?;
        // A client that proves nothing else proves itself by the verifier, so the challenge must not be that (R26). Asked
        // at sign-in of what is public by its platform; that a web application came without a secret is known only here.
        let is_public = proof == ClientProof::Public;
        match (&code.challenge, presented.verifier) {
            (None, None) if is_public => {
                return self.refuse(Denial::PkceMissing, Side::Client, "pkce", "no challenge stored");
            }
            (None, None) => {}
            (Some(CodeChallenge { method: ChallengeMethod::Plain, .. }), _) if is_public => {
                return self.refuse(Denial::PkceMissing, Side::Client, "pkce", "plain");
            }
            (None, Some(_)) => {
                return self.refuse(Denial::PkceUnexpected, Side::Client, "pkce", "no challenge stored");
            }
            (Some(_), None) => return self.refuse(Denial::PkceMissing, Side::Client, "pkce", "no verifier"),
            (Some(challenge), Some(verifier)) => {
                self.require(pkce::verify(challenge, verifier), Denial::PkceMismatch, Side::Client, "pkce")?;
            }
        }
        self.browser_rule(code.grant.platform, presented.has_origin)?;
        let permit = self.granted(&code.grant, scope)?;
        Ok(Permit { proof, nonce: code.nonce.clone(), ..permit })
    }

    fn refresh_tokens(
        &mut self,
        auth: &ClientAuth,
        grant: Option<&GrantFacts>,
        scope: &ScopeAsk,
        has_origin: bool,
    ) -> Checked<Permit> {
        let client = self.client()?;
        let Some(grant) = grant else {
            return self.refuse(Denial::RefreshUnknown, Side::Client, "refresh-known", "");
        };
        let is_own = grant.client == client.registration.app_id;
        self.require(is_own, Denial::RefreshForAnotherClient, Side::Client, "refresh-client")?;
        let proof = self.authenticate(&client, auth, grant.platform)?;
        self.refresh_age(grant)?;
        self.browser_rule(grant.platform, has_origin)?;
        self.way_allowed(grant)?;
        let permit = self.granted(grant, scope)?;
        Ok(Permit { proof, ..permit })
    }

    fn refresh_age(&mut self, grant: &GrantFacts) -> Checked<()> {
        let is_spa = grant.platform == Platform::Spa;
        let spa_is_fresh = !is_spa || self.now.since(grant.started_at) <= lifetime::REFRESH_SPA;
        self.require(spa_is_fresh, Denial::RefreshSpaExpired, Side::Client, "refresh-spa-day")?;
        let is_fresh = self.now.since(grant.used_at) <= lifetime::REFRESH_IDLE;
        self.require(is_fresh, Denial::RefreshExpired, Side::Client, "refresh-fresh")
    }

    /// The service must be the audience of the token it presents (R30), and the sign-in behind that token still hold.
    fn on_behalf_of(
        &mut self,
        auth: &ClientAuth,
        caller: Option<&CallerToken>,
        scope: &ScopeAsk,
    ) -> Checked<Permit> {
        let client = self.client()?;
        let proof = self.authenticate(&client, auth, Platform::Web)?;
        let is_proved = proof != ClientProof::Public;
        self.require(is_proved, Denial::ClientSecretMissing, Side::Client, "client-secret")?;
        let Some(caller) = caller.filter(|caller| caller.tenant == self.facts.tenant.id) else {
            return self.refuse(Denial::CallerAssertionInvalid, Side::Client, "caller-known", "");
        };
        let registration = &client.registration;
        let is_audience = caller.audience.eq_ignore_ascii_case(&registration.app_id.to_string())
            || registration.identifier_uris.iter().any(|uri| is_same_resource(uri, &caller.audience));
        self.require(is_audience, Denial::CallerAssertionForAnother, Side::Client, "caller-audience")?;
        let is_fresh = self.now < caller.expires_at;
        self.require(is_fresh, Denial::CallerAssertionExpired, Side::Client, "caller-fresh")?;
        self.require(!caller.is_application, Denial::CallerIsApplication, Side::Client, "caller-user")?;
        let Some(grant) = &caller.grant else {
            return self.refuse(Denial::GrantRevoked, Side::ResourceTenant, "grant-alive", "");
        };
        self.way_allowed(grant)?;
        let permit = self.granted(grant, scope)?;
        Ok(Permit { proof, ..permit })
    }

    /// A way that was switched off ends what came by it (R33, R38).
    fn way_allowed(&mut self, grant: &GrantFacts) -> Checked<()> {
        match grant.via {
            Via::Browser => Ok(()),
            Via::DeviceCode => match self.facts.user.clone() {
                Some(user) => self.device_code_allowed(&user),
                // Whoever is gone is refused for that.
                None => Ok(()),
            },
            Via::Password => {
                let is_on = self.facts.grants.password;
                let off = Denial::PasswordGrantDisabled;
                self.require(is_on, off, Side::ResourceTenant, "password-grant-allowed")
            }
        }
    }

    /// Single-page apps redeem from a browser, all others never do (facts: protocol §2).
    fn browser_rule(&mut self, platform: Platform, has_origin: bool) -> Checked<()> {
        match (platform, has_origin) {
            (Platform::Spa, false) => self.refuse(Denial::SpaNeedsOrigin, Side::Client, "spa-origin", ""),
            (Platform::Web, true) => self.refuse(Denial::WebFromBrowser, Side::Client, "spa-origin", ""),
            (Platform::Spa, true) | (Platform::Native, _) | (Platform::Web, false) => Ok(()),
        }
    }

    fn granted(&mut self, grant: &GrantFacts, scope: &ScopeAsk) -> Checked<Permit> {
        let user = self.sign_in_behind(grant)?;
        let permit = self.permit(user, grant.evidence.clone());
        let permit = self.scopes(permit, scope)?;
        // Last, so that nobody is asked about what fails anyhow.
        self.home_vouches(permit.home())?;
        Ok(Permit {
            session: Some(grant.session),
            grant: Some(grant.id),
            platform: Some(grant.platform),
            ..permit
        })
    }

    /// A guest's account is the home's: what ended there has ended here (R38).
    fn home_vouches(&mut self, identity: Option<&HomeIdentity>) -> Checked<()> {
        let Some(identity) = identity else { return Ok(()) };
        match &self.facts.home {
            HomeWord::NotAsked => {
                self.refuse(Denial::HomeNotAsked, Side::HomeTenant, "home-vouches", "not asked")
            }
            HomeWord::Refused(denial) => self.refuse(*denial, Side::HomeTenant, "home-vouches", ""),
            HomeWord::Vouched(said) => {
                let is_same = said.identity == *identity;
                self.require(is_same, Denial::AssertionRejected, Side::HomeTenant, "home-vouches")
            }
        }
    }

    /// The sign-in that a grant came of still counts.
    fn sign_in_behind(&mut self, grant: &GrantFacts) -> Checked<SignInUser> {
        self.require(grant.revoked_at.is_none(), Denial::GrantRevoked, Side::ResourceTenant, "grant-alive")?;
        let is_alive = self.facts.is_session_alive;
        self.require(is_alive, Denial::SessionEnded, Side::ResourceTenant, "session-alive")?;
        let user = self.user(grant.user)?;
        let is_valid = grant.started_at >= user.sessions_valid_from;
        self.require(is_valid, Denial::GrantRevoked, Side::ResourceTenant, "sessions-valid-from")?;
        Ok(user)
    }

    /// Settles resource, scopes and the user's assignment.
    fn scopes(&mut self, permit: Permit, scope: &ScopeAsk) -> Checked<Permit> {
        let client_needs_assignment = permit
            .client
            .as_ref()
            .and_then(|client| client.instance.as_ref())
            .is_some_and(|i| i.is_assignment_required);
        let is_assigned = !client_needs_assignment || self.facts.is_user_assigned;
        self.require(is_assigned, Denial::UserNotAssigned, Side::ResourceTenant, "user-assigned")?;
        let resource = self.resource()?;
        let missing = missing_scopes(&resource, scope, &self.facts.consented);
        let missing = match missing {
            Ok(missing) => missing,
            Err(denial) => return self.refuse(denial, Side::Client, "scope-known", ""),
        };
        if !missing.is_empty() {
            return self.refuse(Denial::ConsentRequired, Side::User, "consent", missing.join(" "));
        }
        self.trace.passed(Side::User, "consent", "");
        let scopes = granted_scopes(&resource, scope, &self.facts.consented);
        let roles = role_values(&resource, &self.facts.user_roles);
        let client_roles = permit.client.as_ref().map(|client| role_values(client, &self.facts.client_roles));
        Ok(Permit {
            resource: Some(resource),
            scopes,
            roles,
            client_roles: client_roles.unwrap_or_default(),
            id_groups: self.facts.id_groups.clone(),
            access_groups: self.facts.access_groups.clone(),
            ask: scope.clone(),
            ..permit
        })
    }
}

/// A v1 audience repeats the resource as it was asked for, with or without a slash at the end.
fn is_same_resource(uri: &str, audience: &str) -> bool {
    audience == uri || audience.strip_suffix('/') == Some(uri)
}

/// Whether an authorization request may be answered at its redirect address at all. Until this holds, errors are shown
/// here and go nowhere (R27, R28).
pub fn admit(
    client: Option<&App>,
    tenant: Option<TenantId>,
    redirect_uri: Option<&str>,
) -> Result<Platform, Denial> {
    let registration = registered_for(client, tenant)?;
    let presented = redirect_uri.ok_or(Denial::RedirectMismatch)?;
    registration.platform_of(presented).ok_or(Denial::RedirectMismatch)
}

/// Whether an administrator may be asked to agree for a client. Without a redirect address the answer is a page.
pub fn admit_admin_consent(
    client: Option<&App>,
    tenant: Option<TenantId>,
    redirect_uri: Option<&str>,
) -> Result<(), Denial> {
    let registration = registered_for(client, tenant)?;
    match redirect_uri {
        Some(presented) if registration.platform_of(presented).is_none() => Err(Denial::RedirectMismatch),
        Some(_) | None => Ok(()),
    }
}

/// The client's registration, if it may be used in a tenant, or anywhere for `None`.
fn registered_for(client: Option<&App>, tenant: Option<TenantId>) -> Result<&Application, Denial> {
    let registration = &client.ok_or(Denial::ClientUnknown)?.registration;
    if registration.deleted_at.is_some() {
        return Err(Denial::ClientUnknown);
    }
    let is_multi_tenant = registration.audience.is_multi_tenant();
    match tenant {
        None if !is_multi_tenant => Err(Denial::NotMultiTenant),
        Some(tenant) if !is_multi_tenant && registration.owner.is_some_and(|owner| owner != tenant) => {
            Err(Denial::ClientUnknown)
        }
        None | Some(_) => Ok(registration),
    }
}

/// Whether a device may be given a code for a client. The gate looks again when the person answers, and at the poll.
pub fn admit_device(
    client: Option<&App>,
    tenant: Option<&Tenant>,
    grants: OptionalGrants,
) -> Result<(), Denial> {
    let registration = &client.ok_or(Denial::ClientUnknown)?.registration;
    let is_multi_tenant = registration.audience.is_multi_tenant();
    let is_elsewhere = |tenant: &Tenant| registration.owner.is_some_and(|owner| owner != tenant.id);
    if registration.deleted_at.is_some() || (!is_multi_tenant && tenant.is_some_and(is_elsewhere)) {
        return Err(Denial::ClientUnknown);
    }
    match tenant {
        None if !is_multi_tenant => Err(Denial::NotMultiTenant),
        // At `common` the tenant of whoever signs in has a say, later.
        Some(_) if !grants.device_code => Err(Denial::DeviceCodeDisabled),
        None | Some(_) => Ok(()),
    }
}

/// Whether an application's settings let the authorization endpoint hand out what is asked. A code always; asked before
/// anybody signs in, and again by the gate.
pub fn admit_response(settings: FrontChannel, asked: ResponseType) -> Result<(), Denial> {
    if asked.id_token && !settings.has_id_tokens {
        return Err(Denial::ResponseTypeDisabled);
    }
    if asked.token && !settings.has_access_tokens {
        return Err(Denial::ImplicitTokenDisabled);
    }
    Ok(())
}

/// Scopes of the request that nobody agreed to yet. `.default` is content with any earlier agreement.
pub fn missing_scopes(resource: &App, scope: &ScopeAsk, consented: &[String]) -> Result<Vec<String>, Denial> {
    let mut missing = Vec::new();
    let is_consented = |value: &str| consented.iter().any(|known| known.eq_ignore_ascii_case(value));
    match scope.resource.as_ref().map(|ask| &ask.wanted) {
        Some(Wanted::Named(named)) => {
            for value in named {
                let known =
                    resource.registration.scopes.iter().find(|scope| scope.value.eq_ignore_ascii_case(value));
                match known {
                    Some(known) if known.is_enabled => {
                        if !is_consented(value) {
                            missing.push(known.value.clone());
                        }
                    }
                    Some(_) | None => return Err(Denial::ScopeInvalid),
                }
            }
        }
        Some(Wanted::Default) | None => {
            if consented.is_empty() {
                missing.push(if scope.resource.is_some() { ".default" } else { "openid" }.to_owned());
            }
        }
    }
    Ok(missing)
}

/// The delegated permissions a token carries: what was asked, or for `.default` all that was agreed to.
fn granted_scopes(resource: &App, scope: &ScopeAsk, consented: &[String]) -> Vec<String> {
    let offered = resource.registration.scopes.iter().filter(|offered| offered.is_enabled);
    let is_wanted = |value: &str| match scope.resource.as_ref().map(|ask| &ask.wanted) {
        Some(Wanted::Named(named)) => named.iter().any(|name| name.eq_ignore_ascii_case(value)),
        Some(Wanted::Default) => true,
        None => false,
    };
    let is_openid = |value: &str| match value {
        "openid" => scope.openid,
        "profile" => scope.profile,
        "email" => scope.email,
        _ => false,
    };
    offered
        .filter(|offered| {
            let value = offered.value.as_str();
            if value == "offline_access" {
                return false;
            }
            is_openid(value)
                || (is_wanted(value) && consented.iter().any(|known| known.eq_ignore_ascii_case(value)))
        })
        .map(|offered| offered.value.clone())
        .collect()
}
