//! Asking an administrator for an application that one may not agree to oneself (Graph: appConsentRequest,
//! userConsentRequest): who may ask, who is asked, and what counts as an answer.

use crate::directory::user::SignInUser;
use crate::id::{AppId, GroupId, RoleTemplateId, UserId};
use crate::time::{Span, Timestamp};
use crate::verdict::{Side, Trace, Verdict};
use uuid::Uuid;

/// Characters of a reason at most.
pub const REASON: usize = 500;
/// Reviewers that a policy names at most: people, groups and roles.
pub const REVIEWERS: usize = 50;
/// Requests of one person in a day.
// DEFAULT: 10: nobody needs more new applications in a day, and reviewers are not flooded.
pub const REQUESTS_PER_PERSON_AND_DAY: i64 = 10;
/// Open requests for one application.
// DEFAULT: 100: reviewers know by then that it is wanted, and one answer is written to all of them.
pub const OPEN_FOR_APPLICATION: i64 = 100;

/// Whether and how requests are taken (Graph: adminConsentRequestPolicy).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub is_enabled: bool,
    pub notify_reviewers: bool,
    /// Kept and shown; no reminder is sent.
    pub reminders_enabled: bool,
    pub request_days: i64,
    pub reviewers: Vec<Reviewer>,
    /// Raised with each change.
    pub version: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            is_enabled: false,
            notify_reviewers: true,
            reminders_enabled: true,
            request_days: 30,
            reviewers: Vec::new(),
            version: 0,
        }
    }
}

/// Who looks at requests (Graph: accessReviewReviewerScope).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reviewer {
    /// Its members, nested ones included.
    Group(GroupId),
    /// Whoever holds it.
    Role(RoleTemplateId),
    User(UserId),
}

impl Reviewer {
    /// As Graph writes it.
    pub fn query(&self) -> String {
        match self {
            Self::Group(id) => format!("/groups/{id}/transitiveMembers/microsoft.graph.user"),
            Self::Role(id) => {
                format!("/roleManagement/directory/roleAssignments?$filter=roleDefinitionId eq '{id}'")
            }
            Self::User(id) => format!("/users/{id}"),
        }
    }

    pub fn parse(query: &str) -> Option<Self> {
        let below = ["/v1.0", "/beta"].into_iter().find_map(|version| query.strip_prefix(version));
        let below = below.unwrap_or(query);
        if let Some(id) = below.strip_prefix("/users/") {
            return id.parse().ok().map(Self::User);
        }
        if let Some(rest) = below.strip_prefix("/groups/") {
            let (id, members) = rest.split_once('/')?;
            let is_members =
                matches!(members, "transitiveMembers" | "transitiveMembers/microsoft.graph.user");
            return id.parse().ok().filter(|_| is_members).map(Self::Group);
        }
        let filter = below.strip_prefix("/roleManagement/directory/roleAssignments?$filter=")?;
        let id = filter.strip_prefix("roleDefinitionId eq '")?.strip_suffix('\'')?;
        id.parse().ok().map(Self::Role)
    }
}

/// What one person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRequest {
    pub id: Uuid,
    pub app: AppId,
    pub user: UserId,
    pub reason: String,
    /// The scopes of the sign-in that it came from: an administrator is asked for the same.
    pub scopes: Vec<String>,
    /// The permissions by name, as they were then.
    pub permissions: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub decision: Option<Decision>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub outcome: Outcome,
    pub by: UserId,
    pub at: Timestamp,
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Approved,
    /// Denied, and nobody may ask for the application again.
    Blocked,
    Denied,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Approved, Self::Blocked, Self::Denied];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Blocked => "blocked",
            Self::Denied => "denied",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// Where a request stands (Graph: request.status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Completed,
    Expired,
    InProgress,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Expired => "Expired",
            Self::InProgress => "InProgress",
        }
    }
}

impl ConsentRequest {
    pub fn status(&self, now: Timestamp) -> Status {
        match self.decision {
            Some(_) => Status::Completed,
            None if now >= self.expires_at => Status::Expired,
            None => Status::InProgress,
        }
    }
}

/// What a request is judged by, read in the write that keeps it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub policy: Policy,
    /// This person's request for this application is open.
    pub is_asked: bool,
    pub is_blocked: bool,
    /// Requests of this person within a day.
    pub asked_today: i64,
    pub open_for_application: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    AlreadyAsked,
    ApplicationBlocked,
    NotOffered,
    ReasonInvalid,
    TooMany,
}

impl Refusal {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyAsked => "alreadyAsked",
            Self::ApplicationBlocked => "applicationBlocked",
            Self::NotOffered => "notOffered",
            Self::ReasonInvalid => "reasonInvalid",
            Self::TooMany => "tooMany",
        }
    }
}

/// Whether there is any use in writing a reason: what stands in the way of every request of this person.
pub fn obstacle(facts: &Facts) -> Option<Refusal> {
    let full = facts.asked_today >= REQUESTS_PER_PERSON_AND_DAY
        || facts.open_for_application >= OPEN_FOR_APPLICATION;
    [
        (!facts.policy.is_enabled, Refusal::NotOffered),
        (facts.is_blocked, Refusal::ApplicationBlocked),
        (facts.is_asked, Refusal::AlreadyAsked),
        (full, Refusal::TooMany),
    ]
    .into_iter()
    .find_map(|(stands, refusal)| stands.then_some(refusal))
}

/// Decides one request; granted is when it expires.
pub fn decide(facts: &Facts, reason: &str, now: Timestamp) -> Verdict<Timestamp, Refusal> {
    let mut trace = Trace::new();
    if let Some(refusal) = obstacle(facts) {
        return trace.refuse(refusal, Side::ResourceTenant, "consent-request", refusal.as_str());
    }
    trace.passed(Side::ResourceTenant, "consent-request", "");
    if !is_reason(reason) || reason.is_empty() {
        return trace.refuse(Refusal::ReasonInvalid, Side::User, "reason", "");
    }
    trace.grant(now + Span::days(facts.policy.request_days))
}

fn is_reason(text: &str) -> bool {
    text.chars().count() <= REASON
        && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewRefusal {
    Decided,
    Expired,
    NotReviewer,
    ReasonInvalid,
}

impl ReviewRefusal {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Expired => "expired",
            Self::NotReviewer => "notReviewer",
            Self::ReasonInvalid => "reasonInvalid",
        }
    }
}

/// Whether somebody sees requests: reviewers, and whoever may agree for everybody.
pub fn may_review(user: &SignInUser, is_named: bool) -> bool {
    is_named || user.can_consent_for_all()
}

/// Decides whether a no counts. A yes is the agreement itself.
pub fn review(
    request: &ConsentRequest,
    may_review: bool,
    reason: &str,
    now: Timestamp,
) -> Verdict<(), ReviewRefusal> {
    let mut trace = Trace::new();
    if !may_review {
        return trace.refuse(ReviewRefusal::NotReviewer, Side::User, "reviewer", "");
    }
    trace.passed(Side::User, "reviewer", "");
    match request.status(now) {
        Status::Completed => trace.refuse(ReviewRefusal::Decided, Side::ResourceTenant, "open", ""),
        // Looked at here, whoever swept or did not (R04).
        Status::Expired => trace.refuse(ReviewRefusal::Expired, Side::ResourceTenant, "open", ""),
        Status::InProgress if !is_reason(reason) => {
            trace.refuse(ReviewRefusal::ReasonInvalid, Side::User, "reason", "")
        }
        Status::InProgress => trace.grant(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn facts() -> Facts {
        Facts { policy: Policy { is_enabled: true, ..Policy::default() }, ..Facts::default() }
    }

    #[test]
    fn a_request_is_taken_once_and_within_limits() {
        let answer = |facts: &Facts, reason: &str| decide(facts, reason, NOW).into_result();
        assert_eq!(answer(&facts(), "I need it"), Ok(NOW + Span::days(30)));
        let off = Facts { policy: Policy::default(), ..facts() };
        for (facts, reason, refusal) in [
            (off, "x", Refusal::NotOffered),
            (Facts { is_asked: true, ..facts() }, "x", Refusal::AlreadyAsked),
            (Facts { is_blocked: true, ..facts() }, "x", Refusal::ApplicationBlocked),
            (Facts { asked_today: REQUESTS_PER_PERSON_AND_DAY, ..facts() }, "x", Refusal::TooMany),
            (Facts { open_for_application: OPEN_FOR_APPLICATION, ..facts() }, "x", Refusal::TooMany),
            (facts(), "", Refusal::ReasonInvalid),
            (facts(), "a\u{7}", Refusal::ReasonInvalid),
            (facts(), &"x".repeat(REASON + 1), Refusal::ReasonInvalid),
        ] {
            assert_eq!(answer(&facts, reason), Err(refusal), "{reason}");
        }
        assert!(answer(&facts(), &"ä".repeat(REASON)).is_ok());
    }

    #[test]
    fn r04_a_no_counts_for_what_is_open_only() {
        let open = ConsentRequest {
            id: Uuid::nil(),
            app: AppId::new(Uuid::nil()),
            user: UserId::new(Uuid::nil()),
            reason: String::new(),
            scopes: Vec::new(),
            permissions: Vec::new(),
            created_at: NOW,
            expires_at: NOW + Span::days(1),
            decision: None,
        };
        let decision = Decision { outcome: Outcome::Denied, by: open.user, at: NOW, reason: None };
        let decided = ConsentRequest { decision: Some(decision), ..open.clone() };
        let answer = |request: &ConsentRequest, may: bool, reason: &str, now: Timestamp| {
            review(request, may, reason, now).into_result()
        };
        assert_eq!(answer(&open, true, "", NOW), Ok(()));
        assert_eq!(answer(&open, false, "", NOW), Err(ReviewRefusal::NotReviewer));
        assert_eq!(answer(&open, true, "", open.expires_at), Err(ReviewRefusal::Expired));
        assert_eq!(answer(&decided, true, "", open.expires_at), Err(ReviewRefusal::Decided));
        assert_eq!(answer(&open, true, &"x".repeat(REASON + 1), NOW), Err(ReviewRefusal::ReasonInvalid));
    }

    #[test]
    fn reviewers_are_written_as_graph_writes_them() {
        let id = "62e90394-69f5-4237-9190-012177145e10";
        let role = format!("/roleManagement/directory/roleAssignments?$filter=roleDefinitionId eq '{id}'");
        for query in [
            format!("/users/{id}"),
            format!("/groups/{id}/transitiveMembers/microsoft.graph.user"),
            role.clone(),
        ] {
            let reviewer = Reviewer::parse(&query).unwrap();
            assert_eq!(reviewer.query(), query);
            for version in ["/v1.0", "/beta"] {
                assert_eq!(Reviewer::parse(&format!("{version}{query}")), Some(reviewer));
            }
        }
        for wrong in
            ["", "/users/", "/users/x", "/groups/x/owners", "/v2.0/users/x", &role.replace("eq", "ne")]
        {
            assert_eq!(Reviewer::parse(wrong), None, "{wrong}");
        }
    }
}
