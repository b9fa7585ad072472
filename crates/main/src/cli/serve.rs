//! `hospes serve`: an identity server for real.

use super::say;
use crate::config::Config;
use crate::data::{DataFolder, Mode};
use crate::door;
use crate::wiring::{self, Transport, own_moment};
use anyhow::{Context, Result};
use outbound::mail::Mailer;
use outbound::web::Web;
use std::net::TcpListener;
use std::path::Path;
use store::Place;

pub(super) async fn run(config: Config) -> Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let transport = match &config.tls {
        None => Transport::Plain,
        Some(tls) => {
            let read = |path: &Path| {
                std::fs::read(path).with_context(|| {
                    format!(
                        "cannot read {}\nCheck [tls] in the configuration, and who may read the file",
                        path.display()
                    )
                })
            };
            Transport::Tls { chain: read(&tls.cert_file)?, key: read(&tls.key_file)? }
        }
    };
    let mailer = match &config.smtp {
        Some(smtp) => Mailer::smtp(&smtp.settings()?)?,
        None => {
            tracing::warn!(
                "no [smtp] in the configuration: invitation mail waits, and is given up after three days"
            );
            Mailer::absent("invites@localhost")
        }
    };
    let listener = TcpListener::bind(config.listen).with_context(|| {
        format!(
            "cannot listen on {}\nIs another server running there? Set `listen` in the configuration",
            config.listen
        )
    })?;
    let folder = DataFolder::open(&config.data, Mode::Serve)?;
    let root_key = folder.root_key(wiring::fresh_entropy())?;
    let place = Place::File(folder.database()?);
    let web = Web::guarded(&config.outgoing.allowed)?;
    let service = wiring::service(place, root_key, config.settings()?, mailer, web).await?;
    if !service.has_tenants()? {
        let link = service.create_setup_link(&own_moment()).await?;
        say(
            "There is no organisation yet. Open this link within a day to make the first one; it works once:",
        );
        say(&format!("\n  {link}\n"));
    }
    door::open(&folder, &service);
    tracing::info!(base = %config.base_url, listen = %config.listen, "serving");
    let trusted = config.behind_proxy.map(|proxy| proxy.trusted).unwrap_or_default();
    wiring::serve(wiring::app(service, trusted, None), listener, transport).await
}
