//! A data folder: whose it is, its root key, its files. Everything in it is readable by its owner only.

use anyhow::{Context, Result, bail};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use store::RootKey;

const DATABASE: &str = "hospes.db";
const LOCK: &str = "lock";
const MARKER: &str = "mode";
const ROOT_KEY: &str = "root.key";

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

/// A folder that is ours, and nobody else's as long as this value lives.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens or makes the folder, and refuses one of the other mode, or one that another server uses: what a server
    /// keeps in memory is right only as long as nobody else writes.
    pub(crate) fn open(path: &Path, mode: Mode) -> Result<Self> {
        // An existing folder keeps its rights: it may be somebody's home. What we write in it is protected by itself.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make the data folder {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock = lock(&path)?;
        let folder = Self { path, _lock: lock };
        match folder.read(MARKER)? {
            Some(found) if found.trim_ascii() == mode.as_str().as_bytes() => {}
            Some(found) => bail!(
                "the folder {} belongs to `hospes {}`, not to `hospes {}`\nGive another folder with --data, or in the configuration",
                folder.path.display(),
                String::from_utf8_lossy(found.trim_ascii()),
                mode.as_str()
            ),
            None => folder.write(MARKER, mode.as_str().as_bytes())?,
        }
        Ok(folder)
    }

    /// What a folder is used for, if it is a data folder; without using it.
    pub(crate) fn mode_of(path: &Path) -> Result<Option<Mode>> {
        let file = path.join(MARKER);
        match fs::read(&file) {
            Ok(found) => Ok([Mode::Dev, Mode::Serve]
                .into_iter()
                .find(|mode| mode.as_str().as_bytes() == found.trim_ascii())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The store's file, made before the store does, which would let others of this machine read it.
    pub(crate) fn database(&self) -> Result<PathBuf> {
        let path = self.file(DATABASE);
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(path)
    }

    /// A file's content; `None` when there is no such file. One that cannot be read is an error: taking it for missing
    /// would put a new key over the old one.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match fs::read(self.file(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.file(name).display())),
        }
    }

    /// Writes a file whole or not at all, readable by its owner only.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            file.write_all(bytes)?;
            fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600))?;
            file.as_file().sync_all()?;
            file.persist(self.file(name))?;
            // The name must be on disk too before anything is sealed with a new key.
            File::open(&self.path)?.sync_all()
        };
        write().with_context(|| format!("cannot write {}", self.file(name).display()))
    }

    /// The key that seals secrets in the store; made at the first start.
    pub(crate) fn root_key(&self, fresh: [u8; 32]) -> Result<RootKey> {
        let file = self.file(ROOT_KEY);
        let bytes = match self.read(ROOT_KEY)? {
            Some(bytes) => bytes,
            None if self.has_data() => bail!(
                "{} is missing, and without it the store cannot be read\nRestore it from a backup, or start with an empty folder",
                file.display()
            ),
            None => {
                self.write(ROOT_KEY, &fresh)?;
                fresh.to_vec()
            }
        };
        match bytes.try_into() {
            Ok(key) => Ok(RootKey::new(key)),
            Err(_) => bail!("{} is damaged: it must have 32 bytes\nRestore it from a backup", file.display()),
        }
    }

    fn has_data(&self) -> bool {
        fs::metadata(self.file(DATABASE)).is_ok_and(|file| file.len() > 0)
    }
}

/// Held until the process ends, however it ends.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("cannot write in the data folder {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another server uses the folder {}\nStop it, or give another folder", folder.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_mode_and_one_server() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data");
        let folder = DataFolder::open(&path, Mode::Serve).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let second = DataFolder::open(&path, Mode::Serve).unwrap_err().to_string();
        assert!(second.contains("another server"), "{second}");
        drop(folder);
        let other = DataFolder::open(&path, Mode::Dev).unwrap_err().to_string();
        assert!(other.contains("hospes serve"), "{other}");
        DataFolder::open(&path, Mode::Serve).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_keeps_its_rights_and_our_files_are_private() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let folder = DataFolder::open(place.path(), Mode::Dev).unwrap();
        folder.root_key([1; 32]).unwrap();
        let rights = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(rights(place.path()), 0o755);
        assert_eq!(rights(&folder.file(ROOT_KEY)), 0o600);
        assert_eq!(rights(&folder.database().unwrap()), 0o600);
    }

    #[test]
    fn the_root_key_is_made_once_and_never_replaced() {
        let place = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(place.path(), Mode::Dev).unwrap();
        folder.root_key([1; 32]).unwrap();
        folder.root_key([2; 32]).unwrap();
        assert_eq!(folder.read(ROOT_KEY).unwrap().unwrap(), [1; 32]);
        fs::write(folder.file(DATABASE), b"data").unwrap();
        fs::remove_file(folder.file(ROOT_KEY)).unwrap();
        assert!(folder.root_key([3; 32]).unwrap_err().to_string().contains("backup"));
    }
}
