//! Tickets: a hint that opens one invitation (R03), looked up and not consumed (R05), with its end beside it (R04).

use super::builders::*;
use super::everything::{ADDRESS, assertion};
use domain::b2b::invitation::{Mailbox, NewInvitation};
use domain::b2b::redemption::{Redemption, Refusal, decide};
use domain::directory::user::User;
use domain::id::{InvitationId, UserId};
use domain::mail::Mail;
use domain::proof::ProofHash;
use domain::tenancy::domain_name::Address;
use domain::tenancy::limits::Limits;
use domain::time::{Span, Timestamp};
use store::{InvitationRow, Store, TenantStore};
use uuid::Uuid;

fn invitation_id(number: u128) -> InvitationId {
    InvitationId::new(Uuid::from_u128(number))
}

/// Two guests with an invitation each, 61 and 62.
async fn invited(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    put(&tenant, |tx| {
        tx.add_user(&guest(2, ADDRESS), Some(FABRIKAM))?;
        tx.add_user(&guest(3, "other@fabrikam.test"), Some(FABRIKAM))?;
        tx.put_invitation(&invitation(61, user_id(2), ADDRESS))?;
        tx.put_invitation(&invitation(62, user_id(3), "other@fabrikam.test"))
    })
    .await;
    tenant
}

fn by_ticket(tenant: &TenantStore, id: u128, ticket: ProofHash) -> Option<InvitationRow> {
    tenant.read(|tx| tx.find_invitation_by_ticket(invitation_id(id), ticket)).unwrap()
}

async fn r03_a_ticket_opens_its_own_invitation_and_no_other(store: Store) {
    let tenant = invited(&store).await;
    assert_eq!(by_ticket(&tenant, 61, hash(61)).unwrap().user, user_id(2));
    assert!(by_ticket(&tenant, 62, hash(61)).is_none());
    assert!(by_ticket(&tenant, 61, hash(62)).is_none());
    assert!(by_ticket(&tenant, 63, hash(61)).is_none());
    assert!(by_ticket(&store.tenant(FABRIKAM), 61, hash(61)).is_none());
}

async fn r03_a_ticket_with_any_bit_changed_opens_nothing(store: Store) {
    let tenant = invited(&store).await;
    for bit in 0..256_usize {
        let ProofHash(mut bytes) = hash(61);
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(by_ticket(&tenant, 61, ProofHash(bytes)).is_none(), "bit {bit}");
    }
}

async fn r03_one_ticket_is_never_two_invitations(store: Store) {
    let tenant = invited(&store).await;
    let twin = InvitationRow { id: invitation_id(63), ..invitation(61, user_id(3), "other@fabrikam.test") };
    let write = tenant.write(move |tx| Ok(store::Recorded::new(record("Twin"), tx.put_invitation(&twin)?)));
    assert!(write.await.is_err());
    assert!(by_ticket(&tenant, 63, hash(61)).is_none());
}

async fn r05_looking_a_ticket_up_uses_nothing_up(store: Store) {
    let tenant = invited(&store).await;
    for _ in 0..10 {
        assert_eq!(by_ticket(&tenant, 61, hash(61)).unwrap().accepted_at, None);
    }
    assert!(put(&tenant, |tx| tx.accept_invitations(user_id(2), LATER)).await);
    assert_eq!(by_ticket(&tenant, 61, hash(61)).unwrap().accepted_at, Some(LATER));
}

fn redeem(tenant: &TenantStore, opened: Option<u128>, addresses: &[&str], at: Timestamp) -> Redemption {
    let answer = assertion("grace", addresses);
    let facts = tenant.read(|tx| tx.redemption_facts(&answer, opened.map(invitation_id))).unwrap();
    decide(facts, &answer, at)
}

fn invited_user(redemption: &Redemption) -> Option<UserId> {
    match redemption {
        Redemption::Pending { user, .. } => Some(user.id),
        Redemption::Bound(_) | Redemption::Refused(_) => None,
    }
}

async fn r04_an_expired_ticket_is_refused_though_nothing_swept_it(store: Store) {
    let tenant = invited(&store).await;
    let end = NOW + Span::days(90);
    assert_eq!(by_ticket(&tenant, 61, hash(61)).unwrap().expires_at, end);
    let in_time = redeem(&tenant, Some(61), &[ADDRESS], end - Span::millis(1));
    assert_eq!(invited_user(&in_time), Some(user_id(2)));
    assert_eq!(redeem(&tenant, Some(61), &[ADDRESS], end), Redemption::Refused(Refusal::Expired));
}

async fn r05_the_link_lets_in_whom_it_invites_and_nobody_else(store: Store) {
    let tenant = invited(&store).await;
    let refused = Redemption::Refused(Refusal::NotInvited);
    assert_eq!(redeem(&tenant, Some(62), &[ADDRESS], NOW), refused, "another guest's link");
    assert_eq!(redeem(&tenant, Some(61), &["mallory@fabrikam.test"], NOW), refused);
    assert_eq!(redeem(&tenant, Some(61), &[], NOW), refused);
}

async fn r02_a_pending_guest_is_found_by_a_proved_address_without_case(store: Store) {
    let tenant = invited(&store).await;
    let found = redeem(&tenant, None, &["nobody@fabrikam.test", "GRACE@fabrikam.TEST"], NOW);
    assert_eq!(invited_user(&found), Some(user_id(2)));
    let none = redeem(&tenant, None, &["nobody@fabrikam.test"], NOW);
    assert_eq!(none, Redemption::Refused(Refusal::Unknown));
}

async fn r14_accepting_uses_up_every_invitation_of_the_guest_and_of_nobody_else(store: Store) {
    let tenant = invited(&store).await;
    put(&tenant, |tx| tx.put_invitation(&invitation(64, user_id(2), ADDRESS))).await;
    assert!(put(&tenant, |tx| tx.accept_invitations(user_id(2), LATER)).await);
    assert!(!put(&tenant, |tx| tx.accept_invitations(user_id(2), LATER + Span::hours(1))).await);
    let accepted =
        [61, 64, 62].map(|id| tenant.read(|tx| tx.find_invitation(invitation_id(id))).unwrap().unwrap());
    assert_eq!(accepted.map(|row| row.accepted_at), [Some(LATER), Some(LATER), None]);
}

async fn an_invitation_comes_back_as_it_was_put(store: Store) {
    let tenant = contoso(&store).await;
    let mut row = invitation(61, user_id(2), "Grace.H@Fabrikam.test");
    (row.is_redirect_known, row.accepted_at) = (false, Some(LATER));
    let expected = row.clone();
    put(&tenant, move |tx| tx.put_invitation(&row)).await;
    let found = by_ticket(&tenant, 61, hash(61)).unwrap();
    assert_eq!(found.ticket, expected.ticket);
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
}

async fn r07_invitations_and_mails_are_counted_in_their_window(store: Store) {
    let tenant = invited(&store).await;
    put(&tenant, |tx| {
        tx.enqueue_mail(Uuid::from_u128(1), &mail("GRACE@fabrikam.test"), NOW)?;
        tx.enqueue_mail(Uuid::from_u128(2), &mail("other@fabrikam.test"), NOW)
    })
    .await;
    put(&store.tenant(FABRIKAM), |tx| tx.enqueue_mail(Uuid::from_u128(3), &mail(ADDRESS), NOW)).await;
    let ask = NewInvitation {
        address: Address::parse("grace@Fabrikam.test").unwrap(),
        redirect_url: "https://app.contoso.test".to_owned(),
        display_name: None,
        user_type: None,
        wants_mail: true,
        message: None,
        message_language: None,
        cc: Vec::new(),
        sponsors: vec![user_id(2), user_id(1_000)],
    };
    let facts = |at| tenant.read(|tx| tx.invitation_facts(&ask, &daemon(), &Limits::default(), at)).unwrap();
    assert_eq!((facts(LATER).sent_this_hour, facts(LATER).sent_by_inviter_this_hour), (2, 2));
    let other =
        InvitationRow { inviter: Uuid::from_u128(92), ..invitation(63, user_id(3), "other@fabrikam.test") };
    put(&tenant, move |tx| tx.put_invitation(&other)).await;
    assert_eq!((facts(LATER).sent_this_hour, facts(LATER).sent_by_inviter_this_hour), (3, 2));
    let soon = facts(NOW + Span::hours(1));
    assert_eq!((soon.sent_this_hour, soon.sent_by_inviter_this_hour), (0, 0));
    let recipient = |at| facts(at).recipient;
    assert_eq!((recipient(LATER).mailed_today, recipient(LATER).mailed_to_domain_this_hour), (1, 2));
    assert_eq!(recipient(NOW + Span::hours(1)).mailed_to_domain_this_hour, 0);
    assert_eq!(recipient(NOW + Span::days(1)).mailed_today, 0);
    assert_eq!(facts(LATER).sponsors_found, 1);
    assert!(!recipient(LATER).is_blocked);
    put(&tenant, |tx| tx.block_mail(ADDRESS, LATER)).await;
    assert!(recipient(LATER).is_blocked);
}

async fn r07_a_copy_is_counted_and_blocked_like_a_mail(store: Store) {
    let tenant = invited(&store).await;
    let copied = |to: &str, cc: &[&str]| Mail {
        to: to.to_owned(),
        cc: cc.iter().map(|address| (*address).to_owned()).collect(),
        ..mail(to)
    };
    let mails = [
        copied("a@fabrikam.test", &["BOSS@Partner.test"]),
        copied("b@fabrikam.test", &["boss@partner.test"]),
        copied("boss@partner.test", &["boss@partner.test"]),
        copied("c@partner.test", &[]),
    ];
    put(&tenant, move |tx| {
        for (number, mail) in (1..).zip(&mails) {
            tx.enqueue_mail(Uuid::from_u128(number), mail, NOW)?;
        }
        tx.block_mail("boss@partner.test", NOW)
    })
    .await;
    let ask = NewInvitation {
        address: Address::parse(ADDRESS).unwrap(),
        redirect_url: "https://app.contoso.test".to_owned(),
        display_name: None,
        user_type: None,
        wants_mail: true,
        message: None,
        message_language: None,
        cc: vec![Address::parse("Boss@partner.test").unwrap()],
        sponsors: Vec::new(),
    };
    let facts = tenant.read(|tx| tx.invitation_facts(&ask, &daemon(), &Limits::default(), LATER)).unwrap();
    let expected = Mailbox { mailed_today: 3, mailed_to_domain_this_hour: 4, is_blocked: true };
    assert_eq!(facts.copied, Some(expected));
    assert_eq!(facts.recipient, Mailbox { mailed_to_domain_this_hour: 2, ..Mailbox::default() });
}

async fn an_invited_address_is_known_by_its_guest_and_its_domains_owner(store: Store) {
    let tenant = invited(&store).await;
    let ask = |address: &str| NewInvitation {
        address: Address::parse(address).unwrap(),
        redirect_url: "https://app.contoso.test".to_owned(),
        display_name: None,
        user_type: None,
        wants_mail: false,
        message: None,
        message_language: None,
        cc: Vec::new(),
        sponsors: Vec::new(),
    };
    let facts = |address: &str| {
        tenant.read(|tx| tx.invitation_facts(&ask(address), &daemon(), &Limits::default(), NOW)).unwrap()
    };
    assert_eq!(facts(ADDRESS).home, None, "nobody verified the name yet");
    fabrikam(&store).await;
    let known = facts("GRACE@FABRIKAM.test");
    assert_eq!(known.home, Some((FABRIKAM, true)));
    let existing = known.existing.unwrap();
    assert_eq!((existing.user, existing.invitation), (user_id(2), Some(invitation_id(61))));
    assert!(facts("new@fabrikam.test").existing.is_none());
    assert_eq!(facts("new@elsewhere.test").home, None);
}

async fn r02_an_address_is_found_wherever_a_user_keeps_it(store: Store) {
    let tenant = contoso(&store).await;
    let keeping = |number: u128, others: &[&str], proxies: &[&str]| User {
        other_mails: others.iter().map(|text| (*text).to_owned()).collect(),
        proxy_addresses: proxies.iter().map(|text| (*text).to_owned()).collect(),
        ..guest(number, &format!("g{number}@fabrikam.test"))
    };
    let deleted = User { deleted_at: Some(NOW), ..keeping(5, &["gone@fabrikam.test"], &[]) };
    let users = [
        keeping(2, &["x@fabrikam.test", "Grace@Fabrikam.test"], &[]),
        keeping(3, &[], &["SMTP:hedy@fabrikam.test", "smtp:Lamarr@fabrikam.test"]),
        keeping(4, &["g6@fabrikam.test"], &[]),
        deleted.clone(),
        keeping(6, &["notgrace@fabrikam.test"], &["x500:ida@fabrikam.test"]),
    ];
    put(&tenant, move |tx| {
        for user in &users {
            assert!(tx.add_user(user, None)?);
        }
        tx.update_user(&deleted, NOW)
    })
    .await;
    fabrikam(&store).await;
    for (address, owner) in [
        ("grace@fabrikam.test", Some(2)),
        ("GRACE@FABRIKAM.TEST", Some(2)),
        ("hedy@fabrikam.test", Some(3)),
        ("lamarr@fabrikam.test", Some(3)),
        // The sixth user's mail, which the fourth keeps in a list.
        ("g6@fabrikam.test", Some(6)),
        ("gone@fabrikam.test", None),
        ("race@fabrikam.test", None),
        ("ida@fabrikam.test", None),
        ("%@fabrikam.test", None),
    ] {
        let address = Address::parse(address).unwrap();
        let found = tenant.read(|tx| tx.find_user_by_address(&address)).unwrap();
        assert_eq!(found.map(|user| user.id), owner.map(user_id), "{}", address.as_str());
        let elsewhere = store.tenant(FABRIKAM).read(|tx| tx.find_user_by_address(&address)).unwrap();
        assert!(elsewhere.is_none(), "{}", address.as_str());
    }
}

for_every_engine! {
    r03_a_ticket_opens_its_own_invitation_and_no_other,
    r03_a_ticket_with_any_bit_changed_opens_nothing,
    r03_one_ticket_is_never_two_invitations,
    r05_looking_a_ticket_up_uses_nothing_up,
    r04_an_expired_ticket_is_refused_though_nothing_swept_it,
    r05_the_link_lets_in_whom_it_invites_and_nobody_else,
    r02_a_pending_guest_is_found_by_a_proved_address_without_case,
    r14_accepting_uses_up_every_invitation_of_the_guest_and_of_nobody_else,
    an_invitation_comes_back_as_it_was_put,
    r07_invitations_and_mails_are_counted_in_their_window,
    r07_a_copy_is_counted_and_blocked_like_a_mail,
    an_invited_address_is_known_by_its_guest_and_its_domains_owner,
    r02_an_address_is_found_wherever_a_user_keeps_it,
}
