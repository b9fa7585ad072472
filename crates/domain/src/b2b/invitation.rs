//! May this actor invite this address, and what comes of it (Graph: invitation; facts: b2b §2, §3, §6).

use crate::b2b::lure::harmless;
use crate::directory::permission::Actor;
use crate::directory::role;
use crate::directory::user::{ExternalState, UserType};
use crate::id::{InvitationId, TenantId, UserId};
use crate::tenancy::domain_name::Address;
use crate::tenancy::limits::{self, Full, Limit, Limits, Room};
use crate::tenancy::tenant::{AllowInvitesFrom, Tenant};
use crate::time::{Span, Timestamp};
use crate::verdict::{Side, Trace, Verdict};

/// How long an unredeemed ticket is honoured.
// DEFAULT: 90 days, guests answer after holidays; the link alone proves nothing (R05), expiry is checked at use (R04).
pub const TICKET_LIFETIME: Span = Span::days(90);

/// What the inviter asked for, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvitation {
    pub address: Address,
    pub redirect_url: String,
    pub display_name: Option<String>,
    pub user_type: Option<UserType>,
    pub wants_mail: bool,
    pub message: Option<String>,
    pub message_language: Option<String>,
    pub cc: Vec<Address>,
    /// Users given as sponsors; empty means the inviter.
    pub sponsors: Vec<UserId>,
}

/// What the decision looks at.
#[derive(Clone, Debug)]
pub struct Facts {
    pub tenant: Tenant,
    /// Who already has that address: as sign-in name, mail, other mail or proxy address.
    pub existing: Option<Existing>,
    /// The tenant here that owns the address's domain, and whether it takes part in B2B.
    pub home: Option<(TenantId, bool)>,
    /// Whether the redirect address is one of the tenant's applications' or of its own list (R06).
    pub is_redirect_known: bool,
    /// Sponsors that exist in the tenant, out of those asked for.
    pub sponsors_found: usize,
    /// Invitations within the last hour, by this tenant and by this inviter (R07).
    pub sent_this_hour: u32,
    pub sent_by_inviter_this_hour: u32,
    pub recipient: Mailbox,
    /// Of the first address that is to get a copy; the mail has no other.
    pub copied: Option<Mailbox>,
    /// Name of the sender, shown in the mail.
    pub inviter_name: Option<String>,
    pub inviter_mail: Option<String>,
    pub room: Room,
    /// Of the person whom the address names at home, where that is known: directories by now, and how many may be.
    pub directories: Option<(i64, i64)>,
    /// What tenants that say nothing themselves may have.
    pub limits: Limits,
}

/// What this tenant sent to an address, to whom it belongs in the mail or in a copy (R07).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    pub mailed_today: u32,
    /// To every address of its domain.
    pub mailed_to_domain_this_hour: u32,
    /// The person blocked mail from this tenant.
    pub is_blocked: bool,
}

impl Mailbox {
    fn may_be_mailed(self) -> bool {
        !self.is_blocked
            && self.mailed_today < MAILS_PER_ADDRESS_AND_DAY
            && self.mailed_to_domain_this_hour < MAILS_PER_DOMAIN_AND_HOUR
    }
}

/// A user that has the invited address already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Existing {
    pub user: UserId,
    pub is_enabled: bool,
    pub external: Option<ExternalState>,
    pub user_type: UserType,
    pub invitation: Option<InvitationId>,
}

/// Leave to create the guest or to invite the same one again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The guest that is invited again; `None` makes a new one.
    pub guest: Option<UserId>,
    pub is_accepted_already: bool,
    pub user_type: UserType,
    pub expires_at: Timestamp,
    pub home_tenant: Option<TenantId>,
    /// Whether a mail goes out, and with which words of the inviter.
    pub mail: Option<MailPermit>,
    /// The inviter is the sponsor where none was named and the inviter is a user.
    pub is_inviter_sponsor: bool,
    /// Whether the browser may be sent on to the redirect address after redemption without asking (R06).
    pub is_redirect_known: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailPermit {
    pub message: Option<String>,
    /// Whether the first address that is to get a copy gets it.
    pub is_copied: bool,
}

/// Why an invitation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    AddressBelongsToTenant,
    AddressInUse,
    DirectoryFull(Full),
    DisplayNameInvalid,
    GuestDisabled,
    HomeTakesNoPart,
    InviterNotAllowed,
    MemberInviteNeedsAdmin,
    MessageInvalid,
    /// The person is in as many directories as one may be.
    PersonFull,
    RedirectInvalid,
    SponsorNotFound,
    TenantTakesNoPart,
    TooManyInvitations,
    /// With how many there may be.
    TooManySponsors(i64),
}

impl Refusal {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AddressBelongsToTenant => "addressBelongsToTenant",
            Self::AddressInUse => "addressInUse",
            Self::DirectoryFull(full) => full.as_str(),
            Self::DisplayNameInvalid => "displayNameInvalid",
            Self::GuestDisabled => "guestDisabled",
            Self::HomeTakesNoPart => "homeTakesNoPart",
            Self::InviterNotAllowed => "inviterNotAllowed",
            Self::MemberInviteNeedsAdmin => "memberInviteNeedsAdmin",
            Self::MessageInvalid => "messageInvalid",
            Self::PersonFull => "personFull",
            Self::RedirectInvalid => "redirectInvalid",
            Self::SponsorNotFound => "sponsorNotFound",
            Self::TenantTakesNoPart => "tenantTakesNoPart",
            Self::TooManyInvitations => "tooManyInvitations",
            Self::TooManySponsors(_) => "tooManySponsors",
        }
    }
}

/// Invitations a tenant may send in an hour.
// DEFAULT: 5,000: a bulk import passes, a flood that would ruin the sender's name does not (R07).
pub const INVITATIONS_PER_HOUR: u32 = 5_000;
/// Invitations one person may send in an hour, and one application.
// DEFAULT: 500 and 4,000: nobody invites more under their own name but by a script, a bulk import is an application's, and
// neither a stolen account nor one application takes the tenant's whole hour (R07).
pub const INVITATIONS_PER_PERSON_AND_HOUR: u32 = 500;
pub const INVITATIONS_PER_APPLICATION_AND_HOUR: u32 = 4_000;
/// Mails the addresses of one domain get from one tenant in an hour.
// DEFAULT: 1,000: a large partner is invited in a morning, and no organisation's mailboxes are flooded at once (R07).
pub const MAILS_PER_DOMAIN_AND_HOUR: u32 = 1_000;
/// Mails one address gets from one tenant in a day.
// DEFAULT: 10: resending by hand passes, harassing does not (R07).
pub const MAILS_PER_ADDRESS_AND_DAY: u32 = 10;

/// Decides one invitation.
pub fn decide(facts: &Facts, ask: &NewInvitation, actor: &Actor, now: Timestamp) -> Verdict<Invite, Refusal> {
    let mut trace = Trace::new();
    if !facts.tenant.takes_part_in_b2b() {
        let scope = format!("tenant_region_scope {}", facts.tenant.region_scope);
        return trace.refuse(Refusal::TenantTakesNoPart, Side::ResourceTenant, "region-scope", scope);
    }
    trace.passed(Side::ResourceTenant, "region-scope", "");
    let level = facts.tenant.settings.allow_invites_from;
    if !may_invite(level, actor) {
        return trace.refuse(
            Refusal::InviterNotAllowed,
            Side::ResourceTenant,
            "allow-invites-from",
            level.as_str(),
        );
    }
    trace.passed(Side::ResourceTenant, "allow-invites-from", level.as_str());
    if !is_redirect_well_formed(&ask.redirect_url) {
        return trace.refuse(Refusal::RedirectInvalid, Side::Client, "redirect-form", "");
    }
    if ask.display_name.as_deref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > 256) {
        return trace.refuse(Refusal::DisplayNameInvalid, Side::Client, "display-name", "");
    }
    if ask.message.as_deref().is_some_and(|message| message.len() > 4096) {
        return trace.refuse(Refusal::MessageInvalid, Side::Client, "message-length", "");
    }
    let sponsors = facts.tenant.limit(Limit::SponsorsOfGuest, &facts.limits);
    if ask.sponsors.len() as i64 > sponsors {
        let refusal = Refusal::TooManySponsors(sponsors);
        return trace.refuse(refusal, Side::Client, "sponsors", format!("at most {sponsors}"));
    }
    if facts.sponsors_found < ask.sponsors.len() {
        return trace.refuse(Refusal::SponsorNotFound, Side::Client, "sponsors", "");
    }
    if ask.user_type == Some(UserType::Member) && !is_admin(actor) {
        return trace.refuse(Refusal::MemberInviteNeedsAdmin, Side::ResourceTenant, "member-by-admin", "");
    }
    if facts.tenant.owns(ask.address.domain()) {
        return trace.refuse(Refusal::AddressBelongsToTenant, Side::ResourceTenant, "address-elsewhere", "");
    }
    if facts.home.is_some_and(|(_, takes_part)| !takes_part) {
        return trace.refuse(Refusal::HomeTakesNoPart, Side::HomeTenant, "region-scope", "");
    }
    if facts.sent_this_hour >= INVITATIONS_PER_HOUR {
        return trace.refuse(Refusal::TooManyInvitations, Side::ResourceTenant, "hourly-limit", "");
    }
    let by_inviter = match actor {
        Actor::Application { .. } | Actor::Operator => INVITATIONS_PER_APPLICATION_AND_HOUR,
        Actor::User { .. } => INVITATIONS_PER_PERSON_AND_HOUR,
    };
    if facts.sent_by_inviter_this_hour >= by_inviter {
        return trace.refuse(Refusal::TooManyInvitations, Side::ResourceTenant, "inviter-limit", "");
    }
    let guest = match &facts.existing {
        None => None,
        Some(Existing { external: None, .. }) => {
            return trace.refuse(Refusal::AddressInUse, Side::ResourceTenant, "address-free", "");
        }
        Some(Existing { is_enabled: false, .. }) => {
            return trace.refuse(Refusal::GuestDisabled, Side::ResourceTenant, "guest-enabled", "");
        }
        Some(existing) => Some(existing),
    };
    trace.passed(
        Side::ResourceTenant,
        "address-free",
        if guest.is_some() { "invited again" } else { "new guest" },
    );
    if guest.is_none() {
        if let Err(full) = limits::admit(facts.room, 1, &facts.tenant, Some(actor), &facts.limits) {
            return trace.refuse(Refusal::DirectoryFull(full), Side::ResourceTenant, "room", "");
        }
        if facts.directories.is_some_and(|(used, most)| used >= most) {
            // Without a number: it is the person's own affair (R21).
            return trace.refuse(Refusal::PersonFull, Side::User, "directories", "");
        }
    }
    let mail = (ask.wants_mail && facts.recipient.may_be_mailed()).then(|| MailPermit {
        message: permitted_message(facts, ask, actor),
        is_copied: facts.copied.is_some_and(Mailbox::may_be_mailed),
    });
    trace.grant(Invite {
        guest: guest.map(|existing| existing.user),
        is_accepted_already: guest.is_some_and(|guest| guest.external == Some(ExternalState::Accepted)),
        // Inviting again changes nobody's type.
        user_type: guest.map_or(ask.user_type.unwrap_or(UserType::Guest), |guest| guest.user_type),
        expires_at: now + TICKET_LIFETIME,
        home_tenant: facts.home.map(|(home, _)| home),
        mail,
        is_inviter_sponsor: ask.sponsors.is_empty() && matches!(actor, Actor::User { .. }),
        is_redirect_known: facts.is_redirect_known,
    })
}

/// The inviter's own words go out only from a tenant that proved a domain of its own, from a person with a mail
/// address, and only if they hold nothing that could lead elsewhere (R07).
fn permitted_message(facts: &Facts, ask: &NewInvitation, actor: &Actor) -> Option<String> {
    let has_own_domain = facts.tenant.is_verified();
    let is_person_with_mail = matches!(actor, Actor::User { .. }) && facts.inviter_mail.is_some();
    let message = ask.message.as_deref()?;
    (has_own_domain && is_person_with_mail).then(|| harmless(message, 500))
}

fn may_invite(level: AllowInvitesFrom, actor: &Actor) -> bool {
    match (level, actor) {
        (AllowInvitesFrom::None, _) => false,
        // Whoever runs the server counts as an administrator, and those may not where nobody may.
        (_, Actor::Operator) => true,
        (AllowInvitesFrom::AdminsAndGuestInviters, Actor::Application { .. }) => false,
        (_, Actor::User { directory_roles, .. })
            if directory_roles.iter().any(|id| role::can_invite(*id)) =>
        {
            true
        }
        (AllowInvitesFrom::AdminsAndGuestInviters, Actor::User { .. }) => false,
        (AllowInvitesFrom::AdminsGuestInvitersAndAllMembers, Actor::User { user_type, .. }) => {
            *user_type == UserType::Member
        }
        (AllowInvitesFrom::AdminsGuestInvitersAndAllMembers, Actor::Application { .. }) => true,
        (AllowInvitesFrom::Everyone, _) => true,
    }
}

fn is_admin(actor: &Actor) -> bool {
    match actor {
        Actor::Application { roles, .. } => {
            roles.iter().any(|role| role == "User.ReadWrite.All" || role == "Directory.ReadWrite.All")
        }
        Actor::Operator => true,
        Actor::User { directory_roles, .. } => directory_roles.iter().any(|id| role::can_manage_users(*id)),
    }
}

/// https with a host, or http on this machine; nothing that a browser reads differently from us (R06).
pub fn is_redirect_well_formed(text: &str) -> bool {
    let is_plain = text.len() <= 2048 && text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let Ok(url) = url::Url::parse(text) else { return false };
    let host = url.host_str().unwrap_or_default();
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let starts_as_parsed = text.get(..url.scheme().len() + 3).is_some_and(|start| start.ends_with("://"));
    is_plain
        && starts_as_parsed
        && (url.scheme() == "https" || (url.scheme() == "http" && is_local))
        && !host.is_empty()
        && !host.ends_with('.')
        && !host.starts_with("xn--")
        && !host.contains(".xn--")
        && url.username().is_empty()
        && url.password().is_none()
}
