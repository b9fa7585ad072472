//! Objects of the directory: deleted, restored, purged for good; lists in pages.

use super::builders::*;
use super::everything::{self, ADDRESS, NAME, SESSION, ada};
use domain::directory::application::Application;
use domain::directory::property;
use domain::directory::query::{Plan, Predicate, Value};
use domain::directory::user::User;
use domain::id::{ApplicationId, UserId};
use domain::tenancy::domain_name::Address;
use domain::tenancy::tenant::{Logo, LogoType};
use std::collections::BTreeSet;
use store::{Store, TenantStore};

async fn update(tenant: &TenantStore, user: User) -> bool {
    put(tenant, move |tx| tx.update_user(&user, LATER)).await
}

fn deleted(user: User) -> User {
    User { deleted_at: Some(LATER), ..user }
}

fn ids(tenant: &TenantStore, is_bin: bool) -> Vec<UserId> {
    let page = tenant.read(|tx| tx.list_users(&everybody(100), 0, is_bin)).unwrap();
    assert_eq!(page.count, Some(page.users.len() as i64));
    page.users.into_iter().map(|user| user.id).collect()
}

async fn a_deleted_user_is_found_by_id_and_in_the_bin_only(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    assert_eq!((ids(&tenant, false), ids(&tenant, true)), (vec![user_id(1), user_id(2)], vec![]));
    assert!(update(&tenant, deleted(ada())).await);
    let (by_id, by_name, signs_in, by_address, realm) = tenant
        .read(|tx| {
            Ok((
                tx.find_user(user_id(1))?.unwrap(),
                tx.find_user_by_name(NAME)?,
                tx.find_sign_in_user(user_id(1))?,
                tx.find_user_by_address(&Address::parse(NAME).unwrap())?,
                tx.realm_facts(NAME)?.user,
            ))
        })
        .unwrap();
    assert_eq!(by_id.deleted_at, Some(LATER));
    assert_eq!((by_name, signs_in, by_address, realm), (None, None, None, None));
    assert_eq!((ids(&tenant, false), ids(&tenant, true)), (vec![user_id(2)], vec![user_id(1)]));
    assert_eq!(tenant.read(|tx| tx.count_users(None)).unwrap(), 1);
}

async fn a_restored_user_is_as_before(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    let before = tenant.read(|tx| tx.find_user(user_id(1))).unwrap();
    update(&tenant, deleted(ada())).await;
    assert!(update(&tenant, ada()).await);
    assert_eq!(tenant.read(|tx| tx.find_user(user_id(1))).unwrap(), before);
    everything::assert_all_found(&tenant, true);
}

async fn a_deleted_users_name_is_free_and_then_restoring_is_refused(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.add_user(&ada(), None)).await;
    assert!(!put(&tenant, |tx| tx.add_user(&member(2, NAME), None)).await);
    update(&tenant, deleted(ada())).await;
    assert!(put(&tenant, |tx| tx.add_user(&member(2, NAME), None)).await);
    assert!(!update(&tenant, ada()).await, "the name is somebody else's now");
    assert!(tenant.read(|tx| tx.find_user(user_id(1))).unwrap().unwrap().deleted_at.is_some());
    assert!(update(&tenant, member(1, "ada.l@contoso.test")).await);
    assert_eq!(ids(&tenant, false), [user_id(1), user_id(2)]);
}

async fn many_deleted_users_may_have_had_one_name(store: Store) {
    let tenant = contoso(&store).await;
    for number in 1..=5 {
        assert!(put(&tenant, move |tx| tx.add_user(&member(number, NAME), None)).await);
        assert!(update(&tenant, deleted(member(number, NAME))).await);
    }
    assert_eq!(ids(&tenant, true).len(), 5);
}

async fn a_purged_user_leaves_nothing_behind(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    put(&tenant, |tx| {
        tx.purge_user(user_id(1), LATER)?;
        tx.purge_user(user_id(2), LATER)
    })
    .await;
    let (ada, grace) = (user_id(1), user_id(2));
    let client = instance(32, application(30).app_id).id;
    let left = tenant
        .read(|tx| {
            Ok([
                tx.find_user(ada)?.is_some(),
                tx.find_user(grace)?.is_some(),
                tx.find_password(ada)?.is_some(),
                !tx.roles_of(ada.uuid())?.is_empty(),
                !tx.sponsors_of(grace)?.is_empty(),
                !tx.assignments_of(ada.uuid())?.is_empty(),
                !tx.consented_scopes(client, ada, client)?.is_empty(),
                tx.find_user_by_identity("https://home.test", "grace")?.is_some(),
                tx.find_invitation(invitation(everything::TICKET, grace, ADDRESS).id)?.is_some(),
                tx.find_session(session_id(SESSION))?.is_some(),
            ])
        })
        .unwrap();
    assert_eq!(left, [false; 10]);
    assert!(ids(&tenant, false).is_empty() && ids(&tenant, true).is_empty());
}

async fn purging_one_user_leaves_the_others_whole(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    put(&tenant, |tx| tx.add_user(&member(9, "carol@contoso.test"), None)).await;
    put(&tenant, |tx| tx.purge_user(user_id(9), LATER)).await;
    everything::assert_all_found(&tenant, true);
}

async fn r22_a_purged_users_id_comes_back_in_no_tenant(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    put(&contoso, |tx| tx.add_user(&ada(), None)).await;
    assert!(!put(&contoso, |tx| tx.is_buried(user_id(1).uuid())).await);
    put(&contoso, |tx| tx.purge_user(user_id(1), LATER)).await;
    assert!(put(&fabrikam, |tx| tx.is_buried(user_id(1).uuid())).await);
    for tenant in [&contoso, &fabrikam] {
        assert!(!put(tenant, |tx| tx.add_user(&member(1, "new@contoso.test"), None)).await);
        assert!(tenant.read(|tx| tx.find_user(user_id(1))).unwrap().is_none());
    }
    // The name, unlike the id, may.
    assert!(put(&contoso, |tx| tx.add_user(&member(2, NAME), None)).await);
}

async fn r22_an_id_that_is_in_use_is_not_given_again(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.add_user(&ada(), None)).await;
    assert!(!put(&tenant, |tx| tx.add_user(&member(1, "new@contoso.test"), None)).await);
    update(&tenant, deleted(ada())).await;
    assert!(!put(&tenant, |tx| tx.add_user(&member(1, "new@contoso.test"), None)).await);
}

async fn r22_ids_of_a_purged_application_come_back_in_no_tenant(store: Store) {
    let (contoso, fabrikam) = (contoso(&store).await, fabrikam(&store).await);
    assert!(put(&contoso, |tx| tx.add_application(&application(30))).await);
    assert!(!put(&fabrikam, |tx| tx.add_application(&application(30))).await, "in use");
    put(&contoso, |tx| tx.purge_application(&application(30), LATER)).await;
    let same_object = Application { app_id: application(50).app_id, ..application(30) };
    let same_client = Application { id: application(50).id, ..application(30) };
    for tenant in [&contoso, &fabrikam] {
        for app in [same_object.clone(), same_client.clone()] {
            assert!(!put(tenant, move |tx| tx.add_application(&app)).await);
        }
    }
    assert!(put(&contoso, |tx| tx.add_application(&application(50))).await);
}

async fn a_deleted_application_is_in_the_bin_keeps_its_ids_and_can_be_restored(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    let write = |deleted_at| {
        let tenant = tenant.clone();
        let app = Application { deleted_at, ..application(30) };
        async move { put(&tenant, move |tx| tx.update_application(&app, LATER)).await }
    };
    assert!(write(Some(LATER)).await);
    let ids = |is_bin| -> Vec<ApplicationId> {
        let page = tenant.read(|tx| tx.list_applications(0, 10, is_bin)).unwrap();
        page.rows.into_iter().map(|(_, app)| app.id).collect()
    };
    assert_eq!((ids(false), ids(true)), (vec![], vec![application(30).id]));
    let found = tenant.read(|tx| tx.find_registration(application(30).app_id)).unwrap().unwrap();
    assert_eq!(found.deleted_at, Some(LATER));
    assert!(!tenant.read(|tx| tx.is_redirect_registered("https://app-30.contoso.test/back")).unwrap());
    let owner = tenant.read(|tx| tx.identifier_uri_owner("api://app-30")).unwrap();
    assert_eq!(owner, Some(application(30).app_id), "kept for its return");
    assert!(write(None).await);
    everything::assert_all_found(&tenant, true);
}

async fn a_purged_application_frees_its_identifier_and_takes_its_secrets_along(store: Store) {
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    put(&tenant, |tx| tx.purge_application(&application(30), LATER)).await;
    assert!(tenant.read(|tx| tx.find_registration(application(30).app_id)).unwrap().is_none());
    assert!(tenant.read(|tx| tx.find_application(application(30).id)).unwrap().is_none());
    let heir = Application { identifier_uris: vec!["api://app-30".to_owned()], ..application(60) };
    assert!(put(&tenant, move |tx| tx.add_application(&heir)).await);
    let found = tenant.read(|tx| tx.find_registration(application(60).app_id)).unwrap().unwrap();
    assert!(found.secrets.is_empty());
}

async fn an_application_comes_back_as_it_was_put(store: Store) {
    let tenant = contoso(&store).await;
    let mut app = application(30);
    app.secrets = vec![client_secret(3), client_secret(4)];
    let expected = app.clone();
    assert!(put(&tenant, move |tx| tx.add_application(&app)).await);
    assert_eq!(tenant.read(|tx| tx.find_application(expected.id)).unwrap(), Some(expected));
}

async fn a_removed_instance_makes_room_for_a_new_one(store: Store) {
    let tenant = contoso(&store).await;
    let app_id = application(30).app_id;
    assert!(put(&tenant, |tx| tx.add_application(&application(30))).await);
    assert!(put(&tenant, move |tx| tx.add_service_principal(&instance(32, app_id))).await);
    assert!(!put(&tenant, move |tx| tx.add_service_principal(&instance(33, app_id))).await);
    let mut removed = instance(32, app_id);
    removed.deleted_at = Some(LATER);
    put(&tenant, move |tx| tx.update_service_principal(&removed, LATER)).await;
    assert!(tenant.read(|tx| tx.find_service_principal(instance(32, app_id).id)).unwrap().is_none());
    assert!(tenant.read(|tx| tx.list_service_principals(0, 10)).unwrap().is_empty());
    assert!(put(&tenant, move |tx| tx.add_service_principal(&instance(33, app_id))).await);
    let app = tenant.read(|tx| tx.find_app(app_id)).unwrap().unwrap();
    assert_eq!(app.instance.as_ref().unwrap().id, instance(33, app_id).id);
}

async fn a_user_comes_back_as_it_was_put(store: Store) {
    let tenant = contoso(&store).await;
    let mut user = guest(2, ADDRESS);
    user.other_mails = vec!["a'; DROP TABLE users; --@x.test".to_owned(), "ä@ö.test".to_owned()];
    user.proxy_addresses = vec!["SMTP:grace@fabrikam.test".to_owned()];
    user.display_name = "Grace \"Hopper\" 🚀".to_owned();
    user.business_phones = vec!["+1 555".to_owned()];
    user.mail_nickname = Some("grace".to_owned());
    let expected = user.clone();
    assert!(put(&tenant, move |tx| tx.add_user(&user, None)).await);
    assert_eq!(tenant.read(|tx| tx.find_user(user_id(2))).unwrap(), Some(expected));
}

async fn a_tenant_comes_back_as_it_was_put(store: Store) {
    let mut expected = tenant(CONTOSO, "contoso.test");
    expected.settings.logo = Some(Logo { kind: LogoType::Png, bytes: vec![0, 255, 7] });
    expected.settings.invite_redirect_urls = vec!["https://x.test".to_owned()];
    expected.settings.country = Some("DE".to_owned());
    expected.region_sub_scope = Some("GCC".to_owned());
    let handle = add_tenant(&store, expected.clone()).await;
    assert_eq!(*handle.read(|tx| tx.load_tenant()).unwrap(), expected);
    assert!(!put(&handle, |tx| tx.add_tenant(&tenant(CONTOSO, "second.test"))).await, "its id is taken");
}

async fn names_are_compared_without_case(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.add_user(&member(1, "Ada@Contoso.test"), None)).await;
    for name in ["ada@contoso.test", "ADA@CONTOSO.TEST"] {
        let user = tenant.read(|tx| tx.find_user_by_name(name)).unwrap().unwrap();
        assert_eq!(user.sign_in_name, "Ada@Contoso.test");
        let address = Address::parse(name).unwrap();
        assert!(tenant.read(|tx| tx.find_user_by_address(&address)).unwrap().is_some());
    }
    assert!(tenant.read(|tx| tx.find_user_by_name("ad_@contoso.test")).unwrap().is_none());
    assert!(tenant.read(|tx| tx.find_user_by_name("%")).unwrap().is_none());
}

/// Page by page, following the key.
fn walk(tenant: &TenantStore, plan: &Plan) -> Vec<UserId> {
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = tenant.read(|tx| tx.list_users(plan, after, false)).unwrap();
        assert!(page.users.len() <= plan.top as usize);
        seen.extend(page.users.into_iter().map(|user| user.id));
        match page.next {
            Some(next) => after = next,
            None => return seen,
        }
    }
}

async fn pages_hold_everybody_once(store: Store) {
    let tenant = contoso(&store).await;
    let add = |numbers: std::ops::Range<u128>| {
        let tenant = tenant.clone();
        async move {
            put(&tenant, move |tx| {
                for number in numbers.clone() {
                    tx.add_user(&member(number, &format!("user-{number}@contoso.test")), None)?;
                }
                Ok(())
            })
            .await;
        }
    };
    add(1..21).await;
    for top in [1, 3, 7, 19, 20, 21, 100] {
        let seen = walk(&tenant, &everybody(top));
        assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (20, 20), "pages of {top}");
    }
    // Who leaves and who comes between two pages shifts nobody out of sight.
    let first = tenant.read(|tx| tx.list_users(&everybody(10), 0, false)).unwrap();
    put(&tenant, |tx| tx.purge_user(user_id(3), LATER)).await;
    add(30..32).await;
    let rest = tenant.read(|tx| tx.list_users(&everybody(100), first.next.unwrap(), false)).unwrap();
    let seen: Vec<_> = first.users.iter().chain(&rest.users).map(|user| user.id).collect();
    assert_eq!(seen, (1..21).chain(30..32).map(user_id).collect::<Vec<_>>());
    assert_eq!(rest.next, None);
}

async fn a_filter_compares_text_and_is_never_a_pattern_or_a_statement(store: Store) {
    let tenant = contoso(&store).await;
    put(&tenant, |tx| {
        for (number, name) in [(1, "100% Ada"), (2, "100 Bob"), (3, "O'Neil"), (4, "ÄNNE")] {
            let mut user = member(number, &format!("user-{number}@contoso.test"));
            user.display_name = name.to_owned();
            tx.add_user(&user, None)?;
        }
        Ok(())
    })
    .await;
    let property = property::find("displayName").unwrap();
    let found = |filter| walk(&tenant, &Plan { filter: Some(filter), ..everybody(10) });
    let starts = |text: &str| found(Predicate::StartsWith { property, text: text.to_owned() });
    let equals = |text: &str| found(Predicate::Equal { property, value: Value::Text(text.to_owned()) });
    assert_eq!(starts("100%"), [user_id(1)]);
    assert_eq!(starts("100"), [user_id(1), user_id(2)]);
    assert!(starts("%").is_empty() && starts("_").is_empty());
    assert_eq!(starts("").len(), 4);
    assert_eq!(equals("o'neil"), [user_id(3)]);
    assert_eq!(equals("änne"), [user_id(4)]);
    assert!(equals("x' OR '1'='1").is_empty());
    let not =
        Predicate::Not(Box::new(Predicate::Equal { property, value: Value::Text("o'neil".to_owned()) }));
    assert_eq!(found(not).len(), 3);
}

for_every_engine! {
    a_deleted_user_is_found_by_id_and_in_the_bin_only,
    a_restored_user_is_as_before,
    a_deleted_users_name_is_free_and_then_restoring_is_refused,
    many_deleted_users_may_have_had_one_name,
    a_purged_user_leaves_nothing_behind,
    purging_one_user_leaves_the_others_whole,
    r22_a_purged_users_id_comes_back_in_no_tenant,
    r22_an_id_that_is_in_use_is_not_given_again,
    r22_ids_of_a_purged_application_come_back_in_no_tenant,
    a_deleted_application_is_in_the_bin_keeps_its_ids_and_can_be_restored,
    a_purged_application_frees_its_identifier_and_takes_its_secrets_along,
    an_application_comes_back_as_it_was_put,
    a_removed_instance_makes_room_for_a_new_one,
    a_user_comes_back_as_it_was_put,
    a_tenant_comes_back_as_it_was_put,
    names_are_compared_without_case,
    pages_hold_everybody_once,
    a_filter_compares_text_and_is_never_a_pattern_or_a_statement,
}
