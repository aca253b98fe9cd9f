//! The OpenRosa protocol without a network: each document with its reader and its writer side by side, because the
//! embedded server writes what the client reads.
//!
//! Nothing here opens a connection, asks for the time or touches a file; `sync` does that, and `openrosa.md` is the
//! source of every rule.

pub mod digest_auth;
mod element;
pub mod form_list;
pub mod headers;
pub mod manifest;
pub mod response;
pub mod settings_qr;
pub mod submission;

use crate::error::Error;
use md5::{Digest, Md5};

/// The hash of a file as lists and manifests write it: `md5:` and 32 hexadecimal digits.
#[must_use]
pub fn hash(bytes: &[u8]) -> String {
    format!("md5:{}", hex(&Md5::digest(bytes)))
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
    }
}
