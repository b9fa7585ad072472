//! Objects of the directory: deleted, restored, purged for good; lists in pages.

use super::builders::*;
use super::everything::{self, ADDRESS, NAME, SESSION, ada};
use domain::directory::application::Application;
use domain::directory::permission::Visibility;
use domain::directory::property::{APPLICATION, GROUP, Kind, Property, SERVICE_PRINCIPAL, USER};
use domain::directory::query::{self, Plan};
use domain::directory::user::User;
use domain::id::{ApplicationId, UserId};
use domain::tenancy::domain_name::Address;
use domain::tenancy::tenant::{Logo, LogoType};
use standards::odata::filter;
use standards::odata::query::Query;
use std::collections::BTreeSet;
use store::{Among, Assigned, AssignmentFilter, Store, TenantStore};

async fn update(tenant: &TenantStore, user: User) -> bool {
    put(tenant, move |tx| tx.update_user(&user, LATER)).await
}

fn deleted(user: User) -> User {
    User { deleted_at: Some(LATER), ..user }
}

fn ids(tenant: &TenantStore, is_bin: bool) -> Vec<UserId> {
    let page = tenant
        .read(|tx| {
            tx.list_users(
                &everybody(100),
                None,
                if is_bin { Among::DeletedSince(LATER) } else { Among::Living },
            )
        })
        .unwrap();
    assert_eq!(page.count, Some(page.items.len() as i64));
    page.items.into_iter().map(|user| user.id).collect()
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
                !tx.list_assignments(Assigned::Of(ada.uuid()), &AssignmentFilter::default(), None, 9)?
                    .is_empty(),
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
        let page = tenant
            .read(|tx| {
                tx.list_applications(
                    &everybody(10),
                    None,
                    if is_bin { Among::DeletedSince(LATER) } else { Among::Living },
                )
            })
            .unwrap();
        page.items.into_iter().map(|app| app.id).collect()
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
    expected.settings.privacy_contact = Some("privacy@contoso.test".to_owned());
    expected.settings.marketing_notification_mails = vec!["marketing@contoso.test".to_owned()];
    expected.settings.security_notification_mails = vec!["security@contoso.test".to_owned()];
    expected.settings.security_notification_phones = vec!["+1 555 0100".to_owned()];
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
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = tenant.read(|tx| tx.list_users(plan, after.as_ref(), Among::Living)).unwrap();
        assert!(page.items.len() <= plan.top as usize);
        seen.extend(page.items.into_iter().map(|user| user.id));
        match page.next {
            Some(next) => after = Some(next),
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
    let first = tenant.read(|tx| tx.list_users(&everybody(10), None, Among::Living)).unwrap();
    put(&tenant, |tx| tx.purge_user(user_id(3), LATER)).await;
    add(30..32).await;
    let rest = tenant.read(|tx| tx.list_users(&everybody(100), first.next.as_ref(), Among::Living)).unwrap();
    let seen: Vec<_> = first.items.iter().chain(&rest.items).map(|user| user.id).collect();
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
    let found = |filter: &str| walk(&tenant, &planned(filter));
    // An index's own order: by name.
    assert_eq!(found("startsWith(displayName,'100%')"), [user_id(1)]);
    assert_eq!(found("startsWith(displayName,'100')"), [user_id(2), user_id(1)]);
    assert!(
        found("startsWith(displayName,'%')").is_empty() && found("startsWith(displayName,'_')").is_empty()
    );
    assert_eq!(found("startsWith(displayName,'')").len(), 4);
    assert_eq!(found("displayName eq 'o''neil'"), [user_id(3)]);
    assert_eq!(found("displayName eq 'änne'"), [user_id(4)]);
    assert!(found("displayName eq 'x'' OR ''1''=''1'").is_empty());
    assert_eq!(found("displayName ne 'o''neil'").len(), 3);
    assert_eq!(found("endsWith(displayName,'%')"), []);
}

/// A plan for users that fit a filter.
fn planned(filter: &str) -> Plan {
    let query = Query { count: true, filter: Some(filter::parse(filter).unwrap()), ..Query::default() };
    query::plan(&USER, &query, Visibility::Full, true).unwrap()
}

/// What is looked through from end to end, and why nothing better is worth its price.
const SCANS: [(&str, &str); 17] = [
    ("not ", "what is not so is most of a directory"),
    (" ne ", "the same"),
    ("endsWith(", "an index is read from the front of a text; who ends with something is asked rarely"),
    ("/$count ", "how many values there are is asked in reports"),
    (" eq null", "absence has no term; most objects lack most properties"),
    ("accountEnabled eq ", "a flag splits a directory in two large parts"),
    ("showInAddressList eq ", "the same"),
    ("userType", "the same"),
    ("externalUserState", "a handful of values"),
    ("creationType", "the same"),
    ("deletedDateTime", "the living have none, and the bin empties itself"),
    ("signInAudience", "a handful of values"),
    ("servicePrincipalType", "one value"),
    ("isAssignableToRole eq ", "a flag"),
    ("mailEnabled eq ", "a flag"),
    ("securityEnabled eq ", "a flag"),
    ("visibility", "a handful of values"),
];

/// Every list that a query can ask for is answered from an index, or stands above with its reason.
async fn nothing_is_looked_through_unnoticed(store: Store) {
    let tenant = contoso(&store).await;
    let time = "2026-01-01T00:00:00Z";
    let mut unnoticed = Vec::new();
    for resource in [&USER, &GROUP, &APPLICATION, &SERVICE_PRINCIPAL] {
        let mut filters = Vec::new();
        for Property { name, kind, query, .. } in resource.properties {
            if !query.is_filtered {
                continue;
            }
            match kind {
                Kind::Bool => filters.push(format!("{name} eq true")),
                Kind::Id => filters.push(format!("{name} eq '{}'", user_id(1))),
                Kind::Identities => {
                    filters.push(format!("{name}/any(i:i/issuer eq 'x' and i/issuerAssignedId eq 'y')"));
                }
                Kind::Text => filters.extend([
                    format!("{name} eq 'x'"),
                    format!("{name} in ('x','y')"),
                    format!("startsWith({name},'x')"),
                    format!("endsWith({name},'x')"),
                    format!("{name} ge 'x'"),
                    format!("{name} ne 'x'"),
                    format!("{name} eq null"),
                ]),
                Kind::Texts => filters.extend([
                    format!("{name}/any(v:v eq 'x')"),
                    format!("{name}/any(v:startsWith(v,'x'))"),
                    format!("{name}/any(v:endsWith(v,'x'))"),
                    format!("{name}/$count eq 0"),
                ]),
                Kind::Time => filters.extend([format!("{name} ge {time}"), format!("{name} eq {time}")]),
            }
        }
        for filter in filters {
            let query =
                Query { count: true, filter: Some(filter::parse(&filter).unwrap()), ..Query::default() };
            let plan = query::plan(resource, &query, Visibility::Full, true).unwrap();
            let steps = tenant.read(|tx| tx.explain_list(resource, &plan)).unwrap();
            let is_scan = steps.iter().any(|step| is_full_scan(step));
            if is_scan && !SCANS.iter().any(|(part, _)| filter.contains(part)) {
                unnoticed.push((resource.name, filter, steps));
            }
        }
        for Property { name, query, .. } in resource.properties {
            let asked = [
                (query.is_sorted, format!("$orderby={name}")),
                (query.is_sorted, format!("$orderby={name} desc")),
                (query.search.is_some(), format!("$search=\"{name}:x\"")),
            ];
            for (_, asked) in asked.into_iter().filter(|(is_served, _)| *is_served) {
                let query = Query::parse(&asked).unwrap();
                let plan = query::plan(resource, &query, Visibility::Full, true).unwrap();
                let steps = tenant.read(|tx| tx.explain_list(resource, &plan)).unwrap();
                let is_bad = |step: &String| match plan.order {
                    Some(_) => step.contains("TEMP B-TREE"),
                    None => is_full_scan(step),
                };
                if steps.iter().any(is_bad) {
                    unnoticed.push((resource.name, asked, steps));
                }
            }
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

/// Whether a step walks every object of the tenant: it seeks by nothing but the tenant.
fn is_full_scan(step: &str) -> bool {
    let is_objects = step.starts_with("SCAN o") || step.starts_with("SEARCH o ");
    is_objects && (step.starts_with("SCAN o") || step.ends_with("(tenant=?)"))
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
    a_user_comes_back_as_it_was_put,
    a_tenant_comes_back_as_it_was_put,
    names_are_compared_without_case,
    pages_hold_everybody_once,
    a_filter_compares_text_and_is_never_a_pattern_or_a_statement,
    nothing_is_looked_through_unnoticed,
}
