//! Cases of `issuance::decide`: may this be minted? Also what is refused before the gate is asked: scopes that do not sort
//! out, and requests that may not be answered at their redirect address (`admit`).

use crate::Judged;
use crate::words::{Answer, Kind, NOW, Name, Person, When, contoso, id, identity, partner_proof, tenant};
use domain::directory::application::{
    App, AppRole, Application, ClientCertificate, ClientSecret, Details, FrontChannel, GrantedRole,
    Information, Lifetimes, Platform, RedirectUri, Scope, ServicePrincipal, SharedApp, SignInAudience,
    TokenVersion,
};
use domain::directory::federated_credential::FederatedCredential;
use domain::directory::token_claims::TokenClaims;
use domain::federation::assertion::HomeAssertion;
use domain::id::{AppId, ApplicationId, GrantId, PartId, ServicePrincipalId, SessionId, TenantId};
use domain::issuance::decide::{
    Ask, CallerToken, ClientProof, CodeFacts, CodeRedemption, DeviceAnswer, DeviceFacts, Facts, GrantFacts,
    HomeWord, PasswordCheck, Permit, Via, admit, decide,
};
use domain::issuance::{Denial, scope};
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::signin::next::Identified;
use domain::tenancy::tenant::{OptionalGrants, TenantState};
use domain::time::Span;
use domain::verdict::{Trace, Verdict};
use serde::{Deserialize, Serialize};
use standards::jose::{Algorithm, ForeignAssertion, HeaderForm, KeyKind, SigningKey};
use standards::oauth::Version;
use standards::oauth::authorize::{AuthorizeRequest, ChallengeMethod, CodeChallenge, ResponseType};
use standards::oauth::claims::RequestedClaims;
use standards::oauth::token::ClientAuth;
use standards::{b64, crypto};
use std::sync::{Arc, LazyLock};

const ORIGIN: &str = "https://login.test";
const VERIFIER: &str = "the-right-verifier-has-at-least-43-characters";

/// Contoso, its application `app` with a secret, its resource `orders`, and Alice, who agreed to `read`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    tenant_is_suspended: bool,
    region_scope: String,
    client: Client,
    resource: Resource,
    user: Person,
    user_is_unknown: bool,
    /// Scopes of the resource that were agreed to for this client and user.
    consented: Vec<String>,
    /// Roles of the resource that the user holds.
    user_roles: Vec<Name>,
    is_user_assigned: bool,
    /// Whether the session behind the code or refresh token is alive.
    is_session_alive: bool,
    /// What a guest's home says now.
    home: Says,
    grant: Grant,
    code: Code,
    caller: Caller,
    has_password_grant: bool,
    has_device_codes: bool,
    has_device_codes_for_guests: bool,
    device: Device,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            tenant_is_suspended: false,
            region_scope: "WW".into(),
            client: Client::default(),
            resource: Resource::default(),
            user: Person::default(),
            user_is_unknown: false,
            consented: vec!["read".into()],
            user_roles: Vec::new(),
            is_user_assigned: false,
            is_session_alive: true,
            home: Says::Vouches,
            grant: Grant::default(),
            code: Code::default(),
            caller: Caller::default(),
            has_password_grant: true,
            has_device_codes: true,
            has_device_codes_for_guests: false,
            device: Device::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Says {
    /// The account was disabled there.
    AccountDisabled,
    /// Nobody asked.
    Nothing,
    Vouches,
    VouchesForAnother,
}

impl Says {
    fn word(self, person: &Person) -> HomeWord {
        let subject = match self {
            Self::AccountDisabled => return HomeWord::Refused(Denial::AccountDisabled),
            Self::Nothing => return HomeWord::NotAsked,
            Self::Vouches => person.user().display_name,
            Self::VouchesForAnother => "somebody".to_owned(),
        };
        HomeWord::Vouched(Box::new(HomeAssertion {
            identity: identity(&subject),
            name: subject.clone(),
            sign_in_name: None,
            proved_addresses: vec![format!("{subject}@fabrikam.test")],
            evidence: vec![partner_proof(NOW)],
            authenticated_at: NOW,
        }))
    }
}

/// A web application of Contoso with one redirect address.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Client {
    is_unknown: bool,
    is_deleted: bool,
    /// The tenant that registered it.
    owner: Name,
    is_for_any_tenant: bool,
    platform: On,
    is_fallback_public: bool,
    /// What the authorization endpoint itself may hand out besides a code.
    has_front_channel_id_tokens: bool,
    has_front_channel_access_tokens: bool,
    /// Whether it has an instance in Contoso.
    has_instance: bool,
    is_enabled: bool,
    is_assignment_required: bool,
    /// Roles of the resource that were granted to the application.
    roles: Vec<Name>,
    certificate: Option<Certificate>,
    /// It trusts the subject `workload` of one issuer, for the audience `exchange`.
    has_federated_credential: bool,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            is_unknown: false,
            is_deleted: false,
            owner: "contoso".into(),
            is_for_any_tenant: false,
            platform: On::Web,
            is_fallback_public: false,
            has_front_channel_id_tokens: false,
            has_front_channel_access_tokens: false,
            has_instance: true,
            is_enabled: true,
            is_assignment_required: false,
            roles: Vec::new(),
            certificate: None,
            has_federated_credential: false,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum On {
    Native,
    Spa,
    Web,
}

impl On {
    fn platform(self) -> Platform {
        match self {
            Self::Native => Platform::Native,
            Self::Spa => Platform::Spa,
            Self::Web => Platform::Web,
        }
    }

    fn redirect_uri(self) -> &'static str {
        match self {
            Self::Native => "http://localhost",
            Self::Spa => "https://app.contoso.test/spa",
            Self::Web => "https://app.contoso.test/callback",
        }
    }
}

/// Holds the public half of the client's key, an EC key.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Certificate {
    starts: When,
    expires: When,
    /// The certificate says that its key is an RSA key.
    says_rsa: bool,
}

impl Default for Certificate {
    fn default() -> Self {
        Self { starts: When(NOW - Span::days(1)), expires: When(NOW + Span::days(365)), says_rsa: false }
    }
}

/// Offers the scopes `read` and `write`, `retired` no more; the role `daemon` to applications, `manager` to users, and
/// `former` to nobody any more.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Resource {
    is_unknown: bool,
    has_instance: bool,
    is_enabled: bool,
    is_assignment_required: bool,
}

impl Default for Resource {
    fn default() -> Self {
        Self { is_unknown: false, has_instance: true, is_enabled: true, is_assignment_required: false }
    }
}

/// What Alice's sign-in to the application set going, an hour ago.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Grant {
    is_unknown: bool,
    client: Name,
    started: When,
    used: When,
    is_revoked: bool,
    via: Way,
}

/// How a grant came about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Browser,
    DeviceCode,
    Password,
}

impl Default for Grant {
    fn default() -> Self {
        let hour_ago = When(NOW - Span::hours(1));
        Self {
            is_unknown: false,
            client: "app".into(),
            started: hour_ago,
            used: hour_ago,
            is_revoked: false,
            via: Way::Browser,
        }
    }
}

/// A code with a challenge, good for another nine minutes.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Code {
    is_unknown: bool,
    has_challenge: bool,
    /// The challenge is the verifier itself.
    is_challenge_plain: bool,
    expires: When,
    redeemed: Option<When>,
}

impl Default for Code {
    fn default() -> Self {
        Self {
            is_unknown: false,
            has_challenge: true,
            is_challenge_plain: false,
            expires: When(NOW + Span::minutes(9)),
            redeemed: None,
        }
    }
}

/// A device's code, approved by Alice an hour ago (which set her grant going) and good for another nine minutes.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Device {
    is_unknown: bool,
    client: Name,
    answer: Answered,
    expires: When,
    redeemed: Option<When>,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            is_unknown: false,
            client: "app".into(),
            answer: Answered::Approved,
            expires: When(NOW + Span::minutes(9)),
            redeemed: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answered {
    Approved,
    Declined,
    Pending,
}

/// The token that the application was called with, good for half an hour; Alice is behind it.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Caller {
    is_unknown: bool,
    tenant: Name,
    audience: String,
    expires: When,
    is_application: bool,
}

impl Default for Caller {
    fn default() -> Self {
        Self {
            is_unknown: false,
            tenant: "contoso".into(),
            audience: "api://app".into(),
            expires: When(NOW + Span::minutes(30)),
            is_application: false,
        }
    }
}

/// A sign-in of Alice to the application; whatever is presented is right.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Asked {
    ask: For,
    /// `openid api://orders/read` unless stated; an application asks for `api://orders/.default`.
    scope: Option<String>,
    /// `right`, `old` (expired), `new` (not valid yet), `none`, or another. Right for a web application, none for the others.
    secret: Option<String>,
    /// Presented instead of the secret.
    assertion: Option<Assertion>,
    /// An assertion of another issuer whose signature held.
    foreign: Option<Foreign>,
    /// The client that presents the code.
    client: Option<Name>,
    /// The registered one unless stated; `none` for none.
    redirect_uri: Option<String>,
    /// The right one unless stated; `none` for none.
    verifier: Option<String>,
    /// What the authorization request asks to get back: `code` unless stated.
    response_type: Option<String>,
    /// Whether the authorization request has no challenge, or one that is the verifier itself.
    has_no_challenge: bool,
    is_challenge_plain: bool,
    /// Whether the request came from a browser's script. Single-page apps do that, others do not.
    has_origin: Option<bool>,
    partner: Partner,
    /// What came of checking the password.
    password: Typed,
    /// Contoso itself is asked to vouch to Fabrikam, not only whether the grant is good.
    vouches_to_partner: bool,
    /// Fabrikam asks by what it was told, and no client by a refresh token.
    is_asked_by_partner: bool,
    /// The session that was used; none for a fresh proof.
    session: Option<Name>,
    /// The request came to `common`, where no tenant is known yet.
    is_at_common: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum For {
    ApplicationToken,
    CodeTokens,
    DeviceTokens,
    OnBehalfOf,
    PartnerCode,
    PasswordTokens,
    Portal,
    RefreshTokens,
    /// A grant of Contoso is used at Fabrikam.
    Renewal,
    #[default]
    SignInCode,
    SignInDevice,
    /// May the authorization request be answered at its redirect address at all?
    ToBeAnswered,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Typed {
    Elsewhere,
    Paused,
    #[default]
    Right,
    Wrong,
}

/// Names its client and certificate, is addressed to Contoso's token endpoint, and is good for five minutes.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Assertion {
    issuer: Name,
    subject: Name,
    audience: String,
    expires: When,
    not_before: When,
    names_certificate: bool,
    /// Signed by somebody else's key.
    is_forged: bool,
    is_garbage: bool,
}

impl Default for Assertion {
    fn default() -> Self {
        Self {
            issuer: "app".into(),
            subject: "app".into(),
            audience: format!("{ORIGIN}/contoso.test/oauth2/v2.0/token"),
            expires: When(NOW + Span::minutes(5)),
            not_before: When(NOW),
            names_certificate: true,
            is_forged: false,
            is_garbage: false,
        }
    }
}

/// Fabrikam asks Contoso who its user is.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Partner {
    region_scope: String,
    is_suspended: bool,
}

impl Default for Partner {
    fn default() -> Self {
        Self { region_scope: "WW".into(), is_suspended: false }
    }
}

/// What the permit says.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Granted {
    /// Absent when the token is the application's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Name>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    /// How the client proved itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    /// What was proved about the user: `password 1 hour ago`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<String>,
}

/// Who decides a denial. A new one stops the build until somebody says so, and the tests until a case shows it.
pub(crate) fn denials(decided_by: &[&str]) -> Vec<String> {
    macro_rules! denials {
        ($($place:ident: $($variant:ident)*;)*) => {{
            let _ = |one: &Denial| match one { $($(Denial::$variant => (),)*)* };
            [$((stringify!($place), &[$(concat!("Denial::", stringify!($variant))),*] as &[&str])),*]
        }};
    }
    let places = denials! {
        gate:
            ApplicationNotAssigned AssertionRejected AuthorizationDeclined AuthorizationPending CallerAssertionExpired CallerAssertionForAnother CallerAssertionInvalid
            CallerIsApplication ClientAssertionExpired ClientAssertionForAnother ClientAssertionInvalid
            ClientAssertionUnsigned ClientCertificateExpired ClientDisabled ClientIsPublic ClientSecretExpired
            ClientSecretMissing ClientSecretWrong ClientUnknown CodeExpired CodeForAnotherClient CodeRedeemed
            CodeUnknown DeviceCodeDisabled DeviceCodeExpired DeviceCodeForGuest DeviceCodeRedeemed DeviceCodeUnknown
            FederatedAudienceWrong FederatedIssuerUnknown FederatedSubjectUnknown FederatedUserToken GrantRevoked HomeNotAsked ImplicitTokenDisabled NotMultiTenant PartnerTakesNoPart PasswordGrantDisabled PasswordWrong PkceMismatch PkceMissing PkceUnexpected
            RedirectMismatch RefreshExpired RefreshForAnotherClient RefreshSpaExpired RefreshUnknown
            ResourceDisabled ResourceUnknown ResponseTypeDisabled ScopeInvalid ScopesOfSeveralResources SessionEnded SpaNeedsOrigin
            TenantSuspended TooManyAttempts UserNotAssigned UserUnknown WebFromBrowser;
        gate_and_dispatcher:
            AccountDisabled ConsentRequired GuestPending PasswordExpired;
        dispatcher:
            AdminConsentRequired FlowExpired GuestNotInDirectory InvitationExpired InvitationForAnother NoSession
            SeveralSessions;
        // By whoever reads the request or checks the proof; no decision of this crate.
        service_and_http:
            ApprovalRequired CodeForAnotherTenant ConsentDeclined DirectoryFull FederatedIssuerUnreachable InvitationUnknown ScopeMissing TooManyDirectories;
    };
    let wanted = places.iter().filter(|(place, _)| decided_by.contains(place));
    wanted.flat_map(|(_, names)| *names).map(|name| (*name).to_owned()).collect()
}

/// Every denial of the gate, and every question answered with a grant.
pub(crate) fn variants() -> Vec<String> {
    let asks = every_variant! { Ask:
        ApplicationToken CodeTokens DeviceTokens OnBehalfOf PartnerCode PasswordTokens Portal RefreshTokens Renewal
        SignInCode SignInDevice
    };
    let mut all = denials(&["gate", "gate_and_dispatcher"]);
    all.extend(asks.map(str::to_owned));
    all
}

pub(crate) fn judge(given: &Given, asked: &Asked) -> Vec<Judged<Answer<Granted>>> {
    let verdict = decided(given, asked);
    let mut shown = verdict.shown("Denial");
    if shown.is_empty() && asked.ask != For::ToBeAnswered {
        shown.push(format!("Ask::{:?}", asked.ask));
    }
    vec![Judged { asked: String::new(), verdict, shown }]
}

fn decided(given: &Given, asked: &Asked) -> Answer<Granted> {
    let client = (!given.client.is_unknown).then(|| client(&given.client));
    let redirect_uri = match asked.redirect_uri.as_deref() {
        None => Some(given.client.platform.redirect_uri()),
        Some("none") => None,
        Some(uri) => Some(uri),
    };
    if asked.ask == For::ToBeAnswered {
        let tenant = (!asked.is_at_common).then(|| contoso().id);
        let verdict = match admit(client.as_deref(), tenant, redirect_uri) {
            Ok(platform) => Verdict::Granted(platform, Trace::new()),
            Err(denial) => Verdict::Refused(denial, Trace::new()),
        };
        return Answer::of(verdict, |platform| Granted {
            platform: Some(format!("{platform:?}").to_lowercase()),
            ..Granted::default()
        });
    }
    let usual = match asked.ask {
        For::ApplicationToken => "api://orders/.default",
        _ => "openid api://orders/read",
    };
    let scopes: Vec<String> =
        asked.scope.as_deref().unwrap_or(usual).split_whitespace().map(str::to_owned).collect();
    let scope = match scope::sort(&scopes, &scope::GraphAliases::default()) {
        Ok(scope) => scope,
        Err(denial) => return Answer::of(Verdict::<Permit, _>::Refused(denial, Trace::new()), permitted),
    };
    let facts = facts(given, client);
    let (auth, grant) = (auth(given, asked), grant(given));
    let code = CodeFacts {
        grant: grant.clone(),
        redirect_uri: given.client.platform.redirect_uri().into(),
        challenge: given.code.has_challenge.then(|| challenge(given.code.is_challenge_plain)),
        nonce: Some("nonce".into()),
        expires_at: given.code.expires.0,
        redeemed_at: given.code.redeemed.map(|when| when.0),
    };
    let password = match asked.password {
        Typed::Elsewhere => PasswordCheck::Elsewhere,
        Typed::Paused => PasswordCheck::Paused,
        Typed::Right => PasswordCheck::Right(grant.clone()),
        Typed::Wrong => PasswordCheck::Wrong,
    };
    let caller = CallerToken {
        audience: given.caller.audience.clone(),
        tenant: TenantId::new(given.caller.tenant.id()),
        expires_at: given.caller.expires.0,
        grant: (!given.grant.is_unknown).then(|| grant.clone()),
        is_application: given.caller.is_application,
    };
    let device = DeviceFacts {
        client: AppId::new(given.device.client.id()),
        expires_at: given.device.expires.0,
        answer: match given.device.answer {
            Answered::Approved => DeviceAnswer::Approved,
            Answered::Declined => DeviceAnswer::Declined,
            Answered::Pending => DeviceAnswer::Pending,
        },
        redeemed_at: given.device.redeemed.map(|when| when.0),
    };
    let has_origin = asked.has_origin.unwrap_or(given.client.platform == On::Spa);
    let identified = Identified {
        user: given.user.user(),
        evidence: evidence(given),
        session: asked.session.as_ref().map(|name| SessionId::new(name.id())),
        is_persistent: false,
    };
    let mut partner = tenant("fabrikam", &asked.partner.region_scope, &["fabrikam.test"]);
    if asked.partner.is_suspended {
        partner.state = TenantState::Suspended;
    }
    let request = request(asked, redirect_uri);
    let ask = match asked.ask {
        For::ApplicationToken => Ask::ApplicationToken { auth: &auth, scope: &scope },
        For::CodeTokens => Ask::CodeTokens {
            auth: &auth,
            code: (!given.code.is_unknown).then_some(&code),
            redemption: CodeRedemption {
                client: AppId::new(asked.client.as_ref().map_or(id("app"), Name::id)),
                redirect_uri,
                verifier: match asked.verifier.as_deref() {
                    None if given.code.has_challenge => Some(VERIFIER),
                    None | Some("none") => None,
                    Some(verifier) => Some(verifier),
                },
                has_origin,
            },
            scope: &scope,
        },
        For::DeviceTokens => Ask::DeviceTokens {
            auth: &auth,
            device: (!given.device.is_unknown).then_some(&device),
            grant: (!given.grant.is_unknown).then_some(&grant),
            scope: &scope,
        },
        For::OnBehalfOf => Ask::OnBehalfOf {
            auth: &auth,
            caller: (!given.caller.is_unknown).then_some(&caller),
            scope: &scope,
        },
        For::PartnerCode => {
            Ask::PartnerCode { identified: &identified, partner: &partner, nonce: Some("nonce") }
        }
        For::PasswordTokens => Ask::PasswordTokens { auth: &auth, password: &password, scope: &scope },
        For::Portal | For::ToBeAnswered => Ask::Portal { identified: &identified },
        For::RefreshTokens => Ask::RefreshTokens {
            auth: &auth,
            grant: (!given.grant.is_unknown).then_some(&grant),
            scope: &scope,
            has_origin,
        },
        For::Renewal => Ask::Renewal {
            grant: (!given.grant.is_unknown).then_some(&grant),
            presented_by: (!asked.is_asked_by_partner)
                .then(|| AppId::new(asked.client.as_ref().map_or(id("app"), Name::id))),
            partner: asked.vouches_to_partner.then_some(&partner),
            nonce: Some("nonce"),
        },
        For::SignInCode => Ask::SignInCode { identified: &identified, request: &request, scope: &scope },
        For::SignInDevice => Ask::SignInDevice { identified: &identified, scope: &scope },
    };
    Answer::of(decide(&facts, &ask, NOW), permitted)
}

fn permitted(permit: Permit) -> Granted {
    let proof = match permit.proof() {
        ClientProof::Certificate => "certificate",
        ClientProof::Public => "public",
        ClientProof::Secret => "secret",
    };
    let words = |proved: &Proved| format!("{} {}", proved.method.as_str(), String::from(When(proved.at)));
    Granted {
        user: permit.user().map(|user| user.id.uuid().into()),
        scopes: permit.scopes().to_vec(),
        roles: permit.roles().to_vec(),
        proof: Some(proof.to_owned()),
        session: permit.session().map(|session| session.uuid().into()),
        grant: permit.grant().map(|grant| grant.uuid().into()),
        nonce: permit.nonce().map(str::to_owned),
        partner: permit.partner().map(|partner| partner.uuid().into()),
        platform: permit.platform().map(|platform| format!("{platform:?}").to_lowercase()),
        evidence: permit.evidence().iter().map(words).collect(),
    }
}

fn facts(given: &Given, client: Option<SharedApp>) -> Facts {
    let mut tenant = contoso();
    tenant.region_scope.clone_from(&given.region_scope);
    if given.tenant_is_suspended {
        tenant.state = TenantState::Suspended;
    }
    tenant.settings.allows_device_code_for_guests = given.has_device_codes_for_guests;
    Facts {
        grants: OptionalGrants { device_code: given.has_device_codes, password: given.has_password_grant },
        origin: ORIGIN.into(),
        client,
        resource: (!given.resource.is_unknown).then(|| resource(&given.resource)),
        user: (!given.user_is_unknown).then(|| given.user.user()),
        consented: given.consented.clone(),
        user_roles: given.user_roles.iter().map(|name| PartId::new(name.id())).collect(),
        is_user_assigned: given.is_user_assigned,
        is_session_alive: given.is_session_alive,
        home: given.home.word(&given.user),
        ..Facts::new(Arc::new(tenant))
    }
}

pub(crate) fn registration(name: &str) -> Application {
    Application {
        id: ApplicationId::new(id(name)),
        app_id: AppId::new(id(name)),
        owner: Some(contoso().id),
        display_name: name.to_owned(),
        audience: SignInAudience::OwnTenant,
        identifier_uris: vec![format!("api://{name}")],
        redirect_uris: Vec::new(),
        logout_url: None,
        home_page_url: None,
        is_fallback_public: false,
        front_channel: FrontChannel::default(),
        token_claims: TokenClaims::default(),
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated_credentials: Vec::new(),
        scopes: Vec::new(),
        roles: Vec::new(),
        required_access: Vec::new(),
        known_clients: Vec::new(),
        pre_authorized: Vec::new(),
        token_version: TokenVersion::V2,
        token_algorithm: Algorithm::Rs256,
        tags: Vec::new(),
        notes: None,
        description: None,
        info: Information::default(),
        service_reference: None,
        created_at: NOW - Span::days(365),
        deleted_at: None,
    }
}

pub(crate) fn instance(name: &str, is_enabled: bool, is_assignment_required: bool) -> ServicePrincipal {
    ServicePrincipal {
        id: ServicePrincipalId::new(id(name)),
        app_id: AppId::new(id(name)),
        is_enabled,
        is_assignment_required,
        details: Details::default(),
        secrets: Vec::new(),
        created_at: NOW - Span::days(365),
        deleted_at: None,
    }
}

fn client(words: &Client) -> SharedApp {
    let secret = |text: &str, starts_at, expires_at| ClientSecret {
        id: PartId::new(id(text)),
        display_name: None,
        hint: text.chars().take(3).collect(),
        hash: crypto::sha256(&[text.as_bytes()]),
        starts_at,
        expires_at,
    };
    let millisecond = Span::millis(1);
    let uri = words.platform.redirect_uri().to_owned();
    let registration = Application {
        owner: (words.owner != "nobody".into()).then(|| TenantId::new(words.owner.id())),
        audience: if words.is_for_any_tenant { SignInAudience::AnyTenant } else { SignInAudience::OwnTenant },
        redirect_uris: vec![RedirectUri { uri, platform: words.platform.platform() }],
        is_fallback_public: words.is_fallback_public,
        front_channel: FrontChannel {
            has_access_tokens: words.has_front_channel_access_tokens,
            has_id_tokens: words.has_front_channel_id_tokens,
        },
        secrets: vec![
            secret("old", NOW - Span::days(30), NOW),
            secret("right", NOW, NOW + millisecond),
            secret("new", NOW + millisecond, NOW + Span::days(30)),
        ],
        certificates: words.certificate.iter().map(certificate).collect(),
        federated_credentials: match words.has_federated_credential {
            true => vec![FederatedCredential {
                id: PartId::new(id("federated")),
                name: "build".into(),
                issuer: "https://issuer.test".into(),
                subject: "workload".into(),
                audiences: vec!["exchange".into()],
                description: None,
            }],
            false => Vec::new(),
        },
        deleted_at: words.is_deleted.then_some(NOW - Span::days(1)),
        ..registration("app")
    };
    let granted = |role: &Name| GrantedRole {
        resource: ServicePrincipalId::new(id("orders")),
        role: PartId::new(role.id()),
    };
    Arc::new(App {
        registration,
        instance: words.has_instance.then(|| instance("app", words.is_enabled, words.is_assignment_required)),
        granted_roles: words.roles.iter().map(granted).collect(),
        lifetimes: Lifetimes::default(),
    })
}

fn resource(words: &Resource) -> SharedApp {
    let scope = |value: &str, is_enabled| Scope {
        id: PartId::new(id(value)),
        value: value.to_owned(),
        title: value.to_owned(),
        description: value.to_owned(),
        is_admin_only: false,
        is_enabled,
    };
    let role = |value: &str, for_applications, for_users, is_enabled| AppRole {
        id: PartId::new(id(value)),
        value: value.to_owned(),
        display_name: value.to_owned(),
        description: value.to_owned(),
        for_applications,
        for_users,
        is_enabled,
    };
    let registration = Application {
        scopes: vec![scope("read", true), scope("write", true), scope("retired", false)],
        roles: vec![
            role("daemon", true, false, true),
            role("manager", false, true, true),
            role("former", true, true, false),
        ],
        ..registration("orders")
    };
    let instance =
        words.has_instance.then(|| instance("orders", words.is_enabled, words.is_assignment_required));
    Arc::new(App { registration, instance, granted_roles: Vec::new(), lifetimes: Lifetimes::default() })
}

fn grant(given: &Given) -> GrantFacts {
    GrantFacts {
        id: GrantId::new(id("grant")),
        client: AppId::new(given.grant.client.id()),
        user: given.user.user().id,
        session: SessionId::new(id("session")),
        evidence: evidence(given),
        platform: given.client.platform.platform(),
        via: match given.grant.via {
            Way::Browser => Via::Browser,
            Way::DeviceCode => Via::DeviceCode,
            Way::Password => Via::Password,
        },
        parent: None,
        scopes: Vec::new(),
        started_at: given.grant.started.0,
        used_at: given.grant.used.0,
        revoked_at: given.grant.is_revoked.then_some(NOW - Span::minutes(1)),
    }
}

fn evidence(given: &Given) -> Vec<Proved> {
    let at = NOW - Span::hours(1);
    vec![match given.user.kind() {
        Kind::Member => Proved { method: Method::Password, at, verifier: Verifier::ThisTenant },
        Kind::Guest | Kind::PendingGuest => partner_proof(at),
    }]
}

fn challenge(is_plain: bool) -> CodeChallenge {
    if is_plain {
        return CodeChallenge { method: ChallengeMethod::Plain, value: VERIFIER.to_owned() };
    }
    let value = b64::encode(&crypto::sha256(&[VERIFIER.as_bytes()]));
    CodeChallenge { method: ChallengeMethod::S256, value }
}

fn request(asked: &Asked, redirect_uri: Option<&str>) -> AuthorizeRequest {
    let has = |word: &str| asked.response_type.as_deref().unwrap_or("code").split(' ').any(|it| it == word);
    AuthorizeRequest {
        version: Version::V2,
        client_id: id("app"),
        response_type: ResponseType { code: has("code"), id_token: has("id_token"), token: has("token") },
        redirect_uri: redirect_uri.map(str::to_owned),
        scope: Vec::new(),
        response_mode: None,
        state: None,
        nonce: Some("nonce".into()),
        prompt: None,
        login_hint: None,
        domain_hint: None,
        code_challenge: (!asked.has_no_challenge).then(|| challenge(asked.is_challenge_plain)),
        claims: RequestedClaims::default(),
        wants_client_info: false,
        max_age: None,
        sid: None,
    }
}

/// What another issuer says; the defaults are what the application trusts.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Foreign {
    issuer: String,
    subject: String,
    audience: String,
    expires: When,
    is_of_user: bool,
}

impl Default for Foreign {
    fn default() -> Self {
        Self {
            issuer: "https://issuer.test".into(),
            subject: "workload".into(),
            audience: "exchange".into(),
            expires: When(NOW + Span::minutes(10)),
            is_of_user: false,
        }
    }
}

fn auth(given: &Given, asked: &Asked) -> ClientAuth {
    if let Some(said) = &asked.foreign {
        return ClientAuth::Foreign(Box::new(ForeignAssertion {
            issuer: said.issuer.clone(),
            subject: said.subject.clone(),
            audiences: vec![said.audience.clone()],
            expires_at: said.expires.0.seconds(),
            not_before: None,
            is_of_user: said.is_of_user,
        }));
    }
    if let Some(assertion) = &asked.assertion {
        return ClientAuth::Assertion(signed(assertion));
    }
    match (asked.secret.as_deref(), given.client.platform) {
        (Some("none"), _) | (None, On::Native | On::Spa) => ClientAuth::None,
        (None, On::Web) => ClientAuth::SecretPost("right".into()),
        (Some(secret), _) => ClientAuth::SecretBasic(secret.to_owned()),
    }
}

const CLIENT_CERTIFICATE: &[u8] = b"the client's certificate";

/// The client's key. Which one it is changes no verdict.
static CLIENT_KEY: LazyLock<SigningKey> = LazyLock::new(any_key);
static FOREIGN_KEY: LazyLock<SigningKey> = LazyLock::new(any_key);

fn any_key() -> SigningKey {
    let pkcs8 = SigningKey::generate(Algorithm::Es256).unwrap();
    SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8, CLIENT_CERTIFICATE.to_vec()).unwrap()
}

fn signed(words: &Assertion) -> String {
    if words.is_garbage {
        return "a.b.c".to_owned();
    }
    let claims = serde_json::json!({
        "iss": words.issuer.id().to_string(),
        "sub": words.subject.id().to_string(),
        "aud": words.audience,
        "exp": words.expires.0.seconds(),
        "nbf": words.not_before.0.seconds(),
    });
    let key = if words.is_forged { &FOREIGN_KEY } else { &CLIENT_KEY };
    // Of our own two headers the older one names the certificate, as a client's does.
    let form = if words.names_certificate { HeaderForm::V1 } else { HeaderForm::V2 };
    key.sign(form, &claims).unwrap()
}

fn certificate(words: &Certificate) -> ClientCertificate {
    // SubjectPublicKeyInfo of a P-256 key up to the point (RFC 5480 §2.1.1).
    const HEAD: [u8; 27] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
    ];
    let jwk = CLIENT_KEY.public().to_jwk("");
    let number = |name: &str| jwk.get(name).and_then(|value| value.as_str()).and_then(b64::decode).unwrap();
    ClientCertificate {
        id: PartId::new(id("certificate")),
        display_name: None,
        key_kind: if words.says_rsa { KeyKind::Rsa } else { KeyKind::EcP256 },
        public_key: [&HEAD[..], &number("x"), &number("y")].concat(),
        thumbprint_sha1: crypto::sha1_thumbprint(CLIENT_CERTIFICATE),
        thumbprint_sha256: crypto::sha256(&[CLIENT_CERTIFICATE]),
        starts_at: words.starts.0,
        expires_at: words.expires.0,
    }
}
