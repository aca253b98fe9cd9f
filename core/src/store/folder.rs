//! A folder of files that are either whole or not there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{hex, key::random_bytes};
use crate::{Error, ErrorKind, Result};

/// The end of a name that is not yet valid.
pub(super) const PENDING: &str = ".new";

/// A file being written: it gets its name when it is complete and on the disk, and vanishes if it is dropped before.
pub(super) struct PendingFile {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl PendingFile {
    /// An empty file in `folder`, under a name that [`sweep`] takes away.
    ///
    /// # Errors
    /// `StorageFull`, `Io`.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(random_name()? + PENDING);
        let file = File::create_new(&path).map_err(io_error)?;
        Ok(Self { file, path, kept: false })
    }

    /// Flushes the file to the disk and gives it its name, replacing what had it.
    ///
    /// # Errors
    /// `StorageFull`, `Io`; then there is no such file.
    pub(super) fn keep(mut self, name: &str) -> Result<()> {
        self.file.sync_all().map_err(io_error)?;
        fs::rename(&self.path, self.path.with_file_name(name)).map_err(io_error)?;
        self.kept = true;
        self.path.parent().map_or(Ok(()), sync_folder)
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.kept {
            // If this fails too, the next opening sweeps it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Deletes every file of `folder` that is not in `wanted`, pending ones included.
///
/// # Errors
/// `Io`.
pub(super) fn sweep(folder: &Path, wanted: &BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(io_error)? {
        let entry = entry.map_err(io_error)?;
        if !entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
            fs::remove_file(entry.path()).map_err(io_error)?;
        }
    }
    Ok(())
}

/// A name that says nothing: 128 random bits in hex.
///
/// # Errors
/// `Internal` if the system has no randomness.
pub(super) fn random_name() -> Result<String> {
    Ok(hex::encode(&random_bytes::<16>()?))
}

/// A failed file operation; a full disk has a kind of its own.
pub(super) fn io_error(error: io::Error) -> Error {
    // An error of ours may have travelled through a `Read`.
    match error.downcast::<Error>() {
        Ok(ours) => ours,
        Err(error) => {
            let kind = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::StorageFull,
                _ => ErrorKind::Io,
            };
            Error::new(kind, "").caused_by(error)
        }
    }
}

/// Makes a rename survive a power cut.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_before_kept_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = PendingFile::create(folder.path()).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(file);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn kept_has_its_name_and_replaces() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["one", "two"] {
            let mut file = PendingFile::create(folder.path()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.keep("name").unwrap();
            assert_eq!(fs::read_to_string(folder.path().join("name")).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn sweep_keeps_what_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c.new"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        sweep(folder.path(), &BTreeSet::from(["b".to_owned()])).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["b"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_has_its_own_kind() {
        let error = fs::OpenOptions::new().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
        assert_eq!(io_error(error).kind(), ErrorKind::StorageFull);
    }
}
