//! Groups, and who is linked to them.

use crate::changes::Operation;
use crate::fault::Fault;
use crate::listing::{Among, Column, Fold, Page, Table, Within};
use crate::quota::Fate;
use crate::sql::{self, Row, Value};
use crate::terms::{self, Object};
use crate::{ReadTx, ServicePrincipalRow, WriteTx};
use domain::directory::application::Application;
use domain::directory::delta;
use domain::directory::group::{Dynamic, Group, GroupVisibility, Link, LinkedKind};
use domain::directory::permission::Tie;
use domain::directory::property::Property;
use domain::directory::query::{Plan, Position, Predicate};
use domain::directory::user::User;
use domain::id::{GroupId, TenantId};
use domain::time::Timestamp;
use uuid::Uuid;

const COLUMNS: &str =
    "o.id, o.display_name, o.description, o.mail_nickname, o.mail, o.is_security_enabled, o.is_unified,
   o.is_role_assignable, o.visibility, o.created_at, o.deleted_at, o.membership_rule, o.is_rule_on";

pub(crate) static GROUPS: Table<Group> = Table {
    from: "groups o",
    columns: COLUMNS,
    width: 13,
    read: read_group,
    kind: terms::Kind::Group,
    column,
};

/// Where a property of a group is compared.
pub(crate) fn column(property: &Property) -> Option<Column> {
    Some(match property.name {
        "createdDateTime" => Column::indexed("o.created_at", Fold::None),
        "deletedDateTime" => Column::plain("o.deleted_at", Fold::None),
        "displayName" => Column::indexed("o.display_name_folded", Fold::Full),
        "id" => Column::plain("o.id", Fold::None),
        "isAssignableToRole" => Column::plain("o.is_role_assignable", Fold::None),
        "mail" => Column::indexed("o.mail_folded", Fold::Ascii),
        // A Microsoft 365 group, and no other, is mail-enabled.
        "mailEnabled" => Column::plain("o.is_unified", Fold::None),
        "mailNickname" => Column::indexed("o.mail_nickname_folded", Fold::Ascii),
        "securityEnabled" => Column::plain("o.is_security_enabled", Fold::None),
        "visibility" => Column::plain("lower(o.visibility)", Fold::Full),
        _ => return None,
    })
}

/// Writes the terms of all groups.
pub(crate) fn write_terms(link: sql::Link<'_>) -> Result<(), Fault> {
    let sql = format!("SELECT {COLUMNS}, o.tenant, o.row FROM groups o");
    let groups = link.all(&sql, &[], |row| Ok((read_group(row)?, row.uuid(13)?, row.int(14)?)))?;
    for (group, tenant, row) in groups {
        terms::insert(link, tenant, terms::Kind::Group, row, &terms::of_group(&group))?;
    }
    Ok(())
}

fn read_group(row: &Row<'_>) -> Result<Group, Fault> {
    let visibility = match row.opt_text(8)? {
        None => None,
        Some(text) => {
            Some(GroupVisibility::parse(&text).ok_or(Fault::Bug("a stored visibility is unknown"))?)
        }
    };
    Ok(Group {
        id: GroupId::new(row.uuid(0)?),
        display_name: row.text(1)?,
        description: row.opt_text(2)?,
        mail_nickname: row.text(3)?,
        mail: row.opt_text(4)?,
        is_security_enabled: row.flag(5)?,
        is_unified: row.flag(6)?,
        is_role_assignable: row.flag(7)?,
        visibility,
        dynamic: match row.opt_text(11)? {
            Some(rule) => Some(Dynamic { rule, is_on: row.flag(12)? }),
            None => None,
        },
        created_at: row.time(9)?,
        deleted_at: row.opt_time(10)?,
    })
}

pub(crate) const fn link_text(link: Link) -> &'static str {
    match link {
        Link::Member => "member",
        Link::Owner => "owner",
    }
}

pub(crate) const fn kind_text(kind: LinkedKind) -> &'static str {
    match kind {
        LinkedKind::Application => "application",
        LinkedKind::Group => "group",
        LinkedKind::ServicePrincipal => "servicePrincipal",
        LinkedKind::User => "user",
    }
}

pub(crate) fn kind(text: &str) -> Result<LinkedKind, Fault> {
    [LinkedKind::Application, LinkedKind::Group, LinkedKind::ServicePrincipal, LinkedKind::User]
        .into_iter()
        .find(|kind| kind_text(*kind) == text)
        .ok_or(Fault::Bug("a stored kind of link is unknown"))
}

/// A linked object that is there.
pub(crate) const LIVING: &str = "(EXISTS (SELECT 1 FROM users u WHERE u.tenant = $1 AND u.id = f.id AND u.deleted_at IS NULL)
    OR EXISTS (SELECT 1 FROM groups g WHERE g.tenant = $1 AND g.id = f.id AND g.deleted_at IS NULL)
    OR EXISTS (SELECT 1 FROM applications a WHERE a.tenant = $1 AND a.id = f.id AND a.deleted_at IS NULL)
    OR EXISTS (SELECT 1 FROM service_principals s WHERE s.tenant = $1 AND s.id = f.id AND s.deleted_at IS NULL))";

impl ReadTx<'_> {
    /// A group of this tenant, deleted ones included; the caller looks at `deleted_at`.
    pub fn find_group(&self, id: GroupId) -> Result<Option<Group>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT {COLUMNS} FROM groups o WHERE o.tenant = $1 AND o.id = $2");
        self.link().one(&sql, &[(&tenant).into(), (&id.uuid()).into()], read_group)
    }

    /// Groups of this tenant that fit the plan, after a position.
    pub fn list_groups(
        &self,
        plan: &Plan,
        after: Option<&Position>,
        among: Among,
    ) -> Result<Page<Group>, Fault> {
        self.page(&GROUPS, plan, after, among, None)
    }

    pub fn count_groups(&self, filter: Option<&Predicate>) -> Result<i64, Fault> {
        self.count(&GROUPS, filter, Among::Living, None)
    }

    /// Linked objects of one kind that fit the plan.
    pub fn list_groups_within(
        &self,
        within: &Within,
        plan: &Plan,
        after: Option<&Position>,
    ) -> Result<Page<Group>, Fault> {
        self.page(&GROUPS, plan, after, Among::Living, Some(within))
    }
    pub fn list_applications_within(
        &self,
        within: &Within,
        plan: &Plan,
        after: Option<&Position>,
    ) -> Result<Page<Application>, Fault> {
        let page = self.page(&crate::applications::APPLICATIONS, plan, after, Among::Living, Some(within))?;
        page.try_map(|app| self.complete(app))
    }
    pub fn list_service_principals_within(
        &self,
        within: &Within,
        plan: &Plan,
        after: Option<&Position>,
    ) -> Result<Page<ServicePrincipalRow>, Fault> {
        let page = self.page(&crate::applications::INSTANCES, plan, after, Among::Living, Some(within))?;
        page.try_map(|instance| self.with_registration(instance))
    }
    pub fn list_users_within(
        &self,
        within: &Within,
        plan: &Plan,
        after: Option<&Position>,
    ) -> Result<Page<User>, Fault> {
        self.page(&crate::users::USERS, plan, after, Among::Living, Some(within))
    }

    /// The next linked objects of all kinds, in the order of their ids.
    pub fn linked(
        &self,
        within: &Within,
        after: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<(LinkedKind, Uuid)>, Fault> {
        let tenant = self.tenant()?.uuid();
        let after = after.unwrap_or(Uuid::nil());
        let sql = format!(
            "SELECT f.kind, f.id FROM ({}) f WHERE {LIVING} AND f.id > $3 ORDER BY f.id LIMIT $4",
            within.sql("$2")
        );
        self.link().all(
            &sql,
            &[(&tenant).into(), (&within.id()).into(), (&after).into(), i64::from(limit).into()],
            |row| Ok((kind(&row.text(0)?)?, row.uuid(1)?)),
        )
    }

    pub fn count_linked(&self, within: &Within) -> Result<i64, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT COUNT(*) FROM ({}) f WHERE {LIVING}", within.sql("$2"));
        let found = self.link().one(&sql, &[(&tenant).into(), (&within.id()).into()], |row| row.int(0))?;
        Ok(found.unwrap_or(0))
    }

    /// The groups that an object is in, directly or through others; those that are there.
    pub fn groups_of(&self, object: Uuid) -> Result<Vec<Group>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT {COLUMNS} FROM ({}) f CROSS JOIN groups o
              WHERE o.tenant = $1 AND o.id = f.id AND o.deleted_at IS NULL ORDER BY o.id",
            Within::AllGroupsOf(object).sql("$2")
        );
        self.link().all(&sql, &[(&tenant).into(), (&object).into()], read_group)
    }

    /// What an object is to a group.
    pub fn tie_of(&self, group: GroupId, object: Uuid) -> Result<Tie, Fault> {
        Ok(Tie {
            is_member: self.is_inside(group, object)?,
            is_owner: self.is_linked(group, Link::Owner, object)?,
            is_role_group: self.find_group(group)?.is_some_and(|group| group.is_role_assignable),
        })
    }

    /// Whether an object is linked to a group itself, and not through another.
    pub fn is_linked(&self, group: GroupId, link: Link, object: Uuid) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT 1 FROM group_links WHERE tenant = $1 AND group_id = $2 AND link = $3 AND object = $4",
            &[(&tenant).into(), (&group.uuid()).into(), link_text(link).into(), (&object).into()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Whether an object is in a group, directly or through others.
    pub fn is_inside(&self, group: GroupId, object: Uuid) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = format!("SELECT 1 FROM ({}) f WHERE f.id = $3", Within::AllGroupsOf(object).sql("$2"));
        let group = group.uuid();
        let values = [(&tenant).into(), (&object).into(), (&group).into()];
        Ok(self.link().one(&sql, &values, |_| Ok(()))?.is_some())
    }

    pub fn count_links(&self, group: GroupId, link: Link) -> Result<i64, Fault> {
        let tenant = self.tenant()?.uuid();
        let found = self.link().one(
            "SELECT COUNT(*) FROM group_links WHERE tenant = $1 AND group_id = $2 AND link = $3",
            &[(&tenant).into(), (&group.uuid()).into(), link_text(link).into()],
            |row| row.int(0),
        )?;
        Ok(found.unwrap_or(0))
    }
}

impl WriteTx<'_> {
    fn set_group_terms(
        &self,
        id: GroupId,
        before: Option<&Group>,
        after: Option<&Group>,
    ) -> Result<(), Fault> {
        let of = |group: Option<&Group>| group.map(terms::of_group).unwrap_or_default();
        let object = Object { tenant: self.tenant()?, kind: terms::Kind::Group, id: id.uuid() };
        self.set_terms(&object, &of(before), &of(after))
    }

    /// Adds a group. `false` when the id was ever used (R22) or its address is taken.
    pub fn add_group(&self, group: &Group) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        if self.is_buried(group.id.uuid())? {
            return Ok(false);
        }
        let is_new = self.link().insert(
            "INSERT INTO groups (tenant, id, display_name, display_name_folded, description, mail_nickname,
               mail_nickname_folded, mail, mail_folded, is_security_enabled, is_unified, is_role_assignable, visibility,
               membership_rule, is_rule_on, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
            &[
                (&tenant).into(),
                (&group.id.uuid()).into(),
                (&group.display_name).into(),
                Value::Text(&group.display_name.to_lowercase()),
                group.description.as_deref().into(),
                (&group.mail_nickname).into(),
                Value::Text(&group.mail_nickname.to_ascii_lowercase()),
                group.mail.as_deref().into(),
                group.mail.as_ref().map(|mail| mail.to_ascii_lowercase()).as_deref().into(),
                group.is_security_enabled.into(),
                group.is_unified.into(),
                group.is_role_assignable.into(),
                group.visibility.map(GroupVisibility::as_str).into(),
                group.dynamic.as_ref().map(|dynamic| dynamic.rule.as_str()).into(),
                group.dynamic.as_ref().is_some_and(|dynamic| dynamic.is_on).into(),
                group.created_at.into(),
            ],
        )?;
        if is_new {
            self.set_group_terms(group.id, None, Some(group))?;
            self.count_object()?;
            self.log_change("group", group.id.uuid(), Operation::Created, group.created_at)?;
            self.settle_rule(None, group, group.created_at)?;
        }
        Ok(is_new)
    }

    /// Writes a group's properties as a whole. `false` when its address is taken.
    pub fn update_group(&self, group: &Group, at: Timestamp) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let Some(before) = self.find_group(group.id)? else { return Ok(true) };
        let is_written = self.link().insert(
            "UPDATE groups SET display_name = $1, display_name_folded = $2, description = $3, mail_nickname = $4,
               mail_nickname_folded = $5, mail = $6, mail_folded = $7, is_security_enabled = $8, visibility = $9,
               membership_rule = $10, is_rule_on = $11, deleted_at = $12 WHERE tenant = $13 AND id = $14",
            &[
                (&group.display_name).into(),
                Value::Text(&group.display_name.to_lowercase()),
                group.description.as_deref().into(),
                (&group.mail_nickname).into(),
                Value::Text(&group.mail_nickname.to_ascii_lowercase()),
                group.mail.as_deref().into(),
                group.mail.as_ref().map(|mail| mail.to_ascii_lowercase()).as_deref().into(),
                group.is_security_enabled.into(),
                group.visibility.map(GroupVisibility::as_str).into(),
                group.dynamic.as_ref().map(|dynamic| dynamic.rule.as_str()).into(),
                group.dynamic.as_ref().is_some_and(|dynamic| dynamic.is_on).into(),
                group.deleted_at.into(),
                (&tenant).into(),
                (&group.id.uuid()).into(),
            ],
        )?;
        if is_written {
            self.set_group_terms(group.id, Some(&before), Some(group))?;
            if let Some(fate) = Fate::of(before.deleted_at, group.deleted_at) {
                self.weigh(group.id.uuid(), fate, at)?;
            }
            let id = group.id.uuid();
            match Operation::between(before.deleted_at, group.deleted_at) {
                Operation::Updated => {
                    self.log_parts("group", id, &delta::changed_of_group(&before, group), at)?;
                }
                operation => {
                    self.log_change("group", id, operation, at)?;
                    self.log_links_of(self.tenant()?, id, at)?;
                }
            }
            self.settle_rule(Some(&before), group, at)?;
        }
        Ok(is_written)
    }

    /// Removes a group for good, with its links; the id never comes back (R22).
    pub fn purge_group(&self, group: GroupId, at: Timestamp) -> Result<(), Fault> {
        let tenant = self.tenant()?.uuid();
        let id = group.uuid();
        if let Some(found) = self.find_group(group)? {
            self.set_group_terms(group, Some(&found), None)?;
            self.weigh(id, Fate::Gone { binned_at: found.deleted_at }, at)?;
        }
        self.forget_rule(group)?;
        for sql in [
            "DELETE FROM group_links WHERE tenant = $1 AND group_id = $2",
            "DELETE FROM app_role_assignments WHERE tenant = $1 AND principal = $2",
            "DELETE FROM groups WHERE tenant = $1 AND id = $2",
        ] {
            self.link().run(sql, &[(&tenant).into(), (&id).into()])?;
        }
        self.forget_relations(self.tenant()?, id, at)?;
        self.bury(self.tenant()?, "group", id, at)?;
        self.log_change("group", id, Operation::Purged, at)
    }

    /// Takes an object that goes for good out of every relation.
    pub(crate) fn forget_relations(
        &self,
        tenant: TenantId,
        object: Uuid,
        at: Timestamp,
    ) -> Result<(), Fault> {
        self.log_links_of(tenant, object, at)?;
        self.unassign_roles(tenant, object, at)?;
        let tenant = tenant.uuid();
        for sql in [
            "DELETE FROM group_links WHERE tenant = $1 AND object = $2",
            "DELETE FROM managers WHERE tenant = $1 AND user = $2",
            "DELETE FROM managers WHERE tenant = $1 AND manager = $2",
            "DELETE FROM owners WHERE tenant = $1 AND object = $2",
            "DELETE FROM owners WHERE tenant = $1 AND owner = $2",
            "DELETE FROM token_lifetime_assignments WHERE tenant = $1 AND object = $2",
        ] {
            self.link().run(sql, &[(&tenant).into(), (&object).into()])?;
        }
        Ok(())
    }

    /// Links an object to a group. `false` when it is linked already.
    pub fn add_link(
        &self,
        group: GroupId,
        link: Link,
        kind: LinkedKind,
        object: Uuid,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let is_new = self.link().insert(
            "INSERT INTO group_links (tenant, group_id, link, object, kind, added_at) VALUES ($1, $2, $3, $4, $5, $6)",
            &[
                (&tenant).into(),
                (&group.uuid()).into(),
                link_text(link).into(),
                (&object).into(),
                kind_text(kind).into(),
                at.into(),
            ],
        )?;
        if is_new {
            self.log_link(group, link, (kind, object), at)?;
        }
        Ok(is_new)
    }

    /// Takes a link away. `false` when there is none.
    pub fn remove_link(
        &self,
        group: GroupId,
        link: Link,
        object: Uuid,
        at: Timestamp,
    ) -> Result<bool, Fault> {
        let tenant = self.tenant()?.uuid();
        let group_id = group.uuid();
        let place = [(&tenant).into(), (&group_id).into(), link_text(link).into(), (&object).into()];
        let found = self.link().one(
            "SELECT kind FROM group_links WHERE tenant = $1 AND group_id = $2 AND link = $3 AND object = $4",
            &place,
            |row| kind(&row.text(0)?),
        )?;
        let Some(kind) = found else { return Ok(false) };
        self.link().run(
            "DELETE FROM group_links WHERE tenant = $1 AND group_id = $2 AND link = $3 AND object = $4",
            &place,
        )?;
        self.log_link(group, link, (kind, object), at)?;
        Ok(true)
    }
}
