//! `hospes plan` and `hospes apply`: a file says what there shall be. `hospes tenant delete`: one tenant is to go.

use super::description::{read_description, read_logos};
use super::{ApplyArguments, DeleteTenantArguments, FolderArguments, say};
use crate::apply::{Change, Description, Line, Request, Secret, Shown, TENANT, Verb, conduct};
use crate::config::Config;
use crate::data::{DataFolder, Mode};
use crate::door;
use crate::wiring;
use anyhow::{Context, Result, bail};
use outbound::mail::Mailer;
use outbound::web::Web;
use serde_json::{Value, json};
use service::{Service, Settings};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;
use store::{Place, RootKey};
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

/// The exit code of a plan with something to do.
const DIFFERENT: u8 = 2;

/// What is to be done with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    Apply,
    Plan,
}

pub(super) async fn run(arguments: ApplyArguments, aim: Aim) -> Result<ExitCode> {
    let mut description = read_description(&arguments.file)?;
    read_logos(&mut description)?;
    let logos = description.tenants.iter().map(|tenant| tenant.logo_bytes.clone()).collect();
    let request = Description { description, logos, prunes: arguments.prune };
    // Opened before anything is made: a secret that cannot be kept must not be made.
    let secrets = arguments.secrets.as_deref().map(keep_in).transpose()?;
    let about = arguments.file.display().to_string();
    let teller = Teller::new(about, aim, (arguments.json, arguments.yes), secrets)?;
    hold(Request::Describe(Box::new(request)), &arguments.folder, teller).await
}

pub(super) async fn delete_tenant(arguments: DeleteTenantArguments) -> Result<ExitCode> {
    let manner = (arguments.json, arguments.yes);
    let teller = Teller::new(arguments.tenant.clone(), Aim::Apply, manner, None)?;
    hold(Request::DeleteTenant(arguments.tenant), &arguments.folder, teller).await
}

/// Holds a conversation with whoever has the folder.
async fn hold(request: Request, folder: &FolderArguments, mut teller: Teller) -> Result<ExitCode> {
    let opened = open(folder, teller.aim).await?;
    let (answers, mut lines) = unbounded_channel();
    let (go, goes_on) = oneshot::channel();
    let conversation = tokio::spawn(async move {
        match opened {
            Opened::Here { service, .. } => {
                let goes_on = async { goes_on.await.unwrap_or(false) };
                conduct(&service, request, &answers, goes_on).await;
                service.store().close();
                Ok(())
            }
            Opened::There(stream) => door::converse(stream, &request, &answers, goes_on).await,
        }
    });
    let code = teller.listen(&mut lines, go).await;
    let held = conversation.await?;
    let code = code?;
    held?;
    Ok(code)
}

/// Who does what is asked.
enum Opened {
    /// We ourselves, with a store that is ours as long as this lives.
    Here { service: Box<Service>, _folder: Option<DataFolder> },
    /// The server that uses the folder.
    There(UnixStream),
}

/// Nothing is asked of other servers here.
async fn open(arguments: &FolderArguments, aim: Aim) -> Result<Opened> {
    let usual = |name: &str| Some(Path::new(name)).filter(|path| path.exists()).map(Path::to_owned);
    let (config, data) = match (&arguments.config, &arguments.data) {
        (None, None) => match usual("hospes.toml") {
            Some(config) => (Some(config), None),
            None => (None, usual(".hospes")),
        },
        (config, data) => (config.clone(), data.clone()),
    };
    let absent = Mailer::absent("invites@localhost");
    if let Some(config) = config {
        let config = Config::read(&config)?;
        let settings = config.settings()?;
        // To plan for a server that never ran needs no folder, and makes none.
        if aim == Aim::Plan && !config.data.exists() {
            let root_key = RootKey::new(wiring::fresh_entropy());
            let service =
                wiring::service(Place::Memory, root_key, settings, absent, Web::in_memory()).await?;
            return Ok(Opened::Here { service: Box::new(service), _folder: None });
        }
        if let Some(server) = door::knock(&config.data).await {
            return Ok(Opened::There(server));
        }
        return with_folder(DataFolder::open(&config.data, Mode::Serve)?, settings, absent).await;
    }
    let Some(data) = data else {
        bail!(
            "there is neither hospes.toml nor .hospes here\nSay where: --config FILE for `hospes serve`, --data FOLDER for `hospes dev`"
        )
    };
    if let Some(server) = door::knock(&data).await {
        return Ok(Opened::There(server));
    }
    match DataFolder::mode_of(&data)? {
        Some(Mode::Dev) => {}
        Some(Mode::Serve) => bail!(
            "the folder {} belongs to `hospes serve`, whose configuration says what invitation links begin with\nGive it with --config",
            data.display()
        ),
        None => bail!(
            "there is no world in {}\nStart `hospes dev` first, or name its folder with --data",
            data.display()
        ),
    }
    let folder = DataFolder::open(&data, Mode::Dev)?;
    let world: Value = folder
        .read("world.json")?
        .and_then(|text| serde_json::from_slice(&text).ok())
        .with_context(|| format!("there is no world in {}\nStart `hospes dev` first", data.display()))?;
    let base = world.get("base").and_then(Value::as_str).context("world.json names no `base`")?;
    with_folder(folder, Settings::new(base), absent).await
}

async fn with_folder(folder: DataFolder, settings: Settings, mailer: Mailer) -> Result<Opened> {
    let root_key = folder.root_key(wiring::fresh_entropy())?;
    let place = Place::File(folder.database()?);
    let service = wiring::service(place, root_key, settings, mailer, Web::in_memory()).await?;
    Ok(Opened::Here { service: Box::new(service), _folder: Some(folder) })
}

/// A file that only its owner reads.
fn keep_in(path: &Path) -> Result<File> {
    let open = || -> std::io::Result<File> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        Ok(file)
    };
    open().with_context(|| format!("cannot write secrets to {}", path.display()))
}

/// Tells whoever runs the program, and asks whether to go on.
struct Teller {
    aim: Aim,
    is_json: bool,
    is_sure: bool,
    /// The file, or the tenant.
    about: String,
    /// Where made secrets go instead of standard output.
    secrets: Option<File>,
    made: Vec<Secret>,
}

impl Teller {
    fn new(about: String, aim: Aim, (is_json, is_sure): (bool, bool), secrets: Option<File>) -> Result<Self> {
        if aim == Aim::Apply && !is_sure && (is_json || !std::io::stdin().is_terminal()) {
            bail!("nobody can be asked here whether to go on\nLook with `hospes plan`, then add --yes");
        }
        Ok(Self { aim, is_json, is_sure, about, secrets, made: Vec::new() })
    }

    async fn listen(
        &mut self,
        lines: &mut UnboundedReceiver<Line>,
        go: oneshot::Sender<bool>,
    ) -> Result<ExitCode> {
        let shown = match lines.recv().await {
            Some(Line::Plan(shown)) => shown,
            Some(Line::Problem(problem)) => bail!("{}: {problem}\nNothing was changed", self.about),
            Some(Line::Done { .. } | Line::Finished | Line::Stopped { .. }) | None => {
                bail!("the server ended the conversation before it began; see its log")
            }
        };
        if !self.is_json {
            say(&plan_text(&shown));
        }
        if self.aim == Aim::Plan {
            if self.is_json {
                say(&serde_json::to_string_pretty(&shown)?);
            }
            return Ok(if shown.changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) });
        }
        if shown.changes.is_empty() {
            if self.is_json {
                self.say_outcome(&shown, 0, None)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        if !self.is_sure && !ask()? {
            say("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        }
        let _ = go.send(true);
        self.follow(lines, &shown).await
    }

    async fn follow(&mut self, lines: &mut UnboundedReceiver<Line>, shown: &Shown) -> Result<ExitCode> {
        let mut done = 0;
        loop {
            match lines.recv().await {
                Some(Line::Done { step, made }) => {
                    done += 1;
                    if let Some(change) = shown.changes.get(step).filter(|_| !self.is_json) {
                        say(&format!(
                            "{}: {} {} {}",
                            change.tenant,
                            past(change.action),
                            change.kind,
                            change.name
                        ));
                    }
                    self.keep(made)?;
                }
                Some(Line::Finished) => {
                    match self.is_json {
                        true => self.say_outcome(shown, done, None)?,
                        false => say(&format!("\nDone: {done} of {done}.")),
                    }
                    return Ok(ExitCode::SUCCESS);
                }
                Some(Line::Stopped { step, reason }) => {
                    let change = shown.changes.get(step);
                    if self.is_json {
                        self.say_outcome(shown, done, Some((change, &reason)))?;
                    } else {
                        let what = change.map(|change| format!("{}: {}", change.tenant, sentence(change)));
                        say(&format!(
                            "\nStopped at\n  {}\n  {reason}\n\nDone: {done} of {}. Not done: this one and the {} after it.\nCorrect the cause and apply again: what is done stays and is not done twice.",
                            what.unwrap_or_default(),
                            shown.changes.len(),
                            shown.changes.len().saturating_sub(step + 1)
                        ));
                    }
                    return Ok(ExitCode::FAILURE);
                }
                Some(Line::Plan(_) | Line::Problem(_)) | None => bail!(
                    "the server went away after {done} of {} changes\nApply again: what is done stays and is not done twice",
                    shown.changes.len()
                ),
            }
        }
    }

    /// Shows secrets this once, or keeps them in the file that was named.
    fn keep(&mut self, made: Vec<Secret>) -> Result<()> {
        for secret in made {
            match &mut self.secrets {
                Some(file) => {
                    let line = format!("{}\n", serde_json::to_string(&secret)?);
                    let kept = file.write_all(line.as_bytes()).and_then(|()| file.sync_all());
                    kept.with_context(|| {
                        format!(
                            "the secret of {} {} could not be kept\nMake a new one through Graph",
                            secret.kind, secret.name
                        )
                    })?;
                }
                None if self.is_json => self.made.push(secret),
                None => {
                    let what = if secret.kind == "user" { "password" } else { "secret" };
                    let id = secret.app_id.map(|id| format!(", appId {id}")).unwrap_or_default();
                    say(&format!("    {what}, shown this once{id}: {}", secret.secret));
                }
            }
        }
        Ok(())
    }

    fn say_outcome(
        &self,
        shown: &Shown,
        done: usize,
        stopped: Option<(Option<&Change>, &str)>,
    ) -> Result<()> {
        let mut document = serde_json::to_value(shown)?;
        if let Some(document) = document.as_object_mut() {
            document.insert("done".to_owned(), done.into());
            let stopped = stopped.map(|(change, reason)| json!({ "change": change, "reason": reason }));
            document.insert("stopped".to_owned(), stopped.unwrap_or(Value::Null));
            document.insert("secrets".to_owned(), serde_json::to_value(&self.made)?);
        }
        say(&serde_json::to_string_pretty(&document)?);
        Ok(())
    }
}

fn ask() -> Result<bool> {
    let mut out = std::io::stdout().lock();
    write!(out, "\nGo on? (yes/no) ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "yes"))
}

/// A plan for a person: a line for each change, by tenant.
fn plan_text(shown: &Shown) -> String {
    let mut tenants: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for change in &shown.changes {
        tenants.entry(&change.tenant).or_default().push(format!("  {}", sentence(change)));
    }
    let summary = &shown.summary;
    if shown.changes.is_empty() {
        return format!("Nothing to do: everything described is there ({} checked).", summary.unchanged);
    }
    let mut text = String::new();
    for (tenant, lines) in tenants {
        text.push_str(&format!("{tenant}\n{}\n\n", lines.join("\n")));
    }
    text.push_str(&format!(
        "{} to create, {} to update, {} to delete; {} as described.",
        summary.create, summary.update, summary.delete, summary.unchanged
    ));
    text
}

fn sentence(change: &Change) -> String {
    let properties: Vec<_> = change
        .properties
        .iter()
        .map(|property| match (&property.before, change.action) {
            (None, Verb::Create) => format!("{}: {}", property.name, property.after),
            (before, _) => {
                format!("{}: {} → {}", property.name, before.as_deref().unwrap_or("none"), property.after)
            }
        })
        .collect();
    let detail = match (change.action, properties.is_empty()) {
        (Verb::Delete, _) if change.kind == TENANT => " (with everything that it holds, for good)".to_owned(),
        (Verb::Delete, _) => " (made by an earlier apply)".to_owned(),
        (Verb::Create | Verb::Update, true) => String::new(),
        (Verb::Create | Verb::Update, false) => format!(" ({})", properties.join(", ")),
    };
    let verb = match change.action {
        Verb::Create => "+ create",
        Verb::Delete => "- delete",
        Verb::Update => "~ update",
    };
    format!("{verb} {} {}{detail}", change.kind, change.name)
}

const fn past(verb: Verb) -> &'static str {
    match verb {
        Verb::Create => "created",
        Verb::Delete => "deleted",
        Verb::Update => "updated",
    }
}
