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
