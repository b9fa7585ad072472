//! Sign-in for a device without a browser (RFC 8628): the device gets a code, a person types another one at a page of
//! ours, and the device asks until the person has answered.

use crate::signin::{Beginning, Browser, FAILURE_WINDOW, Progress, address_subject, empty_record};
use crate::{Fault, Moment, NOWHERE, Service};
use domain::audit::{Record, SignInKind, SignInRecord};
use domain::id::{AppId, TenantId};
use domain::issuance::decide::{DeviceFacts, admit_device};
use domain::issuance::scope;
use domain::issuance::{Denial, denial_code, lifetime};
use domain::proof::{ProofKind, ProofToken, UserCode};
use domain::signin::attempt::WaitingDevice;
use domain::tenancy::tenant::{OptionalGrants, Tenant};
use standards::oauth::device::{DeviceRequest, DeviceResponse};
use standards::oauth::token::{Grant, TokenRequest};
use standards::oauth::token_response::TokenResponse;
use store::{Chore, Recorded, WriteTx};

/// Seconds between two questions of a device.
// DEFAULT: five, as documented. Whoever asks sooner is answered all the same: `slow_down` ends msal-node's flow (clients 20).
const INTERVAL: i64 = 5;
/// Wrong codes from one network address before it takes a pause.
// DEFAULT: twenty in fifteen minutes: a household mistypes less, and a code is one of 5 * 10^11.
const WRONG_CODES: i64 = 20;
/// Draws before giving up on a free user code: with a million codes alive, one in half a million draws hits a used one.
const DRAWS: usize = 4;

/// Why a typed code leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserCodeProblem {
    TooManyAttempts,
    /// No such code, or not any more.
    Unknown,
}

impl Service {
    /// Gives a device its codes; `tenant` is `None` at `common`, where whoever signs in brings the tenant.
    pub async fn authorize_device(
        &self,
        tenant: Option<&Tenant>,
        request: DeviceRequest,
        moment: &Moment,
    ) -> Result<Result<DeviceResponse, Denial>, Fault> {
        let (place, client) = (tenant.map_or(NOWHERE, |tenant| tenant.id), AppId::new(request.client_id));
        let app = self.store.tenant(place).read(|tx| tx.find_app(client))?;
        let grants =
            tenant.map_or_else(OptionalGrants::default, |it| it.optional_grants(self.settings.grants));
        let admitted = admit_device(app.as_deref(), tenant, grants)
            .and_then(|()| scope::sort(&request.scope, &self.settings.graph_aliases));
        if let Err(denial) = admitted {
            self.record_refusal(tenant.map(|tenant| tenant.id), Some(client), denial, moment).await?;
            return Ok(Err(denial));
        }
        let token = ProofToken::new(ProofKind::DeviceCode, place, moment.entropy.bytes("device code"));
        let device = WaitingDevice {
            code: token.hash(),
            client,
            scopes: request.scope,
            address: moment.origin.address.clone(),
        };
        let (entropy, expires_at) = (moment.entropy, moment.now + lifetime::DEVICE_CODE);
        let write = self.store.tenant(place).write(move |tx| {
            for index in 0..DRAWS {
                let user_code = UserCode::draw(&entropy.child("user code", index).bytes("letters"));
                if tx.add_device_code(&device, user_code.hash(), expires_at)? {
                    return Ok(Recorded::chore(Chore::Progress, user_code.text()));
                }
            }
            Err(store::Fault::Busy)
        });
        let user_code = write.await?;
        let verification_uri = format!("{}/device", self.settings.base);
        let message = format!(
            "To sign in, use a web browser to open the page {verification_uri} and enter the code {user_code} to authenticate."
        );
        Ok(Ok(DeviceResponse {
            user_code,
            device_code: token.text(),
            verification_uri,
            expires_in: lifetime::DEVICE_CODE.as_seconds(),
            interval: INTERVAL,
            message,
        }))
    }

    /// Answers a device's question. `place` is the tenant of the address it asks at, `None` at `common`; the tokens come
    /// from the tenant in which the person answered.
    pub async fn device_tokens(
        &self,
        place: Option<TenantId>,
        request: TokenRequest,
        moment: &Moment,
    ) -> Result<Result<TokenResponse, Denial>, Fault> {
        let Grant::DeviceCode { device_code } = &request.grant else {
            return Err(Fault::Bug("only a device asks with a device code"));
        };
        let client = AppId::new(request.client_id);
        // A device asks where it got its code, and nowhere else (facts: protocol §3).
        let token = ProofToken::parse(ProofKind::DeviceCode, device_code)
            .filter(|token| token.tenant == place.unwrap_or(NOWHERE));
        let found = match token {
            None => None,
            Some(token) => self.store.tenant(token.tenant).read(|tx| tx.find_device_code(token.hash()))?,
        };
        let standing = DeviceFacts::standing(found.as_ref().map(|found| &found.facts), client, moment.now);
        match (standing, found.and_then(|found| found.approved)) {
            // Nobody decided anything yet: the answer of every five seconds is no record.
            (Err(Denial::AuthorizationPending), _) => Ok(Err(Denial::AuthorizationPending)),
            // In the tenant that answered, the write looks again and records what the gate says, a replay included.
            (Ok(()) | Err(_), Some((tenant, _))) => self.token(tenant, request, false, moment).await,
            (Err(denial), None) => {
                self.record_refusal(place, Some(client), denial, moment).await?;
                Ok(Err(denial))
            }
            (Ok(()), None) => Err(Fault::Bug("a device was let in without a grant")),
        }
    }

    /// Takes the code that a person typed, and begins the sign-in that it stands for. Wrong codes are counted, and from
    /// too many on nothing is looked up (R33).
    pub async fn enter_user_code(
        &self,
        typed: &str,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Result<Progress, UserCodeProblem>, Fault> {
        let (code, work_moment) = (UserCode::parse(typed), moment.clone());
        let found = self.store.tenant(NOWHERE).write(move |tx| look_up(tx, code, &work_moment)).await?;
        let found = match found {
            Ok(found) => found,
            Err(problem) => return Ok(Err(problem)),
        };
        let tenant = (found.tenant != NOWHERE).then_some(found.tenant);
        if let Some(tenant) = tenant {
            let (app, known) = self
                .store
                .tenant(tenant)
                .read(|tx| Ok((tx.find_app(found.device.client)?, tx.load_tenant()?)))?;
            let grants = known.optional_grants(self.settings.grants);
            if let Err(denial) = admit_device(app.as_deref(), Some(&known), grants) {
                self.record_refusal(Some(tenant), Some(found.device.client), denial, moment).await?;
                return Ok(Ok(crate::signin::refused(Some(known), denial)));
            }
        }
        Ok(Ok(self.begin(tenant, Beginning::Device(found.device), browser, moment).await?))
    }
}

fn look_up(
    tx: &WriteTx<'_>,
    code: Option<UserCode>,
    moment: &Moment,
) -> Result<Recorded<Result<store::DeviceCode, UserCodeProblem>>, store::Fault> {
    let now = moment.now;
    let subject = address_subject(moment.origin.address.as_deref().unwrap_or_default());
    let wrong = tx.failures(&subject)?;
    let is_recent = wrong.last_at.is_some_and(|at| now.since(at) < FAILURE_WINDOW);
    let (denial, problem) = if wrong.count >= WRONG_CODES && is_recent {
        (Denial::TooManyAttempts, UserCodeProblem::TooManyAttempts)
    } else {
        let found = code.map_or(Ok(None), |code| tx.find_waiting_device(code.hash(), now))?;
        if let Some(found) = found {
            return Ok(Recorded::chore(Chore::Progress, Ok(found)));
        }
        tx.count_failure(&subject, now, now - FAILURE_WINDOW)?;
        (Denial::DeviceCodeUnknown, UserCodeProblem::Unknown)
    };
    let record =
        SignInRecord { error_code: denial_code(denial), ..empty_record(SignInKind::Interactive, moment) };
    Ok(Recorded::new(Record::SignIn(Box::new(record)), Err(problem)))
}
