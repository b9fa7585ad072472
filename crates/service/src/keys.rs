//! Signing keys: loaded once, rolled on schedule with overlap, published before they sign. And the minting itself.
//!
//! One set of keys for the deployment, as Entra has it (docs/decisions/0003): a client that knows `common` can verify
//! every tenant's tokens, and the issuer says which tenant speaks.

use crate::{Fault, Moment, Settings};
use domain::id::{AppId, TenantId, UserId};
use domain::issuance::claims::{
    AccessClaims, IdClaims, Stamp, half_hash, pairwise, with_access_claims, with_id_claims,
};
use domain::issuance::more_claims::read_login_hint;
use domain::issuance::{Permit, lifetime};
use domain::time::{Span, Timestamp};
use moka::sync::Cache;
use serde_json::{Map, Value};
use standards::crypto;
use standards::jose::{Algorithm, HeaderForm, PublicKey, SigningKey};
use standards::jose::{JwsError, jws};
use standards::oauth::Version;
use std::sync::{Arc, PoisonError, RwLock};
use store::{Chore, KeyRow, Recorded, Store};
use uuid::Uuid;

/// How long a key signs before the next one takes over.
// DEFAULT: 90 days: short enough that a stolen key ages out, long enough that caches never notice.
const SIGNS_FOR: Span = Span::days(90);
/// How long a key is published before it signs: clients that read the keys daily know it by then.
// DEFAULT: two days, twice what metadata may be cached (facts: protocol §1.1, max-age 86400).
const PUBLISHED_BEFORE: Span = Span::days(2);
/// How long a key that signs no more is still published: the longest token and the longest cache.
const PUBLISHED_AFTER: Span = Span::days(2);

/// The keys in use. Every node reads them from the store.
pub struct KeyRing {
    keys: RwLock<Arc<Keys>>,
    pairwise: [u8; 32],
    verified: Cache<[u8; 32], Verified>,
}

/// Claims whose signature was checked before. Only that is remembered: times, and what the directory says of the holder,
/// are looked at in every request.
#[derive(Clone)]
struct Verified {
    claims: Arc<Map<String, Value>>,
    /// The key's own end.
    believed_until: Timestamp,
}

/// Verified tokens that are remembered.
// DEFAULT: 10,000, some 20 MB at most; a daemon calls Graph hundreds of times with one token.
const VERIFIED: u64 = 10_000;

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyRing")
    }
}

struct Keys {
    rows: Vec<Held>,
}

struct Held {
    key: Arc<SigningKey>,
    signs_from: Timestamp,
    retires_at: Timestamp,
}

/// What an ID token of the authorization endpoint comes beside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside<'a> {
    pub(crate) is_in_address: bool,
    pub(crate) code: Option<&'a str>,
    pub(crate) access_token: Option<&'a str>,
}

/// An access token and how long it lives.
#[derive(Debug)]
pub struct MintedAccess {
    pub token: String,
    pub expires_in: i64,
}

impl KeyRing {
    /// Loads the keys, making the first ones if there are none. Making an RSA key takes some tenths of a second.
    pub async fn open(store: &Store, moment: &Moment) -> Result<Self, Fault> {
        let ring = Self {
            keys: RwLock::new(Arc::new(Keys { rows: Vec::new() })),
            pairwise: store.deployment_secret("pairwise subjects"),
            verified: Cache::new(VERIFIED),
        };
        ring.roll(store, moment).await?;
        Ok(ring)
    }

    /// Makes the next key where one is due, and loads what the store has. Called at start and daily.
    pub async fn roll(&self, store: &Store, moment: &Moment) -> Result<(), Fault> {
        let now = moment.now;
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let rows = store.read(|tx| tx.signing_keys(now))?;
            let newest = rows.iter().filter(|row| row.algorithm == algorithm).map(|row| row.signs_from).max();
            let signs_from = match newest {
                None => now,
                Some(newest) if now + PUBLISHED_BEFORE >= newest + SIGNS_FOR => now + PUBLISHED_BEFORE,
                Some(_) => continue,
            };
            self.add_key(store, algorithm, now, signs_from).await?;
        }
        self.load(store, now)
    }

    /// Makes a key of an algorithm that signs at once; older ones are believed for two more days. For an operator who
    /// fears that a key is known to others.
    pub async fn roll_now(&self, store: &Store, algorithm: Algorithm, moment: &Moment) -> Result<(), Fault> {
        self.add_key(store, algorithm, moment.now, moment.now).await?;
        self.load(store, moment.now)
    }

    async fn add_key(
        &self,
        store: &Store,
        algorithm: Algorithm,
        now: Timestamp,
        signs_from: Timestamp,
    ) -> Result<(), Fault> {
        let row = tokio::task::spawn_blocking(move || new_key(algorithm, now, signs_from))
            .await
            .map_err(|_| Fault::Bug("making a key did not finish"))??;
        let row = Arc::new(row);
        store
            .write(move |tx| {
                tx.retire_signing_keys(algorithm, signs_from, signs_from + PUBLISHED_AFTER)?;
                tx.add_signing_key(&row)?;
                Ok(Recorded::chore(Chore::KeyRoll, ()))
            })
            .await?;
        Ok(())
    }

    fn load(&self, store: &Store, now: Timestamp) -> Result<(), Fault> {
        let rows = store.read(|tx| tx.signing_keys(now))?;
        let held = rows
            .into_iter()
            .map(|row| {
                let key = SigningKey::from_pkcs8(row.algorithm, &row.pkcs8, row.certificate)
                    .map_err(|_| Fault::Bug("a stored signing key does not parse"))?;
                Ok(Held { key: Arc::new(key), signs_from: row.signs_from, retires_at: row.retires_at })
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Keys { rows: held });
        Ok(())
    }

    fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every key that a token may be verified with, the next ones included.
    pub fn published(&self) -> Vec<PublicKey> {
        self.current().rows.iter().map(|held| held.key.public().clone()).collect()
    }

    /// The same at a time: retired keys are believed no more.
    pub fn believed(&self, now: Timestamp) -> Vec<PublicKey> {
        let keys = self.current();
        keys.rows.iter().filter(|held| now < held.retires_at).map(|held| held.key.public().clone()).collect()
    }

    /// Verifies a token of ours; the same token is verified once.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Map<String, Value>>, JwsError> {
        let name = crypto::sha256(&[token.as_bytes()]);
        if let Some(known) = self.verified.get(&name).filter(|known| now < known.believed_until) {
            return Ok(known.claims);
        }
        let claims = Arc::new(jws::verify(token, &self.believed(now))?);
        let ends = self.current().rows.iter().map(|held| held.retires_at).filter(|end| now < *end).min();
        if let Some(believed_until) = ends {
            self.verified.insert(name, Verified { claims: Arc::clone(&claims), believed_until });
        }
        Ok(claims)
    }

    fn signer(&self, algorithm: Algorithm, now: Timestamp) -> Result<Arc<SigningKey>, Fault> {
        let keys = self.current();
        let usable =
            keys.rows.iter().filter(|h| h.key.public().algorithm == algorithm && h.signs_from <= now);
        let newest = usable.max_by_key(|held| held.signs_from);
        newest.map(|held| Arc::clone(&held.key)).ok_or(Fault::Bug("there is no signing key"))
    }

    /// The subject of a user towards a client, as its ID tokens say it.
    pub(crate) fn subject(&self, client: AppId, tenant: TenantId, user: UserId) -> String {
        pairwise(&self.pairwise, client.uuid(), tenant, user)
    }

    /// Who a `login_hint` claim of ours names: home tenant and user there.
    pub(crate) fn read_login_hint(&self, hint: &str) -> Option<(TenantId, UserId)> {
        read_login_hint(&self.pairwise, hint)
    }

    /// An access token for what the permit allows; `is_in_address` where it goes through an address bar.
    pub(crate) fn mint_access_token(
        &self,
        permit: &Permit,
        settings: &Settings,
        token_id: Uuid,
        is_in_address: bool,
        moment: &Moment,
    ) -> Result<MintedAccess, Fault> {
        let lifetime = lifetime::access_token(permit.resource(), &moment.entropy);
        let algorithm =
            permit.resource().map_or(Algorithm::Rs256, |resource| resource.registration.token_algorithm);
        let key = self.signer(algorithm, moment.now)?;
        let token = self.stamped(permit, settings, token_id, lifetime, moment, |stamp| {
            let stamp = Stamp { is_in_address, ..*stamp };
            with_access_claims(permit, &stamp, |claims| match claims {
                AccessClaims::V1(claims) => key.sign(HeaderForm::V1, &claims),
                AccessClaims::V2(claims) => key.sign(HeaderForm::V2, &claims),
            })
        });
        let token = token.map_err(|_| Fault::Bug("signing failed"))?;
        Ok(MintedAccess { token, expires_in: lifetime.as_seconds() - 1 })
    }

    /// An ID token; `None` when the permit is an application's.
    pub(crate) fn mint_id_token(
        &self,
        permit: &Permit,
        settings: &Settings,
        token_id: Uuid,
        beside: Beside<'_>,
        version: Version,
        moment: &Moment,
    ) -> Result<Option<String>, Fault> {
        let key = self.signer(Algorithm::Rs256, moment.now)?;
        let (code_hash, access_hash) = (beside.code.map(half_hash), beside.access_token.map(half_hash));
        let lifetime = lifetime::id_token(permit.client());
        let minted = self.stamped(permit, settings, token_id, lifetime, moment, |stamp| {
            let stamp = Stamp {
                is_in_address: beside.is_in_address,
                code_hash: code_hash.as_deref(),
                access_token_hash: access_hash.as_deref(),
                ..*stamp
            };
            with_id_claims(permit, &stamp, version, |claims| match claims {
                IdClaims::V1(claims) => key.sign(HeaderForm::V1, &claims),
                IdClaims::V2(claims) => key.sign(HeaderForm::V2, &claims),
            })
        });
        minted.transpose().map_err(|_| Fault::Bug("signing failed"))
    }

    /// What a home says of its user to a partner: an ID token, as any other relying party would get.
    pub(crate) fn mint_partner_token(
        &self,
        permit: &Permit,
        settings: &Settings,
        moment: &Moment,
    ) -> Result<String, Fault> {
        let id = moment.entropy.uuid("partner token");
        let minted = self.mint_id_token(permit, settings, id, Beside::default(), Version::V2, moment)?;
        minted.ok_or(Fault::Bug("a partner's permit names nobody"))
    }

    fn stamped<R>(
        &self,
        permit: &Permit,
        settings: &Settings,
        token_id: Uuid,
        lifetime: Span,
        moment: &Moment,
        mint: impl FnOnce(&Stamp<'_>) -> R,
    ) -> R {
        let tenant = permit.tenant().id;
        let home_issuer = permit.home().map(|home| settings.issuer_v1(home.home_tenant));
        mint(&Stamp {
            issuer_v1: &settings.issuer_v1(tenant),
            issuer_v2: &settings.issuer_v2(tenant),
            home_issuer: home_issuer.as_deref(),
            issued_at: moment.now,
            expires_at: moment.now + lifetime,
            token_id,
            address: moment.origin.address.as_deref(),
            origin: &settings.base,
            is_in_address: false,
            code_hash: None,
            access_token_hash: None,
            pairwise_key: &self.pairwise,
        })
    }
}

/// Makes a key with a self-signed certificate: `x5c` and `x5t` are what older clients look for.
fn new_key(algorithm: Algorithm, now: Timestamp, signs_from: Timestamp) -> Result<KeyRow, Fault> {
    let pkcs8 = SigningKey::generate(algorithm).map_err(|_| Fault::Bug("a key could not be made"))?;
    let certificate = certificate(algorithm, &pkcs8)?;
    let key = SigningKey::from_pkcs8(algorithm, &pkcs8, certificate.clone())
        .map_err(|_| Fault::Bug("a fresh key does not parse"))?;
    Ok(KeyRow {
        kid: key.public().kid.clone(),
        algorithm,
        certificate,
        pkcs8,
        created_at: now,
        signs_from,
        // Far away until a successor says otherwise.
        retires_at: now + Span::days(3650),
    })
}

fn certificate(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Vec<u8>, Fault> {
    let broken = |_: rcgen::Error| Fault::Bug("a key's certificate could not be made");
    let form = match algorithm {
        Algorithm::Es256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Algorithm::Rs256 => &rcgen::PKCS_RSA_SHA256,
    };
    let der = rustls_pki_types::PrivatePkcs8KeyDer::from(pkcs8);
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, form).map_err(broken)?;
    let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(broken)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "Hospes token signing");
    let digest = crypto::sha256(&[pkcs8]);
    params.serial_number = digest.get(..16).map(rcgen::SerialNumber::from_slice);
    Ok(params.self_signed(&pair).map_err(broken)?.der().to_vec())
}
