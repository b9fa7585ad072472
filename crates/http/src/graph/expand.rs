//! `$expand` on users and groups: one relation, twenty objects of it.

use super::groups::Shown;
use super::{Ask, error::GraphError};
use domain::directory::query::QueryRefusal;
use serde_json::{Map, Value};
use service::directory::DirectoryRefusal;
use service::expand::{Reached, Relation};
use service::groups::LinkedPage;
use standards::odata::expand;
use uuid::Uuid;

const OF_GROUPS: &[Relation] =
    &[Relation::MemberOf, Relation::Members, Relation::Owners, Relation::TransitiveMemberOf];
const OF_USERS: &[Relation] = &[Relation::MemberOf, Relation::TransitiveMemberOf];

/// The relation that a request expands, and what is selected of it.
pub(super) struct Expansion {
    relation: Relation,
    select: Option<Vec<String>>,
}

impl Expansion {
    pub(super) fn of_groups(ask: &Ask<'_>) -> Result<Option<Self>, GraphError> {
        Self::read(ask, OF_GROUPS)
    }

    pub(super) fn of_users(ask: &Ask<'_>) -> Result<Option<Self>, GraphError> {
        Self::read(ask, OF_USERS)
    }

    fn read(ask: &Ask<'_>, served: &[Relation]) -> Result<Option<Self>, GraphError> {
        let Some(text) = &ask.query.expand else { return Ok(None) };
        let refused =
            |text: String| GraphError::from(DirectoryRefusal::from(QueryRefusal::Unsupported(text)));
        let expand =
            expand::parse(text).map_err(|problem| refused(format!("Invalid $expand: {problem}.")))?;
        let found = served.iter().find(|one| one.as_str().eq_ignore_ascii_case(&expand.relation));
        let unknown = || refused(format!("The relation '{}' cannot be expanded here.", expand.relation));
        let relation = *found.ok_or_else(unknown)?;
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
    let found = ask.app.service.expand(ask.viewer, reached, relation, &ids)??;
    for (id, body) in objects {
        let Some(LinkedPage { page, seen, tenant }) = found.get(id) else { continue };
        let shown = Shown::new(*seen, tenant, select.as_deref())?;
        let linked: Vec<Value> = page.items.iter().map(|linked| shown.value(linked)).collect();
        body.insert(relation.as_str().to_owned(), linked.into());
    }
    Ok(())
}
