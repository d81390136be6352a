//! Secrets that the configuration gives, by themselves or in files; among them the API keys that
//! containers and scripts know beforehand.

use std::path::Path;

use ledgerstone_model::access::ApiKey;
use zeroize::Zeroizing;

use super::{Configuration, unusable};
use crate::failure::Failure;

/// Bytes of a file with a secret, more than which is none.
const SECRET_BYTES_MAX: u64 = 4096;

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

    /// A secret that one setting holds, or the file that another names; with the key of that which
    /// does.
    pub(super) fn secret<'a>(
        &self,
        key: &'a str,
        file: &'a str,
    ) -> Result<Option<(&'a str, Zeroizing<String>)>, Failure> {
        match (self.text(key), self.path(file)) {
            (Some(_), Some(_)) => {
                Err(unusable(file, format!("{key} is given too; give one of them")))
            }
            (Some(text), None) => Ok(Some((key, Zeroizing::new(text.to_owned())))),
            (None, Some(path)) => Ok(Some((file, read(file, &path)?))),
            (None, None) => Ok(None),
        }
    }

    fn key(&self, key: &str, file: &str) -> Result<Option<ApiKey>, Failure> {
        let Some((name, text)) = self.secret(key, file)? else { return Ok(None) };
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
    if length > SECRET_BYTES_MAX {
        return Err(unusable(key, format!("{} is too long for a secret", path.display())));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable)
}
