//! `$expand` on users, groups, applications and service principals: one relation, twenty objects of it.

use super::groups::Shown;
use super::{Ask, applications, assignments, error::GraphError};
use domain::directory::query::QueryRefusal;
use serde_json::{Map, Value};
use service::directory::DirectoryRefusal;
use service::expand::{Expanded, Reached, Related, Relation};
use standards::odata::expand::{self, Levels};
use uuid::Uuid;

const OF_APPLICATIONS: &[Relation] = &[Relation::Owners];
const OF_GROUPS: &[Relation] = &[
    Relation::AppRoleAssignments,
    Relation::MemberOf,
    Relation::Members,
    Relation::Owners,
    Relation::TransitiveMemberOf,
];
const OF_SERVICE_PRINCIPALS: &[Relation] = &[
    Relation::AppRoleAssignedTo,
    Relation::AppRoleAssignments,
    Relation::MemberOf,
    Relation::Owners,
    Relation::TransitiveMemberOf,
];
const OF_USERS: &[Relation] = &[
    Relation::AppRoleAssignments,
    Relation::DirectReports,
    Relation::Manager(1),
    Relation::MemberOf,
    Relation::OwnedObjects,
    Relation::Sponsors,
    Relation::TransitiveMemberOf,
];

/// Managers shown one above the other (Graph: list manager).
const LEVELS: u32 = 1_000;

/// The relation that a request expands, and what is selected of it.
pub(super) struct Expansion {
    relation: Relation,
    select: Option<Vec<String>>,
}

fn refused(text: String) -> GraphError {
    DirectoryRefusal::from(QueryRefusal::Unsupported(text)).into()
}

impl Expansion {
    pub(super) fn of_applications(ask: &Ask<'_>) -> Result<Option<Self>, GraphError> {
        Self::read(ask, OF_APPLICATIONS, false)
    }

    pub(super) fn of_groups(ask: &Ask<'_>) -> Result<Option<Self>, GraphError> {
        Self::read(ask, OF_GROUPS, false)
    }

    pub(super) fn of_service_principals(ask: &Ask<'_>) -> Result<Option<Self>, GraphError> {
        Self::read(ask, OF_SERVICE_PRINCIPALS, false)
    }

    pub(super) fn of_user(ask: &Ask<'_>) -> Result<Option<Self>, GraphError> {
        Self::read(ask, OF_USERS, true)
    }

    pub(super) fn of_users(ask: &Ask<'_>) -> Result<Option<Self>, GraphError> {
        Self::read(ask, OF_USERS, false)
    }

    fn read(ask: &Ask<'_>, served: &[Relation], is_one_user: bool) -> Result<Option<Self>, GraphError> {
        let Some(text) = &ask.query.expand else { return Ok(None) };
        let expand =
            expand::parse(text).map_err(|problem| refused(format!("Invalid $expand: {problem}.")))?;
        let found = served.iter().find(|one| one.as_str().eq_ignore_ascii_case(&expand.relation));
        let unknown = || refused(format!("The relation '{}' cannot be expanded here.", expand.relation));
        let mut relation = *found.ok_or_else(unknown)?;
        if let Some(levels) = expand.levels {
            if !is_one_user || !matches!(relation, Relation::Manager(_)) {
                return Err(refused("$levels is supported on the manager of one user only.".to_owned()));
            }
            if !ask.is_advanced {
                return Err(DirectoryRefusal::from(QueryRefusal::NeedsAdvanced).into());
            }
            relation = match levels {
                Levels::Max => Relation::Manager(LEVELS),
                Levels::Only(levels @ 1..=LEVELS) => Relation::Manager(levels),
                Levels::Only(_) => {
                    return Err(refused("$levels is max, or a number between 1 and 1000.".to_owned()));
                }
            };
        }
        Ok(Some(Self { relation, select: expand.select }))
    }
}

/// Puts the relation into the objects of an answer.
pub(super) fn fill(
    ask: &Ask<'_>,
    expansion: Option<Expansion>,
    reached: Reached,
    objects: &mut [(Uuid, Map<String, Value>)],
) -> Result<(), GraphError> {
    let Some(Expansion { relation, select }) = expansion else { return Ok(()) };
    let ids: Vec<Uuid> = objects.iter().map(|(id, _)| *id).collect();
    let Expanded { mut found, seen, tenant } =
        ask.app.service.expand(ask.viewer, reached, relation, &ids)??;
    let select = select.as_deref();
    let shown = Shown::new(seen, &tenant, select)?;
    for (id, body) in objects {
        let value: Value = match found.remove(id) {
            None => continue,
            Some(Related::Assignments(found)) => {
                let chosen = |one| applications::chosen(select, assignments::body(one));
                found.iter().map(chosen).collect::<Result<_, _>>()?
            }
            // A user who has no manager has no such property.
            Some(Related::Chain(managers)) => {
                let top = managers.iter().rev().map(|manager| shown.value(manager));
                match top.reduce(|above, manager| under(relation, manager, above)) {
                    Some(manager) => manager,
                    None => continue,
                }
            }
            Some(Related::Objects(found)) => found.iter().map(|linked| shown.value(linked)).collect(),
        };
        body.insert(relation.as_str().to_owned(), value);
    }
    Ok(())
}

/// An object with the one above it.
fn under(relation: Relation, mut object: Value, above: Value) -> Value {
    if let Value::Object(body) = &mut object {
        body.insert(relation.as_str().to_owned(), above);
    }
    object
}
