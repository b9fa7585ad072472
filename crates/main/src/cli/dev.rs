//! `hospes dev`: a seeded world on this machine.

use super::{DevArguments, say};
use crate::certificates::local_identity;
use crate::data::{DataFolder, Mode};
use crate::wiring::{self, Transport, own_moment};
use anyhow::{Context, Result, bail};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use hospes_http::Dev;
use outbound::mail::Mailer;
use serde_json::{Value, json};
use service::Settings;
use service::seed::{self, World};
use std::net::TcpListener;
use std::path::Path;
use store::Place;

pub(super) async fn run(arguments: DevArguments) -> Result<()> {
    if !arguments.listen.ip().is_loopback() {
        bail!(
            "`hospes dev` binds this machine only, and {} is not\nUse --listen 127.0.0.1:8443; for a server that others reach, use `hospes serve`",
            arguments.listen.ip()
        );
    }
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    // Lives until the end of this function: an ephemeral world goes with it.
    let temporary = if arguments.ephemeral { Some(tempfile::tempdir()?) } else { None };
    let path = temporary.as_ref().map_or(arguments.data.as_path(), tempfile::TempDir::path);
    let folder = DataFolder::open(path, Mode::Dev)?;
    let identity = local_identity(&folder)?;
    let listener = TcpListener::bind(arguments.listen).with_context(|| {
        format!(
            "cannot listen on {}\nIs another server running there? Use --listen 127.0.0.1:0 for a free port",
            arguments.listen
        )
    })?;
    let base = format!("https://localhost:{}", listener.local_addr()?.port());

    let place = if arguments.ephemeral { Place::Memory } else { Place::File(folder.file("hospes.db")) };
    let root_key = folder.root_key(wiring::fresh_entropy())?;
    let mailer = Mailer::in_memory("Hospes dev <invites@localhost>");
    let service = wiring::service(place, root_key, Settings::new(&base), mailer).await?;
    let world = world(&folder, arguments.seed.as_deref(), &base)?;
    service.seed(&world, &own_moment()).await?;
    let document = document(&world, &base, &folder)?;
    folder.write("world.json", serde_json::to_string_pretty(&document)?.as_bytes())?;

    let dev = Dev { world: document.clone() };
    let app = wiring::app(service, Vec::new(), Some(dev));
    // The socket listens already: whoever reads this can connect.
    if arguments.json {
        say(&serde_json::to_string_pretty(&document)?);
    } else {
        introduce(&document, &folder, arguments.ephemeral);
    }
    let transport = Transport::Tls { chain: identity.chain.into_bytes(), key: identity.key.into_bytes() };
    wiring::serve(app, listener, transport).await
}

/// The world with all ids, passwords and secrets: as it was made at the first start, else completed now and kept.
fn world(folder: &DataFolder, file: Option<&Path>, base: &str) -> Result<World> {
    if let Some(kept) = folder.read("seed.json")
        && file.is_none()
    {
        return serde_json::from_slice(&kept)
            .context("seed.json is damaged; remove the data folder to start afresh");
    }
    let described = match file {
        None => seed::built_in(),
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?
        }
    };
    let world = seed::complete(described, base, &own_moment().entropy)?;
    folder.write("seed.json", &serde_json::to_vec(&world)?)?;
    Ok(world)
}

/// The world document: what tests in any language start from.
fn document(world: &World, base: &str, folder: &DataFolder) -> Result<Value> {
    Ok(json!({
        "base": base,
        "ca": folder.file("ca.pem"),
        "graph": format!("{base}/v1.0"),
        "tenants": serde_json::to_value(&world.tenants)?,
    }))
}

fn introduce(document: &Value, folder: &DataFolder, is_ephemeral: bool) {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let base = text(document, "base");
    say(&format!("\nHospes dev is ready at {base}\n"));
    for tenant in list(document, "tenants") {
        say(&format!(
            "{}  {}  {}",
            text(&tenant, "displayName"),
            text(&tenant, "domain"),
            text(&tenant, "id")
        ));
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["who", "password or secret", "what"]);
        for user in list(&tenant, "users") {
            let roles: Vec<String> =
                list(&user, "roles").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            let what = if roles.is_empty() { "member".to_owned() } else { roles.join(", ") };
            table.add_row([text(&user, "userPrincipalName"), text(&user, "password"), what]);
        }
        for app in list(&tenant, "applications") {
            let what = format!("{}: {}", text(&app, "kind"), text(&app, "displayName"));
            table.add_row([text(&app, "appId"), text(&app, "secret"), what]);
        }
        say(&format!("{table}\n"));
    }
    let ca = folder.file("ca.pem");
    say(&format!("Pages       {base}/dev   mailbox {base}/dev/mail   My Apps {base}/myapps"));
    say(&format!("Authority   {base}/<tenant id>     Graph {base}/v1.0"));
    say(&format!("CA          {}   (`hospes trust` adds it to this machine)", ca.display()));
    say("Clients     `hospes env python` (or node, dotnet, azure-cli, powershell, terraform, shell)");
    if is_ephemeral {
        say("Nothing is kept: the world is gone when you stop the server.");
    }
    say(&format!(
        "\nTry it      curl --cacert {} {base}/contoso.test/v2.0/.well-known/openid-configuration",
        ca.display()
    ));
    say("Stop it     Ctrl-C\n");
}
