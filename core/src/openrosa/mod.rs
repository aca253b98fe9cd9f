//! The OpenRosa protocol without a network: each document with its reader and its writer side by side, because the
//! embedded server writes what the client reads.
//!
//! Nothing here opens a connection, asks for the time or touches a file; `sync` does that, and `openrosa.md` is the
//! source of every rule.

pub mod address;
pub mod digest_auth;
mod element;
pub mod form_list;
pub mod headers;
pub mod manifest;
pub mod record;
pub mod response;
pub mod settings_qr;
pub mod submission;

use crate::error::Error;
use md5::{Digest, Md5};
use std::io::{self, Write};

/// The hash of a file as lists and manifests write it: `md5:` and 32 hexadecimal digits.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    format!("md5:{}", hex(&Md5::digest(bytes)))
}

/// Passes bytes on and knows their [`hash`].
#[derive(Debug)]
pub struct Md5Writer<W> {
    md5: Md5,
    inner: W,
}

impl<W> Md5Writer<W> {
    /// Passes everything on to `inner`.
    pub fn new(inner: W) -> Self {
        Self { md5: Md5::new(), inner }
    }

    /// What was written to, and the hash of what was written.
    #[must_use]
    pub fn finish(self) -> (W, String) {
        (self.inner, format!("md5:{}", hex(&self.md5.finalize())))
    }
}

impl<W: Write> Write for Md5Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.inner.write(bytes)?;
        self.md5.update(bytes.get(..n_written).unwrap_or(bytes));
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// An entry of a list or a manifest that cannot be used; the others can.
#[derive(Debug)]
pub struct BrokenEntry {
    /// Position in the document, from 1.
    pub position: usize,
    /// What is wrong with it.
    pub error: Error,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `base` and `path` joined by exactly one slash.
fn join(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_md5_of_the_bytes() {
        assert_eq!(hash(b""), "md5:d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hash(b"abc"), "md5:900150983cd24fb0d6963f7d28e17f72");
        let mut writer = Md5Writer::new(Vec::new());
        writer.write_all(b"a").unwrap();
        writer.write_all(b"bc").unwrap();
        assert_eq!(writer.finish(), (b"abc".to_vec(), hash(b"abc")));
    }
}
