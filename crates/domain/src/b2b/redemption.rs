//! What a home's verified answer amounts to in this tenant: a guest we know, one who is invited, or nobody.
//!
//! The link is a hint (R05): the account redeemed is fixed by the proof, never by who holds the URL.

use crate::directory::user::{ExternalState, SignInUser};
use crate::federation::assertion::HomeAssertion;
use crate::id::{InvitationId, UserId};
use crate::issuance::Denial;
use crate::tenancy::domain_name::Address;
use crate::time::Timestamp;
use crate::verdict::{Side, Trace, Verdict};

/// What the store found for a home assertion.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The guest bound to exactly this issuer and subject (R02).
    pub bound: Option<SignInUser>,
    /// The invitation whose link was opened.
    pub opened: Option<Invited>,
    /// A pending invitation to one of the proved addresses, when no link was opened (just-in-time redemption).
    pub pending: Option<Invited>,
}

/// An invitation with its guest.
#[derive(Clone, Debug)]
pub struct Invited {
    pub invitation: InvitationId,
    pub guest: SignInUser,
    pub address: String,
    pub expires_at: Timestamp,
    pub withdrawn: bool,
}

/// The outcome.
#[derive(Clone, Debug, PartialEq)]
pub enum Redemption {
    /// A guest who redeemed before.
    Bound(SignInUser),
    /// An invited guest; accepting binds the identity and uses the invitation up.
    Pending {
        user: SignInUser,
        invitation: Option<InvitationId>,
    },
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Expired,
    /// The account was proved, but the invitation is for someone else.
    NotInvited,
    /// Nobody here knows the account.
    Unknown,
}

/// Decides what a home assertion means here.
pub fn decide(facts: Facts, assertion: &HomeAssertion, now: Timestamp) -> Redemption {
    if let Some(bound) = facts.bound {
        let is_for_another = facts.opened.is_some_and(|opened| {
            opened.guest.id != bound.id && opened.guest.external != Some(ExternalState::Accepted)
        });
        return if is_for_another {
            Redemption::Refused(Refusal::NotInvited)
        } else {
            Redemption::Bound(bound)
        };
    }
    let is_opened = facts.opened.is_some();
    let Some(invited) = facts.opened.or(facts.pending) else {
        return Redemption::Refused(Refusal::Unknown);
    };
    let is_invited_person = Address::parse(&invited.address).is_some_and(|address| {
        assertion.proved_addresses.iter().any(|proved| proved.eq_ignore_ascii_case(address.as_str()))
    });
    let is_open =
        invited.guest.external == Some(ExternalState::PendingAcceptance) && invited.guest.identity.is_none();
    if !is_invited_person || !is_open {
        return Redemption::Refused(if is_opened { Refusal::NotInvited } else { Refusal::Unknown });
    }
    // Only the link expires: whoever signs in at the tenant's own page needs no link (facts: b2b §4).
    if is_opened && (invited.withdrawn || now >= invited.expires_at) {
        return Redemption::Refused(Refusal::Expired);
    }
    Redemption::Pending { user: invited.guest, invitation: Some(invited.invitation) }
}

/// How a refusal reads at the door.
pub const fn denial(refusal: Refusal) -> Denial {
    match refusal {
        Refusal::Expired => Denial::InvitationExpired,
        Refusal::NotInvited => Denial::InvitationForAnother,
        Refusal::Unknown => Denial::GuestNotInDirectory,
    }
}

/// Decides the acceptance itself, on facts read in the transaction that binds the identity (R04, R14).
pub fn accept(
    redemption: Redemption,
    accepted_by: UserId,
    mut trace: Trace,
) -> Verdict<(SignInUser, Option<InvitationId>), Denial> {
    match redemption {
        Redemption::Pending { user, invitation } if user.id == accepted_by => {
            trace.passed(Side::User, "redemption-accepted", "");
            trace.grant((user, invitation))
        }
        Redemption::Pending { .. } | Redemption::Bound(_) => {
            trace.refuse(Denial::InvitationForAnother, Side::ResourceTenant, "redemption-open", "")
        }
        Redemption::Refused(refusal) => {
            trace.refuse(denial(refusal), Side::ResourceTenant, "redemption-open", "")
        }
    }
}
