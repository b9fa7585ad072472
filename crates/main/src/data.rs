//! A data folder: whose it is, its root key, its files. Everything in it is readable by its owner only.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use store::RootKey;

/// What a folder is used for; conveniences of `dev` never run over a production store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Dev,
    Serve,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Serve => "serve",
        }
    }
}

/// A folder that is ours.
#[derive(Debug)]
pub(crate) struct DataFolder(PathBuf);

impl DataFolder {
    /// Opens or makes the folder, and refuses one of the other mode.
    pub(crate) fn open(path: &Path, mode: Mode) -> Result<Self> {
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make the data folder {}", path.display()))?;
        protect(path, 0o700)?;
        let path = path.canonicalize()?;
        let folder = Self(path);
        let marker = folder.file("mode");
        match fs::read_to_string(&marker) {
            Ok(found) if found.trim() == mode.as_str() => {}
            Ok(found) => bail!(
                "the folder {} belongs to `hospes {}`\nGive another folder with --data, or in the configuration",
                folder.0.display(),
                found.trim()
            ),
            Err(_) => folder.write("mode", mode.as_str().as_bytes())?,
        }
        Ok(folder)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.file(name)).ok()
    }

    /// Writes a file whole or not at all, readable by its owner only.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        protect(file.path(), 0o600)?;
        file.persist(self.file(name))
            .with_context(|| format!("cannot write {}", self.file(name).display()))?;
        Ok(())
    }

    /// The key that seals secrets in the store; made at the first start.
    pub(crate) fn root_key(&self, fresh: [u8; 32]) -> Result<RootKey> {
        let bytes = match self.read("root.key") {
            Some(bytes) => bytes,
            None => {
                self.write("root.key", &fresh)?;
                fresh.to_vec()
            }
        };
        match bytes.try_into() {
            Ok(key) => Ok(RootKey::new(key)),
            Err(_) => bail!(
                "{} is damaged: it must have 32 bytes\nRestore it from a backup",
                self.file("root.key").display()
            ),
        }
    }
}

fn protect(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("cannot protect {}", path.display()))
}
