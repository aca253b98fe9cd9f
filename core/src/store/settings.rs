//! Small settings of the home, and what servers said about lists.

use rusqlite::{OptionalExtension, params};

use super::{ProjectId, Store};
use crate::Result;

impl Store {
    /// A small setting of the home.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn setting(&self, key: &str) -> Result<Option<String>> {
        self.read(|connection| {
            Ok(connection.query_row("SELECT value FROM kv WHERE key = ?", [key], |row| row.get(0)).optional()?)
        })
    }

    /// Keeps a small setting of the home.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`.
    pub fn set_setting(&self, key: &str, value: &str) -> Result<()> {
        self.read(|connection| {
            connection.execute(
                "INSERT INTO kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [key, value],
            )?;
            Ok(())
        })
    }

    /// The ETag that came with the form list or manifest at `url` when it was last used in full; for `If-None-Match`.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn etag(&self, project: ProjectId, url: &str) -> Result<Option<String>> {
        self.read(|connection| {
            let query = "SELECT etag FROM etag WHERE project = ? AND url = ?";
            Ok(connection.query_row(query, params![project, url], |row| row.get(0)).optional()?)
        })
    }

    /// Keeps the ETag of the form list or manifest at `url`, once all it names is installed; `None` forgets it. A file has
    /// its own in [`FormFile`](super::FormFile), installed together with its bytes.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`; `NotFound` if there is no such project.
    pub fn set_etag(&self, project: ProjectId, url: &str, etag: Option<&str>) -> Result<()> {
        self.read(|connection| {
            match etag {
                Some(etag) => connection.execute(
                    "INSERT INTO etag (project, url, etag) VALUES (?, ?, ?)
                     ON CONFLICT (project, url) DO UPDATE SET etag = excluded.etag",
                    params![project, url, etag],
                )?,
                None => connection.execute("DELETE FROM etag WHERE project = ? AND url = ?", params![project, url])?,
            };
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::ErrorKind;
    use crate::store::ProjectId;
    use crate::store::fixture::TestHome;

    #[test]
    fn the_newest_setting_counts() {
        let mut home = TestHome::new();
        assert_eq!(home.setting("device").unwrap(), None);
        home.set_setting("device", "one").unwrap();
        home.set_setting("device", "two").unwrap();
        home.reopen();
        assert_eq!(home.setting("device").unwrap().as_deref(), Some("two"));
    }

    #[test]
    fn etags_are_kept_and_forgotten() {
        let mut home = TestHome::new();
        let project = home.any_project();
        for etag in ["W/\"1\"", "W/\"2\""] {
            home.set_etag(project, "https://h/formList", Some(etag)).unwrap();
        }
        home.reopen();
        assert_eq!(home.etag(project, "https://h/formList").unwrap().as_deref(), Some("W/\"2\""));
        assert_eq!(home.etag(project, "https://h/other").unwrap(), None);
        home.set_etag(project, "https://h/formList", None).unwrap();
        assert_eq!(home.etag(project, "https://h/formList").unwrap(), None);
        let refused = home.set_etag(ProjectId(99), "https://h/formList", Some("x"));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
