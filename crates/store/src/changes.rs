//! The change log: what happened to which directory object, in order, and what delta queries read of it.
//!
//! The engine has one writer, so that numbers are given in the order of commits: whoever read up to a number has seen
//! everything below it.

use crate::fault::Fault;
use crate::groups::{kind, kind_text, link_text};
use crate::sql::Value;
use crate::{Among, ReadTx, ServicePrincipalRow, WriteTx};
use domain::directory::application::Application;
use domain::directory::delta::{Happened, Tracked, link_name};
use domain::directory::group::{Group, Link, LinkedKind};
use domain::directory::query::{self, Plan};
use domain::directory::user::User;
use domain::id::{ApplicationId, GroupId, ServicePrincipalId, TenantId};
use domain::time::Timestamp;
use uuid::Uuid;

/// Entries removed in one write.
const STEP: i64 = 200;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Created,
    Deleted,
    Purged,
    Restored,
    Updated,
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Purged => "purged",
            Self::Restored => "restored",
            Self::Updated => "updated",
        }
    }

    /// What a change of `deleted_at` is.
    pub(crate) fn between(before: Option<Timestamp>, after: Option<Timestamp>) -> Self {
        match (before, after) {
            (None, Some(_)) => Self::Deleted,
            (Some(_), None) => Self::Restored,
            (None, None) | (Some(_), Some(_)) => Self::Updated,
        }
    }
}

const fn kind_of(tracked: Tracked) -> &'static str {
    match tracked {
        Tracked::Applications => "application",
        Tracked::Groups => "group",
        Tracked::ServicePrincipals => "servicePrincipal",
        Tracked::Users => "user",
    }
}

const fn table(tracked: Tracked) -> &'static str {
    match tracked {
        Tracked::Applications => "applications",
        Tracked::Groups => "groups",
        Tracked::ServicePrincipals => "service_principals",
        Tracked::Users => "users",
    }
}

/// How far the log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBounds {
    /// The last entry.
    pub last: i64,
    /// The last entry that was removed; what happened up to it is forgotten.
    pub trimmed: i64,
}

/// Entries after one and up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub since: i64,
    pub until: i64,
}

/// Whether an object is linked to a group now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState {
    pub kind: LinkedKind,
    pub object: Uuid,
    pub is_linked: bool,
}

/// ` AND column IN ($n, …)` for ids that follow the parameters so far.
fn among(column: &str, ids: &[Uuid], after: usize) -> String {
    let list: Vec<String> = (0..ids.len()).map(|index| format!("${}", after + index + 1)).collect();
    // No id is none.
    if list.is_empty() { " AND 1 = 0".to_owned() } else { format!(" AND {column} IN ({})", list.join(", ")) }
}

fn of_ids(kind: Tracked, ids: &[Uuid]) -> Plan {
    query::of_ids(kind.resource(), ids)
}

impl ReadTx<'_> {
    pub fn log_bounds(&self) -> Result<LogBounds, Fault> {
        let trimmed = self.link().one("SELECT trimmed FROM change_log", &[], |row| row.int(0))?.unwrap_or(0);
        let last = self.link().one("SELECT COALESCE(MAX(seq), 0) FROM changes", &[], |row| row.int(0))?;
        Ok(LogBounds { last: last.unwrap_or(0).max(trimmed), trimmed })
    }

    /// The next objects that are there, in the order of their rows: row and id.
    pub fn objects_after(
        &self,
        kind: Tracked,
        ids: Option<&[Uuid]>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Uuid)>, Fault> {
        let tenant = self.tenant()?.uuid();
        let mut values = vec![(&tenant).into(), after.into()];
        values.extend(ids.into_iter().flatten().map(Value::from));
        values.push(i64::from(limit).into());
        let sql = format!(
            "SELECT o.row, o.id FROM {} o WHERE o.tenant = $1 AND o.deleted_at IS NULL AND o.row > $2{}
              ORDER BY o.row LIMIT ${}",
            table(kind),
            ids.map(|ids| among("o.id", ids, 2)).unwrap_or_default(),
            values.len()
        );
        self.link().all(&sql, &values, |row| Ok((row.int(0)?, row.uuid(1)?)))
    }

    /// The next objects with entries in a span, in the order of the last of them: that entry and the object's id.
    pub fn changed_after(
        &self,
        kind: Tracked,
        ids: Option<&[Uuid]>,
        span: Span,
        limit: u32,
    ) -> Result<Vec<(i64, Uuid)>, Fault> {
        let tenant = self.tenant()?.uuid();
        let mut values =
            vec![(&tenant).into(), Value::Text(kind_of(kind)), span.since.into(), span.until.into()];
        values.extend(ids.into_iter().flatten().map(Value::from));
        values.push(i64::from(limit).into());
        let sql = format!(
            "SELECT c.seq, c.object FROM changes c
              WHERE c.tenant = $1 AND c.kind = $2 AND c.seq > $3 AND c.seq <= $4
                AND NOT EXISTS (SELECT 1 FROM changes l WHERE l.tenant = $1 AND l.object = c.object AND l.kind = $2
                                  AND l.seq > c.seq AND l.seq <= $4){}
              ORDER BY c.seq LIMIT ${}",
            ids.map(|ids| among("c.object", ids, 4)).unwrap_or_default(),
            values.len()
        );
        self.link().all(&sql, &values, |row| Ok((row.int(0)?, row.uuid(1)?)))
    }

    /// What happened to some objects in a span, each kind of change once.
    pub fn happened(&self, ids: &[Uuid], span: Span) -> Result<Vec<(Uuid, Happened)>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT DISTINCT c.object, c.operation, c.parts FROM changes c
              WHERE c.tenant = $1 AND c.seq > $2 AND c.seq <= $3{}",
            among("c.object", ids, 3)
        );
        let mut values = vec![(&tenant).into(), span.since.into(), span.until.into()];
        values.extend(ids.iter().map(Value::from));
        self.link().all(&sql, &values, |row| {
            let happened = match row.text(1)?.as_str() {
                "created" | "restored" => Happened::Appeared,
                "deleted" | "purged" => Happened::Gone,
                _ => Happened::Changed(
                    row.opt_text(2)?.map(|parts| parts.split(',').map(str::to_owned).collect()),
                ),
            };
            Ok((row.uuid(0)?, happened))
        })
    }

    /// Those of some objects that lie in the bin.
    pub fn deleted_among(&self, kind: Tracked, ids: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let tenant = self.tenant()?.uuid();
        let sql = format!(
            "SELECT o.id FROM {} o WHERE o.tenant = $1 AND o.deleted_at IS NOT NULL{}",
            table(kind),
            among("o.id", ids, 1)
        );
        let mut values = vec![(&tenant).into()];
        values.extend(ids.iter().map(Value::from));
        self.link().all(&sql, &values, |row| row.uuid(0))
    }

    /// The users of these ids that are there; and the same of other kinds.
    pub fn users_of_ids(&self, ids: &[Uuid]) -> Result<Vec<User>, Fault> {
        Ok(self.list_users(&of_ids(Tracked::Users, ids), None, Among::Living)?.items)
    }
    pub fn groups_of_ids(&self, ids: &[Uuid]) -> Result<Vec<Group>, Fault> {
        Ok(self.list_groups(&of_ids(Tracked::Groups, ids), None, Among::Living)?.items)
    }
    pub fn applications_of_ids(&self, ids: &[Uuid]) -> Result<Vec<Application>, Fault> {
        Ok(self.list_applications(&of_ids(Tracked::Applications, ids), None, Among::Living)?.items)
    }
    pub fn service_principals_of_ids(&self, ids: &[Uuid]) -> Result<Vec<ServicePrincipalRow>, Fault> {
        Ok(self.list_service_principals(&of_ids(Tracked::ServicePrincipals, ids), None, Among::Living)?.items)
    }

    /// What is linked to a group now, of everything that a span says was linked to it or taken away, in the order of ids;
    /// with `is_whole` also whatever else is linked.
    pub fn link_states(
        &self,
        group: Uuid,
        link: Link,
        span: Span,
        is_whole: bool,
        after: Uuid,
        limit: u32,
    ) -> Result<Vec<LinkState>, Fault> {
        let tenant = self.tenant()?.uuid();
        let (living, text) = (crate::groups::LIVING, link_text(link));
        let whole = match is_whole {
            true => format!(
                " UNION SELECT f.id, f.kind FROM (SELECT m.object AS id, m.kind FROM group_links m
                    WHERE m.tenant = $1 AND m.group_id = $2 AND m.link = '{text}') f WHERE {living}"
            ),
            false => String::new(),
        };
        let sql = format!(
            "SELECT f.id, f.kind, EXISTS (SELECT 1 FROM group_links m WHERE m.tenant = $1 AND m.group_id = $2
                AND m.link = '{text}' AND m.object = f.id) AND {living}
               FROM (SELECT c.other AS id, c.other_kind AS kind FROM changes c WHERE c.tenant = $1 AND c.object = $2
                 AND c.parts = $3 AND c.seq > $4 AND c.seq <= $5{whole}) f
              WHERE f.id > $6 GROUP BY f.id, f.kind ORDER BY f.id LIMIT $7"
        );
        let values = [
            (&tenant).into(),
            (&group).into(),
            Value::Text(link_name(link)),
            span.since.into(),
            span.until.into(),
            (&after).into(),
            i64::from(limit).into(),
        ];
        self.link().all(&sql, &values, |row| {
            Ok(LinkState { object: row.uuid(0)?, kind: kind(&row.text(1)?)?, is_linked: row.flag(2)? })
        })
    }
}

/// One entry in the making.
struct Entry<'a> {
    kind: &'a str,
    object: Uuid,
    operation: Operation,
    parts: Option<&'a str>,
    other: Option<(LinkedKind, Uuid)>,
}

impl WriteTx<'_> {
    fn log(&self, tenant: TenantId, entry: &Entry<'_>, at: Timestamp) -> Result<(), Fault> {
        let (tenant, other) = (tenant.uuid(), entry.other.map(|(_, other)| other));
        self.link().run(
            "INSERT INTO changes (tenant, kind, object, operation, at, parts, other, other_kind)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &[
                (&tenant).into(),
                Value::Text(entry.kind),
                (&entry.object).into(),
                Value::Text(entry.operation.as_str()),
                at.into(),
                entry.parts.into(),
                other.as_ref().into(),
                entry.other.map(|(kind, _)| kind_text(kind)).into(),
            ],
        )?;
        Ok(())
    }

    pub(crate) fn log_change(
        &self,
        kind: &str,
        object: Uuid,
        operation: Operation,
        at: Timestamp,
    ) -> Result<(), Fault> {
        self.log_change_in(self.tenant()?, kind, object, operation, at)
    }

    /// The same of an object of another tenant: what follows there from a change here.
    pub(crate) fn log_change_in(
        &self,
        tenant: TenantId,
        kind: &str,
        object: Uuid,
        operation: Operation,
        at: Timestamp,
    ) -> Result<(), Fault> {
        self.log(tenant, &Entry { kind, object, operation, parts: None, other: None }, at)
    }

    /// A change of properties that are known by name; nothing where there are none.
    pub(crate) fn log_parts(
        &self,
        kind: &str,
        object: Uuid,
        parts: &[&str],
        at: Timestamp,
    ) -> Result<(), Fault> {
        if parts.is_empty() {
            return Ok(());
        }
        let (parts, operation) = (parts.join(","), Operation::Updated);
        self.log(self.tenant()?, &Entry { kind, object, operation, parts: Some(&parts), other: None }, at)
    }

    /// A secret or a certificate of a registration that was made or removed.
    pub fn log_credentials(&self, app: ApplicationId, at: Timestamp) -> Result<(), Fault> {
        self.log_parts("application", app.uuid(), &["passwordCredentials"], at)
    }

    /// The same of an instance's own secrets.
    pub fn log_instance_credentials(&self, id: ServicePrincipalId, at: Timestamp) -> Result<(), Fault> {
        self.log_parts("servicePrincipal", id.uuid(), &["passwordCredentials"], at)
    }

    /// A link of a group that was made or taken away, or whose other end went or came back.
    pub(crate) fn log_link(
        &self,
        group: GroupId,
        link: Link,
        other: (LinkedKind, Uuid),
        at: Timestamp,
    ) -> Result<(), Fault> {
        self.log_link_in(self.tenant()?, group, link, other, at)
    }

    fn log_link_in(
        &self,
        tenant: TenantId,
        group: GroupId,
        link: Link,
        other: (LinkedKind, Uuid),
        at: Timestamp,
    ) -> Result<(), Fault> {
        let entry = Entry {
            kind: "group",
            object: group.uuid(),
            operation: Operation::Updated,
            parts: Some(link_name(link)),
            other: Some(other),
        };
        self.log(tenant, &entry, at)
    }

    /// Tells the groups that an object is linked to that it went or came back: their lists do not show what is deleted.
    pub(crate) fn log_links_of(&self, tenant: TenantId, object: Uuid, at: Timestamp) -> Result<(), Fault> {
        let links = self.link().all(
            "SELECT group_id, link, kind FROM group_links WHERE tenant = $1 AND object = $2",
            &[(&tenant.uuid()).into(), (&object).into()],
            |row| Ok((GroupId::new(row.uuid(0)?), row.text(1)?, kind(&row.text(2)?)?)),
        )?;
        for (group, link, kind) in links {
            let link = if link == link_text(Link::Owner) { Link::Owner } else { Link::Member };
            self.log_link_in(tenant, group, link, (kind, object), at)?;
        }
        Ok(())
    }

    /// Removes old entries, a step of them; the last entry stays, so that no number is given twice.
    pub(crate) fn trim_changes(&self, before: Timestamp) -> Result<usize, Fault> {
        let oldest = self.link().all(
            "SELECT seq, at FROM changes WHERE seq < (SELECT MAX(seq) FROM changes) ORDER BY seq LIMIT $1",
            &[STEP.into()],
            |row| Ok((row.int(0)?, row.time(1)?)),
        )?;
        let old = oldest.into_iter().take_while(|(_, at)| *at < before).last();
        let Some((seq, _)) = old else { return Ok(0) };
        let removed = self.link().run("DELETE FROM changes WHERE seq <= $1", &[seq.into()])?;
        self.link().run("UPDATE change_log SET trimmed = $1", &[seq.into()])?;
        Ok(removed)
    }

    /// Keeps a purged object's id from ever coming back (R22).
    pub(crate) fn bury(
        &self,
        tenant: TenantId,
        kind: &str,
        object: Uuid,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let tenant = tenant.uuid();
        self.link().run(
            "INSERT INTO tombstones (id, tenant, kind, purged_at) VALUES ($1, $2, $3, $4)",
            &[(&object).into(), (&tenant).into(), Value::Text(kind), at.into()],
        )?;
        Ok(())
    }

    /// Whether an id was used before, here or in any other tenant (R22).
    pub fn is_buried(&self, object: Uuid) -> Result<bool, Fault> {
        let found =
            self.link().one("SELECT 1 FROM tombstones WHERE id = $1", &[(&object).into()], |_| Ok(()))?;
        Ok(found.is_some())
    }
}
