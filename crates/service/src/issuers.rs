//! Assertions of other issuers, which clients with a federated credential prove themselves with. Everything that asks the
//! network is done here, before any transaction; the gate then judges what the verified assertion says.

use crate::{Fault, Moment, Service};
use domain::directory::federated_credential::FederatedCredential;
use domain::id::{AppId, TenantId};
use domain::issuance::Denial;
use domain::tenancy::tenant::TenantState;
use domain::time::{Span, Timestamp};
use moka::sync::Cache;
use outbound::web::{Web, WebError};
use serde_json::Value;
use standards::jose::foreign::{self, ForeignAssertion};
use standards::jose::{JwsError, PublicKey};
use standards::oauth::token::{ClientAuth, TokenRequest};
use std::sync::Arc;
use tokio::sync::Mutex;

/// How long an issuer's keys are believed.
// DEFAULT: one hour: a key that was withdrawn because it leaked is of no use soon.
const KEYS: Span = Span::hours(1);
/// How soon they are asked for again when a key is missing: issuers roll keys.
// DEFAULT: five minutes, so that nobody can make us ask with made-up key names.
const KEYS_AGAIN: Span = Span::minutes(5);
/// How soon an issuer that did not answer is asked again.
const FAILURE: Span = Span::seconds(30);
/// Issuers that are remembered, and keys of one.
const ISSUERS: u64 = 1_000;
const MOST_KEYS: usize = 100;

/// Keys of other issuers.
#[derive(Clone)]
pub(crate) struct Issuers {
    web: Web,
    /// One place for each issuer: whoever comes while it is asked waits for the same answer.
    known: Cache<String, Arc<Mutex<Option<Fetched>>>>,
}

struct Fetched {
    /// `None` when the issuer did not answer.
    keys: Option<Vec<PublicKey>>,
    at: Timestamp,
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuers")
    }
}

impl Issuers {
    pub(crate) fn new(web: Web) -> Self {
        Self { web, known: Cache::new(ISSUERS) }
    }

    /// Verifies with the keys that the issuer publishes now, or did a moment ago.
    async fn verify(&self, issuer: &str, text: &str, now: Timestamp) -> Result<ForeignAssertion, Denial> {
        let place = self.known.get_with(issuer.to_owned(), Arc::default);
        let mut place = place.lock().await;
        if let Some(Fetched { keys, at }) = place.as_ref() {
            let age = now.since(*at);
            match keys {
                None if age < FAILURE => return Err(Denial::FederatedIssuerUnreachable),
                Some(keys) if age < KEYS => match foreign::verify(text, keys) {
                    Err(JwsError::Signature | JwsError::UnknownKey) if age >= KEYS_AGAIN => {}
                    outcome => return outcome.map_err(unsigned),
                },
                None | Some(_) => {}
            }
        }
        let keys = self.fetch(issuer).await;
        if let Err(error) = &keys {
            tracing::warn!(issuer, %error, "the keys of an issuer could not be had");
        }
        let keys = keys.ok();
        let outcome = match &keys {
            None => Err(Denial::FederatedIssuerUnreachable),
            Some(keys) => foreign::verify(text, keys).map_err(unsigned),
        };
        *place = Some(Fetched { keys, at: now });
        outcome
    }

    /// Discovery (OIDC Discovery §4), then the keys. The document must be about the issuer that was asked, byte for byte.
    async fn fetch(&self, issuer: &str) -> Result<Vec<PublicKey>, WebError> {
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let document = self.json(&format!("{base}/.well-known/openid-configuration")).await?;
        let wrong = |text: &str| WebError::Failed(text.to_owned());
        if document.get("issuer").and_then(Value::as_str) != Some(issuer) {
            return Err(wrong("the metadata is of another issuer"));
        }
        let address = document.get("jwks_uri").and_then(Value::as_str).ok_or_else(|| wrong("no jwks_uri"))?;
        let keys = self.json(address).await?;
        let keys = keys.get("keys").and_then(Value::as_array).ok_or_else(|| wrong("no keys"))?;
        Ok(keys.iter().take(MOST_KEYS).filter_map(PublicKey::from_jwk).collect())
    }

    async fn json(&self, address: &str) -> Result<Value, WebError> {
        let body = self.web.get(address).await?;
        serde_json::from_slice(&body).map_err(|_| WebError::Failed("the answer is no JSON".to_owned()))
    }
}

fn unsigned(_: JwsError) -> Denial {
    Denial::ClientAssertionUnsigned
}

impl Service {
    /// Verifies what a client presents of another issuer, and puts what it says in its place. Anything else stays as it is:
    /// a secret, or an assertion that the client signed itself.
    pub(crate) async fn verify_foreign(
        &self,
        tenant: TenantId,
        request: &mut TokenRequest,
        moment: &Moment,
    ) -> Result<Result<(), Denial>, Fault> {
        let ClientAuth::Assertion(text) = &request.auth else { return Ok(Ok(())) };
        let Some(issuer) = foreign::named_issuer(text) else { return Ok(Ok(())) };
        let client = AppId::new(request.client_id);
        if issuer.eq_ignore_ascii_case(&client.to_string()) {
            return Ok(Ok(()));
        }
        let app = self.store.tenant(tenant).read(|tx| tx.find_app(client))?;
        let credentials = app.as_ref().map_or(&[][..], |app| &app.registration.federated_credentials);
        // Only an issuer that the application names is ever asked for anything.
        let is_named = |credential: &FederatedCredential| credential.issuer == issuer;
        if credentials.is_empty() {
            return Ok(Ok(()));
        }
        if !credentials.iter().any(is_named) {
            self.record_refusal(Some(tenant), Some(client), Denial::FederatedIssuerUnknown, moment).await?;
            return Ok(Err(Denial::FederatedIssuerUnknown));
        }
        let said = match self.is_own_issuer(&issuer)? {
            true => foreign::verify(text, &self.keys.believed(moment.now)).map_err(unsigned),
            false => self.issuers.verify(&issuer, text, moment.now).await,
        };
        match said {
            Ok(said) => {
                request.auth = ClientAuth::Foreign(Box::new(said));
                Ok(Ok(()))
            }
            Err(denial) => {
                self.record_refusal(Some(tenant), Some(client), denial, moment).await?;
                Ok(Err(denial))
            }
        }
    }

    /// Whether a tenant of this server speaks: its keys are here, and nobody is asked.
    fn is_own_issuer(&self, issuer: &str) -> Result<bool, Fault> {
        let path = issuer.strip_prefix(&*self.settings.base).and_then(|rest| rest.strip_prefix('/'));
        let Some((tenant, rest)) = path.and_then(|path| path.split_once('/')) else { return Ok(false) };
        let Some(tenant) = tenant.parse::<TenantId>().ok().filter(|_| matches!(rest, "" | "v2.0")) else {
            return Ok(false);
        };
        let tenant = self.store.read(|tx| tx.find_tenant(tenant))?;
        Ok(tenant.is_some_and(|tenant| tenant.state == TenantState::Active))
    }
}
