//! Unfinished sign-ins: what was asked at the first step, and what was proved since.

use crate::fault::Fault;
use crate::sql::{Row, Value, to_json};
use crate::{ReadTx, WriteTx};
use domain::directory::user::HomeIdentity;
use domain::federation::assertion::HomeAssertion;
use domain::id::{AppId, AttemptId, GrantId, InvitationId, TenantId, UserId};
use domain::proof::ProofHash;
use domain::signin::attempt::{Attempt, Consented, ProvedUser, Purpose, WaitingDevice};
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use standards::b64;
use standards::oauth::Version;
use standards::oauth::admin_consent::AdminConsentRequest;
use standards::oauth::authorize::AuthorizeRequest;
use standards::oauth::params::Params;

/// Evidence as it is kept.
#[derive(Serialize, Deserialize)]
pub(crate) struct ProvedDocument {
    method: String,
    at: i64,
    /// The partner's issuer; absent when this tenant checked.
    partner: Option<String>,
    /// The partner's name for the sign-in behind its word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grant: Option<uuid_text::Text>,
}

pub(crate) fn evidence_document(evidence: &[Proved]) -> Vec<ProvedDocument> {
    let document = |proved: &Proved| ProvedDocument {
        method: proved.method.as_str().to_owned(),
        at: proved.at.millis(),
        partner: match &proved.verifier {
            Verifier::Partner { issuer, .. } => Some(issuer.clone()),
            Verifier::ThisTenant => None,
        },
        grant: match &proved.verifier {
            Verifier::Partner { grant, .. } => grant.map(|grant| grant.uuid().into()),
            Verifier::ThisTenant => None,
        },
    };
    evidence.iter().map(document).collect()
}

pub(crate) fn evidence(document: Vec<ProvedDocument>) -> Result<Vec<Proved>, Fault> {
    let proved = |document: ProvedDocument| {
        let grant = document.grant.map(|grant| grant.id()).transpose()?.map(GrantId::new);
        Ok(Proved {
            method: Method::parse(&document.method).ok_or(Fault::Bug("a stored method is unknown"))?,
            at: Timestamp::from_millis(document.at),
            verifier: match document.partner {
                Some(issuer) => Verifier::Partner { issuer, grant },
                None => Verifier::ThisTenant,
            },
        })
    };
    document.into_iter().map(proved).collect()
}

#[derive(Serialize, Deserialize)]
struct Body {
    login: Option<String>,
    picked: Option<uuid_text::Text>,
    wants_other_account: bool,
    proved: Option<(uuid_text::Text, Vec<ProvedDocument>)>,
    assertion: Option<AssertionDocument>,
    redemption_accepted_at: Option<i64>,
    #[serde(default)]
    consented: Option<ConsentedDocument>,
    #[serde(default)]
    device_confirmed_by: Option<uuid_text::Text>,
    stay_signed_in: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct ConsentedDocument {
    user: uuid_text::Text,
    for_organization: bool,
    shown: String,
    is_written: bool,
}

impl ConsentedDocument {
    fn new(consented: &Consented) -> Self {
        Self {
            user: consented.user.uuid().into(),
            for_organization: consented.for_organization,
            shown: b64::encode(&consented.shown),
            is_written: consented.is_written,
        }
    }
    fn read(&self) -> Result<Consented, Fault> {
        let shown = b64::decode(&self.shown).and_then(|shown| shown.try_into().ok());
        Ok(Consented {
            user: UserId::new(self.user.id()?),
            for_organization: self.for_organization,
            is_written: self.is_written,
            shown: shown.ok_or(Fault::Bug("a stored consent does not parse"))?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct AssertionDocument {
    issuer: String,
    subject: String,
    home_user: uuid_text::Text,
    home_tenant: uuid_text::Text,
    name: String,
    sign_in_name: Option<String>,
    proved_addresses: Vec<String>,
    evidence: Vec<ProvedDocument>,
    authenticated_at: i64,
}

/// Ids as hyphenated text inside documents.
mod uuid_text {
    use uuid::Uuid;

    #[derive(serde::Serialize, serde::Deserialize)]
    pub(super) struct Text(String);

    impl From<Uuid> for Text {
        fn from(id: Uuid) -> Self {
            Self(id.to_string())
        }
    }
    impl Text {
        pub(super) fn id(&self) -> Result<Uuid, crate::Fault> {
            Uuid::parse_str(&self.0).map_err(|_| crate::Fault::Bug("an id in a stored sign-in is no id"))
        }
    }
}

fn body(attempt: &Attempt) -> Result<String, Fault> {
    to_json(&Body {
        login: attempt.login.clone(),
        picked: attempt.picked.map(|id| id.uuid().into()),
        wants_other_account: attempt.wants_other_account,
        proved: attempt
            .proved
            .as_ref()
            .map(|proved| (proved.user.uuid().into(), evidence_document(&proved.evidence))),
        assertion: attempt.assertion.as_ref().map(|assertion| AssertionDocument {
            issuer: assertion.identity.issuer.clone(),
            subject: assertion.identity.subject.clone(),
            home_user: assertion.identity.home_user.uuid().into(),
            home_tenant: assertion.identity.home_tenant.uuid().into(),
            name: assertion.name.clone(),
            sign_in_name: assertion.sign_in_name.clone(),
            proved_addresses: assertion.proved_addresses.clone(),
            evidence: evidence_document(&assertion.evidence),
            authenticated_at: assertion.authenticated_at.millis(),
        }),
        redemption_accepted_at: attempt.redemption_accepted_at.map(Timestamp::millis),
        consented: attempt.consented.as_ref().map(ConsentedDocument::new),
        device_confirmed_by: attempt.device_confirmed_by.map(|user| user.uuid().into()),
        stay_signed_in: attempt.stay_signed_in,
    })
}

fn read(row: &Row<'_>, tenant: TenantId) -> Result<Attempt, Fault> {
    let request = row.text(2)?;
    let broken = || Fault::Bug("a stored authorization request does not parse");
    let params = || Params::parse(request.as_bytes()).map_err(|_| broken());
    let parse = |version| AuthorizeRequest::parse(&params()?, version).map_err(|_| broken());
    let admin_consent = |version| AdminConsentRequest::parse(&params()?, version).map_err(|_| broken());
    let purpose = match row.text(1)?.as_str() {
        "admin consent" => Purpose::AdminConsent(Box::new(admin_consent(Version::V2)?)),
        "admin consent v1" => Purpose::AdminConsent(Box::new(admin_consent(Version::V1)?)),
        "authorize" => Purpose::Authorize(Box::new(parse(Version::V2)?)),
        "authorize v1" => Purpose::Authorize(Box::new(parse(Version::V1)?)),
        "device" => Purpose::Device(Box::new(device(&request)?)),
        "partner" => {
            let request = parse(Version::V2)?;
            let partner = TenantId::new(request.client_id);
            Purpose::Partner(Box::new(request), partner)
        }
        "portal" => Purpose::Portal,
        "redemption" => {
            let id: InvitationId =
                request.parse().map_err(|_| Fault::Bug("a stored invitation id is no id"))?;
            Purpose::Redemption(id)
        }
        _ => return Err(Fault::Bug("a stored sign-in has an unknown purpose")),
    };
    let body: Body = row.json(3)?;
    let assertion = match body.assertion {
        None => None,
        Some(document) => Some(HomeAssertion {
            identity: HomeIdentity {
                issuer: document.issuer,
                subject: document.subject,
                home_user: UserId::new(document.home_user.id()?),
                home_tenant: TenantId::new(document.home_tenant.id()?),
            },
            name: document.name,
            sign_in_name: document.sign_in_name,
            proved_addresses: document.proved_addresses,
            evidence: evidence(document.evidence)?,
            authenticated_at: Timestamp::from_millis(document.authenticated_at),
        }),
    };
    let proved = match body.proved {
        None => None,
        Some((user, proved)) => {
            Some(ProvedUser { user: UserId::new(user.id()?), evidence: evidence(proved)? })
        }
    };
    Ok(Attempt {
        id: AttemptId::new(row.uuid(0)?),
        tenant,
        purpose,
        created_at: row.time(4)?,
        login: body.login,
        picked: body.picked.map(|id| id.id().map(domain::id::SessionId::new)).transpose()?,
        wants_other_account: body.wants_other_account,
        proved,
        assertion,
        redemption_accepted_at: body.redemption_accepted_at.map(Timestamp::from_millis),
        consented: body.consented.map(|consented| consented.read()).transpose()?,
        device_confirmed_by: body.device_confirmed_by.map(|id| id.id().map(UserId::new)).transpose()?,
        stay_signed_in: body.stay_signed_in,
    })
}

/// What a waiting device asked for, as it is kept.
#[derive(Serialize, Deserialize)]
struct DeviceDocument {
    code: String,
    client: uuid_text::Text,
    scopes: Vec<String>,
    address: Option<String>,
}

fn device_text(device: &WaitingDevice) -> Result<String, Fault> {
    to_json(&DeviceDocument {
        code: b64::encode(&device.code.0),
        client: device.client.uuid().into(),
        scopes: device.scopes.clone(),
        address: device.address.clone(),
    })
}

fn device(text: &str) -> Result<WaitingDevice, Fault> {
    let broken = Fault::Bug("a stored device does not parse");
    let Ok(document) = serde_json::from_str::<DeviceDocument>(text) else { return Err(broken) };
    let Some(code) = b64::decode(&document.code).and_then(|code| code.try_into().ok()) else {
        return Err(broken);
    };
    Ok(WaitingDevice {
        code: ProofHash(code),
        client: AppId::new(document.client.id()?),
        scopes: document.scopes,
        address: document.address,
    })
}

impl ReadTx<'_> {
    /// An unfinished sign-in of this browser; another browser's is not found (R15), nor is a finished one (R11).
    pub fn find_attempt(&self, id: AttemptId, browser: ProofHash) -> Result<Option<Attempt>, Fault> {
        let tenant = self.tenant()?;
        self.link().one(
            "SELECT id, purpose, request, body, created_at FROM attempts
              WHERE tenant = $1 AND id = $2 AND browser = $3 AND ended_at IS NULL",
            &[(&tenant.uuid()).into(), (&id.uuid()).into(), (&browser.0).into()],
            |row| read(row, tenant),
        )
    }
}

impl ReadTx<'_> {
    /// The authorization request of an attempt as it came.
    pub fn attempt_request(&self, id: AttemptId) -> Result<Option<String>, Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().one(
            "SELECT request FROM attempts WHERE tenant = $1 AND id = $2",
            &[(&tenant).into(), (&id.uuid()).into()],
            |row| row.text(0),
        )
    }
}

impl WriteTx<'_> {
    /// Begins a sign-in. `request` is the authorization request as it came, empty for the tenant's own purposes.
    pub fn add_attempt(&self, attempt: &Attempt, browser: ProofHash, request: &str) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let (purpose, request) = match &attempt.purpose {
            Purpose::AdminConsent(asked) => match asked.version {
                Version::V1 => ("admin consent v1", request.to_owned()),
                Version::V2 => ("admin consent", request.to_owned()),
            },
            Purpose::Authorize(asked) => match asked.version {
                Version::V1 => ("authorize v1", request.to_owned()),
                Version::V2 => ("authorize", request.to_owned()),
            },
            Purpose::Device(device) => ("device", device_text(device)?),
            Purpose::Partner(..) => ("partner", request.to_owned()),
            Purpose::Portal => ("portal", String::new()),
            Purpose::Redemption(invitation) => ("redemption", invitation.to_string()),
        };
        self.link().run(
            "INSERT INTO attempts (tenant, id, browser, purpose, request, body, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&tenant).into(),
                (&attempt.id.uuid()).into(),
                (&browser.0).into(),
                purpose.into(),
                (&request).into(),
                Value::Text(&body(attempt)?),
                attempt.created_at.into(),
            ],
        )?;
        Ok(())
    }

    /// Keeps what was proved or chosen since.
    pub fn update_attempt(&self, attempt: &Attempt) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "UPDATE attempts SET body = $1 WHERE tenant = $2 AND id = $3 AND ended_at IS NULL",
            &[Value::Text(&body(attempt)?), (&tenant).into(), (&attempt.id.uuid()).into()],
        )?;
        Ok(())
    }

    /// Ends a sign-in; it cannot go on. `false` when it had ended already.
    pub fn end_attempt(&self, id: AttemptId, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let ended = self.link().run(
            "UPDATE attempts SET ended_at = $1 WHERE tenant = $2 AND id = $3 AND ended_at IS NULL",
            &[at.into(), (&tenant).into(), (&id.uuid()).into()],
        )?;
        Ok(ended > 0)
    }
}
