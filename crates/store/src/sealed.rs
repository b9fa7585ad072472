//! Encryption at rest: AES-256-GCM under a key of the tenant's own, bound to the place where the text stands.

use crate::fault::Fault;
use domain::id::TenantId;
use standards::crypto;

/// The deployment's root key; it comes from a file or key custody and is never stored beside the data.
pub struct RootKey([u8; 32]);

impl RootKey {
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey(..)")
    }
}

pub(crate) struct Sealer {
    root: RootKey,
}

/// Version of the sealed form, first byte.
const FORM: u8 = 1;

impl Sealer {
    pub(crate) fn new(root: RootKey) -> Self {
        Self { root }
    }

    /// A key for one tenant (or the deployment): losing one tenant's key shows nothing of another's.
    fn key(&self, tenant: Option<TenantId>) -> [u8; 32] {
        let tenant = tenant.map(|tenant| *tenant.uuid().as_bytes()).unwrap_or_default();
        crypto::hmac_sha256(&self.root.0, &[b"hospes data key 1", &tenant])
    }

    /// A secret for one purpose; never stored.
    pub(crate) fn secret(&self, purpose: &str) -> [u8; 32] {
        crypto::hmac_sha256(&self.root.0, &[b"hospes secret 1", purpose.as_bytes()])
    }

    /// Seals `plain` for one place (`table.column:row`). The nonce is derived from key, place and text: the same text
    /// at the same place seals the same on a rerun, and two texts never share a nonce but with negligible chance.
    pub(crate) fn seal(&self, tenant: Option<TenantId>, place: &str, plain: &[u8]) -> Vec<u8> {
        let key = self.key(tenant);
        let digest = crypto::hmac_sha256(
            &key,
            &[b"nonce", &(place.len() as u64).to_be_bytes(), place.as_bytes(), plain],
        );
        let mut nonce = [0; 12];
        nonce.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        let mut sealed = vec![FORM];
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&crypto::seal(&key, &nonce, place.as_bytes(), plain));
        sealed
    }

    /// Opens what [`Self::seal`] made for the same tenant and place.
    pub(crate) fn open(
        &self,
        tenant: Option<TenantId>,
        place: &str,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let opened = match sealed.split_first() {
            Some((&FORM, rest)) => rest
                .split_first_chunk::<12>()
                .and_then(|(nonce, body)| crypto::open(&self.key(tenant), nonce, place.as_bytes(), body)),
            Some(_) | None => None,
        };
        opened.ok_or(Fault::Bug("a sealed value does not open: wrong root key or damaged store"))
    }
}
