//! Invitations. Only the ticket's hash is kept (R03); expiry is looked at when one is used (R04).

use crate::fault::Fault;
use crate::sql::{Row, Value};
use crate::{ReadTx, WriteTx};
use domain::b2b::invitation::{Existing, Facts, NewInvitation};
use domain::b2b::redemption::{self, Invited};
use domain::directory::application::Platform;
use domain::directory::permission::Actor;
use domain::federation::assertion::HomeAssertion;
use domain::id::{InvitationId, TenantId, UserId};
use domain::proof::ProofHash;
use domain::tenancy::domain_name::Address;
use domain::tenancy::limits::Limits;
use domain::time::{Span, Timestamp};
use uuid::Uuid;

/// An invitation as it is kept.
#[derive(Clone, Debug)]
pub struct InvitationRow {
    pub id: InvitationId,
    pub user: UserId,
    /// The person or application that invited.
    pub inviter: Uuid,
    pub address: String,
    /// Who got a copy of the mail.
    pub copied_to: Option<String>,
    pub ticket: ProofHash,
    pub redirect_url: String,
    pub is_redirect_known: bool,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub withdrawn_at: Option<Timestamp>,
}

const COLUMNS: &str =
    "id, user, address, ticket, redirect_url, is_redirect_known, created_at, expires_at, accepted_at,
   withdrawn_at, inviter, copied_to";

fn read(row: &Row<'_>) -> Result<InvitationRow, Fault> {
    Ok(InvitationRow {
        id: InvitationId::new(row.uuid(0)?),
        user: UserId::new(row.uuid(1)?),
        // Those of before were counted for nobody.
        inviter: row.opt_uuid(10)?.unwrap_or_default(),
        address: row.text(2)?,
        copied_to: row.opt_text(11)?,
        ticket: ProofHash(
            row.bytes(3)?.try_into().map_err(|_| Fault::Bug("a stored hash has a wrong length"))?,
        ),
        redirect_url: row.text(4)?,
        is_redirect_known: row.flag(5)?,
        created_at: row.time(6)?,
        expires_at: row.time(7)?,
        accepted_at: row.opt_time(8)?,
        withdrawn_at: row.opt_time(9)?,
    })
}

impl ReadTx<'_> {
    /// What the decision about a new invitation looks at.
    pub fn invitation_facts(
        &self,
        ask: &NewInvitation,
        inviter: &Actor,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Facts, Fault> {
        let tenant = self.load_tenant()?;
        let existing = match self.find_user_by_address(&ask.address)? {
            None => None,
            Some(user) => Some(Existing {
                user: user.id,
                is_enabled: user.is_enabled,
                external: user.external.as_ref().map(|external| external.state),
                user_type: user.user_type,
                invitation: self.newest_invitation(user.id)?.map(|row| row.id),
            }),
        };
        let home = match self.find_domain_owner(ask.address.domain())? {
            None => None,
            Some(owner) => self.find_tenant(owner)?.map(|home| (home.id, home.takes_part_in_b2b())),
        };
        let mut sponsors_found = 0;
        for sponsor in &ask.sponsors {
            sponsors_found += usize::from(self.find_sign_in_user(*sponsor)?.is_some());
        }
        let since = now - Span::hours(1);
        let sent_by_inviter_this_hour = self.count_invitations_of(inviter.principal(), since)?;
        let room = self.room(inviter.user().map(UserId::uuid), now)?;
        let directories = match home {
            None => None,
            Some((home, _)) => self.directories_left(home, &ask.address, limits)?,
        };
        let copied = ask.cc.first().map(|address| self.mailbox(address, now)).transpose()?;
        let inviter = match inviter {
            Actor::Application { .. } | Actor::Operator => None,
            Actor::User { user, .. } => self.find_sign_in_user(*user)?,
        };
        Ok(Facts {
            is_redirect_known: self.is_redirect_known(&ask.redirect_url)?,
            existing,
            home,
            sponsors_found,
            sent_this_hour: self.count_invitations(since)?,
            sent_by_inviter_this_hour,
            recipient: self.mailbox(&ask.address, now)?,
            copied,
            inviter_name: inviter.as_ref().map(|user| user.display_name.clone()),
            inviter_mail: inviter.and_then(|user| user.mail),
            room,
            directories,
            limits: limits.clone(),
            tenant: (*tenant).clone(),
        })
    }

    /// Of the person whom an address names at home: directories by now, and how many the home lets there be.
    fn directories_left(
        &self,
        home: TenantId,
        address: &Address,
        limits: &Limits,
    ) -> Result<Option<(i64, i64)>, Fault> {
        self.find_person(home, address)?.map(|person| self.directories(person, limits)).transpose()
    }

    /// Whether the address is a registered https address of one of the tenant's applications, or of the tenant's own
    /// list (R06).
    pub fn is_redirect_known(&self, url: &str) -> Result<bool, Fault> {
        if self.load_tenant()?.settings.invite_redirect_urls.iter().any(|known| known == url) {
            return Ok(true);
        }
        self.is_redirect_registered(url)
    }

    /// Whether an application with an instance in this tenant registered exactly that address, other than as a native
    /// one.
    pub fn is_redirect_registered(&self, url: &str) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT 1 FROM service_principals s JOIN applications a ON a.app_id = s.app_id, json_each(a.body, '$.redirect_uris') r
              WHERE s.tenant = $1 AND s.deleted_at IS NULL AND a.deleted_at IS NULL
                AND json_extract(r.value, '$[0]') = $2 AND json_extract(r.value, '$[1]') <> $3 LIMIT 1",
            &[(&tenant).into(), Value::Text(url), crate::applications::platform_name(Platform::Native).into()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    fn count_invitations(&self, since: Timestamp) -> Result<u32, Fault> {
        let tenant = self.tenant()?.uuid();
        let count = self.link().one(
            "SELECT COUNT(*) FROM invitations WHERE tenant = $1 AND created_at > $2",
            &[(&tenant).into(), since.into()],
            |row| row.int(0),
        )?;
        Ok(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX))
    }

    fn count_invitations_of(&self, inviter: Uuid, since: Timestamp) -> Result<u32, Fault> {
        let tenant = self.tenant()?.uuid();
        let count = self.link().one(
            "SELECT COUNT(*) FROM invitations WHERE tenant = $1 AND inviter = $2 AND created_at > $3",
            &[(&tenant).into(), (&inviter).into(), since.into()],
            |row| row.int(0),
        )?;
        Ok(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX))
    }

    pub(crate) fn is_mail_blocked(&self, address_folded: &str) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT 1 FROM mail_blocks WHERE tenant = $1 AND address_folded = $2",
            &[(&tenant).into(), Value::Text(address_folded)],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// The invitation that a ticket opens; id and ticket must belong together (R03).
    pub fn find_invitation_by_ticket(
        &self,
        id: InvitationId,
        ticket: ProofHash,
    ) -> Result<Option<InvitationRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM invitations WHERE tenant = $1 AND ticket = $2 AND id = $3");
        self.link().one(&sql, &[(&tenant).into(), (&ticket.0).into(), (&id.uuid()).into()], read)
    }

    pub fn find_invitation(&self, id: InvitationId) -> Result<Option<InvitationRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM invitations WHERE tenant = $1 AND id = $2");
        self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read)
    }

    fn newest_invitation(&self, user: UserId) -> Result<Option<InvitationRow>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {COLUMNS} FROM invitations WHERE tenant = $1 AND user = $2 ORDER BY created_at DESC LIMIT 1"
        );
        self.link().one(&sql, &[(&tenant).into(), (&user.uuid()).into()], read)
    }

    /// What the store knows about a home's answer: the bound guest, the opened invitation, a pending one.
    pub fn redemption_facts(
        &self,
        assertion: &HomeAssertion,
        opened: Option<InvitationId>,
    ) -> Result<redemption::Facts, Fault> {
        let bound = self.find_user_by_identity(&assertion.identity.issuer, &assertion.identity.subject)?;
        let opened = match opened {
            None => None,
            Some(id) => self.find_invitation(id)?.map_or(Ok(None), |row| self.invited(row))?,
        };
        let mut pending = None;
        for address in &assertion.proved_addresses {
            if pending.is_none() {
                pending = self.pending_for(address)?;
            }
        }
        Ok(redemption::Facts { bound, opened, pending })
    }

    fn pending_for(&self, address: &str) -> Result<Option<Invited>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {COLUMNS} FROM invitations WHERE tenant = $1 AND address_folded = $2 AND accepted_at IS NULL
              ORDER BY created_at DESC LIMIT 1"
        );
        let folded = address.to_ascii_lowercase();
        let row = self.link().one(&sql, &[(&tenant).into(), Value::Text(&folded)], read)?;
        row.map_or(Ok(None), |row| self.invited(row))
    }

    fn invited(&self, row: InvitationRow) -> Result<Option<Invited>, Fault> {
        let guest = self.find_sign_in_user(row.user)?;
        Ok(guest.map(|guest| Invited {
            invitation: row.id,
            guest,
            address: row.address,
            expires_at: row.expires_at,
            withdrawn: row.withdrawn_at.is_some(),
        }))
    }
}

impl WriteTx<'_> {
    pub fn put_invitation(&self, row: &InvitationRow) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        self.link().run(
            "INSERT INTO invitations (tenant, id, user, address, address_folded, ticket, redirect_url, is_redirect_known,
               created_at, expires_at, accepted_at, inviter, copied_to)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            &[
                (&tenant).into(),
                (&row.id.uuid()).into(),
                (&row.user.uuid()).into(),
                (&row.address).into(),
                Value::Text(&row.address.to_ascii_lowercase()),
                (&row.ticket.0).into(),
                (&row.redirect_url).into(),
                row.is_redirect_known.into(),
                row.created_at.into(),
                row.expires_at.into(),
                row.accepted_at.into(),
                (&row.inviter).into(),
                row.copied_to.as_deref().into(),
            ],
        )?;
        Ok(())
    }

    /// Uses up every open invitation of a guest; `false` when none was open (R14: one success).
    pub fn accept_invitations(&self, user: UserId, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let used = self.link().run(
            "UPDATE invitations SET accepted_at = $1 WHERE tenant = $2 AND user = $3 AND accepted_at IS NULL",
            &[at.into(), (&tenant).into(), (&user.uuid()).into()],
        )?;
        Ok(used > 0)
    }

    /// A recipient wants no more mail from this tenant (R07).
    pub fn block_mail(&self, address_folded: &str, at: Timestamp) -> Result<bool, Fault> {
        let tenant: TenantId = self.tenant()?;
        self.link().insert(
            "INSERT INTO mail_blocks (tenant, address_folded, blocked_at) VALUES ($1, $2, $3)",
            &[(&tenant.uuid()).into(), Value::Text(address_folded), at.into()],
        )
    }
}
