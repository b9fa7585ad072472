//! How we are reached: OAuth, Graph, pages. Parse, call one function of `service`, render; nothing is decided here.
//!
//! Reading order: `router` (every address on one page), `edge` (what is read at the door), `oauth`, `pages`, `graph`.

mod edge;
mod graph;
mod oauth;
mod pages;
mod router;

pub use edge::line::correlation;
pub use edge::surface::Surface;
pub use graph::error::refusal_words;
pub use graph::throttle::Throttle;
pub use pages::organizations::deletion_words;
pub use router::{Guard, Route, routes};

use domain::time::Timestamp;
use service::Service;
use std::net::IpAddr;
use std::sync::Arc;

/// What every handler is given; one pointer, because every layer of the router clones it.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an `App` is made of. Time and chance are values handed in by the program.
pub struct Parts {
    pub service: Service,
    pub clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// 256 fresh random bits for one request.
    pub entropy: Box<dyn Fn() -> [u8; 32] + Send + Sync>,
    /// Proxies that do TLS for us; empty when we do it ourselves. Their `X-Forwarded-For` is believed (R39), and nobody
    /// else may connect.
    pub trusted_proxies: Vec<IpAddr>,
    /// What applications used of Graph; `None` where nobody is throttled.
    pub throttle: Option<Throttle>,
    /// Present in development only.
    pub dev: Option<Dev>,
}

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What `hospes dev` shows besides.
#[derive(Debug)]
pub struct Dev {
    /// The world document.
    pub world: serde_json::Value,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}
