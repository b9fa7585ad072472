//! One-time objects: found only by their own hash, good until their time, used once.

use super::builders::*;
use super::everything::{
    self, ATTEMPT, BROWSER, CODE, PARTNER_CODE, SESSION, VISIT, ada, partner_code, visit,
};
use domain::directory::application::Platform;
use domain::id::{AttemptId, GrantId, TenantId};
use domain::proof::{ProofHash, ProofKind, ProofToken};
use domain::signin::attempt::ProvedUser;
use domain::signin::evidence::{Method, Proved, Verifier};
use domain::time::Span;
use standards::jose::Algorithm;
use standards::oauth::authorize::{ChallengeMethod, CodeChallenge};
use store::{Chore, KeyRow, Recorded, Store, TenantStore};
use uuid::Uuid;

async fn filled(store: &Store) -> TenantStore {
    let tenant = contoso(store).await;
    everything::fill(&tenant).await;
    tenant
}

async fn r03_no_changed_bit_of_a_hash_finds_anything(store: Store) {
    let tenant = filled(&store).await;
    for bit in 0..256_usize {
        let changed = |number: u64| {
            let ProofHash(mut bytes) = hash(number);
            bytes[bit / 8] ^= 1 << (bit % 8);
            ProofHash(bytes)
        };
        // Bits of the small number itself lead to another hash of this tenant; those are other cases.
        if bit / 8 == 7 {
            continue;
        }
        let found = tenant.read(|tx| {
            Ok([
                tx.find_code(changed(CODE))?.is_some(),
                tx.find_partner_code(changed(PARTNER_CODE))?.is_some(),
                tx.find_grant_by_refresh_token(changed(everything::REFRESH))?.is_some(),
                tx.find_home_visit(changed(VISIT), hash(BROWSER), NOW)?.is_some(),
                tx.find_home_visit(hash(VISIT), changed(BROWSER), NOW)?.is_some(),
            ])
        });
        assert_eq!(found.unwrap(), [false; 5], "bit {bit}");
    }
}

/// Kind and tenant are part of the hash, so one secret makes as many objects as there are kinds and tenants.
async fn r10_a_secret_used_for_one_kind_opens_no_other(store: Store) {
    let tenant = contoso(&store).await;
    let hash_of = |kind, tenant: TenantId| ProofToken::new(kind, tenant, [5; 32]).hash();
    put(&tenant, move |tx| {
        let grant = grant(1, user_id(1), session_id(1));
        tx.put_code(&code(hash_of(ProofKind::AuthorizationCode, CONTOSO), grant.clone()))?;
        tx.add_refresh_token(hash_of(ProofKind::RefreshToken, CONTOSO), grant.id, NOW)
    })
    .await;
    let found = |kind, owner| {
        let hash = hash_of(kind, owner);
        tenant.read(|tx| Ok((tx.find_code(hash)?.is_some(), tx.find_grant_by_refresh_token(hash)?.is_some())))
    };
    assert_eq!(found(ProofKind::AuthorizationCode, CONTOSO).unwrap(), (true, false));
    assert_eq!(found(ProofKind::RefreshToken, CONTOSO).unwrap(), (false, true));
    for kind in [ProofKind::PartnerCode, ProofKind::Ticket, ProofKind::HomeVisit, ProofKind::Browser] {
        assert_eq!(found(kind, CONTOSO).unwrap(), (false, false), "{kind:?}");
    }
    assert_eq!(found(ProofKind::AuthorizationCode, FABRIKAM).unwrap(), (false, false));
}

async fn r04_a_code_says_when_it_expires_however_late_it_is_asked(store: Store) {
    let tenant = filled(&store).await;
    let (code, partner) = tenant
        .read(|tx| {
            Ok((tx.find_code(hash(CODE))?.unwrap(), tx.find_partner_code(hash(PARTNER_CODE))?.unwrap()))
        })
        .unwrap();
    assert_eq!(code.expires_at, NOW + Span::minutes(10));
    assert_eq!(partner.expires_at, partner_code().expires_at);
}

async fn r04_a_set_up_link_is_refused_from_its_last_moment_on(store: Store) {
    let end = NOW + Span::hours(1);
    let add = store
        .write(move |tx| Ok(Recorded::chore(Chore::Progress, tx.add_setup_link(hash(1), NOW, end)?)))
        .await;
    add.unwrap();
    let just_before = end - Span::millis(1);
    assert!(store.read(|tx| tx.is_setup_link_open(hash(1), just_before)).unwrap());
    assert!(!store.read(|tx| tx.is_setup_link_open(hash(1), end)).unwrap());
    assert!(!store.read(|tx| tx.is_setup_link_open(hash(2), NOW)).unwrap());
    let consume = |number, at| {
        store.write(move |tx| Ok(Recorded::chore(Chore::Progress, tx.consume_setup_link(hash(number), at)?)))
    };
    assert!(!consume(1, end).await.unwrap());
    assert!(!consume(2, NOW).await.unwrap());
    assert!(consume(1, just_before).await.unwrap());
    assert!(!consume(1, just_before).await.unwrap());
    assert!(!store.read(|tx| tx.is_setup_link_open(hash(1), NOW)).unwrap());
}

async fn r04_a_home_visit_is_not_found_from_its_last_moment_on(store: Store) {
    let tenant = filled(&store).await;
    let found = |at| tenant.read(|tx| tx.find_home_visit(hash(VISIT), hash(BROWSER), at)).unwrap().is_some();
    assert!(found(visit().expires_at - Span::millis(1)));
    assert!(!found(visit().expires_at));
}

async fn r15_a_home_visit_belongs_to_the_browser_that_began_it(store: Store) {
    let tenant = filled(&store).await;
    let other = tenant.read(|tx| tx.find_home_visit(hash(VISIT), hash(BROWSER + 100), NOW)).unwrap();
    assert!(other.is_none());
    let own = tenant.read(|tx| tx.find_home_visit(hash(VISIT), hash(BROWSER), NOW)).unwrap().unwrap();
    assert_eq!((own.nonce, own.verifier, own.home), (visit().nonce, visit().verifier, FABRIKAM));
}

async fn r14_a_used_code_is_still_known_as_used_with_its_grant(store: Store) {
    let tenant = filled(&store).await;
    assert!(put(&tenant, |tx| tx.consume_code(hash(CODE), LATER)).await);
    // Whoever replays it must be recognised, so that what it issued can be revoked; and its first use stays on record.
    assert!(!put(&tenant, |tx| tx.consume_code(hash(CODE), LATER + Span::hours(1))).await);
    let used = tenant.read(|tx| tx.find_code(hash(CODE))).unwrap().unwrap();
    assert_eq!(used.redeemed_at, Some(LATER));
    put(&tenant, move |tx| tx.revoke_grant(used.grant.id, LATER)).await;
    let grant = tenant.read(|tx| tx.find_grant_by_refresh_token(hash(everything::REFRESH))).unwrap().unwrap();
    assert_eq!(grant.revoked_at, Some(LATER));
}

async fn an_unknown_code_is_not_used_up(store: Store) {
    let tenant = filled(&store).await;
    assert!(!put(&tenant, |tx| tx.consume_code(hash(1_000), LATER)).await);
    assert!(!put(&tenant, |tx| tx.consume_home_visit(hash(1_000), LATER)).await);
}

async fn a_code_comes_back_as_it_was_put(store: Store) {
    let tenant = contoso(&store).await;
    let mut row = code(hash(CODE), grant(1, user_id(1), session_id(1)));
    row.facts.challenge = Some(CodeChallenge { method: ChallengeMethod::Plain, value: "plain".to_owned() });
    row.facts.grant.platform = Platform::Native;
    row.facts.grant.evidence.push(Proved {
        method: Method::Federated,
        at: LATER,
        verifier: Verifier::Partner {
            issuer: "https://home.test".to_owned(),
            grant: Some(GrantId::new(Uuid::from_u128(71))),
        },
    });
    let expected = format!("{:?}", row.facts);
    put(&tenant, move |tx| tx.put_code(&row)).await;
    let found = tenant.read(|tx| tx.find_code(hash(CODE))).unwrap().unwrap();
    assert_eq!(format!("{found:?}"), expected);
}

async fn r15_an_unfinished_sign_in_belongs_to_its_browser_and_ends(store: Store) {
    let tenant = filled(&store).await;
    let id = AttemptId::new(Uuid::from_u128(ATTEMPT));
    let find = |browser| tenant.read(|tx| tx.find_attempt(id, hash(browser))).unwrap();
    assert!(find(BROWSER + 100).is_none());
    let mut attempt = find(BROWSER).unwrap();
    attempt.proved = Some(ProvedUser { user: ada().id, evidence: password_proof() });
    attempt.stay_signed_in = Some(true);
    let proved = attempt.clone();
    put(&tenant, move |tx| tx.update_attempt(&proved)).await;
    assert_eq!(find(BROWSER).unwrap().proved, attempt.proved);
    assert_eq!(find(BROWSER).unwrap().stay_signed_in, Some(true));
    assert!(put(&tenant, move |tx| tx.end_attempt(id, LATER)).await);
    assert!(find(BROWSER).is_none());
    // R11: what has ended takes nothing in any more.
    put(&tenant, move |tx| tx.update_attempt(&attempt)).await;
    assert!(find(BROWSER).is_none());
    assert!(!put(&tenant, move |tx| tx.end_attempt(id, LATER)).await);
}

fn key(kid: &str, signs_from: domain::time::Timestamp) -> KeyRow {
    KeyRow {
        kid: kid.to_owned(),
        algorithm: Algorithm::Es256,
        certificate: vec![1, 2, 3],
        pkcs8: vec![4, 5, 6].into(),
        created_at: NOW,
        signs_from,
        retires_at: NOW + Span::days(30),
    }
}

async fn a_signing_key_comes_back_until_it_retires(store: Store) {
    let add = |kid: &'static str, from| {
        store.write(move |tx| Ok(Recorded::chore(Chore::KeyRoll, tx.add_signing_key(&key(kid, from))?)))
    };
    assert!(add("second", LATER).await.unwrap());
    assert!(add("first", NOW).await.unwrap());
    assert!(!add("first", LATER).await.unwrap(), "a key id names one key");
    let kids = |at| {
        let keys = store.read(|tx| tx.signing_keys(at)).unwrap();
        keys.into_iter().map(|key| (key.kid, key.pkcs8.to_vec())).collect::<Vec<_>>()
    };
    let all = [("first".to_owned(), vec![4, 5, 6]), ("second".to_owned(), vec![4, 5, 6])];
    assert_eq!(kids(NOW), all, "oldest first, opened");
    let retire = store.write(|tx| {
        tx.retire_signing_keys(Algorithm::Es256, LATER, NOW + Span::days(1))?;
        tx.retire_signing_keys(Algorithm::Rs256, LATER + Span::days(9), NOW)?;
        Ok(Recorded::chore(Chore::KeyRoll, ()))
    });
    retire.await.unwrap();
    assert_eq!(kids(NOW), all, "not before its time, and not another algorithm's");
    assert_eq!(kids(NOW + Span::days(1)), all[1..]);
    assert!(kids(NOW + Span::days(30)).is_empty());
}

async fn consent_is_the_users_own_or_everybodys(store: Store) {
    let tenant = filled(&store).await;
    let (client, other) = (instance(32, application(30).app_id).id, user_id(2));
    let scopes = |user| {
        let mut scopes = tenant.read(|tx| tx.consented_scopes(client, user, client)).unwrap();
        scopes.sort();
        scopes
    };
    assert_eq!(scopes(ada().id), ["User.Read"]);
    assert!(scopes(other).is_empty());
    put(&tenant, move |tx| {
        let scopes = ["Mail.Read".to_owned(), "mail.read".to_owned()];
        tx.add_consent(Uuid::from_u128(90), client, None, client, &scopes, LATER)?;
        let again = ["user.read".to_owned(), "Files.Read".to_owned()];
        tx.add_consent(Uuid::from_u128(91), client, Some(ada().id), client, &again, LATER)
    })
    .await;
    assert_eq!(scopes(other), ["Mail.Read"], "a scope is named once, however it is written");
    assert_eq!(scopes(ada().id), ["Files.Read", "Mail.Read", "User.Read"]);
}

async fn r14_two_grants_do_not_share_their_end(store: Store) {
    let tenant = filled(&store).await;
    let second = grant(900, ada().id, session_id(SESSION));
    let kept = second.clone();
    put(&tenant, move |tx| {
        tx.add_grant(&second)?;
        tx.add_refresh_token(hash(901), second.id, NOW)?;
        tx.revoke_grant(second.id, LATER)
    })
    .await;
    let find = |number| tenant.read(|tx| tx.find_grant_by_refresh_token(hash(number))).unwrap().unwrap();
    assert_eq!((find(901).id, find(901).revoked_at), (kept.id, Some(LATER)));
    assert_eq!(find(everything::REFRESH).revoked_at, None);
}

for_every_engine! {
    r03_no_changed_bit_of_a_hash_finds_anything,
    r10_a_secret_used_for_one_kind_opens_no_other,
    r04_a_code_says_when_it_expires_however_late_it_is_asked,
    r04_a_set_up_link_is_refused_from_its_last_moment_on,
    r04_a_home_visit_is_not_found_from_its_last_moment_on,
    r15_a_home_visit_belongs_to_the_browser_that_began_it,
    r14_a_used_code_is_still_known_as_used_with_its_grant,
    an_unknown_code_is_not_used_up,
    a_code_comes_back_as_it_was_put,
    r15_an_unfinished_sign_in_belongs_to_its_browser_and_ends,
    a_signing_key_comes_back_until_it_retires,
    consent_is_the_users_own_or_everybodys,
    r14_two_grants_do_not_share_their_end,
}
