//! What the server keeps, in one SQLite file: the project, its forms, and the records that arrived.

mod forms;
mod records;

use crate::token::Token;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use veldwerk::{Error, ErrorKind, Result};
use veldwerk_sqlite as _; // links SQLite

pub(crate) use forms::{FormCount, FormRow};
pub(crate) use records::{AttachmentRow, Kept, Part, RecordRow};

const SCHEMA: &str = include_str!("schema.sql");

/// The database, behind one lock: the server is for trying out.
pub(crate) struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens or makes `server.sqlite` in `folder`, which is made too, readable by its owner only.
    ///
    /// # Errors
    /// `io` or `storage-damaged`; `storage-too-new` for the file of a later program.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        make_private_folder(folder)
            .map_err(|error| Error::new(ErrorKind::Io, "the folder for what arrives").caused_by(error))?;
        let connection = Connection::open(folder.join("server.sqlite")).map_err(failed)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
            .map_err(failed)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        match version {
            0 => connection.execute_batch(SCHEMA).map_err(failed)?,
            1 => {}
            _ => return Err(Error::new(ErrorKind::StorageTooNew, "the server's database")),
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves no half-done change: whatever was open rolls back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hash of the project's token, or nothing before the first start.
    pub(crate) fn token_hash(&self) -> Result<Option<[u8; 32]>> {
        self.connection()
            .query_row("SELECT token_hash FROM project WHERE id = 1", [], |row| row.get(0))
            .optional()
            .map_err(failed)
    }

    /// Makes the project with its token.
    pub(crate) fn make_project(&self, token: &Token, now: i64) -> Result<()> {
        self.connection()
            .execute("INSERT INTO project (id, token_hash, created_at) VALUES (1, ?1, ?2)", params![token.hash(), now])
            .map_err(failed)?;
        Ok(())
    }

    /// Puts another token in the place of the project's.
    pub(crate) fn set_token(&self, token: &Token) -> Result<()> {
        let update = "UPDATE project SET token_hash = ?1 WHERE id = 1";
        self.connection().execute(update, params![token.hash()]).map_err(failed)?;
        Ok(())
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let connection = self.connection();
        let mut statement = connection.prepare(sql).map_err(failed)?;
        let rows = statement.query_map(params, read).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }
}

/// Answers lie readable in this folder, so at least no other account of the computer may enter it.
fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn failed(error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => ErrorKind::StorageFull,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::StorageDamaged,
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => ErrorKind::StoreInUse,
        _ => ErrorKind::Io,
    };
    Error::new(kind, "the server's database").caused_by(error)
}
