//! Groups: assigned members and owners of a tenant (Graph: group; facts: graph §4, limits §2).

use crate::directory::change::ChangeRefusal;
use crate::id::GroupId;
use crate::tenancy::tenant::Tenant;
use crate::time::Timestamp;

/// A group as the directory shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    pub display_name: String,
    pub description: Option<String>,
    pub mail_nickname: String,
    /// Of a Microsoft 365 group; nothing here delivers to it.
    pub mail: Option<String>,
    pub is_security_enabled: bool,
    /// `groupTypes` holds `Unified`: a Microsoft 365 group, which is mail-enabled, and no other is.
    pub is_unified: bool,
    /// Whether directory roles may be given to it; settled at creation.
    pub is_role_assignable: bool,
    pub visibility: Option<GroupVisibility>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

/// Who may see and join a group. Graph's third, `HiddenMembership`, is refused: nothing here would hide the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupVisibility {
    Private,
    Public,
}

impl GroupVisibility {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "Private",
            Self::Public => "Public",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Private, Self::Public]
            .into_iter()
            .find(|visibility| visibility.as_str().eq_ignore_ascii_case(text))
    }
}

/// What links a group to other objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Member,
    Owner,
}

/// Kinds of object that stand in relations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkedKind {
    /// A registration: owned, and in no group.
    Application,
    Group,
    ServicePrincipal,
    User,
}

/// Groups that roles can be given to, in one tenant at most (facts: limits §2).
pub const ROLE_GROUPS: i64 = 500;
/// Members added by one PATCH at most (facts: limits §2).
pub const ADDED_AT_ONCE: usize = 20;

/// One property and its new value, its type settled by whoever read the wire.
#[derive(Clone, Debug)]
pub enum Change {
    Description(Option<String>),
    DisplayName(Option<String>),
    IsMailEnabled(Option<bool>),
    IsRoleAssignable(Option<bool>),
    IsSecurityEnabled(Option<bool>),
    MailNickname(Option<String>),
    /// `groupTypes`
    Types(Vec<String>),
    Visibility(Option<String>),
}

/// Makes a group of what was asked; everything is checked together, because one property limits another.
pub fn create(
    changes: &[Change],
    id: GroupId,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Group, ChangeRefusal> {
    let mut group = Group {
        id,
        display_name: String::new(),
        description: None,
        mail_nickname: String::new(),
        mail: None,
        is_security_enabled: false,
        is_unified: false,
        is_role_assignable: false,
        visibility: None,
        created_at: now,
        deleted_at: None,
    };
    for change in changes {
        match change {
            Change::IsRoleAssignable(is) => group.is_role_assignable = is.unwrap_or(false),
            Change::Types(types) => group.is_unified = is_unified(types)?,
            Change::Visibility(text) => group.visibility = visibility(text.as_deref())?,
            _ => {}
        }
    }
    let has =
        |name: &'static str, found: bool| if found { Ok(()) } else { Err(ChangeRefusal::Missing(name)) };
    has("displayName", changes.iter().any(|change| matches!(change, Change::DisplayName(Some(_)))))?;
    has("mailEnabled", changes.iter().any(|change| matches!(change, Change::IsMailEnabled(Some(_)))))?;
    has("mailNickname", changes.iter().any(|change| matches!(change, Change::MailNickname(Some(_)))))?;
    has(
        "securityEnabled",
        changes.iter().any(|change| matches!(change, Change::IsSecurityEnabled(Some(_)))),
    )?;
    write(&mut group, changes, tenant)?;
    if group.is_role_assignable {
        if !group.is_security_enabled || group.visibility == Some(GroupVisibility::Public) {
            return Err(ChangeRefusal::Invalid("isAssignableToRole".to_owned()));
        }
        group.visibility = Some(GroupVisibility::Private);
    }
    if group.is_unified && group.visibility.is_none() {
        group.visibility = Some(GroupVisibility::Public);
    }
    Ok(group)
}

/// Applies changes to a group that is there.
pub fn apply(group: &Group, changes: &[Change], tenant: &Tenant) -> Result<Group, ChangeRefusal> {
    let mut changed = group.clone();
    for change in changes {
        match change {
            Change::IsRoleAssignable(is) if is.unwrap_or(false) != group.is_role_assignable => {
                return Err(ChangeRefusal::ReadOnly("isAssignableToRole".to_owned()));
            }
            Change::Types(types) if is_unified(types)? != group.is_unified => {
                return Err(ChangeRefusal::ReadOnly("groupTypes".to_owned()));
            }
            Change::Visibility(text) => {
                let wanted = visibility(text.as_deref())?;
                if group.is_role_assignable && wanted != group.visibility {
                    return Err(ChangeRefusal::ReadOnly("visibility".to_owned()));
                }
                changed.visibility = wanted;
            }
            _ => {}
        }
    }
    write(&mut changed, changes, tenant)?;
    Ok(changed)
}

/// Writes what may be written at any time, and checks what the properties are together.
fn write(group: &mut Group, changes: &[Change], tenant: &Tenant) -> Result<(), ChangeRefusal> {
    let invalid = |name: &str| ChangeRefusal::Invalid(name.to_owned());
    for change in changes {
        match change {
            Change::Description(text) => {
                if let Some(text) = text {
                    is_short("description", text, 1_024)?;
                }
                group.description = text.clone().filter(|text| !text.is_empty());
            }
            Change::DisplayName(text) => {
                let text = text.clone().filter(|text| !text.trim().is_empty());
                let text = text.ok_or_else(|| invalid("displayName"))?;
                is_short("displayName", &text, 256)?;
                group.display_name = text;
            }
            Change::IsMailEnabled(is) => {
                if is.unwrap_or(false) != group.is_unified {
                    return Err(invalid("mailEnabled"));
                }
            }
            Change::IsSecurityEnabled(is) => group.is_security_enabled = is.unwrap_or(false),
            Change::MailNickname(text) => {
                let text = text.clone().ok_or_else(|| invalid("mailNickname"))?;
                is_short("mailNickname", &text, 64)?;
                let is_right = |c: char| c.is_ascii_graphic() && !"@()\\[]\";:<>,".contains(c);
                if text.is_empty() || !text.chars().all(is_right) {
                    return Err(invalid("mailNickname"));
                }
                group.mail_nickname = text;
            }
            Change::IsRoleAssignable(_) | Change::Types(_) | Change::Visibility(_) => {}
        }
    }
    // Without either it would be neither a security group nor a Microsoft 365 group.
    if !group.is_unified && !group.is_security_enabled {
        return Err(invalid("securityEnabled"));
    }
    if !group.is_unified && !group.is_role_assignable && group.visibility.is_some() {
        return Err(invalid("visibility"));
    }
    let domain = tenant.default_domain();
    group.mail =
        domain.filter(|_| group.is_unified).map(|domain| format!("{}@{domain}", group.mail_nickname));
    Ok(())
}

fn is_short(name: &str, text: &str, longest: usize) -> Result<(), ChangeRefusal> {
    let is_right = text.chars().count() <= longest && !text.chars().any(char::is_control);
    if is_right { Ok(()) } else { Err(ChangeRefusal::TooLong(name.to_owned())) }
}

fn is_unified(types: &[String]) -> Result<bool, ChangeRefusal> {
    match types {
        [] => Ok(false),
        [only] if only.eq_ignore_ascii_case("Unified") => Ok(true),
        _ => Err(ChangeRefusal::Invalid("groupTypes".to_owned())),
    }
}

fn visibility(text: Option<&str>) -> Result<Option<GroupVisibility>, ChangeRefusal> {
    let Some(text) = text else { return Ok(None) };
    let known = GroupVisibility::parse(text);
    known.map(Some).ok_or_else(|| ChangeRefusal::Invalid("visibility".to_owned()))
}

/// Whether an object may be linked to a group; `would_circle` says that the member already holds the group.
pub fn may_link(group: &Group, link: Link, kind: LinkedKind, would_circle: bool) -> Result<(), &'static str> {
    match (link, kind) {
        (Link::Member | Link::Owner, LinkedKind::Application) => {
            Err("An application is linked to a group by its service principal.")
        }
        (Link::Owner, LinkedKind::Group) => Err("A group cannot own a group."),
        (Link::Member, LinkedKind::Group) if would_circle => {
            Err("The groups would be members of each other in a circle.")
        }
        (Link::Member, LinkedKind::Group) if group.is_role_assignable => {
            Err("A group that roles can be assigned to has no groups as members.")
        }
        (Link::Member, LinkedKind::Group) if group.is_unified => {
            Err("A Microsoft 365 group has no groups as members.")
        }
        (Link::Member | Link::Owner, _) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TenantId;
    use crate::tenancy::domain_name::DomainName;
    use crate::tenancy::tenant::{TenantDomain, TenantSettings, TenantState};
    use uuid::Uuid;

    fn tenant() -> Tenant {
        let name = DomainName::parse("contoso.test").unwrap();
        Tenant {
            id: TenantId::new(Uuid::from_u128(1)),
            display_name: "Contoso".to_owned(),
            state: TenantState::Active,
            created_at: Timestamp::from_millis(0),
            region_scope: "EU".to_owned(),
            region_sub_scope: None,
            settings: TenantSettings::for_region("EU"),
            domains: vec![TenantDomain { name, is_default: true, is_initial: true, is_verified: true }],
        }
    }

    fn security() -> Vec<Change> {
        vec![
            Change::DisplayName(Some("Sales".to_owned())),
            Change::MailNickname(Some("sales".to_owned())),
            Change::IsMailEnabled(Some(false)),
            Change::IsSecurityEnabled(Some(true)),
        ]
    }

    fn with(more: &[Change]) -> Result<Group, ChangeRefusal> {
        let id = GroupId::new(Uuid::from_u128(2));
        create(&[&security(), more].concat(), id, &tenant(), Timestamp::from_millis(5))
    }

    #[test]
    fn what_a_group_needs_is_asked_for_by_name() {
        let names = ["displayName", "mailNickname", "mailEnabled", "securityEnabled"];
        for (at, name) in names.into_iter().enumerate() {
            let mut changes = security();
            changes.remove(at);
            let refused = create(&changes, GroupId::new(Uuid::nil()), &tenant(), Timestamp::from_millis(0));
            assert_eq!(refused, Err(ChangeRefusal::Missing(name)));
        }
    }

    #[test]
    fn properties_that_do_not_fit_together_are_refused() {
        let unified = || Change::Types(vec!["Unified".to_owned()]);
        let invalid = |name: &str| Err(ChangeRefusal::Invalid(name.to_owned()));
        assert_eq!(with(&[Change::IsMailEnabled(Some(true))]), invalid("mailEnabled"));
        assert_eq!(with(&[unified()]), invalid("mailEnabled"), "a Microsoft 365 group is mail-enabled");
        assert_eq!(with(&[Change::IsSecurityEnabled(Some(false))]), invalid("securityEnabled"));
        assert_eq!(with(&[Change::Visibility(Some("Public".to_owned()))]), invalid("visibility"));
        let hidden = Change::Visibility(Some("HiddenMembership".to_owned()));
        let unified_and_hidden = [unified(), Change::IsMailEnabled(Some(true)), hidden];
        assert_eq!(with(&unified_and_hidden), invalid("visibility"), "nothing would hide the members");
        assert_eq!(with(&[Change::Types(vec!["DynamicMembership".to_owned()])]), invalid("groupTypes"));
        assert_eq!(with(&[Change::MailNickname(Some("a b".to_owned()))]), invalid("mailNickname"));
        let long = Change::DisplayName(Some("x".repeat(257)));
        assert_eq!(with(&[long]), Err(ChangeRefusal::TooLong("displayName".to_owned())));
    }

    #[test]
    fn what_is_settled_at_creation_stays() {
        let group = with(&[Change::IsRoleAssignable(Some(true))]).unwrap();
        assert_eq!(group.visibility, Some(GroupVisibility::Private));
        let refused = |change| apply(&group, &[change], &tenant()).unwrap_err();
        let settled = |name: &str| ChangeRefusal::ReadOnly(name.to_owned());
        assert_eq!(refused(Change::IsRoleAssignable(Some(false))), settled("isAssignableToRole"));
        assert_eq!(refused(Change::Types(vec!["Unified".to_owned()])), settled("groupTypes"));
        assert_eq!(refused(Change::Visibility(Some("Public".to_owned()))), settled("visibility"));
        let renamed = apply(&group, &[Change::DisplayName(Some("New".to_owned()))], &tenant()).unwrap();
        assert_eq!(renamed, Group { display_name: "New".to_owned(), ..group });
    }

    #[test]
    fn links_that_cannot_be_are_refused() {
        let plain = with(&[]).unwrap();
        let assignable = with(&[Change::IsRoleAssignable(Some(true))]).unwrap();
        let can = |group: &Group, link, kind, circles| may_link(group, link, kind, circles).is_ok();
        assert!(can(&plain, Link::Member, LinkedKind::Group, false));
        assert!(!can(&plain, Link::Member, LinkedKind::Group, true));
        assert!(!can(&plain, Link::Owner, LinkedKind::Group, false));
        assert!(!can(&plain, Link::Member, LinkedKind::Application, false));
        assert!(!can(&assignable, Link::Member, LinkedKind::Group, false));
        assert!(can(&assignable, Link::Member, LinkedKind::User, false));
        assert!(can(&assignable, Link::Owner, LinkedKind::ServicePrincipal, false));
    }
}
