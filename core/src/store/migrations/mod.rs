//! The schema, as a list of steps: step *n* brings a database of `user_version` *n* to *n* + 1.
//!
//! A step that has been released is never edited; columns are never reused for something else.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Error, ErrorKind, Result};

const STEPS: &[&str] = &[include_str!("0001_init.sql"), include_str!("0002_facts.sql")];

/// Refuses a database that a newer program has written. Reads only.
///
/// # Errors
/// `StorageTooNew`; `StorageDamaged` if the header cannot be read.
pub(super) fn check_version(connection: &Connection) -> Result<usize> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(version) if version <= STEPS.len() => Ok(version),
        _ => Err(Error::new(ErrorKind::StorageTooNew, format!("schema {version}"))),
    }
}

/// Takes every step that is still missing, all in one transaction. Foreign keys must be off, because a table that is made
/// anew is dropped first; the caller switches them on afterwards. That every reference still holds is checked here.
///
/// # Errors
/// `StorageTooNew`, `StorageFull`, `StorageDamaged`.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let version = check_version(connection)?;
    let pending = STEPS.get(version..).unwrap_or_default();
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
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    Ok(transaction.commit()?)
}
