//! The one guarded client for addresses that tenants name (R31): https only, no redirects, no proxy, no credentials, little
//! time and little text; addresses inside the operator's network are refused unless the operator lists them, and what was
//! looked at is what is connected to.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use url::{Host, Url};

/// A whole exchange.
// DEFAULT: five seconds: somebody waits for a token meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
// DEFAULT: 256 KiB; key sets of large issuers have 20.
const LARGEST: usize = 256 * 1024;

/// Why nothing was fetched. The words are for the log.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("the address is no https address of a public host")]
    Address,
    #[error("the answer is too large")]
    TooLarge,
    #[error("the server answered {0}")]
    Status(u16),
    #[error("the request failed: {0}")]
    Failed(String),
}

/// Fetches.
#[derive(Clone, Debug)]
pub enum Web {
    /// Nothing at all: what a program has that set nothing up.
    Closed,
    Guarded {
        client: reqwest::Client,
        guard: Guard,
    },
    /// What tests put there, by address; counts the requests.
    Memory(Arc<Mutex<Pages>>),
}

#[derive(Debug, Default)]
pub struct Pages {
    pub pages: BTreeMap<String, Vec<u8>>,
    pub requests: usize,
}

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allowed: Arc<[IpAddr]>,
}

impl Web {
    /// `allowed` are addresses of the operator's own network that may be asked all the same.
    pub fn guarded(allowed: &[IpAddr]) -> Result<Self, WebError> {
        let guard = Guard { allowed: allowed.into() };
        let client = reqwest::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .connect_timeout(PATIENCE)
            .user_agent("hospes")
            .dns_resolver(Arc::new(guard.clone()))
            .build()
            .map_err(|error| WebError::Failed(error.to_string()))?;
        Ok(Self::Guarded { client, guard })
    }

    pub fn in_memory() -> Self {
        Self::Memory(Arc::default())
    }

    /// The body of a successful answer.
    pub async fn get(&self, address: &str) -> Result<Vec<u8>, WebError> {
        let url = public(address)?;
        match self {
            Self::Closed => Err(WebError::Address),
            Self::Guarded { client, guard } => {
                // A literal address is connected to without being resolved.
                let literal = match url.host() {
                    Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
                    Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
                    Some(Host::Domain(_)) | None => None,
                };
                if literal.is_some_and(|address| !guard.allows(address)) {
                    return Err(WebError::Address);
                }
                fetch(client, url).await
            }
            Self::Memory(pages) => {
                let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
                pages.requests += 1;
                pages.pages.get(address).cloned().ok_or(WebError::Status(404))
            }
        }
    }
}

/// An https address without a user in it.
fn public(address: &str) -> Result<Url, WebError> {
    let url = Url::parse(address).map_err(|_| WebError::Address)?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    match url.scheme() == "https" && url.host().is_some() && !has_user {
        true => Ok(url),
        false => Err(WebError::Address),
    }
}

async fn fetch(client: &reqwest::Client, url: Url) -> Result<Vec<u8>, WebError> {
    let failed = |error: reqwest::Error| WebError::Failed(format!("{error:?}"));
    let mut response = client.get(url).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(WebError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(WebError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| guard.allows(address.ip())).collect();
            match allowed.is_empty() {
                true => Err("no public address".into()),
                false => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

impl Guard {
    fn allows(&self, address: IpAddr) -> bool {
        self.allowed.contains(&address) || is_public(address)
    }
}

/// Whether an address belongs to the public internet (IANA special-purpose registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        // Carrier networks, protocol assignments, 6to4 relays, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        // Multicast, reserved and broadcast.
        || a >= 224;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inside) = address.to_ipv4_mapped() {
        return is_public_v4(inside);
    }
    // Only global unicast, and of that nothing that wraps another address or is for documents (Teredo, 6to4).
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_wrapped =
        first == 0x2002 || (first == 0x2001 && (second < 0x200 || second == 0xdb8)) || first == 0x3fff;
    is_global && !is_wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r31_addresses_inside_a_network_are_not_public() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "fec0::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "2001:4860::8888"]
        {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn r31_only_https_without_credentials_is_asked() {
        for wrong in [
            "http://a.test/",
            "https://user@a.test/",
            "https://:p@a.test/",
            "ftp://a.test",
            "a.test",
            "",
            "file:///etc/passwd",
        ] {
            assert!(public(wrong).is_err(), "{wrong}");
        }
        assert!(public("https://a.test:8443/keys?x=1").is_ok());
    }

    #[tokio::test]
    async fn r31_the_guard_stands_before_names_and_literal_addresses() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let web = Web::guarded(&[]).unwrap();
        for inside in
            ["https://127.0.0.1:1/", "https://[::1]:1/", "https://[::ffff:127.0.0.1]:1/", "https://0x7f.1:1/"]
        {
            assert!(matches!(web.get(inside).await, Err(WebError::Address)), "{inside}");
        }
        // A name that leads inside is resolved, and not connected to.
        let error = web.get("https://localhost:1/").await.unwrap_err().to_string();
        assert!(error.contains("no public address"), "{error}");
        // Listed by the operator: refused by the machine now, and no more by us.
        let listed = Web::guarded(&["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()]).unwrap();
        let error = listed.get("https://localhost:1/").await.unwrap_err().to_string();
        assert!(!error.contains("no public address"), "{error}");
    }
}
