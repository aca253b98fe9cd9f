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

/// The digits of a hash that may be an MD5, in lower case and without what stands before them. Servers write `md5:…`, bare
/// digits and capitals; others send what is no MD5 of anything (Kobo's `md5:…-time`), so the digits are to be compared with
/// those of known bytes, and nothing is to be refused for them.
#[must_use]
pub fn md5_digits(hash: &str) -> Option<String> {
    let digits = digits(hash);
    let is_md5 = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_md5.then(|| digits.to_ascii_lowercase())
}

/// A hash without the `md5:` before it.
fn digits(hash: &str) -> &str {
    match hash.split_at_checked(4) {
        Some((prefix, digits)) if prefix.eq_ignore_ascii_case("md5:") => digits.trim(),
        _ => hash.trim(),
    }
}

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
    /// What it is about: a form's id, a file's name; `None` where it does not even say that.
    pub name: Option<String>,
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
    fn only_what_may_be_an_md5_has_digits() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        for hash in [format!("md5:{md5}"), md5.to_owned(), format!("MD5:{}", md5.to_uppercase())] {
            assert_eq!(md5_digits(&hash).as_deref(), Some(md5), "{hash}");
        }
        for hash in ["", "md5:", "md5:00", "md5:d41d8cd98f00b204e9800998ecf8427e-1700000000", "md5", "é"] {
            assert_eq!(md5_digits(hash), None, "{hash}");
        }
    }

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
