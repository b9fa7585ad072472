//! Cases of `b2b::redemption`: what a home's verified answer amounts to, and who may accept.

use crate::Judged;
use crate::words::{Answer, Kind, NOW, Name, Person, When, identity, invitation_id, partner_proof};
use domain::b2b::redemption::{Facts, Invited, Redemption, Refusal, accept, decide, denial};
use domain::federation::assertion::HomeAssertion;
use domain::id::UserId;
use domain::time::Span;
use domain::verdict::Trace;
use serde::{Deserialize, Serialize};

/// What the store found for the answer; nothing unless stated.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    /// The guest bound to exactly this issuer and subject.
    bound: Option<Person>,
    /// The invitation whose link was opened.
    opened: Option<Invitation>,
    /// An invitation to one of the proved addresses, when no link was opened.
    pending: Option<Invitation>,
}

/// Rosa's, good for another month.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Invitation {
    guest: Person,
    address: String,
    expires: When,
    is_withdrawn: bool,
}

impl Default for Invitation {
    fn default() -> Self {
        Self {
            guest: Person::of(Kind::PendingGuest),
            address: "rosa@fabrikam.test".into(),
            expires: When(NOW + Span::days(30)),
            is_withdrawn: false,
        }
    }
}

/// Fabrikam says that this is Rosa, whose address it proved. With `accepted-by`, the question is also whether that
/// user's acceptance counts.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Asked {
    proved_addresses: Vec<String>,
    accepted_by: Option<Name>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { proved_addresses: vec!["rosa@fabrikam.test".into()], accepted_by: None }
    }
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Outcome {
    /// `Bound`, `Pending` or `Refused`.
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// How the refusal reads at the door.
    #[serde(skip_serializing_if = "Option::is_none")]
    denial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acceptance: Option<Answer<Accepted>>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    user: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitation: Option<Name>,
}

pub(crate) fn judge(given: &Given, asked: &Asked) -> Vec<Judged<Outcome>> {
    let invited = |invitation: &Invitation| Invited {
        invitation: invitation_id(),
        guest: invitation.guest.user(),
        address: invitation.address.clone(),
        expires_at: invitation.expires.0,
        withdrawn: invitation.is_withdrawn,
    };
    let facts = Facts {
        bound: given.bound.as_ref().map(Person::user),
        opened: given.opened.as_ref().map(invited),
        pending: given.pending.as_ref().map(invited),
    };
    let redemption = decide(facts, &assertion(asked), NOW);
    let mut shown = Vec::new();
    let mut verdict = match &redemption {
        Redemption::Bound(user) => Outcome { user: Some(user.id.uuid().into()), ..bare("Bound") },
        Redemption::Pending { user, invitation } => Outcome {
            user: Some(user.id.uuid().into()),
            invitation: invitation.map(|invitation| invitation.uuid().into()),
            ..bare("Pending")
        },
        Redemption::Refused(refusal) => {
            shown.push(format!("Refusal::{refusal:?}"));
            Outcome {
                refused: Some(format!("{refusal:?}")),
                denial: Some(format!("{:?}", denial(*refusal))),
                ..bare("Refused")
            }
        }
    };
    shown.push(format!("Redemption::{}", verdict.outcome));
    if let Some(by) = &asked.accepted_by {
        let answer =
            Answer::of(accept(redemption, UserId::new(by.id()), Trace::new()), |(user, invitation)| {
                Accepted {
                    user: user.id.uuid().into(),
                    invitation: invitation.map(|invitation| invitation.uuid().into()),
                }
            });
        shown.push(if answer.shown("").is_empty() { "accepted" } else { "not accepted" }.to_owned());
        verdict.acceptance = Some(answer);
    }
    vec![Judged { asked: String::new(), verdict, shown }]
}

pub(crate) fn variants() -> Vec<String> {
    let outcomes = every_variant! { Redemption: Bound Pending Refused };
    let refusals = every_variant! { Refusal: Expired NotInvited Unknown };
    let all = outcomes.iter().chain(&refusals).chain(&["accepted", "not accepted"]);
    all.map(|name| (*name).to_owned()).collect()
}

fn bare(outcome: &str) -> Outcome {
    Outcome {
        outcome: outcome.to_owned(),
        user: None,
        invitation: None,
        refused: None,
        denial: None,
        acceptance: None,
    }
}

fn assertion(asked: &Asked) -> HomeAssertion {
    let at = NOW - Span::minutes(1);
    HomeAssertion {
        identity: identity("rosa"),
        name: "Rosa".into(),
        sign_in_name: None,
        proved_addresses: asked.proved_addresses.clone(),
        evidence: vec![partner_proof(at)],
        authenticated_at: at,
    }
}
