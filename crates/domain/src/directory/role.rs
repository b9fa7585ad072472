//! Built-in directory roles (Graph: directoryRoleTemplate), by their template ids.

use crate::directory::group::LinkedKind;
use crate::id::{RoleTemplateId, TenantId};
use standards::{b64, crypto};
use uuid::{Uuid, uuid};

/// A built-in role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleTemplate {
    pub id: RoleTemplateId,
    pub name: &'static str,
    pub description: &'static str,
}

/// Makes the constants and the list of all of them from the same lines.
macro_rules! roles {
    ($($constant:ident $id:literal $name:literal $description:literal)*) => {
        $(pub const $constant: RoleTemplate = RoleTemplate {
            id: RoleTemplateId::new(uuid!($id)),
            name: $name,
            description: $description,
        };)*

        /// Every built-in role served, by name.
        pub const ALL: &[RoleTemplate] = &[$($constant),*];
    };
}

roles! {
    APPLICATION_ADMINISTRATOR "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
        "Application Administrator" "Manages app registrations and enterprise apps, and consents for the organization."
    APPLICATION_DEVELOPER "cf1c38e5-3621-4004-a7cb-879624dced7c"
        "Application Developer" "Registers applications, whatever other users may."
    AUTHENTICATION_ADMINISTRATOR "c4e39bd9-1100-46d3-8c65-fb160da0071f"
        "Authentication Administrator" "Manages the authentication methods of users who are no administrators."
    AUTHENTICATION_POLICY_ADMINISTRATOR "0526716b-113d-4c15-b2c8-68e3c22b9f80"
        "Authentication Policy Administrator" "Manages the policies of authentication methods and passwords."
    CLOUD_APPLICATION_ADMINISTRATOR "158c047a-c907-4556-b7ef-446551a6b5f7"
        "Cloud Application Administrator" "Manages app registrations and enterprise apps, except application proxies."
    CONDITIONAL_ACCESS_ADMINISTRATOR "b1be1c3e-b65d-4f19-8427-f6fa0d97feb9"
        "Conditional Access Administrator" "Manages Conditional Access."
    DIRECTORY_READERS "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
        "Directory Readers" "Reads the directory; meant for guests."
    DIRECTORY_WRITERS "9360feb5-f418-4baa-8175-e2a00bac4301"
        "Directory Writers" "Reads the directory, makes groups and says who is in them."
    EXTERNAL_IDENTITY_PROVIDER_ADMINISTRATOR "be2f45a1-457d-42af-a067-6ec1fa63bc45"
        "External Identity Provider Administrator" "Manages the identity providers of external users."
    GLOBAL_ADMINISTRATOR "62e90394-69f5-4237-9190-012177145e10"
        "Global Administrator" "Manages everything in the organization."
    GLOBAL_READER "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
        "Global Reader" "Reads everything that a Global Administrator reads, and changes nothing."
    GROUPS_ADMINISTRATOR "fdd7a751-b60b-444a-984c-02652fe8fa1c"
        "Groups Administrator" "Manages groups and their settings."
    GUEST_INVITER "95e79109-95c0-4d8e-aee3-d01accf2d47b"
        "Guest Inviter" "Invites guests, whatever other users may."
    HELPDESK_ADMINISTRATOR "729827e3-9c14-49f7-bb1b-9608f156bbb8"
        "Helpdesk Administrator" "Helps users who are no administrators."
    PRIVILEGED_AUTHENTICATION_ADMINISTRATOR "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"
        "Privileged Authentication Administrator" "Manages the authentication methods of every user."
    PRIVILEGED_ROLE_ADMINISTRATOR "e8611ab8-c189-46e8-94e1-60213ab1f814"
        "Privileged Role Administrator" "Gives and takes directory roles."
    SECURITY_ADMINISTRATOR "194ae4cb-b126-40b2-bd5b-6091b380977d"
        "Security Administrator" "Reads security information and manages its settings."
    SECURITY_READER "5d6b6bb7-de71-4623-b4af-96380a352509"
        "Security Reader" "Reads security information."
    USER_ADMINISTRATOR "fe930be7-5e62-47db-91af-98c3a49a38b1"
        "User Administrator" "Manages groups, and users who are no administrators."
}

pub fn find_by_name(name: &str) -> Option<RoleTemplate> {
    ALL.iter().copied().find(|role| role.name == name)
}

pub fn find(id: RoleTemplateId) -> Option<RoleTemplate> {
    ALL.iter().copied().find(|role| role.id == id)
}

/// Whether a holder may invite where only administrators and guest inviters may (facts: b2b §6).
pub fn can_invite(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, USER_ADMINISTRATOR.id, GUEST_INVITER.id].contains(&role)
}

/// Whether a holder may give consent for every user of the tenant.
pub fn can_consent_for_all(role: RoleTemplateId) -> bool {
    can_manage_applications(role) || role == PRIVILEGED_ROLE_ADMINISTRATOR.id
}

/// Whether a holder may read what people ask an administrator to approve.
pub fn can_read_consent_requests(role: RoleTemplateId) -> bool {
    can_manage_applications(role) || role == GLOBAL_READER.id
}

/// Whether a holder may create, change and delete users that hold no role themselves.
pub fn can_manage_users(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, USER_ADMINISTRATOR.id].contains(&role)
}

/// Whether a holder may end the sessions of users that hold no role themselves.
pub fn can_revoke_sessions(role: RoleTemplateId) -> bool {
    can_manage_users(role) || role == HELPDESK_ADMINISTRATOR.id
}

/// Whether a holder may read who signed in and what was changed.
pub fn can_read_logs(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, GLOBAL_READER.id, SECURITY_ADMINISTRATOR.id, SECURITY_READER.id].contains(&role)
}

/// Whether a holder may read every object of the directory.
pub fn can_read_directory(role: RoleTemplateId) -> bool {
    // Whoever registers an application needs to see nobody for it.
    role != APPLICATION_DEVELOPER.id && find(role).is_some()
}

/// Whether a holder may change and delete groups.
pub fn can_manage_groups(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, GROUPS_ADMINISTRATOR.id, USER_ADMINISTRATOR.id].contains(&role)
}

/// Whether a holder may make groups, and say who is in them.
pub fn can_fill_groups(role: RoleTemplateId) -> bool {
    can_manage_groups(role) || role == DIRECTORY_WRITERS.id
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

/// Whether a holder administers anything: the number of objects that one person makes is not limited then.
pub fn is_administrator(role: RoleTemplateId) -> bool {
    ALL.iter().any(|known| known.id == role && known.name.ends_with("Administrator"))
}

/// Whether a holder may register and change applications.
pub fn can_manage_applications(role: RoleTemplateId) -> bool {
    [GLOBAL_ADMINISTRATOR.id, APPLICATION_ADMINISTRATOR.id, CLOUD_APPLICATION_ADMINISTRATOR.id]
        .contains(&role)
}

/// Whether a holder may register an application of its own.
pub fn can_register_applications(role: RoleTemplateId) -> bool {
    can_manage_applications(role) || role == APPLICATION_DEVELOPER.id
}

/// Whether a role can be given to a kind of principal; of groups only to those that were made for it.
pub fn may_hold(kind: LinkedKind, is_role_assignable: bool) -> Result<(), &'static str> {
    match kind {
        LinkedKind::Application => Err("A registration holds no role; its service principal could."),
        LinkedKind::Group if is_role_assignable => Ok(()),
        LinkedKind::Group => {
            Err("The group cannot hold a role: make one with 'isAssignableToRole' set to true.")
        }
        LinkedKind::ServicePrincipal => Err(
            "Directory roles of applications are not supported here yet. Give the application permissions.",
        ),
        LinkedKind::User => Ok(()),
    }
}

/// What gives a role to a principal in the whole tenant (Graph: unifiedRoleAssignment).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    pub principal: Uuid,
    pub kind: LinkedKind,
    pub role: RoleTemplateId,
}

impl RoleAssignment {
    /// Role and principal, written as Entra writes them: there is one assignment of the two at most, so this is its id.
    pub fn id(&self) -> String {
        let bytes = [self.role.uuid().to_bytes_le(), self.principal.to_bytes_le()].concat();
        format!("{}-1", b64::encode(&bytes))
    }

    /// What an id names; whether there is such an assignment is not known.
    pub fn parse_id(id: &str) -> Option<(RoleTemplateId, Uuid)> {
        let bytes: [u8; 32] = b64::decode(id.strip_suffix("-1")?)?.try_into().ok()?;
        let (role, principal) = bytes.split_at(16);
        let uuid = |part: &[u8]| part.try_into().ok().map(Uuid::from_bytes_le);
        Some((RoleTemplateId::new(uuid(role)?), uuid(principal)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignments_id_is_written_as_entra_writes_it_and_read_back() {
        let id = "lAPpYvVpN0KRkAEhdxReEJC2sEqbR_9Hr48lds9SGHI-1";
        let (role, principal) = RoleAssignment::parse_id(id).unwrap();
        assert_eq!(role, GLOBAL_ADMINISTRATOR.id);
        assert_eq!(RoleAssignment { principal, kind: LinkedKind::User, role }.id(), id);
        for wrong in ["", "-1", "x-1", id.strip_prefix("lA").unwrap(), id.strip_suffix("-1").unwrap()] {
            assert_eq!(RoleAssignment::parse_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn r24_a_role_without_a_right_here_gives_none() {
        for role in [AUTHENTICATION_ADMINISTRATOR, CONDITIONAL_ACCESS_ADMINISTRATOR, SECURITY_READER] {
            let rights =
                [can_invite, can_consent_for_all, can_manage_users, can_fill_groups, can_manage_roles];
            assert!(rights.iter().all(|allows| !allows(role.id)), "{}", role.name);
        }
        assert!(can_manage_applications(CLOUD_APPLICATION_ADMINISTRATOR.id));
        assert!(can_fill_groups(DIRECTORY_WRITERS.id) && !can_manage_groups(DIRECTORY_WRITERS.id));
        assert!(can_register_applications(APPLICATION_DEVELOPER.id));
        assert!(!can_read_directory(RoleTemplateId::new(Uuid::nil())));
    }

    #[test]
    fn only_groups_made_for_it_hold_roles() {
        assert!(may_hold(LinkedKind::Group, true).is_ok());
        assert!(may_hold(LinkedKind::Group, false).is_err());
        assert!(may_hold(LinkedKind::User, false).is_ok());
    }
}
