//! The schema, as a list of steps: step *n* brings a database of `user_version` *n* to *n* + 1.
//!
//! A step that has been released is never edited; columns are never reused for something else.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Error, ErrorKind, Result};

const STEPS: &[&str] =
    &[include_str!("0001_init.sql"), include_str!("0002_facts.sql"), include_str!("0003_titles.sql")];

/// The version that this program reads and writes.
pub(super) const NEWEST: usize = STEPS.len();

/// The version of a database; one that a newer program has written is refused. Reads only.
///
/// # Errors
/// `StorageTooNew`; `StorageDamaged` if the header cannot be read.
pub(super) fn check_version(connection: &Connection) -> Result<usize> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(version) if version <= NEWEST => Ok(version),
        _ => Err(Error::new(ErrorKind::StorageTooNew, format!("schema {version}"))),
    }
}

/// Takes every step that is still missing up to version `target`, all in one transaction. Foreign keys must be off, because
/// a table that is made anew is dropped first; the caller switches them on afterwards. That every reference still holds is
/// checked here. A step that fails leaves the database as it was.
///
/// # Errors
/// `StorageTooNew`, `StorageFull`, `StorageDamaged`.
pub(super) fn migrate(connection: &mut Connection, target: usize) -> Result<()> {
    let version = check_version(connection)?;
    let pending = STEPS.get(version..target).unwrap_or_default();
    if pending.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in pending {
        transaction.execute_batch(step)?;
    }
    if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
        return Err(Error::new(ErrorKind::StorageDamaged, "a row refers to one that is not there"));
    }
    transaction.pragma_update(None, "user_version", target as i64)?;
    Ok(transaction.commit()?)
}
