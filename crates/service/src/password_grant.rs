//! The password grant (RFC 6749 §4.3): off unless it is wanted. A program shows a person's name and password, which are
//! checked as at the sign-in page, wrong ones counted there and here together.

use crate::issue::open_session_without_browser;
use crate::password::LONGEST;
use crate::signin::{count_wrong_password, failure_subject, is_paused};
use crate::token::{Loaded, Outcome, add_refresh_token, load, refused, settle};
use crate::{Fault, Moment, Service, Settings};
use domain::audit::Record;
use domain::directory::application::Platform;
use domain::id::{AppId, GrantId, SessionId, TenantId, UserId};
use domain::issuance::Denial;
use domain::issuance::decide::{Ask, GrantFacts, PasswordCheck, Via, decide};
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::tenancy::realm_discovery::{Realm, discover};
use domain::verdict::Verdict;
use standards::oauth::token::{Grant, TokenRequest};
use standards::oauth::token_response::TokenResponse;
use std::sync::Arc;
use store::{ReadTx, Recorded, WriteTx};

/// Whose password a name asks for.
enum Whose {
    Elsewhere,
    /// `None` for a name that nobody has: it is checked all the same, so that nobody learns who exists.
    Here(Option<UserId>),
}

fn whose(tx: &ReadTx<'_>, username: &str) -> Result<Whose, store::Fault> {
    let realm = discover(tx.load_tenant()?.id, tx.realm_facts(username)?);
    Ok(match realm {
        Realm::Here(user) => Whose::Here(user),
        Realm::Home(_) => Whose::Elsewhere,
        Realm::Unknown => Whose::Here(None),
    })
}

/// What was found out before the write.
#[derive(Clone)]
struct Checked {
    user: Option<UserId>,
    phc: Option<String>,
    is_paused: bool,
    is_right: bool,
}

impl Service {
    /// The tenant of a name that came to `organizations`.
    pub async fn home_of_password(
        &self,
        request: &TokenRequest,
        moment: &Moment,
    ) -> Result<Result<TenantId, Denial>, Fault> {
        let home = match &request.grant {
            Grant::Password { username, .. } => self.home_of(username)?,
            _ => None,
        };
        match home {
            Some(home) => Ok(Ok(home)),
            None => {
                let client = Some(AppId::new(request.client_id));
                self.record_refusal(None, client, Denial::UserUnknown, moment).await?;
                Ok(Err(Denial::UserUnknown))
            }
        }
    }

    /// Checks the password outside any transaction, and then everything in one write (R38).
    pub(crate) async fn password_tokens(
        &self,
        tenant: TenantId,
        request: TokenRequest,
        username: String,
        password: String,
        moment: &Moment,
    ) -> Result<Result<TokenResponse, Denial>, Fault> {
        let address = moment.origin.address.clone().unwrap_or_default();
        let (mut checked, is_worth_it) = self.store.tenant(tenant).read(|tx| {
            let Whose::Here(user) = whose(tx, &username)? else {
                return Ok((Checked { user: None, phc: None, is_paused: false, is_right: false }, false));
            };
            let subject = failure_subject(user, Some(&username));
            let phc = user.map_or(Ok(None), |user| tx.find_password(user))?.map(|password| password.phc);
            let is_paused = is_paused(tx, &subject, &address, moment.now)?;
            // If all that is wrong were the password, it is worth the slow hash: nobody tries passwords where the grant is
            // off, or without the client's own proof.
            let is_asked = match load(tx, &request, &request.scope, user, &self.settings)? {
                Err(_) => false,
                Ok(Loaded { facts, scope }) => {
                    let password = &PasswordCheck::Wrong;
                    let ask = Ask::PasswordTokens { auth: &request.auth, password, scope: &scope };
                    matches!(decide(&facts, &ask, moment.now), Verdict::Refused(Denial::PasswordWrong, _))
                }
            };
            Ok((Checked { user, phc, is_paused, is_right: false }, is_asked && !is_paused))
        })?;
        if is_worth_it && password.len() <= LONGEST {
            checked.is_right = self.passwords.verify(password, checked.phc.clone()).await?;
        }
        let (settings, work_moment) = (Arc::clone(&self.settings), moment.clone());
        let verdict = self
            .store
            .tenant(tenant)
            .write(move |tx| {
                let outcome = redeem(tx, &request, &username, &checked, &settings, &work_moment)?;
                Ok(Recorded::new(Record::SignIn(Box::new(outcome.record)), outcome.verdict))
            })
            .await?;
        match verdict {
            Verdict::Granted(settled, _) => Ok(Ok(self.mint(settled, moment)?)),
            Verdict::Refused(denial, _) => Ok(Err(denial)),
        }
    }
}

fn redeem(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    username: &str,
    checked: &Checked,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let client = AppId::new(request.client_id);
    let whose = whose(tx, username)?;
    let user = match whose {
        Whose::Elsewhere => None,
        Whose::Here(user) => user,
    };
    let loaded = match load(tx, request, &request.scope, user, settings)? {
        Ok(loaded) => loaded,
        Err(denial) => return Ok(settle(refused(denial), request, None, moment)),
    };
    let is_unchanged = match user {
        Some(user) => tx.find_password(user)?.map(|password| password.phc) == checked.phc,
        None => false,
    };
    let platform = loaded.facts.client.as_ref().map(|client| client.registration.platform_without_browser());
    let subject = failure_subject(user, Some(username));
    let address = moment.origin.address.as_deref().unwrap_or_default();
    // Asked again: others may have tried meanwhile, and a right guess after too many wrong ones is none (R38).
    let is_paused = checked.is_paused || is_paused(tx, &subject, address, moment.now)?;
    let check = match (whose, user) {
        (Whose::Elsewhere, _) => PasswordCheck::Elsewhere,
        (Whose::Here(_), _) if is_paused => PasswordCheck::Paused,
        (Whose::Here(_), Some(user)) if checked.is_right && is_unchanged && checked.user == Some(user) => {
            PasswordCheck::Right(grant(user, client, platform.unwrap_or(Platform::Web), request, moment))
        }
        (Whose::Here(_), _) => PasswordCheck::Wrong,
    };
    let ask = Ask::PasswordTokens { auth: &request.auth, password: &check, scope: &loaded.scope };
    let verdict = decide(&loaded.facts, &ask, moment.now);
    if matches!(verdict, Verdict::Refused(Denial::PasswordWrong, _)) {
        count_wrong_password(tx, &subject, address, moment.now)?;
    }
    let mut refresh_token = None;
    if let PasswordCheck::Right(grant) = &check {
        tx.clear_failures(&subject)?;
        if let Verdict::Granted(permit, _) = &verdict {
            open_session_without_browser(tx, grant, moment)?;
            tx.add_grant(grant)?;
            refresh_token = add_refresh_token(tx, permit, moment)?;
        }
    }
    let mut outcome = settle(verdict, request, refresh_token, moment);
    outcome.record.user = user.map(UserId::uuid);
    outcome.record.user_name = Some(username.to_owned());
    Ok(outcome)
}

/// What a right password sets going.
fn grant(
    user: UserId,
    client: AppId,
    platform: Platform,
    request: &TokenRequest,
    moment: &Moment,
) -> GrantFacts {
    GrantFacts {
        id: GrantId::new(moment.entropy.uuid("grant")),
        client,
        user,
        session: SessionId::new(moment.entropy.uuid("session")),
        evidence: vec![Proved { method: Method::Password, at: moment.now, verifier: Verifier::ThisTenant }],
        platform,
        via: Via::Password,
        parent: None,
        scopes: request.scope.clone(),
        started_at: moment.now,
        used_at: moment.now,
        revoked_at: None,
    }
}
