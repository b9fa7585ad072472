//! Requests for an administrator's agreement: the policy, what Graph shows of them, and the reviewers' page.

use crate::directory::{Answer, DirectoryRefusal, allow, record, refusal_name};
use crate::signin::{Browser, name_of};
use crate::{Fault, Moment, Service, modified, notices, paging};
use domain::audit::{DirectoryRecord, Record, RecordActor};
use domain::directory::change::ChangeRefusal;
use domain::directory::permission::{Operation, Viewer};
use domain::directory::query::{PAGE, Position};
use domain::directory::role;
use domain::directory::user::SignInUser;
use domain::id::{AppId, TenantId, UserId};
use domain::issuance::consent_request::{
    self, ConsentRequest, Decision, OPEN_FOR_APPLICATION, Outcome, Policy, ReviewRefusal, Reviewer,
};
use domain::tenancy::tenant::Tenant;
use domain::time::Timestamp;
use domain::verdict::Verdict;
use std::sync::Arc;
use store::{Page, ReadTx, Recorded, WriteTx};
use uuid::Uuid;

/// Open requests that the reviewers' page shows, the oldest first.
const SHOWN: i64 = 100;

/// What was asked of one application (Graph: appConsentRequest). Its id is the application's: there is one of each.
#[derive(Clone, Debug)]
pub struct AskedApp {
    pub app: AppId,
    pub name: String,
    /// Permissions of the requests that are open.
    pub pending: Vec<String>,
}

/// A request, and who asks (Graph: userConsentRequest).
#[derive(Clone, Debug)]
pub struct AskedBy {
    pub request: ConsentRequest,
    pub display_name: Option<String>,
}

/// The reviewers' page.
#[derive(Clone, Debug)]
pub struct Review {
    pub tenant: Arc<Tenant>,
    pub user: SignInUser,
    pub items: Vec<ReviewItem>,
    /// What became of the request that was asked about.
    pub found: Option<ConsentRequest>,
}

#[derive(Clone, Debug)]
pub struct ReviewItem {
    pub request: ConsentRequest,
    pub app_name: String,
    pub publisher: Option<String>,
    pub asked_by: String,
}

impl Service {
    /// The viewer's organisation, for its policy on requests.
    pub fn consent_request_policy(&self, viewer: &Viewer) -> Answer<Arc<Tenant>> {
        if let Err(refused) = allow(viewer, Operation::ReadConsentRequestPolicy, &[]) {
            return Ok(Err(refused.into()));
        }
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| tx.load_tenant())?))
    }

    /// Replaces the policy; it holds at the next sign-in.
    pub async fn update_consent_request_policy(
        &self,
        viewer: &Viewer,
        policy: Policy,
        moment: &Moment,
    ) -> Answer<()> {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let before = tx.load_tenant()?;
            let mut tenant = (*before).clone();
            let mut are_there = true;
            for reviewer in &policy.reviewers {
                are_there &= is_there(tx, reviewer)?;
            }
            let outcome = match allow(&viewer_in, Operation::WriteConsentRequestPolicy, &[]) {
                Err(refused) => Err(DirectoryRefusal::from(refused)),
                Ok(_) if !are_there => Err(ChangeRefusal::Invalid("reviewers".to_owned()).into()),
                Ok(_) => Ok(()),
            };
            if outcome.is_ok() {
                let version = tenant.settings.consent_requests.version + 1;
                tenant.settings.consent_requests = Policy { version, ..policy.clone() };
                tx.update_tenant(&tenant, moment_in.now)?;
            }
            let refusal = outcome.as_ref().err().map(refusal_name);
            let target = Some((tenant.id.uuid(), tenant.display_name.clone()));
            let activity = "Update admin consent request policy";
            let record = record(activity, "Policy", &viewer_in, target, refusal, &moment_in);
            let modified = if outcome.is_ok() { modified::of_tenant(&before, &tenant) } else { Vec::new() };
            Ok(Recorded::new(record.telling(modified), outcome))
        });
        Ok(written.await?)
    }

    /// Applications that somebody asked for.
    pub fn list_asked_apps(
        &self,
        viewer: &Viewer,
        top: Option<u32>,
        after: Option<&Position>,
        now: Timestamp,
    ) -> Answer<Page<AskedApp>> {
        if let Err(refused) = allow(viewer, Operation::ReadConsentRequests, &[]) {
            return Ok(Err(refused.into()));
        }
        let top = top.unwrap_or(PAGE);
        let found = self.store.tenant(viewer.tenant).read(|tx| {
            let apps = tx.apps_asked_for(paging::id_of(after), top + 1)?;
            apps.into_iter().map(|app| asked_app(tx, app, now)).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Ok(paging::page_of(found, top, |asked| asked.app.uuid())))
    }

    /// One of them.
    pub fn find_asked_app(&self, viewer: &Viewer, app: AppId, now: Timestamp) -> Answer<AskedApp> {
        if let Err(refused) = allow(viewer, Operation::ReadConsentRequests, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| {
            let is_asked = !tx.consent_requests_for(app, None, 1)?.is_empty();
            if is_asked { asked_app(tx, app, now).map(Some) } else { Ok(None) }
        })?;
        Ok(found.ok_or(DirectoryRefusal::NotFound))
    }

    /// Who asked for an application.
    pub fn list_consent_requests(
        &self,
        viewer: &Viewer,
        app: AppId,
        top: Option<u32>,
        after: Option<&Position>,
    ) -> Answer<Page<AskedBy>> {
        if let Err(refused) = allow(viewer, Operation::ReadConsentRequests, &[]) {
            return Ok(Err(refused.into()));
        }
        let top = top.unwrap_or(PAGE);
        let found = self.store.tenant(viewer.tenant).read(|tx| {
            if tx.consent_requests_for(app, None, 1)?.is_empty() {
                return Ok(None);
            }
            let requests = tx.consent_requests_for(app, paging::id_of(after), top + 1)?;
            requests.into_iter().map(|it| asked_by(tx, it)).collect::<Result<Vec<_>, _>>().map(Some)
        })?;
        let found = found.ok_or(DirectoryRefusal::NotFound);
        Ok(found.map(|found| paging::page_of(found, top, |asked| asked.request.id)))
    }

    /// One request for an application.
    pub fn find_consent_request(&self, viewer: &Viewer, app: AppId, id: Uuid) -> Answer<AskedBy> {
        if let Err(refused) = allow(viewer, Operation::ReadConsentRequests, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| {
            let found = tx.find_consent_request(id)?.filter(|request| request.app == app);
            found.map(|request| asked_by(tx, request)).transpose()
        })?;
        Ok(found.ok_or(DirectoryRefusal::NotFound))
    }

    /// The reviewers' page for the browser's session; `Err` for whoever reviews nothing here, `None` without a session.
    pub fn review(
        &self,
        tenant: TenantId,
        browser: Browser,
        request: Option<Uuid>,
        now: Timestamp,
    ) -> Result<Option<Result<Review, Arc<Tenant>>>, Fault> {
        let Some(session) = self.portal_session(tenant, browser, now)? else { return Ok(None) };
        let user = session.user;
        let found = self.store.tenant(tenant).read(|tx| {
            let tenant = tx.load_tenant()?;
            if !may_review(tx, &user)? {
                return Ok(Err(tenant));
            }
            let mut items = Vec::new();
            for request in tx.open_consent_requests(None, now, SHOWN)? {
                let app = tx.find_app(request.app)?;
                items.push(ReviewItem {
                    publisher: crate::signin::publisher_of(tx, app.as_deref())?,
                    app_name: app.map(|app| app.registration.display_name.clone()).unwrap_or_default(),
                    asked_by: name(tx, request.user)?.unwrap_or_default(),
                    request,
                });
            }
            let found = request.map_or(Ok(None), |id| tx.find_consent_request(id))?;
            Ok(Ok(Review { tenant, user: user.clone(), items, found }))
        })?;
        Ok(Some(found))
    }

    /// How many requests wait for this person; `None` for whoever reviews nothing.
    pub(crate) fn waiting_for(
        &self,
        tenant: TenantId,
        user: &SignInUser,
        now: Timestamp,
    ) -> Result<Option<usize>, Fault> {
        let waiting = self.store.tenant(tenant).read(|tx| {
            let is_on = tx.load_tenant()?.settings.consent_requests.is_enabled;
            let is_reviewer = is_on && may_review(tx, user)?;
            if is_reviewer { tx.open_consent_requests(None, now, SHOWN).map(Some) } else { Ok(None) }
        })?;
        Ok(waiting.map(|waiting| waiting.len()))
    }

    /// Says no to a request, and with `Blocked` to every request for its application. `None` where there is no session or
    /// no such request.
    pub async fn decline_consent_request(
        &self,
        tenant: TenantId,
        browser: Browser,
        (id, outcome, reason): (Uuid, Outcome, String),
        moment: &Moment,
    ) -> Result<Option<Result<(), ReviewRefusal>>, Fault> {
        let Some(session) = self.portal_session(tenant, browser, moment.now)? else { return Ok(None) };
        let (user, moment) = (session.user, moment.clone());
        let written = self.store.tenant(tenant).write(move |tx| {
            let Some(request) = tx.find_consent_request(id)? else {
                return Ok(Recorded::chore(store::Chore::Progress, None));
            };
            let reason = reason.trim();
            // Read again: a role or a group may be gone since the page was shown (R38).
            let user = tx.find_sign_in_user(user.id)?.filter(|user| user.is_enabled);
            let may_review = user.as_ref().map_or(Ok(false), |user| may_review(tx, user))?;
            let verdict = consent_request::review(&request, may_review, reason, moment.now);
            let reasons = verdict.trace().summary();
            let outcome_of = match (verdict, &user) {
                (Verdict::Granted((), _), Some(user)) => {
                    let reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
                    let decision = Decision { outcome, by: user.id, at: moment.now, reason };
                    let all = match outcome {
                        Outcome::Blocked => {
                            tx.open_consent_requests(Some(request.app), moment.now, OPEN_FOR_APPLICATION)?
                        }
                        Outcome::Approved | Outcome::Denied => vec![request.clone()],
                    };
                    for request in &all {
                        answer(tx, request, &decision, &moment)?;
                    }
                    return Ok(Recorded::chore(store::Chore::Progress, Some(Ok(()))));
                }
                (Verdict::Granted((), _), None) => ReviewRefusal::NotReviewer,
                (Verdict::Refused(refusal, _), _) => refusal,
            };
            let actor =
                user.as_ref().map_or(RecordActor::Visitor, |user| RecordActor::User { user: user.id.uuid() });
            let refusal = Some(outcome_of.as_str());
            let record = answer_record(tx, &request, outcome, actor, refusal, reasons, &moment)?;
            Ok(Recorded::new(record, Some(Err(outcome_of))))
        });
        Ok(written.await?)
    }
}

/// Writes an answer with its record, and tells who asked. Nothing where it was answered before.
pub(crate) fn answer(
    tx: &WriteTx<'_>,
    request: &ConsentRequest,
    decision: &Decision,
    moment: &Moment,
) -> Result<(), store::Fault> {
    if !tx.decide_consent_request(request.id, decision)? {
        return Ok(());
    }
    let actor = RecordActor::User { user: decision.by.uuid() };
    tx.note(answer_record(tx, request, decision.outcome, actor, None, String::new(), moment)?);
    let app_name = app_name(tx, request.app)?;
    notices::tell_outcome(tx, request, decision, &app_name, moment)
}

fn answer_record(
    tx: &ReadTx<'_>,
    request: &ConsentRequest,
    outcome: Outcome,
    actor: RecordActor,
    refusal: Option<&'static str>,
    reasons: String,
    moment: &Moment,
) -> Result<Record, store::Fault> {
    let activity = match outcome {
        Outcome::Approved => "Approve app consent request",
        Outcome::Blocked => "Block app consent request",
        Outcome::Denied => "Deny app consent request",
    };
    Ok(Record::Directory(DirectoryRecord {
        activity,
        category: "ApplicationManagement",
        actor,
        target: Some(request.app.uuid()),
        target_name: Some(app_name(tx, request.app)?),
        refusal,
        reasons,
        modified: Vec::new(),
        origin: moment.origin.clone(),
    }))
}

fn app_name(tx: &ReadTx<'_>, app: AppId) -> Result<String, store::Fault> {
    Ok(tx.find_app(app)?.map(|app| app.registration.display_name.clone()).unwrap_or_default())
}

fn name(tx: &ReadTx<'_>, user: UserId) -> Result<Option<String>, store::Fault> {
    Ok(tx.find_sign_in_user(user)?.map(|user| format!("{} ({})", user.display_name, name_of(&user))))
}

fn asked_app(tx: &ReadTx<'_>, app: AppId, now: Timestamp) -> Result<AskedApp, store::Fault> {
    let open = tx.open_consent_requests(Some(app), now, OPEN_FOR_APPLICATION)?;
    let mut pending: Vec<String> = open.into_iter().flat_map(|request| request.permissions).collect();
    pending.sort_unstable();
    pending.dedup();
    Ok(AskedApp { app, name: app_name(tx, app)?, pending })
}

fn asked_by(tx: &ReadTx<'_>, request: ConsentRequest) -> Result<AskedBy, store::Fault> {
    let display_name = tx.find_sign_in_user(request.user)?.map(|user| user.display_name);
    Ok(AskedBy { request, display_name })
}

fn is_there(tx: &ReadTx<'_>, reviewer: &Reviewer) -> Result<bool, store::Fault> {
    Ok(match reviewer {
        Reviewer::Group(id) => tx.find_group(*id)?.is_some_and(|group| group.deleted_at.is_none()),
        Reviewer::Role(id) => role::find(*id).is_some(),
        Reviewer::User(id) => tx.find_user(*id)?.is_some_and(|user| user.deleted_at.is_none()),
    })
}

/// Whether a person sees the requests of a tenant.
pub(crate) fn may_review(tx: &ReadTx<'_>, user: &SignInUser) -> Result<bool, store::Fault> {
    let policy = &tx.load_tenant()?.settings.consent_requests;
    let is_meant = |reviewer: &Reviewer| match reviewer {
        Reviewer::Group(id) => tx.is_inside(*id, user.id.uuid()),
        Reviewer::Role(id) => Ok(user.roles.contains(id)),
        Reviewer::User(id) => Ok(*id == user.id),
    };
    let mut is_named = false;
    for reviewer in &policy.reviewers {
        is_named |= is_meant(reviewer)?;
    }
    Ok(consent_request::may_review(user, is_named))
}
