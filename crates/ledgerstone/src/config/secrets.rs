//! The API keys that the configuration gives, so that containers and scripts know them beforehand.

use std::path::Path;

use ledgerstone_model::access::ApiKey;
use zeroize::Zeroizing;

use super::{Configuration, unusable};
use crate::failure::Failure;

/// Bytes of a file with a key, more than which is none.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// The keys that must be granted when the server starts.
#[derive(Debug)]
pub struct FirstKeys {
    /// The first admin key of the tenant `default`.
    pub bootstrap: Option<ApiKey>,
    /// An admin key of `_system`.
    pub operator: Option<ApiKey>,
}

impl Configuration {
    pub fn first_keys(&self) -> Result<FirstKeys, Failure> {
        Ok(FirstKeys {
            bootstrap: self.key("bootstrap.key", "bootstrap.key_file")?,
            operator: self.key("operator.key", "operator.key_file")?,
        })
    }

    fn key(&self, key: &str, file: &str) -> Result<Option<ApiKey>, Failure> {
        let (name, text) = match (self.text(key), self.path(file)) {
            (Some(_), Some(_)) => {
                return Err(unusable(file, format!("{key} is given too; give one of them")));
            }
            (Some(text), None) => (key, Zeroizing::new(text.to_owned())),
            (None, Some(path)) => (file, read(file, &path)?),
            (None, None) => return Ok(None),
        };
        // The error never repeats anything of the key.
        ApiKey::parse(text.trim()).map(Some).map_err(|error| {
            unusable(name, error)
                .with_remedy("Give a key as `ledgerstone api-keys generate` makes it.")
        })
    }
}

fn read(key: &str, path: &Path) -> Result<Zeroizing<String>, Failure> {
    let unreadable = |error| unusable(key, format!("{} cannot be read: {error}", path.display()));
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > KEY_FILE_BYTES_MAX {
        return Err(unusable(key, format!("{} is no file with an API key", path.display())));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable)
}
