//! What only a file shows. Exceptions from "every engine", each with its reason:
//!
//! - reopening, and a machine that stops: a store in memory is gone with its process;
//! - refused files (another root key, a newer schema, no store at all): there is nothing to refuse in memory;
//! - what stands in the bytes, and who may read them: only a file has bytes that others come by;
//! - the change log and the configuration's revision: `Store` has no reader of them yet, so they are read beside it. Once
//!   it has one, these cases belong to the suite.

use crate::suite::builders::*;
use crate::suite::everything::{self, NAME, ada, assert_all_found};
use domain::audit::Record;
use domain::directory::application::Application;
use domain::directory::user::User;
use domain::proof::{ProofKind, ProofToken};
use domain::time::Span;
use rusqlite::{Connection, OpenFlags};
use standards::b64;
use standards::jose::Algorithm;
use std::path::{Path, PathBuf};
use store::{Chore, Fault, HomeVisit, KeyRow, Options, Place, Recorded, RootKey, Store, TenantStore};
use tempfile::TempDir;
use uuid::Uuid;

const ROOT_KEY: [u8; 32] = *b"a root key of thirty-two bytes!!";

fn try_open(path: &Path, root_key: [u8; 32]) -> Result<Store, Fault> {
    let root_key = RootKey::new(root_key);
    Store::open(Options { place: Place::File(path.to_owned()), root_key, readers: 2, reruns: false })
}

fn open(path: &Path) -> Store {
    try_open(path, ROOT_KEY).unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    (directory, path)
}

/// Looks into the file beside the store.
fn beside(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// What a machine that stops now would leave: the file and its log as they are, in a directory of their own.
fn image(path: &Path) -> (TempDir, PathBuf) {
    let (directory, copy) = place();
    std::fs::copy(path, &copy).unwrap();
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(log(path), log(&copy)).unwrap();
    (directory, copy)
}

async fn filled(path: &Path) -> (Store, TenantStore) {
    let store = open(path);
    let tenant = contoso(&store).await;
    everything::fill(&tenant).await;
    (store, tenant)
}

/// A store that was filled and stopped. Closing it, not only letting go of it, is what waits for the writer's last act.
async fn left_behind(path: &Path) {
    filled(path).await.0.close();
}

#[tokio::test]
async fn reopening_brings_everything_back() {
    let (_directory, path) = place();
    let (store, _) = filled(&path).await;
    let secret = store.deployment_secret("form");
    store.close();
    drop(store);
    for _ in 0..2 {
        let store = open(&path);
        assert_all_found(&store.tenant(CONTOSO), true);
        assert_eq!(store.deployment_secret("form"), secret);
        assert!(
            !put(&store.tenant(CONTOSO), |tx| tx.add_user(&member(9, NAME), None)).await,
            "the name is taken"
        );
    }
}

#[tokio::test]
async fn what_was_answered_survives_a_machine_that_stops() {
    let (_directory, path) = place();
    let (store, _) = filled(&path).await;
    assert!(put(&store.tenant(CONTOSO), |tx| tx.consume_code(hash(everything::CODE), LATER)).await);
    let (_copies, copy) = image(&path);
    let revived = open(&copy);
    let tenant = revived.tenant(CONTOSO);
    assert_all_found(&tenant, true);
    let again = put(&tenant, |tx| tx.consume_code(hash(everything::CODE), LATER));
    assert!(!again.await, "R14: a code that was used before the stop is used after it");
    assert_eq!(
        revived.read(|tx| tx.due_outbox(LATER, 10)).unwrap().len(),
        1,
        "mail that waits goes on waiting"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_not_answered_leaves_all_or_nothing_after_a_stop() {
    let (_directory, path) = place();
    let (store, tenant) = filled(&path).await;
    let (gate, opener) = Gate::new();
    let standing = gate.clone();
    let write = tenant.write(move |tx| {
        tx.add_user(&member(9, "carol@contoso.test"), None)?;
        tx.enqueue_mail(Uuid::from_u128(9), &mail("carol@x.test"), NOW)?;
        standing.pass();
        Ok(Recorded::new(record("Unfinished"), ()))
    });
    gate.await_arrival();
    let (_copies, copy) = image(&path);
    opener.open();
    write.await.unwrap();
    let revived = open(&copy);
    let tenant = revived.tenant(CONTOSO);
    assert_all_found(&tenant, true);
    assert!(tenant.read(|tx| tx.find_user(user_id(9))).unwrap().is_none());
    assert_eq!(revived.read(|tx| tx.recent_mail(10)).unwrap().len(), 1);
    assert!(!activities(&tenant).contains(&"Unfinished".to_owned()));
    drop(store);
}

#[tokio::test]
async fn a_closed_store_is_one_whole_file() {
    let (directory, path) = place();
    let (store, _) = filled(&path).await;
    store.close();
    let (_copies, copy) = place();
    std::fs::copy(&path, &copy).unwrap();
    assert_all_found(&open(&copy).tenant(CONTOSO), true);
    drop((store, directory));
}

#[tokio::test]
async fn another_root_key_is_refused_with_words_and_changes_nothing() {
    let (_directory, path) = place();
    left_behind(&path).await;
    let before = std::fs::read(&path).unwrap();
    let Err(Fault::Refused(words)) = try_open(&path, [8; 32]) else { panic!("opened with another root key") };
    assert!(words.contains("root key"), "{words}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_all_found(&open(&path).tenant(CONTOSO), true);
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_refused_with_words_and_changes_nothing() {
    let (_directory, path) = place();
    left_behind(&path).await;
    let newer = Connection::open(&path).unwrap();
    newer.execute("INSERT INTO store_migrations (step) VALUES (9999)", []).unwrap();
    let Err(Fault::Refused(words)) = try_open(&path, ROOT_KEY) else { panic!("opened a newer schema") };
    assert!(words.contains("newer release") && words.contains("9999"), "{words}");
    newer.execute("DELETE FROM store_migrations WHERE step = 9999", []).unwrap();
    drop(newer);
    assert_all_found(&open(&path).tenant(CONTOSO), true);
}

#[tokio::test]
async fn terms_of_another_release_are_made_anew_for_every_kind() {
    let (_directory, path) = place();
    let (store, tenant) = filled(&path).await;
    put(&tenant, |tx| tx.add_group(&group(50))).await;
    store.close();
    let terms = |path: &Path| {
        let beside = beside(path);
        let mut rows =
            beside.prepare("SELECT kind, property, value, row FROM terms ORDER BY 1, 2, 3, 4").unwrap();
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        rows.query_map([], read).unwrap().collect::<Result<Vec<(i64, i64, String, i64)>, _>>().unwrap()
    };
    let before = terms(&path);
    let kinds: std::collections::BTreeSet<i64> = before.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds.len(), 4, "users, groups, applications and their instances");
    let older = Connection::open(&path).unwrap();
    older.execute("UPDATE store_info SET value = x'30' WHERE name = 'terms'", []).unwrap();
    drop(older);
    open(&path).close();
    assert_eq!(terms(&path), before);
}

#[test]
fn a_file_that_is_no_store_is_not_opened_and_not_touched() {
    let (_directory, path) = place();
    let text = "a letter to grandmother\n".repeat(1_000);
    std::fs::write(&path, &text).unwrap();
    assert!(try_open(&path, ROOT_KEY).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_place_that_does_not_exist_is_named() {
    let (directory, _) = place();
    let path = directory.path().join("nowhere").join("store.db");
    let Err(Fault::Refused(words)) = try_open(&path, ROOT_KEY) else { panic!("opened nowhere") };
    assert!(words.contains("nowhere"), "{words}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_on_the_machine_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path) = place();
    let (_store, _) = filled(&path).await;
    let mut files = 0;
    for file in std::fs::read_dir(directory.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
        files += 1;
    }
    assert!(files >= 2, "the file and its log");
}

/// Whether any file of a directory holds the bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|file| {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// A secret, and the forms in which it could stand somewhere.
fn forms(secret: &[u8]) -> [Vec<u8>; 5] {
    let hex = |upper: bool| -> String {
        let digits = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        if upper { digits.to_uppercase() } else { digits }
    };
    [
        secret.to_vec(),
        b64::encode(secret).into_bytes(),
        b64::encode_std(secret).trim_end_matches('=').as_bytes().to_vec(),
        hex(false).into_bytes(),
        hex(true).into_bytes(),
    ]
}

#[tokio::test]
async fn no_secret_stands_in_the_files_in_clear() {
    let (directory, path) = place();
    let store = open(&path);
    let tenant = contoso(&store).await;
    let token = |kind, number: u8| ProofToken::new(kind, CONTOSO, [number; 32]);
    let pkcs8 = b"private half of a signing key, der".to_vec();
    let phc = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo";
    let ticket = token(ProofKind::Ticket, 0xA1);
    let link = format!("https://localhost/redeem?ticket={}", ticket.text());
    let key = pkcs8.clone();
    store
        .write(move |tx| {
            let row = KeyRow {
                kid: "published-kid".to_owned(),
                algorithm: Algorithm::Es256,
                certificate: vec![1],
                pkcs8: key.clone().into(),
                created_at: NOW,
                signs_from: NOW,
                retires_at: NOW + Span::days(1),
            };
            tx.add_signing_key(&row)?;
            tx.add_setup_link(token(ProofKind::SetupLink, 0xA2).hash(), NOW, LATER)?;
            Ok(Recorded::chore(Chore::KeyRoll, ()))
        })
        .await
        .unwrap();
    let letter = link.clone();
    put(&tenant, move |tx| {
        tx.add_user(&ada(), None)?;
        tx.set_password(ada().id, phc, false, NOW)?;
        tx.put_invitation(&store::InvitationRow {
            ticket: token(ProofKind::Ticket, 0xA1).hash(),
            ..invitation(1, ada().id, NAME)
        })?;
        let mut mail = mail("secret.recipient@x.test");
        (mail.text, mail.html) = (letter.clone(), format!("<a href='{letter}'>"));
        tx.enqueue_mail(Uuid::from_u128(5), &mail, NOW)?;
        let grant = grant(6, ada().id, session_id(7));
        tx.put_code(&code(token(ProofKind::AuthorizationCode, 0xA3).hash(), grant.clone()))?;
        tx.add_refresh_token(token(ProofKind::RefreshToken, 0xA4).hash(), grant.id, NOW)?;
        tx.put_partner_code(token(ProofKind::PartnerCode, 0xA5).hash(), &everything::partner_code())?;
        let browser = token(ProofKind::Browser, 0xA6).hash();
        tx.put_session(session_id(7), browser, ada().id, &password_proof(), true, NOW)?;
        let visit = HomeVisit {
            nonce: "nonce-of-the-visit".to_owned(),
            verifier: "verifier-of-the-visit".to_owned(),
            ..everything::visit()
        };
        tx.add_home_visit(token(ProofKind::HomeVisit, 0xA7).hash(), browser, &visit)
    })
    .await;
    let mut secrets: Vec<Vec<u8>> = vec![
        ROOT_KEY.to_vec(),
        pkcs8,
        phc.into(),
        "nonce-of-the-visit".into(),
        "verifier-of-the-visit".into(),
    ];
    secrets.extend([store.deployment_secret("form").to_vec(), link.into(), "You are invited".into()]);
    secrets.extend((0xA1..=0xA7).map(|number: u8| vec![number; 32]));
    let assert_hidden = |when: &str| {
        // The search finds what is there: names are not secret, and hashes are what is kept.
        assert!(holds(directory.path(), NAME.as_bytes()), "{when}");
        assert!(holds(directory.path(), b"published-kid"), "{when}");
        assert!(holds(directory.path(), &ticket.hash().0), "{when}");
        for secret in &secrets {
            for form in forms(secret) {
                assert!(!holds(directory.path(), &form), "{when}: {:?}", String::from_utf8_lossy(&form));
            }
        }
    };
    assert_hidden("in the log");
    store.close();
    assert_hidden("in the file");
}

#[tokio::test]
async fn a_sealed_value_opens_only_where_it_was_put() {
    let (_directory, path) = place();
    let (store, tenant) = filled(&path).await;
    put(&tenant, |tx| tx.set_password(user_id(2), "$argon2id$grace", false, NOW)).await;
    let second = fabrikam(&store).await;
    put(&second, |tx| {
        tx.add_user(&member(1, "eve@fabrikam.test"), None)?;
        tx.set_password(user_id(1), "$argon2id$eve", false, NOW)
    })
    .await;
    store.close();
    let thief = Connection::open(&path).unwrap();
    let copy = "UPDATE passwords SET hash = (SELECT hash FROM passwords WHERE tenant = ?1 AND user = ?2)
                 WHERE tenant = ?3 AND user = ?4";
    let id = |user: u128| user_id(user).uuid().as_bytes().to_vec();
    let (contoso, fabrikam) = (CONTOSO.uuid().as_bytes().to_vec(), FABRIKAM.uuid().as_bytes().to_vec());
    let changed = thief.execute(copy, (&fabrikam, id(1), &contoso, id(1))).unwrap();
    assert_eq!(changed + thief.execute(copy, (&fabrikam, id(1), &contoso, id(2))).unwrap(), 2);
    drop((thief, store));
    let store = open(&path);
    let read = |tenant, user| store.tenant(tenant).read(|tx| tx.find_password(user_id(user)));
    assert_eq!(read(FABRIKAM, 1).unwrap().unwrap().phc, "$argon2id$eve");
    assert!(matches!(read(CONTOSO, 1), Err(Fault::Bug(_))), "another tenant's");
    assert!(matches!(read(CONTOSO, 2), Err(Fault::Bug(_))), "another tenant's, of another user");
}

/// The change log of a tenant: kind, object and what happened, in order.
fn changes(path: &Path) -> Vec<(String, u128, String)> {
    let beside = beside(path);
    let mut query =
        beside.prepare("SELECT kind, object, operation FROM changes WHERE tenant = ?1 ORDER BY seq").unwrap();
    let rows = query.query_map([CONTOSO.uuid().as_bytes().as_slice()], |row| {
        let object: Vec<u8> = row.get(1)?;
        Ok((row.get(0)?, Uuid::from_slice(&object).unwrap().as_u128(), row.get(2)?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn the_change_log_tells_what_happened_to_which_object_in_order() {
    let (_directory, path) = place();
    let store = open(&path);
    let tenant = contoso(&store).await;
    let before = changes(&path).len();
    put(&tenant, |tx| tx.add_user(&ada(), None)).await;
    put(&tenant, |tx| tx.set_password(ada().id, "$argon2id$", false, LATER)).await;
    put(&tenant, |tx| tx.update_user(&User { deleted_at: Some(LATER), ..ada() }, LATER)).await;
    put(&tenant, |tx| tx.purge_user(ada().id, LATER)).await;
    put(&tenant, |tx| tx.add_application(&application(30))).await;
    put(&tenant, |tx| tx.add_service_principal(&instance(32, application(30).app_id))).await;
    let app = Application { deleted_at: Some(LATER), ..application(30) };
    put(&tenant, move |tx| tx.update_application(&app, LATER)).await;
    put(&tenant, |tx| tx.purge_application(&application(30), LATER)).await;
    put(&tenant, |tx| tx.update_tenant(&tenant_named("Contoso"), LATER)).await;
    let expected = [
        ("user", 1, "created"),
        ("user", 1, "updated"),
        ("user", 1, "deleted"),
        ("user", 1, "purged"),
        ("application", 30, "created"),
        ("servicePrincipal", 32, "created"),
        ("application", 30, "deleted"),
        ("servicePrincipal", 32, "deleted"),
        ("servicePrincipal", 32, "purged"),
        ("application", 30, "purged"),
        ("organization", CONTOSO.uuid().as_u128(), "updated"),
    ];
    let logged = changes(&path).split_off(before);
    let logged: Vec<_> = logged.iter().map(|(kind, object, what)| (&**kind, *object, &**what)).collect();
    assert_eq!(logged, expected);
}

fn tenant_named(name: &str) -> domain::tenancy::tenant::Tenant {
    domain::tenancy::tenant::Tenant { display_name: name.to_owned(), ..tenant(CONTOSO, "contoso.test") }
}

#[tokio::test]
async fn the_change_log_holds_nothing_of_writes_that_failed_or_changed_nothing() {
    let (_directory, path) = place();
    let store = open(&path);
    let tenant = contoso(&store).await;
    put(&tenant, |tx| tx.add_user(&ada(), None)).await;
    let before = changes(&path);
    let failing = tenant.write::<(), _>(|tx| {
        tx.add_user(&member(2, "bob@contoso.test"), None)?;
        Err(Fault::Bug("on purpose"))
    });
    assert!(failing.await.is_err());
    assert!(!put(&tenant, |tx| tx.add_user(&member(2, NAME), None)).await);
    assert_eq!(changes(&path), before);
}

#[tokio::test]
async fn a_write_that_runs_twice_is_logged_once() {
    let (_directory, path) = place();
    let options = Options {
        place: Place::File(path.clone()),
        root_key: RootKey::new(ROOT_KEY),
        readers: 1,
        reruns: true,
    };
    let store = Store::open(options).unwrap();
    let tenant = contoso(&store).await;
    let before = changes(&path).len();
    put(&tenant, |tx| tx.add_user(&ada(), None)).await;
    assert_eq!(changes(&path).len(), before + 1);
}

#[tokio::test]
async fn the_configurations_revision_rises_with_every_change_of_it_and_with_nothing_else() {
    let (_directory, path) = place();
    let store = open(&path);
    let tenant = contoso(&store).await;
    let revision = || -> i64 {
        let found = beside(&path).query_row("SELECT config_revision FROM tenants", [], |row| row.get(0));
        found.unwrap()
    };
    let mut last = revision();
    let mut risen = || {
        let (before, now) = (last, revision());
        last = now;
        now - before
    };
    put(&tenant, |tx| tx.update_tenant(&tenant_named("Contoso"), LATER)).await;
    assert_eq!(risen(), 1);
    put(&tenant, |tx| tx.add_application(&application(30))).await;
    assert_eq!(risen(), 1);
    put(&tenant, |tx| tx.add_client_secret(application(30).app_id, &client_secret(3))).await;
    assert_eq!(risen(), 1);
    put(&tenant, |tx| tx.add_user(&ada(), None)).await;
    let failing = tenant.write::<(), _>(|tx| {
        tx.update_tenant(&tenant_named("Undone"), LATER)?;
        Err(Fault::Bug("on purpose"))
    });
    assert!(failing.await.is_err());
    assert_eq!(risen(), 0);
}

#[tokio::test]
async fn r32_records_survive_reopening_in_their_order() {
    let (_directory, path) = place();
    let (store, tenant) = filled(&path).await;
    for activity in ["First", "Second"] {
        let write = tenant.write(move |_| {
            let records: Vec<Record> = vec![record(activity), sign_in(50_126)];
            Recorded::with(records, ())
        });
        write.await.unwrap();
    }
    let before = activities(&tenant);
    assert!(before.ends_with(&["First".to_owned(), "Second".to_owned()]));
    store.close();
    drop((store, tenant));
    let tenant = open(&path).tenant(CONTOSO);
    assert_eq!(activities(&tenant), before);
    let counts = tenant.read(|tx| tx.count_sign_in_records()).unwrap();
    assert_eq!((counts.granted, counts.refused), (1, 2));
}
