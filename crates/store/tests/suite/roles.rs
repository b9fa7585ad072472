//! Directory roles: what counts for a person, directly and through groups, and who is left without it.

use super::builders::*;
use domain::directory::group::{Group, Link, LinkedKind};
use domain::directory::role::{GLOBAL_ADMINISTRATOR, GUEST_INVITER, RoleAssignment};
use domain::id::{GroupId, RoleTemplateId};
use domain::time::Timestamp;
use store::{Going, Store, TenantStore};
use uuid::Uuid;

const ROLE: RoleTemplateId = GLOBAL_ADMINISTRATOR.id;
const GROUP: GroupId = GroupId::new(Uuid::from_u128(90));

fn group() -> Group {
    Group {
        id: GROUP,
        display_name: "Admins".to_owned(),
        description: None,
        mail_nickname: "admins".to_owned(),
        mail: None,
        is_security_enabled: true,
        is_unified: false,
        is_role_assignable: true,
        visibility: None,
        dynamic: None,
        created_at: NOW,
        deleted_at: None,
    }
}

fn of(kind: LinkedKind, principal: Uuid) -> RoleAssignment {
    RoleAssignment { principal, kind, role: ROLE }
}

/// Ada holds the role herself, Carol by a group.
async fn two_holders(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    put(&tenant, |tx| {
        tx.add_user(&member(1, "ada@contoso.test"), None)?;
        tx.add_user(&member(2, "carol@contoso.test"), None)?;
        tx.add_group(&group())?;
        tx.assign_role(&of(LinkedKind::User, user_id(1).uuid()), NOW)?;
        tx.assign_role(&of(LinkedKind::Group, GROUP.uuid()), NOW)?;
        tx.add_link(GROUP, Link::Member, LinkedKind::User, user_id(2).uuid(), NOW)?;
        // Owning a group gives nothing of what it gives.
        tx.add_link(GROUP, Link::Owner, LinkedKind::User, user_id(1).uuid(), NOW)
    })
    .await;
    tenant
}

fn roles(tenant: &TenantStore, number: u128) -> Vec<RoleTemplateId> {
    tenant.read(|tx| tx.roles_of(user_id(number).uuid())).unwrap()
}

fn is_held_without(tenant: &TenantStore, going: Going) -> bool {
    tenant.read(|tx| tx.is_held_without(ROLE, going)).unwrap()
}

async fn set_group(tenant: &TenantStore, deleted_at: Option<Timestamp>) {
    put(tenant, move |tx| tx.update_group(&Group { deleted_at, ..group() }, LATER)).await;
}

async fn a_group_gives_its_roles_to_its_members_while_it_is_there(store: Store) {
    let tenant = two_holders(&store).await;
    assert_eq!(roles(&tenant, 2), [ROLE]);
    assert!(tenant.read(|tx| tx.assigned_roles_of(user_id(2).uuid())).unwrap().is_empty());
    assert!(tenant.read(|tx| tx.is_in_a_role_group(user_id(1))).unwrap(), "its owner");
    set_group(&tenant, Some(LATER)).await;
    assert!(roles(&tenant, 2).is_empty());
    set_group(&tenant, None).await;
    assert_eq!(roles(&tenant, 2), [ROLE]);
    put(&tenant, |tx| tx.purge_group(GROUP, LATER)).await;
    assert!(roles(&tenant, 2).is_empty());
    let left = tenant.read(|tx| tx.list_role_assignments(Some(ROLE), None, None, 10)).unwrap();
    assert_eq!(left, [of(LinkedKind::User, user_id(1).uuid())]);
}

async fn who_is_left_with_a_role_is_known_before_anything_goes(store: Store) {
    let tenant = two_holders(&store).await;
    let (ada, carol) = (user_id(1), user_id(2));
    let carols =
        [Going::Assignment(GROUP.uuid()), Going::Membership(GROUP, carol.uuid()), Going::Person(carol)];
    for going in carols.into_iter().chain([Going::Assignment(ada.uuid()), Going::Person(ada)]) {
        assert!(is_held_without(&tenant, going), "{going:?}");
    }
    let mut disabled = member(1, "ada@contoso.test");
    disabled.is_enabled = false;
    put(&tenant, move |tx| tx.update_user(&disabled, LATER)).await;
    for going in carols {
        assert!(!is_held_without(&tenant, going), "{going:?}: whoever cannot sign in does not count");
    }
    assert!(is_held_without(&tenant, Going::Person(ada)));
}

async fn a_role_is_activated_by_the_first_who_gets_it_and_given_once(store: Store) {
    let tenant = two_holders(&store).await;
    assert_eq!(tenant.read(|tx| tx.activated_roles()).unwrap(), [ROLE]);
    let again = of(LinkedKind::User, user_id(1).uuid());
    assert!(!put(&tenant, move |tx| tx.assign_role(&again, LATER)).await);
    assert!(put(&tenant, |tx| tx.activate_role(GUEST_INVITER.id, LATER)).await);
    assert!(!put(&tenant, |tx| tx.activate_role(GUEST_INVITER.id, LATER)).await);
    let ada = user_id(1).uuid();
    assert!(put(&tenant, move |tx| tx.unassign_role(ROLE, ada, LATER)).await);
    assert!(!put(&tenant, move |tx| tx.unassign_role(ROLE, ada, LATER)).await);
    assert!(roles(&tenant, 1).is_empty());
}

async fn assignments_are_listed_in_pages_of_those_who_are_there(store: Store) {
    let tenant = two_holders(&store).await;
    let list = |role, principal, after, limit| {
        tenant.read(|tx| tx.list_role_assignments(role, principal, after, limit)).unwrap()
    };
    let all = list(None, None, None, 10);
    assert_eq!(all.len(), 2);
    let last = (all[0].role, all[0].principal);
    assert_eq!(list(None, None, Some(last), 1), all[1..]);
    assert_eq!(list(Some(ROLE), None, Some(last), 1), all[1..]);
    assert!(list(Some(GUEST_INVITER.id), None, None, 10).is_empty());
    assert_eq!(list(None, Some(GROUP.uuid()), None, 10), [of(LinkedKind::Group, GROUP.uuid())]);
    set_group(&tenant, Some(LATER)).await;
    assert!(list(None, Some(GROUP.uuid()), None, 10).is_empty());
}

for_every_engine! {
    a_group_gives_its_roles_to_its_members_while_it_is_there,
    who_is_left_with_a_role_is_known_before_anything_goes,
    a_role_is_activated_by_the_first_who_gets_it_and_given_once,
    assignments_are_listed_in_pages_of_those_who_are_there,
}
