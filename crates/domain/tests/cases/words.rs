//! The words that cases share: names, times, people, and how a verdict is written.
//!
//! The scene is always the same. `contoso` is the tenant that decides, `fabrikam` another one on this server. Alice is a
//! member of Contoso; Rosa works at Fabrikam and is Contoso's guest.

use domain::directory::role;
use domain::directory::user::{ExternalState, HomeIdentity, SignInUser, UserType};
use domain::id::{InvitationId, TenantId, UserId};
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::{Tenant, TenantDomain, TenantSettings, TenantState};
use domain::time::{Span, Timestamp};
use domain::verdict::{Finding, Side, Trace, Verdict};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// When every case happens.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The name of a thing that has an id. The id holds the name, so that verdicts can be read.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let is_right = text.len() <= 16
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if is_right { Ok(Self(text)) } else { Err(format!("`{text}`: a name has at most 16 small letters")) }
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::try_from(text.to_owned()).unwrap()
    }
}

impl From<Uuid> for Name {
    fn from(id: Uuid) -> Self {
        let bytes: Vec<u8> = id.as_bytes().iter().copied().filter(|b| *b != 0).collect();
        Self(String::from_utf8(bytes).unwrap())
    }
}

impl Name {
    pub(crate) fn id(&self) -> Uuid {
        Uuid::from_u128(self.0.bytes().fold(0, |id, byte| id << 8 | u128::from(byte)))
    }
}

pub(crate) fn id(name: &str) -> Uuid {
    Name::from(name).id()
}

/// `now`, `in 5 minutes`, `24 hours ago`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct When(pub(crate) Timestamp);

const UNITS: [(&str, Span); 5] = [
    ("day", Span::days(1)),
    ("hour", Span::hours(1)),
    ("minute", Span::minutes(1)),
    ("second", Span::seconds(1)),
    ("millisecond", Span::millis(1)),
];

impl TryFrom<String> for When {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}`: a time is `now`, `in 5 minutes` or `5 minutes ago`");
        if text == "now" {
            return Ok(Self(NOW));
        }
        let span = |words: &str| {
            let (count, unit) = words.split_once(' ')?;
            let unit = UNITS.iter().find(|(name, _)| unit.strip_suffix('s').unwrap_or(unit) == *name)?;
            Some(Span::millis(count.parse::<i64>().ok()? * unit.1.as_millis()))
        };
        match (text.strip_prefix("in "), text.strip_suffix(" ago")) {
            (Some(ahead), None) => span(ahead).map(|span| Self(NOW + span)).ok_or_else(wrong),
            (None, Some(past)) => span(past).map(|span| Self(NOW - span)).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

impl From<When> for String {
    fn from(When(at): When) -> Self {
        let millis = at.millis() - NOW.millis();
        let (name, span) = UNITS.iter().find(|(_, span)| millis % span.as_millis() == 0).unwrap_or(&UNITS[4]);
        let count = (millis / span.as_millis()).abs();
        let plural = if count == 1 { "" } else { "s" };
        match millis {
            0 => "now".to_owned(),
            1.. => format!("in {count} {name}{plural}"),
            _ => format!("{count} {name}{plural} ago"),
        }
    }
}

/// A text, or a long one: `{ repeat = "x", times = 4097 }`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(from = "Written", into = "String")]
pub(crate) struct Text(pub(crate) String);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Long(Long),
    Plain(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    repeat: String,
    times: usize,
}

impl From<Written> for Text {
    fn from(written: Written) -> Self {
        match written {
            Written::Long(long) => Self(long.repeat.repeat(long.times)),
            Written::Plain(text) => Self(text),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// What a person is to Contoso.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    #[default]
    Member,
    Guest,
    PendingGuest,
}

/// A user of Contoso: Alice, a member, unless the case says otherwise; a guest is Rosa.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Person {
    kind: Kind,
    name: Option<Name>,
    is_enabled: bool,
    must_change_password: bool,
    roles: Vec<String>,
    mail: Option<String>,
    /// Whether an identity of the home is bound; guests who redeemed have one.
    is_bound: Option<bool>,
    sessions_valid_from: When,
}

impl Default for Person {
    fn default() -> Self {
        Self {
            kind: Kind::Member,
            name: None,
            is_enabled: true,
            must_change_password: false,
            roles: Vec::new(),
            mail: None,
            is_bound: None,
            sessions_valid_from: When(NOW - Span::days(365)),
        }
    }
}

impl Person {
    pub(crate) fn of(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn user(&self) -> SignInUser {
        let is_guest = self.kind != Kind::Member;
        let name = self.name.clone().unwrap_or_else(|| if is_guest { "rosa" } else { "alice" }.into());
        let text = String::from(name.clone());
        let home_domain = if is_guest { "fabrikam.test" } else { "contoso.test" };
        let mail = format!("{text}@{home_domain}");
        let is_bound = self.is_bound.unwrap_or(self.kind == Kind::Guest);
        SignInUser {
            id: UserId::new(name.id()),
            sign_in_name: if is_guest {
                format!("{text}_fabrikam.test#EXT#@contoso.onhospes.test")
            } else {
                mail.clone()
            },
            display_name: text.clone(),
            given_name: None,
            surname: None,
            mail: Some(self.mail.clone().unwrap_or(mail)),
            user_type: if is_guest { UserType::Guest } else { UserType::Member },
            is_enabled: self.is_enabled,
            external: match self.kind {
                Kind::Member => None,
                Kind::Guest => Some(ExternalState::Accepted),
                Kind::PendingGuest => Some(ExternalState::PendingAcceptance),
            },
            identity: is_bound.then(|| identity(&text)),
            proved_addresses: if is_bound { vec![format!("{text}@{home_domain}")] } else { Vec::new() },
            home_tenant: is_guest.then(|| fabrikam().id),
            roles: self.roles.iter().map(|name| role::find_by_name(name).unwrap().id).collect(),
            must_change_password: self.must_change_password,
            sessions_valid_from: self.sessions_valid_from.0,
            preferred_language: None,
            country: None,
        }
    }
}

/// Somebody of Fabrikam, as Fabrikam's tokens name them.
pub(crate) fn identity(subject: &str) -> HomeIdentity {
    HomeIdentity {
        issuer: FABRIKAM_ISSUER.to_owned(),
        subject: subject.to_owned(),
        home_user: UserId::new(id(subject)),
        home_tenant: fabrikam().id,
    }
}

const FABRIKAM_ISSUER: &str = "https://login.test/fabrikam/v2.0";

/// Fabrikam vouched.
pub(crate) fn partner_proof(at: Timestamp) -> Proved {
    Proved {
        method: Method::Federated,
        at,
        verifier: Verifier::Partner { issuer: FABRIKAM_ISSUER.to_owned(), grant: None },
    }
}

pub(crate) fn contoso() -> Tenant {
    tenant("contoso", "WW", &["contoso.test"])
}

pub(crate) fn fabrikam() -> Tenant {
    tenant("fabrikam", "EU", &["fabrikam.test"])
}

/// A tenant with its initial domain, and those it verified besides.
pub(crate) fn tenant(name: &str, region_scope: &str, domains: &[&str]) -> Tenant {
    let domain = |text: &str, is_initial: bool| TenantDomain {
        name: DomainName::parse(text).unwrap(),
        is_default: is_initial,
        is_initial,
        is_verified: true,
    };
    let initial = domain(&format!("{name}.onhospes.test"), true);
    Tenant {
        id: TenantId::new(id(name)),
        display_name: name.to_owned(),
        state: TenantState::Active,
        created_at: NOW - Span::days(365),
        region_scope: region_scope.to_owned(),
        region_sub_scope: None,
        settings: TenantSettings::for_region(region_scope),
        domains: std::iter::once(initial).chain(domains.iter().map(|name| domain(name, false))).collect(),
    }
}

pub(crate) fn invitation_id() -> InvitationId {
    InvitationId::new(id("invitation"))
}

/// A verdict with its reasons.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Answer<G> {
    /// The refusal's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// Whose setting or fact refused: `client`, `home-tenant`, `resource-tenant`, `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<String>,
    /// What the administrator of that side reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The rules in the order they were looked at, `!` before the one that refused.
    reasons: String,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    granted: Option<G>,
}

fn none<G>() -> Option<G> {
    None
}

impl<G> Answer<G> {
    pub(crate) fn of<T, R: std::fmt::Debug>(verdict: Verdict<T, R>, granted: impl FnOnce(T) -> G) -> Self {
        let reasons = verdict.trace().summary();
        match verdict {
            Verdict::Granted(value, _) => {
                Self { refused: None, decided_by: None, detail: None, reasons, granted: Some(granted(value)) }
            }
            Verdict::Refused(reason, trace) => {
                let last = last(&trace);
                Self {
                    // The name; numbers that it came with are the test's of whoever words it.
                    refused: format!("{reason:?}").split(['(', ' ']).next().map(str::to_owned),
                    decided_by: last.map(|finding| side(finding.side).to_owned()),
                    detail: last.map(|finding| finding.detail.to_string()).filter(|text| !text.is_empty()),
                    reasons,
                    granted: None,
                }
            }
        }
    }

    /// What the answer showed of an enum of refusals.
    pub(crate) fn shown(&self, kind: &str) -> Vec<String> {
        self.refused.iter().map(|name| format!("{kind}::{name}")).collect()
    }
}

fn last(trace: &Trace) -> Option<&Finding> {
    trace.findings().last()
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::HomeTenant => "home-tenant",
        Side::ResourceTenant => "resource-tenant",
        Side::User => "user",
    }
}
