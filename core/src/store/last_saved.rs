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

#[cfg(test)]
mod tests {
    use crate::store::fixture::TestHome;

    #[test]
    fn one_of_each_project_and_form() {
        let mut home = TestHome::new();
        let (one, two) = (home.any_project(), home.any_project());
        assert_eq!(home.last_saved(one, "visit").unwrap(), None);
        for (project, form_id, xml) in [(one, "visit", "<a/>"), (one, "other", "<b/>"), (two, "visit", "<c/>")] {
            home.set_last_saved(project, form_id, xml.as_bytes(), 1).unwrap();
        }
        home.set_last_saved(one, "visit", b"<d/>", 2).unwrap();
        home.reopen();
        for (project, form_id, xml) in [(one, "visit", "<d/>"), (one, "other", "<b/>"), (two, "visit", "<c/>")] {
            assert_eq!(home.last_saved(project, form_id).unwrap().unwrap(), xml.as_bytes());
        }
    }
}
