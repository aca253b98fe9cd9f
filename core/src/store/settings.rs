//! Small settings of the home, and what servers said about lists.

use rusqlite::{OptionalExtension, params};

use sha2::{Digest, Sha256};

use super::{ProjectId, Store, hex};
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

    /// A form list or manifest as it was last read, with its ETag; `address` may hold a token.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageDamaged`.
    pub fn document(&self, project: ProjectId, address: &str) -> Result<Option<(String, Vec<u8>)>> {
        self.read(|connection| {
            let query = "SELECT etag, body FROM document WHERE project = ? AND url_digest = ?";
            let found =
                connection.query_row(query, params![project, digest(address)], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(found.optional()?)
        })
    }

    /// Keeps form lists and manifests, each as its address, its ETag and its bytes, in place of what they said before; all in
    /// one transaction. They go with their project.
    ///
    /// # Errors
    /// `StoragePaused`, `StorageFull`; `NotFound` if there is no such project.
    pub fn set_documents(&self, project: ProjectId, documents: &[(&str, &str, &[u8])]) -> Result<()> {
        self.write(|transaction| {
            let mut keep = transaction.prepare_cached(
                "INSERT INTO document (project, url_digest, etag, body) VALUES (?, ?, ?, ?)
                 ON CONFLICT (project, url_digest) DO UPDATE SET etag = excluded.etag, body = excluded.body",
            )?;
            for (address, etag, body) in documents {
                keep.execute(params![project, digest(address), etag, body])?;
            }
            Ok(())
        })
    }
}

/// An address that may hold a token is kept as its digest only.
fn digest(address: &str) -> String {
    hex::encode(&Sha256::digest(address)[..16])
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
    fn a_document_is_what_it_last_said_and_goes_with_its_project() {
        let mut home = TestHome::new();
        let project = home.any_project();
        let list = "https://h/v1/key/token/formList";
        for body in [b"<one/>", b"<two/>"] {
            home.set_documents(project, &[(list, "W/\"1\"", body)]).unwrap();
        }
        home.reopen();
        assert_eq!(home.document(project, list).unwrap(), Some(("W/\"1\"".to_owned(), b"<two/>".to_vec())));
        assert_eq!(home.document(project, "https://h/other").unwrap(), None);
        let refused = home.set_documents(ProjectId(99), &[(list, "x", b"")]);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
        home.remove_project(project, false).unwrap();
        assert_eq!(
            home.read(|db| Ok(db.query_row("SELECT count(*) FROM document", [], |row| row.get::<_, i64>(0))?)).unwrap(),
            0
        );
    }
}
