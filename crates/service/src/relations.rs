//! A user's manager and reports, sponsors, and what the user owns; and the end of a user's sessions.

use crate::directory::{
    Answer, DirectoryRefusal, REVOKED, UserKey, Written, allow, record, refusal_name, user_at,
};
use crate::groups::{Cast, Holder, Linked, LinkedPage, SeenKinds};
use crate::roles::guarding_roles;
use crate::{Moment, Service};
use domain::directory::permission::{Actor, Operation, Refused, Scope, UserPart, Viewer};
use domain::directory::query::Position;
use domain::directory::user::User;
use domain::id::UserId;
use domain::tenancy::limits::Limit;
use standards::odata::query::Query;
use std::sync::Arc;
use store::{Page, ReadTx, Recorded, Within, WriteTx};
use uuid::Uuid;

const CATEGORY: &str = "UserManagement";
const SET_MANAGER: &str = "Set manager";

/// Relations that lead from a user to many objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    DirectReports,
    OwnedObjects,
}

impl Service {
    /// The objects that a user is related to.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the address or its options")]
    pub fn list_related(
        &self,
        viewer: &Viewer,
        key: &UserKey,
        relation: Relation,
        cast: Cast,
        query: &Query,
        is_advanced: bool,
        after: Option<&Position>,
    ) -> Answer<LinkedPage> {
        let user = match self.holder(viewer, &Holder::User(key.clone()))? {
            Ok(user) => user,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let within = match relation {
            Relation::DirectReports => Within::ReportsOf(user),
            Relation::OwnedObjects => Within::OwnedBy(user),
        };
        self.linked(viewer, within, cast, query, is_advanced, after, SeenKinds::of(viewer), None)
    }

    /// A user's manager; not found where there is none.
    pub fn find_manager(&self, viewer: &Viewer, key: &UserKey) -> Answer<LinkedPage> {
        let user = match self.holder(viewer, &Holder::User(key.clone()))? {
            Ok(user) => UserId::new(user),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (manager, tenant) = self.store.tenant(viewer.tenant).read(|tx| {
            let manager = tx.manager_of(user)?.map_or(Ok(None), |id| tx.find_user(id))?;
            Ok((manager.filter(|user| user.deleted_at.is_none()), tx.load_tenant()?))
        })?;
        let Some(manager) = manager else { return Ok(Err(DirectoryRefusal::NotFound)) };
        let page = Page { items: vec![Linked::User(Box::new(manager))], next: None, count: None };
        Ok(Ok(LinkedPage { page, seen: SeenKinds::of(viewer), tenant }))
    }

    /// The sponsors of a user (Graph: List sponsors), each as far as the viewer may read users (R23).
    pub fn list_sponsors(&self, viewer: &Viewer, key: &UserKey) -> Answer<LinkedPage> {
        let user = match self.holder(viewer, &Holder::User(key.clone()))? {
            Ok(user) => UserId::new(user),
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (items, tenant) = self.store.tenant(viewer.tenant).read(|tx| {
            let mut items = Vec::new();
            for id in tx.sponsors_of(user)? {
                let sponsor = tx.find_user(id)?.filter(|sponsor| sponsor.deleted_at.is_none());
                items.extend(sponsor.map(|sponsor| Linked::User(Box::new(sponsor))));
            }
            Ok((items, tx.load_tenant()?))
        })?;
        let page = Page { items, next: None, count: None };
        Ok(Ok(LinkedPage { page, seen: SeenKinds::of(viewer), tenant }))
    }

    /// Gives a user a manager, or another one.
    pub async fn set_manager(
        &self,
        viewer: &Viewer,
        key: UserKey,
        manager: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        self.write_user(SET_MANAGER, viewer, key, moment, move |tx, viewer, user, moment| {
            Ok(match fit_manager(tx, viewer, user, manager)? {
                Ok(manager) => {
                    tx.set_manager(user, manager, moment.now)?;
                    Ok(())
                }
                Err(refusal) => Err(refusal),
            })
        })
        .await
    }

    /// Leaves a user without a manager.
    pub async fn clear_manager(&self, viewer: &Viewer, key: UserKey, moment: &Moment) -> Answer<()> {
        self.write_user("Remove manager", viewer, key, moment, move |tx, _, user, moment| {
            Ok(if tx.clear_manager(user, moment.now)? { Ok(()) } else { Err(DirectoryRefusal::LinkMissing) })
        })
        .await
    }

    /// Lets another user of the tenant answer for a guest.
    pub async fn add_sponsor(
        &self,
        viewer: &Viewer,
        key: UserKey,
        sponsor: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        let settings = Arc::clone(&self.settings);
        self.write_user("Add sponsor to user", viewer, key, moment, move |tx, viewer, user, _| {
            let sponsor = match other_end(tx, viewer, sponsor)? {
                Ok(sponsor) => sponsor,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if sponsor == user {
                return Ok(Err(DirectoryRefusal::LinkNotAllowed("Nobody is their own sponsor.")));
            }
            let known = tx.sponsors_of(user)?;
            if known.contains(&sponsor) {
                return Ok(Err(DirectoryRefusal::LinkExists("sponsors")));
            }
            let most = tx.load_tenant()?.limit(Limit::SponsorsOfGuest, &settings.limits);
            if i64::try_from(known.len()).is_ok_and(|known| known >= most) {
                return Ok(Err(DirectoryRefusal::TooManySponsors(most)));
            }
            tx.add_sponsor(user, sponsor)?;
            Ok(Ok(()))
        })
        .await
    }

    pub async fn remove_sponsor(
        &self,
        viewer: &Viewer,
        key: UserKey,
        sponsor: Uuid,
        moment: &Moment,
    ) -> Answer<()> {
        self.write_user("Remove sponsor from user", viewer, key, moment, move |tx, _, user, _| {
            let is_removed = tx.remove_sponsor(user, UserId::new(sponsor))?;
            Ok(if is_removed { Ok(()) } else { Err(DirectoryRefusal::LinkMissing) })
        })
        .await
    }

    /// Ends every session and refresh token that a user has in this tenant, a guest's too; what the person does at home
    /// is the home's business.
    pub async fn revoke_sessions(&self, viewer: &Viewer, key: UserKey, moment: &Moment) -> Answer<()> {
        let needs_user = matches!((&key, &viewer.actor), (UserKey::Me, Actor::Application { .. }));
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let found = user_at(tx, &viewer_in, &key)?;
            let id = found.as_ref().map_or(UserId::new(Uuid::nil()), |user| user.id);
            // Asked before it is told whether the user exists (R23).
            let leave = allow(&viewer_in, Operation::RevokeSessions(id), &tx.roles_of(id.uuid())?);
            let outcome = match (leave, &found) {
                (Err(refused), _) => Err(refused.into()),
                (Ok(_), None) if needs_user => Err(DirectoryRefusal::NeedsUser),
                (Ok(_), None) => Err(DirectoryRefusal::NotFound),
                (Ok(_), Some(user)) => {
                    let sessions_valid_from = moment_in.now + REVOKED;
                    tx.update_user(&User { sessions_valid_from, ..user.clone() }, moment_in.now)?;
                    Ok(())
                }
            };
            let target = found.map(|user| (user.id.uuid(), user.display_name));
            let refusal = outcome.as_ref().err().map(refusal_name);
            let record = record("Revoke sign-in sessions", CATEGORY, &viewer_in, target, refusal, &moment_in);
            Ok(Recorded::new(record, outcome))
        });
        Ok(written.await?)
    }

    /// One write of a relation of a user, with its record: the caller may change the user.
    async fn write_user(
        &self,
        activity: &'static str,
        viewer: &Viewer,
        key: UserKey,
        moment: &Moment,
        work: impl Fn(&WriteTx<'_>, &Viewer, UserId, &Moment) -> Written<()> + Send + 'static,
    ) -> Answer<()> {
        let (viewer_in, moment_in) = (viewer.clone(), moment.clone());
        let written = self.store.tenant(viewer.tenant).write(move |tx| {
            let found = user_at(tx, &viewer_in, &key)?;
            let id = found.as_ref().map_or(UserId::new(Uuid::nil()), |user| user.id);
            // Asked before it is told whether the user exists (R23).
            let leave = allow(&viewer_in, Operation::UpdateUser(id), &guarding_roles(tx, id)?);
            let outcome = match leave {
                Err(refused) => Err(refused.into()),
                Ok(scope) if !scope.may_change(UserPart::Anything) => {
                    Err(DirectoryRefusal::Permission(Refused::RoleMissing))
                }
                Ok(_) if found.is_none() => Err(DirectoryRefusal::NotFound),
                Ok(_) => work(tx, &viewer_in, id, &moment_in)?,
            };
            let target = found.map(|user| (user.id.uuid(), user.display_name));
            let refusal = outcome.as_ref().err().map(refusal_name);
            let record = record(activity, CATEGORY, &viewer_in, target, refusal, &moment_in);
            Ok(Recorded::new(record, outcome))
        });
        Ok(written.await?)
    }
}

/// The user at the other end of a relation, whom the caller must see, too (R36).
fn other_end(tx: &ReadTx<'_>, viewer: &Viewer, id: Uuid) -> Written<UserId> {
    let id = UserId::new(id);
    if let Err(refused) = allow(viewer, Operation::ReadUser(id), &[]) {
        return Ok(Err(refused.into()));
    }
    let found = tx.find_user(id)?.filter(|user| user.deleted_at.is_none());
    Ok(found.map(|user| user.id).ok_or(DirectoryRefusal::NotFound))
}

/// The manager that a user may be given.
fn fit_manager(tx: &ReadTx<'_>, viewer: &Viewer, user: UserId, manager: Uuid) -> Written<UserId> {
    Ok(match other_end(tx, viewer, manager)? {
        Ok(manager) if manager == user => {
            Err(DirectoryRefusal::LinkNotAllowed("Nobody is their own manager."))
        }
        found => found,
    })
}

/// The manager that is named in the body of a user, who is written with these rights: the same is asked as where the manager
/// alone is set.
pub(crate) fn manager_to_be(
    tx: &ReadTx<'_>,
    viewer: &Viewer,
    scope: &Scope,
    user: UserId,
    manager: Option<Uuid>,
) -> Written<Option<UserId>> {
    let Some(manager) = manager else { return Ok(Ok(None)) };
    if !scope.may_change(UserPart::Anything) {
        return Ok(Err(DirectoryRefusal::Permission(Refused::RoleMissing)));
    }
    Ok(fit_manager(tx, viewer, user, manager)?.map(Some))
}

/// Gives a user who is written the manager, with a record of its own.
pub(crate) fn put_manager(
    tx: &WriteTx<'_>,
    viewer: &Viewer,
    (user, name): (UserId, &str),
    manager: UserId,
    moment: &Moment,
) -> Result<(), store::Fault> {
    tx.set_manager(user, manager, moment.now)?;
    tx.note(record(SET_MANAGER, CATEGORY, viewer, Some((user.uuid(), name.to_owned())), None, moment));
    Ok(())
}
