//! How a database is opened, and what its errors mean.

use std::fs;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use zeroize::Zeroizing;

use super::{Key, copy, migrations};
use crate::{Error, ErrorKind, Result};

/// What every connection is set to, and what it must read back.
///
/// `locking_mode = EXCLUSIVE` because a home has one process and one connection: the index of the log then lies in memory and
/// needs no file. `synchronous = FULL` because an answer cannot be fetched again: when a commit returns, it is on the disk.
const PRAGMAS: &[(&str, &str, &str)] = &[
    ("locking_mode", "EXCLUSIVE", "exclusive"),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", "2"),
    ("foreign_keys", "ON", "1"),
    ("busy_timeout", "5000", "5000"),
    ("temp_store", "MEMORY", "2"),
    ("trusted_schema", "OFF", "0"),
    ("secure_delete", "ON", "1"),
    ("journal_size_limit", "4194304", "4194304"),
    ("cache_size", "-2000", "-2000"),
];

/// Makes a database with the newest schema at `path`, whole in the file itself: it needs no log to be read.
///
/// # Errors
/// `StorageFull`, `Io`.
pub(super) fn create(path: &Path, key: &Key) -> Result<()> {
    create_at(path, key, migrations::NEWEST).map(drop)
}

/// Makes a database with the schema of `version`; it has no log as long as this connection is the only one.
///
/// # Errors
/// `StorageFull`, `Io`.
pub(super) fn create_at(path: &Path, key: &Key, version: usize) -> Result<Connection> {
    let mut connection = Connection::open(path)?;
    unlock(&connection, key)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON")?;
    migrations::migrate(&mut connection, version)?;
    Ok(connection)
}

/// Opens the database at `path` with `key`, which must be known to be the right one, and brings it to the newest schema;
/// before that, a copy is kept beside it. Where nothing can be written, it is opened for reading.
///
/// # Errors
/// `StorageDamaged` also if it is empty, for an empty one is never filled; `StorageTooNew` (the file is as it was);
/// `StorageFull` with the bytes needed if there is no room for the copy (the file is as it was); `Io`.
pub(super) fn connect(path: &Path, key: &Key) -> Result<Connection> {
    connect_for_writing(path, key).or_else(|refused| match refused.kind() {
        ErrorKind::Io | ErrorKind::StorageFull => connect_for_reading(path, key).map_err(|_| refused),
        _ => Err(refused),
    })
}

fn connect_for_writing(path: &Path, key: &Key) -> Result<Connection> {
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    unlock(&connection, key)?;
    // Before anything is asked of the database: then the index of the log lies in memory from the first look on.
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    let version = schema(&connection)?;
    if connection.is_readonly("main")? {
        return Err(Error::new(ErrorKind::Io, "the database cannot be written"));
    }
    for (name, value, _) in PRAGMAS {
        connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    // Closing touches nothing unless it was prepared (`Store::pause`): a damaged database stays as it was found.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if version == migrations::NEWEST {
        // This opening is the proof that the last migration holds. A copy that cannot be removed now goes another time.
        let _ = copy::remove(path);
        return Ok(connection);
    }
    copy::keep(&connection, path, key)?;
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    migrations::migrate(&mut connection, migrations::NEWEST)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

/// Opens a database of the newest schema, and its log if there is one, without writing a byte anywhere.
///
/// The home's own lock keeps others out, so SQLite need take none; its locks and its index of the log would need files that
/// can be written. Without a log the database is all there is, and must be called immutable, or SQLite would make a log.
fn connect_for_reading(path: &Path, key: &Key) -> Result<Connection> {
    let connection = open_for_reading(path)?;
    unlock(&connection, key)?;
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    if schema(&connection)? != migrations::NEWEST {
        return Err(Error::new(ErrorKind::Io, "an update cannot be written"));
    }
    for (name, value, _) in PRAGMAS.iter().filter(|(name, ..)| *name != "journal_mode") {
        connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens a database that may be damaged, for reading only. Pages whose proof fails are refused (`is_proved`) or taken as they
/// are; a table whose definition cannot be read is left out, and stops no other.
pub(super) fn open_damaged(path: &Path, key: &Key, is_proved: bool) -> Result<Connection> {
    let connection = open_for_reading(path)?;
    if !is_proved {
        pass_over_proofs(&connection)?;
    }
    unlock(&connection, key)?;
    connection.execute_batch(TOLERANT)?;
    Ok(connection)
}

/// Opens the copy of a damaged database so that its definitions can be written.
pub(super) fn open_for_mending(path: &Path, key: &Key) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    pass_over_proofs(&connection)?;
    unlock(&connection, key)?;
    connection.execute_batch(TOLERANT)?;
    Ok(connection)
}

/// For a database whose definitions may be damaged: what can be read of them counts.
const TOLERANT: &str = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA writable_schema = ON; PRAGMA trusted_schema = OFF";

/// Takes pages as they are, whatever their proof says. It counts for the key that follows.
fn pass_over_proofs(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch("PRAGMA cipher = 'sqlcipher'; PRAGMA hmac_check = 0")?)
}

fn open_for_reading(path: &Path) -> Result<Connection> {
    const WITHOUT_LOCKS: &str = if cfg!(windows) { "multipleciphers-win32-none" } else { "multipleciphers-unix-none" };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Ok(if is_there(Path::new(&log)) {
        Connection::open_with_flags_and_vfs(path, OpenFlags::SQLITE_OPEN_READ_ONLY, WITHOUT_LOCKS)?
    } else {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(format!("{}?immutable=1", uri(path)), flags)?
    })
}

/// A path as SQLite reads it from an address: nothing in it means anything but itself.
fn uri(path: &Path) -> String {
    let mut uri = String::from(if cfg!(windows) { "file:/" } else { "file:" });
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b'.' | b'-' | b'_' | b':' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri
}

/// The schema's version; a database without one has lost everything.
pub(super) fn schema(connection: &Connection) -> Result<usize> {
    match migrations::check_version(connection)? {
        0 => Err(Error::new(ErrorKind::StorageDamaged, "the database is empty")),
        version => Ok(version),
    }
}

/// Whether there is a database at `path` that holds anything.
pub(super) fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

/// Gives the key in its raw form; SQLCipher 4 is the format whichever library reads it (at-rest.md).
pub(super) fn unlock(connection: &Connection, key: &Key) -> Result<()> {
    connection.execute_batch("PRAGMA cipher = 'sqlcipher'; PRAGMA legacy = 4")?;
    let statement = Zeroizing::new(format!("PRAGMA key = \"x'{}'\"", *key.to_hex()));
    // The cause is left out: it would carry the statement, and so the key.
    connection.execute_batch(&statement).map_err(|_| Error::new(ErrorKind::Internal, "the key was not accepted"))
}

impl From<rusqlite::Error> for Error {
    /// What SQLite's codes mean for a store that was opened under the right key id.
    fn from(error: rusqlite::Error) -> Self {
        let kind = match &error {
            rusqlite::Error::QueryReturnedNoRows => ErrorKind::NotFound,
            rusqlite::Error::SqliteFailure(failure, _) => match (failure.code, failure.extended_code) {
                (ErrorCode::DiskFull, _) => ErrorKind::StorageFull,
                (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => ErrorKind::StorageDamaged,
                (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => ErrorKind::StoreInUse,
                (ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly, _) => ErrorKind::Io,
                // A row was added under a draft, form, project or record that is not there.
                (_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => ErrorKind::NotFound,
                _ => ErrorKind::Internal,
            },
            _ => ErrorKind::Internal,
        };
        Self::new(kind, "").caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{TestHome, answer, copy_folder, frozen_home};
    use rusqlite::types::Value;

    #[test]
    fn every_pragma_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("store.db"), Key::from_bytes([7; 32]));
        create(&path, &key).unwrap();
        let connection = connect(&path, &key).unwrap();
        for (name, _, expected) in PRAGMAS {
            let value: Value = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap();
            let text = match value {
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => text,
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(text, *expected, "{name}");
        }
    }

    /// The newest answers are in the log only, as a kill leaves them; nothing beside the database may be needed or made.
    #[test]
    fn for_reading_no_byte_is_written_and_the_log_is_read() {
        let home = TestHome::new();
        let draft = home.any_draft();
        home.append_edit(draft, &answer(1, "/data/a", "in the log")).unwrap();
        let after = copy_folder(&home.path());
        let files = || -> Vec<_> {
            let mut files: Vec<_> = fs::read_dir(after.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            files.iter().map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
        };
        let before = files();
        let connection = connect_for_reading(&after.path().join("store.db"), &home.key).unwrap();
        let value = "SELECT value FROM draft_edit";
        assert_eq!(connection.query_row(value, [], |row| row.get::<_, String>(0)).unwrap(), "in the log");
        let refused = connection.execute("DELETE FROM draft_edit", []).map_err(Error::from).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Io);
        drop(connection);
        assert!(files() == before);

        // Closed properly, and in a folder whose name would say something in an address.
        let odd = after.path().join("a?b#c%20 ü&immutable=0");
        fs::create_dir(&odd).unwrap();
        drop(crate::store::Store::open(after.path(), &home.key).unwrap());
        fs::rename(after.path().join("store.db"), odd.join("store.db")).unwrap();
        let connection = connect_for_reading(&odd.join("store.db"), &home.key).unwrap();
        assert_eq!(connection.query_row(value, [], |row| row.get::<_, String>(0)).unwrap(), "in the log");
        let refused = connection.execute("DELETE FROM draft_edit", []).map_err(Error::from).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Io);
        assert_eq!(fs::read_dir(&odd).unwrap().count(), 1);

        let (old, key) = frozen_home();
        assert_eq!(connect_for_reading(&old.path().join("store.db"), &key).unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn an_error_does_not_carry_the_key() {
        let key = Key::from_bytes([0xab; 32]);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("store.db"), [1; 8192]).unwrap();
        let error = connect(&folder.path().join("store.db"), &key).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageDamaged);
        assert!(!format!("{error:?} {error}").contains("abab"));
    }

    #[test]
    fn a_file_of_sqlcipher_itself_is_read() {
        let mut key = [0; 32];
        (0..).zip(&mut key).for_each(|(n, byte)| *byte = n);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/testdata/sqlcipher4.db");
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        unlock(&connection, &Key::from_bytes(key)).unwrap();
        let mut query = connection.prepare("SELECT text FROM greeting ORDER BY language").unwrap();
        let texts: Vec<String> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(texts, ["صباح الخير", "goedemorgen", "ከመይ ሓዲርኩም"]);
    }
}
