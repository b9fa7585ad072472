//! Grants that reach over a tenant's border. A guest's codes and refresh tokens are worth something only while the home
//! vouches, and clients use one refresh token in every tenant where the person is known (clients 19). Each tenant decides
//! in a write of its own, with its own record; what one says to another is a signed assertion that the other verifies, as
//! between two servers (R01, R02, R38).

use crate::issue::open_session_without_browser;
use crate::signin::empty_record;
use crate::token::{self, Outcome, Presented};
use crate::{Fault, Moment, Service, Settings};
use domain::audit::{Record, SignInKind, SignInRecord};
use domain::federation::assertion::{self, Expected, HomeAssertion};
use domain::id::{AppId, GrantId, SessionId, TenantId};
use domain::issuance::decide::{Ask, Facts, GrantFacts, HomeWord, decide};
use domain::issuance::{Denial, Permit, denial_code};
use domain::proof::{ProofHash, ProofToken};
use domain::signin::evidence::home_grant;
use domain::verdict::Verdict;
use standards::oauth::token::TokenRequest;
use standards::oauth::token_response::TokenResponse;
use std::sync::Arc;
use store::{ReadTx, Recorded, WriteTx};

/// Where a guest's grant hangs: the home, and its name for the sign-in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    home: TenantId,
    grant: GrantId,
}

impl Link {
    /// The link of a guest's grant; `None` for members, and where the home named no sign-in.
    pub(crate) fn of(facts: &Facts, grant: &GrantFacts) -> Option<Self> {
        let identity = facts.user.as_ref()?.identity.as_ref()?;
        Some(Self { home: identity.home_tenant, grant: home_grant(&grant.evidence)? })
    }
}

/// By what a tenant finds the grant that it is asked about.
#[derive(Clone, Copy, Debug)]
enum Named {
    Grant(GrantId),
    RefreshToken(ProofHash),
}

/// A question to the tenant that a grant belongs to.
#[derive(Clone, Debug)]
struct Question {
    named: Named,
    /// The application for which it is asked.
    client: AppId,
    /// The tenant that asks, and the one to which the home is to vouch: where a guest's refresh token travels on, another.
    asker: TenantId,
    partner: TenantId,
    nonce: String,
}

/// What a tenant says of a grant of its own.
enum Good {
    /// Its user's: it vouches. With the grant, as the refresh token's properties.
    Member(Box<Permit>, GrantFacts),
    /// A guest's: the home is to be asked.
    Guest(Link, GrantFacts),
}

/// As whom a refresh token's person comes to another tenant.
enum Arrival {
    AsGuest(Box<HomeAssertion>, GrantFacts),
    AtHome(Link, GrantFacts),
    Refused(Denial),
}

impl Arrival {
    fn of(word: HomeWord, grant: GrantFacts) -> Self {
        match word {
            HomeWord::NotAsked => Self::Refused(Denial::HomeNotAsked),
            HomeWord::Refused(denial) => Self::Refused(denial),
            HomeWord::Vouched(assertion) => Self::AsGuest(assertion, grant),
        }
    }
}

impl Service {
    /// Asks a guest's home again, before the tenant where the person is a guest writes anything.
    pub(crate) async fn ask_home_again(
        &self,
        link: Link,
        asker: TenantId,
        partner: TenantId,
        client: AppId,
        moment: &Moment,
    ) -> Result<HomeWord, Fault> {
        let nonce = moment.entropy.secret("home word nonce");
        let named = Named::Grant(link.grant);
        let question = Question { named, client, asker, partner, nonce: nonce.clone() };
        Ok(match self.question(link.home, question, moment).await? {
            Ok(Good::Member(permit, _)) => self.heard(link.home, &permit, partner, nonce, moment)?,
            // A guest there is nobody's home.
            Ok(Good::Guest(..)) => HomeWord::Refused(Denial::UserUnknown),
            Err(denial) => HomeWord::Refused(denial),
        })
    }

    /// The home's half: is the grant good, and may its user be vouched for?
    async fn question(
        &self,
        tenant: TenantId,
        question: Question,
        moment: &Moment,
    ) -> Result<Result<Good, Denial>, Fault> {
        // A token is only text: its tenant counts if it exists.
        if self.store.read(|tx| tx.find_tenant(tenant))?.is_none() {
            return Ok(Err(Denial::RefreshUnknown));
        }
        let (settings, moment) = (Arc::clone(&self.settings), moment.clone());
        let answer = self.store.tenant(tenant).write(move |tx| {
            let answer = answer(tx, &question, &settings, &moment)?;
            let good = answer.as_ref().ok();
            let record = SignInRecord {
                user: good.map(|good| good.grant().user.uuid()),
                app: Some(question.client),
                // To whom it vouches: that tenant, as where it is the client itself.
                resource: Some(AppId::new(question.partner.uuid())),
                home_tenant: good.and_then(Good::home),
                session: good.map(|good| good.grant().session),
                error_code: answer.as_ref().err().map_or(0, |denial| denial_code(*denial)),
                ..empty_record(SignInKind::Partner, &moment)
            };
            Ok(Recorded::new(Record::SignIn(Box::new(record)), answer))
        });
        Ok(answer.await?)
    }

    /// The partner's half: what the home signed is verified like any other answer (R16).
    fn heard(
        &self,
        home: TenantId,
        permit: &Permit,
        partner: TenantId,
        nonce: String,
        moment: &Moment,
    ) -> Result<HomeWord, Fault> {
        let token = self.keys.mint_partner_token(permit, &self.settings, moment)?;
        let known = self.store.read(|tx| tx.find_tenant(home))?;
        let known = known.ok_or(Fault::Bug("a tenant that vouched is gone"))?;
        let expected = Expected {
            issuer: self.settings.issuer_v2(home),
            home,
            home_domains: known.domains.iter().filter(|d| d.is_verified).map(|d| d.name.clone()).collect(),
            audience: partner,
            nonce,
            keys: self.keys.believed(moment.now),
        };
        Ok(match assertion::verify(&token, &expected, moment.now) {
            Ok(assertion) => HomeWord::Vouched(Box::new(assertion)),
            Err(_) => HomeWord::Refused(Denial::AssertionRejected),
        })
    }

    /// A refresh token of one tenant at another's endpoint.
    pub(crate) async fn refresh_elsewhere(
        &self,
        tenant: TenantId,
        presented: ProofToken,
        request: TokenRequest,
        has_origin: bool,
        moment: &Moment,
    ) -> Result<Result<TokenResponse, Denial>, Fault> {
        let (issuer, client) = (presented.tenant, AppId::new(request.client_id));
        let nonce = moment.entropy.secret("cross-tenant nonce");
        let named = Named::RefreshToken(presented.hash());
        let question = Question { named, client, asker: tenant, partner: tenant, nonce: nonce.clone() };
        let arrival = match self.question(issuer, question, moment).await? {
            Ok(Good::Member(permit, grant)) => {
                Arrival::of(self.heard(issuer, &permit, tenant, nonce, moment)?, grant)
            }
            Ok(Good::Guest(link, grant)) if link.home == tenant => Arrival::AtHome(link, grant),
            Ok(Good::Guest(link, grant)) => {
                // The home knows the sign-in by the grant that it made for the token's own tenant.
                Arrival::of(self.ask_home_again(link, issuer, tenant, client, moment).await?, grant)
            }
            Err(denial) => Arrival::Refused(denial),
        };
        let (settings, work_moment) = (Arc::clone(&self.settings), moment.clone());
        let verdict = self.store.tenant(tenant).write(move |tx| {
            let (request, moment) = (&request, &work_moment);
            let outcome = match &arrival {
                Arrival::AsGuest(assertion, grant) => {
                    as_guest(tx, request, assertion, grant, has_origin, &settings, moment)?
                }
                Arrival::AtHome(link, grant) => {
                    at_home(tx, request, *link, grant, has_origin, &settings, moment)?
                }
                Arrival::Refused(denial) => token::refuse(*denial, request, moment),
            };
            Ok(Recorded::new(Record::SignIn(Box::new(outcome.record)), outcome.verdict))
        });
        match verdict.await? {
            Verdict::Granted(settled, _) => Ok(Ok(self.mint(settled, moment)?)),
            Verdict::Refused(denial, _) => Ok(Err(denial)),
        }
    }
}

impl Good {
    fn grant(&self) -> &GrantFacts {
        match self {
            Self::Guest(_, grant) | Self::Member(_, grant) => grant,
        }
    }

    /// Where the person lives, if not in the tenant that was asked.
    fn home(&self) -> Option<TenantId> {
        match self {
            Self::Guest(link, _) => Some(link.home),
            Self::Member(..) => None,
        }
    }
}

fn answer(
    tx: &WriteTx<'_>,
    question: &Question,
    settings: &Settings,
    moment: &Moment,
) -> Result<Result<Good, Denial>, store::Fault> {
    let Some(partner) = tx.find_tenant(question.partner)? else { return Ok(Err(Denial::ClientUnknown)) };
    let grant = match question.named {
        Named::Grant(id) => tx.find_grant(id)?,
        Named::RefreshToken(hash) => tx.find_grant_by_refresh_token(hash)?,
    };
    let facts = facts(tx, grant.as_ref(), settings)?;
    let is_guest = facts.user.as_ref().is_some_and(|user| user.identity.is_some());
    let ask = Ask::Renewal {
        grant: grant.as_ref(),
        presented_by: match question.named {
            Named::Grant(_) => None,
            Named::RefreshToken(_) => Some(question.client),
        },
        partner: (!is_guest).then_some(&*partner),
        nonce: Some(&question.nonce),
    };
    let permit = match decide(&facts, &ask, moment.now) {
        Verdict::Granted(permit, _) => permit,
        Verdict::Refused(denial, _) => return Ok(Err(denial)),
    };
    let grant = grant.ok_or(store::Fault::Bug("no grant was found good"))?;
    tx.touch_grant(grant.id, moment.now)?;
    if is_guest {
        return Ok(Link::of(&facts, &grant).map(|link| Good::Guest(link, grant)).ok_or(Denial::HomeNotAsked));
    }
    // Every tenant asks by what was made for it.
    let permit = if question.asker != question.partner {
        let made = partner_grant(&grant, partner.id, moment);
        tx.add_grant(&made)?;
        permit.under(made.id)
    } else {
        permit
    };
    Ok(Ok(Good::Member(Box::new(permit), grant)))
}

/// What a home keeps of vouching to one partner on the strength of what it vouched to another.
fn partner_grant(like: &GrantFacts, partner: TenantId, moment: &Moment) -> GrantFacts {
    GrantFacts {
        id: GrantId::new(moment.entropy.uuid("partner grant")),
        client: AppId::new(partner.uuid()),
        scopes: Vec::new(),
        used_at: moment.now,
        parent: Some(like.id),
        ..like.clone()
    }
}

fn facts(tx: &ReadTx<'_>, grant: Option<&GrantFacts>, settings: &Settings) -> Result<Facts, store::Fault> {
    let tenant = tx.load_tenant()?;
    Ok(Facts {
        grants: tenant.optional_grants(settings.grants),
        user: grant.map_or(Ok(None), |grant| tx.find_sign_in_user(grant.user))?,
        is_session_alive: token::is_session_alive(tx, grant)?,
        ..Facts::new(tenant)
    })
}

/// The tenant where the person is a guest makes a grant of its own.
fn as_guest(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    assertion: &HomeAssertion,
    grant: &GrantFacts,
    has_origin: bool,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    crate::signin::keep_addresses(tx, assertion)?;
    let identity = &assertion.identity;
    let Some(guest) = tx.find_user_by_identity(&identity.issuer, &identity.subject)? else {
        return Ok(token::refuse(Denial::GuestNotInDirectory, request, moment));
    };
    let session = SessionId::new(moment.entropy.uuid("cross-tenant session"));
    let local = GrantFacts {
        id: GrantId::new(moment.entropy.uuid("cross-tenant grant")),
        user: guest.id,
        session,
        evidence: assertion.evidence.clone(),
        parent: None,
        ..grant.clone()
    };
    let presented = Presented { grant: Some(&local), is_session_alive: true, has_origin };
    let word = HomeWord::Vouched(Box::new(assertion.clone()));
    let outcome = token::refresh(tx, request, presented, &word, settings, moment)?;
    if matches!(outcome.verdict, Verdict::Granted(..)) {
        tx.add_grant(&local)?;
        // It lives as long as the grant, and that as long as the home's.
        open_session_without_browser(tx, &local, moment)?;
    }
    Ok(outcome)
}

/// A guest's refresh token comes home: the home decides about its own user, under the sign-in that the guest's hangs on.
fn at_home(
    tx: &WriteTx<'_>,
    request: &TokenRequest,
    link: Link,
    presented: &GrantFacts,
    has_origin: bool,
    settings: &Settings,
    moment: &Moment,
) -> Result<Outcome, store::Fault> {
    let own = tx.find_grant(link.grant)?;
    let ask = Ask::Renewal { grant: own.as_ref(), presented_by: None, partner: None, nonce: None };
    let own = match (decide(&facts(tx, own.as_ref(), settings)?, &ask, moment.now), own) {
        (Verdict::Granted(..), Some(own)) => own,
        (Verdict::Granted(..), None) => return Err(store::Fault::Bug("no grant was found good")),
        (Verdict::Refused(denial, _), _) => return Ok(token::refuse(denial, request, moment)),
    };
    tx.touch_grant(own.id, moment.now)?;
    let local = GrantFacts {
        id: GrantId::new(moment.entropy.uuid("cross-tenant grant")),
        user: own.user,
        session: own.session,
        evidence: own.evidence,
        parent: Some(own.id),
        ..presented.clone()
    };
    let is_session_alive = token::is_session_alive(tx, Some(&local))?;
    let presented = Presented { grant: Some(&local), is_session_alive, has_origin };
    let outcome = token::refresh(tx, request, presented, &HomeWord::NotAsked, settings, moment)?;
    if matches!(outcome.verdict, Verdict::Granted(..)) {
        tx.add_grant(&local)?;
    }
    Ok(outcome)
}
