//! Groups with dynamic membership: whoever fits the rule is linked, and nobody else.
//!
//! INVARIANT: of a rule that is carried out, the members are exactly the users who fit it, among those that its run has
//! passed. Users and groups are written in one place each, and both end here, so that no write can forget it. Deleted
//! users are kept like any other: nobody sees their links, and a restored one is where it belongs.

use crate::fault::Fault;
use crate::{ReadTx, WriteTx};
use domain::directory::delta;
use domain::directory::group::{Group, Link, LinkedKind};
use domain::directory::membership_rule::MembershipRule;
use domain::directory::user::User;
use domain::id::{GroupId, TenantId, UserId};
use domain::time::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Users looked at in one write.
// DEFAULT: 1,000: most directories are done in the write that changes the rule, and no write waits long behind one.
const STEP: usize = 1_000;
/// The same of a rule with regular expressions, the worst of which take tens of milliseconds for each user.
const SLOW_STEP: usize = 10;
/// Runs that one round of the job moves on.
const RUNS: i64 = 100;

fn compiled(rule: &str) -> Result<MembershipRule, Fault> {
    MembershipRule::parse(rule).map_err(|_| Fault::Bug("a stored membership rule does not parse"))
}

impl ReadTx<'_> {
    /// Rules of all tenants that are still being carried out.
    pub fn rule_runs(&self) -> Result<Vec<(TenantId, GroupId)>, Fault> {
        self.link().all(
            "SELECT tenant, group_id FROM rule_runs ORDER BY tenant, group_id LIMIT $1",
            &[RUNS.into()],
            |row| Ok((TenantId::new(row.uuid(0)?), GroupId::new(row.uuid(1)?))),
        )
    }

    pub fn count_dynamic_groups(&self) -> Result<i64, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT COUNT(*) FROM groups WHERE tenant = $1 AND deleted_at IS NULL AND membership_rule IS NOT NULL";
        Ok(self.link().one(sql, &[(&tenant).into()], |row| row.int(0))?.unwrap_or(0))
    }

    /// The groups whose rules a new user, or a change of these properties, concerns.
    fn rules_about(&self, changed: Option<&[&'static str]>) -> Result<Vec<(GroupId, String)>, Fault> {
        let tenant = self.tenant()?.uuid();
        let read = |row: &crate::sql::Row<'_>| Ok((GroupId::new(row.uuid(0)?), row.text(1)?));
        let Some(changed) = changed else {
            let sql = "SELECT id, membership_rule FROM groups
                        WHERE tenant = $1 AND deleted_at IS NULL AND membership_rule IS NOT NULL AND is_rule_on = 1";
            return self.link().all(sql, &[(&tenant).into()], read);
        };
        let places: Vec<String> = (0..changed.len()).map(|index| format!("${}", index + 2)).collect();
        let sql = format!(
            "SELECT g.id, g.membership_rule FROM groups g WHERE g.tenant = $1 AND g.id IN
               (SELECT p.group_id FROM rule_properties p WHERE p.tenant = $1 AND p.property IN ({}))",
            places.join(", ")
        );
        let mut values = vec![(&tenant).into()];
        values.extend(changed.iter().map(|name| crate::sql::Value::Text(name)));
        self.link().all(&sql, &values, read)
    }

    /// The groups that an object is a member of itself.
    fn own_groups_of(&self, object: Uuid) -> Result<BTreeSet<GroupId>, Fault> {
        let tenant = self.tenant()?.uuid();
        let sql = "SELECT group_id FROM group_links WHERE tenant = $1 AND object = $2 AND link = 'member'";
        let found = self
            .link()
            .all(sql, &[(&tenant).into(), (&object).into()], |row| Ok(GroupId::new(row.uuid(0)?)))?;
        Ok(found.into_iter().collect())
    }

    /// The members of a group after an id and, where there is one, up to another.
    fn members_between(
        &self,
        group: GroupId,
        after: Uuid,
        last: Option<Uuid>,
    ) -> Result<BTreeSet<Uuid>, Fault> {
        let tenant = self.tenant()?.uuid();
        let last = last.unwrap_or(Uuid::max());
        let found = self.link().all(
            "SELECT object FROM group_links
              WHERE tenant = $1 AND group_id = $2 AND link = 'member' AND object > $3 AND object <= $4",
            &[(&tenant).into(), (&group.uuid()).into(), (&after).into(), (&last).into()],
            |row| row.uuid(0),
        )?;
        Ok(found.into_iter().collect())
    }
}

impl WriteTx<'_> {
    /// Puts a user who was written where the rules want them.
    pub(crate) fn settle_user(
        &self,
        before: Option<&User>,
        after: &User,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let changed = before.map(|before| delta::changed_of_user(before, after));
        if changed.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        let rules = self.rules_about(changed.as_deref())?;
        if rules.is_empty() {
            return Ok(());
        }
        let object = after.id.uuid();
        let own = self.own_groups_of(object)?;
        for (group, rule) in rules {
            match (compiled(&rule)?.matches(after), own.contains(&group)) {
                (true, false) => {
                    self.add_link(group, Link::Member, LinkedKind::User, object, at)?;
                }
                (false, true) => {
                    self.remove_link(group, Link::Member, object, at)?;
                }
                (true, true) | (false, false) => {}
            }
        }
        Ok(())
    }

    /// Takes note of the rule of a group that was written, and begins to carry it out where it is new.
    pub(crate) fn settle_rule(
        &self,
        before: Option<&Group>,
        after: &Group,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let rule = after.living_rule();
        if before.and_then(Group::living_rule) == rule {
            return Ok(());
        }
        self.forget_rule(after.id)?;
        let Some(rule) = rule else { return Ok(()) };
        let (tenant, id) = (self.tenant()?.uuid(), after.id.uuid());
        for property in compiled(rule)?.reads() {
            self.link().run(
                "INSERT INTO rule_properties (tenant, property, group_id) VALUES ($1, $2, $3)",
                &[(&tenant).into(), property.into(), (&id).into()],
            )?;
        }
        self.link().run(
            "INSERT INTO rule_runs (tenant, group_id, after) VALUES ($1, $2, $3)",
            &[(&tenant).into(), (&id).into(), (&Uuid::nil()).into()],
        )?;
        self.continue_rule_run(after.id, at)
    }

    /// A group whose rule is not carried out any more.
    pub(crate) fn forget_rule(&self, group: GroupId) -> Result<(), Fault> {
        let (tenant, id) = (self.tenant()?.uuid(), group.uuid());
        for sql in [
            "DELETE FROM rule_properties WHERE tenant = $1 AND group_id = $2",
            "DELETE FROM rule_runs WHERE tenant = $1 AND group_id = $2",
        ] {
            self.link().run(sql, &[(&tenant).into(), (&id).into()])?;
        }
        Ok(())
    }

    /// Looks at the next users, if the rule is still being carried out. Members of another kind go with the users beside
    /// whose ids they stand.
    pub fn continue_rule_run(&self, group: GroupId, at: Timestamp) -> Result<(), Fault> {
        let (tenant, id) = (self.tenant()?.uuid(), group.uuid());
        let place = [(&tenant).into(), (&id).into()];
        let sql = "SELECT after FROM rule_runs WHERE tenant = $1 AND group_id = $2";
        let Some(after) = self.link().one(sql, &place, |row| row.uuid(0))? else { return Ok(()) };
        let found = self.find_group(group)?;
        let rule = found.as_ref().and_then(Group::living_rule);
        let rule = compiled(rule.ok_or(Fault::Bug("a rule that is not on is being carried out"))?)?;
        let step = if rule.has_patterns() { SLOW_STEP } else { STEP };
        let users = self.users_after(UserId::new(after), step)?;
        let last = users.last().map(|user| user.id.uuid()).filter(|_| users.len() == step);
        let mut members = self.members_between(group, after, last)?;
        for user in &users {
            let object = user.id.uuid();
            let is_member = members.remove(&object);
            match (rule.matches(user), is_member) {
                (true, false) => {
                    self.add_link(group, Link::Member, LinkedKind::User, object, at)?;
                }
                (false, true) => {
                    self.remove_link(group, Link::Member, object, at)?;
                }
                (true, true) | (false, false) => {}
            }
        }
        for object in members {
            self.remove_link(group, Link::Member, object, at)?;
        }
        match last {
            Some(last) => self.link().run(
                "UPDATE rule_runs SET after = $1 WHERE tenant = $2 AND group_id = $3",
                &[(&last).into(), (&tenant).into(), (&id).into()],
            )?,
            None => self.link().run("DELETE FROM rule_runs WHERE tenant = $1 AND group_id = $2", &place)?,
        };
        Ok(())
    }
}
