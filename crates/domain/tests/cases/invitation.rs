//! Cases of `b2b::invitation::decide`: may this actor invite this address, and what comes of it.

use crate::Judged;
use crate::words::{Answer, NOW, Name, Text, When, id, invitation_id, tenant};
use domain::b2b::invitation::{Existing, Facts, Mailbox, NewInvitation, Refusal, TICKET_LIFETIME, decide};
use domain::directory::first_party::GRAPH_APP_ID;
use domain::directory::permission::Actor;
use domain::directory::role;
use domain::directory::user::{ExternalState, UserType};
use domain::id::{ServicePrincipalId, TenantId, UserId};
use domain::tenancy::domain_name::Address;
use domain::tenancy::limits::{Limits, Quarters, Room, WHOLE};
use domain::tenancy::tenant::AllowInvitesFrom;
use serde::{Deserialize, Serialize};

/// Contoso, where everyone may invite; nobody has Rosa's address, Fabrikam owns its domain and takes part in B2B.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Given {
    region_scope: String,
    allow_invites_from: String,
    /// Contoso's own domains, besides the one it was given.
    verified_domains: Vec<String>,
    address_belongs_to: Owner,
    /// The tenant that owns the address's domain, or `nobody`.
    home: Name,
    home_takes_part: bool,
    is_redirect_known: bool,
    /// How many of the named sponsors do not exist.
    sponsors_missing: usize,
    sent_this_hour: u32,
    sent_by_inviter_this_hour: u32,
    mailed_to_address_today: u32,
    mailed_to_domain_this_hour: u32,
    is_mail_blocked: bool,
    /// Of the address that gets a copy.
    mailed_to_copied_today: u32,
    mailed_to_copied_domain_this_hour: u32,
    is_copied_blocked: bool,
    inviter_has_mail: bool,
    /// Objects that the tenant has, and that the inviter made.
    objects: i64,
    objects_of_inviter: i64,
    /// Directories that the person is in, where that is known.
    directories: Option<i64>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Owner {
    Nobody,
    AMember,
    AGuest,
    APendingGuest,
    ADisabledGuest,
}

impl Default for Given {
    fn default() -> Self {
        Self {
            region_scope: "WW".into(),
            allow_invites_from: "everyone".into(),
            verified_domains: vec!["contoso.test".into()],
            address_belongs_to: Owner::Nobody,
            home: "fabrikam".into(),
            home_takes_part: true,
            is_redirect_known: true,
            sponsors_missing: 0,
            sent_this_hour: 0,
            sent_by_inviter_this_hour: 0,
            mailed_to_address_today: 0,
            mailed_to_domain_this_hour: 0,
            is_mail_blocked: false,
            mailed_to_copied_today: 0,
            mailed_to_copied_domain_this_hour: 0,
            is_copied_blocked: false,
            inviter_has_mail: true,
            objects: 100,
            objects_of_inviter: 0,
            directories: None,
        }
    }
}

/// Alice, a member without a role, invites Rosa and wants a mail to be sent.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Asked {
    inviter: Inviter,
    inviter_roles: Vec<String>,
    /// Of an application.
    inviter_permissions: Vec<String>,
    address: String,
    redirect_url: Text,
    /// Asked one after the other, each with the same verdict.
    redirect_urls: Vec<Text>,
    display_name: Option<Text>,
    user_type: Option<String>,
    wants_mail: bool,
    message: Option<Text>,
    copy_to: Option<String>,
    sponsors: Vec<Name>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Inviter {
    Application,
    Guest,
    Member,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            inviter: Inviter::Member,
            inviter_roles: Vec::new(),
            inviter_permissions: Vec::new(),
            address: "rosa@fabrikam.test".into(),
            redirect_url: Text("https://app.contoso.test/start".into()),
            redirect_urls: Vec::new(),
            display_name: None,
            user_type: None,
            wants_mail: true,
            message: None,
            copy_to: None,
            sponsors: Vec::new(),
        }
    }
}

/// A new guest, told by mail, with the inviter as sponsor.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Granted {
    /// `new`, or the name of the guest who is invited again.
    guest: Name,
    is_accepted_already: bool,
    user_type: String,
    expires: When,
    home: Name,
    is_mailed: bool,
    is_copied: bool,
    /// The inviter's words in the mail; none unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Text>,
    is_inviter_sponsor: bool,
    is_redirect_known: bool,
}

impl Default for Granted {
    fn default() -> Self {
        Self {
            guest: "new".into(),
            is_accepted_already: false,
            user_type: "Guest".into(),
            expires: When(NOW + TICKET_LIFETIME),
            home: "fabrikam".into(),
            is_mailed: true,
            is_copied: false,
            words: None,
            is_inviter_sponsor: true,
            is_redirect_known: true,
        }
    }
}

pub(crate) fn judge(given: &Given, asked: &Asked) -> Vec<Judged<Answer<Granted>>> {
    let urls = match asked.redirect_urls.as_slice() {
        [] => std::slice::from_ref(&asked.redirect_url),
        several => several,
    };
    urls.iter().map(|url| judge_one(given, asked, &url.0)).collect()
}

fn judge_one(given: &Given, asked: &Asked, redirect_url: &str) -> Judged<Answer<Granted>> {
    let ask = NewInvitation {
        address: Address::parse_invitable(&asked.address).unwrap(),
        redirect_url: redirect_url.to_owned(),
        display_name: asked.display_name.clone().map(String::from),
        user_type: asked.user_type.as_deref().map(|text| UserType::parse(text).unwrap()),
        wants_mail: asked.wants_mail,
        message: asked.message.clone().map(String::from),
        message_language: None,
        cc: asked.copy_to.iter().map(|address| Address::parse(address).unwrap()).collect(),
        sponsors: asked.sponsors.iter().map(|name| UserId::new(name.id())).collect(),
    };
    let verdict = decide(&facts(given, asked), &ask, &actor(asked), NOW);
    let verdict = Answer::of(verdict, |invite| Granted {
        guest: invite.guest.map_or("new".into(), |guest| guest.uuid().into()),
        is_accepted_already: invite.is_accepted_already,
        user_type: invite.user_type.as_str().into(),
        expires: When(invite.expires_at),
        home: invite.home_tenant.map_or("nobody".into(), |home| home.uuid().into()),
        is_mailed: invite.mail.is_some(),
        is_copied: invite.mail.as_ref().is_some_and(|mail| mail.is_copied),
        words: invite.mail.and_then(|mail| mail.message).map(Text),
        is_inviter_sponsor: invite.is_inviter_sponsor,
        is_redirect_known: invite.is_redirect_known,
    });
    Judged { asked: redirect_url.to_owned(), shown: verdict.shown("Refusal"), verdict }
}

pub(crate) fn variants() -> Vec<String> {
    let refusals = every_variant! { Refusal:
        AddressBelongsToTenant AddressInUse DirectoryFull DisplayNameInvalid GuestDisabled HomeTakesNoPart InviterNotAllowed
        MemberInviteNeedsAdmin MessageInvalid PersonFull RedirectInvalid SponsorNotFound TenantTakesNoPart TooManyInvitations
        TooManySponsors
    };
    refusals.map(str::to_owned).to_vec()
}

fn facts(given: &Given, asked: &Asked) -> Facts {
    let domains: Vec<&str> = given.verified_domains.iter().map(String::as_str).collect();
    let mut tenant = tenant("contoso", &given.region_scope, &domains);
    tenant.settings.allow_invites_from = AllowInvitesFrom::parse(&given.allow_invites_from).unwrap();
    let existing = |external, is_enabled| Existing {
        user: UserId::new(id("rosa")),
        is_enabled,
        external,
        user_type: UserType::Guest,
        invitation: Some(invitation_id()),
    };
    Facts {
        tenant,
        existing: match given.address_belongs_to {
            Owner::Nobody => None,
            Owner::AMember => Some(existing(None, true)),
            Owner::AGuest => Some(existing(Some(ExternalState::Accepted), true)),
            Owner::APendingGuest => Some(existing(Some(ExternalState::PendingAcceptance), true)),
            Owner::ADisabledGuest => Some(existing(Some(ExternalState::PendingAcceptance), false)),
        },
        home: (given.home != "nobody".into())
            .then(|| (TenantId::new(given.home.id()), given.home_takes_part)),
        is_redirect_known: given.is_redirect_known,
        sponsors_found: asked.sponsors.len() - given.sponsors_missing,
        sent_this_hour: given.sent_this_hour,
        sent_by_inviter_this_hour: given.sent_by_inviter_this_hour,
        recipient: Mailbox {
            mailed_today: given.mailed_to_address_today,
            mailed_to_domain_this_hour: given.mailed_to_domain_this_hour,
            is_blocked: given.is_mail_blocked,
        },
        copied: asked.copy_to.as_ref().map(|_| Mailbox {
            mailed_today: given.mailed_to_copied_today,
            mailed_to_domain_this_hour: given.mailed_to_copied_domain_this_hour,
            is_blocked: given.is_copied_blocked,
        }),
        inviter_name: Some("Alice".into()),
        inviter_mail: given.inviter_has_mail.then(|| "alice@contoso.test".into()),
        room: Room {
            tenant: Quarters(given.objects * WHOLE),
            creator: Quarters(given.objects_of_inviter * WHOLE),
        },
        directories: given.directories.map(|used| (used, 500)),
        limits: Limits::default(),
    }
}

fn actor(asked: &Asked) -> Actor {
    let user = |user_type| Actor::User {
        user: UserId::new(id("alice")),
        user_type,
        is_external: user_type == UserType::Guest,
        directory_roles: asked
            .inviter_roles
            .iter()
            .map(|name| role::find_by_name(name).unwrap().id)
            .collect(),
        without_role: domain::tenancy::tenant::WithoutRole::default(),
        app_id: GRAPH_APP_ID,
        scopes: vec!["User.Invite.All".into()],
    };
    match asked.inviter {
        Inviter::Application => Actor::Application {
            app_id: GRAPH_APP_ID,
            service_principal: ServicePrincipalId::new(id("daemon")),
            roles: asked.inviter_permissions.clone(),
        },
        Inviter::Guest => user(UserType::Guest),
        Inviter::Member => user(UserType::Member),
    }
}
