//! The store key: signs `HEAD` and the indexes of event ids, and nothing else.

use std::io;

use ledgerstone_model::Entropy;
use ledgerstone_proof::SigningKey;

use super::files::Files;
use super::layout::Layout;
use crate::key_file::{self, KeyFileError, PrivateKeyUse};

/// Draws a new store key and writes its file.
pub fn create(files: &Files, layout: &Layout, entropy: &dyn Entropy) -> io::Result<SigningKey> {
    let key = key_file::draw(entropy);
    key_file::write(files, &layout.store_key(), PrivateKeyUse::Store, &key)?;
    Ok(key)
}

/// Reads the store key; `None` when there is no such file, as in a copy made for an auditor.
pub fn load(layout: &Layout) -> Result<Option<SigningKey>, KeyFileError> {
    key_file::read(&layout.store_key(), PrivateKeyUse::Store)
}
