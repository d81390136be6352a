//! The store key: signs `HEAD` and nothing else.

use std::io;

use ledgerstone_model::Entropy;
use ledgerstone_proof::SigningKey;

use super::files::Files;
use super::layout::Layout;
use crate::key_file::{self, KeyFileError};

/// Name of the key's use in its file.
pub const USE: &str = "store";

/// Draws a new store key and writes its file.
pub fn create(files: &Files, layout: &Layout, entropy: &dyn Entropy) -> io::Result<SigningKey> {
    let mut seed = [0; 32];
    entropy.fill(&mut seed);
    let key = SigningKey::from_seed(seed);
    files.replace(&layout.store_key(), key_file::encode(USE, &key).as_bytes(), 0o600)?;
    Ok(key)
}

/// Reads the store key; `None` when there is no such file, as in a copy made for an auditor.
pub fn load(layout: &Layout) -> Result<Option<SigningKey>, KeyFileError> {
    match std::fs::read_to_string(layout.store_key()) {
        Ok(text) => key_file::decode(USE, &text).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyFileError::Io(error)),
    }
}
