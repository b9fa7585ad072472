//! The deployment's signing keys; private halves sealed. And one-time links of the operator.

use crate::fault::Fault;
use crate::{ReadTx, WriteTx};
use domain::proof::ProofHash;
use domain::time::Timestamp;
use standards::jose::Algorithm;

/// A signing key as it is kept, opened.
pub struct KeyRow {
    pub kid: String,
    pub algorithm: Algorithm,
    pub certificate: Vec<u8>,
    pub pkcs8: zeroize::Zeroizing<Vec<u8>>,
    pub created_at: Timestamp,
    /// From here on it signs; it is published before.
    pub signs_from: Timestamp,
    /// From here on nothing signed by it is believed, and it is published no more.
    pub retires_at: Timestamp,
}

impl std::fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyRow({})", self.kid)
    }
}

fn place(kid: &str) -> String {
    format!("signing_keys.sealed:{kid}")
}

impl ReadTx<'_> {
    /// Keys that are not retired, oldest first.
    pub fn signing_keys(&self, now: Timestamp) -> Result<Vec<KeyRow>, Fault> {
        self.link().all(
            "SELECT kid, algorithm, certificate, sealed, created_at, signs_from, retires_at FROM signing_keys
              WHERE retires_at > $1 ORDER BY signs_from, kid",
            &[now.into()],
            |row| {
                let kid = row.text(0)?;
                let pkcs8 = self.sealer().open(None, &place(&kid), &row.bytes(3)?)?;
                Ok(KeyRow {
                    algorithm: Algorithm::parse(&row.text(1)?)
                        .ok_or(Fault::Bug("a stored algorithm is unknown"))?,
                    certificate: row.bytes(2)?,
                    pkcs8: zeroize::Zeroizing::new(pkcs8),
                    created_at: row.time(4)?,
                    signs_from: row.time(5)?,
                    retires_at: row.time(6)?,
                    kid,
                })
            },
        )
    }
}

impl WriteTx<'_> {
    pub fn add_signing_key(&self, key: &KeyRow) -> Result<bool, Fault> {
        let sealed = self.sealer().seal(None, &place(&key.kid), &key.pkcs8);
        self.link().insert(
            "INSERT INTO signing_keys (kid, algorithm, certificate, sealed, created_at, signs_from, retires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &[
                (&key.kid).into(),
                key.algorithm.as_str().into(),
                (&key.certificate).into(),
                (&sealed).into(),
                key.created_at.into(),
                key.signs_from.into(),
                key.retires_at.into(),
            ],
        )
    }

    /// Sets when the keys of an algorithm that are older than `before` stop being believed.
    pub fn retire_signing_keys(
        &self,
        algorithm: Algorithm,
        before: Timestamp,
        retires_at: Timestamp,
    ) -> Result<(), Fault> {
        self.link().run(
            "UPDATE signing_keys SET retires_at = $1 WHERE algorithm = $2 AND signs_from < $3 AND retires_at > $1",
            &[retires_at.into(), algorithm.as_str().into(), before.into()],
        )?;
        Ok(())
    }

    pub fn add_setup_link(&self, hash: ProofHash, at: Timestamp, expires_at: Timestamp) -> Result<(), Fault> {
        self.link().run(
            "INSERT INTO setup_links (hash, created_at, expires_at) VALUES ($1, $2, $3)",
            &[(&hash.0).into(), at.into(), expires_at.into()],
        )?;
        Ok(())
    }

    /// Uses a set-up link up; `false` when it is unknown, expired or used (R14).
    pub fn consume_setup_link(&self, hash: ProofHash, at: Timestamp) -> Result<bool, Fault> {
        let used = self.link().run(
            "UPDATE setup_links SET used_at = $1 WHERE hash = $2 AND used_at IS NULL AND expires_at > $1",
            &[at.into(), (&hash.0).into()],
        )?;
        Ok(used > 0)
    }
}

impl ReadTx<'_> {
    /// Whether a set-up link could be used now.
    pub fn is_setup_link_open(&self, hash: ProofHash, now: Timestamp) -> Result<bool, Fault> {
        let found = self.link().one(
            "SELECT 1 FROM setup_links WHERE hash = $1 AND used_at IS NULL AND expires_at > $2",
            &[(&hash.0).into(), now.into()],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }
}
