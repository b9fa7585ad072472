//! Skip tokens: where a listing goes on, bound to the listing and to who asks. A token of another query, tenant or caller is
//! none; every page asks for leave again all the same.

use crate::Service;
use domain::directory::permission::Viewer;
use domain::directory::query::{Key, Position};
use standards::{b64, crypto};
use store::Page;
use uuid::Uuid;

/// Bytes of the mark.
const MARK: usize = 16;

impl Service {
    /// A token for the page after `position`; `listing` is the address with its options.
    pub fn skip_token(&self, viewer: &Viewer, listing: &str, position: &Position) -> String {
        let mut token = write(position);
        let mark = self.mark(viewer, listing, &token);
        token.extend(mark.into_iter().take(MARK));
        b64::encode(&token)
    }

    /// The position in a token; `None` when it is not one of this listing and caller.
    pub fn read_skip_token(&self, viewer: &Viewer, listing: &str, token: &str) -> Option<Position> {
        let bytes = b64::decode(token)?;
        let (position, presented) = bytes.split_at_checked(bytes.len().checked_sub(MARK)?)?;
        let mark = self.mark(viewer, listing, position);
        let is_own = crypto::constant_time_eq(mark.get(..MARK)?, presented);
        if is_own { read(position) } else { None }
    }

    fn mark(&self, viewer: &Viewer, listing: &str, position: &[u8]) -> [u8; 32] {
        let caller = viewer.actor.principal();
        let listing = crypto::sha256(&[listing.as_bytes()]);
        let tenant = viewer.tenant.uuid();
        crypto::hmac_sha256(&self.paging, &[tenant.as_bytes(), caller.as_bytes(), &listing, position])
    }
}

/// The id that a listing in the order of ids goes on after.
pub(crate) fn id_of(after: Option<&Position>) -> Option<Uuid> {
    match after?.key.as_ref()? {
        Key::Text(id) => Uuid::parse_str(id).ok(),
        Key::Int(_) => None,
    }
}

/// A page of such a listing, from one object more than it holds.
pub(crate) fn page_of<T>(mut found: Vec<T>, top: u32, id: impl Fn(&T) -> Uuid) -> Page<T> {
    let top = usize::try_from(top).unwrap_or(usize::MAX);
    let has_more = found.len() > top;
    found.truncate(top);
    let last = found.last().filter(|_| has_more);
    let next = last.map(|last| Position { key: Some(Key::Text(id(last).to_string())), row: 0 });
    Page { items: found, next, count: None }
}

fn write(position: &Position) -> Vec<u8> {
    let mut bytes = position.row.to_be_bytes().to_vec();
    match &position.key {
        None => {}
        Some(Key::Int(number)) => {
            bytes.push(b'n');
            bytes.extend(number.to_be_bytes());
        }
        Some(Key::Text(text)) => {
            bytes.push(b't');
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

fn read(bytes: &[u8]) -> Option<Position> {
    let (row, key) = bytes.split_first_chunk::<8>()?;
    let key = match key.split_first() {
        None => None,
        Some((b'n', number)) => Some(Key::Int(i64::from_be_bytes(number.try_into().ok()?))),
        Some((b't', text)) => Some(Key::Text(std::str::from_utf8(text).ok()?.to_owned())),
        Some(_) => return None,
    };
    Some(Position { row: i64::from_be_bytes(*row), key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_were_written() {
        for key in
            [None, Some(Key::Int(-5)), Some(Key::Text(String::new())), Some(Key::Text("ärger".to_owned()))]
        {
            let position = Position { row: 77, key };
            assert_eq!(read(&write(&position)), Some(position));
        }
        for bad in [&[][..], &[0; 7], &[0, 0, 0, 0, 0, 0, 0, 1, b'n'], &[0, 0, 0, 0, 0, 0, 0, 1, b'x']] {
            assert_eq!(read(bad), None);
        }
    }
}
