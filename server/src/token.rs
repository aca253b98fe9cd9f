//! Secrets that open the server: tokens for phones, the key for the page.

use sha2::{Digest, Sha256};
use std::fmt;
use veldwerk::{Error, ErrorKind, Result};

/// The sixty-four signs a token is made of, as ODK Central's.
const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$";

/// Signs in a token.
const LENGTH: usize = 64;

/// An app user's token: whoever knows it may fetch forms and send records.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new token from the system's random numbers.
    ///
    /// # Errors
    /// `internal` when the system has none to give.
    pub(crate) fn generate() -> Result<Self> {
        Ok(Self(
            random_bytes::<LENGTH>()?
                .iter()
                .filter_map(|byte| SIGNS.get(usize::from(byte % 64)))
                .map(|&sign| char::from(sign))
                .collect(),
        ))
    }

    /// `text` if it has the shape of a token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        (text.len() == LENGTH && text.bytes().all(|byte| SIGNS.contains(&byte))).then(|| Self(text.to_owned()))
    }

    /// The token in words; a secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it: SHA-256.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// The key of the page in the browser, new at every start.
pub(crate) struct PageKey {
    text: String,
    hash: [u8; 32],
}

impl PageKey {
    /// A new key.
    ///
    /// # Errors
    /// `internal` when the system has no random numbers to give.
    pub(crate) fn generate() -> Result<Self> {
        let text: String = random_bytes::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { hash: Sha256::digest(text.as_bytes()).into(), text })
    }

    /// The key in words; a secret.
    pub(crate) fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether `attempt` is the key. Hashes are compared, so the time it takes tells nothing.
    pub(crate) fn opens(&self, attempt: &str) -> bool {
        <[u8; 32]>::from(Sha256::digest(attempt.as_bytes())) == self.hash
    }
}

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageKey(…)")
    }
}

/// Bytes from the system's generator.
///
/// # Errors
/// `internal` when the system has none to give.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Internal, "no random numbers").caused_by(error))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_64_signs_and_is_never_shown_by_debug() {
        let token = Token::generate().unwrap();
        assert_eq!(Token::parse(token.reveal()), Some(token.clone()));
        assert_ne!(token, Token::generate().unwrap());
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn other_shapes_are_no_tokens() {
        let long = "a".repeat(65);
        let odd = format!("{}-", "a".repeat(63));
        for text in ["", "short", &long, &odd] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
