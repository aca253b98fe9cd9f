//! The copy that is kept beside a database while a new schema proves itself.
//!
//! It is made before the first step of a migration and goes at the first opening after it: that a database of the new schema
//! opens again is the proof. It holds whatever the database held, so it also goes when a project is removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, backup::Backup};

use super::folder::{self, PENDING, io_error, sync_folder};
use super::{Key, connection, migrations};
use crate::{Error, ErrorKind, Result};

/// Pages copied at a time.
const STEP: i32 = 256;

/// Copies `database`, which lies at `path`, whole and encrypted with the same key.
///
/// # Errors
/// `StorageFull` with the bytes needed, `Io`, `StorageDamaged`; then there is no copy.
pub(super) fn keep(database: &Connection, path: &Path, key: &Key) -> Result<()> {
    let pending = beside(path, migrations::NEWEST, PENDING);
    discard(&pending);
    let copied = copy(database, &pending, key).and_then(|()| {
        fs::rename(&pending, beside(path, migrations::NEWEST, "")).map_err(io_error)?;
        path.parent().map_or(Ok(()), sync_folder)
    });
    copied.map_err(|error| {
        discard(&pending);
        told(database, error)
    })
}

/// A full disk with how much the copy needs.
fn told(database: &Connection, error: Error) -> Error {
    match (error.kind(), size(database)) {
        (ErrorKind::StorageFull, Ok(size)) => {
            Error::new(ErrorKind::StorageFull, format!("an update needs {size} bytes")).caused_by(error)
        }
        _ => error,
    }
}

/// Removes the copies of this update and of those before it, if there are any.
///
/// # Errors
/// `Io` if one is still there.
pub(super) fn remove(path: &Path) -> Result<()> {
    (0..=migrations::NEWEST).try_for_each(|version| {
        discard(&beside(path, version, PENDING));
        folder::remove(&beside(path, version, ""))
    })
}

fn copy(database: &Connection, target: &Path, key: &Key) -> Result<()> {
    let mut target = Connection::open(target)?;
    connection::unlock(&target, key)?;
    Ok(Backup::new(database, &mut target)?.run_to_completion(STEP, Duration::ZERO, None)?)
}

/// What a database takes on the disk, in bytes.
fn size(database: &Connection) -> Result<i64> {
    let query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    Ok(database.query_row(query, [], |row| row.get(0))?)
}

/// `store.db.before-3`: what the database was before schema 3.
fn beside(path: &Path, version: usize, end: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".before-{version}{end}"));
    path.with_file_name(name)
}

/// What a copying that was cut off may have left; if it stays, the next copying tries again.
fn discard(pending: &Path) {
    let mut journal = pending.as_os_str().to_owned();
    journal.push("-journal");
    for path in [pending, Path::new(&journal)] {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{copy_folder, frozen_home};
    use crate::store::{ProjectId, Store};
    use rusqlite::OptionalExtension;

    const COPY: &str = "store.db.before-3";

    fn count(store: &Store, from: &str) -> i64 {
        store.read(|db| Ok(db.query_row(&format!("SELECT count(*) FROM {from}"), [], |row| row.get(0))?)).unwrap()
    }

    #[test]
    fn a_home_of_schema_1_opens_with_everything_in_it_and_opens_again() {
        let (home, key) = frozen_home();
        for opening in 1..=2 {
            let store = Store::open(home.path(), &key).unwrap();
            assert_eq!(store.opening(), &crate::store::OpeningReport::default());
            for (from, n) in [
                ("project", 2),
                ("form", 4),
                ("form_file", 6),
                ("dataset", 2),
                ("draft", 8),
                ("submission", 6),
                ("submission WHERE state = 'sending'", 0),
                ("attachment", 6),
                ("attachment WHERE sent_at IS NOT NULL", 1),
                ("attempt", 1),
                // Cached lists hold tokens: they are read anew, and nothing of them stays.
                ("kv WHERE key LIKE 'document.%' OR value LIKE '%a-token-of-0001%'", 0),
                ("dead_file", 0),
                ("stray_file", 0),
            ] {
                assert_eq!(count(&store, from), n, "{from}, opening {opening}");
            }
            assert_eq!(store.clean_strays(1).unwrap(), (0, 0), "every file has its row");
            let ids = |table: &str| {
                let query = format!("SELECT seq FROM sqlite_sequence WHERE name = '{table}'");
                store.read(|db| Ok(db.query_row(&query, [], |row| row.get::<_, i64>(0)).optional()?)).unwrap()
            };
            assert!(ids("draft") >= Some(14) && ids("submission") == Some(6), "no id is given twice");
            // The copy goes when a database of the new schema was opened once more.
            assert_eq!(home.path().join(COPY).exists(), opening == 1);
        }
    }

    #[test]
    fn the_copy_is_the_home_as_it_was() {
        let (home, key) = frozen_home();
        let before = copy_folder(home.path());
        drop(Store::open(home.path(), &key).unwrap());
        assert!(home.path().join(COPY).exists());
        fs::rename(home.path().join(COPY), home.path().join("store.db")).unwrap();
        let read = |path: &Path| {
            let database = Connection::open(path.join("store.db")).unwrap();
            connection::unlock(&database, &key).unwrap();
            let edits =
                "SELECT group_concat(draft || ' ' || seq || op || node || coalesce(value, '-')) FROM draft_edit";
            let edits: String = database.query_row(edits, [], |row| row.get(0)).unwrap();
            let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
            (version, edits)
        };
        assert_eq!(read(home.path()).0, 1);
        assert_eq!(read(home.path()), read(before.path()));
        // And it is migrated once more.
        assert_eq!(count(&Store::open(home.path(), &key).unwrap(), "draft"), 8);
    }

    #[test]
    fn a_migration_that_was_cut_off_begins_again() {
        let (home, key) = frozen_home();
        for left in ["store.db.before-2", COPY, "store.db.before-3.new", "store.db.before-3.new-journal"] {
            fs::write(home.path().join(left), "cut off").unwrap();
        }
        assert_eq!(count(&Store::open(home.path(), &key).unwrap(), "draft"), 8);
        assert_eq!(count(&Store::open(home.path(), &key).unwrap(), "draft"), 8);
        let names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!names.iter().any(|name| name.to_string_lossy().contains("before")), "{names:?}");
    }

    /// A folder where the copy should go is what no disk of any test lets it overwrite.
    #[test]
    fn without_a_copy_nothing_is_migrated() {
        let (home, key) = frozen_home();
        let before = fs::read(home.path().join("store.db")).unwrap();
        fs::create_dir_all(home.path().join(COPY).join("in the way")).unwrap();
        assert_eq!(Store::open(home.path(), &key).unwrap_err().kind(), ErrorKind::Io);
        assert!(fs::read(home.path().join("store.db")).unwrap() == before);
        fs::remove_dir_all(home.path().join(COPY)).unwrap();
        assert_eq!(count(&Store::open(home.path(), &key).unwrap(), "draft"), 8);
    }

    #[test]
    fn no_room_for_the_copy_says_how_much_and_touches_nothing() {
        let (home, key) = frozen_home();
        let path = home.path().join("store.db");
        let before = fs::read(&path).unwrap();
        let database = Connection::open(&path).unwrap();
        connection::unlock(&database, &key).unwrap();
        let refused = told(&database, ErrorKind::StorageFull.into());
        assert_eq!((refused.kind(), refused.detail()), (ErrorKind::StorageFull, "an update needs 139264 bytes"));
        drop(database);
        assert!(fs::read(&path).unwrap() == before);
    }

    #[test]
    fn a_step_that_fails_leaves_the_database_as_it_was() {
        let (home, key) = frozen_home();
        let path = home.path().join("store.db");
        let mut database = Connection::open(&path).unwrap();
        connection::unlock(&database, &key).unwrap();
        let used: i64 = database.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        database.execute_batch(&format!("PRAGMA foreign_keys = OFF; PRAGMA max_page_count = {used}")).unwrap();
        let refused = migrations::migrate(&mut database, migrations::NEWEST).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        drop(database);
        assert_eq!(count(&Store::open(home.path(), &key).unwrap(), "draft"), 8);
    }

    #[test]
    fn removing_a_project_takes_the_copy_along() {
        let (home, key) = frozen_home();
        let store = Store::open(home.path(), &key).unwrap();
        assert!(home.path().join(COPY).exists());
        store.remove_project(ProjectId(1), true).unwrap();
        assert!(!home.path().join(COPY).exists());
    }
}
