//! Where a sign-in at `common` or `organizations` goes: to the tenant that a hint, a session or a typed name leads to.
//!
//! The tenant's own dispatcher (`next`) goes on from there, with the same request.

use crate::id::{SessionId, TenantId};
use crate::issuance::Denial;
use crate::signin::next::session_answers_to;
use crate::signin::session::Session;
use standards::oauth::authorize::{AuthorizeRequest, Prompt};

/// What the decision looks at.
#[derive(Debug)]
pub struct Facts {
    /// The tenant that owns the domain of `login_hint` or `domain_hint`.
    pub hint_leads_to: Option<TenantId>,
    /// The browser's living sessions where they are at home: a guest's session elsewhere is no account of its own.
    pub accounts: Vec<(TenantId, Session)>,
}

/// The next demand, while no tenant is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    AskName {
        /// The hinted name is none that we know.
        is_hint_unknown: bool,
    },
    GoTo {
        tenant: TenantId,
        session: Option<SessionId>,
    },
    PickAccount,
    Refuse(Denial),
}

/// Decides where to go. A hint that names somebody else than the only account never lets that account in (R12).
pub fn way(request: Option<&AuthorizeRequest>, facts: &Facts) -> Way {
    if let Some(tenant) = facts.hint_leads_to {
        return Way::GoTo { tenant, session: None };
    }
    let prompt = request.and_then(|request| request.prompt);
    let login_hint = request.and_then(|request| request.login_hint.as_deref());
    let sid = request.and_then(|request| request.sid.as_deref());
    // COMPAT: MSAL's `domain_hint=organizations` means "no personal account", and every account here is none.
    let domain_hint = request
        .and_then(|request| request.domain_hint.as_deref())
        .filter(|hint| !matches!(*hint, "common" | "organizations"));
    let is_named = login_hint.is_some() || sid.is_some() || domain_hint.is_some();
    let is_fresh_wanted = matches!(prompt, Some(Prompt::Login | Prompt::SelectAccount));
    let accounts = facts.accounts.as_slice();
    let named = accounts.iter().find(|(_, session)| {
        sid.is_some_and(|sid| session.id.to_string() == sid)
            || login_hint.is_some_and(|hint| session_answers_to(session, hint))
    });
    let chosen = match (named, accounts) {
        (Some(named), _) => Some(named),
        (None, [only]) if !is_named => Some(only),
        (None, _) => None,
    };
    if let (Some((tenant, session)), false) = (chosen, is_fresh_wanted) {
        return Way::GoTo { tenant: *tenant, session: Some(session.id) };
    }
    if prompt == Some(Prompt::None) {
        let is_ambiguous = !is_named && !accounts.is_empty();
        return Way::Refuse(if is_ambiguous { Denial::SeveralSessions } else { Denial::NoSession });
    }
    let is_hint_unknown = named.is_none() && login_hint.is_some();
    match prompt {
        Some(Prompt::SelectAccount) if !accounts.is_empty() => Way::PickAccount,
        Some(Prompt::Login) => Way::AskName { is_hint_unknown },
        _ if accounts.is_empty() || is_hint_unknown => Way::AskName { is_hint_unknown },
        _ => Way::PickAccount,
    }
}
