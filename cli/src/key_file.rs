//! The key in a file beside the home, for its owner only (at-rest.md, CLI).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use veldwerk::client::{SecretError, SecretStore};
use veldwerk::store::Key;

use crate::output::tell;

/// A file with the key of one home in hex.
pub(crate) struct KeyFile {
    pub(crate) path: PathBuf,
    /// The same in words.
    pub(crate) place: String,
    pub(crate) quiet: bool,
}

impl SecretStore for KeyFile {
    /// An empty file holds no key: it is what a power cut left of one that was being made.
    fn load(&self) -> Result<Option<Key>, SecretError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        let text = String::from_utf8(text).map_err(|_| SecretError::NotAKey)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let key = Key::from_hex(&text).map_err(|_| SecretError::NotAKey)?;
        if is_open_to_others(&self.path) {
            tell!("Others can read the key: {}. Take the right away from them (chmod 600).", self.place);
        }
        Ok(Some(key))
    }

    /// Written beside, synced and then named, so that there is never half a key; one that another process has named first
    /// stays.
    fn save(&self, key: &Key) -> Result<(), SecretError> {
        let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(unavailable)?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(format!(".{}.new", std::process::id()));
        let beside = PathBuf::from(beside);
        let made = write(&beside, key).and_then(|()| name(&beside, &self.path)).and_then(|made| {
            sync_folder(folder)?;
            Ok(made)
        });
        if made.is_err() {
            // What is left of it is as private as the key itself would be.
            let _ = fs::remove_file(&beside);
        }
        if made.map_err(unavailable)? && !self.quiet {
            tell!("Key: {}. Whoever has this file and the home can read the answers.", self.place);
        }
        Ok(())
    }

    fn forget(&self) -> Result<(), SecretError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(error)),
            _ => Ok(()),
        }
    }
}

fn write(path: &Path, key: &Key) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(key.to_hex().as_bytes())?;
    file.sync_all()
}

/// Gives the file its name; whether it got it. Only an empty file is replaced.
fn name(beside: &Path, path: &Path) -> io::Result<bool> {
    if fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return fs::rename(beside, path).map(|()| true);
    }
    // A link refuses where a rename would replace; a file system without links has no way to refuse.
    match fs::hard_link(beside, path) {
        Ok(()) => fs::remove_file(beside).map(|()| true),
        Err(_) if path.exists() => fs::remove_file(beside).map(|()| false),
        Err(_) => fs::rename(beside, path).map(|()| true),
    }
}

/// Makes the name survive a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

fn unavailable(error: io::Error) -> SecretError {
    SecretError::Unavailable(error.into())
}
