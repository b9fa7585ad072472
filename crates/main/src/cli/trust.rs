//! `hospes trust`: the dev authority in the machine's trust stores. Says what it did, and what it could not.

use super::say;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name under which the authority stands in the stores.
const NAME: &str = "hospes-dev";

pub(super) fn run(data: &Path, remove: bool) -> Result<()> {
    let ca = data.join("ca.pem");
    if !remove && !ca.exists() {
        bail!("there is no {}\nStart `hospes dev` once, or name its folder with --data", ca.display());
    }
    let mut done = 0;
    done += usize::from(system_store(&ca, remove)?);
    done += usize::from(browser_store(&ca, remove)?);
    if done == 0 {
        bail!(
            "no trust store was changed\nGive clients the file itself: `hospes env shell` prints the variables"
        );
    }
    Ok(())
}

/// Debian's and Fedora's stores, whichever this machine has.
fn system_store(ca: &Path, remove: bool) -> Result<bool> {
    let stores = [
        ("/usr/local/share/ca-certificates", "crt", "update-ca-certificates"),
        ("/etc/pki/ca-trust/source/anchors", "pem", "update-ca-trust"),
    ];
    for (folder, ending, command) in stores {
        if !Path::new(folder).is_dir() {
            continue;
        }
        let target = PathBuf::from(folder).join(format!("{NAME}.{ending}"));
        let changed =
            if remove { std::fs::remove_file(&target) } else { std::fs::copy(ca, &target).map(|_| ()) };
        if let Err(error) = changed {
            say(&format!(
                "system store: {} not changed ({error}); run this command as root",
                target.display()
            ));
            return Ok(false);
        }
        let status = Command::new(command).status().with_context(|| format!("cannot run {command}"))?;
        if !status.success() {
            say(&format!("system store: {command} failed"));
            return Ok(false);
        }
        say(&format!("system store: {} {}", target.display(), if remove { "removed" } else { "added" }));
        return Ok(true);
    }
    say("system store: none that this program knows; add the file by hand");
    Ok(false)
}

/// The store of Chromium and others, changed by NSS's own tool.
fn browser_store(ca: &Path, remove: bool) -> Result<bool> {
    let home = std::env::home_dir().context("this user has no home folder")?;
    let database = home.join(".pki/nssdb");
    if !database.is_dir() {
        say("browser store: none found");
        return Ok(false);
    }
    let database = format!("sql:{}", database.display());
    let mut command = Command::new("certutil");
    command.args(["-d", &database]);
    if remove {
        command.args(["-D", "-n", NAME]);
    } else {
        command.args(["-A", "-t", "C,,", "-n", NAME, "-i"]).arg(ca);
    }
    match command.status() {
        Ok(status) if status.success() => {
            say(&format!("browser store: {}", if remove { "removed" } else { "added" }));
            Ok(true)
        }
        Ok(_) => {
            say("browser store: certutil failed");
            Ok(false)
        }
        Err(_) => {
            say("browser store: certutil is missing; install libnss3-tools");
            Ok(false)
        }
    }
}
