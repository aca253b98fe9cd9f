//! The newest draft or record of a form, from which `last-saved` answers are taken.

use rusqlite::{Connection, OptionalExtension, params};

use super::{ProjectId, Store};
use crate::Result;

impl Store {
    /// What was last saved of a form, as XML; it outlives form versions and the records themselves.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn last_saved(&self, project: ProjectId, form_id: &str) -> Result<Option<Vec<u8>>> {
        self.read(|connection| {
            let query = "SELECT xml FROM last_saved WHERE project = ? AND form_id = ?";
            Ok(connection.query_row(query, params![project, form_id], |row| row.get(0)).optional()?)
        })
    }

    /// Keeps what was last saved of a form.
    ///
    /// # Errors
    /// `NotFound` if there is no such project; `StorageFull`, `StoragePaused`.
    pub fn set_last_saved(&self, project: ProjectId, form_id: &str, xml: &[u8], at: i64) -> Result<()> {
        self.read(|connection| put(connection, project, form_id, xml, at))
    }
}

pub(super) fn put(connection: &Connection, project: ProjectId, form_id: &str, xml: &[u8], at: i64) -> Result<()> {
    connection.execute(
        "INSERT INTO last_saved (project, form_id, xml, saved_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (project, form_id) DO UPDATE SET xml = excluded.xml, saved_at = excluded.saved_at",
        params![project, form_id, xml, at],
    )?;
    Ok(())
}
