//! A look into a home behind the store's back: what its database still tells of a project that was removed, and whether
//! every sealed file is accounted for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use veldwerk::store::Key;
use veldwerk_sqlite as _; // links SQLite

/// Looks into a home that nobody has open. `secrets` must be nowhere in it.
pub(crate) fn look<'s>(home: &Path, key: &Key, secrets: impl Iterator<Item = &'s str>) -> Vec<String> {
    let mut found = Vec::new();
    let connection = open(&home.join("store.db"), key);
    check_files(home, &connection, false, &mut found);
    let secrets: Vec<&str> = secrets.collect();
    if !secrets.is_empty() {
        check_rows(&connection, &secrets, &mut found);
        drop(connection);
        check_bytes(home, key, &secrets, &mut found);
    }
    found
}

/// Looks whether a home in which strays were cleaned away holds the files of its rows and no other.
pub(crate) fn look_for_strays(home: &Path, key: &Key) -> Vec<String> {
    let mut found = Vec::new();
    check_files(home, &open(&home.join("store.db"), key), true, &mut found);
    found
}

fn open(path: &Path, key: &Key) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA cipher = 'sqlcipher'; PRAGMA legacy = 4").unwrap();
    connection.execute_batch(&format!("PRAGMA key = \"x'{}'\"", *key.to_hex())).unwrap();
    connection
}

fn check_files(home: &Path, connection: &Connection, is_cleaned: bool, found: &mut Vec<String>) {
    let there = fs::read_dir(home.join("files")).into_iter().flatten();
    let there: BTreeSet<String> =
        there.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let mut names = connection.prepare("SELECT file FROM attachment").unwrap();
    let rows = names.query_map([], |row| row.get(0)).unwrap();
    let rows: BTreeSet<String> = rows.map(Result::unwrap).collect();
    let missing = rows.difference(&there).count();
    if missing > 0 {
        found.push(format!("{missing} attachments without their sealed file"));
    }
    let unknown = there.difference(&rows).count();
    if is_cleaned && unknown > 0 {
        found.push(format!("{unknown} sealed files that no row names, a month later"));
    }
}

/// Every column of every table.
fn check_rows(connection: &Connection, secrets: &[&str], found: &mut Vec<String>) {
    let mut columns = connection
        .prepare(
            "SELECT m.name, p.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS p WHERE m.type = 'table'",
        )
        .unwrap();
    let columns: Vec<(String, String)> =
        columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (table, column) in columns {
        for secret in secrets {
            let sql = format!(
                "SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS BLOB), CAST(?1 AS BLOB)) > 0"
            );
            let n: i64 = connection.query_row(&sql, [secret], |row| row.get(0)).unwrap();
            if n > 0 {
                found.push(format!("a removed project's token stands in {table}.{column}"));
            }
        }
    }
}

/// The pages themselves, free ones too: of a copy, from which the encryption is taken.
fn check_bytes(home: &Path, key: &Key, secrets: &[&str], found: &mut Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    for end in ["", "-wal"] {
        let from = home.join(format!("store.db{end}"));
        if from.exists() {
            fs::copy(from, folder.path().join(format!("copy.db{end}"))).unwrap();
        }
    }
    let connection = open(&copy, key);
    connection.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA rekey = ''").unwrap();
    drop(connection);
    let bytes = fs::read(&copy).unwrap();
    if !bytes.starts_with(b"SQLite format 3") {
        found.push("the harness could not take the encryption from a copy".to_owned());
    }
    for secret in secrets {
        if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
            found.push("a removed project's token can be recovered from the pages of the database".to_owned());
        }
    }
}
