//! How a home is opened and closed, and what is said about it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::home::Home;
use super::salvage::{self, Salvage};
use super::{Key, Store, checkpoint, connection, copy, maintenance};
use crate::{Error, ErrorKind, Result};

/// What a person should hear about an opening. All is well when it is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpeningReport {
    /// The program was stopped, and the log of its last changes has gone since: the newest answers may be missing.
    pub log_lost: bool,
    /// Nothing can be written here: what is there can be read, exported and sent, and no answer can be given.
    pub is_read_only: bool,
    /// The database was damaged, and this became of it.
    pub salvage: Option<Salvage>,
}

impl Store {
    /// Opens the home at `path` with `key`, or makes one (mode 0700) if there is none or the folder is empty. Sending that
    /// was cut off is ready again. A home that is there is never made anew, and no file goes that the database has not
    /// called dead.
    ///
    /// The key is checked before the database is touched. Whether a key must already exist is asked with
    /// [`exists`](Self::exists): never make a new key for a home that is there.
    ///
    /// # Errors
    /// - `WrongKey`: the home has another key; nothing was touched
    /// - `KeyMissing`: there is a database, but nothing says which key it has; nothing was created
    /// - `StoreInUse`: another process, or another `Store` of this one, has it open
    /// - `StorageTooNew`: a newer program wrote it; nothing was touched
    /// - `StorageDamaged`: the key is right and the database cannot be read or is not there; nothing was moved or deleted
    /// - `StorageFull`: also if an update finds no room for the copy it keeps; nothing was touched
    /// - `Io`
    pub fn open(path: &Path, key: &Key) -> Result<Self> {
        let home = Home::open(path, key)?;
        if !connection::is_there(&home.database()) {
            return Err(Error::new(ErrorKind::StorageDamaged, "the database is not there"));
        }
        let log_lost = home.has_lost_log();
        let connection = connection::connect(&home.database(), key)?;
        if home.is_suspect() {
            // Something could not be read the last time.
            if !maintenance::is_sound(&connection) {
                return Err(ErrorKind::StorageDamaged.into());
            }
            home.mark_suspect(false);
        }
        let report = OpeningReport { log_lost, is_read_only: connection.is_readonly("main")?, salvage: None };
        let store = Self { connection: Mutex::new(Some(connection)), key: key.clone(), report, home };
        match store.release(None) {
            Err(error) if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Io) => return Err(error),
            _ => {}
        }
        store.settle_in()?;
        Ok(store)
    }

    /// As [`open`](Self::open), but a database that is damaged is put aside (`quarantine/`) and what can be read of it goes into
    /// a new one; the [report](Self::opening) says what became of it. `now` is the moment.
    ///
    /// # Errors
    /// As at [`open`](Self::open); `StorageDamaged` only if there is no database, or no telling what the home is.
    pub fn open_or_salvage(path: &Path, key: &Key, now: i64) -> Result<Self> {
        match Self::open(path, key) {
            Err(error) if error.kind() == ErrorKind::StorageDamaged => {}
            opened => return opened,
        }
        let home = Home::open(path, key)?;
        let salvage = salvage::salvage(&home, key, now)?;
        home.mark_suspect(false);
        drop(home);
        let mut store = Self::open(path, key)?;
        store.report.salvage = Some(salvage);
        Ok(store)
    }

    /// Puts a database that has shown itself damaged aside while the home is open, as [`open_or_salvage`](Self::open_or_salvage)
    /// does. What is open of it (a draft, say) goes on with what was salvaged.
    ///
    /// # Errors
    /// `StoragePaused`; `StorageFull`, `Io`: then the damaged database is open as before.
    pub fn salvage(&self, now: i64) -> Result<Salvage> {
        let mut guard = self.connection();
        drop(guard.take().ok_or(ErrorKind::StoragePaused)?);
        let salvaged = salvage::salvage(&self.home, &self.key, now);
        *guard = Some(connection::connect(&self.home.database(), &self.key)?);
        drop(guard);
        let salvaged = salvaged?;
        self.home.mark_suspect(false);
        self.settle_in()?;
        Ok(salvaged)
    }

    /// Whether `path` holds a home, so that its key must exist: a shell without the key answers `KeyMissing`.
    #[must_use]
    pub fn exists(path: &Path) -> bool {
        Home::exists(path)
    }

    /// Notes that everything of a home is to go, before its key does.
    ///
    /// # Errors
    /// `Io`.
    pub fn mark_erasing(path: &Path) -> Result<()> {
        Home::mark_erasing(path)
    }

    /// Whether the erasing of a home has begun and not ended.
    #[must_use]
    pub fn is_erasing(path: &Path) -> bool {
        Home::is_erasing(path)
    }

    /// Deletes all files of a home whose erasing has begun; where that was cut off, what is left.
    ///
    /// # Errors
    /// `Io`: then some are left, and so is the note.
    pub fn erase(path: &Path) -> Result<()> {
        Home::erase(path)
    }

    /// What was found when this home was opened.
    #[must_use]
    pub fn opening(&self) -> &OpeningReport {
        &self.report
    }

    /// Closes the database, so that no file of it is open (an app going to the background must let go). Until
    /// [`resume`](Self::resume) every call gives `StoragePaused`. The home stays locked. Pausing twice is once.
    ///
    /// # Errors
    /// None today: what could not be moved out of the log stays there, and the next opening finds it.
    pub fn pause(&self) -> Result<()> {
        self.close();
        Ok(())
    }

    /// Opens the database again after [`pause`](Self::pause); if it is open, nothing happens. What is marked as being sent may
    /// still be on the road: who knows that it is not [releases](Self::release) it.
    ///
    /// # Errors
    /// As at [`open`](Self::open).
    pub fn resume(&self) -> Result<()> {
        let mut guard = self.connection();
        if guard.is_none() {
            *guard = Some(connection::connect(&self.home.database(), &self.key)?);
            drop(guard);
            self.settle_in()?;
        }
        Ok(())
    }

    /// What follows an opening. Nothing of it is needed to read, so a place that cannot be written stops none of it.
    fn settle_in(&self) -> Result<()> {
        let is_read_only = self.read(|connection| Ok(connection.is_readonly("main")?))?;
        if is_read_only {
            return Ok(());
        }
        let _ = self.home.mark_open();
        self.home.keep_reserve();
        self.clean_up();
        Ok(())
    }

    /// Closes the database. When it could be settled, it needs no log from here on.
    fn close(&self) {
        let connection = self.connection().take();
        if let Some(connection) = connection {
            let _ = self.settle(&connection);
        }
    }

    fn settle(&self, connection: &Connection) -> Result<()> {
        checkpoint(connection)?;
        self.home.mark_closed()?;
        Ok(connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map(drop)?)
    }

    /// Takes what was deleted out of every file but the database, where it is overwritten already (`secure_delete`): the log
    /// is emptied and the copy of the last update goes.
    pub(super) fn erase_traces(&self) -> Result<()> {
        self.read(checkpoint)?;
        copy::remove(&self.home.database())
    }

    /// The folder of this home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// The folder of sealed attachments.
    pub(super) fn files(&self) -> PathBuf {
        self.home.files()
    }

    /// The folder of the forms' pictures, sound and video.
    pub(super) fn media(&self) -> PathBuf {
        self.home.media()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{TestHome, answer, copy_folder};
    use std::fs;

    /// The home as a kill leaves it: a copy made while it is open.
    fn killed(home: &TestHome) -> tempfile::TempDir {
        copy_folder(&home.path())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// `mv store.db away`, one start, `mv` back: every picture is still there.
    #[test]
    fn a_database_that_was_away_for_one_start_finds_every_picture_again() {
        for lost in [None, Some(&b""[..])] {
            let mut home = TestHome::new();
            let draft = home.any_draft();
            let id = home.attach(draft, "a.jpg", &mut &b"photo"[..]).unwrap().id;
            home.shut();
            let database = home.path().join("store.db");
            let before = fs::read(&database).unwrap();
            fs::remove_file(&database).unwrap();
            if let Some(bytes) = lost {
                fs::write(&database, bytes).unwrap();
            }
            let away = home.all_files();
            let refused = Store::open(&home.path(), &home.key).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::StorageDamaged);
            assert_eq!(home.all_files(), away, "nothing was made, moved or deleted");
            fs::write(&database, before).unwrap();
            home.reopen();
            assert_eq!(home.read_attachment(id, 0, 10).unwrap(), b"photo");
        }
    }

    /// What a log held is gone with it; a database that was all in its log is not filled with an empty one.
    #[test]
    fn a_database_without_its_schema_is_damage_and_not_made_anew() {
        let home = TestHome::new();
        let key = Key::from_bytes([7; 32]);
        let folder = tempfile::tempdir().unwrap();
        fs::copy(home.path().join("home.json"), folder.path().join("home.json")).unwrap();
        let empty = connection::create_at(&folder.path().join("store.db"), &key, 0).unwrap();
        empty.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        drop(empty);
        let before = fs::read(folder.path().join("store.db")).unwrap();
        assert_eq!(before.len(), 4096);
        assert_eq!(Store::open(folder.path(), &key).unwrap_err().kind(), ErrorKind::StorageDamaged);
        assert_eq!(fs::read(folder.path().join("store.db")).unwrap(), before);
    }

    #[test]
    fn a_log_that_went_while_the_program_was_stopped_is_said_once() {
        let home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
        let after = killed(&home);
        let open = || Store::open(after.path(), &home.key).map(|store| store.opening().log_lost);
        fs::remove_file(after.path().join("store.db-wal")).unwrap();
        assert!(open().unwrap());
        assert!(!open().unwrap(), "it was closed since");
    }

    #[test]
    fn no_kill_and_no_clean_close_looks_like_a_lost_log() {
        let home = TestHome::new();
        let draft = home.any_draft();
        assert!(names(&home.path()).contains(&"open".to_owned()));
        for seq in 1..=3 {
            home.append_edit(draft, &answer(seq, "/a", "x")).unwrap();
            let after = killed(&home);
            for _ in 0..2 {
                let store = Store::open(after.path(), &home.key).unwrap();
                assert_eq!((store.opening().log_lost, store.edits(draft).unwrap().len() as u64), (false, seq));
            }
            assert!(!names(after.path()).contains(&"open".to_owned()), "it was closed");
            home.pause().unwrap();
            assert!(!names(&home.path()).contains(&"open".to_owned()));
            assert!(!Store::open(killed(&home).path(), &home.key).unwrap().opening().log_lost);
            home.resume().unwrap();
        }
    }

    /// Every moment between the last commit and the end: the marker goes while the log, empty, is still there.
    #[test]
    fn closing_can_be_cut_off_anywhere() {
        let home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/a", "x")).unwrap();
        home.read(checkpoint).unwrap();
        let emptied = killed(&home);
        home.home.mark_closed().unwrap();
        let unmarked = killed(&home);
        for after in [emptied, unmarked] {
            let store = Store::open(after.path(), &home.key).unwrap();
            assert_eq!((store.opening().log_lost, store.edits(draft).unwrap().len()), (false, 1));
        }
    }
}
