//! The one key of a home.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::hex;
use crate::{Error, ErrorKind, Result};

/// Thirty-two random bytes that open a home; wiped from memory when dropped, never shown.
///
/// An app keeps it in its secret store, the command line in a file beside the home (at-rest.md).
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; Self::LEN]>);

impl Key {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// A new key from the system's generator.
    ///
    /// # Errors
    /// `Internal` if the system has no randomness to give.
    pub fn generate() -> Result<Self> {
        Ok(Self::from_bytes(random_bytes()?))
    }

    /// The key made of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what [`to_hex`](Self::to_hex) wrote; blanks and line ends around it do not matter.
    ///
    /// # Errors
    /// `WrongKey` if the text is not 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self> {
        hex::decode(text.trim())
            .map(Self::from_bytes)
            .ok_or_else(|| Error::new(ErrorKind::WrongKey, "the key is not 64 hexadecimal digits"))
    }

    /// The key as 64 hexadecimal digits, for a key file.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.as_bytes()))
    }

    /// The bytes, for an app's secret store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Names the key without giving it away: what `home.json` holds, so that a wrong key is told from a damaged database.
    #[must_use]
    pub fn id(&self) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.as_bytes()) else { return String::new() };
        mac.update(b"veldwerk key id");
        hex::encode(&mac.finalize().into_bytes()[..8])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// `N` bytes from the system's generator.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(ErrorKind::Internal, "no randomness").caused_by(error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_round_trip_and_silence() {
        let key = Key::generate().unwrap();
        let read = Key::from_hex(&format!(" {}\n", *key.to_hex())).unwrap();
        assert_eq!(read.as_bytes(), key.as_bytes());
        assert_eq!(read.id(), key.id());
        assert_eq!(format!("{key:?}"), "Key(…)");
    }

    #[test]
    fn two_keys_differ() {
        assert_ne!(Key::generate().unwrap().id(), Key::generate().unwrap().id());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "00", "zz", &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert_eq!(Key::from_hex(text).unwrap_err().kind(), ErrorKind::WrongKey, "{text}");
        }
    }

    #[test]
    fn id_is_the_hmac_of_a_fixed_text() {
        // Computed with Python: hmac.new(bytes(32), b"veldwerk key id", "sha256").hexdigest()[:16]
        assert_eq!(Key::from_bytes([0; 32]).id(), "6c28f272c64a8ea2");
    }
}
