//! Room for more, in a directory and for a person: asked in the write that makes it, before anything is written.

use domain::directory::permission::Actor;
use domain::id::UserId;
use domain::tenancy::limits::{self, Full, Limits};
use domain::time::Timestamp;
use store::{Fault, Person, WriteTx};
use uuid::Uuid;

/// Whether this write's tenant, and the user who acts, if one does, may have one more object.
pub(crate) fn ask(
    tx: &WriteTx<'_>,
    actor: Option<&Actor>,
    limits: &Limits,
    now: Timestamp,
) -> Result<Result<(), Full>, Fault> {
    ask_for(tx, 1, actor, limits, now)
}

/// The same for several objects at once.
pub(crate) fn ask_for(
    tx: &WriteTx<'_>,
    count: i64,
    actor: Option<&Actor>,
    limits: &Limits,
    now: Timestamp,
) -> Result<Result<(), Full>, Fault> {
    let room = tx.room(actor.and_then(Actor::user).map(UserId::uuid), now)?;
    Ok(limits::admit(room, count, &*tx.load_tenant()?, actor, limits))
}

/// Whether a person may be in one more directory; always where nobody is known.
pub(crate) fn may_join(tx: &WriteTx<'_>, person: Option<Person>, limits: &Limits) -> Result<bool, Fault> {
    let Some(person) = person else { return Ok(true) };
    let (used, most) = tx.directories(person, limits)?;
    Ok(used < most)
}

/// Counts a new object for the user who made it.
pub(crate) fn credit(tx: &WriteTx<'_>, actor: &Actor, object: Uuid) -> Result<(), Fault> {
    match actor.user() {
        Some(user) => tx.credit(object, user.uuid()),
        None => Ok(()),
    }
}
