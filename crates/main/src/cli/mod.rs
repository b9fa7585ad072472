//! The command line.

mod apply;
mod description;
mod dev;
mod env;
mod serve;
mod trust;

use crate::config::Config;
use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// An identity server whose core is B2B collaboration: organisations invite people of other organisations as guests,
/// who sign in with their own identity.
#[derive(Debug, Parser)]
#[command(
    name = "hospes",
    version,
    after_help = "Examples:
  hospes dev                      a local, multi-tenant Entra with people, apps and guests
  hospes dev --ephemeral --json   the same for a test: nothing kept, one JSON document on standard output
  hospes env python               settings for a client of the running dev server
  hospes serve --config hospes.toml
  hospes plan tenants.yaml        what `hospes apply tenants.yaml` would change"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What to log: error, warn, info, debug, trace, or a filter such as `service=debug,info`.
    #[arg(long, global = true, env = "HOSPES_LOG", default_value = "info")]
    log: String,
    /// How log lines look; if left out, text on a terminal and JSON elsewhere.
    #[arg(long, global = true, value_enum)]
    log_format: Option<LogFormat>,
    /// Threads that answer requests; the number of cores if left out.
    #[arg(long, global = true)]
    workers: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Json,
    Text,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make directories as a file (YAML) describes them: creates and updates what differs. Running it again changes nothing.
    Apply(ApplyArguments),
    /// Show what `hospes apply` would change. Exit code 0: nothing; 2: something; 1: an error.
    Plan(ApplyArguments),
    /// Manage tenants.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Run a local development server with a seeded world. Binds this machine only.
    Dev(DevArguments),
    /// Run an identity server for real.
    Serve {
        /// The configuration file.
        #[arg(long, default_value = "hospes.toml")]
        config: PathBuf,
    },
    /// Print ready-made client settings for the running dev server.
    Env {
        /// For which client.
        #[arg(value_enum, default_value_t = env::Client::Shell)]
        client: env::Client,
        /// The dev server's data folder.
        #[arg(long, default_value = ".hospes")]
        data: PathBuf,
        /// The tenant's domain; the first tenant if left out.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Add the dev server's certificate authority to this machine's trust stores, or remove it.
    Trust {
        #[arg(long, default_value = ".hospes")]
        data: PathBuf,
        /// Remove it again.
        #[arg(long)]
        remove: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct DevArguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where the data are kept.
    #[arg(long, default_value = ".hospes")]
    data: PathBuf,
    /// Keep nothing: all data are gone when the server stops.
    #[arg(long)]
    ephemeral: bool,
    /// A description of the world (YAML) instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Print the world as one JSON document, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
    /// Throttle Graph as `hospes serve` does; with a number, at that percentage of the documented limits (1 gives a 429 soon).
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "100",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    throttle: Option<u32>,
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Delete a tenant that is empty: nobody but one administrator, no groups, no applications. Nothing brings it back.
    Delete(DeleteTenantArguments),
}

#[derive(Args, Debug)]
pub(crate) struct DeleteTenantArguments {
    /// Its id, or one of its domains.
    tenant: String,
    #[command(flatten)]
    folder: FolderArguments,
    /// Print one JSON document, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
    /// Do not ask whether to go on.
    #[arg(long)]
    yes: bool,
}

/// Whose data; with a server that uses them the command talks, otherwise it opens them itself.
#[derive(Args, Debug)]
pub(crate) struct FolderArguments {
    /// The configuration of `hospes serve`; hospes.toml if it is there.
    #[arg(long, conflicts_with = "data")]
    config: Option<PathBuf>,
    /// The data folder of `hospes dev`; .hospes if there is no hospes.toml.
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ApplyArguments {
    /// The description: tenants with their users, groups, applications and guests, as for `dev --seed`.
    file: PathBuf,
    #[command(flatten)]
    folder: FolderArguments,
    /// Delete what an earlier `apply` made and the file does not name any more.
    #[arg(long)]
    prune: bool,
    /// Print one JSON document, and nothing else, on standard output.
    #[arg(long)]
    json: bool,
    /// Do not ask whether to go on.
    #[arg(long)]
    yes: bool,
    /// Append made passwords and secrets to this file (a JSON line each, readable by its owner only) instead of showing them.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
}

/// Runs a command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let runtime = || -> Result<tokio::runtime::Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        if let Some(workers) = arguments.workers {
            builder.worker_threads(workers.max(1));
        }
        Ok(builder.enable_all().build()?)
    };
    let talk_log = || start_log(&arguments.log, arguments.log_format.unwrap_or(LogFormat::Text));
    let start = |arguments_of: ApplyArguments, aim| {
        talk_log()?;
        runtime()?.block_on(apply::run(arguments_of, aim))
    };
    match arguments.command {
        Command::Dev(dev) => {
            start_log(&arguments.log, arguments.log_format.unwrap_or(LogFormat::Text))?;
            runtime()?.block_on(dev::run(dev))?;
        }
        Command::Serve { config } => {
            let config = Config::read(&config)?;
            let usual = if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json };
            start_log(&arguments.log, arguments.log_format.or(config.log_format).unwrap_or(usual))?;
            runtime()?.block_on(serve::run(config))?;
        }
        Command::Env { client, data, tenant } => env::run(client, &data, tenant.as_deref())?,
        Command::Trust { data, remove } => trust::run(&data, remove)?,
        Command::Apply(apply) => return start(apply, apply::Aim::Apply),
        Command::Plan(plan) => return start(plan, apply::Aim::Plan),
        Command::Tenant(TenantCommand::Delete(delete)) => {
            talk_log()?;
            return runtime()?.block_on(apply::delete_tenant(delete));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Logs go to standard error: standard output belongs to what was asked for.
fn start_log(filter: &str, format: LogFormat) -> Result<()> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(filter).map_err(|_| {
        anyhow::anyhow!("`{filter}` is no log filter\nUse for example --log info or --log service=debug,info")
    })?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.compact().with_ansi(std::io::stderr().is_terminal()).init(),
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// A panic is a line of the log like any other, with the id of the request that met it.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let text = panic.payload_as_str().unwrap_or_default();
    tracing::error!(
        panic = domain::audit::shorten(text, 200),
        location = panic.location().map(tracing::field::display),
        correlation = hospes_http::correlation().map(tracing::field::display),
        "a thread panicked"
    );
}

/// Prints to standard output. A reader that went away (`| head`) is no fault.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints an error: what happened, what to do, and what lies behind it.
pub(crate) fn complain(error: &anyhow::Error) {
    let mut lines = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !lines.contains(&cause) {
            lines.push_str(&format!("\nbecause: {cause}"));
        }
    }
    let _ = writeln!(std::io::stderr().lock(), "hospes: {}", lines.replace('\n', "\n  "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_a_line_of_the_log() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let buffer = Arc::clone(&written);
        let log = tracing_subscriber::fmt().json().flatten_event(true);
        let log = log.with_writer(move || Buffer(Arc::clone(&buffer))).finish();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(log_panic));
        let caught = tracing::subscriber::with_default(log, || std::panic::catch_unwind(|| panic!("odd")));
        std::panic::set_hook(before);
        assert!(caught.is_err());
        let line: serde_json::Value = serde_json::from_slice(&written.lock().unwrap()).unwrap();
        assert_eq!((&line["level"], &line["panic"]), (&"ERROR".into(), &"odd".into()));
        assert!(line["location"].as_str().unwrap().contains("cli/mod.rs"), "{line}");
    }
}
