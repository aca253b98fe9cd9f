//! The folder of a home: its making, its lock, its marker, and the check of the key before anything is opened.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cleaning::{FILES, MEDIA};
use super::folder::{self, PendingFile, io_error, sync_folder};
use super::{Key, connection};
use crate::{Error, ErrorKind, Result};

/// The layout of the folder; a higher number is a newer program's.
const FORMAT: u64 = 1;

const DATABASE: &str = "store.db";
/// A database that is being made with its home; it becomes [`DATABASE`] when the home has its file.
const FIRST_DATABASE: &str = "store.db.first";
const HOME_FILE: &str = "home.json";
const LOCK: &str = "lock";
/// There while the database is open, and after it was not closed.
const MARKER: &str = "open";
const QUARANTINE: &str = "quarantine";
/// There while everything is being erased.
const ERASING: &str = "erasing";
/// There when something could not be read: the next opening looks the database through.
const SUSPECT: &str = "suspect";
/// Room that is given up when the disk is full, so that what was begun can be ended: sending, deleting, a last answer.
const RESERVE: &str = "reserve";
const RESERVE_SIZE: u64 = 1024 * 1024;

/// A home that this process owns: while it lives, no other process can open it.
#[derive(Debug)]
pub(super) struct Home {
    path: PathBuf,
    /// None where a file system that cannot be written has no file to lock.
    _lock: Option<File>,
}

impl Home {
    /// Checks the key, takes the lock and makes what is missing of a home that is new, in this order. A home that is there
    /// is never made anew.
    ///
    /// A home is made so that a kill at any moment leaves either none, or one whose making the next opening completes: the
    /// database under another name, then the file that makes it a home, then the database under its own.
    pub(super) fn open(path: &Path, key: &Key) -> Result<Self> {
        let is_home = has_key(path, key)?;
        if !is_home {
            make_folder(path)?;
        }
        let home = Self { path: path.to_owned(), _lock: lock(&path.join(LOCK), is_home)? };
        // Looked at again under the lock: another process may have made the home meanwhile.
        if !is_home && !has_key(path, key)? {
            home.make(key)?;
        }
        if !home.database().exists() && home.path.join(FIRST_DATABASE).exists() {
            fs::rename(home.path.join(FIRST_DATABASE), home.database()).map_err(io_error)?;
            sync_folder(path)?;
        }
        home.finish_salvage()?;
        Ok(home)
    }

    /// Whether there is a home at `path`, or what is left of one.
    pub(super) fn exists(path: &Path) -> bool {
        path.join(HOME_FILE).exists() || path.join(DATABASE).exists()
    }

    /// Notes that everything in the folder is to go.
    pub(super) fn mark_erasing(path: &Path) -> Result<()> {
        File::create(path.join(ERASING)).and_then(|marker| marker.sync_all()).map_err(io_error)?;
        sync_folder(path)
    }

    /// Whether an erasing has begun and not ended.
    pub(super) fn is_erasing(path: &Path) -> bool {
        path.join(ERASING).exists()
    }

    /// Deletes all that the folder holds, the marker last; only the lock stays, which says nothing.
    pub(super) fn erase(path: &Path) -> Result<()> {
        for entry in fs::read_dir(path).map_err(io_error)? {
            let entry = entry.map_err(io_error)?;
            if [LOCK, ERASING].iter().any(|stays| entry.file_name() == *stays) {
                continue;
            }
            let is_folder = entry.file_type().map_err(io_error)?.is_dir();
            let gone = if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            gone.map_err(io_error)?;
        }
        sync_folder(path)?;
        folder::remove(&path.join(ERASING))?;
        sync_folder(path)
    }

    fn make(&self, key: &Key) -> Result<()> {
        for left in [FIRST_DATABASE, "store.db.first-journal"] {
            folder::remove(&self.path.join(left))?;
        }
        for folder in [self.files(), self.media()] {
            fs::create_dir_all(folder).map_err(io_error)?;
        }
        connection::create(&self.path.join(FIRST_DATABASE), key)?;
        sync_folder(&self.path)?;
        let mut file = PendingFile::create(&self.path)?;
        writeln!(file, "{}", json!({ "format": FORMAT, "key_id": key.id() })).map_err(io_error)?;
        file.keep(HOME_FILE)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub(super) fn files(&self) -> PathBuf {
        self.path.join(FILES)
    }

    pub(super) fn media(&self) -> PathBuf {
        self.path.join(MEDIA)
    }

    /// Where damaged databases are put aside.
    pub(super) fn quarantines(&self) -> PathBuf {
        self.path.join(QUARANTINE)
    }

    /// Whether a damaged database was put aside; it may name files that the one in use does not.
    pub(super) fn has_quarantine(&self) -> bool {
        self.quarantines().exists()
    }

    /// Whether the database was not closed and its log is gone all the same: what the log held is lost.
    ///
    /// A log that was cut short cannot be told from one that was never finished.
    pub(super) fn has_lost_log(&self) -> bool {
        self.path.join(MARKER).exists() && !self.path.join("store.db-wal").exists()
    }

    /// Notes that something of the database could not be read, or that all of it can.
    pub(super) fn mark_suspect(&self, is_suspect: bool) {
        let path = self.path.join(SUSPECT);
        // A note that cannot be made is made the next time.
        let _ = if is_suspect { File::create(path).map(drop) } else { fs::remove_file(path) };
    }

    /// Whether the database must be looked through.
    pub(super) fn is_suspect(&self) -> bool {
        self.path.join(SUSPECT).exists()
    }

    /// Makes the reserve, if it is not there and there is room for as much again.
    pub(super) fn keep_reserve(&self) {
        let path = self.path.join(RESERVE);
        if fs::metadata(&path).is_ok_and(|file| file.len() == RESERVE_SIZE) {
            return;
        }
        let make = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            io::copy(&mut io::repeat(0).take(2 * RESERVE_SIZE), &mut file)?;
            file.set_len(RESERVE_SIZE)
        };
        if make().is_err() {
            self.give_up_reserve();
        }
    }

    /// Gives the reserve back to the disk.
    pub(super) fn give_up_reserve(&self) {
        let _ = fs::remove_file(self.path.join(RESERVE));
    }

    /// Notes that the database is open. The log must be there already, and be on the disk before the note is: else a power
    /// cut in between would look like a lost log.
    pub(super) fn mark_open(&self) -> Result<()> {
        sync_folder(&self.path)?;
        File::create(self.path.join(MARKER)).map_err(io_error)?;
        sync_folder(&self.path)
    }

    /// Notes that the database holds everything by itself. The log must be empty, and still be there: it goes afterwards.
    pub(super) fn mark_closed(&self) -> Result<()> {
        folder::remove(&self.path.join(MARKER))?;
        sync_folder(&self.path)
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
    folder::make_folders(path)?;
    // A making that was cut off may have left the folder and not its entry on the disk.
    folder::sync_entry(path)?;
    for entry in fs::read_dir(path).map_err(io_error)? {
        let name = entry.map_err(io_error)?.file_name();
        // What a making that was cut off has left.
        let ours = name.to_str().is_some_and(|name| {
            [LOCK, FILES, MEDIA].contains(&name) || name.starts_with(FIRST_DATABASE) || name.ends_with(folder::PENDING)
        });
        if !ours {
            return Err(Error::new(ErrorKind::Io, "the folder holds other files and no store"));
        }
    }
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(io_error)?;
    Ok(())
}

/// The exclusive lock of a home; the system lets go of it when the process ends, however it ends. A home that is there may
/// lie where nothing can be written: its lock is then taken on the file that is there, or there is none to take.
fn lock(path: &Path, is_home: bool) -> Result<Option<File>> {
    let file = match File::options().write(true).create(true).truncate(false).open(path) {
        Err(error) if is_home && cannot_write(&error) => match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io_error)?,
        },
        opened => opened.map_err(io_error)?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::StoreInUse.into()),
        // Where the system has no file locks, an app's private folder has one process anyway.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(Some(file)),
        Err(TryLockError::Error(error)) => Err(io_error(error)),
    }
}

/// Whether the place is what forbids writing: read-only, not ours, or full.
fn cannot_write(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | StorageFull | QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
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
        let made = tempfile::tempdir().unwrap();
        connection::create(&made.path().join(DATABASE), &key).unwrap();
        let database = fs::read(made.path().join(DATABASE)).unwrap();
        let home_file = json!({ "format": FORMAT, "key_id": key.id() }).to_string().into_bytes();
        let pending = format!("{}.new", "0f".repeat(16));
        let (half, whole) = ((FIRST_DATABASE, &database[..5000]), (FIRST_DATABASE, &database[..]));
        for left in [
            &[][..],
            &[(LOCK, &b""[..])],
            &[(LOCK, b""), (FIRST_DATABASE, b"")],
            &[(LOCK, b""), half, ("store.db.first-journal", b"half")],
            &[(LOCK, b""), whole],
            &[(LOCK, b""), whole, (&pending, b"{")],
            &[(LOCK, b""), whole, (HOME_FILE, &home_file)],
        ] {
            let folder = tempfile::tempdir().unwrap();
            for (name, bytes) in left {
                fs::write(folder.path().join(name), bytes).unwrap();
            }
            for _ in 0..2 {
                let store = Store::open(folder.path(), &key).unwrap();
                assert_eq!(store.projects().unwrap(), []);
                assert_eq!(*store.opening(), crate::store::OpeningReport::default());
            }
            let mut names: Vec<_> =
                fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, [FILES, HOME_FILE, LOCK, MEDIA, RESERVE, DATABASE]);
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
    fn the_reserve_is_given_up_on_a_full_disk_and_made_again() {
        let mut home = TestHome::new();
        let draft = home.any_draft();
        let size = |home: &TestHome| fs::metadata(home.path().join(RESERVE)).map(|file| file.len()).ok();
        assert_eq!(size(&home), Some(RESERVE_SIZE));
        home.limit_pages(Some(1)).unwrap();
        let large = answer(1, "/data/a", &"words ".repeat(2000));
        assert_eq!(home.append_edit(draft, &large).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(size(&home), None);
        home.reopen();
        assert_eq!(size(&home), Some(RESERVE_SIZE));
        home.append_edit(draft, &large).unwrap();
    }
}
