//! How we are reached: OAuth, Graph, pages. Parse, call one function of `service`, render; nothing is decided here.
//!
//! Reading order: `router` (every address on one page), `edge` (what is read at the door), `oauth`, `pages`, `graph`.

mod edge;
mod graph;
mod oauth;
mod pages;
mod router;

pub use router::{Guard, Route, router, routes};

use domain::time::Timestamp;
use service::Service;
use std::net::IpAddr;
use std::sync::Arc;

/// What every handler is given. Time and chance are values handed in by the program.
#[derive(Clone)]
pub struct App {
    pub service: Service,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// 256 fresh random bits for one request.
    pub entropy: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
    /// Proxies whose `X-Forwarded-For` is believed (R39).
    pub trusted_proxies: Vec<IpAddr>,
    /// Present in development only.
    pub dev: Option<Arc<Dev>>,
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
