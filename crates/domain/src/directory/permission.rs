//! What a caller of Graph may do (facts: graph §2 to §12, b2b §6).
//!
//! Two things must agree: what the application was granted, and, where a user acts through it, what that user
//! may do in this tenant. Rights held at home do not enter (R24). Whether the tenant wants an invitation at all
//! is asked by `b2b::invitation`.
//!
//! Ask before looking for the target: an answer that depends on whether it exists tells that it exists (R23).

use crate::directory::role;
use crate::directory::user::UserType;
use crate::id::{AppId, RoleTemplateId, ServicePrincipalId, TenantId, UserId};
use crate::tenancy::tenant::{GuestLevel, WithoutRole};
use crate::verdict::{Side, Trace, Verdict};
use uuid::Uuid;

/// A caller of Graph, as the verified token says (R35).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub tenant: TenantId,
    pub actor: Actor,
}

/// Who acts: an application on its own, a user through one, or whoever runs the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    Application {
        app_id: AppId,
        service_principal: ServicePrincipalId,
        /// Values of the application permissions it holds on Graph.
        roles: Vec<String>,
    },
    /// Whoever holds the data folder, with a description of what there shall be (`hospes apply`). No request makes one.
    Operator,
    User {
        user: UserId,
        user_type: UserType,
        /// Whether the user authenticates elsewhere; rights follow `user_type` and roles, never this.
        is_external: bool,
        directory_roles: Vec<RoleTemplateId>,
        /// What the tenant lets people do and see who hold no role.
        without_role: WithoutRole,
        app_id: AppId,
        /// Values of the delegated permissions in the token.
        scopes: Vec<String>,
    },
}

impl Actor {
    /// The user who acts, if one does.
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::Application { .. } | Self::Operator => None,
            Self::User { user, .. } => Some(*user),
        }
    }
    /// Whether a user sees more of the groups they are in than the ids, without a right to read groups (R23).
    pub fn sees_own_groups(&self) -> bool {
        match self {
            Self::Application { .. } | Self::Operator => false,
            Self::User { user_type, directory_roles, without_role, .. } => {
                let level = without_role.guest_level;
                level != GuestLevel::Restricted || is_reader(*user_type, directory_roles, level)
            }
        }
    }
    /// The directory object that acts; the nil id stands for the operator, who is none.
    pub fn principal(&self) -> Uuid {
        match self {
            Self::Application { service_principal, .. } => service_principal.uuid(),
            Self::Operator => Uuid::nil(),
            Self::User { user, .. } => user.uuid(),
        }
    }
}

/// What the caller wants to do in the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    CreateGroup,
    CreateTenant,
    CreateUser,
    DeleteUser(UserId),
    /// To look another organisation up by its id or a domain.
    FindOrganization,
    InviteUser,
    ListGroups,
    ListUsers,
    PurgeDeleted,
    /// Registrations, one or many.
    ReadApplications,
    /// The app roles that a user holds, or that anybody but a service principal does.
    ReadAssignments(Option<UserId>),
    ReadBranding,
    /// The policy on requests for approval.
    ReadConsentRequestPolicy,
    /// Requests for approval, and who asked.
    ReadConsentRequests,
    /// The agreements that bind a user, or all of them.
    ReadConsents(Option<UserId>),
    /// Deleted users, one or many.
    ReadDeleted,
    /// Deleted groups, one or many.
    ReadDeletedGroups,
    ReadDomains,
    ReadGroup(Tie),
    ReadGroupLinks(Tie),
    /// The sign-in log and the directory's.
    ReadLogs,
    ReadMe,
    /// Objects of any kind, by their ids; each kind is shown as far as it may be read.
    ReadObjects,
    ReadOrganization,
    ReadPolicies,
    /// Directory roles and who holds them.
    ReadRoles,
    ReadServicePrincipals,
    /// Token lifetime policies; and, with the right over an application, to give it one or take it away.
    ReadTokenLifetimePolicies,
    ReadUser(UserId),
    RegisterApplication,
    RestoreDeleted,
    /// To end a user's sessions and refresh tokens.
    RevokeSessions(UserId),
    UpdateBranding,
    UpdateOrganization,
    UpdateUser(UserId),
    WriteApplications,
    WriteAuthorizationPolicy,
    WriteConsentRequestPolicy,
    /// To agree, for users, to what applications may do for them, and to withdraw that.
    WriteConsents,
    /// To change, delete or restore a group.
    WriteGroup(Tie),
    /// To say who is in a group, or owns it.
    WriteGroupLinks(Tie),
    /// To say by a rule who is in a group: asked besides the right over the group.
    WriteMembershipRule,
    /// To change an application that the caller owns, with its service principal.
    WriteOwnApplication,
    /// To make or change a group that directory roles may be given to: asked besides the right over groups.
    WriteRoleGroup(Tie),
    /// To give and take directory roles.
    WriteRoles,
    WriteServicePrincipals,
    WriteTokenLifetimePolicies,
}

/// What the caller is to a group, directly or through other groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tie {
    pub is_member: bool,
    pub is_owner: bool,
    /// Whether directory roles may be given to the group: then whoever manages groups does not manage this one.
    pub is_role_group: bool,
}

/// How far a granted operation reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub visibility: Visibility,
    changes: Vec<UserPart>,
}

impl Scope {
    /// Whether this part of the target user may be written.
    pub fn may_change(&self, part: UserPart) -> bool {
        self.changes.contains(&part) || self.changes.contains(&UserPart::Anything)
    }
}

/// How much of an object may be read. The order is that of the amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// What a guest sees of others. User: id, displayName, mail, userPrincipalName, userType. Organization:
    /// id, displayName, verifiedDomains.
    Limited,
    /// User (`User.ReadBasic.All`): id, displayName, givenName, surname, mail, userPrincipalName.
    /// Organization (`User.Read`): id, displayName, verifiedDomains.
    Basic,
    Full,
}

/// Parts of a user that permissions open separately (Graph: update user).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserPart {
    /// `accountEnabled`
    Account,
    /// Every property that can be written at all.
    Anything,
    /// What users maintain of themselves: `businessPhones`, `mobilePhone`, `preferredLanguage`.
    Contact,
    /// `identities`
    Identities,
    /// `otherMails`
    Mails,
}

/// Why an operation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// To be answered exactly like an object that does not exist (R23).
    NotVisible,
    RoleMissing,
    ScopeMissing,
}

impl Refused {
    /// Stable name for records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotVisible => "notVisible",
            Self::RoleMissing => "roleMissing",
            Self::ScopeMissing => "scopeMissing",
        }
    }
}

/// A permission that opens an operation, and how much it shows.
type Key = (&'static str, Visibility);

// One list serves applications and users: a permission that exists for one kind only cannot be held by the
// other. The first is the least.
const INVITE: &[Key] =
    &[full("User.Invite.All"), full("User.ReadWrite.All"), full("Directory.ReadWrite.All")];
const READ_USERS: &[Key] = &[
    ("User.ReadBasic.All", Visibility::Basic),
    full("User.Read.All"),
    full("User.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const READ_SELF: &[Key] = &[
    full("User.Read"),
    ("User.ReadBasic.All", Visibility::Basic),
    full("User.ReadWrite"),
    full("User.Read.All"),
    full("User.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const CREATE_USER: &[Key] = &[full("User.ReadWrite.All"), full("Directory.ReadWrite.All")];
const UPDATE_USER: &[Key] = &[
    full("User.EnableDisableAccount.All"),
    full("User.ManageIdentities.All"),
    full("User-Mail.ReadWrite.All"),
    full("User.ReadWrite.All"),
    full("Directory.ReadWrite.All"),
];
const UPDATE_SELF: &[Key] = &[
    full("User.ReadWrite"),
    full("User.EnableDisableAccount.All"),
    full("User.ManageIdentities.All"),
    full("User-Mail.ReadWrite.All"),
    full("User.ReadWrite.All"),
    full("Directory.ReadWrite.All"),
];
const DELETE_OR_RESTORE: &[Key] = &[full("User.DeleteRestore.All"), full("User.ReadWrite.All")];
const READ_DELETED: &[Key] = &[
    full("User.Read.All"),
    full("User.DeleteRestore.All"),
    full("User.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const READ_ORGANIZATION: &[Key] = &[
    ("User.Read", Visibility::Basic),
    ("User.Read.All", Visibility::Basic),
    full("Organization.Read.All"),
    full("Organization.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const UPDATE_ORGANIZATION: &[Key] = &[full("Organization.ReadWrite.All")];
const CREATE_TENANT: &[Key] = &[full("Organization.ReadWrite.All"), full("Directory.ReadWrite.All")];
const READ_POLICIES: &[Key] = &[full("Policy.Read.All"), full("Policy.ReadWrite.Authorization")];
const READ_CONSENT_REQUEST_POLICY: &[Key] =
    &[full("Policy.Read.All"), full("Policy.ReadWrite.ConsentRequest")];
const READ_CONSENT_REQUESTS: &[Key] =
    &[full("ConsentRequest.Read.All"), full("ConsentRequest.ReadWrite.All")];
const WRITE_CONSENT_REQUEST_POLICY: &[Key] = &[full("Policy.ReadWrite.ConsentRequest")];
const READ_TOKEN_LIFETIME_POLICIES: &[Key] =
    &[full("Policy.Read.All"), full("Policy.ReadWrite.ApplicationConfiguration")];
const WRITE_TOKEN_LIFETIME_POLICIES: &[Key] = &[full("Policy.ReadWrite.ApplicationConfiguration")];
const WRITE_AUTHORIZATION_POLICY: &[Key] = &[full("Policy.ReadWrite.Authorization")];
const READ_BRANDING: &[Key] = &[
    full("User.Read"),
    full("OrganizationalBranding.Read.All"),
    full("OrganizationalBranding.ReadWrite.All"),
    full("Organization.Read.All"),
    full("Organization.ReadWrite.All"),
];
const UPDATE_BRANDING: &[Key] =
    &[full("OrganizationalBranding.ReadWrite.All"), full("Organization.ReadWrite.All")];
const READ_DOMAINS: &[Key] = &[
    full("Domain.Read.All"),
    full("Domain.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const READ_GROUPS: &[Key] = &[
    ("Group.ReadBasic.All", Visibility::Basic),
    full("GroupMember.Read.All"),
    full("Group.Read.All"),
    full("GroupMember.ReadWrite.All"),
    full("Group.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const READ_GROUP_LINKS: &[Key] = &[
    full("GroupMember.Read.All"),
    full("Group.Read.All"),
    full("GroupMember.ReadWrite.All"),
    full("Group.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const READ_DELETED_GROUPS: &[Key] = &[
    full("Group.Read.All"),
    full("Group.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const CREATE_GROUP: &[Key] =
    &[full("Group.Create"), full("Group.ReadWrite.All"), full("Directory.ReadWrite.All")];
const WRITE_GROUP: &[Key] = &[full("Group.ReadWrite.All"), full("Directory.ReadWrite.All")];
const WRITE_GROUP_LINKS: &[Key] =
    &[full("GroupMember.ReadWrite.All"), full("Group.ReadWrite.All"), full("Directory.ReadWrite.All")];
const READ_ROLES: &[Key] = &[
    full("RoleManagement.Read.Directory"),
    full("RoleManagement.ReadWrite.Directory"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const WRITE_ROLES: &[Key] = &[full("RoleManagement.ReadWrite.Directory")];
const READ_APPLICATIONS: &[Key] = &[
    // COMPAT: whoever owns applications may see all of them, as on Graph (Graph: list applications).
    full("Application.ReadWrite.OwnedBy"),
    full("Application.Read.All"),
    full("Application.ReadWrite.All"),
    full("Directory.Read.All"),
    full("Directory.ReadWrite.All"),
];
const READ_OBJECTS: &[Key] = &[
    full("Directory.Read.All"),
    full("User.ReadBasic.All"),
    full("User.Read.All"),
    full("User.ReadWrite.All"),
    full("Group.ReadBasic.All"),
    full("GroupMember.Read.All"),
    full("Group.Read.All"),
    full("Group.ReadWrite.All"),
    full("Application.Read.All"),
    full("Application.ReadWrite.All"),
    full("Directory.ReadWrite.All"),
];
const READ_LOGS: &[Key] = &[full("AuditLog.Read.All")];
const FIND_ORGANIZATION: &[Key] = &[full("CrossTenantInformation.ReadBasic.All")];
const REVOKE_SESSIONS: &[Key] =
    &[full("User.RevokeSessions.All"), full("User.ReadWrite.All"), full("Directory.ReadWrite.All")];
const READ_ASSIGNMENTS: &[Key] =
    &[full("Directory.Read.All"), full("AppRoleAssignment.ReadWrite.All"), full("Directory.ReadWrite.All")];
const READ_CONSENTS: &[Key] = &[
    full("Directory.Read.All"),
    full("DelegatedPermissionGrant.ReadWrite.All"),
    full("Directory.ReadWrite.All"),
];
const WRITE_CONSENTS: &[Key] = &[full("DelegatedPermissionGrant.ReadWrite.All")];
const WRITE_APPLICATIONS: &[Key] = &[full("Application.ReadWrite.All")];
const WRITE_OWN_APPLICATION: &[Key] =
    &[full("Application.ReadWrite.OwnedBy"), full("Application.ReadWrite.All")];
const WRITE_SERVICE_PRINCIPALS: &[Key] =
    &[full("Application.ReadWrite.All"), full("Directory.ReadWrite.All")];

const fn full(permission: &'static str) -> Key {
    (permission, Visibility::Full)
}

const fn keys(operation: Operation, is_self: bool) -> &'static [Key] {
    match operation {
        Operation::CreateGroup => CREATE_GROUP,
        Operation::CreateTenant => CREATE_TENANT,
        Operation::CreateUser => CREATE_USER,
        Operation::DeleteUser(_) | Operation::PurgeDeleted | Operation::RestoreDeleted => DELETE_OR_RESTORE,
        Operation::FindOrganization => FIND_ORGANIZATION,
        Operation::InviteUser => INVITE,
        Operation::ListGroups | Operation::ReadGroup(_) => READ_GROUPS,
        Operation::ListUsers => READ_USERS,
        Operation::ReadApplications | Operation::ReadServicePrincipals => READ_APPLICATIONS,
        Operation::ReadAssignments(_) => READ_ASSIGNMENTS,
        Operation::ReadBranding => READ_BRANDING,
        Operation::ReadConsentRequestPolicy => READ_CONSENT_REQUEST_POLICY,
        Operation::ReadConsentRequests => READ_CONSENT_REQUESTS,
        Operation::ReadConsents(_) => READ_CONSENTS,
        Operation::ReadDeleted => READ_DELETED,
        Operation::ReadDeletedGroups => READ_DELETED_GROUPS,
        Operation::ReadDomains => READ_DOMAINS,
        Operation::ReadGroupLinks(_) => READ_GROUP_LINKS,
        Operation::ReadLogs => READ_LOGS,
        Operation::ReadMe => READ_SELF,
        Operation::ReadObjects => READ_OBJECTS,
        Operation::ReadOrganization => READ_ORGANIZATION,
        Operation::ReadPolicies => READ_POLICIES,
        Operation::ReadRoles => READ_ROLES,
        Operation::ReadTokenLifetimePolicies => READ_TOKEN_LIFETIME_POLICIES,
        Operation::ReadUser(_) if is_self => READ_SELF,
        Operation::ReadUser(_) => READ_USERS,
        Operation::RevokeSessions(_) => REVOKE_SESSIONS,
        Operation::UpdateBranding => UPDATE_BRANDING,
        Operation::UpdateOrganization => UPDATE_ORGANIZATION,
        Operation::UpdateUser(_) if is_self => UPDATE_SELF,
        Operation::UpdateUser(_) => UPDATE_USER,
        Operation::WriteApplications => WRITE_APPLICATIONS,
        Operation::WriteAuthorizationPolicy => WRITE_AUTHORIZATION_POLICY,
        Operation::WriteConsentRequestPolicy => WRITE_CONSENT_REQUEST_POLICY,
        Operation::WriteConsents => WRITE_CONSENTS,
        Operation::WriteGroup(_) => WRITE_GROUP,
        Operation::WriteGroupLinks(_) => WRITE_GROUP_LINKS,
        Operation::WriteMembershipRule => CREATE_GROUP,
        Operation::RegisterApplication | Operation::WriteOwnApplication => WRITE_OWN_APPLICATION,
        Operation::WriteRoleGroup(_) | Operation::WriteRoles => WRITE_ROLES,
        Operation::WriteServicePrincipals => WRITE_SERVICE_PRINCIPALS,
        Operation::WriteTokenLifetimePolicies => WRITE_TOKEN_LIFETIME_POLICIES,
    }
}

/// What a permission opens of a user who is updated; `None` for permissions that open nothing there.
fn part_of(permission: &str) -> Option<UserPart> {
    match permission {
        "Directory.ReadWrite.All" | "User.ReadWrite.All" => Some(UserPart::Anything),
        "User-Mail.ReadWrite.All" => Some(UserPart::Mails),
        "User.EnableDisableAccount.All" => Some(UserPart::Account),
        "User.ManageIdentities.All" => Some(UserPart::Identities),
        "User.ReadWrite" => Some(UserPart::Contact),
        _ => None,
    }
}

/// What the actor may do, whatever the application was granted.
enum Right {
    Everything,
    /// Only what users maintain of themselves.
    OwnContact,
    /// Only what a guest sees of others.
    SeeLimited,
}

/// A right with the rule that gives it, or a refusal with the rule that took it.
type Entitlement = Result<(Right, &'static str), (Refused, &'static str)>;

/// Decides one call. `target_roles` are the directory roles of the user that the operation changes; empty
/// where it changes none.
pub fn decide(
    viewer: &Viewer,
    operation: &Operation,
    target_roles: &[RoleTemplateId],
) -> Verdict<Scope, Refused> {
    let mut trace = Trace::new();
    let actor = &viewer.actor;
    if *actor == Actor::Operator {
        return operator(trace, *operation);
    }
    let is_self = is_self(actor, *operation);
    let is_hidden = is_hidden(actor, *operation, is_self);
    let refusal = |refused| if is_hidden { Refused::NotVisible } else { refused };
    let keys = keys(*operation, is_self);
    let held: Vec<&Key> = keys.iter().filter(|(permission, _)| holds(actor, permission)).collect();
    let Some(shown) = held.iter().map(|(_, visibility)| *visibility).max() else {
        let wanted = format!("needs {}", names(keys.iter()));
        return trace.refuse(refusal(Refused::ScopeMissing), Side::Client, "permission", wanted);
    };
    trace.passed(Side::Client, "permission", names(held.iter().copied()));
    let entitlement = match actor {
        Actor::Application { .. } => application_right(*operation, target_roles),
        Actor::Operator => Ok((Right::Everything, "operator")),
        Actor::User { user_type, directory_roles, without_role, .. } => {
            user_right(*user_type, directory_roles, *without_role, *operation, is_self, target_roles)
        }
    };
    let (right, rule) = match entitlement {
        Ok(given) => given,
        Err((refused, rule)) => return trace.refuse(refusal(refused), Side::ResourceTenant, rule, ""),
    };
    trace.passed(Side::ResourceTenant, rule, "");
    let changes = changes(*operation, &right, &held);
    if changes.is_empty() && matches!(operation, Operation::UpdateUser(_)) {
        // The application may change something, but not what this user may change.
        return trace.refuse(refusal(Refused::RoleMissing), Side::ResourceTenant, "directory-role", "");
    }
    let visibility = match right {
        Right::Everything | Right::OwnContact => shown,
        Right::SeeLimited => Visibility::Limited,
    };
    trace.grant(Scope { visibility, changes })
}

/// Whoever runs the server has its store and its keys, so nothing is kept from them but what only a person can be.
fn operator(mut trace: Trace, operation: Operation) -> Verdict<Scope, Refused> {
    if operation == Operation::ReadMe {
        return trace.refuse(Refused::ScopeMissing, Side::Client, "signed-in-user", "");
    }
    trace.passed(Side::ResourceTenant, "operator", "");
    trace.grant(Scope { visibility: Visibility::Full, changes: vec![UserPart::Anything] })
}

fn changes(operation: Operation, right: &Right, held: &[&Key]) -> Vec<UserPart> {
    let opened = held.iter().filter_map(|(permission, _)| part_of(permission));
    match (operation, right) {
        (Operation::CreateUser | Operation::UpdateUser(_), Right::Everything) => opened.collect(),
        (Operation::UpdateUser(_), Right::OwnContact) => opened
            .filter(|part| matches!(part, UserPart::Anything | UserPart::Contact))
            .map(|_| UserPart::Contact)
            .take(1)
            .collect(),
        _ => Vec::new(),
    }
}

fn application_right(operation: Operation, target_roles: &[RoleTemplateId]) -> Entitlement {
    match operation {
        // An application's token cannot stand for a person.
        Operation::ReadMe => Err((Refused::ScopeMissing, "signed-in-user")),
        // A tenant belongs to the person who made it.
        Operation::CreateTenant => Err((Refused::RoleMissing, "signed-in-user")),
        // Or whoever may manage users could reset an administrator and become one.
        _ if touches_user(operation) && !target_roles.is_empty() => {
            Err((Refused::RoleMissing, "target-role"))
        }
        _ => Ok((Right::Everything, "application")),
    }
}

fn user_right(
    user_type: UserType,
    directory_roles: &[RoleTemplateId],
    without_role: WithoutRole,
    operation: Operation,
    is_self: bool,
    target_roles: &[RoleTemplateId],
) -> Entitlement {
    let has = |allows: fn(RoleTemplateId) -> bool| directory_roles.iter().any(|held| allows(*held));
    let with_role = |allows: fn(RoleTemplateId) -> bool| match has(allows) {
        true => Ok((Right::Everything, "directory-role")),
        false => Err((Refused::RoleMissing, "directory-role")),
    };
    let level = without_role.guest_level;
    let is_reader = is_reader(user_type, directory_roles, level);
    match operation {
        Operation::InviteUser => Ok((Right::Everything, "asked-by-invitation")),
        Operation::ReadMe => Ok((Right::Everything, "own-object")),
        Operation::ReadAssignments(_)
        | Operation::ReadConsents(_)
        | Operation::ReadUser(_)
        | Operation::RevokeSessions(_)
            if is_self =>
        {
            Ok((Right::Everything, "own-object"))
        }
        Operation::ReadUser(_) if !is_reader && level == GuestLevel::Restricted => {
            Err((Refused::RoleMissing, "guest-level"))
        }
        Operation::ReadOrganization | Operation::ReadUser(_) if !is_reader => {
            Ok((Right::SeeLimited, "guest-level"))
        }
        Operation::ReadOrganization | Operation::ReadUser(_) => Ok((Right::Everything, "directory-reader")),
        // Names that anyone can look up, and what everybody sees at the sign-in page: every guest level includes them
        // (facts: b2b §6).
        Operation::FindOrganization | Operation::ReadBranding | Operation::ReadDomains => {
            Ok((Right::Everything, "open-to-all"))
        }
        // Guests see the groups they are in, and little of those; of the ids alone, which restricted guests see, speaks
        // [`Actor::sees_own_groups`] (facts: b2b §6).
        Operation::ReadGroup(_) | Operation::ReadGroupLinks(_) if is_reader => {
            Ok((Right::Everything, "directory-reader"))
        }
        Operation::ReadGroup(tie) | Operation::ReadGroupLinks(tie)
            if (tie.is_member || tie.is_owner) && level != GuestLevel::Restricted =>
        {
            Ok((Right::SeeLimited, "guest-level"))
        }
        Operation::ReadGroup(_) | Operation::ReadGroupLinks(_) => Err((Refused::RoleMissing, "guest-level")),
        // Whether the tenant lets members is asked where it is made.
        Operation::CreateTenant if user_type == UserType::Member => Ok((Right::Everything, "member")),
        Operation::CreateTenant => Err((Refused::RoleMissing, "guest-level")),
        Operation::ReadConsentRequestPolicy
        | Operation::ReadPolicies
        | Operation::ReadTokenLifetimePolicies
            if is_reader =>
        {
            Ok((Right::Everything, "directory-reader"))
        }
        Operation::ReadConsentRequestPolicy
        | Operation::ReadPolicies
        | Operation::ReadTokenLifetimePolicies => Err((Refused::RoleMissing, "guest-level")),
        Operation::CreateGroup if user_type == UserType::Member && without_role.can_create_groups => {
            Ok((Right::Everything, "member"))
        }
        Operation::CreateGroup => with_role(role::can_fill_groups),
        // Owning a thing gives a guest no rights over others (R24).
        Operation::WriteGroup(tie) | Operation::WriteGroupLinks(tie) | Operation::WriteRoleGroup(tie)
            if tie.is_owner && user_type == UserType::Member =>
        {
            Ok((Right::Everything, "owner"))
        }
        Operation::WriteGroup(tie) | Operation::WriteGroupLinks(tie) if tie.is_role_group => {
            with_role(role::can_manage_roles)
        }
        // Owning the group is not enough: by the members that a rule finds, its author reads every property of everybody (R23).
        Operation::WriteGroup(_) | Operation::WriteMembershipRule => with_role(role::can_manage_groups),
        Operation::WriteGroupLinks(_) => with_role(role::can_fill_groups),
        Operation::WriteRoleGroup(_) | Operation::WriteRoles => with_role(role::can_manage_roles),
        // These enumerate, and a guest may not.
        Operation::ListGroups if !is_reader => Err((Refused::RoleMissing, "guest-level")),
        Operation::ListGroups => Ok((Right::Everything, "directory-reader")),
        Operation::ListUsers
        | Operation::ReadApplications
        | Operation::ReadAssignments(_)
        | Operation::ReadConsents(_)
        | Operation::ReadObjects
        | Operation::ReadRoles
        | Operation::ReadServicePrincipals
            if !is_reader =>
        {
            Err((Refused::RoleMissing, "guest-level"))
        }
        Operation::ListUsers
        | Operation::ReadApplications
        | Operation::ReadAssignments(_)
        | Operation::ReadConsents(_)
        | Operation::ReadObjects
        | Operation::ReadRoles
        | Operation::ReadServicePrincipals => Ok((Right::Everything, "directory-reader")),
        Operation::ReadDeleted | Operation::ReadDeletedGroups => with_role(role::can_read_directory),
        Operation::CreateUser => with_role(role::can_manage_users),
        Operation::ReadLogs => with_role(role::can_read_logs),
        Operation::RevokeSessions(_) => with_role(role::can_revoke_sessions).and_then(|right| {
            let may = target_roles.is_empty() || has(is_global_administrator);
            if may { Ok(right) } else { Err((Refused::RoleMissing, "target-role")) }
        }),
        Operation::DeleteUser(_)
        | Operation::PurgeDeleted
        | Operation::RestoreDeleted
        | Operation::UpdateUser(_) => {
            let may_manage = with_role(role::can_manage_users).and_then(|right| {
                if target_roles.is_empty() || has(is_global_administrator) {
                    Ok(right)
                } else {
                    Err((Refused::RoleMissing, "target-role"))
                }
            });
            match operation {
                Operation::UpdateUser(_) if is_self => may_manage.or(Ok((Right::OwnContact, "own-contact"))),
                _ => may_manage,
            }
        }
        Operation::UpdateBranding
        | Operation::UpdateOrganization
        | Operation::WriteAuthorizationPolicy
        | Operation::WriteConsentRequestPolicy => with_role(is_global_administrator),
        // What people wrote to administrators is read by those (Graph: list appConsentRequests).
        Operation::ReadConsentRequests => with_role(role::can_read_consent_requests),
        Operation::WriteApplications
        | Operation::WriteServicePrincipals
        | Operation::WriteTokenLifetimePolicies => with_role(role::can_manage_applications),
        Operation::WriteConsents => with_role(role::can_consent_for_all),
        Operation::RegisterApplication
            if user_type == UserType::Member && without_role.can_register_applications =>
        {
            Ok((Right::Everything, "member"))
        }
        Operation::WriteOwnApplication if user_type == UserType::Member => Ok((Right::Everything, "member")),
        Operation::RegisterApplication | Operation::WriteOwnApplication => {
            with_role(role::can_register_applications)
        }
    }
}

fn is_global_administrator(role: RoleTemplateId) -> bool {
    role == role::GLOBAL_ADMINISTRATOR.id
}

/// Members may read the directory; a guest needs a role for it, or a tenant that shows guests as much.
fn is_reader(user_type: UserType, directory_roles: &[RoleTemplateId], level: GuestLevel) -> bool {
    user_type == UserType::Member
        || level == GuestLevel::Member
        || directory_roles.iter().any(|held| role::can_read_directory(*held))
}

fn is_self(actor: &Actor, operation: Operation) -> bool {
    match (actor, operation) {
        (
            Actor::User { user, .. },
            Operation::DeleteUser(target)
            | Operation::ReadAssignments(Some(target))
            | Operation::ReadConsents(Some(target))
            | Operation::ReadUser(target)
            | Operation::RevokeSessions(target)
            | Operation::UpdateUser(target),
        ) => *user == target,
        (Actor::User { .. }, Operation::ReadMe) => true,
        _ => false,
    }
}

/// Whether the operation changes one user that exists or existed.
const fn touches_user(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::DeleteUser(_)
            | Operation::PurgeDeleted
            | Operation::RestoreDeleted
            | Operation::UpdateUser(_)
    )
}

/// Whatever a guest may not do to another user is answered as if that user were not there (R23).
fn is_hidden(actor: &Actor, operation: Operation, is_self: bool) -> bool {
    let is_about_a_group = match operation {
        Operation::ReadGroup(tie)
        | Operation::ReadGroupLinks(tie)
        | Operation::WriteGroup(tie)
        | Operation::WriteGroupLinks(tie) => !tie.is_member && !tie.is_owner,
        _ => false,
    };
    let is_about_a_user =
        touches_user(operation) || matches!(operation, Operation::ReadUser(_) | Operation::RevokeSessions(_));
    let is_about_another = is_about_a_group || !is_self && is_about_a_user;
    match actor {
        Actor::Application { .. } | Actor::Operator => false,
        Actor::User { user_type, directory_roles, without_role, .. } => {
            is_about_another && !is_reader(*user_type, directory_roles, without_role.guest_level)
        }
    }
}

fn holds(actor: &Actor, permission: &str) -> bool {
    match actor {
        Actor::Application { roles: held, .. } | Actor::User { scopes: held, .. } => {
            held.iter().any(|held| held == permission)
        }
        Actor::Operator => true,
    }
}

fn names<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    keys.map(|(permission, _)| *permission).collect::<Vec<_>>().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::first_party::GRAPH_PERMISSIONS;
    use uuid::Uuid;

    const SELF: UserId = UserId::new(Uuid::from_u128(1));
    const OTHER: UserId = UserId::new(Uuid::from_u128(2));
    const TENANT: TenantId = TenantId::new(Uuid::from_u128(3));
    const APP: AppId = AppId::new(Uuid::from_u128(4));

    const GLOBAL: RoleTemplateId = role::GLOBAL_ADMINISTRATOR.id;
    const USERS: RoleTemplateId = role::USER_ADMINISTRATOR.id;
    const READER: RoleTemplateId = role::DIRECTORY_READERS.id;
    const APPS: RoleTemplateId = role::APPLICATION_ADMINISTRATOR.id;

    const NO_TIE: Tie = Tie { is_member: false, is_owner: false, is_role_group: false };
    const MEMBER_TIE: Tie = Tie { is_member: true, ..NO_TIE };
    const OWNER_TIE: Tie = Tie { is_owner: true, ..NO_TIE };
    const ROLE_GROUP: Tie = Tie { is_role_group: true, ..NO_TIE };
    const OWN_ROLE_GROUP: Tie = Tie { is_owner: true, ..ROLE_GROUP };

    const OPERATIONS: &[Operation] = &[
        Operation::RegisterApplication,
        Operation::ReadTokenLifetimePolicies,
        Operation::WriteTokenLifetimePolicies,
        Operation::ReadConsentRequestPolicy,
        Operation::ReadConsentRequests,
        Operation::WriteConsentRequestPolicy,
        Operation::ReadLogs,
        Operation::FindOrganization,
        Operation::ReadObjects,
        Operation::RevokeSessions(OTHER),
        Operation::RevokeSessions(SELF),
        Operation::ReadAssignments(None),
        Operation::ReadAssignments(Some(SELF)),
        Operation::ReadConsents(None),
        Operation::ReadConsents(Some(SELF)),
        Operation::WriteConsents,
        Operation::CreateTenant,
        Operation::ReadPolicies,
        Operation::WriteAuthorizationPolicy,
        Operation::CreateGroup,
        Operation::ReadDeletedGroups,
        Operation::ListGroups,
        Operation::ReadGroup(NO_TIE),
        Operation::ReadGroupLinks(NO_TIE),
        Operation::WriteGroup(NO_TIE),
        Operation::WriteGroupLinks(NO_TIE),
        Operation::WriteMembershipRule,
        Operation::WriteRoleGroup(NO_TIE),
        Operation::ReadRoles,
        Operation::WriteRoles,
        Operation::CreateUser,
        Operation::DeleteUser(OTHER),
        Operation::DeleteUser(SELF),
        Operation::InviteUser,
        Operation::ListUsers,
        Operation::PurgeDeleted,
        Operation::ReadApplications,
        Operation::ReadBranding,
        Operation::ReadDeleted,
        Operation::ReadDomains,
        Operation::ReadMe,
        Operation::ReadOrganization,
        Operation::ReadServicePrincipals,
        Operation::ReadUser(OTHER),
        Operation::ReadUser(SELF),
        Operation::RestoreDeleted,
        Operation::UpdateBranding,
        Operation::UpdateOrganization,
        Operation::UpdateUser(OTHER),
        Operation::WriteApplications,
        Operation::WriteOwnApplication,
        Operation::WriteServicePrincipals,
    ];

    fn person(user_type: UserType, directory_roles: &[RoleTemplateId], permission: &str) -> Viewer {
        let scopes = vec![permission.to_owned()];
        let directory_roles = directory_roles.to_vec();
        let is_external = user_type == UserType::Guest;
        let without_role = WithoutRole::default();
        let actor = Actor::User {
            user: SELF,
            user_type,
            is_external,
            directory_roles,
            without_role,
            app_id: APP,
            scopes,
        };
        Viewer { tenant: TENANT, actor }
    }
    fn member(permission: &str) -> Viewer {
        person(UserType::Member, &[], permission)
    }
    fn guest(permission: &str) -> Viewer {
        person(UserType::Guest, &[], permission)
    }
    fn admin(role: RoleTemplateId, permission: &str) -> Viewer {
        person(UserType::Member, &[role], permission)
    }
    fn daemon(permission: &str) -> Viewer {
        let service_principal = ServicePrincipalId::new(Uuid::from_u128(5));
        let roles = vec![permission.to_owned()];
        Viewer { tenant: TENANT, actor: Actor::Application { app_id: APP, service_principal, roles } }
    }

    #[test]
    fn the_operator_may_do_everything_but_be_a_person() {
        let operator = Viewer { tenant: TENANT, actor: Actor::Operator };
        for operation in OPERATIONS.iter().copied() {
            let granted = decide(&operator, &operation, &[GLOBAL]).into_result().is_ok();
            assert_eq!(granted, operation != Operation::ReadMe, "{operation:?}");
        }
    }

    /// The verdict in one word.
    fn answer(viewer: &Viewer, operation: Operation) -> String {
        answer_about(viewer, operation, &[])
    }
    fn answer_about(viewer: &Viewer, operation: Operation, target_roles: &[RoleTemplateId]) -> String {
        match decide(viewer, &operation, target_roles).into_result() {
            Ok(scope) => format!("{:?}", scope.visibility),
            Err(refused) => format!("{refused:?}"),
        }
    }

    /// Answers, with one permission, to: a member without it, a member, a guest, a global administrator, an
    /// application without a user, an application without it.
    fn row(operation: Operation, permission: &str) -> [String; 6] {
        [
            member("email"),
            member(permission),
            guest(permission),
            admin(GLOBAL, permission),
            daemon(permission),
            daemon("email"),
        ]
        .map(|viewer| answer(&viewer, operation))
    }

    const DENIED: &str = "RoleMissing";
    const HIDDEN: &str = "NotVisible";
    const SHUT: &str = "ScopeMissing";

    #[test]
    fn r23_a_guest_sees_only_the_groups_they_are_in() {
        assert_eq!(
            row(Operation::ListGroups, "Group.Read.All"),
            [SHUT, "Full", DENIED, "Full", "Full", SHUT]
        );
        for (read, hidden) in
            [(Operation::ReadGroup(NO_TIE), HIDDEN), (Operation::ReadGroupLinks(NO_TIE), HIDDEN)]
        {
            assert_eq!(row(read, "Group.Read.All"), [SHUT, "Full", hidden, "Full", "Full", SHUT]);
        }
        let seen = row(Operation::ReadGroup(MEMBER_TIE), "Group.Read.All");
        assert_eq!(seen, [SHUT, "Full", "Limited", "Full", "Full", SHUT]);
        assert_eq!(answer(&member("Group.ReadBasic.All"), Operation::ReadGroupLinks(NO_TIE)), SHUT);
    }

    #[test]
    fn r24_owning_a_group_gives_rights_to_members_only() {
        let write = |tie| row(Operation::WriteGroup(tie), "Group.ReadWrite.All");
        assert_eq!(write(NO_TIE), [SHUT, DENIED, HIDDEN, "Full", "Full", SHUT]);
        assert_eq!(write(OWNER_TIE), [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
        assert_eq!(row(Operation::CreateGroup, "Group.Create"), [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
    }

    #[test]
    fn r23_who_may_not_read_everything_of_everybody_writes_no_rule() {
        let write = row(Operation::WriteMembershipRule, "Group.ReadWrite.All");
        assert_eq!(write, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
        let groups = admin(role::GROUPS_ADMINISTRATOR.id, "Group.ReadWrite.All");
        assert_eq!(answer(&groups, Operation::WriteMembershipRule), "Full");
    }

    #[test]
    fn r24_roles_are_given_by_role_administrators_of_this_tenant_only() {
        const ROLES: RoleTemplateId = role::PRIVILEGED_ROLE_ADMINISTRATOR.id;
        let permission = "RoleManagement.ReadWrite.Directory";
        for operation in [Operation::WriteRoles, Operation::WriteRoleGroup(ROLE_GROUP)] {
            assert_eq!(row(operation, permission), [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
            assert_eq!(answer(&admin(USERS, permission), operation), DENIED);
            assert_eq!(answer(&admin(ROLES, permission), operation), "Full");
            assert_eq!(answer(&daemon("RoleManagement.Read.Directory"), operation), SHUT);
        }
        for permission in ["RoleManagement.Read.Directory", permission, "Directory.Read.All"] {
            let read = row(Operation::ReadRoles, permission);
            assert_eq!(read, [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
        }
    }

    #[test]
    fn r24_who_manages_groups_does_not_manage_those_that_give_roles() {
        const GROUPS: RoleTemplateId = role::GROUPS_ADMINISTRATOR.id;
        const ROLES: RoleTemplateId = role::PRIVILEGED_ROLE_ADMINISTRATOR.id;
        for operation in [Operation::WriteGroup, Operation::WriteGroupLinks] {
            let ask = |role, tie| answer(&admin(role, "Group.ReadWrite.All"), operation(tie));
            assert_eq!([ask(GROUPS, NO_TIE), ask(GROUPS, ROLE_GROUP)], ["Full", DENIED]);
            assert_eq!([ask(ROLES, NO_TIE), ask(ROLES, ROLE_GROUP)], [DENIED, "Full"]);
        }
        let own = Operation::WriteRoleGroup(OWN_ROLE_GROUP);
        assert_eq!(answer(&member("RoleManagement.ReadWrite.Directory"), own), "Full");
        assert_eq!(answer(&guest("RoleManagement.ReadWrite.Directory"), own), DENIED);
    }

    #[test]
    fn r23_a_guest_sees_only_what_binds_or_is_held_by_themselves() {
        for permission in ["Directory.Read.All", "Directory.ReadWrite.All"] {
            for (all, own) in [
                (Operation::ReadAssignments(None), Operation::ReadAssignments(Some(SELF))),
                (Operation::ReadConsents(None), Operation::ReadConsents(Some(SELF))),
                (Operation::ReadConsents(Some(OTHER)), Operation::ReadConsents(Some(SELF))),
            ] {
                assert_eq!(row(all, permission), [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
                assert_eq!(answer(&guest(permission), own), "Full");
            }
        }
    }

    #[test]
    fn r36_agreeing_for_others_needs_an_administrator_who_may() {
        let permission = "DelegatedPermissionGrant.ReadWrite.All";
        let answers = row(Operation::WriteConsents, permission);
        assert_eq!(answers, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
        assert_eq!(answer(&admin(APPS, permission), Operation::WriteConsents), "Full");
        assert_eq!(answer(&admin(USERS, permission), Operation::WriteConsents), DENIED);
        assert_eq!(answer(&daemon("Directory.ReadWrite.All"), Operation::WriteConsents), SHUT);
    }

    #[test]
    fn r24_sessions_are_ended_by_their_user_or_by_an_administrator_here() {
        let (own, other) = (Operation::RevokeSessions(SELF), Operation::RevokeSessions(OTHER));
        for permission in ["User.RevokeSessions.All", "User.ReadWrite.All"] {
            assert_eq!(row(other, permission), [SHUT, DENIED, HIDDEN, "Full", "Full", SHUT]);
            assert_eq!(answer(&guest(permission), own), "Full");
            assert_eq!(answer(&admin(USERS, permission), other), "Full");
            assert_eq!(answer_about(&admin(USERS, permission), other, &[GLOBAL]), DENIED);
            assert_eq!(answer_about(&admin(GLOBAL, permission), other, &[USERS]), "Full");
            // What answers an incident must reach administrators, too.
            assert_eq!(answer_about(&daemon(permission), other, &[GLOBAL]), "Full");
        }
    }

    #[test]
    fn logs_are_read_by_those_whose_office_it_is() {
        let answers = row(Operation::ReadLogs, "AuditLog.Read.All");
        assert_eq!(answers, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
        for reader in [role::GLOBAL_READER, role::SECURITY_ADMINISTRATOR, role::SECURITY_READER] {
            assert_eq!(answer(&admin(reader.id, "AuditLog.Read.All"), Operation::ReadLogs), "Full");
            assert_eq!(answer(&admin(reader.id, "User.Read.All"), Operation::ReadLogs), "ScopeMissing");
        }
        assert_eq!(answer(&admin(USERS, "AuditLog.Read.All"), Operation::ReadLogs), DENIED);
    }

    #[test]
    fn r23_a_guest_asks_for_no_objects_by_their_ids() {
        for permission in ["Directory.Read.All", "User.Read.All", "Application.Read.All"] {
            let answers = row(Operation::ReadObjects, permission);
            assert_eq!(answers, [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
        }
    }

    #[test]
    fn r24_only_members_make_tenants_and_only_global_administrators_change_policies() {
        let create = row(Operation::CreateTenant, "Organization.ReadWrite.All");
        assert_eq!(create, [SHUT, "Full", DENIED, "Full", DENIED, SHUT]);
        let read = row(Operation::ReadPolicies, "Policy.Read.All");
        assert_eq!(read, [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
        let write = row(Operation::WriteAuthorizationPolicy, "Policy.ReadWrite.Authorization");
        assert_eq!(write, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
    }

    #[test]
    fn r24_requests_for_approval_are_read_by_administrators_of_applications() {
        const POLICY: &str = "Policy.ReadWrite.ConsentRequest";
        let write = row(Operation::WriteConsentRequestPolicy, POLICY);
        assert_eq!(write, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
        let read = row(Operation::ReadConsentRequestPolicy, POLICY);
        assert_eq!(read, [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
        for permission in ["ConsentRequest.Read.All", "ConsentRequest.ReadWrite.All"] {
            let read = row(Operation::ReadConsentRequests, permission);
            assert_eq!(read, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
            assert_eq!(answer(&admin(APPS, permission), Operation::ReadConsentRequests), "Full");
            assert_eq!(answer(&admin(USERS, permission), Operation::ReadConsentRequests), DENIED);
        }
    }

    #[test]
    fn r24_token_lifetimes_are_set_by_administrators_of_applications() {
        const POLICY: &str = "Policy.ReadWrite.ApplicationConfiguration";
        let write = row(Operation::WriteTokenLifetimePolicies, POLICY);
        assert_eq!(write, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
        assert_eq!(answer(&admin(APPS, POLICY), Operation::WriteTokenLifetimePolicies), "Full");
        assert_eq!(answer(&admin(USERS, POLICY), Operation::WriteTokenLifetimePolicies), DENIED);
        assert_eq!(answer(&daemon("Policy.Read.All"), Operation::WriteTokenLifetimePolicies), SHUT);
        for permission in ["Policy.Read.All", POLICY] {
            let read = row(Operation::ReadTokenLifetimePolicies, permission);
            assert_eq!(read, [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
            let reader = person(UserType::Guest, &[READER], permission);
            assert_eq!(answer(&reader, Operation::ReadTokenLifetimePolicies), "Full");
        }
    }

    #[test]
    fn inviting_needs_only_the_permission_here() {
        for permission in ["User.Invite.All", "User.ReadWrite.All", "Directory.ReadWrite.All"] {
            assert_eq!(row(Operation::InviteUser, permission), [SHUT, "Full", "Full", "Full", "Full", SHUT]);
        }
    }

    #[test]
    fn r23_a_guest_does_not_list_users() {
        for permission in
            ["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]
        {
            assert_eq!(row(Operation::ListUsers, permission), [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
        }
        let basic = row(Operation::ListUsers, "User.ReadBasic.All");
        assert_eq!(basic, [SHUT, "Basic", DENIED, "Basic", "Basic", SHUT]);
        assert_eq!(answer(&member("User.Read"), Operation::ListUsers), SHUT);
    }

    #[test]
    fn r23_a_guest_sees_little_of_another_user() {
        let other = Operation::ReadUser(OTHER);
        assert_eq!(row(other, "User.Read.All"), [SHUT, "Full", "Limited", "Full", "Full", SHUT]);
        assert_eq!(row(other, "User.ReadBasic.All"), [SHUT, "Basic", "Limited", "Basic", "Basic", SHUT]);
        assert_eq!(answer(&person(UserType::Guest, &[READER], "User.Read.All"), other), "Full");
    }

    #[test]
    fn r23_a_guest_sees_itself() {
        let own = Operation::ReadUser(SELF);
        assert_eq!(row(own, "User.Read.All"), [SHUT, "Full", "Full", "Full", "Full", SHUT]);
        for viewer in [member("User.Read"), guest("User.Read"), guest("User.ReadWrite")] {
            assert_eq!(answer(&viewer, own), "Full");
            assert_eq!(answer(&viewer, Operation::ReadMe), "Full");
        }
        assert_eq!(answer(&member("User.ReadBasic.All"), own), "Basic");
    }

    #[test]
    fn r23_what_a_guest_may_not_do_to_another_user_looks_like_not_found() {
        for operation in
            [Operation::ReadUser(OTHER), Operation::UpdateUser(OTHER), Operation::DeleteUser(OTHER)]
        {
            assert_eq!(answer(&guest("User.Read"), operation), HIDDEN);
            assert_eq!(answer_about(&guest("User.Read"), operation, &[GLOBAL]), HIDDEN);
        }
        for operation in
            [Operation::UpdateUser(OTHER), Operation::DeleteUser(OTHER), Operation::RestoreDeleted]
        {
            assert_eq!(answer(&guest("User.ReadWrite.All"), operation), HIDDEN);
        }
    }

    #[test]
    fn me_is_a_signed_in_user() {
        let with_own_scope = row(Operation::ReadMe, "User.Read");
        assert_eq!(with_own_scope, [SHUT, "Full", "Full", "Full", SHUT, SHUT]);
        assert_eq!(answer(&daemon("Directory.ReadWrite.All"), Operation::ReadMe), SHUT);
        assert_eq!(answer(&member("User.ReadBasic.All"), Operation::ReadMe), "Basic");
    }

    #[test]
    fn r24_creating_a_user_needs_an_administrator_of_this_tenant() {
        for permission in ["User.ReadWrite.All", "Directory.ReadWrite.All"] {
            assert_eq!(row(Operation::CreateUser, permission), [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
        }
        assert_eq!(answer(&admin(USERS, "User.ReadWrite.All"), Operation::CreateUser), "Full");
        assert_eq!(answer(&admin(READER, "User.ReadWrite.All"), Operation::CreateUser), DENIED);
    }

    #[test]
    fn r24_changing_another_user_needs_an_administrator_of_this_tenant() {
        let other = Operation::UpdateUser(OTHER);
        assert_eq!(row(other, "User.ReadWrite.All"), [SHUT, DENIED, HIDDEN, "Full", "Full", SHUT]);
        assert_eq!(answer(&admin(GLOBAL, "User.ReadWrite"), other), SHUT);
    }

    fn changes(viewer: &Viewer, operation: Operation) -> Vec<UserPart> {
        decide(viewer, &operation, &[]).into_result().unwrap().changes
    }

    #[test]
    fn users_change_their_own_contact_properties_only() {
        for viewer in [
            member("User.ReadWrite"),
            guest("User.ReadWrite"),
            admin(GLOBAL, "User.ReadWrite"),
            member("User.ReadWrite.All"),
        ] {
            assert_eq!(changes(&viewer, Operation::UpdateUser(SELF)), [UserPart::Contact]);
        }
        assert_eq!(
            changes(&admin(GLOBAL, "User.ReadWrite.All"), Operation::UpdateUser(SELF)),
            [UserPart::Anything]
        );
        assert_eq!(answer(&member("User.EnableDisableAccount.All"), Operation::UpdateUser(SELF)), DENIED);
        assert_eq!(answer(&member("User.Read"), Operation::UpdateUser(SELF)), SHUT);
    }

    #[test]
    fn a_user_administrator_who_holds_a_role_changes_its_own_contact_properties_only() {
        let viewer = admin(USERS, "User.ReadWrite.All");
        let verdict = decide(&viewer, &Operation::UpdateUser(SELF), &[USERS]);
        assert_eq!(verdict.into_result().unwrap().changes, [UserPart::Contact]);
    }

    #[test]
    fn a_narrow_permission_opens_its_part_only() {
        for (permission, part) in [
            ("User.EnableDisableAccount.All", UserPart::Account),
            ("User.ManageIdentities.All", UserPart::Identities),
            ("User-Mail.ReadWrite.All", UserPart::Mails),
        ] {
            for viewer in [daemon(permission), admin(USERS, permission)] {
                let scope = decide(&viewer, &Operation::UpdateUser(OTHER), &[]).into_result().unwrap();
                assert!(scope.may_change(part) && !scope.may_change(UserPart::Contact));
                assert!(!scope.may_change(UserPart::Anything));
            }
            assert_eq!(answer(&member(permission), Operation::UpdateUser(OTHER)), DENIED);
        }
    }

    #[test]
    fn only_a_global_administrator_changes_users_who_hold_roles() {
        for operation in [
            Operation::DeleteUser(OTHER),
            Operation::PurgeDeleted,
            Operation::RestoreDeleted,
            Operation::UpdateUser(OTHER),
        ] {
            let ask = |viewer: &Viewer, held: &[RoleTemplateId]| answer_about(viewer, operation, held);
            assert_eq!(ask(&admin(USERS, "User.ReadWrite.All"), &[]), "Full");
            assert_eq!(ask(&admin(USERS, "User.ReadWrite.All"), &[READER]), DENIED);
            assert_eq!(ask(&admin(GLOBAL, "User.ReadWrite.All"), &[GLOBAL]), "Full");
            assert_eq!(ask(&daemon("User.ReadWrite.All"), &[GLOBAL]), DENIED);
        }
    }

    #[test]
    fn deleting_needs_an_administrator() {
        for permission in ["User.DeleteRestore.All", "User.ReadWrite.All"] {
            let other = row(Operation::DeleteUser(OTHER), permission);
            assert_eq!(other, [SHUT, DENIED, HIDDEN, "Full", "Full", SHUT]);
            let own = row(Operation::DeleteUser(SELF), permission);
            assert_eq!(own[..4], [SHUT, DENIED, DENIED, "Full"]);
        }
        assert_eq!(answer(&daemon("Directory.ReadWrite.All"), Operation::DeleteUser(OTHER)), SHUT);
    }

    #[test]
    fn deleted_users_are_seen_by_directory_roles_only() {
        for permission in
            ["User.Read.All", "User.DeleteRestore.All", "User.ReadWrite.All", "Directory.Read.All"]
        {
            assert_eq!(row(Operation::ReadDeleted, permission), [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
        }
        assert_eq!(answer(&admin(READER, "User.Read.All"), Operation::ReadDeleted), "Full");
    }

    #[test]
    fn restoring_and_purging_need_an_administrator() {
        for operation in [Operation::RestoreDeleted, Operation::PurgeDeleted] {
            for permission in ["User.DeleteRestore.All", "User.ReadWrite.All"] {
                assert_eq!(row(operation, permission), [SHUT, DENIED, HIDDEN, "Full", "Full", SHUT]);
            }
            assert_eq!(answer(&admin(READER, "User.DeleteRestore.All"), operation), DENIED);
        }
    }

    #[test]
    fn the_organization_shows_its_name_to_everyone_and_the_rest_to_readers() {
        let ask = |permission| row(Operation::ReadOrganization, permission);
        assert_eq!(ask("Organization.Read.All"), [SHUT, "Full", "Limited", "Full", "Full", SHUT]);
        assert_eq!(ask("User.Read.All"), [SHUT, "Basic", "Limited", "Basic", "Basic", SHUT]);
        assert_eq!(answer(&member("User.Read"), Operation::ReadOrganization), "Basic");
    }

    #[test]
    fn changing_the_organization_needs_a_global_administrator() {
        let operation = Operation::UpdateOrganization;
        assert_eq!(
            row(operation, "Organization.ReadWrite.All"),
            [SHUT, DENIED, DENIED, "Full", "Full", SHUT]
        );
        assert_eq!(answer(&admin(USERS, "Organization.ReadWrite.All"), operation), DENIED);
    }

    #[test]
    fn branding_is_read_by_all_and_changed_by_global_administrators() {
        for permission in ["OrganizationalBranding.ReadWrite.All", "Organization.ReadWrite.All"] {
            let full = [SHUT, "Full", "Full", "Full", "Full", SHUT];
            assert_eq!(row(Operation::ReadBranding, permission), full);
            let update = row(Operation::UpdateBranding, permission);
            assert_eq!(update, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
            assert_eq!(answer(&admin(USERS, permission), Operation::UpdateBranding), DENIED);
        }
        for permission in ["OrganizationalBranding.Read.All", "Organization.Read.All", "User.Read"] {
            assert_eq!(answer(&guest(permission), Operation::ReadBranding), "Full");
            assert_eq!(answer(&admin(GLOBAL, permission), Operation::UpdateBranding), SHUT);
        }
    }

    #[test]
    fn domains_are_open_to_guests() {
        for permission in ["Domain.Read.All", "Domain.ReadWrite.All", "Directory.Read.All"] {
            assert_eq!(row(Operation::ReadDomains, permission), [SHUT, "Full", "Full", "Full", "Full", SHUT]);
        }
    }

    #[test]
    fn r23_a_guest_does_not_enumerate_applications() {
        for operation in [Operation::ReadApplications, Operation::ReadServicePrincipals] {
            for permission in ["Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"] {
                assert_eq!(row(operation, permission), [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
            }
            assert_eq!(answer(&daemon("Application.ReadWrite.OwnedBy"), operation), "Full");
        }
    }

    #[test]
    fn writing_applications_needs_an_application_administrator() {
        for operation in [Operation::WriteApplications, Operation::WriteServicePrincipals] {
            let answers = row(operation, "Application.ReadWrite.All");
            assert_eq!(answers, [SHUT, DENIED, DENIED, "Full", "Full", SHUT]);
            assert_eq!(answer(&admin(APPS, "Application.ReadWrite.All"), operation), "Full");
            assert_eq!(answer(&admin(USERS, "Application.ReadWrite.All"), operation), DENIED);
            assert_eq!(answer(&daemon("Application.ReadWrite.OwnedBy"), operation), SHUT);
        }
        assert_eq!(answer(&daemon("Directory.ReadWrite.All"), Operation::WriteServicePrincipals), "Full");
        assert_eq!(answer(&daemon("Directory.ReadWrite.All"), Operation::WriteApplications), SHUT);
    }

    #[test]
    fn r24_a_guest_registers_no_application() {
        for operation in [Operation::RegisterApplication, Operation::WriteOwnApplication] {
            let answers = row(operation, "Application.ReadWrite.All");
            assert_eq!(answers, [SHUT, "Full", DENIED, "Full", "Full", SHUT]);
            assert_eq!(answer(&daemon("Application.ReadWrite.OwnedBy"), operation), "Full");
        }
    }

    /// The same person where the tenant set something else for those without a role.
    fn under(viewer: Viewer, set: WithoutRole) -> Viewer {
        let Actor::User { user, user_type, is_external, directory_roles, app_id, scopes, .. } = viewer.actor
        else {
            panic!("a person");
        };
        let actor =
            Actor::User { user, user_type, is_external, directory_roles, without_role: set, app_id, scopes };
        Viewer { tenant: viewer.tenant, actor }
    }
    fn at_level(guest_level: GuestLevel, viewer: Viewer) -> Viewer {
        under(viewer, WithoutRole { guest_level, ..WithoutRole::default() })
    }

    #[test]
    fn r23_a_guest_sees_what_the_level_shows() {
        let in_group = Operation::ReadGroup(MEMBER_TIE);
        for (operation, permission, limited, restricted) in [
            (Operation::ListUsers, "User.Read.All", DENIED, DENIED),
            (Operation::ReadUser(OTHER), "User.Read.All", "Limited", HIDDEN),
            (Operation::ReadUser(SELF), "User.Read.All", "Full", "Full"),
            (Operation::ReadMe, "User.Read", "Full", "Full"),
            (Operation::ListGroups, "Group.Read.All", DENIED, DENIED),
            (in_group, "Group.Read.All", "Limited", DENIED),
            (Operation::ReadGroupLinks(MEMBER_TIE), "Group.Read.All", "Limited", DENIED),
            (Operation::ReadGroup(NO_TIE), "Group.Read.All", HIDDEN, HIDDEN),
            (Operation::ReadApplications, "Application.Read.All", DENIED, DENIED),
            (Operation::ReadPolicies, "Policy.Read.All", DENIED, DENIED),
        ] {
            let of = |level| answer(&at_level(level, guest(permission)), operation);
            assert_eq!(of(GuestLevel::Limited), limited, "{operation:?}");
            assert_eq!(of(GuestLevel::Restricted), restricted, "{operation:?}");
            assert_eq!(of(GuestLevel::Member), answer(&member(permission), operation), "{operation:?}");
            // A role goes before the level; members have none.
            let reader = person(UserType::Guest, &[READER], permission);
            assert_eq!(answer(&at_level(GuestLevel::Restricted, reader), operation), "Full");
            let at_home = at_level(GuestLevel::Restricted, member(permission));
            assert_eq!(answer(&at_home, operation), answer(&member(permission), operation));
        }
        let name = answer(
            &at_level(GuestLevel::Restricted, guest("Organization.Read.All")),
            Operation::ReadOrganization,
        );
        assert_eq!(name, "Limited");
    }

    #[test]
    fn r24_a_guest_who_sees_what_members_see_writes_no_more() {
        for (operation, permission) in [
            (Operation::CreateGroup, "Group.ReadWrite.All"),
            (Operation::CreateTenant, "Organization.ReadWrite.All"),
            (Operation::CreateUser, "User.ReadWrite.All"),
            (Operation::UpdateUser(OTHER), "User.ReadWrite.All"),
            (Operation::WriteGroup(OWNER_TIE), "Group.ReadWrite.All"),
            (Operation::RegisterApplication, "Application.ReadWrite.All"),
            (Operation::WriteOwnApplication, "Application.ReadWrite.All"),
        ] {
            let answer = answer(&at_level(GuestLevel::Member, guest(permission)), operation);
            assert_eq!(answer, DENIED, "{operation:?}");
        }
    }

    #[test]
    fn members_make_groups_and_applications_unless_the_tenant_keeps_that_for_roles() {
        let set = WithoutRole {
            can_create_groups: false,
            can_register_applications: false,
            ..WithoutRole::default()
        };
        for (operation, permission, role) in [
            (Operation::CreateGroup, "Group.ReadWrite.All", role::GROUPS_ADMINISTRATOR.id),
            (Operation::RegisterApplication, "Application.ReadWrite.All", role::APPLICATION_DEVELOPER.id),
        ] {
            assert_eq!(answer(&member(permission), operation), "Full");
            assert_eq!(answer(&under(member(permission), set), operation), DENIED);
            assert_eq!(answer(&under(admin(role, permission), set), operation), "Full");
        }
        // What somebody owns stays theirs.
        let own = under(member("Application.ReadWrite.All"), set);
        assert_eq!(answer(&own, Operation::WriteOwnApplication), "Full");
    }

    #[test]
    fn r24_a_role_that_is_not_known_here_gives_no_right() {
        let foreign = RoleTemplateId::new(Uuid::from_u128(99));
        for operation in [Operation::CreateUser, Operation::UpdateOrganization, Operation::WriteApplications]
        {
            let keys = keys(operation, false);
            assert_eq!(answer(&admin(foreign, keys[0].0), operation), DENIED);
        }
        assert_eq!(
            answer(&person(UserType::Guest, &[foreign], "User.Read.All"), Operation::ListUsers),
            DENIED
        );
    }

    #[test]
    fn r24_an_external_member_has_a_members_rights() {
        let mut viewer = member("User.Read.All");
        if let Actor::User { is_external, .. } = &mut viewer.actor {
            *is_external = true;
        }
        assert_eq!(answer(&viewer, Operation::ListUsers), "Full");
    }

    #[test]
    fn every_permission_asked_for_can_be_granted() {
        for operation in OPERATIONS.iter().copied() {
            for is_self in [false, true] {
                for (permission, _) in keys(operation, is_self) {
                    assert!(GRAPH_PERMISSIONS.iter().any(|known| known.value == *permission), "{permission}");
                }
            }
        }
    }

    #[test]
    fn without_any_permission_nothing_is_granted() {
        for operation in OPERATIONS {
            for viewer in [member("email"), guest("email"), admin(GLOBAL, "email"), daemon("email")] {
                assert!(decide(&viewer, operation, &[]).into_result().is_err(), "{operation:?}");
            }
        }
    }

    #[test]
    fn refusals_say_which_permission_or_right_was_missing() {
        let verdict = decide(&member("email"), &Operation::CreateUser, &[]);
        assert_eq!(verdict.trace().summary(), "!permission");
        assert_eq!(
            verdict.trace().findings()[0].detail,
            "needs User.ReadWrite.All / Directory.ReadWrite.All"
        );
        let verdict = decide(&admin(USERS, "User.ReadWrite.All"), &Operation::UpdateUser(OTHER), &[GLOBAL]);
        assert_eq!(verdict.trace().summary(), "permission !target-role");
        let verdict = decide(&guest("User.Read.All"), &Operation::ReadUser(OTHER), &[]);
        assert_eq!(verdict.trace().summary(), "permission guest-level");
    }
}
