//! How a database is opened, and what its errors mean.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, ffi};
use zeroize::Zeroizing;

use super::{Key, migrations};
use crate::{Error, ErrorKind, Result};

/// What every connection is set to, and what it must read back.
///
/// `synchronous = FULL` because an answer cannot be fetched again: when a commit returns, it is on the disk.
const PRAGMAS: &[(&str, &str, &str)] = &[
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

/// Opens the database at `path` with `key`, which must be known to be the right one, and brings it to the newest schema.
///
/// # Errors
/// `StorageDamaged`, `StorageTooNew` (the file is as it was), `StorageFull`, `Io`.
pub(super) fn connect(path: &Path, key: &Key) -> Result<Connection> {
    let mut connection = Connection::open(path)?;
    unlock(&connection, key)?;
    migrations::check_version(&connection)?;
    for (name, value, _) in PRAGMAS {
        connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    migrations::migrate(&mut connection)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(connection)
}

/// Gives the key in its raw form; SQLCipher 4 is the format whichever library reads it (at-rest.md).
fn unlock(connection: &Connection, key: &Key) -> Result<()> {
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
    use rusqlite::OpenFlags;
    use rusqlite::types::Value;

    #[test]
    fn every_pragma_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let connection = connect(&folder.path().join("store.db"), &Key::from_bytes([7; 32])).unwrap();
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

    #[test]
    fn an_error_does_not_carry_the_key() {
        let key = Key::from_bytes([0xab; 32]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("store.db"), [1; 8192]).unwrap();
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
