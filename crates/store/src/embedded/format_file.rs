//! `FORMAT`: which store this directory is, and the version of each of its containers.

use ledgerstone_proof::{VerifyingKey, sha256};

use super::{StoreId, head_file, ids, idx, log_file, segment};

/// Containers and the versions this program reads and writes.
pub const VERSIONS: &[(&str, u32)] = &[
    ("log", log_file::VERSION),
    ("head", head_file::VERSION),
    ("segment", segment::VERSION),
    ("index", idx::VERSION),
    ("ids", ids::VERSION),
];

/// The first line.
pub const TITLE: &str = "ledgerstone data directory";

/// What `FORMAT` says.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatFile {
    pub store: StoreId,
    /// Verifies `HEAD` and indexes of event ids.
    pub store_key: VerifyingKey,
}

/// Why a `FORMAT` file is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatFault {
    /// Not the bytes that were written.
    Damaged(String),
    /// A container version that this program does not know.
    UnknownVersion { container: String, version: String },
}

impl FormatFile {
    pub fn encode(&self) -> String {
        self.encode_with(VERSIONS)
    }

    fn encode_with(&self, versions: &[(&str, u32)]) -> String {
        let mut text = format!("{TITLE}\nstore_id = {}\n", self.store);
        text.push_str(&format!(
            "store_key = {}\n",
            ledgerstone_proof::Hash::from_bytes(*self.store_key.as_bytes()).to_hex()
        ));
        for (container, version) in versions {
            text.push_str(&format!("{container} = {version}\n"));
        }
        let digest = sha256(text.as_bytes());
        text.push_str(&format!("sha256 = {}\n", digest.to_hex()));
        text
    }

    pub fn decode(text: &str) -> Result<Self, FormatFault> {
        let damaged = |what: &str| FormatFault::Damaged(what.to_owned());
        let (body, digest_line) = text
            .strip_suffix('\n')
            .and_then(|text| text.rsplit_once('\n'))
            .ok_or_else(|| damaged("the file is empty or cut"))?;
        let body = format!("{body}\n");
        let digest =
            digest_line.strip_prefix("sha256 = ").ok_or_else(|| damaged("no sha256 line"))?;
        if digest != sha256(body.as_bytes()).to_hex() {
            return Err(damaged("its sha256 line does not match the lines above"));
        }
        let mut lines = body.lines();
        if lines.next() != Some(TITLE) {
            return Err(damaged("the first line is not that of a data directory"));
        }
        let mut value = |name: &str| {
            lines
                .next()
                .and_then(|line| line.strip_prefix(name)?.strip_prefix(" = "))
                .map(str::to_owned)
                .ok_or_else(|| FormatFault::Damaged(format!("no line «{name} = …» in its place")))
        };
        let store =
            StoreId::from_hex(&value("store_id")?).ok_or_else(|| damaged("bad store_id"))?;
        let store_key = read_key(&value("store_key")?).ok_or_else(|| damaged("bad store_key"))?;
        for (container, known) in VERSIONS {
            let version = value(container)?;
            if version != known.to_string() {
                let container = (*container).to_owned();
                return Err(FormatFault::UnknownVersion { container, version });
            }
        }
        match lines.next().map(|line| line.split_once(" = ")) {
            None => Ok(Self { store, store_key }),
            Some(Some((container, version))) => {
                let (container, version) = (container.to_owned(), version.to_owned());
                Err(FormatFault::UnknownVersion { container, version })
            }
            Some(None) => Err(damaged("a line that is not «name = value»")),
        }
    }
}

fn read_key(hex: &str) -> Option<VerifyingKey> {
    let bytes = ledgerstone_proof::Hash::from_hex(hex).ok()?;
    VerifyingKey::from_bytes(bytes.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledgerstone_proof::SigningKey;

    fn format() -> FormatFile {
        let store_key = SigningKey::from_seed([5; 32]).verifying_key();
        FormatFile { store: StoreId::from_bytes([8; 16]), store_key }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let text = format().encode();
        assert_eq!(FormatFile::decode(&text), Ok(format()));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(FormatFile::decode(&changed).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn another_version_is_named() {
        let mut versions = VERSIONS.to_vec();
        versions[2].1 = 9;
        let fault = FormatFile::decode(&format().encode_with(&versions));
        let container = "segment".to_owned();
        let version = "9".to_owned();
        assert_eq!(fault, Err(FormatFault::UnknownVersion { container, version }));
    }
}
