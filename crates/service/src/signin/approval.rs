//! Asking for approval where only an administrator may agree: what the page says, what sending writes, and how an agreement
//! for everybody answers those who asked.

use super::{ApprovalView, Asks, Context, Progress, agreement, empty_record};
use crate::notices;
use domain::audit::{DirectoryRecord, Record, RecordActor, SignInKind, SignInRecord};
use domain::id::{AppId, UserId};
use domain::issuance::consent_request::{
    self, ConsentRequest, Decision, OPEN_FOR_APPLICATION, Outcome, Refusal, decide,
};
use domain::issuance::{Denial, denial_code};
use domain::signin::attempt::Attempt;
use domain::verdict::Verdict;
use store::{Fault, Recorded, WriteTx};

/// The page, with its record: the sign-in goes no further (R32). `problem` is what was wrong with a reason.
pub(super) fn page(
    tx: &WriteTx<'_>,
    attempt: &Attempt,
    context: &Context,
    user: UserId,
    problem: Option<Refusal>,
) -> Result<Recorded<Progress>, Fault> {
    let view = super::user_view(tx, user)?;
    let record = SignInRecord {
        user: Some(user.uuid()),
        user_name: Some(view.sign_in_name.clone()),
        app: attempt.purpose.client(),
        error_code: denial_code(Denial::ApprovalRequired),
        reasons: problem.map(|problem| problem.as_str().to_owned()).unwrap_or_default(),
        ..empty_record(SignInKind::Interactive, &context.moment)
    };
    let (obstacle, publisher) = match attempt.purpose.client() {
        Some(app) => {
            let facts = tx.consent_request_facts(app, user, context.moment.now)?;
            (consent_request::obstacle(&facts), agreement::publisher_of(tx, tx.find_app(app)?.as_deref())?)
        }
        None => (None, None),
    };
    let asks = Asks::Approval(Box::new(ApprovalView { user: view, publisher, obstacle, problem }));
    let page = super::view(tx, attempt, context, asks)?;
    Ok(Recorded::new(Record::SignIn(Box::new(record)), Progress::Page(Box::new(page))))
}

/// Keeps the request, tells the reviewers, and ends the sign-in.
pub(super) fn send(
    tx: &WriteTx<'_>,
    attempt: &Attempt,
    context: &Context,
    user: UserId,
    reason: &str,
) -> Result<Recorded<Progress>, Fault> {
    let (moment, now) = (&context.moment, context.moment.now);
    let Some((app, scopes)) = attempt.purpose.wanted() else {
        return Err(Fault::Bug("an approval is asked for that no application needs"));
    };
    let facts = tx.consent_request_facts(app, user, now)?;
    let reason = reason.trim();
    let registration = tx.find_app(app)?.map(|app| app.registration.clone());
    let app_name = registration.map(|registration| registration.display_name).unwrap_or_default();
    let verdict = decide(&facts, reason, now);
    let id = moment.entropy.uuid("consent request");
    let record = |refusal, reasons| {
        Record::Directory(DirectoryRecord {
            activity: "Create app consent request",
            category: "ApplicationManagement",
            actor: RecordActor::User { user: user.uuid() },
            target: Some(app.uuid()),
            target_name: Some(app_name.clone()),
            refusal,
            reasons,
            modified: Vec::new(),
            origin: moment.origin.clone(),
        })
    };
    let reasons = verdict.trace().summary();
    let expires_at = match verdict {
        Verdict::Granted(expires_at, _) => expires_at,
        Verdict::Refused(refusal, _) => {
            tx.note(record(Some(refusal.as_str()), reasons));
            return page(tx, attempt, context, user, Some(refusal));
        }
    };
    let request = ConsentRequest {
        id,
        app,
        user,
        reason: reason.to_owned(),
        scopes: scopes.to_vec(),
        permissions: agreement::permissions(tx, (app, scopes), user, &context.settings)?,
        created_at: now,
        expires_at,
        decision: None,
    };
    tx.add_consent_request(&request)?;
    if !tx.end_attempt(attempt.id, now)? {
        return super::gone(tx, context);
    }
    if facts.policy.notify_reviewers {
        let asked = super::user_view(tx, user)?;
        notices::ask_reviewers(tx, &request, &app_name, &asked.display_name, &context.settings, moment)?;
    }
    let progress = Progress::ApprovalAsked { tenant: tx.load_tenant()?, app_name: app_name.clone() };
    Ok(Recorded::new(record(None, reasons), progress))
}

/// An administrator agreed for everybody: whoever asked for the application and needs nothing more has an answer.
pub(super) fn settle(tx: &WriteTx<'_>, app: AppId, by: UserId, context: &Context) -> Result<(), Fault> {
    let now = context.moment.now;
    for request in tx.open_consent_requests(Some(app), now, OPEN_FOR_APPLICATION)? {
        if !agreement::is_settled(tx, (app, &request.scopes), request.user, &context.settings)? {
            continue;
        }
        let decision = Decision { outcome: Outcome::Approved, by, at: now, reason: None };
        crate::consent_requests::answer(tx, &request, &decision, &context.moment)?;
    }
    Ok(())
}
