//! Groups of a tenant, whose members are assigned or fit a rule, and their owners (Graph: group; facts: graph §4, limits §2).

use crate::directory::change::ChangeRefusal;
use crate::directory::membership_rule::MembershipRule;
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
    /// Whoever fits a rule is a member, and nobody else (`groupTypes` holds `DynamicMembership`).
    pub dynamic: Option<Dynamic>,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

impl Group {
    /// The rule that says who is a member now: not of a deleted group, and not while it is paused.
    pub fn living_rule(&self) -> Option<&str> {
        let dynamic = self.dynamic.as_ref().filter(|dynamic| dynamic.is_on && self.deleted_at.is_none());
        dynamic.map(|dynamic| dynamic.rule.as_str())
    }
}

/// How a group with dynamic membership gets its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dynamic {
    /// `membershipRule`, as it was written.
    pub rule: String,
    /// `membershipRuleProcessingState`: `On`; while `Paused` the members stay who they are.
    pub is_on: bool,
}

/// Graph's names of the two states.
const PROCESSING: [(&str, bool); 2] = [("On", true), ("Paused", false)];

impl Dynamic {
    pub fn processing(&self) -> &'static str {
        PROCESSING.iter().find(|(_, is_on)| *is_on == self.is_on).map_or("", |(name, _)| *name)
    }
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
    MembershipRule(Option<String>),
    /// `membershipRuleProcessingState`
    Processing(Option<String>),
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
        dynamic: None,
        created_at: now,
        deleted_at: None,
    };
    for change in changes {
        match change {
            Change::IsRoleAssignable(is) => group.is_role_assignable = is.unwrap_or(false),
            Change::Types(types) => group.is_unified = read_types(types)?.is_unified,
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
            Change::Types(types) if read_types(types)?.is_unified != group.is_unified => {
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
            Change::IsRoleAssignable(_)
            | Change::MembershipRule(_)
            | Change::Processing(_)
            | Change::Types(_)
            | Change::Visibility(_) => {}
        }
    }
    group.dynamic = dynamic(group, changes)?;
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

/// What `groupTypes` says.
#[derive(Clone, Copy, Default)]
struct Types {
    is_dynamic: bool,
    is_unified: bool,
}

fn read_types(types: &[String]) -> Result<Types, ChangeRefusal> {
    let mut read = Types::default();
    for name in types {
        let is_new = match name.to_ascii_lowercase().as_str() {
            "dynamicmembership" => !std::mem::replace(&mut read.is_dynamic, true),
            "unified" => !std::mem::replace(&mut read.is_unified, true),
            _ => false,
        };
        if !is_new {
            return Err(ChangeRefusal::Invalid("groupTypes".to_owned()));
        }
    }
    Ok(read)
}

/// How the group gets its members after the changes. Types, rule and state are looked at together: a group becomes
/// dynamic, or assigned, in one request.
fn dynamic(group: &Group, changes: &[Change]) -> Result<Option<Dynamic>, ChangeRefusal> {
    let invalid = |name: &str| ChangeRefusal::Invalid(name.to_owned());
    let before = group.dynamic.as_ref();
    let (mut is_dynamic, mut rule, mut state) = (before.is_some(), None, None);
    for change in changes {
        match change {
            Change::MembershipRule(text) => rule = Some(text.as_deref().filter(|text| !text.is_empty())),
            Change::Processing(text) => state = text.as_deref(),
            Change::Types(types) => is_dynamic = read_types(types)?.is_dynamic,
            Change::Description(_)
            | Change::DisplayName(_)
            | Change::IsMailEnabled(_)
            | Change::IsRoleAssignable(_)
            | Change::IsSecurityEnabled(_)
            | Change::MailNickname(_)
            | Change::Visibility(_) => {}
        }
    }
    let is_on = match state {
        None => None,
        Some(text) => {
            let found = PROCESSING.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            Some(found.ok_or_else(|| invalid("membershipRuleProcessingState"))?.1)
        }
    };
    if !is_dynamic {
        let is_old = |text: &str| before.is_some_and(|before| before.rule == text);
        if rule.flatten().is_some_and(|text| !is_old(text)) {
            return Err(invalid("membershipRule"));
        }
        // COMPAT: who turns a group into an assigned one pauses it in the same request, as the documentation shows.
        return if is_on == Some(true) { Err(invalid("membershipRuleProcessingState")) } else { Ok(None) };
    }
    // Whoever may change what the rule reads would give themselves the role.
    if group.is_role_assignable {
        return Err(invalid("groupTypes"));
    }
    let rule = match (rule, before) {
        (Some(Some(text)), _) => text,
        (None, Some(before)) => &before.rule,
        (None | Some(None), _) => return Err(ChangeRefusal::Missing("membershipRule")),
    };
    if before.is_none_or(|before| before.rule != rule) {
        MembershipRule::parse(rule).map_err(ChangeRefusal::Rule)?;
    }
    let is_on = is_on.unwrap_or_else(|| before.is_none_or(|before| before.is_on));
    Ok(Some(Dynamic { rule: rule.to_owned(), is_on }))
}

fn visibility(text: Option<&str>) -> Result<Option<GroupVisibility>, ChangeRefusal> {
    let Some(text) = text else { return Ok(None) };
    let known = GroupVisibility::parse(text);
    known.map(Some).ok_or_else(|| ChangeRefusal::Invalid("visibility".to_owned()))
}

const RULED: &str = "Members of a group with dynamic membership are those who fit its membershipRule: nobody is added or removed by hand.";

/// Whether a link may be taken away.
pub fn may_unlink(group: &Group, link: Link) -> Result<(), &'static str> {
    if link == Link::Member && group.dynamic.is_some() { Err(RULED) } else { Ok(()) }
}

/// Whether an object may be linked to a group; `would_circle` says that the member already holds the group.
pub fn may_link(group: &Group, link: Link, kind: LinkedKind, would_circle: bool) -> Result<(), &'static str> {
    match (link, kind) {
        (Link::Member | Link::Owner, LinkedKind::Application) => {
            Err("An application is linked to a group by its service principal.")
        }
        (Link::Member, _) if group.dynamic.is_some() => Err(RULED),
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

    fn types(names: &[&str]) -> Change {
        Change::Types(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn rule(text: &str) -> Change {
        Change::MembershipRule(Some(text.to_owned()))
    }

    fn processing(text: &str) -> Change {
        Change::Processing(Some(text.to_owned()))
    }

    const SALES: &str = "user.department -eq 'Sales'";

    #[test]
    fn a_group_is_dynamic_by_type_rule_and_state_together() {
        let invalid = |name: &str| Err(ChangeRefusal::Invalid(name.to_owned()));
        let on = Some(Dynamic { rule: SALES.to_owned(), is_on: true });
        let dynamic = types(&["DynamicMembership"]);
        let made = with(&[dynamic.clone(), rule(SALES), processing("on")]).unwrap();
        assert_eq!(made.dynamic, on);
        assert_eq!(made.living_rule(), Some(SALES));
        assert_eq!(with(&[dynamic.clone(), rule(SALES)]).unwrap().dynamic, on);
        assert_eq!(with(std::slice::from_ref(&dynamic)), Err(ChangeRefusal::Missing("membershipRule")));
        assert_eq!(with(&[rule(SALES)]), invalid("membershipRule"));
        assert_eq!(with(&[processing("On")]), invalid("membershipRuleProcessingState"));
        assert_eq!(
            with(&[dynamic.clone(), rule(SALES), processing("Off")]),
            invalid("membershipRuleProcessingState")
        );
        assert_eq!(
            with(&[dynamic.clone(), rule(SALES), Change::IsRoleAssignable(Some(true))]),
            invalid("groupTypes")
        );
        let wrong = with(&[dynamic.clone(), rule("user.salary -eq '1'")]);
        assert!(matches!(wrong, Err(ChangeRefusal::Rule(problem)) if problem.position == 0));

        let change = |group: &Group, changes: &[Change]| apply(group, changes, &tenant());
        let paused = change(&made, &[processing("Paused")]).unwrap();
        assert_eq!((paused.living_rule(), paused.dynamic.as_ref().unwrap().processing()), (None, "Paused"));
        assert_eq!(change(&paused, &[rule("user.objectId -ne null")]).unwrap().living_rule(), None);
        assert_eq!(
            change(&made, &[Change::MembershipRule(None)]),
            Err(ChangeRefusal::Missing("membershipRule"))
        );
        let assigned = change(&made, &[types(&[]), rule(SALES), processing("Paused")]).unwrap();
        assert_eq!(assigned.dynamic, None);
        assert_eq!(change(&assigned, &[dynamic, rule(SALES)]).unwrap().dynamic, on);
        assert_eq!(may_link(&made, Link::Member, LinkedKind::User, false), Err(RULED));
        assert_eq!((may_unlink(&paused, Link::Member), may_unlink(&made, Link::Owner)), (Err(RULED), Ok(())));
        assert_eq!(may_link(&made, Link::Owner, LinkedKind::User, false), Ok(()));
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
        assert_eq!(with(&[types(&["Security"])]), invalid("groupTypes"));
        assert_eq!(with(&[types(&["Unified", "unified"])]), invalid("groupTypes"));
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
