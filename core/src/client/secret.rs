use std::path::Path;

use crate::store::{Key, Store};
use crate::{ErrorKind, Result};

/// Where a home's key is kept: a keychain, a keystore, a file. It holds this one value (at-rest.md).
pub trait SecretStore {
    /// The key kept before; none if there is none.
    ///
    /// # Errors
    /// Those of the keeper.
    fn load(&self) -> Result<Option<Key>>;

    /// Keeps a new key. When this returns, it is safe.
    ///
    /// # Errors
    /// Those of the keeper.
    fn save(&self, key: &Key) -> Result<()>;
}

/// The key of a home: the one that is kept, or for a home that does not exist yet a new one.
///
/// # Errors
/// [`ErrorKind::KeyMissing`] for a home whose key is gone: a new one could not read it, so none is made. Those of the
/// keeper.
pub fn home_key(home: &Path, secrets: &dyn SecretStore) -> Result<Key> {
    if let Some(key) = secrets.load()? {
        return Ok(key);
    }
    if Store::exists(home) {
        return Err(ErrorKind::KeyMissing.into());
    }
    let key = Key::generate()?;
    secrets.save(&key)?;
    Ok(key)
}
