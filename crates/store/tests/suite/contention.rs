//! Many ask for the same thing at once: exactly one gets it, and everybody hears the truth.

use super::builders::*;
use super::everything::{self, ATTEMPT, BROWSER, CODE, PARTNER_CODE, SESSION, TICKET, VISIT, partner_code};
use domain::b2b::invitation::NewInvitation;
use domain::id::{AttemptId, ServicePrincipalId, TenantId};
use domain::tenancy::domain_name::Address;
use domain::tenancy::limits::Limits;
use domain::time::Span;
use store::{Among, Chore, Fault, Recorded, Store, TenantStore, WriteTx};
use uuid::Uuid;

const TASKS: usize = 64;

/// How many of many tasks were told `true`. Each of them leaves its record, the losers too.
async fn winners(
    tenant: &TenantStore,
    work: impl Fn(&WriteTx<'_>, usize) -> Result<bool, Fault> + Clone + Send + Sync + 'static,
) -> usize {
    let (before, handle) = (activities(tenant).len(), tenant.clone());
    let answers = all_at_once(TASKS, move |index| {
        let (tenant, work) = (handle.clone(), work.clone());
        async move { put(&tenant, move |tx| work(tx, index)).await }
    })
    .await;
    assert_eq!(activities(tenant).len(), before + TASKS, "every try is on record");
    answers.into_iter().filter(|is_won| *is_won).count()
}

async fn r14_of_many_redemptions_of_a_code_one_wins(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    assert_eq!(winners(&tenant, |tx, _| tx.consume_code(hash(CODE), LATER)).await, 1);
    let code = tenant.read(|tx| tx.find_code(hash(CODE))).unwrap().unwrap();
    assert_eq!(code.redeemed_at, Some(LATER));
}

async fn r14_of_many_redemptions_of_a_partners_code_one_wins(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.put_partner_code(hash(PARTNER_CODE), &partner_code())).await;
    assert_eq!(winners(&tenant, |tx, _| tx.consume_code(hash(PARTNER_CODE), LATER)).await, 1);
}

async fn r14_of_many_acceptances_of_an_invitation_one_wins(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.put_invitation(&invitation(TICKET, user_id(2), "g@fabrikam.test"))).await;
    assert_eq!(winners(&tenant, |tx, _| tx.accept_invitations(user_id(2), LATER)).await, 1);
}

async fn r14_of_many_uses_of_a_set_up_link_one_wins(store: Store) {
    let expires_at = NOW + Span::hours(1);
    let add = store
        .write(move |tx| Ok(Recorded::new(record("Set up"), tx.add_setup_link(hash(1), NOW, expires_at)?)));
    add.await.unwrap();
    let asked = store.clone();
    let answers = all_at_once(TASKS, move |_| {
        asked.write(|tx| Ok(Recorded::new(record("Use"), tx.consume_setup_link(hash(1), LATER)?)))
    })
    .await;
    assert_eq!(answers.into_iter().filter(|answer| matches!(answer, Ok(true))).count(), 1);
}

async fn r15_of_many_answers_to_a_home_visit_one_wins(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    assert_eq!(winners(&tenant, |tx, _| tx.consume_home_visit(hash(VISIT), LATER)).await, 1);
    let again = tenant.read(|tx| tx.find_home_visit(hash(VISIT), hash(BROWSER), NOW));
    assert!(again.unwrap().is_none());
}

async fn a_sign_in_ends_once(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    let attempt = AttemptId::new(Uuid::from_u128(ATTEMPT));
    assert_eq!(winners(&tenant, move |tx, _| tx.end_attempt(attempt, LATER)).await, 1);
    assert!(tenant.read(|tx| tx.find_attempt(attempt, hash(BROWSER))).unwrap().is_none());
}

async fn a_session_ends_once(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    assert_eq!(winners(&tenant, |tx, _| tx.end_session(session_id(SESSION), LATER)).await, 1);
}

async fn a_sign_in_name_is_given_once_however_it_is_written(store: Store) {
    let tenant = contoso(&store).await;
    let won = winners(&tenant, |tx, index| {
        let name = if index % 2 == 0 { "ada@contoso.test" } else { "ADA@Contoso.test" };
        tx.add_user(&member(100 + index as u128, name), None)
    });
    assert_eq!(won.await, 1);
    let page = tenant.read(|tx| tx.list_users(&everybody(100), None, Among::Living)).unwrap();
    assert_eq!((page.items.len(), page.count), (1, Some(1)));
}

async fn two_users_who_want_one_name_do_not_both_get_it(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| {
        for index in 0..TASKS {
            tx.add_user(&member(100 + index as u128, &format!("user-{index}@contoso.test")), None)?;
        }
        Ok(())
    })
    .await;
    let won = winners(&tenant, |tx, index| {
        tx.update_user(&member(100 + index as u128, "boss@contoso.test"), LATER)
    });
    assert_eq!(won.await, 1);
}

async fn r02_one_home_identity_is_bound_to_one_of_many_guests(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| {
        for index in 0..TASKS {
            tx.add_user(&guest(100 + index as u128, &format!("guest-{index}@fabrikam.test")), None)?;
        }
        Ok(())
    })
    .await;
    let won = winners(&tenant, |tx, index| {
        tx.bind_identity(user_id(100 + index as u128), &identity("https://home.test", "grace"), LATER)
    });
    assert_eq!(won.await, 1);
}

async fn a_domain_name_belongs_to_one_tenant(store: Store) {
    let asked = store.clone();
    let answers = all_at_once(TASKS, move |index| {
        let id = TenantId::new(Uuid::from_u128(1_000 + index as u128));
        let asked = asked.tenant(id);
        async move {
            let add = asked.write(move |tx| match tx.add_tenant(&tenant(id, "contoso.test"))? {
                true => Ok(Recorded::new(record("Add tenant"), id)),
                false => Err(Fault::Bug("the name is taken")),
            });
            add.await.ok()
        }
    })
    .await;
    let owners: Vec<TenantId> = answers.into_iter().flatten().collect();
    assert_eq!(owners.len(), 1);
    assert_eq!(store.read(|tx| tx.list_tenants()).unwrap(), owners);
    let name = tenant(CONTOSO, "contoso.test").domains[0].name.clone();
    assert_eq!(store.read(|tx| tx.find_domain_owner(&name)).unwrap(), owners.first().copied());
}

async fn a_client_id_is_registered_once_in_the_whole_deployment(store: Store) {
    let tenants = [contoso(&store).await, fabrikam(&store).await];
    let answers = all_at_once(TASKS, move |index| {
        let tenant = tenants[index % 2].clone();
        async move {
            let mut app = application(500 + 2 * index as u128);
            app.app_id = application(30).app_id;
            put(&tenant, move |tx| tx.add_application(&app)).await
        }
    })
    .await;
    assert_eq!(answers.into_iter().filter(|is_new| *is_new).count(), 1);
}

/// Repeating an invitation whose answer was lost makes no second guest.
async fn an_address_invited_many_times_at_once_is_one_guest(store: Store) {
    let tenant = contoso(&store).await;
    let ask = NewInvitation {
        address: Address::parse("Grace@fabrikam.test").unwrap(),
        redirect_url: "https://app.contoso.test/start".to_owned(),
        display_name: None,
        user_type: None,
        wants_mail: true,
        message: None,
        message_language: None,
        cc: Vec::new(),
        sponsors: Vec::new(),
    };
    let (asked, repeated) = (tenant.clone(), ask.clone());
    let guests = all_at_once(TASKS, move |index| {
        let (tenant, ask) = (asked.clone(), repeated.clone());
        async move {
            put(&tenant, move |tx| {
                let number = 1_000 + index as u64;
                let guest = match tx.invitation_facts(&ask, &daemon(), &Limits::default(), NOW)?.existing {
                    Some(existing) => existing.user,
                    None => {
                        let guest = guest(u128::from(number), ask.address.as_str());
                        tx.add_user(&guest, None)?.then_some(guest.id).ok_or(Fault::Bug("two guests"))?
                    }
                };
                tx.put_invitation(&invitation(number, guest, ask.address.as_str()))?;
                tx.enqueue_mail(Uuid::from_u128(u128::from(number)), &mail(ask.address.as_str()), NOW)?;
                Ok(guest)
            })
            .await
        }
    })
    .await;
    assert!(guests.iter().all(|guest| *guest == guests[0]), "{guests:?}");
    let facts = tenant.read(|tx| tx.invitation_facts(&ask, &daemon(), &Limits::default(), NOW)).unwrap();
    assert_eq!(tenant.read(|tx| tx.count_users(None)).unwrap(), 1);
    assert_eq!(facts.sent_this_hour as usize, TASKS);
    assert_eq!(facts.recipient.mailed_today as usize, TASKS);
}

async fn failed_passwords_counted_at_once_are_all_counted(store: Store) {
    let tenant = contoso(&store).await;
    let counted = tenant.clone();
    all_at_once(TASKS, move |_| {
        counted.write(|tx| {
            tx.count_failure("192.0.2.1", LATER, NOW)?;
            Ok(Recorded::chore(Chore::Progress, ()))
        })
    })
    .await;
    assert_eq!(tenant.read(|tx| tx.failures("192.0.2.1")).unwrap().count, TASKS as i64);
}

async fn scopes_agreed_to_at_once_are_all_kept(store: Store) {
    let tenant = contoso(&store).await;
    let (client, resource) =
        (ServicePrincipalId::new(Uuid::from_u128(1)), ServicePrincipalId::new(Uuid::from_u128(2)));
    let agreed = tenant.clone();
    all_at_once(TASKS, move |index| {
        let tenant = agreed.clone();
        async move {
            let (id, scope) = (Uuid::from_u128(100 + index as u128), [format!("Scope.{}", index / 2)]);
            put(&tenant, move |tx| tx.add_consent(id, client, Some(user_id(3)), resource, &scope, NOW)).await;
        }
    })
    .await;
    let mut scopes = tenant.read(|tx| tx.consented_scopes(client, user_id(3), resource)).unwrap();
    scopes.sort();
    let mut expected: Vec<String> = (0..TASKS / 2).map(|index| format!("Scope.{index}")).collect();
    expected.sort();
    assert_eq!(scopes, expected);
}

for_every_engine! {
    r14_of_many_redemptions_of_a_code_one_wins,
    r14_of_many_redemptions_of_a_partners_code_one_wins,
    r14_of_many_acceptances_of_an_invitation_one_wins,
    r14_of_many_uses_of_a_set_up_link_one_wins,
    r15_of_many_answers_to_a_home_visit_one_wins,
    a_sign_in_ends_once,
    a_session_ends_once,
    a_sign_in_name_is_given_once_however_it_is_written,
    two_users_who_want_one_name_do_not_both_get_it,
    r02_one_home_identity_is_bound_to_one_of_many_guests,
    a_domain_name_belongs_to_one_tenant,
    a_client_id_is_registered_once_in_the_whole_deployment,
    an_address_invited_many_times_at_once_is_one_guest,
    failed_passwords_counted_at_once_are_all_counted,
    scopes_agreed_to_at_once_are_all_kept,
}
