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
        store.release(None)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{TestHome, answer};

    fn open_error(home: &TestHome, key: &Key) -> ErrorKind {
        Store::open(&home.path(), key).unwrap_err().kind()
    }

    #[test]
    fn a_new_home_is_private_and_names_its_key_without_telling_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        let key = Key::generate().unwrap();
        assert!(!Store::exists(&path));
        drop(Store::open(&path, &key).unwrap());
        assert!(Store::exists(&path));
        let text = fs::read_to_string(path.join(HOME_FILE)).unwrap();
        assert!(text.contains(&key.id()) && !text.contains(&key.to_hex()[..16]), "{text}");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn another_key_is_refused_and_nothing_touched() {
        let mut home = TestHome::new();
        home.any_draft();
        home.shut();
        let before = home.all_files();
        assert_eq!(open_error(&home, &Key::from_bytes([8; 32])), ErrorKind::WrongKey);
        assert_eq!(home.all_files(), before);
        home.reopen();
        assert_eq!(home.drafts(None).unwrap().len(), 1);
    }

    #[test]
    fn a_database_that_does_not_name_its_key_is_refused_and_nothing_created() {
        let mut home = TestHome::new();
        home.shut();
        fs::remove_file(home.path().join(HOME_FILE)).unwrap();
        let before = home.all_files();
        assert!(Store::exists(&home.path()));
        assert_eq!(open_error(&home, &home.key), ErrorKind::KeyMissing);
        assert_eq!(home.all_files(), before);
    }

    #[test]
    fn one_at_a_time() {
        let mut home = TestHome::new();
        assert_eq!(open_error(&home, &home.key), ErrorKind::StoreInUse);
        home.shut();
        drop(Store::open(&home.path(), &home.key).unwrap());
    }

    #[test]
    fn what_a_newer_program_wrote_is_left_alone() {
        let mut home = TestHome::new();
        home.read(|connection| Ok(connection.pragma_update(None, "user_version", 99)?)).unwrap();
        home.shut();
        let before = home.all_files();
        assert_eq!(open_error(&home, &home.key), ErrorKind::StorageTooNew);
        assert_eq!(home.all_files(), before);

        fs::write(home.path().join(HOME_FILE), r#"{"format": 2, "key": "kept elsewhere"}"#).unwrap();
        assert_eq!(open_error(&home, &home.key), ErrorKind::StorageTooNew);
        assert_eq!(fs::read(home.path().join(DATABASE)).unwrap(), before[Path::new(DATABASE)]);
    }

    #[test]
    fn an_unreadable_home_file_is_damage() {
        let mut home = TestHome::new();
        home.shut();
        for text in ["", "{", "[]", r#"{"format": 1}"#, r#"{"format": "1", "key_id": ""}"#] {
            fs::write(home.path().join(HOME_FILE), text).unwrap();
            assert_eq!(open_error(&home, &home.key), ErrorKind::StorageDamaged, "{text}");
        }
    }

    /// Under the right key id, "not a database" (page 1) and "malformed" (page 2 and beyond) both mean damage.
    #[test]
    fn a_damaged_page_is_told_and_nothing_deleted() {
        for page in [1, 2] {
            let mut home = TestHome::new();
            home.any_draft();
            home.shut();
            let database = home.path().join(DATABASE);
            let mut bytes = fs::read(&database).unwrap();
            bytes[(page - 1) * 4096 + 1000] ^= 1;
            fs::write(&database, &bytes).unwrap();
            let met = Store::open(&home.path(), &home.key).and_then(|store| {
                for project in store.projects()? {
                    store.forms(project.id)?;
                }
                store.drafts(None).map(drop)
            });
            assert_eq!(met.unwrap_err().kind(), ErrorKind::StorageDamaged, "page {page}");
            assert!(fs::read(&database).unwrap() == bytes, "page {page}");
        }
    }

    #[test]
    fn a_folder_with_other_things_is_not_made_a_home() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.doc"), "").unwrap();
        let error = Store::open(folder.path(), &Key::from_bytes([7; 32])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn making_a_home_can_be_cut_off_anywhere() {
        let key = Key::from_bytes([7; 32]);
        let home_file = json!({ "format": FORMAT, "key_id": key.id() }).to_string();
        for left in [&[][..], &[(LOCK, "")], &[(LOCK, ""), ("00ff.new", "{")], &[(LOCK, ""), (HOME_FILE, &home_file)]] {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in left {
                fs::write(folder.path().join(name), text).unwrap();
            }
            let store = Store::open(folder.path(), &key).unwrap();
            assert_eq!(store.projects().unwrap(), [], "{left:?}");
        }
    }

    /// The disk as a kill leaves it: copied while the store is open, so the newest answers are in the log only.
    #[test]
    fn a_kill_loses_no_answer() {
        let home = TestHome::new();
        let draft = home.any_draft();
        let edits: Vec<_> = (1..=200).map(|seq| answer(seq, "/data/a", &format!("answer {seq}"))).collect();
        for (n, edit) in edits.iter().enumerate() {
            home.append_edit(draft, edit).unwrap();
            if n % 50 == 0 {
                let after = tempfile::tempdir().unwrap();
                for (path, bytes) in home.all_files() {
                    fs::write(after.path().join(path), bytes).unwrap();
                }
                let store = Store::open(after.path(), &home.key).unwrap();
                assert_eq!(store.edits(draft).unwrap(), edits[..=n]);
            }
        }
    }

    #[test]
    fn files_that_no_row_knows_are_swept() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap();
        home.put_media(&mut &b"unused"[..]).unwrap();
        fs::write(home.path().join("files/0123"), "renamed, but its row was never written").unwrap();
        fs::write(home.path().join("files/4567.new"), "cut off").unwrap();
        home.reopen();
        assert_eq!((home.n_files("files"), home.n_files("media")), (1, 0));
        let id = home.draft_attachments(draft).unwrap()[0].id;
        assert_eq!(home.read_attachment(id, 0, 100).unwrap(), b"photo");
    }
}
