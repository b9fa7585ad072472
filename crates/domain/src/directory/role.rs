//! Built-in directory roles (Graph: directoryRoleTemplate), by their template ids.

use crate::id::{RoleTemplateId, TenantId};
use standards::crypto;
use uuid::{Uuid, uuid};

/// A built-in role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleTemplate {
    pub id: RoleTemplateId,
    pub name: &'static str,
}

const fn role(id: Uuid, name: &'static str) -> RoleTemplate {
    RoleTemplate { id: RoleTemplateId::new(id), name }
}

pub const APPLICATION_ADMINISTRATOR: RoleTemplate =
    role(uuid!("9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"), "Application Administrator");
pub const DIRECTORY_READERS: RoleTemplate =
    role(uuid!("88d8e3e3-8f55-4a1e-953a-9b9898b8876b"), "Directory Readers");
pub const GLOBAL_ADMINISTRATOR: RoleTemplate =
    role(uuid!("62e90394-69f5-4237-9190-012177145e10"), "Global Administrator");
pub const GLOBAL_READER: RoleTemplate = role(uuid!("f2ef992c-3afb-46b9-b7cf-a126ee74c451"), "Global Reader");
pub const GUEST_INVITER: RoleTemplate = role(uuid!("95e79109-95c0-4d8e-aee3-d01accf2d47b"), "Guest Inviter");
pub const GROUPS_ADMINISTRATOR: RoleTemplate =
    role(uuid!("fdd7a751-b60b-444a-984c-02652fe8fa1c"), "Groups Administrator");
pub const HELPDESK_ADMINISTRATOR: RoleTemplate =
    role(uuid!("729827e3-9c14-49f7-bb1b-9608f156bbb8"), "Helpdesk Administrator");
pub const PRIVILEGED_ROLE_ADMINISTRATOR: RoleTemplate =
    role(uuid!("e8611ab8-c189-46e8-94e1-60213ab1f814"), "Privileged Role Administrator");
pub const USER_ADMINISTRATOR: RoleTemplate =
    role(uuid!("fe930be7-5e62-47db-91af-98c3a49a38b1"), "User Administrator");

/// Every built-in role served.
pub const ALL: [RoleTemplate; 9] = [
    APPLICATION_ADMINISTRATOR,
    DIRECTORY_READERS,
    GLOBAL_ADMINISTRATOR,
    GLOBAL_READER,
    GROUPS_ADMINISTRATOR,
    GUEST_INVITER,
    HELPDESK_ADMINISTRATOR,
    PRIVILEGED_ROLE_ADMINISTRATOR,
    USER_ADMINISTRATOR,
];

pub fn find_by_name(name: &str) -> Option<RoleTemplate> {
    ALL.into_iter().find(|role| role.name == name)
}

/// Whether a holder may invite where only administrators and guest inviters may (facts: b2b §6).
pub fn can_invite(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, USER_ADMINISTRATOR.id, GUEST_INVITER.id].contains(&role)
}

/// Whether a holder may give consent for every user of the tenant.
pub fn can_consent_for_all(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, PRIVILEGED_ROLE_ADMINISTRATOR.id, APPLICATION_ADMINISTRATOR.id].contains(&role)
}

/// Whether a holder may create, change and delete users that hold no role themselves.
pub fn can_manage_users(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, USER_ADMINISTRATOR.id].contains(&role)
}

/// Whether a holder may end the sessions of users that hold no role themselves.
pub fn can_revoke_sessions(role: RoleTemplateId) -> bool {
    can_manage_users(role) || role == HELPDESK_ADMINISTRATOR.id
}

/// Whether a holder may read every object of the directory.
pub fn can_read_directory(role: RoleTemplateId) -> bool {
    can_manage_users(role)
        || can_consent_for_all(role)
        || can_manage_groups(role)
        || [DIRECTORY_READERS.id, GLOBAL_READER.id, GUEST_INVITER.id, HELPDESK_ADMINISTRATOR.id]
            .contains(&role)
}

/// Whether a holder may create, change and delete groups, and say who is in them.
pub fn can_manage_groups(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, GROUPS_ADMINISTRATOR.id, USER_ADMINISTRATOR.id].contains(&role)
}

/// Whether a holder may give and take directory roles, also by way of a group.
pub fn can_manage_roles(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, PRIVILEGED_ROLE_ADMINISTRATOR.id].contains(&role)
}

/// The id of a role's object in a tenant (Graph: directoryRole), the same whenever it is asked for.
pub fn object_id(tenant: TenantId, role: RoleTemplateId) -> Uuid {
    let digest = crypto::sha256(&[b"directory role", tenant.uuid().as_bytes(), role.uuid().as_bytes()]);
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Whether a holder may register and change applications.
pub fn can_manage_applications(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, APPLICATION_ADMINISTRATOR.id].contains(&role)
}
