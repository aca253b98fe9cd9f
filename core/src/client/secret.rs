use std::fmt;
use std::path::Path;

use crate::store::{Key, Store};
use crate::{Error, ErrorKind, Result};

/// Where a home's key is kept: a keychain, a keystore, a file. It holds this one value (at-rest.md).
pub trait SecretStore {
    /// The key kept before; `None` only if there surely is none.
    ///
    /// # Errors
    /// Those of the keeper.
    fn load(&self) -> Result<Option<Key>, SecretError>;

    /// Keeps a new key, unless one is there by now. When this returns, it is safe.
    ///
    /// # Errors
    /// Those of the keeper.
    fn save(&self, key: &Key) -> Result<(), SecretError>;

    /// Lets go of the key: whatever was encrypted with it can never be read again. If there is none, nothing happens.
    ///
    /// # Errors
    /// Those of the keeper.
    fn forget(&self) -> Result<(), SecretError>;
}

/// Why a keeper could not do what it was asked.
#[derive(Debug)]
pub enum SecretError {
    /// Not now: it is locked, or failed for the moment. The key may well be there.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
    /// What it holds is no key of a home.
    NotAKey,
}

/// The key of a home: the one that is kept, or for a home that does not exist yet a new one. An erasing that was cut off is
/// finished first ([`Client::erase`](super::Client::erase)).
///
/// # Errors
/// [`ErrorKind::KeyUnavailable`] while the keeper cannot be asked, [`ErrorKind::WrongKey`] if it holds something else.
/// [`ErrorKind::KeyMissing`] for a home whose key is gone: a new one could not read it, so none is made.
pub fn home_key(home: &Path, secrets: &dyn SecretStore) -> Result<Key> {
    if Store::is_erasing(home) {
        secrets.forget()?;
        Store::erase(home)?;
    }
    if let Some(key) = secrets.load()? {
        return Ok(key);
    }
    if Store::exists(home) {
        return Err(ErrorKind::KeyMissing.into());
    }
    secrets.save(&Key::generate()?)?;
    // What counts is what comes back: another process may have kept one first, and a keeper that forgets must not get a home.
    secrets.load()?.ok_or_else(|| Error::new(ErrorKind::KeyUnavailable, "the key was not kept"))
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable(_) => "the keeper of the key cannot be asked now",
            Self::NotAKey => "what is kept is not a key",
        })
    }
}

impl std::error::Error for SecretError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(source) => Some(source.as_ref()),
            Self::NotAKey => None,
        }
    }
}

impl From<SecretError> for Error {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Unavailable(source) => Self::new(ErrorKind::KeyUnavailable, "").caused_by(source),
            SecretError::NotAKey => Self::new(ErrorKind::WrongKey, "what is kept is not a key"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// A keychain with its moods.
    #[derive(Default)]
    struct Keychain {
        kept: RefCell<Option<Key>>,
        is_locked: bool,
        forgets: bool,
        holds_rubbish: bool,
    }

    impl SecretStore for Keychain {
        fn load(&self) -> Result<Option<Key>, SecretError> {
            match self {
                Self { is_locked: true, .. } => Err(SecretError::Unavailable("locked".into())),
                Self { holds_rubbish: true, .. } => Err(SecretError::NotAKey),
                _ => Ok(self.kept.borrow().clone()),
            }
        }

        fn save(&self, key: &Key) -> Result<(), SecretError> {
            if !self.forgets {
                self.kept.borrow_mut().get_or_insert_with(|| key.clone());
            }
            Ok(())
        }

        fn forget(&self) -> Result<(), SecretError> {
            *self.kept.borrow_mut() = None;
            Ok(())
        }
    }

    #[test]
    fn a_locked_keychain_is_not_a_missing_key() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let key = |secrets: &Keychain| home_key(&home, secrets).map(|key| key.id()).map_err(|error| error.kind());
        let locked = Keychain { is_locked: true, ..Keychain::default() };
        let rubbish = Keychain { holds_rubbish: true, ..Keychain::default() };
        let forgetful = Keychain { forgets: true, ..Keychain::default() };
        let empty = Keychain::default();
        for is_home in [false, true] {
            assert_eq!(key(&locked), Err(ErrorKind::KeyUnavailable), "{is_home}");
            assert_eq!(key(&rubbish), Err(ErrorKind::WrongKey), "{is_home}");
            if is_home {
                assert_eq!(key(&empty), Err(ErrorKind::KeyMissing));
            } else {
                assert_eq!(key(&forgetful), Err(ErrorKind::KeyUnavailable));
                let made = key(&empty).unwrap();
                assert_eq!(key(&empty), Ok(made), "it is made once");
                drop(Store::open(&home, &empty.load().unwrap().unwrap()).unwrap());
                empty.forget().unwrap();
            }
        }
    }
}
