//! The log behind Graph: records of the caller's tenant, with the names that their ids have now.

use crate::Service;
use crate::directory::{Answer, DirectoryRefusal, allow};
use domain::directory::permission::{Operation, Viewer};
use domain::directory::query::{Key, PAGE, Position};
use domain::id::{AppId, UserId};
use std::collections::BTreeMap;
pub use store::{DirectoryFilter, DirectoryRow, During, RecordActorFilter, SignInFilter, SignInRow};
use store::{Page, ReadTx};
use uuid::Uuid;

/// A page of records and the names in it.
#[derive(Debug)]
pub struct Logged<T> {
    pub page: Page<T>,
    pub names: Names,
}

/// What the ids of some records are called.
#[derive(Debug, Default)]
pub struct Names {
    /// By the application's public id. An application that is none of this tenant's has no name here.
    pub apps: BTreeMap<Uuid, String>,
    /// Display name and sign-in name.
    pub users: BTreeMap<Uuid, (String, String)>,
}

/// How a log is asked: which way, where from, how much.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    pub is_descending: bool,
    pub after: Option<&'a Position>,
    pub top: Option<u32>,
}

impl Order<'_> {
    fn after(&self) -> Option<(i64, i64)> {
        let position = self.after?;
        match position.key {
            Some(Key::Int(at)) => Some((at, position.row)),
            Some(Key::Text(_)) | None => None,
        }
    }

    fn page<T>(&self, mut found: Vec<T>, place: impl Fn(&T) -> (i64, i64)) -> Page<T> {
        let top = usize::try_from(self.top.unwrap_or(PAGE)).unwrap_or(usize::MAX);
        let has_more = found.len() > top;
        found.truncate(top);
        let last = found.last().filter(|_| has_more).map(place);
        let next = last.map(|(at, row)| Position { key: Some(Key::Int(at)), row });
        Page { items: found, next, count: None }
    }
}

impl Service {
    /// A page of sign-ins and tokens.
    pub fn list_sign_ins(
        &self,
        viewer: &Viewer,
        filter: &SignInFilter,
        order: Order<'_>,
    ) -> Answer<Logged<SignInRow>> {
        if let Err(refused) = allow(viewer, Operation::ReadLogs, &[]) {
            return Ok(Err(refused.into()));
        }
        let limit = order.top.unwrap_or(PAGE) + 1;
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| {
            let found = tx.list_sign_ins(filter, order.is_descending, order.after(), limit)?;
            let page = order.page(found, |row| (row.at.millis(), row.seq));
            let names = sign_in_names(tx, viewer, &page.items)?;
            Ok(Logged { page, names })
        })?))
    }

    /// One sign-in.
    pub fn find_sign_in(&self, viewer: &Viewer, id: Uuid) -> Answer<(SignInRow, Names)> {
        if let Err(refused) = allow(viewer, Operation::ReadLogs, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| match tx.find_sign_in(id)? {
            None => Ok(None),
            Some(row) => {
                let names = sign_in_names(tx, viewer, std::slice::from_ref(&row))?;
                Ok(Some((row, names)))
            }
        })?;
        Ok(found.ok_or(DirectoryRefusal::NotFound))
    }

    /// A page of changes of the directory.
    pub fn list_changes(
        &self,
        viewer: &Viewer,
        filter: &DirectoryFilter,
        order: Order<'_>,
    ) -> Answer<Logged<DirectoryRow>> {
        if let Err(refused) = allow(viewer, Operation::ReadLogs, &[]) {
            return Ok(Err(refused.into()));
        }
        let limit = order.top.unwrap_or(PAGE) + 1;
        Ok(Ok(self.store.tenant(viewer.tenant).read(|tx| {
            let found = tx.list_changes(filter, order.is_descending, order.after(), limit)?;
            let page = order.page(found, |row| (row.at.millis(), row.seq));
            let names = change_names(tx, viewer, &page.items)?;
            Ok(Logged { page, names })
        })?))
    }

    /// One change of the directory.
    pub fn find_change(&self, viewer: &Viewer, id: Uuid) -> Answer<(DirectoryRow, Names)> {
        if let Err(refused) = allow(viewer, Operation::ReadLogs, &[]) {
            return Ok(Err(refused.into()));
        }
        let found = self.store.tenant(viewer.tenant).read(|tx| match tx.find_change(id)? {
            None => Ok(None),
            Some(row) => {
                let names = change_names(tx, viewer, std::slice::from_ref(&row))?;
                Ok(Some((row, names)))
            }
        })?;
        Ok(found.ok_or(DirectoryRefusal::NotFound))
    }
}

fn sign_in_names(tx: &ReadTx<'_>, viewer: &Viewer, rows: &[SignInRow]) -> Result<Names, store::Fault> {
    let apps = rows.iter().flat_map(|row| [row.app, row.resource]).flatten();
    names(tx, viewer, apps, rows.iter().filter_map(|row| row.user))
}

fn change_names(tx: &ReadTx<'_>, viewer: &Viewer, rows: &[DirectoryRow]) -> Result<Names, store::Fault> {
    let by = |kind: &'static str| rows.iter().filter(move |row| row.actor_kind == kind);
    let users = by("user").filter_map(|row| row.actor);
    let targets = rows.iter().filter_map(|row| row.target);
    names(tx, viewer, by("application").filter_map(|row| row.actor), users.chain(targets))
}

fn names(
    tx: &ReadTx<'_>,
    viewer: &Viewer,
    apps: impl Iterator<Item = Uuid>,
    users: impl Iterator<Item = Uuid>,
) -> Result<Names, store::Fault> {
    let mut names = Names::default();
    for id in apps {
        if !names.apps.contains_key(&id)
            && let Some(app) = tx.find_app(AppId::new(id))?
        {
            // What another tenant registered and nobody uses here has no name here (R21).
            let owner = app.registration.owner;
            if app.instance.is_some() || owner.is_none_or(|owner| owner == viewer.tenant) {
                names.apps.insert(id, app.registration.display_name.clone());
            }
        }
    }
    for id in users {
        if !names.users.contains_key(&id)
            && let Some(user) = tx.find_user(UserId::new(id))?
        {
            names.users.insert(id, (user.display_name, user.sign_in_name));
        }
    }
    Ok(names)
}
