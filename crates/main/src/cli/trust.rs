//! `hospes trust`: the dev authority in the machine's trust stores. Says what it did, and what it could not.

use super::say;
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name under which the authority stands in the stores.
const NAME: &str = "hospes-dev";

pub(super) fn run(data: &Path, remove: bool) -> Result<()> {
    let ca = data.join("ca.pem");
    if !remove && !ca.exists() {
        bail!("there is no {}\nStart `hospes dev` once, or name its folder with --data", ca.display());
    }
    let mut done = usize::from(system_store(&ca, remove));
    for database in browser_stores() {
        done += usize::from(browser_store(&database, &ca, remove));
    }
    if done == 0 && remove {
        bail!("no trust store was changed\nWhat stands above says why, store by store");
    }
    if done == 0 {
        bail!(
            "no trust store was changed\nGive clients the file itself: `hospes env shell` prints the variables"
        );
    }
    if !remove {
        say("Browsers that run already must be started again. `hospes trust --remove` undoes this.");
    }
    Ok(())
}

/// Debian's and Fedora's stores, whichever this machine has. Answers whether the store was changed.
fn system_store(ca: &Path, remove: bool) -> bool {
    let stores: [(&str, &str, &str, &[&str]); 2] = [
        // Without --fresh a removed authority leaves its links behind.
        ("/usr/local/share/ca-certificates", "crt", "update-ca-certificates", &["--fresh"]),
        ("/etc/pki/ca-trust/source/anchors", "pem", "update-ca-trust", &[]),
    ];
    for (folder, ending, command, when_removed) in stores {
        if !Path::new(folder).is_dir() {
            continue;
        }
        let target = PathBuf::from(folder).join(format!("{NAME}.{ending}"));
        if remove && !target.exists() {
            say("system store: the authority is not in it");
            return false;
        }
        let changed = if remove { std::fs::remove_file(&target) } else { add(ca, &target) };
        if let Err(error) = changed {
            say(&format!(
                "system store: {} not changed ({error}); run this command as root",
                target.display()
            ));
            return false;
        }
        let status = Command::new(command)
            .args(if remove { when_removed } else { &[] })
            .stdout(Stdio::null())
            .status();
        match status {
            Ok(status) if status.success() => {
                say(&format!(
                    "system store: {} {}",
                    target.display(),
                    if remove { "removed" } else { "added" }
                ));
                return true;
            }
            Ok(_) | Err(_) => {
                say(&format!(
                    "system store: {} is changed, but {command} failed; run it by hand",
                    target.display()
                ));
                return false;
            }
        }
    }
    say("system store: none that this program knows; add the file by hand");
    false
}

/// The authority, readable by everybody as the store's other files are.
fn add(ca: &Path, target: &Path) -> std::io::Result<()> {
    std::fs::write(target, std::fs::read(ca)?)?;
    std::fs::set_permissions(target, std::fs::Permissions::from_mode(0o644))
}

/// NSS databases of this user: Chromium's, and those of Firefox's profiles.
fn browser_stores() -> Vec<PathBuf> {
    let Some(home) = std::env::home_dir() else { return Vec::new() };
    let mut found = vec![home.join(".pki/nssdb")];
    for profiles in [".mozilla/firefox", "snap/firefox/common/.mozilla/firefox"] {
        let entries = std::fs::read_dir(home.join(profiles)).into_iter().flatten();
        found.extend(entries.flatten().map(|entry| entry.path()));
    }
    found.retain(|path| path.join("cert9.db").is_file());
    if found.is_empty() {
        say("browser store: none found; browsers that keep their own ask for the file in their settings");
    }
    found
}

/// Changes one database with NSS's own tool. Answers whether it was changed.
fn browser_store(database: &Path, ca: &Path, remove: bool) -> bool {
    let shown = database.display();
    let database = format!("sql:{shown}");
    let certutil = |arguments: &[&OsStr]| {
        Command::new("certutil")
            .args(["-d", &database])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    };
    // An authority of an earlier data folder would keep its name.
    let removed = certutil(&["-D".as_ref(), "-n".as_ref(), NAME.as_ref()]);
    let changed = if remove {
        removed
    } else {
        certutil(
            &["-A", "-t", "C,,", "-n", NAME, "-i"]
                .map(OsStr::new)
                .into_iter()
                .chain([ca.as_os_str()])
                .collect::<Vec<_>>(),
        )
    };
    match changed {
        Ok(status) if status.success() => {
            say(&format!("browser store: {shown} {}", if remove { "removed" } else { "added" }));
            true
        }
        Ok(_) if remove => {
            say(&format!("browser store: {shown} does not have the authority"));
            false
        }
        Ok(_) => {
            say(&format!("browser store: certutil could not change {shown}"));
            false
        }
        Err(_) => {
            say(&format!(
                "browser store: {shown} not changed, certutil is missing; install libnss3-tools (Debian) or nss-tools (Fedora)"
            ));
            false
        }
    }
}
