//! Puts the parts together, and runs them until the program is told to stop.

use anyhow::{Context, Result};
use axum::ServiceExt;
use axum::extract::Request;
use axum_server::Handle;
use domain::audit::Origin;
use domain::entropy::Entropy;
use domain::time::Timestamp;
use hospes_http::{App, Dev, Parts, Surface, Throttle};
use outbound::mail::Mailer;
use outbound::web::Web;
use service::keys::KeyRing;
use service::password::Passwords;
use service::{Fault, Moment, Service, Settings};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;
use store::{Options, Place, RootKey, Store};
use tokio::sync::watch;

/// The machine's clock: the only place that reads it.
#[expect(clippy::disallowed_methods, reason = "the program's clock; everybody else is handed a time")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// 256 bits of the machine's randomness: the only place that draws it.
pub(crate) fn fresh_entropy() -> [u8; 32] {
    let mut seed = [0; 32];
    // A machine without randomness must not hand out guessable secrets.
    if aws_lc_rs::rand::fill(&mut seed).is_err() {
        tracing::error!("this machine gives no randomness; stopping");
        std::process::abort();
    }
    seed
}

/// The moment of something the program itself does.
pub(crate) fn own_moment() -> Moment {
    let entropy = Entropy::new(fresh_entropy());
    let now = now();
    let origin =
        Origin { at: now, correlation: entropy.uuid("correlation"), address: None, user_agent: None };
    Moment { now, entropy, origin }
}

/// Opens the store and makes the service.
pub(crate) async fn service(
    place: Place,
    root_key: RootKey,
    settings: Settings,
    mailer: Mailer,
    web: Web,
) -> Result<Service> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let store = Store::open(Options { place, root_key, readers: cores * 2, reruns: false })?;
    let keys = KeyRing::open(&store, &own_moment()).await?;
    // Half the cores at most hash passwords: the rest goes on answering.
    let passwords = Passwords::new(cores.div_ceil(2))?;
    Ok(Service::new(store, keys, settings, passwords, mailer).with_web(web))
}

pub(crate) fn app(
    service: Service,
    trusted_proxies: Vec<IpAddr>,
    throttle: Option<Throttle>,
    dev: Option<Dev>,
) -> App {
    let (clock, entropy) = (Box::new(now), Box::new(fresh_entropy));
    Parts { service, clock, entropy, trusted_proxies, throttle, dev }.into()
}

/// How long a connection may take to send the next request's headers; idle ones hold memory.
// DEFAULT: 75 seconds, as common proxies do, so that a client's pool seldom meets a connection that is just closing.
const PATIENCE: Duration = Duration::from_secs(75);

/// How connections are made.
pub(crate) enum Transport {
    /// To listed proxies only.
    Plain,
    Tls {
        chain: Vec<u8>,
        key: Vec<u8>,
    },
}

/// Serves until SIGINT or SIGTERM, then lets requests finish.
pub(crate) async fn serve(app: App, listener: TcpListener, transport: Transport) -> Result<()> {
    let service = app.service.clone();
    let handle: Handle<SocketAddr> = Handle::new();
    let stopping = tokio::spawn(stop_on_signal(handle.clone()));
    let (stop, stopped) = watch::channel(false);
    let mail = tokio::spawn(send_mail(service.clone(), stopped.clone()));
    let members = tokio::spawn(in_steps(
        stopped.clone(),
        "membership rules could not be carried out",
        service.clone(),
        async |service| service.settle_memberships(now()).await,
    ));
    let emptying = tokio::spawn(in_steps(
        stopped.clone(),
        "deleted tenants could not be emptied",
        service.clone(),
        async |service| service.empty_deleted_tenants(&own_moment()).await,
    ));
    let house = tokio::spawn(keep_house(service.clone(), stopped));
    listener.set_nonblocking(true)?;
    let surface = ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(Surface::new(app));
    let outcome = match transport {
        Transport::Plain => {
            let mut server = axum_server::from_tcp(listener)?.handle(handle);
            server.http_builder().http1().header_read_timeout(PATIENCE);
            server.serve(surface).await
        }
        Transport::Tls { chain, key } => {
            let config = axum_server::tls_rustls::RustlsConfig::from_pem(chain, key)
                .await
                .context("the certificate and key do not belong together or do not parse\nCheck cert_file and key_file: PEM, the server's own certificate first")?;
            let mut server = axum_server::from_tcp_rustls(listener, config)?.handle(handle);
            server.http_builder().http1().header_read_timeout(PATIENCE);
            server.serve(surface).await
        }
    };
    stopping.abort();
    // A mail that is being sent is marked as sent before the store closes, or it would be sent again.
    let _ = stop.send(true);
    let _ = tokio::time::timeout(Duration::from_secs(5), mail).await;
    house.abort();
    members.abort();
    emptying.abort();
    service.store().close();
    Ok(outcome?)
}

async fn stop_on_signal(handle: Handle<SocketAddr>) {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
    tracing::info!("stopping: no new connections, open requests get ten seconds; once more stops at once");
    handle.graceful_shutdown(Some(Duration::from_secs(10)));
    if tokio::signal::ctrl_c().await.is_ok() {
        handle.shutdown();
    }
}

/// Sends mail as it comes due. A failure is logged and tried again.
async fn send_mail(service: Service, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = service.send_due_mail(now()).await {
            tracing::warn!(%error, "the outbox could not be read");
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), stopped.changed()).await;
    }
}

/// Does something large a step at a time, as long as a step says that there is more.
async fn in_steps<F>(mut stopped: watch::Receiver<bool>, failure: &'static str, service: Service, step: F)
where
    F: AsyncFn(&Service) -> Result<usize, Fault>,
{
    while !*stopped.borrow() {
        let pause = match step(&service).await {
            Ok(0) => Duration::from_secs(1),
            // Others write in between.
            Ok(_) => Duration::from_millis(10),
            Err(error) => {
                tracing::warn!(%error, "{failure}");
                Duration::from_secs(1)
            }
        };
        let _ = tokio::time::timeout(pause, stopped.changed()).await;
    }
}

/// Rolls keys, empties bins and frees space, every hour. Nothing depends on when (R04): a key that is due tomorrow is published today.
async fn keep_house(service: Service, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let _ = tokio::time::timeout(Duration::from_secs(3_600), stopped.changed()).await;
        // Keys first: the rest may take long.
        if let Err(error) = service.keys().roll(service.store(), &own_moment()).await {
            tracing::error!(%error, "signing keys could not be rolled");
        }
        if let Err(error) = service.sweep(now()).await {
            tracing::warn!(%error, "sweeping failed");
        }
        if let Err(error) = service.empty_bins(&own_moment()).await {
            tracing::warn!(%error, "what was deleted long ago could not be removed");
        }
    }
}
