//! Random walks over the sign-in: whatever path leads to `Step::Issue`, the requirements hold, computed from scratch.
//!
//! [`Scene`] plays the service and the world around it: an answer counts only where it was asked for, the back button and
//! other tabs give any answer at any time, administrators and clocks go on meanwhile. It keeps a ledger of what really
//! happened, and [`Scene::requirements`] is the oracle: it reads the ledger and the directory, never the stored attempt.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: what does not hold fails the test")]

use domain::b2b::redemption::{self, Invited, Redemption};
use domain::directory::role;
use domain::directory::user::{ExternalState, HomeIdentity, SignInUser, UserType};
use domain::federation::assertion::HomeAssertion;
use domain::id::{AppId, AttemptId, InvitationId, SessionId, TenantId, UserId};
use domain::issuance::{self, Ask, Denial};
use domain::proof::ProofHash;
use domain::signin::attempt::{Attempt, Consented, ProvedUser, Purpose, WaitingDevice};
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::signin::next::{self, Consent, Facts, Identified, Step, next};
use domain::signin::session::Session;
use domain::tenancy::realm_discovery::Realm;
use domain::tenancy::tenant::{Tenant, TenantSettings, TenantState};
use domain::time::{Span, Timestamp};
use domain::verdict::Verdict;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use standards::oauth::Version;
use standards::oauth::authorize::{AuthorizeRequest, Prompt, ResponseType};
use standards::oauth::claims::RequestedClaims;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const CONTOSO: TenantId = TenantId::new(Uuid::from_u128(1));
const FABRIKAM: TenantId = TenantId::new(Uuid::from_u128(2));
const INVITATION: InvitationId = InvitationId::new(Uuid::from_u128(3));
/// A member, an administrator, and a guest whose home is Fabrikam.
const ALICE: UserId = UserId::new(Uuid::from_u128(10));
const BOB: UserId = UserId::new(Uuid::from_u128(11));
const ROSA: UserId = UserId::new(Uuid::from_u128(12));
const PEOPLE: [UserId; 3] = [ALICE, BOB, ROSA];

/// What a client wants of a sign-in.
#[derive(Clone, Debug)]
struct Wish {
    purpose: For,
    prompt: Option<Prompt>,
    max_age: Option<u32>,
    hint: Option<UserId>,
    /// Names the browser's session with that number.
    sid: Option<usize>,
    /// Agreeing to this client needs an administrator.
    needs_admin: bool,
    /// The session that was picked at `common`, where the tenant was not known yet.
    picked: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum For {
    Application,
    Device,
    Partner,
    Portal,
    Redemption,
}

#[derive(Clone, Copy, Debug)]
enum Typed {
    Person(UserId),
    NobodyHere,
    Elsewhere,
}

/// What happens next: an answer of the person, sensible or not, or something in the world.
#[derive(Clone, Debug)]
enum Move {
    Accept,
    Agree,
    Begin(Wish),
    Confirm,
    HomeAnswers {
        is_rosa: bool,
        minutes_ago: i64,
    },
    Name(Typed),
    NewPassword,
    /// The sensible answer to what is asked; a new wish where nothing is.
    Onward(Wish, UserId),
    OtherAccount,
    Password,
    Pick(usize),
    Stay(bool),
    // The world goes on.
    Delete(UserId),
    Disable(UserId, bool),
    Forget(UserId),
    OtherTab(UserId),
    Revoke(UserId),
    SetPassword(UserId),
    SignOut(usize),
    Wait(i64),
}

/// A proof that really was given, when it arrived, and in which attempt.
#[derive(Clone, Debug, PartialEq)]
struct Given {
    user: UserId,
    proved: Proved,
    arrived: Timestamp,
    attempt: u128,
}

struct Scene {
    now: Timestamp,
    people: BTreeMap<UserId, SignInUser>,
    sessions: Vec<Session>,
    /// Who agreed to which client (by whether it needs an administrator).
    agreed: BTreeSet<(UserId, bool)>,
    invitation_ends: Timestamp,
    wish: Wish,
    attempt: Attempt,
    // The ledger.
    given: Vec<Given>,
    number: u128,
    began: Timestamp,
    picked: Option<SessionId>,
    wants_fresh: bool,
    agreed_now: Option<UserId>,
    accepted_now: bool,
    confirmed_now: Option<UserId>,
    said_stay: Option<bool>,
    is_visiting: bool,
    /// What was seen on the way, for knowing that the walks get somewhere.
    seen: BTreeMap<String, usize>,
}

impl Scene {
    fn new(wish: &Wish, is_rosa_pending: bool) -> Self {
        let mut rosa = person(ROSA, "rosa@fabrikam.test");
        rosa.user_type = UserType::Guest;
        rosa.external =
            Some(if is_rosa_pending { ExternalState::PendingAcceptance } else { ExternalState::Accepted });
        rosa.identity = (!is_rosa_pending).then(|| identity("rosa"));
        let mut bob = person(BOB, "bob@contoso.test");
        bob.roles = vec![role::GLOBAL_ADMINISTRATOR.id];
        let alice = person(ALICE, "alice@contoso.test");
        let mut scene = Self {
            now: START,
            people: [alice, bob, rosa].into_iter().map(|user| (user.id, user)).collect(),
            sessions: Vec::new(),
            agreed: BTreeSet::new(),
            invitation_ends: START + Span::days(2),
            wish: wish.clone(),
            attempt: attempt(wish, START, 0),
            given: Vec::new(),
            number: 0,
            began: START,
            picked: None,
            wants_fresh: false,
            agreed_now: None,
            accepted_now: false,
            confirmed_now: None,
            said_stay: None,
            is_visiting: false,
            seen: BTreeMap::new(),
        };
        scene.begin(wish);
        scene
    }

    fn begin(&mut self, wish: &Wish) {
        self.wish = wish.clone();
        self.number += 1;
        self.began = self.now;
        self.attempt = attempt(wish, self.now, self.number);
        // The picker at `common` is shown to nobody who is asked to sign in again.
        let may_pick = match wish.purpose {
            For::Application => wish.prompt != Some(Prompt::Login),
            For::Device => true,
            For::Partner | For::Portal | For::Redemption => false,
        };
        self.picked = wish.picked.filter(|_| may_pick).and_then(|at| self.session_number(at));
        self.attempt.picked = self.picked;
        if let (Some(sid), Purpose::Authorize(request) | Purpose::Partner(request, _)) =
            (wish.sid.and_then(|at| self.session_number(at)), &mut self.attempt.purpose)
        {
            request.sid = Some(sid.to_string());
        }
        self.wants_fresh = false;
        self.agreed_now = None;
        self.accepted_now = false;
        self.confirmed_now = None;
        self.said_stay = None;
        self.is_visiting = false;
    }

    fn session_number(&self, at: usize) -> Option<SessionId> {
        let count = self.sessions.len();
        (count > 0).then(|| self.sessions.get(at % count).unwrap().id)
    }

    /// What the service loads.
    fn facts(&self) -> Facts {
        let present = |session: &Session| {
            let user = self.people.get(&session.user.id)?.clone();
            Some(Session { user, ..session.clone() })
        };
        let can_hint = self.wish.purpose != For::Device && !self.attempt.wants_other_account;
        let hint = self.wish.hint.filter(|_| can_hint);
        let hinted = hint.and_then(|user| self.people.get(&user)).map(|user| user.mail.clone().unwrap());
        let invited = (self.wish.purpose == For::Redemption && !self.attempt.wants_other_account)
            .then(|| "rosa@fabrikam.test".to_owned());
        let name = self.attempt.login.clone().or(hinted).or(invited);
        let mut facts = Facts {
            sessions: self.sessions.iter().filter_map(present).collect(),
            realm: name.map(|name| self.realm(&name)),
            proved: self.attempt.proved.as_ref().and_then(|proved| self.people.get(&proved.user).cloned()),
            redemption: self.attempt.assertion.as_ref().map(|assertion| self.redemption(assertion)),
            consent: Consent::default(),
        };
        if let Some(user) = next::who(&self.attempt, &facts, self.now)
            && !self.agreed.contains(&(user, self.wish.needs_admin))
        {
            facts.consent = Consent {
                missing: vec!["read".into()],
                needs_admin: self.wish.needs_admin,
                ..Consent::default()
            };
        }
        facts
    }

    fn realm(&self, name: &str) -> Realm {
        let has_name = |user: &&SignInUser| user.sign_in_name == name;
        match name.split_once('@') {
            Some((_, "contoso.test")) => Realm::Here(self.people.values().find(has_name).map(|user| user.id)),
            Some((_, "fabrikam.test")) => Realm::Home(FABRIKAM),
            _ => Realm::Unknown,
        }
    }

    fn redemption(&self, assertion: &HomeAssertion) -> Redemption {
        let rosa = self.people.get(&ROSA);
        let bound = rosa.filter(|rosa| rosa.identity.as_ref() == Some(&assertion.identity));
        let invited = rosa.map(|rosa| Invited {
            invitation: INVITATION,
            guest: rosa.clone(),
            address: "rosa@fabrikam.test".into(),
            expires_at: self.invitation_ends,
            withdrawn: false,
        });
        let is_link = self.wish.purpose == For::Redemption;
        let (opened, pending) = if is_link { (invited, None) } else { (None, invited) };
        redemption::decide(redemption::Facts { bound: bound.cloned(), opened, pending }, assertion, self.now)
    }

    fn step(&self) -> Step {
        next(&self.attempt, &self.facts(), self.now)
    }

    /// Lets something happen, as the service does: an answer counts only for the step that asks for it.
    fn go(&mut self, what: &Move) {
        // No two things happen at once, so that a proof is known by its time.
        self.now = self.now + Span::millis(1);
        let step = self.step();
        *self.seen.entry(step_name(&step).to_owned()).or_default() += 1;
        // The dispatcher sent the browser home; the answer may come whenever it likes.
        self.is_visiting |= matches!(step, Step::GoHome { .. });
        let onward;
        let what = match what {
            Move::Onward(wish, user) => {
                onward = self.sensible(&step, wish, *user);
                &onward
            }
            other => other,
        };
        match (what, &step) {
            (Move::Begin(wish), _) => self.begin(wish),
            (
                Move::Name(typed),
                Step::AskName { .. } | Step::AskPassword { .. } | Step::PickAccount { .. },
            ) => {
                self.attempt.login = Some(match typed {
                    Typed::Person(user) => name_of(*user).to_owned(),
                    Typed::NobodyHere => "nobody@contoso.test".into(),
                    Typed::Elsewhere => "somebody@elsewhere.test".into(),
                });
                self.attempt.picked = None;
                self.wants_fresh = true;
            }
            (Move::OtherAccount, _) => {
                self.attempt.login = None;
                self.attempt.picked = None;
                self.attempt.proved = None;
                self.attempt.assertion = None;
                self.attempt.redemption_accepted_at = None;
                self.attempt.consented = None;
                self.attempt.device_confirmed_by = None;
                self.attempt.wants_other_account = true;
                self.wants_fresh = true;
                // What was proved and agreed before counts for nothing now.
                self.given.retain(|given| given.attempt != self.number);
                (self.agreed_now, self.accepted_now, self.confirmed_now) = (None, false, None);
            }
            (Move::Pick(at), Step::PickAccount { sessions }) => {
                let picked = self.session_number(*at).filter(|picked| sessions.contains(picked));
                (self.attempt.picked, self.picked) = (picked, picked);
            }
            (Move::Password, Step::AskPassword { user: Some(user) }) => {
                let proved =
                    Proved { method: Method::Password, at: self.now, verifier: Verifier::ThisTenant };
                self.attempt.proved = Some(ProvedUser { user: *user, evidence: vec![proved.clone()] });
                self.attempt.picked = None;
                self.give(*user, proved);
            }
            (Move::NewPassword, Step::ChangePassword { user }) => {
                self.people.get_mut(user).unwrap().must_change_password = false;
            }
            (Move::Stay(stay), Step::AskStaySignedIn { .. }) => {
                self.attempt.stay_signed_in = Some(*stay);
                self.said_stay = Some(*stay);
            }
            (Move::Agree, Step::Consent { user, .. }) => {
                self.agreed.insert((*user, self.wish.needs_admin));
                self.attempt.consented = Some(yes(*user));
                self.agreed_now = Some(*user);
            }
            (Move::Confirm, Step::ConfirmDevice { user }) => {
                self.attempt.device_confirmed_by = Some(*user);
                self.confirmed_now = Some(*user);
            }
            (Move::Accept, Step::ReviewRedemption { .. }) => self.accept(),
            (Move::HomeAnswers { is_rosa, minutes_ago }, _) if self.is_visiting => {
                self.home_answers(*is_rosa, Span::minutes(*minutes_ago));
            }
            (world, _) => self.world_goes_on(world),
        }
    }

    fn sensible(&self, step: &Step, wish: &Wish, user: UserId) -> Move {
        match step {
            Step::AskAdministrator { .. } | Step::AskApproval { .. } => Move::OtherAccount,
            Step::AskName { .. } => Move::Name(Typed::Person(user)),
            Step::AskPassword { .. } => Move::Password,
            Step::AskStaySignedIn { .. } => Move::Stay(user == ALICE),
            Step::ChangePassword { .. } => Move::NewPassword,
            Step::ConfirmDevice { .. } => Move::Confirm,
            Step::Consent { .. } => Move::Agree,
            Step::GoHome { .. } => Move::HomeAnswers { is_rosa: true, minutes_ago: 30 },
            Step::PickAccount { .. } => Move::Pick(usize::from(user == BOB)),
            Step::Issue(_) | Step::Refuse(_) => Move::Begin(wish.clone()),
            Step::ReviewRedemption { .. } => Move::Accept,
        }
    }

    fn accept(&mut self) {
        self.attempt.redemption_accepted_at = Some(self.now);
        let Some(assertion) = self.attempt.assertion.clone() else { return };
        if let Redemption::Pending { user, .. } = self.redemption(&assertion) {
            let guest = self.people.get_mut(&user.id).unwrap();
            guest.external = Some(ExternalState::Accepted);
            guest.identity = Some(assertion.identity);
            self.accepted_now = true;
        }
    }

    /// A home that does as it is asked: it asks again for prompt=login, and where its own session is older than max_age.
    fn home_answers(&mut self, is_rosa: bool, ago: Span) {
        self.is_visiting = false;
        let at = match (self.wish.prompt, self.wish.max_age) {
            (Some(Prompt::Login), _) => self.now,
            (_, Some(age)) => self.now - ago.min(Span::seconds(i64::from(age))),
            (_, None) => self.now - ago,
        };
        let assertion = assertion(if is_rosa { "rosa" } else { "mallory" }, at);
        if is_rosa {
            self.give(ROSA, assertion.evidence.first().unwrap().clone());
        }
        self.attempt.assertion = Some(assertion);
        self.attempt.proved = None;
        self.attempt.picked = None;
    }

    fn give(&mut self, user: UserId, proved: Proved) {
        self.given.push(Given { user, proved, arrived: self.now, attempt: self.number });
    }

    fn world_goes_on(&mut self, what: &Move) {
        let now = self.now;
        match what {
            Move::Delete(user) => {
                self.people.remove(user);
            }
            Move::Disable(user, is) => self.change(*user, |user| user.is_enabled = !is),
            Move::Forget(user) => self.agreed.retain(|(agreed, _)| agreed != user),
            Move::Revoke(user) => self.change(*user, |user| user.sessions_valid_from = now),
            Move::SetPassword(user) => self.change(*user, |user| user.must_change_password = true),
            Move::OtherTab(user) => {
                let proved = Proved { method: Method::Password, at: now, verifier: Verifier::ThisTenant };
                if self.people.get(user).is_some_and(|user| user.external.is_none()) {
                    self.given.push(Given { user: *user, proved: proved.clone(), arrived: now, attempt: 0 });
                    self.open_session(*user, vec![proved], false);
                }
            }
            Move::SignOut(at) => {
                let id = self.session_number(*at);
                for session in self.sessions.iter_mut().filter(|session| Some(session.id) == id) {
                    session.ended_at = Some(now);
                }
            }
            Move::Wait(seconds) => self.now = now + Span::seconds(*seconds),
            // An answer that nobody asked for.
            Move::Accept
            | Move::Agree
            | Move::Begin(_)
            | Move::Confirm
            | Move::HomeAnswers { .. }
            | Move::Name(_)
            | Move::NewPassword
            | Move::Onward(..)
            | Move::OtherAccount
            | Move::Password
            | Move::Pick(_)
            | Move::Stay(_) => {}
        }
    }

    fn change(&mut self, user: UserId, change: impl FnOnce(&mut SignInUser)) {
        if let Some(user) = self.people.get_mut(&user) {
            change(user);
        }
    }

    fn open_session(&mut self, user: UserId, evidence: Vec<Proved>, is_persistent: bool) {
        let Some(user) = self.people.get(&user).cloned() else { return };
        for session in self.sessions.iter_mut().filter(|session| session.user.id == user.id) {
            session.ended_at.get_or_insert(self.now);
        }
        self.sessions.push(Session {
            id: SessionId::new(Uuid::from_u128(1_000 + self.sessions.len() as u128)),
            user,
            evidence,
            started_at: self.now,
            used_at: self.now,
            is_persistent,
            ended_at: None,
        });
    }

    /// The oracle. Everything that must hold when a sign-in of `who` is finished, by name, from the ledger, the directory
    /// and the wish alone.
    fn requirements(&self, who: &Identified) -> Vec<(&'static str, bool)> {
        let (now, wish) = (self.now, &self.wish);
        let is_application = matches!(wish.purpose, For::Application | For::Device);
        let has_prompt = |prompt| wish.prompt == Some(prompt) && wish.purpose_has_request();
        let max_age =
            wish.max_age.filter(|_| wish.purpose_has_request()).map(|age| Span::seconds(i64::from(age)));
        let user = self.people.get(&who.user.id);
        let is_user = |holds: fn(&SignInUser) -> bool| user.is_some_and(holds);
        let is_here = who.evidence.iter().any(|proved| proved.verifier == Verifier::ThisTenant);
        let given: Vec<Option<&Given>> = who
            .evidence
            .iter()
            .map(|proved| {
                self.given.iter().rfind(|given| given.user == who.user.id && given.proved == *proved)
            })
            .collect();
        let newest = who.evidence.iter().map(|proved| proved.at).max();
        let mut all = vec![
            ("the hour is not over", now.since(self.began) <= Span::hours(1)),
            ("the user is the directory's", user == Some(&who.user)),
            ("the user is enabled", is_user(|user| user.is_enabled)),
            ("the guest accepted", is_user(|user| user.external != Some(ExternalState::PendingAcceptance))),
            ("no new password is due", !is_here || is_user(|user| !user.must_change_password)),
            ("something was proved, and all of it happened", !given.is_empty() && !given.contains(&None)),
        ];
        if is_application {
            let agreed_now = self.agreed_now == Some(who.user.id);
            let has_agreed = self.agreed.contains(&(who.user.id, wish.needs_admin));
            all.push(("the user agreed", agreed_now || has_agreed));
            all.push(("the user agreed just now, as asked", !has_prompt(Prompt::Consent) || agreed_now));
            let can_agree = !wish.needs_admin || is_user(SignInUser::can_consent_for_all);
            all.push(("an administrator agreed", !wish.needs_admin || can_agree));
        }
        if wish.purpose == For::Device {
            all.push(("the device was confirmed by its user", self.confirmed_now == Some(who.user.id)));
        }
        let Some(id) = who.session else {
            let last = self.given.iter().rfind(|given| given.attempt == self.number);
            let in_time =
                |given: &Given| max_age.is_none_or(|age| given.arrived.since(given.proved.at) <= age);
            let is_now = given.iter().flatten().all(|given| given.attempt == self.number);
            all.push(("the proof is of this attempt", is_now));
            all.push(("the last proof counts", last.is_some_and(|last| last.user == who.user.id)));
            all.push(("nothing was asked silently", !has_prompt(Prompt::None)));
            all.push((
                "login is after the request",
                !has_prompt(Prompt::Login) || newest >= Some(self.began),
            ));
            all.push(("the proof was young enough", given.iter().flatten().all(|given| in_time(given))));
            all.push(("who stays said so", !who.is_persistent || self.said_stay == Some(true)));
            return all;
        };
        let is_alive = |session: &&Session| {
            let rest = if session.is_persistent { Span::days(90) } else { Span::hours(24) };
            let user = self.people.get(&session.user.id);
            session.ended_at.is_none()
                && now.since(session.used_at) <= rest
                && user.is_some_and(|user| session.started_at >= user.sessions_valid_from)
        };
        let alive: Vec<&Session> = self.sessions.iter().filter(is_alive).collect();
        let session = alive.iter().find(|session| session.id == id);
        let is_picked = self.picked == Some(id);
        let request = self.attempt.purpose.request();
        let sid = request.and_then(|request| request.sid.clone());
        let hint = wish.hint.filter(|_| wish.purpose_has_request());
        let is_meant = sid == Some(id.to_string()) || hint == Some(who.user.id);
        let is_only = alive.len() == 1 && sid.is_none() && hint.is_none();
        all.push(("the session is alive and the user's", session.is_some_and(|s| s.user.id == who.user.id)));
        all.push(("the session's proof, no other", session.is_some_and(|s| s.evidence == who.evidence)));
        all.push(("no session for an invitation", wish.purpose != For::Redemption));
        all.push((
            "no session where a fresh proof is wanted",
            !has_prompt(Prompt::Login) && !self.wants_fresh,
        ));
        let is_young = max_age.is_none_or(|age| newest.is_some_and(|at| now.since(at) <= age));
        all.push(("the session is young enough", is_young));
        all.push(("the session was picked, as asked", !has_prompt(Prompt::SelectAccount) || is_picked));
        all.push(("the session is the one that is meant", is_picked || is_meant || is_only));
        all.push(("who stays said so then", session.is_some_and(|s| s.is_persistent == who.is_persistent)));
        all
    }

    /// Checks what a step claims, and goes on as the service does after a finished sign-in.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let step = self.step();
        let is_silent = self.wish.prompt == Some(Prompt::None) && self.wish.purpose_has_request();
        prop_assert!(
            !is_silent || matches!(step, Step::Issue(_) | Step::Refuse(_)),
            "silently asked: {step:?}"
        );
        let Step::Issue(who) = step else { return Ok(()) };
        for (name, holds) in self.requirements(&who) {
            prop_assert!(holds, "{name}: {who:?}\nwish {:?}\nattempt {:?}", self.wish, self.attempt);
            *self.seen.entry(name.to_owned()).or_default() += 1;
        }
        self.note_kind(&who);
        self.ask_the_gate(&who)?;
        match who.session {
            Some(id) => {
                let now = self.now;
                let used = self.sessions.iter_mut().filter(|session| session.id == id);
                used.for_each(|session| session.used_at = now);
            }
            None => self.open_session(who.user.id, who.evidence.clone(), who.is_persistent),
        }
        let wish = self.wish.clone();
        self.begin(&wish);
        Ok(())
    }

    /// The gate has the last word and sees the directory once more.
    fn ask_the_gate(&self, who: &Identified) -> Result<(), TestCaseError> {
        let tenant = Arc::new(contoso());
        let facts =
            issuance::Facts { user: self.people.get(&who.user.id).cloned(), ..issuance::Facts::new(tenant) };
        match issuance::decide(&facts, &Ask::Portal { identified: who }, self.now) {
            Verdict::Granted(permit, _) => {
                prop_assert_eq!(permit.evidence(), &who.evidence[..]);
                prop_assert_eq!(permit.session(), who.session);
            }
            // A guest has no password here to change, and no way in while one is wanted.
            Verdict::Refused(denial, _) => prop_assert_eq!(denial, Denial::PasswordExpired),
        }
        Ok(())
    }

    fn note_kind(&mut self, who: &Identified) {
        let from = match (who.session, who.user.id == ROSA) {
            (Some(_), _) => "a session",
            (None, true) => "the home",
            (None, false) => "a password",
        };
        let mut kinds = vec![format!("{from} for {:?}", self.wish.purpose)];
        if let Some(prompt) = self.wish.prompt.filter(|_| self.wish.purpose_has_request()) {
            kinds.push(format!("{from} with {prompt:?}"));
        }
        if self.wish.max_age.is_some() && self.wish.purpose_has_request() {
            kinds.push(format!("{from} with max_age"));
        }
        if self.accepted_now {
            kinds.push("after acceptance".to_owned());
        }
        for kind in kinds {
            *self.seen.entry(kind).or_default() += 1;
        }
    }
}

impl Wish {
    fn purpose_has_request(&self) -> bool {
        matches!(self.purpose, For::Application | For::Partner)
    }
}

fn name_of(user: UserId) -> &'static str {
    match user {
        ALICE => "alice@contoso.test",
        BOB => "bob@contoso.test",
        _ => "rosa@fabrikam.test",
    }
}

fn person(id: UserId, mail: &str) -> SignInUser {
    SignInUser {
        id,
        sign_in_name: mail.to_owned(),
        display_name: mail.to_owned(),
        given_name: None,
        surname: None,
        mail: Some(mail.to_owned()),
        user_type: UserType::Member,
        is_enabled: true,
        external: None,
        identity: None,
        proved_addresses: Vec::new(),
        home_tenant: None,
        roles: Vec::new(),
        must_change_password: false,
        sessions_valid_from: START - Span::days(365),
        preferred_language: None,
        country: None,
    }
}

fn identity(subject: &str) -> HomeIdentity {
    HomeIdentity {
        issuer: "https://login.test/fabrikam/v2.0".into(),
        subject: subject.into(),
        home_user: UserId::new(Uuid::from_u128(20)),
        home_tenant: FABRIKAM,
    }
}

fn assertion(subject: &str, at: Timestamp) -> HomeAssertion {
    let verifier = Verifier::Partner { issuer: "https://login.test/fabrikam/v2.0".into(), grant: None };
    HomeAssertion {
        identity: identity(subject),
        name: subject.into(),
        sign_in_name: None,
        proved_addresses: vec![format!("{subject}@fabrikam.test")],
        evidence: vec![Proved { method: Method::Federated, at, verifier }],
        authenticated_at: at,
    }
}

fn contoso() -> Tenant {
    Tenant {
        id: CONTOSO,
        display_name: "Contoso".into(),
        state: TenantState::Active,
        created_at: START,
        region_scope: "WW".into(),
        region_sub_scope: None,
        settings: TenantSettings::for_region("WW"),
        domains: Vec::new(),
    }
}

fn attempt(wish: &Wish, now: Timestamp, number: u128) -> Attempt {
    let request = Box::new(AuthorizeRequest {
        version: Version::V2,
        client_id: Uuid::from_u128(4),
        response_type: ResponseType { code: true, ..ResponseType::default() },
        redirect_uri: None,
        scope: Vec::new(),
        response_mode: None,
        state: None,
        nonce: None,
        prompt: wish.prompt,
        login_hint: wish.hint.map(|user| name_of(user).to_owned()),
        domain_hint: None,
        code_challenge: None,
        claims: RequestedClaims::default(),
        wants_client_info: false,
        max_age: wish.max_age,
        sid: None,
    });
    Attempt {
        id: AttemptId::new(Uuid::from_u128(number)),
        tenant: CONTOSO,
        purpose: match wish.purpose {
            For::Application => Purpose::Authorize(request),
            For::Device => Purpose::Device(Box::new(WaitingDevice {
                code: ProofHash([1; 32]),
                client: AppId::new(Uuid::from_u128(4)),
                scopes: Vec::new(),
                address: None,
            })),
            For::Partner => Purpose::Partner(request, FABRIKAM),
            For::Portal => Purpose::Portal,
            For::Redemption => Purpose::Redemption(INVITATION),
        },
        created_at: now,
        login: None,
        picked: None,
        wants_other_account: false,
        proved: None,
        assertion: None,
        redemption_accepted_at: None,
        consented: None,
        device_confirmed_by: None,
        stay_signed_in: None,
    }
}

fn yes(user: UserId) -> Consented {
    Consented { user, for_organization: false, shown: [0; 32], is_written: false }
}

fn step_name(step: &Step) -> &'static str {
    match step {
        Step::AskAdministrator { .. } => "AskAdministrator",
        Step::AskApproval { .. } => "AskApproval",
        Step::AskName { .. } => "AskName",
        Step::AskPassword { .. } => "AskPassword",
        Step::AskStaySignedIn { .. } => "AskStaySignedIn",
        Step::ChangePassword { .. } => "ChangePassword",
        Step::ConfirmDevice { .. } => "ConfirmDevice",
        Step::Consent { .. } => "Consent",
        Step::GoHome { .. } => "GoHome",
        Step::Issue(_) => "Issue",
        Step::PickAccount { .. } => "PickAccount",
        Step::Refuse(_) => "Refuse",
        Step::ReviewRedemption { .. } => "ReviewRedemption",
    }
}

fn user() -> impl Strategy<Value = UserId> {
    select(&PEOPLE[..])
}

fn wish() -> impl Strategy<Value = Wish> {
    let purpose = prop_oneof![
        5 => Just(For::Application), 1 => Just(For::Device), 1 => Just(For::Partner), 1 => Just(For::Portal), 1 => Just(For::Redemption)
    ];
    let prompts = [Prompt::Consent, Prompt::Create, Prompt::Login, Prompt::None, Prompt::SelectAccount];
    (
        purpose,
        option::of(select(prompts.to_vec())),
        option::weighted(0.3, select(vec![0, 60, 3600])),
        option::weighted(0.3, user()),
        option::weighted(0.1, 0_usize..4),
        prop::bool::weighted(0.2),
        option::weighted(0.2, 0_usize..4),
    )
        .prop_map(|(purpose, prompt, max_age, hint, sid, needs_admin, picked)| Wish {
            purpose,
            prompt,
            max_age,
            hint,
            sid,
            needs_admin,
            picked,
        })
}

fn a_move() -> impl Strategy<Value = Move> {
    let typed = prop_oneof![
        8 => user().prop_map(Typed::Person), 1 => Just(Typed::NobodyHere), 1 => Just(Typed::Elsewhere)
    ];
    let home = (prop::bool::weighted(0.9), 0_i64..600)
        .prop_map(|(is_rosa, minutes_ago)| Move::HomeAnswers { is_rosa, minutes_ago });
    prop_oneof![
        40 => (wish(), user()).prop_map(|(wish, user)| Move::Onward(wish, user)),
        6 => typed.prop_map(Move::Name),
        8 => Just(Move::Password),
        6 => any::<bool>().prop_map(Move::Stay),
        6 => Just(Move::Agree),
        2 => Just(Move::Confirm),
        6 => home,
        4 => Just(Move::Accept),
        3 => Just(Move::NewPassword),
        4 => (0_usize..4).prop_map(Move::Pick),
        3 => Just(Move::OtherAccount),
        5 => wish().prop_map(Move::Begin),
        4 => select(vec![1, 59, 61, 1_800, 3_601, 86_401]).prop_map(Move::Wait),
        2 => user().prop_map(Move::OtherTab),
        1 => user().prop_map(Move::SetPassword),
        1 => (user(), prop::bool::weighted(0.3)).prop_map(|(user, is)| Move::Disable(user, is)),
        1 => user().prop_map(Move::Revoke),
        1 => user().prop_map(Move::Forget),
        1 => user().prop_map(Move::Delete),
        1 => (0_usize..4).prop_map(Move::SignOut),
    ]
}

/// The same walks every time; a failure is shown with its shortest walk, and no file is written.
fn runner(cases: u32) -> TestRunner {
    let seed = RngSeed::Fixed(12);
    TestRunner::new(Config { cases, rng_seed: seed, failure_persistence: None, ..Config::default() })
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    if let Err(failure) = runner(cases).run(strategy, test) {
        panic!("{failure}");
    }
}

/// Ways to a finished sign-in that the walks must find, or they show nothing.
const WAYS: [&str; 25] = [
    "a password for Application",
    "a password for Device",
    "a password for Partner",
    "a password for Portal",
    "a password with Consent",
    "a password with Login",
    "a password with SelectAccount",
    "a password with max_age",
    "a session for Application",
    "a session for Device",
    "a session for Partner",
    "a session for Portal",
    "a session with Consent",
    "a session with None",
    "a session with SelectAccount",
    "a session with max_age",
    "after acceptance",
    "the home for Application",
    "the home for Device",
    "the home for Portal",
    "the home for Redemption",
    "the home with Consent",
    "the home with Login",
    "the home with SelectAccount",
    "the home with max_age",
];
const STEPS: [&str; 11] = [
    "AskName",
    "AskPassword",
    "AskStaySignedIn",
    "ChangePassword",
    "ConfirmDevice",
    "Consent",
    "GoHome",
    "Issue",
    "PickAccount",
    "Refuse",
    "ReviewRedemption",
];

#[test]
fn r12_whatever_path_leads_to_a_finished_sign_in_the_requirements_hold() {
    let seen = RefCell::new(BTreeMap::<String, usize>::new());
    run(1_000, &(wish(), any::<bool>(), vec(a_move(), 1..50)), |(wish, is_rosa_pending, moves)| {
        let mut scene = Scene::new(&wish, is_rosa_pending);
        scene.check()?;
        for what in &moves {
            scene.go(what);
            scene.check()?;
        }
        for (name, count) in scene.seen {
            *seen.borrow_mut().entry(name).or_default() += count;
        }
        Ok(())
    });
    let seen = seen.into_inner();
    let rare: Vec<&&str> =
        WAYS.iter().chain(&STEPS).filter(|name| seen.get(**name).is_none_or(|count| *count < 10)).collect();
    assert!(rare.is_empty(), "the walks hardly get to {rare:?}: {seen:#?}");
}

/// Any state at all, whether or not a walk leads to it.
#[derive(Clone, Debug)]
struct State {
    wish: Wish,
    minutes: i64,
    login: bool,
    wants_other_account: bool,
    proved: Option<UserId>,
    home_said: Option<Said>,
    accepted: bool,
    consented: Option<UserId>,
    confirmed: Option<UserId>,
    stay: Option<bool>,
    /// User, minutes since sign-in, whether it ended.
    sessions: Vec<(UserId, i64, bool)>,
    is_missing: bool,
    disabled: Option<UserId>,
    must_change: Option<UserId>,
    is_rosa_pending: bool,
    realm: Option<Realm>,
}

#[derive(Clone, Copy, Debug)]
enum Said {
    Refused,
    Rosa,
}

fn state() -> impl Strategy<Value = State> {
    let bits = (any::<(bool, bool, bool, bool)>(), option::of(user()), option::of(user()));
    let realm =
        select(vec![Realm::Here(Some(ALICE)), Realm::Here(None), Realm::Home(FABRIKAM), Realm::Unknown]);
    let session = (user(), select(vec![0, 1, 30, 1_441]), prop::bool::weighted(0.2));
    (
        (wish(), select(vec![0, 30, 60, 61]), bits, option::of(any::<bool>())),
        option::weighted(0.2, user()),
        option::weighted(0.2, select(vec![Said::Refused, Said::Rosa])),
        vec(session, 0..4),
        (option::weighted(0.2, user()), option::weighted(0.2, user()), any::<bool>(), option::of(realm)),
    )
        .prop_map(|(first, proved, home_said, sessions, last)| {
            let (wish, minutes, bits, stay) = first;
            let ((login, wants_other_account, accepted, is_missing), consented, confirmed) = bits;
            let (disabled, must_change, is_rosa_pending, realm) = last;
            State {
                wish,
                minutes,
                login,
                wants_other_account,
                proved,
                home_said,
                accepted,
                consented,
                confirmed,
                stay,
                sessions,
                is_missing,
                disabled,
                must_change,
                is_rosa_pending,
                realm,
            }
        })
}

impl State {
    fn user(&self, id: UserId) -> SignInUser {
        let mut user = person(id, name_of(id));
        user.is_enabled = self.disabled != Some(id);
        user.must_change_password = self.must_change == Some(id);
        if id == ROSA {
            let pending = self.is_rosa_pending.then_some(ExternalState::PendingAcceptance);
            user.external = pending.or(Some(ExternalState::Accepted));
        }
        user
    }

    fn attempt(&self) -> Attempt {
        let picked = self.wish.picked.and_then(|at| self.sessions.get(at).map(|_| at));
        let at = START - Span::minutes(1);
        let typed = Proved { method: Method::Password, at, verifier: Verifier::ThisTenant };
        Attempt {
            login: self.login.then(|| name_of(ALICE).to_owned()),
            wants_other_account: self.wants_other_account,
            picked: picked.map(session_id),
            proved: self.proved.map(|user| ProvedUser { user, evidence: vec![typed] }),
            assertion: self.home_said.map(|_| assertion("rosa", at)),
            redemption_accepted_at: self.accepted.then_some(START),
            consented: self.consented.map(yes),
            device_confirmed_by: self.confirmed,
            stay_signed_in: self.stay,
            ..attempt(&self.wish, START - Span::minutes(self.minutes), 1)
        }
    }

    fn facts(&self) -> Facts {
        let session = |(at, (user, minutes, is_ended)): (usize, &(UserId, i64, bool))| {
            let started_at = START - Span::minutes(*minutes);
            Session {
                id: session_id(at),
                user: self.user(*user),
                evidence: vec![Proved {
                    method: Method::Password,
                    at: started_at,
                    verifier: Verifier::ThisTenant,
                }],
                started_at,
                used_at: started_at,
                is_persistent: false,
                ended_at: is_ended.then_some(START),
            }
        };
        Facts {
            sessions: self.sessions.iter().enumerate().map(session).collect(),
            realm: self.realm.clone(),
            proved: self.proved.map(|user| self.user(user)),
            redemption: self.home_said.map(|said| match said {
                Said::Refused => Redemption::Refused(redemption::Refusal::NotInvited),
                Said::Rosa if self.is_rosa_pending => {
                    Redemption::Pending { user: self.user(ROSA), invitation: Some(INVITATION) }
                }
                Said::Rosa => Redemption::Bound(self.user(ROSA)),
            }),
            consent: Consent {
                missing: if self.is_missing { vec!["read".into()] } else { Vec::new() },
                needs_admin: self.wish.needs_admin,
                ..Consent::default()
            },
        }
    }

    /// What a finished sign-in must satisfy, read off the state.
    fn requirements(&self, who: &Identified) -> Vec<(&'static str, bool)> {
        let wish = &self.wish;
        let prompt = wish.prompt.filter(|_| wish.purpose_has_request());
        let is_here = who.evidence.iter().any(|proved| proved.verifier == Verifier::ThisTenant);
        let is_due = self.is_missing || prompt == Some(Prompt::Consent);
        let is_agreed = !matches!(wish.purpose, For::Application | For::Device)
            || self.consented == Some(who.user.id)
            || !is_due;
        let at =
            |id| self.sessions.iter().enumerate().find(|(at, _)| session_id(*at) == id).map(|(_, of)| *of);
        let session = who.session.map(at);
        let is_right_session = session.is_none_or(|session| {
            session.is_some_and(|(user, minutes, is_ended)| {
                let age = wish.max_age.filter(|_| wish.purpose_has_request()).unwrap_or(u32::MAX);
                user == who.user.id && !is_ended && minutes <= 1_440 && minutes * 60 <= i64::from(age)
            })
        });
        let expected = match (self.proved, self.home_said) {
            (Some(user), _) => Some(user),
            (None, Some(Said::Rosa)) => Some(ROSA),
            (None, Some(Said::Refused) | None) => None,
        };
        let is_again = prompt == Some(Prompt::Login) || wish.purpose == For::Redemption;
        vec![
            ("the hour is not over", self.minutes <= 60),
            ("the user is enabled", self.disabled != Some(who.user.id)),
            ("the guest accepted", who.user.id != ROSA || !self.is_rosa_pending || self.accepted),
            ("no new password is due", !is_here || self.must_change != Some(who.user.id)),
            ("what is needed was agreed to", is_agreed),
            ("a device was confirmed", wish.purpose != For::Device || self.confirmed == Some(who.user.id)),
            ("a fresh proof counts before a session", expected.is_none() || expected == Some(who.user.id)),
            ("a session only without a fresh proof", expected.is_some() != who.session.is_some()),
            (
                "nobody whom the home's answer refuses",
                self.proved.is_some() || self.home_said.is_none() || expected.is_some(),
            ),
            ("the session lives and is young enough", is_right_session),
            ("no session where a fresh proof is wanted", who.session.is_none() || !is_again),
        ]
    }
}

fn session_id(at: usize) -> SessionId {
    SessionId::new(Uuid::from_u128(1_000 + at as u128))
}

#[test]
fn r11_no_stored_state_skips_a_step() {
    let finished = RefCell::new((0, 0));
    run(6_000, &state(), |state| {
        if let Step::Issue(who) = next(&state.attempt(), &state.facts(), START) {
            for (name, holds) in state.requirements(&who) {
                prop_assert!(holds, "{name}: {who:?}");
            }
            let mut finished = finished.borrow_mut();
            if who.session.is_some() { finished.0 += 1 } else { finished.1 += 1 }
        }
        Ok(())
    });
    let (with_session, fresh) = finished.into_inner();
    assert!(with_session > 100 && fresh > 100, "{with_session} with a session, {fresh} fresh");
}

#[test]
fn r11_a_step_is_asked_only_of_whom_it_concerns() {
    run(4_000, &state(), |state| {
        let step = next(&state.attempt(), &state.facts(), START);
        let is_silent = state.wish.prompt == Some(Prompt::None) && state.wish.purpose_has_request();
        let holds = match &step {
            Step::Issue(_) => true,
            Step::Refuse(Denial::FlowExpired) => state.minutes > 60,
            Step::Refuse(_) => state.minutes <= 60,
            _ if is_silent || state.minutes > 60 => false,
            Step::AskAdministrator { .. } | Step::AskApproval { .. } => false,
            Step::AskName { .. } => matches!(state.realm, None | Some(Realm::Unknown)),
            Step::AskPassword { user } => state.realm == Some(Realm::Here(*user)),
            Step::GoHome { home, .. } => state.realm == Some(Realm::Home(*home)),
            Step::AskStaySignedIn { .. } => {
                state.stay.is_none() && state.proved.is_some() && state.wish.purpose != For::Device
            }
            Step::ChangePassword { user } => state.must_change == Some(*user),
            Step::ConfirmDevice { user } => {
                state.wish.purpose == For::Device && state.confirmed != Some(*user)
            }
            Step::Consent { user, .. } => match state.wish.purpose {
                For::Application => state.consented != Some(*user),
                For::Device => state.consented != Some(*user) && state.confirmed == Some(*user),
                For::Partner | For::Portal | For::Redemption => false,
            },
            Step::PickAccount { sessions } => !sessions.is_empty() && state.wish.purpose != For::Redemption,
            Step::ReviewRedemption { user, .. } => *user == ROSA && state.is_rosa_pending && !state.accepted,
        };
        prop_assert!(holds, "{step:?}");
        Ok(())
    });
}

/// Flaws that walks found, each mended.
mod found_by_walking {
    use super::*;

    fn plain() -> State {
        State {
            wish: Wish {
                purpose: For::Application,
                prompt: None,
                max_age: None,
                hint: None,
                sid: None,
                needs_admin: false,
                picked: None,
            },
            minutes: 1,
            login: false,
            wants_other_account: false,
            proved: None,
            home_said: None,
            accepted: false,
            consented: None,
            confirmed: None,
            stay: None,
            sessions: Vec::new(),
            is_missing: false,
            disabled: None,
            must_change: None,
            is_rosa_pending: false,
            realm: None,
        }
    }

    #[test]
    fn r12_login_is_asked_again_though_a_session_was_picked() {
        let mut state = State { sessions: vec![(ALICE, 30, false)], ..plain() };
        state.wish.prompt = Some(Prompt::Login);
        let attempt = Attempt { picked: Some(session_id(0)), ..state.attempt() };
        let step = next(&attempt, &state.facts(), START);
        assert!(!matches!(step, Step::Issue(_)), "{step:?}");
    }

    #[test]
    fn r12_an_old_proof_of_the_home_answers_neither_login_nor_max_age() {
        for (prompt, max_age) in [(Some(Prompt::Login), None), (None, Some(60))] {
            let mut state = State { home_said: Some(Said::Rosa), ..plain() };
            (state.wish.prompt, state.wish.max_age) = (prompt, max_age);
            let stale = assertion("rosa", START - Span::hours(8));
            let attempt = Attempt { assertion: Some(stale), ..state.attempt() };
            let step = next(&attempt, &state.facts(), START);
            assert!(!matches!(step, Step::Issue(_)), "{prompt:?} {max_age:?} {step:?}");
        }
    }

    #[test]
    fn picking_a_session_that_is_too_old_leads_somewhere_else_than_to_the_picker() {
        let mut state = State { sessions: vec![(ALICE, 30, false), (BOB, 30, false)], ..plain() };
        state.wish.max_age = Some(60);
        let attempt = Attempt { picked: Some(session_id(0)), ..state.attempt() };
        let step = next(&attempt, &state.facts(), START);
        assert!(!matches!(step, Step::PickAccount { .. }), "{step:?}");
    }

    #[test]
    fn r38_a_guests_session_gives_no_token_at_once() {
        let state = State { sessions: vec![(ROSA, 5, false)], ..plain() };
        let mut attempt = state.attempt();
        assert!(
            matches!(next(&attempt, &state.facts(), START), Step::Issue(_)),
            "a code is asked about later"
        );
        let Purpose::Authorize(request) = &mut attempt.purpose else { panic!() };
        request.response_type.id_token = true;
        let step = next(&attempt, &state.facts(), START);
        assert!(!matches!(step, Step::Issue(_)), "{step:?}");
    }
}
