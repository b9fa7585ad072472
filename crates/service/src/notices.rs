//! Mail about requests for an administrator's agreement. Names and reasons are somebody else's text: they come without what
//! could lead elsewhere, and the only link is a page of ours (R07).

use crate::{Moment, Settings};
use domain::b2b::invitation::MAILS_PER_ADDRESS_AND_DAY;
use domain::b2b::lure::harmless;
use domain::directory::group::LinkedKind;
use domain::directory::user::{ExternalState, SignInUser};
use domain::id::{GroupId, UserId};
use domain::issuance::consent_request::{ConsentRequest, Decision, Outcome, REASON, Reviewer};
use domain::tenancy::domain_name::Address;
use domain::tenancy::tenant::Tenant;
use outbound::mail::{NoticeMail, notice_mail};
use std::collections::BTreeSet;
use store::{Fault, ReadTx, Within, WriteTx};
use uuid::Uuid;

/// Reviewers that one request is mailed to.
// DEFAULT: 50: the others find it on their page.
const MAILED: u32 = 50;
/// Characters of a quoted line.
const LINE: usize = 72;
/// Quoted lines.
const LINES: usize = 8;

/// Tells the reviewers that somebody asks.
pub(crate) fn ask_reviewers(
    tx: &WriteTx<'_>,
    request: &ConsentRequest,
    app_name: &str,
    asked_by: &str,
    settings: &Settings,
    moment: &Moment,
) -> Result<(), Fault> {
    let tenant = tx.load_tenant()?;
    let (app, person) = (harmless(app_name, 100), harmless(asked_by, 100));
    let url = format!("{}/myapps/requests?tenant={}&request={}", settings.base, tenant.id, request.id);
    let says =
        format!("{} asks for the application {}.", named(&person, "Somebody"), named(&app, "without a name"));
    for user in reviewers(tx, &tenant)? {
        let notice = Notice {
            title: "An application waits for approval",
            says: &says,
            quoted: "They wrote",
            quote: &request.reason,
            advice: "Look at the permissions before you approve. You sign in for it.",
            link: Some(("Look at the request", &url)),
        };
        notice.enqueue(tx, &tenant, &user, request.id, moment)?;
    }
    Ok(())
}

/// Tells who asked what came of it.
pub(crate) fn tell_outcome(
    tx: &WriteTx<'_>,
    request: &ConsentRequest,
    decision: &Decision,
    app_name: &str,
    moment: &Moment,
) -> Result<(), Fault> {
    let Some(user) = tx.find_sign_in_user(request.user)? else { return Ok(()) };
    let tenant = tx.load_tenant()?;
    let app = harmless(app_name, 100);
    let app = named(&app, "without a name");
    let (title, says, advice) = match decision.outcome {
        Outcome::Approved => (
            "Your request was approved",
            format!("You can now use the application {app}."),
            "Go back to the application and sign in again.",
        ),
        Outcome::Blocked | Outcome::Denied => (
            "Your request was not approved",
            format!("An administrator did not approve the application {app}."),
            "If you have questions, ask your administrator.",
        ),
    };
    let quote = decision.reason.as_deref().unwrap_or_default();
    let notice = Notice { title, says: &says, quoted: "They wrote", quote, advice, link: None };
    notice.enqueue(tx, &tenant, &user, request.id, moment)
}

fn named<'a>(name: &'a str, otherwise: &'a str) -> &'a str {
    if name.is_empty() { otherwise } else { name }
}

struct Notice<'a> {
    title: &'a str,
    says: &'a str,
    quoted: &'a str,
    quote: &'a str,
    advice: &'a str,
    link: Option<(&'a str, &'a str)>,
}

impl Notice<'_> {
    fn enqueue(
        &self,
        tx: &WriteTx<'_>,
        tenant: &Tenant,
        user: &SignInUser,
        request: Uuid,
        moment: &Moment,
    ) -> Result<(), Fault> {
        let Some(address) = address_of(user) else { return Ok(()) };
        let mailbox = tx.mailbox(&address, moment.now)?;
        if mailbox.is_blocked || mailbox.mailed_today >= MAILS_PER_ADDRESS_AND_DAY {
            return Ok(());
        }
        let quote = quote(self.quote);
        let mail = notice_mail(&NoticeMail {
            to: address.as_str(),
            organization: &harmless(&tenant.display_name, 100),
            domain: &tenant.default_domain().map(ToString::to_string).unwrap_or_default(),
            is_domain_verified: tenant.is_verified(),
            title: self.title,
            says: self.says,
            quoted: self.quoted,
            quote: &quote,
            advice: self.advice,
            link: self.link,
        });
        let id = moment.entropy.uuid(&format!("notice {} {request} {}", self.title, user.id));
        tx.enqueue_mail(id, &mail, moment.now)
    }
}

fn address_of(user: &SignInUser) -> Option<Address> {
    let is_able = user.is_enabled && user.external != Some(ExternalState::PendingAcceptance);
    let address = user.mail.as_deref().unwrap_or(&user.sign_in_name);
    Address::parse(address).filter(|address| is_able && !address.as_str().contains("#EXT#"))
}

/// Somebody's words as lines of even length, the rest left out.
fn quote(text: &str) -> Vec<String> {
    let (text, mut lines) = (harmless(text, REASON), Vec::<String>::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word: String = word.chars().take(LINE).collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LINE => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines.push("…".to_owned());
    }
    lines
}

/// The people behind a policy's reviewers, each once, as many as are mailed.
fn reviewers(tx: &ReadTx<'_>, tenant: &Tenant) -> Result<Vec<SignInUser>, Fault> {
    let mut ids = BTreeSet::new();
    for reviewer in &tenant.settings.consent_requests.reviewers {
        match reviewer {
            Reviewer::User(id) => {
                ids.insert(*id);
            }
            Reviewer::Group(id) => add_members(tx, *id, &mut ids)?,
            Reviewer::Role(id) => {
                for (kind, holder) in tx.linked(&Within::HoldersOf(*id), None, MAILED)? {
                    match kind {
                        LinkedKind::Group => add_members(tx, GroupId::new(holder), &mut ids)?,
                        LinkedKind::User => {
                            ids.insert(UserId::new(holder));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    let most = usize::try_from(MAILED).unwrap_or(usize::MAX);
    let users = ids.into_iter().take(most).map(|id| tx.find_sign_in_user(id));
    Ok(users.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn add_members(tx: &ReadTx<'_>, group: GroupId, ids: &mut BTreeSet<UserId>) -> Result<(), Fault> {
    let members = tx.linked(&Within::AllMembersOf(group), None, MAILED)?;
    let users = members.into_iter().filter(|(kind, _)| *kind == LinkedKind::User);
    ids.extend(users.map(|(_, id)| UserId::new(id)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r07_a_reason_is_quoted_in_short_lines_and_leads_nowhere() {
        let text = "I need it\nfor the budget. See https://evil.test/ or call 555-0100 now, please.";
        // A line for each of these.
        let long = format!("{} ", "x".repeat(LINE - 20)).repeat(LINES);
        let lines = quote(&format!("{text} {long}"));
        assert!(lines.iter().all(|line| line.chars().count() <= LINE));
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (LINES + 1, Some("…")));
        let all = lines.join(" ");
        assert!(all.starts_with("I need it for the budget. See or call now, please."), "{all}");
        assert!(quote("").is_empty());
    }
}
