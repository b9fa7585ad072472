//! The visit at the home tenant. Two tenants on one server speak like two servers: an authorization request with PKCE,
//! a code, an ID token that is verified like any other (R01, R02, R15, R16).

use super::{Browser, Context, Progress, advance, empty_record, refused};
use crate::{Fault, Moment, Service, issue};
use domain::audit::{Record, SignInKind, SignInRecord};
use domain::directory::application::Platform;
use domain::federation::assertion::{self, Expected, HomeAssertion};
use domain::id::{AppId, AttemptId, GrantId, TenantId};
use domain::issuance::decide::{GrantFacts, Via};
use domain::issuance::{Denial, denial_code};
use domain::proof::{ProofKind, ProofToken};
use domain::signin::attempt::Attempt;
use domain::time::Span;
use standards::oauth::authorize::{CodeChallenge, Prompt};
use standards::oauth::pkce;
use standards::{b64, crypto};
use std::sync::Arc;
use store::{HomeVisit, Recorded, WriteTx};

/// How long someone may take at home.
// DEFAULT: one hour, like the sign-in that waits for it.
const VISIT: Span = Span::hours(1);

/// Sends the browser to the user's home tenant.
pub(super) fn depart(
    tx: &WriteTx<'_>,
    attempt: &Attempt,
    home: TenantId,
    is_silent: bool,
    context: &Context,
) -> Result<Recorded<Progress>, store::Fault> {
    let moment = &context.moment;
    let own = attempt.tenant;
    let state = ProofToken::new(ProofKind::HomeVisit, own, moment.entropy.bytes("visit state"));
    let nonce = moment.entropy.secret("visit nonce");
    let verifier = moment.entropy.secret("visit verifier");
    let challenge = b64::encode(&crypto::sha256(&[verifier.as_bytes()]));
    tx.add_home_visit(
        state.hash(),
        context.browser.at(own),
        &HomeVisit {
            attempt: attempt.id,
            home,
            nonce: nonce.clone(),
            verifier,
            expires_at: moment.now + VISIT,
        },
    )?;
    let login = match &attempt.login {
        Some(login) => Some(login.clone()),
        None => super::known_name(tx, attempt, context)?,
    };
    let own_text = own.to_string();
    let redirect = context.settings.federation_redirect(own);
    let state = state.text();
    let mut query = vec![
        ("client_id", own_text.as_str()),
        ("response_type", "code"),
        ("redirect_uri", redirect.as_str()),
        ("response_mode", "query"),
        ("scope", "openid profile email"),
        ("state", state.as_str()),
        ("nonce", nonce.as_str()),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    if let Some(login) = &login {
        query.push(("login_hint", login));
    }
    // What the application asked of the sign-in is asked of the home, which does it.
    let request = attempt.purpose.request();
    let max_age = request.and_then(|request| request.max_age).map(|age| age.to_string());
    if let Some(max_age) = &max_age {
        query.push(("max_age", max_age));
    }
    if is_silent {
        query.push(("prompt", "none"));
    } else if request.is_some_and(|request| request.prompt == Some(Prompt::Login)) {
        query.push(("prompt", "login"));
    } else if attempt.wants_other_account && login.is_none() {
        query.push(("prompt", "select_account"));
    }
    let base = &context.settings.base;
    let url = url::Url::parse_with_params(&format!("{base}/{home}/oauth2/v2.0/authorize"), query)
        .map_err(|_| store::Fault::Bug("the home's address does not parse"))?;
    Ok(Recorded::chore(store::Chore::Progress, Progress::ToHome { url: url.into() }))
}

impl Service {
    /// Takes a home's answer at the resource tenant. The state was made for this browser and is used once (R15).
    pub async fn receive(
        &self,
        tenant: TenantId,
        state: &str,
        code: Option<&str>,
        browser: Browser,
        moment: &Moment,
    ) -> Result<Progress, Fault> {
        let known = self.store.read(|tx| tx.find_tenant(tenant))?;
        let Some(known) = known else {
            self.record_refusal(None, None, Denial::AssertionRejected, moment).await?;
            return Ok(refused(None, Denial::AssertionRejected));
        };
        let parsed = ProofToken::parse(ProofKind::HomeVisit, state).filter(|state| state.tenant == tenant);
        let visit = match &parsed {
            None => None,
            Some(state) => {
                let (hash, now) = (state.hash(), moment.now);
                self.store.tenant(tenant).read(|tx| tx.find_home_visit(hash, browser.at(tenant), now))?
            }
        };
        let (Some(state), Some(visit)) = (parsed, visit) else {
            self.record_refusal(Some(tenant), None, Denial::FlowExpired, moment).await?;
            return Ok(refused(Some(known), Denial::FlowExpired));
        };
        // Before the transaction: the provider named in the state, and no other, redeems the code (R37).
        let answer = match code {
            Some(code) => self.ask_home(tenant, &visit, code, moment).await?,
            None => Err("the home sent no code".to_owned()),
        };
        let context = Context { settings: Arc::clone(&self.settings), browser, moment: moment.clone() };
        let outcome = self.store.tenant(tenant).write(move |tx| {
            if !tx.consume_home_visit(state.hash(), context.moment.now)? {
                return super::gone(tx, &context);
            }
            match &answer {
                Ok(assertion) => arrive(tx, visit.attempt, assertion, &context),
                Err(reason) => turned_away(tx, visit.attempt, &visit, reason, &context),
            }
        });
        Ok(outcome.await?)
    }

    /// Redeems the home's code and verifies the ID token it answers with.
    async fn ask_home(
        &self,
        tenant: TenantId,
        visit: &HomeVisit,
        code: &str,
        moment: &Moment,
    ) -> Result<Result<HomeAssertion, String>, Fault> {
        let token = match self.redeem_partner_code(visit.home, tenant, code, &visit.verifier, moment).await? {
            Ok(token) => token,
            Err(denial) => return Ok(Err(format!("the home refused: {denial:?}"))),
        };
        let home = self.store.read(|tx| tx.find_tenant(visit.home))?;
        let Some(home) = home else { return Ok(Err("the home is gone".to_owned())) };
        let expected = Expected {
            issuer: self.settings.issuer_v2(home.id),
            home: home.id,
            home_domains: home.domains.iter().filter(|d| d.is_verified).map(|d| d.name.clone()).collect(),
            audience: tenant,
            nonce: visit.nonce.clone(),
            keys: self.keys.published(),
        };
        Ok(assertion::verify(&token, &expected, moment.now).map_err(|error| error.to_string()))
    }

    /// The home's half: answers a partner's code with an ID token about its user, as it would over the network.
    pub async fn redeem_partner_code(
        &self,
        home: TenantId,
        partner: TenantId,
        code: &str,
        verifier: &str,
        moment: &Moment,
    ) -> Result<Result<String, Denial>, Fault> {
        let Some(code) = ProofToken::parse(ProofKind::PartnerCode, code).filter(|code| code.tenant == home)
        else {
            return Ok(Err(Denial::CodeUnknown));
        };
        let (verifier, moment_in) = (verifier.to_owned(), moment.clone());
        let outcome = self.store.tenant(home).write(move |tx| {
            let now = moment_in.now;
            let verdict = redeem(tx, &code, partner, &verifier, &moment_in)?;
            let record = SignInRecord {
                user: verdict.as_ref().ok().and_then(|permit| permit.user()).map(|user| user.id.uuid()),
                app: Some(AppId::new(partner.uuid())),
                error_code: verdict.as_ref().err().map_or(0, |denial| denial_code(*denial)),
                ..empty_record(SignInKind::Partner, &moment_in)
            };
            if verdict.is_ok() {
                tx.consume_code(code.hash(), now)?;
            }
            Ok(Recorded::new(Record::SignIn(Box::new(record)), verdict))
        });
        match outcome.await? {
            Err(denial) => Ok(Err(denial)),
            Ok(permit) => Ok(Ok(self.keys.mint_partner_token(&permit, &self.settings, moment)?)),
        }
    }
}

fn redeem(
    tx: &WriteTx<'_>,
    code: &ProofToken,
    partner: TenantId,
    verifier: &str,
    moment: &Moment,
) -> Result<Result<domain::issuance::Permit, Denial>, store::Fault> {
    let Some(found) = tx.find_partner_code(code.hash())? else { return Ok(Err(Denial::CodeUnknown)) };
    if found.redeemed_at.is_some() {
        return Ok(Err(Denial::CodeRedeemed));
    }
    if moment.now >= found.expires_at {
        return Ok(Err(Denial::CodeExpired));
    }
    if found.partner != partner {
        return Ok(Err(Denial::CodeForAnotherClient));
    }
    let challenge: &CodeChallenge = &found.challenge;
    if !pkce::verify(challenge, verifier) {
        return Ok(Err(Denial::PkceMismatch));
    }
    let permit = match issue::partner_permit(tx, &found, partner, moment.now)? {
        Ok(permit) => permit,
        Err(denial) => return Ok(Err(denial)),
    };
    // The partner asks again by this, as long as its guest's sign-in is used (R38).
    let grant = GrantFacts {
        id: GrantId::new(moment.entropy.uuid("partner grant")),
        client: AppId::new(partner.uuid()),
        user: found.user,
        session: found.session,
        evidence: found.evidence,
        platform: Platform::Web,
        via: Via::Browser,
        parent: None,
        scopes: Vec::new(),
        started_at: moment.now,
        used_at: moment.now,
        revoked_at: None,
    };
    tx.add_grant(&grant)?;
    Ok(Ok(permit.under(grant.id)))
}

fn arrive(
    tx: &WriteTx<'_>,
    attempt: AttemptId,
    assertion: &HomeAssertion,
    context: &Context,
) -> Result<Recorded<Progress>, store::Fault> {
    let tenant = tx.load_tenant()?;
    let Some(mut attempt) = tx.find_attempt(attempt, context.browser.at(tenant.id))? else {
        return super::gone(tx, context);
    };
    keep_addresses(tx, assertion)?;
    attempt.assertion = Some(assertion.clone());
    attempt.proved = None;
    attempt.picked = None;
    tx.update_attempt(&attempt)?;
    advance(tx, attempt, context, None)
}

/// What the home proves of a guest's addresses now takes the place of what it proved before.
pub(crate) fn keep_addresses(tx: &WriteTx<'_>, assertion: &HomeAssertion) -> Result<(), store::Fault> {
    let identity = &assertion.identity;
    let Some(guest) = tx.find_user_by_identity(&identity.issuer, &identity.subject)? else { return Ok(()) };
    if guest.proved_addresses == assertion.proved_addresses {
        return Ok(());
    }
    tx.keep_proved_addresses(guest.id, &assertion.proved_addresses)
}

fn turned_away(
    tx: &WriteTx<'_>,
    attempt: AttemptId,
    visit: &HomeVisit,
    reason: &str,
    context: &Context,
) -> Result<Recorded<Progress>, store::Fault> {
    let tenant = tx.load_tenant()?;
    tx.end_attempt(attempt, context.moment.now)?;
    let record = SignInRecord {
        home_tenant: Some(visit.home),
        error_code: denial_code(Denial::AssertionRejected),
        reasons: reason.to_owned(),
        ..empty_record(SignInKind::Interactive, &context.moment)
    };
    let page = refused(Some(tenant), Denial::AssertionRejected);
    Ok(Recorded::new(Record::SignIn(Box::new(record)), page))
}
