//! The folder, its lock, and the check of the key before anything is opened.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::folder::{self, PendingFile, io_error};
use super::{Key, Store, connection};
use crate::{Error, ErrorKind, Result};

/// The layout of the folder; a higher number is a newer program's.
const FORMAT: u64 = 1;

const DATABASE: &str = "store.db";
const HOME_FILE: &str = "home.json";
const LOCK: &str = "lock";

/// A home that this process owns: while it lives, no other process can open it.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    _lock: File,
}

impl Store {
    /// Opens the home at `path` with `key`, or makes one (mode 0700) if there is none or the folder is empty. Sending that
    /// was cut off is ready again, and files that no row knows are deleted.
    ///
    /// The key is checked before the database is touched. Whether a key must already exist is asked with
    /// [`exists`](Self::exists): never make a new key for a home that is there.
    ///
    /// # Errors
    /// - `WrongKey`: the home has another key; nothing was touched
    /// - `KeyMissing`: there is a database, but nothing says which key it has; nothing was created
    /// - `StoreInUse`: another process, or another `Store` of this one, has it open
    /// - `StorageTooNew`: a newer program wrote it; nothing was touched
    /// - `StorageDamaged`: the key is right and the database cannot be read; nothing was moved or deleted
    /// - `StorageFull`, `Io`
    pub fn open(path: &Path, key: &Key) -> Result<Self> {
        let home = Home::open(path, key)?;
        let connection = connection::connect(&home.database(), key)?;
        let store = Self { home, key: key.clone(), connection: Mutex::new(Some(connection)) };
        store.ready_what_was_sending()?;
        store.sweep()?;
        Ok(store)
    }

    /// Whether `path` holds a home, so that its key must exist: a shell without the key answers `KeyMissing`.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        path.join(HOME_FILE).exists() || path.join(DATABASE).exists()
    }

    /// The folder of sealed attachments.
    pub(super) fn files(&self) -> PathBuf {
        self.home.files()
    }

    /// The folder of the forms' pictures, sound and video.
    pub(super) fn media(&self) -> PathBuf {
        self.home.media()
    }

    /// Deletes the files that no row knows: left by a crash, or of rows that are gone.
    fn sweep(&self) -> Result<()> {
        let (files, media) = self.read(|connection| {
            Ok((
                names(connection, "SELECT file FROM attachment")?,
                names(connection, "SELECT DISTINCT sha256 FROM form_file WHERE dataset IS NULL")?,
            ))
        })?;
        folder::sweep(&self.files(), &files)?;
        folder::sweep(&self.media(), &media)
    }
}

impl Home {
    /// Checks the key, makes what is missing and takes the lock, in this order.
    fn open(path: &Path, key: &Key) -> Result<Self> {
        let is_home = has_key(path, key)?;
        if !is_home {
            make_folder(path)?;
        }
        let home = Self { path: path.to_owned(), _lock: lock(&path.join(LOCK))? };
        // Looked at again under the lock: another process may have made the home meanwhile.
        if !is_home && !has_key(path, key)? {
            let mut file = PendingFile::create(path)?;
            writeln!(file, "{}", json!({ "format": FORMAT, "key_id": key.id() })).map_err(io_error)?;
            file.keep(HOME_FILE)?;
        }
        for folder in [home.files(), home.media()] {
            fs::create_dir_all(folder).map_err(io_error)?;
        }
        Ok(home)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    fn media(&self) -> PathBuf {
        self.path.join("media")
    }
}

/// Whether there is a home with this key; an error if there is one with another.
fn has_key(path: &Path, key: &Key) -> Result<bool> {
    let text = match fs::read_to_string(path.join(HOME_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.join(DATABASE).exists() => {
            return Err(Error::new(ErrorKind::KeyMissing, "there is a database without home.json"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(io_error(error)),
    };
    let damaged = || Error::new(ErrorKind::StorageDamaged, HOME_FILE);
    let home: Value = serde_json::from_str(&text).map_err(|_| damaged())?;
    let format = home.get("format").and_then(Value::as_u64).ok_or_else(damaged)?;
    if format > FORMAT {
        return Err(Error::new(ErrorKind::StorageTooNew, format!("home format {format}")));
    }
    let key_id = home.get("key_id").and_then(Value::as_str).ok_or_else(damaged)?;
    if key_id == key.id() { Ok(true) } else { Err(ErrorKind::WrongKey.into()) }
}

/// A folder that nobody else may look into. One that holds other things is not made a home.
fn make_folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(io_error)?;
    for entry in fs::read_dir(path).map_err(io_error)? {
        let name = entry.map_err(io_error)?.file_name();
        // What a making that was cut off has left.
        let ours = name.to_str().is_some_and(|name| name == LOCK || name.ends_with(folder::PENDING));
        if !ours {
            return Err(Error::new(ErrorKind::Io, "the folder holds other files and no store"));
        }
    }
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(io_error)?;
    Ok(())
}

/// The exclusive lock of a home; the system lets go of it when the process ends, however it ends.
fn lock(path: &Path) -> Result<File> {
    let file = File::options().write(true).create(true).truncate(false).open(path).map_err(io_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::StoreInUse.into()),
        // Where the system has no file locks, an app's private folder has one process anyway.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(io_error(error)),
    }
}

fn names(connection: &Connection, query: &str) -> Result<BTreeSet<String>> {
    Ok(connection.prepare(query)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}
