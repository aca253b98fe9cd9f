//! Where damaged databases lie, and how a new one takes the place of the old.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;

use super::Store;
use super::folder::{self, io_error, sync_folder};
use super::home::Home;
use crate::{Error, ErrorKind, Result};

/// A database being salvaged; it may be thrown away.
const UNFINISHED: &str = "salvaging.db";
/// One that is whole and waits to take its place.
const FINISHED: &str = "salvaged.db";
/// A copy of a damaged database, of which more can be read than of itself.
pub(super) const MENDING: &str = "mending.db";
/// Another, of which single pages are read.
pub(super) const LEAVES: &str = "leaves.db";
/// What a salvage no longer needs when it is done, or was cut off.
const LEFTOVERS: [&str; 10] = [
    UNFINISHED,
    "salvaging.db-journal",
    MENDING,
    "mending.db-wal",
    "mending.db-journal",
    "mending.db-shm",
    LEAVES,
    "leaves.db-wal",
    "leaves.db-journal",
    "leaves.db-shm",
];
/// What belongs to a database, the database last: while it has its place, the others are looked for again.
const DATABASE_FILES: [&str; 4] = ["store.db-wal", "store.db-journal", "store.db-shm", "store.db"];

/// A folder of `quarantine/`.
pub(super) struct Quarantine {
    pub(super) name: String,
    path: PathBuf,
}

/// A damaged database that was put aside, with its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineSummary {
    /// Its name: when it was put aside, in UTC.
    pub name: String,
    /// What it takes on the disk, in bytes.
    pub size: u64,
}

impl Home {
    /// Makes the folder for a database that is about to be put aside.
    ///
    /// # Errors
    /// `StorageFull`, `Io`.
    pub(super) fn begin_quarantine(&self, now: i64) -> Result<Quarantine> {
        let moment = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let moment = moment.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        fs::create_dir_all(self.quarantines()).map_err(io_error)?;
        // Two in a second have numbers.
        for number in 1.. {
            let name = if number == 1 { moment.clone() } else { format!("{moment}-{number}") };
            let path = self.quarantines().join(&name);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => {
                    made.map_err(io_error)?;
                    sync_folder(&self.quarantines())?;
                    sync_folder(self.path())?;
                    return Ok(Quarantine { name, path });
                }
            }
        }
        Err(ErrorKind::Internal.into())
    }

    /// Puts every salvaged database that is whole in the place of the damaged one. A kill in between is met here again.
    ///
    /// # Errors
    /// `Io`.
    pub(super) fn finish_salvage(&self) -> Result<()> {
        for Quarantine { path, .. } in self.quarantine_folders() {
            if !path.join(FINISHED).exists() {
                continue;
            }
            for file in DATABASE_FILES {
                match fs::rename(self.path().join(file), path.join(file)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io_error(error)),
                    _ => {}
                }
            }
            sync_folder(&path)?;
            self.mark_closed()?;
            fs::rename(path.join(FINISHED), self.database()).map_err(io_error)?;
            sync_folder(self.path())?;
            sync_folder(&path)?;
        }
        Ok(())
    }

    /// Removes what salvages that were cut off have left.
    pub(super) fn clean_quarantines(&self) {
        for folder in self.quarantine_folders() {
            if folder.is_unfinished() {
                folder.abandon();
            } else {
                folder.remove_leftovers();
            }
        }
    }

    /// Every quarantine, the oldest first.
    fn quarantine_folders(&self) -> Vec<Quarantine> {
        let Ok(entries) = fs::read_dir(self.quarantines()) else { return Vec::new() };
        let folders = entries.flatten().filter(|entry| entry.path().is_dir());
        let named = folders.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
        let mut folders: Vec<_> = named.map(|(name, path)| Quarantine { name, path }).collect();
        folders.sort_by(|one, other| one.name.cmp(&other.name));
        folders
    }
}

impl Quarantine {
    /// Where the new database is written.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.path.join(UNFINISHED)
    }

    /// The new database is whole: from here on it takes the place of the damaged one, whatever happens.
    pub(super) fn keep(&self, home: &Home) -> Result<()> {
        sync_folder(&self.path)?;
        fs::rename(self.unfinished(), self.path.join(FINISHED)).map_err(io_error)?;
        self.remove_leftovers();
        sync_folder(&self.path)?;
        home.finish_salvage()
    }

    /// Nothing was put aside: the folder goes. Once the new database is whole, it stays.
    pub(super) fn abandon(&self) {
        if !self.path.join(FINISHED).exists() {
            self.remove();
        }
    }

    /// Removes the folder, and the one around it with the last. What others have put there stays, and they with it.
    fn remove(&self) {
        self.remove_leftovers();
        let _ = fs::remove_dir(&self.path);
        let _ = self.path.parent().map(fs::remove_dir);
    }

    fn remove_leftovers(&self) {
        for file in LEFTOVERS {
            let _ = fs::remove_file(self.path.join(file));
        }
    }

    /// What a salvage that was cut off has left holds nothing yet.
    fn is_unfinished(&self) -> bool {
        !DATABASE_FILES.iter().chain([&FINISHED]).any(|file| self.path.join(file).exists())
    }

    fn size(&self) -> u64 {
        let files = fs::read_dir(&self.path).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }
}

impl Store {
    /// The damaged databases that were put aside, the oldest first.
    #[must_use]
    pub fn quarantines(&self) -> Vec<QuarantineSummary> {
        let folders = self.home.quarantine_folders().into_iter();
        folders.map(|folder| QuarantineSummary { size: folder.size(), name: folder.name }).collect()
    }

    /// Deletes a damaged database for good, with every answer in it that could not be salvaged.
    ///
    /// # Errors
    /// `NotFound`, `Io`.
    pub fn delete_quarantine(&self, name: &str) -> Result<()> {
        let found = self.home.quarantine_folders().into_iter().find(|folder| folder.name == name);
        let found = found.ok_or_else(|| Error::new(ErrorKind::NotFound, "quarantine"))?;
        // The database first: a folder without it holds nothing.
        for file in DATABASE_FILES.iter().rev() {
            folder::remove(&found.path.join(file))?;
        }
        found.remove();
        sync_folder(self.home.path())
    }
}
