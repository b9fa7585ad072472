//! A server to be measured or killed: the built program, a world of its own, plain HTTP for the load.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = "target/release/hospes";

/// A running server, killed when dropped.
pub(crate) struct Server {
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: no chance to finish anything.
    pub(crate) fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn start(program: &str, arguments: &[&str], core: Option<usize>) -> Result<Self> {
        let mut command = match core {
            None => Command::new(program),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string(), program]);
                command
            }
        };
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {program}; build it with `cargo build --release`"))?;
        Ok(Self { child })
    }
}

/// A data folder with a seeded world, and what `hospes serve` needs to run on it without TLS.
pub(crate) struct Prepared {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) world: Value,
    pub(crate) port: u16,
    program: String,
    config: PathBuf,
}

impl Prepared {
    /// A world of its own, made with `hospes dev`.
    pub(crate) fn new(program: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let world = make_world(program, &folder.path().join("data"))?;
        Self::over(program, folder, world, "")
    }

    /// The world that lies in a folder under `data`; `more` is added to the configuration.
    pub(crate) fn over(program: &str, folder: tempfile::TempDir, world: Value, more: &str) -> Result<Self> {
        let port = free_port()?;
        let data = folder.path().join("data");
        let data_text = data.to_str().context("the temporary folder has a strange name")?;
        let config = folder.path().join("hospes.toml");
        let text = format!(
            "base_url = \"https://localhost:{port}\"\nlisten = \"127.0.0.1:{port}\"\ndata = \"{data_text}\"\n[behind_proxy]\ntrusted = [\"127.0.0.1\"]\n[throttling]\nenabled = false\n{more}"
        );
        std::fs::write(&config, text)?;
        Ok(Self { folder, world, port, program: program.to_owned(), config })
    }

    /// Starts the server; answers how long it took to its first answer.
    pub(crate) fn serve(&self, core: Option<usize>, workers: Option<usize>) -> Result<(Server, Duration)> {
        let config = self.config.to_str().context("the temporary folder has a strange name")?;
        let workers = workers.map(|workers| workers.to_string());
        let mut arguments = vec!["--log", "error"];
        if let Some(workers) = &workers {
            arguments.extend(["--workers", workers]);
        }
        arguments.extend(["serve", "--config", config]);
        let began = Instant::now();
        let server = Server::start(&self.program, &arguments, core)?;
        wait_for(self.port, began)?;
        Ok((server, began.elapsed()))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("data/hospes.db")
    }

    /// A tenant's application of a kind: its id, secret and identifier.
    pub(crate) fn application(&self, tenant: usize, kind: &str, name: &str) -> Result<(String, String)> {
        let apps = self.world["tenants"][tenant]["applications"].as_array().context("no applications")?;
        let found = apps
            .iter()
            .find(|app| app["kind"] == kind && app["displayName"].as_str().is_some_and(|n| n.contains(name)));
        let found = found.with_context(|| format!("no application {kind} {name}"))?;
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        Ok((text("appId"), text("secret")))
    }

    pub(crate) fn tenant(&self, index: usize) -> String {
        self.world["tenants"][index]["id"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Asks until the server answers, at most ten seconds.
pub(crate) fn wait_for(port: u16, began: Instant) -> Result<()> {
    use std::io::Write;
    while began.elapsed() < Duration::from_secs(10) {
        if let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
            let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            let mut answer = Vec::new();
            if stream.write_all(request).is_ok()
                && stream.read_to_end(&mut answer).is_ok()
                && answer.starts_with(b"HTTP/1.1 200")
            {
                return Ok(());
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("the server did not answer within ten seconds")
}

/// Makes a world with `hospes dev` in a data folder, and hands the folder over to `hospes serve` behind a proxy that is this
/// program. Marking the folder is a liberty that only measuring takes.
pub(crate) fn make_world(program: &str, data: &Path) -> Result<Value> {
    if !Path::new(program).exists() {
        bail!("there is no {program}\nBuild it first: cargo build --release");
    }
    let listen = format!("127.0.0.1:{}", free_port()?);
    let data_text = data.to_str().context("the folder has a strange name")?;
    let mut child = Command::new(program)
        .args(["--log", "error", "dev", "--json", "--data", data_text, "--listen", &listen])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let world = read_document(&mut child, program);
    let _ = child.kill();
    let _ = child.wait();
    let world = world?;
    std::fs::write(data.join("mode"), "serve")?;
    Ok(world)
}

/// Reads standard output until it is one JSON document.
fn read_document(child: &mut Child, program: &str) -> Result<Value> {
    let mut output = child.stdout.take().context("no standard output")?;
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = output.read(&mut buffer)?;
        if count == 0 {
            bail!("the server ended before it printed its world: run `{program} dev` to see why");
        }
        text.extend_from_slice(&buffer[..count]);
        if let Ok(world) = serde_json::from_slice(&text) {
            return Ok(world);
        }
    }
}
