//! The text of a private key file: one line that says what the key is for.

use ledgerstone_proof::SigningKey;
use thiserror::Error;

const MAGIC: &str = "ledgerstone-key-v1";

/// A key file that cannot be used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    #[error("it is not one line «{MAGIC} {expected} ed25519 <64 hexadecimal digits>»")]
    Malformed { expected: String },
    #[error("reading it failed: {0}")]
    Io(#[from] std::io::Error),
}

/// The text of the file of a key for this use (`log`, `record`, `store`).
pub fn encode(usage: &str, key: &SigningKey) -> String {
    let seed = ledgerstone_proof::Hash::from_bytes(*key.seed());
    format!("{MAGIC} {usage} ed25519 {}\n", seed.to_hex())
}

/// Reads the text of a key file made for this use.
pub fn decode(usage: &str, text: &str) -> Result<SigningKey, KeyFileError> {
    let malformed = || KeyFileError::Malformed { expected: usage.to_owned() };
    let seed = text
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix(' ')?.strip_prefix(usage))
        .and_then(|rest| rest.strip_prefix(" ed25519 ")?.strip_suffix('\n'))
        .ok_or_else(malformed)?;
    let seed = ledgerstone_proof::Hash::from_hex(seed).map_err(|_| malformed())?;
    Ok(SigningKey::from_seed(*seed.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_for_its_use_only() {
        let key = SigningKey::from_seed([7; 32]);
        let text = encode("log", &key);
        assert_eq!(decode("log", &text).unwrap().seed(), key.seed());
        assert!(decode("record", &text).is_err());
        assert!(decode("log", text.trim_end()).is_err());
        assert!(decode("log", "").is_err());
    }
}
