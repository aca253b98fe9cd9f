//! Ways to read a damaged database: what its proofs hold for, and what they do not.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, Error as SqliteError};

use super::table::{Table, tables};
use crate::store::folder::io_error;
use crate::store::{Key, connection, migrations};
use crate::{Error, ErrorKind, Result};

/// A way to read the damaged database.
pub(super) struct Source {
    pub(super) database: Connection,
    /// A page whose proof fails is refused; else it is taken as it is.
    pub(super) is_proved: bool,
}

/// Where rows are read from, in order: what is proved, and then, of what that leaves out, what is not. `None`: no table can be
/// read.
pub(super) fn sources(path: &Path, mended: &Path, key: &Key, n_tables: usize) -> Result<Option<Vec<Source>>> {
    let open = |path: &Path, is_proved| {
        let database = connection::open_damaged(path, key, is_proved).ok()?;
        let names = tables(&database).ok()?;
        let is_readable = |table: &&Table| {
            let look = database.query_row(&format!("SELECT 1 FROM {} LIMIT 1", table.name), [], |_| Ok(()));
            matches!(look, Ok(()) | Err(SqliteError::QueryReturnedNoRows))
        };
        let n_readable = names.iter().filter(is_readable).count();
        Some((Source { database, is_proved }, names.len(), n_readable))
    };
    // Where the salt is damaged, every proof fails, and definitions that were mended are all there is.
    let is_usable =
        |(_, n_named, n_readable): &(Source, usize, usize)| *n_named >= n_tables && 2 * n_readable >= n_tables;
    let proved = [path, mended].into_iter().find_map(|path| open(path, true).filter(is_usable));
    let unproved = [mended, path].into_iter().find_map(|path| open(path, false).filter(|(_, n_named, _)| *n_named > 0));
    let sources: Vec<_> = [proved, unproved].into_iter().flatten().map(|(source, ..)| source).collect();
    Ok(Some(sources).filter(|sources| !sources.is_empty()))
}

/// The schema's version, if as much as that can be read. A database that is surely empty is left alone: what it held was in
/// a log that is away, and may come back.
pub(super) fn version(path: &Path, key: &Key) -> Result<Option<usize>> {
    for is_proved in [true, false] {
        let version =
            connection::open_damaged(path, key, is_proved).and_then(|source| migrations::check_version(&source));
        match version {
            Err(error) if error.kind() == ErrorKind::Io => return Err(error),
            Ok(0) if is_proved => return Err(Error::new(ErrorKind::StorageDamaged, "the database is empty")),
            Err(_) | Ok(0) => {}
            Ok(version) => return Ok(Some(version)),
        }
    }
    Ok(None)
}

/// Writes the definitions of `template` into a copy of the damaged database. They are known, wherever a page of them is
/// damaged; writing them also makes the proofs of these pages hold again, while those of all others still tell.
pub(super) fn mend_schema(path: &Path, copy: &Path, key: &Key, template: &Connection) -> Result<()> {
    for end in ["", "-wal"] {
        let of = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            name
        };
        if Path::new(&of(path)).exists() {
            fs::copy(of(path), of(copy)).map_err(io_error)?;
        }
    }
    let copy = connection::open_for_mending(copy, key)?;
    let mut definitions = template.prepare("SELECT sql, name FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let definitions: Vec<[String; 2]> =
        definitions.query_map([], |row| Ok([row.get(0)?, row.get(1)?]))?.collect::<Result<_, _>>()?;
    // Emptied first, and the version given anew: a page that is not changed keeps the proof that fails.
    copy.execute("UPDATE sqlite_schema SET sql = ''", [])?;
    for definition in definitions {
        copy.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", definition)?;
    }
    copy.execute("UPDATE sqlite_schema SET sql = NULL WHERE sql = ''", [])?;
    Ok(copy.pragma_update(None, "user_version", connection::schema(template)? as i64)?)
}
