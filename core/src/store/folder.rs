//! A folder of files that are either whole or not there.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{hex, key::random_bytes};
use crate::Result;
pub(crate) use crate::error::io_error;

/// The end of a name that is not yet valid.
pub(super) const PENDING: &str = ".new";

/// A file being written: it gets its name when it is complete and on the disk, and vanishes if it is dropped before.
pub(super) struct PendingFile {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl PendingFile {
    /// An empty file in `folder`, under a name that the next opening takes away ([`remove_pending`]).
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
            // If this fails too, the next opening takes it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Deletes what writing to `folder` has left when it was cut off: names that only [`PendingFile`] gives. What cannot be
/// deleted stays; nothing else is touched.
pub(super) fn remove_pending(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(is_pending) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a name is one of [`PendingFile`]'s, or of a download under way.
fn is_pending(name: &str) -> bool {
    let written = name.strip_suffix(PENDING).is_some_and(|name| is_hex(name, 32));
    written || name.strip_prefix("download-").is_some_and(|name| is_hex(name, 16))
}

/// Whether a name is `digits` hexadecimal digits, as this program writes them.
pub(super) fn is_hex(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A name that says nothing: 128 random bits in hex.
///
/// # Errors
/// `Internal` if the system has no randomness.
pub(super) fn random_name() -> Result<String> {
    Ok(hex::encode(&random_bytes::<16>()?))
}

/// Deletes a file; one that is not there is deleted already.
///
/// # Errors
/// `Io`.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(error)),
        _ => Ok(()),
    }
}

/// Makes a folder for its owner alone, and those above it; when this returns, they are on the disk.
///
/// # Errors
/// `StorageFull`, `Io`.
pub(crate) fn make_folders(folder: &Path) -> Result<()> {
    let n_made = folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists()).count();
    private_folder().recursive(true).create(folder).map_err(io_error)?;
    folder.ancestors().take(n_made).try_for_each(sync_entry)
}

/// A builder of folders that nobody else may look into.
pub(crate) fn private_folder() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Makes the names in a folder survive a power cut, where its file system can: some of those of sticks and shares cannot.
///
/// # Errors
/// `StorageFull`, `Io`.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(io_error(error))
        }
        _ => Ok(()),
    }
}

/// The same for the folder that holds this one. It may be another's, who lets nobody look into it; then it is for the system
/// to bring it to the disk.
///
/// # Errors
/// `StorageFull`, `Io`.
pub(crate) fn sync_entry(folder: &Path) -> Result<()> {
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(above) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        _ => sync_folder(above),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

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

    /// A folder of that name, a link, another program's file: nothing is touched, and nothing stops the rest.
    #[test]
    fn only_what_was_being_written_here_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let ours = "0123456789abcdef0123456789abcdef";
        let pending = format!("{}.new", "0".repeat(32));
        fs::create_dir(folder.path().join(format!("{}.new", "f".repeat(32)))).unwrap();
        let download = "download-0123456789abcdef";
        let others = [ours, "c.new", "download-photo", "0123.new", ".thumbnails", "thesis.doc"];
        for name in others.into_iter().chain([&pending[..], download]) {
            fs::write(folder.path().join(name), name).unwrap();
        }
        remove_pending(folder.path());
        assert!(!folder.path().join(&pending).exists() && !folder.path().join(download).exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), others.len() + 1);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_has_its_own_kind() {
        let error = fs::OpenOptions::new().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
        assert_eq!(io_error(error).kind(), ErrorKind::StorageFull);
    }
}
