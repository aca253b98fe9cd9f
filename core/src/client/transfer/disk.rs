//! The files of an export: made for their owner alone and brought to the disk; opened only as what they seem to be.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::{hex, io_error, private_folder};
use crate::{Error, ErrorKind, Result};

/// What a file must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proof {
    pub(super) size: u64,
    /// In hex.
    pub(super) sha256: String,
}

/// Which side of a copy failed.
pub(super) enum CopyFailed {
    Source(Error),
    Target(Error),
}

impl Proof {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, sha256: hex::encode(&Sha256::digest(bytes)) }
    }
}

/// An empty folder for its owner alone, in place of what an earlier run left.
pub(super) fn make_empty_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(error)),
        _ => {}
    }
    private_folder().create(folder).map_err(io_error)
}

/// Writes a new file for its owner alone; when this returns, it is on the disk.
pub(super) fn write(path: &Path, source: &mut dyn Read) -> Result<Proof, CopyFailed> {
    let target_failed = |error| CopyFailed::Target(io_error(error));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(target_failed)?;
    let proof = copy(source, &mut file)?;
    file.sync_all().map_err(target_failed)?;
    Ok(proof)
}

/// Reads `source` to its end and says what it held.
pub(super) fn prove(source: &mut dyn Read) -> Result<Proof> {
    copy(source, &mut io::sink()).map_err(|failed| match failed {
        CopyFailed::Source(error) | CopyFailed::Target(error) => error,
    })
}

fn copy(source: &mut dyn Read, target: &mut dyn Write) -> Result<Proof, CopyFailed> {
    let (mut hash, mut size) = (Sha256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let n_read = match source.read(&mut buffer) {
            Ok(0) => return Ok(Proof { size, sha256: hex::encode(&hash.finalize()) }),
            Ok(n_read) => n_read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyFailed::Source(io_error(error))),
        };
        let piece = buffer.get(..n_read).unwrap_or(&buffer);
        target.write_all(piece).map_err(|error| CopyFailed::Target(io_error(error)))?;
        hash.update(piece);
        size += n_read as u64;
    }
}

/// Opens a plain file: no link, pipe, device or folder, and no other file than the one that was looked at.
///
/// # Errors
/// [`ErrorKind::BrokenExport`] if it is not there or no plain file; [`ErrorKind::Io`].
pub(super) fn open(path: &Path) -> Result<(File, u64)> {
    let broken = |what: &str| Error::new(ErrorKind::BrokenExport, what);
    let seen = match fs::symlink_metadata(path) {
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(broken("a file is missing")),
        Err(error) => return Err(io_error(error)),
    };
    if !seen.is_file() {
        return Err(broken("a link, a pipe or a folder stands where a file should be"));
    }
    let file = File::open(path).map_err(io_error)?;
    let opened = file.metadata().map_err(io_error)?;
    if !opened.is_file() || !is_same(&seen, &opened) {
        return Err(broken("a file was exchanged while it was looked at"));
    }
    Ok((file, opened.len()))
}

/// All of a plain file that is not longer than `longest`.
///
/// # Errors
/// As [`open`]; [`ErrorKind::BrokenExport`] for a longer one.
pub(super) fn read(path: &Path, longest: u64) -> Result<Vec<u8>> {
    let (file, size) = open(path)?;
    let mut bytes = Vec::new();
    if size <= longest {
        file.take(longest + 1).read_to_end(&mut bytes).map_err(io_error)?;
    }
    if size > longest || bytes.len() as u64 > longest {
        return Err(Error::new(ErrorKind::BrokenExport, "a file is too long"));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.len() == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::make_folders;

    #[test]
    #[cfg(unix)]
    fn files_and_folders_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        make_folders(&inner).unwrap();
        assert!(write(&inner.join("x"), &mut &b"x"[..]).is_ok_and(|proof| proof == Proof::of(b"x")));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&inner), mode(&inner.join("x"))], [0o700, 0o600]);
        make_empty_folder(&inner).unwrap();
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 0);
    }

    #[test]
    fn only_a_plain_file_of_the_length_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("plain"), "12345").unwrap();
        assert_eq!(read(&path("plain"), 5).unwrap(), b"12345");
        let mut wrong = vec![(read(&path("plain"), 4), "too long"), (read(&path("gone"), 9), "missing")];
        wrong.push((read(folder.path(), 9), "a folder"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(path("plain"), path("link")).unwrap();
            wrong.push((read(&path("link"), 9), "a link"));
            wrong.push((read(Path::new("/dev/zero"), 9), "a device"));
        }
        for (read, what) in wrong {
            assert_eq!(read.unwrap_err().kind(), ErrorKind::BrokenExport, "{what}");
        }
    }
}
