//! `hospes dev`: a seeded world on this machine.

use super::description::read_description;
use super::{DevArguments, say};
use crate::apply::plan_problem;
use crate::certificates::local_identity;
use crate::data::{DataFolder, Mode};
use crate::door;
use crate::wiring::{self, Transport, own_moment};
use anyhow::{Context, Result, bail};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use domain::tenancy::domain_name::DomainName;
use domain::tenancy::tenant::OptionalGrants;
use hospes_http::Dev;
use outbound::mail::Mailer;
use outbound::web::Web;
use serde_json::{Value, json};
use service::seed::{self, SeedError, World};
use service::{Service, Settings};
use std::collections::BTreeSet;
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
    let identity = local_identity(&folder, wiring::now())?;
    let listener = TcpListener::bind(arguments.listen).with_context(|| {
        format!(
            "cannot listen on {}\nIs another server running there? Use --listen 127.0.0.1:0 for a free port",
            arguments.listen
        )
    })?;
    let base = format!("https://localhost:{}", listener.local_addr()?.port());

    let place = if arguments.ephemeral { Place::Memory } else { Place::File(folder.database()?) };
    let root_key = folder.root_key(wiring::fresh_entropy())?;
    let mailer = Mailer::in_memory("Hospes dev <invites@localhost>");
    // Whoever develops for these grants wants to try them; a tenant of the world may still say no.
    let grants = OptionalGrants { device_code: true, password: true };
    let tenants_under = DomainName::parse("onhospes.test");
    let settings = Settings { grants, tenants_under, ..Settings::new(&base) };
    let service = wiring::service(place, root_key, settings, mailer, Web::guarded(&[])?).await?;
    let world = world(&folder, &service, arguments.seed.as_deref(), &base)?;
    let seeded = service.seed(&world, &own_moment()).await.map_err(|error| match error {
        SeedError::Plan(error) => anyhow::anyhow!(plan_problem(&error)),
        SeedError::Description { .. } | SeedError::Fault(_) => error.into(),
    });
    seeded.with_context(|| match &arguments.seed {
        Some(file) => {
            format!("the world of {} cannot be made\nCorrect what follows and start again", file.display())
        }
        None => "the world cannot be made\nRemove the data folder to start afresh".to_owned(),
    })?;
    warn_if_moved(&folder, &base)?;
    let document = document(&world, &base, &folder)?;
    folder.write("world.json", serde_json::to_string_pretty(&document)?.as_bytes())?;

    door::open(&folder, &service);
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

/// The world with all ids, passwords and secrets: as it was made at an earlier start, else completed now and kept.
fn world(folder: &DataFolder, service: &Service, file: Option<&Path>, base: &str) -> Result<World> {
    let kept: Option<World> = match folder.read("seed.json")? {
        Some(kept) => Some(
            serde_json::from_slice(&kept)
                .context("seed.json is damaged\nRemove the data folder to start afresh")?,
        ),
        None if service.has_tenants()? => bail!(
            "{} is missing, so nobody knows the passwords and secrets of this world\nRestore it, or remove the data folder to start afresh",
            folder.file("seed.json").display()
        ),
        None => None,
    };
    let described = match (file, &kept) {
        (Some(file), _) => read_description(file)?,
        (None, Some(kept)) => kept.clone(),
        (None, None) => seed::built_in(),
    };
    let mut existing = BTreeSet::new();
    for tenant in described.tenants.iter().chain(kept.iter().flat_map(|kept| &kept.tenants)) {
        if service.is_seeded(&tenant.domain)? {
            existing.insert(tenant.domain.to_ascii_lowercase());
        }
    }
    let mut world = seed::complete(described, base, &own_moment().entropy)?;
    if let Some(kept) = kept {
        if file.is_some() && !existing.is_empty() {
            tracing::info!(?existing, "these tenants exist already and stay as they are");
        }
        world = seed::resume(world, kept, |domain| existing.contains(&domain.to_ascii_lowercase()));
    }
    for tenant in &mut world.tenants {
        if let (Some(logo), false) = (&tenant.logo, existing.contains(&tenant.domain.to_ascii_lowercase())) {
            let read = std::fs::read(logo).with_context(|| {
                format!("cannot read {}\nCorrect `logo` of {}", logo.display(), tenant.domain)
            });
            tenant.logo_bytes = Some(read?);
        }
    }
    folder.write("seed.json", &serde_json::to_vec(&world)?)?;
    Ok(world)
}

/// Issuers and links hold the address: what was issued at another one does not count here.
fn warn_if_moved(folder: &DataFolder, base: &str) -> Result<()> {
    let Some(before) = folder.read("world.json")? else { return Ok(()) };
    let before: Value = serde_json::from_slice(&before).unwrap_or_default();
    if let Some(before) = before.get("base").and_then(Value::as_str).filter(|before| *before != base) {
        tracing::warn!(
            before,
            now = base,
            "the address changed: guests, links and tokens of before do not fit any more"
        );
    }
    Ok(())
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
    let first = list(document, "tenants").into_iter().next().unwrap_or_default();
    let daemon = list(&first, "applications").into_iter().find(|app| text(app, "kind") == "daemon");
    if let Some(daemon) = daemon {
        say("\nTry it      a token of the first daemon, for Graph:");
        say(&format!(
            "            curl --cacert {} {base}/{}/oauth2/v2.0/token \\\n              -d grant_type=client_credentials -d client_id={} -d client_secret={} \\\n              -d scope=https://graph.microsoft.com/.default",
            ca.display(),
            text(&first, "id"),
            text(&daemon, "appId"),
            text(&daemon, "secret")
        ));
    }
    say("Stop it     Ctrl-C\n");
}
