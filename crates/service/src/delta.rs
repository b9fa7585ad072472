//! Delta queries: all objects of a kind once, then only what changed (Graph: delta query; facts: graph §1.2).
//!
//! A round stands between two positions of the change log. The first round shows every object, in the order of the store's
//! rows, and takes the log's position when it begins: whatever happens while it is paged is told by the next. A later round
//! shows each object that the log names between its two positions once, as it is when the page is read. Whatever changed
//! after that is named beyond the second position, so nothing is lost, and what is told twice is told as it is.

use crate::Service;
use crate::applications::SeenApplication;
use crate::directory::{Answer, DirectoryRefusal, allow};
use domain::directory::delta::{Asked, Concern, Happened, TOKEN_LIFETIME, Tracked, Tracking, link_name};
use domain::directory::group::{Group, Link};
use domain::directory::permission::{Operation, Tie, Viewer};
use domain::directory::user::User;
use domain::tenancy::tenant::Tenant;
use domain::time::Timestamp;
use standards::{b64, crypto};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
pub use store::LinkState;
use store::{ReadTx, ServicePrincipalRow, Span};
use uuid::Uuid;

/// How a client comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Everything,
    /// The next page of a round.
    Next(String),
    /// Only what happens from now on.
    Now,
    /// The next round.
    Since(String),
}

/// A delta query.
#[derive(Clone, Debug)]
pub struct DeltaAsk {
    pub kind: Tracked,
    /// The options that stand in the request itself; a token brings those that it was made for.
    pub asked: Asked,
    pub start: Start,
    /// Objects in one page, and half of the links shown in it.
    pub page: u32,
}

/// One page.
#[derive(Debug)]
pub struct DeltaPage {
    pub items: Vec<DeltaItem>,
    pub onward: Onward,
    pub asked: Asked,
    pub tracking: Tracking,
    pub tenant: Arc<Tenant>,
}

/// Where the client goes on.
#[derive(Debug)]
pub enum Onward {
    /// The next round, with this token.
    Later(String),
    /// The next page of this one.
    Next(String),
}

#[derive(Debug)]
pub enum DeltaItem {
    Present(Box<Present>),
    Removed {
        id: Uuid,
        /// Gone for good; otherwise it can be restored.
        is_purged: bool,
    },
}

/// An object as it is.
#[derive(Debug)]
pub struct Present {
    pub object: Object,
    /// What changed of it, where the log knows; `None` is everything.
    pub parts: Option<BTreeSet<String>>,
    pub links: ToldLinks,
}

/// Links of a group, each kind by itself.
pub type ToldLinks = Vec<(Link, Vec<LinkState>)>;

#[derive(Debug)]
pub enum Object {
    Application(SeenApplication),
    Group(Group),
    ServicePrincipal(ServicePrincipalRow),
    User(User),
}

impl Object {
    fn id(&self) -> Uuid {
        match self {
            Self::Application(app) => app.registration.id.uuid(),
            Self::Group(group) => group.id.uuid(),
            Self::ServicePrincipal(row) => row.instance.id.uuid(),
            Self::User(user) => user.id.uuid(),
        }
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    asked: Asked,
    place: Place,
    /// When the log stood there.
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The first round: the next begins at this position of the log.
    All(i64, Cursor),
    /// A later round.
    Changes(Span, Cursor),
    /// Between rounds: everything up to here was told.
    Done(i64),
}

/// How far a round came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    /// The row or the log's entry of the last object that was shown whole.
    after: i64,
    inside: Option<Inside>,
}

/// How far the links of the next object came: it, which of its links, and the last linked object that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inside {
    object: Uuid,
    link: Link,
    last: Uuid,
}

impl Place {
    /// The position of the log from which on its entries are still needed.
    const fn since(&self) -> i64 {
        match self {
            Self::All(since, _) | Self::Done(since) => *since,
            Self::Changes(span, _) => span.since,
        }
    }
}

impl Service {
    /// A page of a delta query.
    pub fn delta(&self, viewer: &Viewer, ask: &DeltaAsk, now: Timestamp) -> Answer<DeltaPage> {
        let operation = match ask.kind {
            Tracked::Applications => Operation::ReadApplications,
            Tracked::Groups => Operation::ListGroups,
            Tracked::ServicePrincipals => Operation::ReadServicePrincipals,
            Tracked::Users => Operation::ListUsers,
        };
        let scope = match allow(viewer, operation, &[]) {
            Ok(scope) => scope,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let sees_links = allow(viewer, Operation::ReadGroupLinks(Tie::default()), &[]).is_ok();
        let token = match self.delta_token(viewer, ask) {
            Ok(token) => token,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let asked = token.as_ref().map_or(&ask.asked, |token| &token.asked);
        let tracking = match Tracking::new(ask.kind, asked, scope.visibility, sees_links) {
            Ok(tracking) => tracking,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let round = Round { kind: ask.kind, tracking: &tracking, page: ask.page };
        let (found, tenant) = self.store.tenant(viewer.tenant).read(|tx| {
            let bounds = tx.log_bounds()?;
            let (place, at) = match &token {
                None if ask.start == Start::Now => (Place::Done(bounds.last), now),
                None => (Place::All(bounds.last, Cursor { after: 0, inside: None }), now),
                Some(token) => {
                    let is_old = now.since(token.at) > TOKEN_LIFETIME;
                    let since = token.place.since();
                    if is_old || since < bounds.trimmed || since > bounds.last {
                        return Ok((None, tx.load_tenant()?));
                    }
                    match token.place {
                        Place::Done(since) => {
                            let cursor = Cursor { after: since, inside: None };
                            (Place::Changes(Span { since, until: bounds.last }, cursor), now)
                        }
                        place @ (Place::All(..) | Place::Changes(..)) => (place, token.at),
                    }
                }
            };
            let (items, place) = round.page(tx, place)?;
            Ok((Some((items, place, at)), tx.load_tenant()?))
        })?;
        let Some((items, place, at)) = found else {
            return Ok(Err(DirectoryRefusal::DeltaTooOld(asked.clone())));
        };
        let token = self.seal_delta(viewer, ask.kind, &Token { asked: asked.clone(), place, at });
        let onward = match place {
            Place::All(..) | Place::Changes(..) => Onward::Next(token),
            Place::Done(_) => Onward::Later(token),
        };
        Ok(Ok(DeltaPage { items, onward, asked: asked.clone(), tracking, tenant }))
    }

    /// The token of the request. Options that stand beside it must be its own.
    fn delta_token(&self, viewer: &Viewer, ask: &DeltaAsk) -> Result<Option<Token>, DirectoryRefusal> {
        let (text, is_round) = match &ask.start {
            Start::Everything | Start::Now => return Ok(None),
            Start::Next(text) => (text, false),
            Start::Since(text) => (text, true),
        };
        let token = self.open_delta(viewer, ask.kind, text).ok_or(DirectoryRefusal::SkipToken)?;
        let is_same = ask.asked == Asked::default() || ask.asked == token.asked;
        if !is_same || matches!(token.place, Place::Done(_)) != is_round {
            return Err(DirectoryRefusal::SkipToken);
        }
        Ok(Some(token))
    }

    fn delta_key(&self) -> [u8; 32] {
        crypto::hmac_sha256(&self.paging, &[b"delta tokens"])
    }

    /// Sealed, because positions of the log count what other tenants write; bound to kind, tenant and caller.
    fn seal_delta(&self, viewer: &Viewer, kind: Tracked, token: &Token) -> String {
        let (key, plain, bound) = (self.delta_key(), write(token), bound(viewer, kind));
        let digest = crypto::hmac_sha256(&key, &[&bound, plain.as_bytes()]);
        let mut nonce = [0; NONCE];
        nonce.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let sealed = crypto::seal(&key, &nonce, &bound, plain.as_bytes());
        b64::encode(&[&nonce[..], &sealed].concat())
    }

    fn open_delta(&self, viewer: &Viewer, kind: Tracked, text: &str) -> Option<Token> {
        let bytes = b64::decode(text)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let plain = crypto::open(&self.delta_key(), nonce, &bound(viewer, kind), sealed)?;
        read(std::str::from_utf8(&plain).ok()?)
    }
}

/// Bytes of a nonce.
const NONCE: usize = 12;

/// Whose a token is.
fn bound(viewer: &Viewer, kind: Tracked) -> Vec<u8> {
    let caller = viewer.actor.principal();
    [viewer.tenant.uuid().as_bytes(), caller.as_bytes(), kind.set().as_bytes()].concat()
}

/// One round of a client.
struct Round<'a> {
    kind: Tracked,
    tracking: &'a Tracking,
    page: u32,
}

impl Round<'_> {
    /// The objects of a page, and where the next begins.
    fn page(&self, tx: &ReadTx<'_>, place: Place) -> Result<(Vec<DeltaItem>, Place), store::Fault> {
        let ids = self.tracking.ids.as_deref();
        let limit = self.page + 1;
        let (cursor, span, found) = match place {
            Place::Done(_) => return Ok((Vec::new(), place)),
            Place::All(since, cursor) => {
                let found = tx.objects_after(self.kind, ids, cursor.after, limit)?;
                (cursor, Span { since, until: since }, found)
            }
            Place::Changes(span, cursor) => {
                let rest = Span { since: cursor.after, ..span };
                (cursor, span, tx.changed_after(self.kind, ids, rest, limit)?)
            }
        };
        let onward = |cursor: Cursor| match place {
            Place::All(since, _) => Place::All(since, cursor),
            Place::Changes(span, _) => Place::Changes(span, cursor),
            Place::Done(_) => place,
        };
        let done = Place::Done(span.until);
        let shown = usize::try_from(self.page).unwrap_or(usize::MAX);
        let has_more = found.len() > shown;
        let named: Vec<(i64, Uuid)> = found.into_iter().take(shown).collect();
        let concerns = self.concerns(tx, place, span, &named)?;
        let concerned: Vec<Uuid> = concerns.keys().copied().collect();
        let mut present = load(tx, self.kind, &concerned)?;
        let missing: Vec<Uuid> = concerned.into_iter().filter(|id| !present.contains_key(id)).collect();
        let in_bin: BTreeSet<Uuid> = tx.deleted_among(self.kind, &missing)?.into_iter().collect();

        let mut items = Vec::new();
        let mut budget = self.page.saturating_mul(2);
        let mut at = Cursor { after: cursor.after, inside: cursor.inside };
        for (position, id) in named {
            match (concerns.get(&id), present.remove(&id)) {
                (None, _) => {}
                (Some(_), None) => {
                    items.push(DeltaItem::Removed { id, is_purged: !in_bin.contains(&id) });
                }
                (Some(concern), Some(object)) => {
                    // A page ends where its links are used up; the next takes at least one more.
                    if budget == 0 {
                        return Ok((items, onward(at)));
                    }
                    let inside = at.inside.filter(|inside| inside.object == id);
                    let (links, stopped) = self.links(tx, id, concern, span, inside, &mut budget)?;
                    let parts = match concern {
                        Concern::Parts(parts) => Some(parts.clone()),
                        Concern::Anew | Concern::Nothing | Concern::Whole => None,
                    };
                    items.push(DeltaItem::Present(Box::new(Present { object, parts, links })));
                    if stopped.is_some() {
                        return Ok((items, onward(Cursor { inside: stopped, ..at })));
                    }
                }
            }
            at = Cursor { after: position, inside: None };
        }
        Ok((items, if has_more { onward(at) } else { done }))
    }

    /// Which of the objects concern this client, and how.
    fn concerns(
        &self,
        tx: &ReadTx<'_>,
        place: Place,
        span: Span,
        named: &[(i64, Uuid)],
    ) -> Result<BTreeMap<Uuid, Concern>, store::Fault> {
        let ids: Vec<Uuid> = named.iter().map(|(_, id)| *id).collect();
        if matches!(place, Place::All(..)) {
            return Ok(ids.into_iter().map(|id| (id, Concern::Anew)).collect());
        }
        let mut happened: BTreeMap<Uuid, Vec<Happened>> = BTreeMap::new();
        for (id, one) in tx.happened(&ids, span)? {
            happened.entry(id).or_default().push(one);
        }
        let concern = |(id, happened): (Uuid, Vec<Happened>)| (id, self.tracking.concern(&happened));
        Ok(happened.into_iter().map(concern).filter(|(_, concern)| *concern != Concern::Nothing).collect())
    }

    /// The links of one group that are to be told, as many as the page may still show; and where it stopped. One statement
    /// for each kind of link of each group in a page: it reads what it shows.
    fn links(
        &self,
        tx: &ReadTx<'_>,
        group: Uuid,
        concern: &Concern,
        span: Span,
        inside: Option<Inside>,
        budget: &mut u32,
    ) -> Result<(ToldLinks, Option<Inside>), store::Fault> {
        let mut shown = Vec::new();
        let first =
            inside.and_then(|inside| self.tracking.links.iter().position(|link| *link == inside.link));
        for link in self.tracking.links.iter().skip(first.unwrap_or(0)).copied() {
            let is_whole = *concern == Concern::Anew;
            let is_told = match concern {
                Concern::Anew | Concern::Whole => true,
                Concern::Parts(parts) => parts.contains(link_name(link)),
                Concern::Nothing => false,
            };
            if !is_told {
                continue;
            }
            let last = inside.filter(|inside| inside.link == link).map_or(Uuid::nil(), |inside| inside.last);
            let mut states = tx.link_states(group, link, span, is_whole, last, budget.saturating_add(1))?;
            let most = usize::try_from(*budget).unwrap_or(usize::MAX);
            let is_cut = states.len() > most;
            states.truncate(most);
            *budget = budget.saturating_sub(u32::try_from(states.len()).unwrap_or(u32::MAX));
            let last = states.last().map_or(last, |state| state.object);
            if !states.is_empty() {
                shown.push((link, states));
            }
            if is_cut {
                return Ok((shown, Some(Inside { object: group, link, last })));
            }
        }
        Ok((shown, None))
    }
}

/// Those of some objects that are there.
fn load(tx: &ReadTx<'_>, kind: Tracked, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Object>, store::Fault> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let objects: Vec<Object> = match kind {
        Tracked::Applications => {
            let apps = tx.applications_of_ids(ids)?.into_iter();
            let seen = |app| crate::applications::seen(tx, app).map(Object::Application);
            apps.map(seen).collect::<Result<_, _>>()?
        }
        Tracked::Groups => tx.groups_of_ids(ids)?.into_iter().map(Object::Group).collect(),
        Tracked::ServicePrincipals => {
            tx.service_principals_of_ids(ids)?.into_iter().map(Object::ServicePrincipal).collect()
        }
        Tracked::Users => tx.users_of_ids(ids)?.into_iter().map(Object::User).collect(),
    };
    Ok(objects.into_iter().map(|object| (object.id(), object)).collect())
}

/// Form of the tokens, first.
const FORM: &str = "1";

fn write(token: &Token) -> String {
    let (stage, since, until, cursor) = match token.place {
        Place::All(since, cursor) => ("all", since, 0, Some(cursor)),
        Place::Changes(span, cursor) => ("changes", span.since, span.until, Some(cursor)),
        Place::Done(since) => ("done", since, 0, None),
    };
    let cursor = cursor.unwrap_or(Cursor { after: 0, inside: None });
    let inside =
        cursor.inside.map(|Inside { object, link, last }| format!("{object} {} {last}", link_name(link)));
    // Absent is another thing than empty.
    let list = |names: Option<String>| names.map_or_else(|| "*".to_owned(), |names| format!("={names}"));
    let ids =
        token.asked.ids.as_ref().map(|ids| ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(","));
    [
        FORM.to_owned(),
        stage.to_owned(),
        since.to_string(),
        until.to_string(),
        token.at.millis().to_string(),
        cursor.after.to_string(),
        inside.unwrap_or_default(),
        list(token.asked.select.as_ref().map(|names| names.join(","))),
        list(ids),
    ]
    .join("\n")
}

fn read(text: &str) -> Option<Token> {
    let fields: Vec<&str> = text.split('\n').collect();
    let [FORM, stage, since, until, at, after, inside, select, ids] = fields.as_slice() else { return None };
    let (since, until) = (since.parse().ok()?, until.parse().ok()?);
    let inside = match inside.split(' ').collect::<Vec<_>>().as_slice() {
        [object, link, last] => Some(Inside {
            object: object.parse().ok()?,
            link: [Link::Member, Link::Owner].into_iter().find(|one| link_name(*one) == *link)?,
            last: last.parse().ok()?,
        }),
        _ => None,
    };
    let cursor = Cursor { after: after.parse().ok()?, inside };
    let place = match *stage {
        "all" => Place::All(since, cursor),
        "changes" => Place::Changes(Span { since, until }, cursor),
        "done" => Place::Done(since),
        _ => return None,
    };
    let list = |text: &str| -> Option<Vec<String>> {
        let names = text.strip_prefix('=')?;
        Some(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    };
    let ids = list(ids).map(|ids| ids.iter().map(|id| id.parse().ok()).collect::<Option<Vec<Uuid>>>());
    let ids = match ids {
        None => None,
        Some(ids) => Some(ids?),
    };
    Some(Token {
        asked: Asked { select: list(select), ids },
        place,
        at: Timestamp::from_millis(at.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let inside = Inside { object: ids[0], link: Link::Owner, last: ids[1] };
        for asked in [
            Asked::default(),
            Asked { select: Some(vec!["id".to_owned(), "mail".to_owned()]), ids: Some(Vec::new()) },
            Asked { select: None, ids: Some(ids.to_vec()) },
        ] {
            for place in [
                Place::All(7, Cursor { after: 0, inside: None }),
                Place::All(7, Cursor { after: 9, inside: Some(inside) }),
                Place::Changes(Span { since: 7, until: 12 }, Cursor { after: 8, inside: None }),
                Place::Done(12),
            ] {
                let token = Token { asked: asked.clone(), place, at: Timestamp::from_millis(5) };
                assert_eq!(read(&write(&token)), Some(token));
            }
        }
        for bad in [
            "",
            "1",
            "2\ndone\n1\n0\n5\n0\n\n*\n*",
            "1\nmagic\n1\n0\n5\n0\n\n*\n*",
            "1\ndone\nx\n0\n5\n0\n\n*\n*",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
