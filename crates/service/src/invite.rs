//! Inviting a person of another organisation: one write makes guest, ticket and mail, or records the refusal.

use crate::quota;
use crate::{Fault, Moment, Service};
use domain::audit::{DirectoryRecord, Record, RecordActor, shorten};
use domain::b2b::invitation::{self, Invite, NewInvitation, Refusal};
use domain::b2b::lure::harmless;
use domain::directory::permission::{Actor, Refused, Viewer};
use domain::directory::user::{CreationType, External, ExternalState, User, guest_sign_in_name};
use domain::id::{InvitationId, UserId};
use domain::issuance::Denial;
use domain::mail::Mail;
use domain::proof::{ProofKind, ProofToken};
use domain::time::Timestamp;
use domain::verdict::Verdict;
use outbound::mail::invitation_mail;
use std::collections::BTreeMap;
use std::sync::Arc;
use store::{InvitationRow, Recorded, WriteTx};

/// An invitation that was made (Graph: invitation).
#[derive(Clone, Debug)]
pub struct Invited {
    pub id: InvitationId,
    pub guest: UserId,
    pub address: String,
    pub display_name: Option<String>,
    pub redirect_url: String,
    pub redeem_url: String,
    pub user_type: &'static str,
    pub mail_sent: bool,
    pub is_accepted: bool,
    pub message: Option<String>,
    pub message_language: Option<String>,
    pub sponsors: Vec<UserId>,
}

impl Service {
    /// Invites an address into the viewer's tenant. An address invited before is invited again: the same guest, a new
    /// ticket (repeating a request whose answer was lost does no harm).
    pub async fn invite(
        &self,
        viewer: &Viewer,
        ask: NewInvitation,
        moment: &Moment,
    ) -> Result<Verdict<Invited, Refusal>, Fault> {
        let (actor, moment) = (viewer.actor.clone(), moment.clone());
        let settings = Arc::clone(&self.settings);
        let outcome = self.store.tenant(viewer.tenant).write(move |tx| {
            let base = &settings.base;
            let mut facts = tx.invitation_facts(&ask, &actor, &settings.limits, moment.now)?;
            facts.is_redirect_known |= is_own_page(base, &ask.redirect_url);
            let verdict = invitation::decide(&facts, &ask, &actor, moment.now);
            let record = record(&verdict, &ask, &actor, &moment);
            let outcome = match verdict {
                Verdict::Refused(refusal, trace) => Verdict::Refused(refusal, trace),
                Verdict::Granted(invite, trace) => {
                    let writing =
                        Writing { tx, ask: &ask, facts: &facts, actor: &actor, moment: &moment, base };
                    Verdict::Granted(writing.write(&invite)?, trace)
                }
            };
            Ok(Recorded::new(record, outcome))
        });
        Ok(outcome.await?)
    }

    /// Records an invitation that the caller may not even ask for (R32).
    pub async fn record_refused_invitation(
        &self,
        viewer: &Viewer,
        refused: Refused,
        moment: &Moment,
    ) -> Result<(), Fault> {
        let refusal = Some(refused.as_str());
        let record =
            crate::directory::record("Invite external user", "UserManagement", viewer, None, refusal, moment);
        self.store.tenant(viewer.tenant).write(move |_| Ok(Recorded::new(record.clone(), ()))).await?;
        Ok(())
    }

    /// A recipient blocks further mail of a tenant; the link in the mail carries the invitation's ticket (R07). Who had a
    /// copy has the same link, so it holds for both.
    pub async fn block_invitation_mail(
        &self,
        tenant: domain::id::TenantId,
        invitation: InvitationId,
        ticket: &str,
        moment: &Moment,
    ) -> Result<bool, Fault> {
        let known = self.store.read(|tx| tx.find_tenant(tenant))?;
        let ticket = ProofToken::parse(ProofKind::Ticket, ticket).filter(|ticket| ticket.tenant == tenant);
        let (Some(ticket), Some(_)) = (ticket, &known) else {
            let place = known.map(|tenant| tenant.id);
            self.record_refusal(place, None, Denial::InvitationUnknown, moment).await?;
            return Ok(false);
        };
        let moment = moment.clone();
        let blocked = self.store.tenant(tenant).write(move |tx| {
            let row = tx.find_invitation_by_ticket(invitation, ticket.hash())?;
            if let Some(row) = &row {
                for address in std::iter::once(&row.address).chain(&row.copied_to) {
                    tx.block_mail(&address.to_ascii_lowercase(), moment.now)?;
                }
            }
            let record = DirectoryRecord {
                activity: "Block invitation mail",
                category: "UserManagement",
                actor: RecordActor::Visitor,
                target: row.as_ref().map(|row| row.user.uuid()),
                target_name: row.as_ref().map(|row| row.address.clone()),
                refusal: row.is_none().then_some("invitationUnknown"),
                reasons: String::new(),
                modified: Vec::new(),
                origin: moment.origin.clone(),
            };
            Ok(Recorded::new(Record::Directory(record), row.is_some()))
        });
        Ok(blocked.await?)
    }
}

/// My Apps, ours and so always a safe place to land (R06).
pub(crate) fn is_own_page(base: &str, url: &str) -> bool {
    let rest = url.strip_prefix(base).and_then(|rest| rest.strip_prefix("/myapps"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
}

/// The record's actor for a Graph caller.
pub(crate) fn record_actor(actor: &Actor) -> RecordActor {
    match actor {
        Actor::Application { app_id, .. } => RecordActor::Application { app: *app_id },
        Actor::Operator => RecordActor::Operator,
        Actor::User { user, .. } => RecordActor::User { user: user.uuid() },
    }
}

fn record(verdict: &Verdict<Invite, Refusal>, ask: &NewInvitation, actor: &Actor, moment: &Moment) -> Record {
    let refusal = match verdict {
        Verdict::Granted(..) => None,
        Verdict::Refused(refusal, _) => Some(refusal.as_str()),
    };
    Record::Directory(DirectoryRecord {
        activity: "Invite external user",
        category: "UserManagement",
        actor: record_actor(actor),
        target: match verdict {
            Verdict::Granted(invite, _) => Some(guest_id(invite, moment).uuid()),
            Verdict::Refused(..) => None,
        },
        target_name: Some(shorten(ask.address.as_str(), 256)),
        refusal,
        reasons: verdict.trace().summary(),
        modified: Vec::new(),
        origin: moment.origin.clone(),
    })
}

fn guest_id(invite: &Invite, moment: &Moment) -> UserId {
    invite.guest.unwrap_or_else(|| UserId::new(moment.entropy.uuid("guest")))
}

struct Writing<'a> {
    tx: &'a WriteTx<'a>,
    ask: &'a NewInvitation,
    facts: &'a invitation::Facts,
    actor: &'a Actor,
    moment: &'a Moment,
    base: &'a str,
}

impl Writing<'_> {
    fn write(&self, invite: &Invite) -> Result<Invited, store::Fault> {
        let now = self.moment.now;
        let tenant = &self.facts.tenant;
        let guest = guest_id(invite, self.moment);
        if invite.guest.is_none() {
            self.add_guest(guest, invite)?;
        }
        let id = InvitationId::new(self.moment.entropy.uuid("invitation"));
        let ticket = ProofToken::new(ProofKind::Ticket, tenant.id, self.moment.entropy.bytes("ticket"));
        self.tx.put_invitation(&InvitationRow {
            id,
            user: guest,
            inviter: self.actor.principal(),
            copied_to: invite.mail.as_ref().and_then(|permit| self.copied(permit)).map(str::to_owned),
            address: self.ask.address.as_str().to_owned(),
            ticket: ticket.hash(),
            redirect_url: self.ask.redirect_url.clone(),
            is_redirect_known: invite.is_redirect_known,
            created_at: now,
            expires_at: invite.expires_at,
            accepted_at: invite.is_accepted_already.then_some(now),
            withdrawn_at: None,
        })?;
        let redeem_url =
            format!("{}/redeem?tenant={}&user={id}&ticket={}&ver=2.0", self.base, tenant.id, ticket.text());
        if let Some(permit) = &invite.mail {
            let mail = self.mail(permit, &redeem_url, &ticket, id);
            self.tx.enqueue_mail(self.moment.entropy.uuid("invitation mail"), &mail, now)?;
        }
        Ok(Invited {
            id,
            guest,
            address: self.ask.address.as_str().to_owned(),
            display_name: self.ask.display_name.clone(),
            redirect_url: self.ask.redirect_url.clone(),
            redeem_url,
            user_type: invite.user_type.as_str(),
            mail_sent: invite.mail.is_some(),
            is_accepted: invite.is_accepted_already,
            message: self.ask.message.clone(),
            message_language: self.ask.message_language.clone(),
            sponsors: self.tx.sponsors_of(guest)?,
        })
    }

    fn add_guest(&self, id: UserId, invite: &Invite) -> Result<(), store::Fault> {
        let (now, address) = (self.moment.now, &self.ask.address);
        let initial = self.facts.tenant.initial_domain().map(ToString::to_string).unwrap_or_default();
        let display_name = match &self.ask.display_name {
            Some(name) => name.clone(),
            None => address.local().to_owned(),
        };
        let mut guest = User {
            id,
            sign_in_name: String::new(),
            display_name,
            user_type: invite.user_type,
            is_enabled: true,
            mail: Some(address.as_str().to_owned()),
            mail_nickname: None,
            other_mails: vec![address.as_str().to_owned()],
            proxy_addresses: vec![format!("SMTP:{address}", address = address.as_str())],
            business_phones: Vec::new(),
            creation: Some(CreationType::Invitation),
            external: Some(External { state: ExternalState::PendingAcceptance, changed_at: now }),
            identity: None,
            created_at: now,
            deleted_at: None,
            is_shown_in_address_list: false,
            profile: BTreeMap::new(),
            // A guest signs in at home: what began there before the invitation counts, until something is revoked here.
            sessions_valid_from: Timestamp::from_millis(0),
            last_password_change_at: None,
        };
        for attempt in 0..100 {
            guest.sign_in_name = guest_sign_in_name(address, &initial, attempt);
            guest.mail_nickname =
                guest.sign_in_name.split_once("#EXT#").map(|(stem, _)| format!("{stem}#EXT#"));
            if self.tx.add_user(&guest, invite.home_tenant)? {
                let sponsors = match self.actor {
                    Actor::User { user, .. } if invite.is_inviter_sponsor => std::slice::from_ref(user),
                    Actor::Application { .. } | Actor::Operator | Actor::User { .. } => &self.ask.sponsors,
                };
                for sponsor in sponsors {
                    self.tx.add_sponsor(id, *sponsor)?;
                }
                quota::credit(self.tx, self.actor, id.uuid())?;
                return Ok(());
            }
        }
        Err(store::Fault::Bug("no free sign-in name for a guest among a hundred"))
    }

    fn copied(&self, permit: &invitation::MailPermit) -> Option<&str> {
        self.ask.cc.first().filter(|_| permit.is_copied).map(|address| address.as_str())
    }

    /// The subject is fixed; names are stripped of what could lead elsewhere (R07).
    fn mail(
        &self,
        permit: &invitation::MailPermit,
        redeem_url: &str,
        ticket: &ProofToken,
        id: InvitationId,
    ) -> Mail {
        let tenant = &self.facts.tenant;
        let domain = tenant.default_domain().map(ToString::to_string).unwrap_or_default();
        let block_url =
            format!("{}/redeem/block?tenant={}&user={id}&ticket={}", self.base, tenant.id, ticket.text());
        invitation_mail(&outbound::mail::InvitationMail {
            to: self.ask.address.as_str(),
            cc: self.copied(permit),
            reply_to: self.facts.inviter_mail.as_deref(),
            organization: &harmless(&tenant.display_name, 100),
            domain: &domain,
            is_domain_verified: tenant.is_verified(),
            inviter: self.facts.inviter_name.as_deref().map(|name| harmless(name, 100)).as_deref(),
            guest: self.ask.display_name.as_deref().map(|name| harmless(name, 100)).as_deref(),
            message: permit.message.as_deref(),
            redeem_url,
            block_url: &block_url,
            privacy_url: tenant.settings.privacy_statement_url.as_deref(),
        })
    }
}
