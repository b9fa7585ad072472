//! Directories to be measured: one tenant with as many users as wanted, put there by the store's own functions, so that
//! terms, counts, the change log and records are what they would be had each been made by a request.

use crate::server::make_world;
use anyhow::{Context, Result, ensure};
use domain::audit::{DirectoryRecord, Origin, Record, RecordActor};
use domain::directory::user::{User, UserType};
use domain::entropy::Entropy;
use domain::id::{TenantId, UserId};
use domain::time::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use store::{Fault, Options, Place, Recorded, RootKey, SCHEMA, Store, WriteTx};
use uuid::Uuid;

/// Raised when [`person`] changes: what was filled before is no longer what is asked for.
const FORM: u32 = 1;
/// How many users share a given name, and how many a surname, whatever the size: an answer is as long everywhere.
pub(crate) const NAMESAKES: usize = 20;
/// Users in one transaction: a page of an index is written once for many of them.
const BATCH: usize = 50_000;
/// The form of a stored password. Nobody signs in with it, and nothing was hashed.
const PHC: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$YSBzYWx0IG9mIG5vYm9keQ$bm9ib2R5J3MgcGFzc3dvcmQgaGFzaGVzIHRvIHRoaXMuLi4";

/// A filled data folder, kept between runs.
pub(crate) struct Filled {
    pub(crate) users: usize,
    pub(crate) world: Value,
    pub(crate) data: PathBuf,
}

impl Filled {
    /// The directory of that size: the one that is kept if it fits this release, else a new one.
    pub(crate) fn of(program: &str, users: usize, is_fresh: bool) -> Result<Self> {
        ensure!(
            users >= 10_000 && users.is_multiple_of(NAMESAKES),
            "{users} users cannot be measured: it takes a multiple of {NAMESAKES}, and 500 pages of 20"
        );
        let folder = Path::new("target/scale").join(users.to_string());
        let (data, mark, description) =
            (folder.join("data"), folder.join("filled"), folder.join("world.json"));
        let form = format!("schema {SCHEMA}, form {FORM}");
        let is_kept = std::fs::read_to_string(&mark).is_ok_and(|found| found == form);
        if is_kept && !is_fresh {
            let world = serde_json::from_str(&std::fs::read_to_string(&description)?)?;
            println!("{users} users: kept from an earlier run in {}", folder.display());
            return Ok(Self { users, world, data });
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let world = make_world(program, &data)?;
        let began = Instant::now();
        fill(&data, tenant_of(&world)?, users)?;
        let seconds = began.elapsed().as_secs_f64();
        std::fs::write(&description, world.to_string())?;
        // Last: a folder without the mark was not finished.
        std::fs::write(&mark, form)?;
        println!("{users} users: filled in {seconds:.0} s, {:.0} users/s", users as f64 / seconds);
        Ok(Self { users, world, data })
    }

    pub(crate) fn bytes(&self) -> Result<u64> {
        Ok(std::fs::metadata(self.data.join("hospes.db"))?.len())
    }
}

pub(crate) fn tenant_of(world: &Value) -> Result<Uuid> {
    let id = world["tenants"][0]["id"].as_str().context("the world has no tenant")?;
    Ok(Uuid::parse_str(id)?)
}

fn fill(data: &Path, tenant: Uuid, users: usize) -> Result<()> {
    let key: [u8; 32] = std::fs::read(data.join("root.key"))?
        .try_into()
        .map_err(|_| anyhow::anyhow!("the root key has a strange length"))?;
    let file = data.join("hospes.db");
    let place = Place::File(file.clone());
    let store =
        Store::open_to_fill(Options { place, root_key: RootKey::new(key), readers: 1, reruns: false })?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = Timestamp::from_millis(i64::try_from(now.as_millis())?);
    let bar = ProgressBar::new(users as u64);
    bar.set_style(ProgressStyle::with_template("filling {bar:30} {pos}/{len} users, {per_sec}, {eta} left")?);
    bar.tick();
    let mut waiting: Option<(usize, _)> = None;
    for start in (0..users).step_by(BATCH) {
        let people: Vec<User> =
            (start..users.min(start + BATCH)).map(|index| person(index, users, now)).collect();
        let count = people.len();
        // Handed over at once: it is written while the next people are made.
        let write = store.tenant(TenantId::new(tenant)).write(move |tx| add(tx, &people, now));
        if let Some((count, write)) = waiting.replace((count, write)) {
            runtime.block_on(write)?;
            bar.inc(count as u64);
        }
    }
    if let Some((_, write)) = waiting {
        runtime.block_on(write)?;
    }
    store.close();
    std::fs::File::open(&file)?.sync_all()?;
    bar.finish_and_clear();
    Ok(())
}

/// Adds people as an application would by `POST /users`, with a record each.
fn add(tx: &WriteTx<'_>, people: &[User], now: Timestamp) -> Result<Recorded<()>, Fault> {
    let mut records = Vec::with_capacity(people.len());
    for user in people {
        if !tx.add_user(user, None)? {
            return Err(Fault::Refused(format!("{} is there already", user.sign_in_name)));
        }
        tx.set_password(user.id, PHC, false, now)?;
        records.push(Record::Directory(DirectoryRecord {
            activity: "Add user",
            category: "UserManagement",
            actor: RecordActor::Operator,
            target: Some(user.id.uuid()),
            target_name: Some(user.sign_in_name.clone()),
            refusal: None,
            reasons: String::new(),
            modified: Vec::new(),
            origin: Origin { at: now, correlation: user.id.uuid(), address: None, user_agent: None },
        }));
    }
    Recorded::with(records, ())
}

/// The id of a filled user.
pub(crate) fn id(index: usize) -> Uuid {
    Entropy::new([7; 32]).child("scale", index).uuid("user")
}

pub(crate) fn mail(index: usize) -> String {
    format!("u{index}@contoso.test")
}

/// A given name that [`NAMESAKES`] users have, far apart in the directory, and no other begins with.
pub(crate) fn given_name(number: usize) -> String {
    word(number, true)
}

/// The same of a surname; none begins like a given name.
pub(crate) fn surname(number: usize) -> String {
    word(number, false)
}

/// Six letters in turn, different for each number below a million, and neighbours far apart.
fn word(number: usize, begins_with_consonant: bool) -> String {
    let (consonants, vowels) = (b"bcdfghjklmnpqrstvwxz", b"aeiou");
    let mut rest = number * 387_420_489 % 1_000_000;
    let mut text = String::new();
    for at in 0..6 {
        let letters: &[u8] = if (at % 2 == 0) == begins_with_consonant { consonants } else { vowels };
        let letter = char::from(letters[rest % letters.len()]);
        rest /= letters.len();
        text.push(if at == 0 { letter.to_ascii_uppercase() } else { letter });
    }
    text
}

fn person(index: usize, users: usize, now: Timestamp) -> User {
    let names = users / NAMESAKES;
    // Of those with one given name, each has another surname, and the other way round.
    let (row, turn) = (index % names, index / names);
    let (given, family) = (given_name(row), surname((row + turn * (names / NAMESAKES + 1)) % names));
    let mail = mail(index);
    let of = |texts: &[&str]| texts[index % texts.len()].to_owned();
    let profile = [
        ("givenName", given.clone()),
        ("surname", family.clone()),
        ("jobTitle", of(&["Engineer", "Designer", "Consultant", "Analyst", "Manager"])),
        ("department", format!("Department {}", index % 100)),
        ("city", of(&["Seattle", "Berlin", "Lagos", "Lima", "Osaka", "Pune", "Oslo"])),
        ("employeeId", format!("{index:08}")),
    ];
    User {
        id: UserId::new(id(index)),
        sign_in_name: mail.clone(),
        display_name: format!("{given} {family}"),
        user_type: UserType::Member,
        is_enabled: true,
        mail_nickname: Some(format!("u{index}")),
        other_mails: Vec::new(),
        proxy_addresses: vec![format!("SMTP:{mail}")],
        mail: Some(mail),
        business_phones: Vec::new(),
        creation: None,
        external: None,
        identity: None,
        created_at: now,
        deleted_at: None,
        is_shown_in_address_list: true,
        profile: profile
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<BTreeMap<_, _>>(),
        sessions_valid_from: now,
        last_password_change_at: Some(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_has_as_many_namesakes_at_every_size_and_no_two_people_are_called_alike() {
        for users in [10_000, 50_000] {
            let (mut given, mut family) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new());
            let mut whole = BTreeSet::new();
            for index in 0..users {
                let user = person(index, users, Timestamp::from_millis(0));
                *given.entry(user.profile["givenName"].clone()).or_default() += 1;
                *family.entry(user.profile["surname"].clone()).or_default() += 1;
                assert!(whole.insert(user.display_name), "{users}: {index}");
            }
            assert_eq!((given.len(), family.len()), (users / NAMESAKES, users / NAMESAKES));
            assert!(given.values().chain(family.values()).all(|count| *count == NAMESAKES));
        }
    }

    #[test]
    fn a_million_names_are_different() {
        let words: BTreeSet<String> = (0..100_000).map(|number| word(number * 10, true)).collect();
        assert_eq!(words.len(), 100_000);
    }
}
