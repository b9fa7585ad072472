//! Password hashing, bounded: each hash takes 19 MiB and a core for some 17 ms, so strangers must not be able to start
//! as many as they like.

use crate::fault::Fault;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Longest password that is hashed; Graph's own limit is 256.
pub const LONGEST: usize = 256;

// DEFAULT: Argon2id, 19 MiB, two passes, one lane: OWASP Password Storage Cheat Sheet's first choice.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes and verifies, at most so many at a time.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Verified against when there is no user, so that a missing user takes as long as a wrong password.
    decoy: Arc<str>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passwords")
    }
}

fn argon2() -> Result<Argon2<'static>, Fault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|_| Fault::Bug("argon2 parameters are wrong"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str, salt: &[u8; 16]) -> Result<String, Fault> {
    let hash = argon2()?
        .hash_password_with_salt(password.as_bytes(), salt)
        .map_err(|_| Fault::Bug("a password could not be hashed"))?;
    Ok(hash.to_string())
}

fn is_right(password: &str, phc: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(phc) else { return false };
    argon2().is_ok_and(|argon2| argon2.verify_password(password.as_bytes(), &parsed).is_ok())
}

impl Passwords {
    /// `parallel` hashes run at a time; eight times as many may wait, more hear "busy".
    pub fn new(parallel: usize) -> Result<Self, Fault> {
        Ok(Self {
            permits: Arc::new(Semaphore::new(parallel)),
            waiting: Arc::new(Semaphore::new(parallel * 9)),
            decoy: hash("no user has this password", &[7; 16])?.into(),
        })
    }

    /// A new password's hash in PHC form.
    pub async fn hash(&self, password: String, salt: [u8; 16]) -> Result<String, Fault> {
        self.run(move || hash(&password, &salt)).await?
    }

    /// Whether the password is right; `phc` is `None` when there is no user or no password, which takes as long.
    pub async fn verify(&self, password: String, phc: Option<String>) -> Result<bool, Fault> {
        let decoy = Arc::clone(&self.decoy);
        self.run(move || match phc {
            Some(phc) => is_right(&password, &phc),
            None => {
                let _ = is_right(&password, &decoy);
                false
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let _waiting = self.waiting.try_acquire().map_err(|_| Fault::Busy)?;
        let _permit = self.permits.acquire().await.map_err(|_| Fault::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Fault::Bug("a password hash did not finish"))
    }
}
