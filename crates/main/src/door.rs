//! Where a running server takes descriptions: a socket in its data folder, which only the owner of the folder can open. Two
//! processes never write one store, because what a server keeps in memory is right only as long as nobody else writes.
//!
//! The client writes its request as one line of JSON, and `go` once it has seen the plan; the server writes its answers, a
//! line each.

use crate::apply::{Line, Request, conduct};
use crate::data::DataFolder;
use anyhow::{Context, Result, bail};
use service::Service;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

const SOCKET: &str = "apply.sock";
/// Longest request.
// DEFAULT: 64 MiB: a description of 8 MiB, and its pictures as lists of numbers.
const LONGEST: u64 = 64 * 1024 * 1024;
const GO: &str = "go";

/// Opens the door of this server. Without it the server works all the same, so a failure is only told.
pub(crate) fn open(folder: &DataFolder, service: &Service) {
    match bind(folder) {
        Ok((listener, owner)) => {
            tokio::spawn(welcome(listener, owner, service.clone()));
        }
        Err(error) => tracing::warn!(
            error = format!("{error:#}"),
            "`hospes apply` cannot reach this server; it can be used while the server is stopped"
        ),
    }
}

/// The listener, and the user who may knock besides root.
fn bind(folder: &DataFolder) -> Result<(UnixListener, u32)> {
    // Made where nobody else can look, and moved once it is closed to others.
    let private = tempfile::tempdir_in(folder.file(""))?;
    let path = private.path().join(SOCKET);
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    let owner = fs::metadata(&path)?.uid();
    fs::rename(&path, folder.file(SOCKET))?;
    Ok((listener, owner))
}

async fn welcome(listener: UnixListener, owner: u32, service: Service) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let may_enter = stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0);
        if may_enter {
            let service = service.clone();
            tokio::spawn(async move {
                if let Err(error) = serve(stream, service).await {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "a conversation of `hospes apply` ended early"
                    );
                }
            });
        }
    }
}

async fn serve(stream: UnixStream, service: Service) -> Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(LONGEST));
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let request: Request = serde_json::from_str(&line).context("the request cannot be read")?;
    let (answers, mut lines) = unbounded_channel();
    let conversation = tokio::spawn(async move {
        let goes_on = async move {
            let mut word = String::new();
            reader.read_line(&mut word).await.is_ok() && word.trim() == GO
        };
        conduct(&service, request, &answers, goes_on).await;
    });
    // When nobody listens any more, `lines` is dropped, and the conversation ends with its next step.
    while let Some(line) = lines.recv().await {
        let line = format!("{}\n", serde_json::to_string(&line)?);
        writer.write_all(line.as_bytes()).await?;
    }
    Ok(conversation.await?)
}

/// Reaches the server that uses a folder, if one does.
pub(crate) async fn knock(folder: &Path) -> Option<UnixStream> {
    UnixStream::connect(folder.join(SOCKET)).await.ok()
}

/// Holds a conversation with a running server.
pub(crate) async fn converse(
    stream: UnixStream,
    request: &Request,
    answers: &UnboundedSender<Line>,
    goes_on: oneshot::Receiver<bool>,
) -> Result<()> {
    let (reader, mut writer) = stream.into_split();
    let request = format!("{}\n", serde_json::to_string(request)?);
    writer.write_all(request.as_bytes()).await?;
    let mut lines = BufReader::new(reader).lines();
    let mut goes_on = Some(goes_on);
    while let Some(line) = lines.next_line().await? {
        let line: Line = serde_json::from_str(&line)
            .context("the server answers in another way; it is of another release")?;
        let is_plan = matches!(line, Line::Plan(_));
        if answers.send(line).is_err() {
            bail!("nobody listens any more");
        }
        if let (true, Some(goes_on)) = (is_plan, goes_on.take()) {
            if !goes_on.await.unwrap_or(false) {
                return Ok(());
            }
            writer.write_all(format!("{GO}\n").as_bytes()).await?;
        }
    }
    Ok(())
}
