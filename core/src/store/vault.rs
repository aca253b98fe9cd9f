//! How an attachment lies on the disk: XChaCha20-Poly1305 in the STREAM construction, segments of 64 KiB.
//!
//! Every segment is sealed with its number and whether it is the last, so that a file that was cut, reordered or changed
//! does not open. Any segment can be opened alone, so a piece is read without the rest and never through a readable file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use chacha20poly1305::XChaCha20Poly1305;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::folder::io_error;
use super::hex;
use super::key::random_bytes;
use crate::{Error, ErrorKind, Result};

/// Plain bytes in a segment; only the last has fewer.
const SEGMENT: u64 = 64 * 1024;
/// What sealing adds to a segment.
const TAG: u64 = 16;

type Stream = StreamBE32<XChaCha20Poly1305>;

/// The key of one file.
pub(super) struct FileKey(Zeroizing<[u8; 32]>);

/// What is known of the plain bytes after sealing.
pub(super) struct Sealed {
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl FileKey {
    pub(super) fn generate() -> Result<Self> {
        Ok(Self(Zeroizing::new(random_bytes()?)))
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes.try_into().map_err(|_| Error::new(ErrorKind::StorageDamaged, "key of an attachment"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// A key seals one file once, so the part of the nonce that tells files apart may be zero.
    fn stream(&self) -> Stream {
        Stream::new(&(*self.0).into(), &[0; 19].into())
    }
}

/// Seals what is written to it into `target`, a segment at a time.
pub(super) struct Sealer<W> {
    target: W,
    stream: Stream,
    hash: Sha256,
    size: u64,
    /// Number of the segment being filled.
    number: u32,
    /// Plain bytes not sealed yet. Full ones wait too: only the end tells which segment is the last.
    segment: Zeroizing<Vec<u8>>,
}

impl<W: Write> Sealer<W> {
    pub(super) fn new(key: &FileKey, target: W) -> Self {
        let segment = Zeroizing::new(Vec::with_capacity((SEGMENT + TAG) as usize));
        Self { target, stream: key.stream(), hash: Sha256::new(), size: 0, number: 0, segment }
    }

    /// Takes more plain bytes. After an error the file is of no use.
    ///
    /// # Errors
    /// `StorageFull`, `TooLarge`, `Io`.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            if self.segment.len() == SEGMENT as usize {
                self.put(false)?;
            }
            let room = SEGMENT as usize - self.segment.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.segment.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Seals the last segment; the target has everything then.
    ///
    /// # Errors
    /// `StorageFull`, `TooLarge`, `Io`.
    pub(super) fn finish(mut self) -> Result<(Sealed, W)> {
        self.put(true)?;
        Ok((Sealed { size: self.size, sha256: hex::encode(&self.hash.finalize()) }, self.target))
    }

    fn put(&mut self, is_last: bool) -> Result<()> {
        self.hash.update(&*self.segment);
        self.size += self.segment.len() as u64;
        self.stream
            .encrypt_in_place(self.number, is_last, b"", &mut *self.segment)
            .map_err(|_| Error::new(ErrorKind::Internal, "sealing"))?;
        self.target.write_all(&self.segment).map_err(io_error)?;
        self.segment.clear();
        self.number = self.number.checked_add(1).ok_or(ErrorKind::TooLarge)?;
        Ok(())
    }
}

/// A sealed file, read as its plain bytes.
pub(super) struct SealedFile {
    file: File,
    stream: Stream,
    /// Plain bytes in all.
    size: u64,
    /// Where the next byte comes from.
    position: u64,
    /// The segment opened last, with its number.
    opened: Option<(u64, Zeroizing<Vec<u8>>)>,
}

impl SealedFile {
    /// Opens the file at `path`, which must hold `size` plain bytes.
    ///
    /// # Errors
    /// `StorageDamaged` if it is not there or has another length; `Io`.
    pub(super) fn open(path: &Path, key: &FileKey, size: u64) -> Result<Self> {
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => damaged(),
            _ => io_error(error),
        })?;
        if file.metadata().map_err(io_error)?.len() != sealed_size(size) {
            return Err(damaged());
        }
        Ok(Self { file, stream: key.stream(), size, position: 0, opened: None })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Goes on reading at `position`; beyond the end there is nothing.
    pub(super) fn seek(&mut self, position: u64) {
        self.position = position.min(self.size);
    }

    /// Copies from the segment in which the next byte lies, up to its end.
    fn read_some(&mut self, target: &mut [u8]) -> Result<usize> {
        if self.position >= self.size {
            return Ok(0);
        }
        let (number, offset) = (self.position / SEGMENT, (self.position % SEGMENT) as usize);
        let mut plain = self.segment(number)?.get(offset..).ok_or_else(damaged)?;
        let n_read = plain.read(target).map_err(io_error)?;
        self.position += n_read as u64;
        Ok(n_read)
    }

    fn segment(&mut self, number: u64) -> Result<&[u8]> {
        let segment = match self.opened.take() {
            Some((opened, segment)) if opened == number => segment,
            _ => self.open_segment(number)?,
        };
        Ok(&self.opened.insert((number, segment)).1)
    }

    fn open_segment(&mut self, number: u64) -> Result<Zeroizing<Vec<u8>>> {
        self.file.seek(SeekFrom::Start(number * (SEGMENT + TAG))).map_err(io_error)?;
        let mut segment = Zeroizing::new(Vec::with_capacity((SEGMENT + TAG) as usize));
        (&self.file).take(SEGMENT + TAG).read_to_end(&mut segment).map_err(io_error)?;
        let is_last = number + 1 == n_segments(self.size);
        let position = u32::try_from(number).map_err(|_| damaged())?;
        self.stream.decrypt_in_place(position, is_last, b"", &mut *segment).map_err(|_| damaged())?;
        Ok(segment)
    }
}

impl Read for SealedFile {
    /// An error of the store travels inside, see `io::Error::downcast`.
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.read_some(target).map_err(io::Error::other)
    }
}

/// Length of the sealed file of `size` plain bytes.
pub(super) fn sealed_size(size: u64) -> u64 {
    size + TAG * n_segments(size)
}

/// Segments of a file with `size` plain bytes; an empty file has one, so that it is sealed too.
fn n_segments(size: u64) -> u64 {
    size.div_ceil(SEGMENT).max(1)
}

fn damaged() -> Error {
    Error::new(ErrorKind::StorageDamaged, "an attachment is not what was stored")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Sizes around the seams.
    const SIZES: [u64; 7] = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 3 * SEGMENT + 17];

    fn bytes(size: u64) -> Vec<u8> {
        (0..size).map(|n| (n * 31 % 251) as u8).collect()
    }

    /// Seals bytes that come in pieces, as those of a camera do.
    fn seal(key: &FileKey, bytes: &[u8], target: &mut dyn Write) -> Result<Sealed> {
        let mut sealer = Sealer::new(key, target);
        let (first, rest) = bytes.split_at(bytes.len().min(7));
        sealer.write(first)?;
        for piece in rest.chunks(100_000) {
            sealer.write(piece)?;
        }
        Ok(sealer.finish()?.0)
    }

    fn sealed(size: u64) -> (FileKey, Vec<u8>) {
        let key = FileKey::generate().unwrap();
        let mut target = Vec::new();
        let sealed = seal(&key, &bytes(size), &mut target).unwrap();
        assert_eq!(sealed.size, size);
        assert_eq!(sealed.sha256, hex::encode(&Sha256::digest(bytes(size))));
        (key, target)
    }

    fn open(folder: &Path, key: &FileKey, sealed: &[u8], size: u64) -> Result<Vec<u8>> {
        let path = folder.join("sealed");
        fs::write(&path, sealed).unwrap();
        let mut plain = Vec::new();
        SealedFile::open(&path, key, size)?.read_to_end(&mut plain).map_err(io_error)?;
        Ok(plain)
    }

    #[test]
    fn every_size_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        for size in SIZES {
            let (key, sealed) = sealed(size);
            assert_eq!(open(folder.path(), &key, &sealed, size).unwrap(), bytes(size), "{size}");
        }
    }

    #[test]
    fn a_piece_is_read_alone() {
        let folder = tempfile::tempdir().unwrap();
        let size = 3 * SEGMENT + 17;
        let (key, mut sealed) = sealed(size);
        sealed[0] ^= 1; // the first segment is damaged; the others do not care
        let path = folder.path().join("sealed");
        fs::write(&path, sealed).unwrap();
        let mut file = SealedFile::open(&path, &key, size).unwrap();
        file.seek(2 * SEGMENT - 5);
        let mut piece = [0; 10];
        file.read_exact(&mut piece).unwrap();
        assert_eq!(piece, bytes(size)[2 * SEGMENT as usize - 5..][..10]);
    }

    #[test]
    fn what_was_changed_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let size = 2 * SEGMENT + 100;
        let (key, whole) = sealed(size);
        let seam = (SEGMENT + TAG) as usize;

        let mut flipped = whole.clone();
        flipped[seam + 9] ^= 1;
        let mut swapped = whole.clone();
        swapped[..2 * seam].rotate_left(seam);
        let other_key = FileKey::generate().unwrap();
        for (what, key, sealed, size) in [
            ("flipped", &key, &flipped[..], size),
            ("swapped", &key, &swapped[..], size),
            ("cut in a segment", &key, &whole[..whole.len() - 1], size),
            ("cut at a seam", &key, &whole[..2 * seam], size),
            ("cut at a seam, row fitting", &key, &whole[..2 * seam], 2 * SEGMENT),
            ("longer", &key, &[&whole[..], b"x"].concat()[..], size),
            ("another key", &other_key, &whole[..], size),
        ] {
            assert_eq!(open(folder.path(), key, sealed, size).unwrap_err().kind(), ErrorKind::StorageDamaged, "{what}");
        }
    }

    /// Fails as a full disk does, after some bytes.
    struct Filling(usize);

    impl Write for Filling {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_fills_up_has_its_own_kind() {
        let key = FileKey::generate().unwrap();
        for space in [0, 100_000] {
            let error = seal(&key, &bytes(200_000), &mut Filling(space)).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
        assert!(seal(&key, &bytes(200_000), &mut Filling(300_000)).is_ok());
    }
}
