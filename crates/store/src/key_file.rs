//! A private key as a file: one line of text that says what the key is for, readable by its owner
//! alone. All private keys of a data directory are kept so.
//!
//! A file is written beside its place, synced and renamed, so that a crash leaves the old key or the
//! new one. The texts that hold a secret are overwritten in memory once they have served.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_model::system::{KeyAlgorithm, KeyUse, PublicKey};
use ledgerstone_model::{Entropy, ErrorCode};
use ledgerstone_proof::SigningKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::embedded::files::Files;

/// The first word of a key file.
const FORMAT: &str = "ledgerstone-key-v1";

/// No key file is longer: an RSA key of 4,096 bits takes about 3,200 bytes.
const LONGEST_BYTES: usize = 4_096;

/// Rights of a key file.
const PRIVATE: u32 = 0o600;

/// What a private key is for; the second word of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateKeyUse {
    /// Signs checkpoints.
    Log,
    /// Signs headers.
    Record,
    /// Signs `HEAD` of a data directory and its indexes of event ids.
    Store,
    /// Authenticates the cursors of listings; no signing key, but 32 secret bytes like those of one.
    Cursor,
    /// Wraps the sealing keys of tenants; 32 secret bytes too.
    Root,
}

impl PrivateKeyUse {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Log => KeyUse::Log.as_str(),
            Self::Record => KeyUse::Record.as_str(),
            Self::Store => "store",
            Self::Cursor => "cursor",
            Self::Root => "root",
        }
    }

    /// The algorithm of a secret of 32 bytes for this use.
    const fn algorithm(self) -> &'static str {
        match self {
            Self::Log | Self::Record | Self::Store => KeyAlgorithm::Ed25519.as_str(),
            Self::Cursor => "hmac-sha256",
            Self::Root => "xaes-256-gcm",
        }
    }
}

impl From<KeyUse> for PrivateKeyUse {
    fn from(usage: KeyUse) -> Self {
        match usage {
            KeyUse::Log => Self::Log,
            KeyUse::Record => Self::Record,
        }
    }
}

/// A private key that key files keep.
pub trait FileKey: Clone {
    /// The public half.
    fn public(&self) -> PublicKey;

    /// Appends the algorithm's name for that use, a space and the secret in base64.
    fn encode_into(&self, usage: PrivateKeyUse, line: &mut String) -> io::Result<()>;

    /// Reads these two words; what is wrong with them otherwise.
    fn decode(usage: PrivateKeyUse, algorithm: &str, secret: &str) -> Result<Self, &'static str>;
}

/// What is said of a key whose algorithm cannot be told.
pub(crate) const UNKNOWN_ALGORITHM: &str =
    "holds a key of an algorithm that is not known for this use";

impl FileKey for SigningKey {
    fn public(&self) -> PublicKey {
        PublicKey::Ed25519(self.verifying_key())
    }

    fn encode_into(&self, usage: PrivateKeyUse, line: &mut String) -> io::Result<()> {
        line.push_str(usage.algorithm());
        line.push(' ');
        STANDARD.encode_string(self.seed(), line);
        Ok(())
    }

    fn decode(usage: PrivateKeyUse, algorithm: &str, secret: &str) -> Result<Self, &'static str> {
        if algorithm != usage.algorithm() {
            return Err(UNKNOWN_ALGORITHM);
        }
        let mut bytes = Zeroizing::new([0; 33]);
        match (STANDARD.decode_slice(secret, &mut bytes[..]), bytes.first_chunk::<32>()) {
            (Ok(32), Some(seed)) => Ok(Self::from_seed(*seed)),
            _ => Err("holds a key that is not 32 bytes in base64"),
        }
    }
}

/// Why a key file cannot be used.
#[derive(Debug, Error)]
pub enum KeyFileError {
    #[error("it {0}")]
    Malformed(&'static str),
    #[error(
        "others than its owner may read or write it (mode {mode:04o}); run `chmod 600` on it, and \
         replace the key if somebody may have read it"
    )]
    Exposed { mode: u32 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl KeyFileError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed(_) | Self::Exposed { .. } => ErrorCode::InvalidKey,
            Self::Io(_) => ErrorCode::StorageFailed,
        }
    }
}

/// Draws a fresh key.
pub fn draw(entropy: &dyn Entropy) -> SigningKey {
    let mut seed = Zeroizing::new([0; 32]);
    entropy.fill(&mut *seed);
    SigningKey::from_seed(*seed)
}

/// Reads the key for a use; `None` when there is no such file. A file that others than its owner may
/// read or write is refused: what it holds may be no secret any more, or not the owner's key.
pub fn read<K: FileKey>(path: &Path, usage: PrivateKeyUse) -> Result<Option<K>, KeyFileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mode = mode_of(&file.metadata()?);
    if is_wide(mode) {
        return Err(KeyFileError::Exposed { mode });
    }
    // Room for more than is read, so that no copy of the key stays behind when it grows.
    let mut text = Zeroizing::new(Vec::with_capacity(2 * LONGEST_BYTES));
    file.take(LONGEST_BYTES as u64).read_to_end(&mut text)?;
    decode(&text, usage).map(Some).map_err(KeyFileError::Malformed)
}

/// Writes a key file, or puts a new one in the place of the old.
pub fn write<K: FileKey>(
    files: &Files,
    path: &Path,
    usage: PrivateKeyUse,
    key: &K,
) -> io::Result<()> {
    files.replace(path, encode(usage, key)?.as_bytes(), PRIVATE)
}

/// Reads the 32 secret bytes for a use that is none of signing; `None` when there is no such file.
pub fn read_secret(
    path: &Path,
    usage: PrivateKeyUse,
) -> Result<Option<Zeroizing<[u8; 32]>>, KeyFileError> {
    let key: Option<SigningKey> = read(path, usage)?;
    Ok(key.map(|key| Zeroizing::new(*key.seed())))
}

/// The same, drawn when there are none yet; they are durable when this returns.
pub fn secret(
    files: &Files,
    path: &Path,
    usage: PrivateKeyUse,
    entropy: &dyn Entropy,
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    if let Some(secret) = read_secret(path, usage)? {
        return Ok(secret);
    }
    let key = draw(entropy);
    write(files, path, usage, &key)?;
    Ok(Zeroizing::new(*key.seed()))
}

/// The secret bytes in the text of a key file that stands elsewhere than in a file of its own.
pub fn parse_secret(
    text: &[u8],
    usage: PrivateKeyUse,
) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let key: SigningKey = decode(text, usage).map_err(KeyFileError::Malformed)?;
    Ok(Zeroizing::new(*key.seed()))
}

/// Overwrites a key file and removes it; one that is not there is none the worse. A file system that
/// writes elsewhere than in place may keep the old blocks for a while; `docs/trust.md` says so.
pub fn destroy(files: &Files, path: &Path) -> io::Result<()> {
    let file = match files.open_for_writing(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(file.byte_len()?).unwrap_or(LONGEST_BYTES).min(LONGEST_BYTES);
    file.write_all_at(&vec![0; length], 0)?;
    file.sync_all()?;
    files.unlink(path)
}

/// Whether others than the owner may read or write a file that is there.
pub fn is_exposed(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| is_wide(mode_of(&metadata)))
}

fn mode_of(metadata: &std::fs::Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

const fn is_wide(mode: u32) -> bool {
    mode & 0o077 != 0
}

/// Whether a text is that of a key file for a use that knows keys of 32 bytes alone.
pub(crate) fn is_text_of(text: &[u8], usage: PrivateKeyUse) -> bool {
    decode::<SigningKey>(text, usage).is_ok()
}

/// What the text of every such key file begins with.
pub(crate) fn beginning(usage: PrivateKeyUse) -> String {
    format!("{FORMAT} {} {} ", usage.as_str(), usage.algorithm())
}

/// `ledgerstone-key-v1 <use> <algorithm> <secret in base64>` and a newline.
fn encode<K: FileKey>(usage: PrivateKeyUse, key: &K) -> io::Result<Zeroizing<String>> {
    // Room for all of it, so that no copy of the key stays behind when it grows.
    let mut line = Zeroizing::new(String::with_capacity(LONGEST_BYTES));
    line.push_str(FORMAT);
    line.push(' ');
    line.push_str(usage.as_str());
    line.push(' ');
    key.encode_into(usage, &mut line)?;
    line.push('\n');
    Ok(line)
}

fn decode<K: FileKey>(text: &[u8], usage: PrivateKeyUse) -> Result<K, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "is no key file: it is not text")?;
    let line = text.strip_suffix('\n').ok_or("is no key file: it does not end with a newline")?;
    let mut words = line.split(' ');
    let four = [words.next(), words.next(), words.next(), words.next()];
    let ([Some(format), Some(used_for), Some(algorithm), Some(secret)], None) =
        (four, words.next())
    else {
        return Err("is no key file: it does not have four words");
    };
    if format != FORMAT {
        return Err("is not a key file of version 1; use the version of Ledgerstone that wrote it");
    }
    if used_for != usage.as_str() {
        return Err("holds a key for another use; put the right file back");
    }
    K::decode(usage, algorithm, secret)
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::sync::Arc;

    use super::*;
    use crate::embedded::files::{FileFault, FileOp};

    const USES: [PrivateKeyUse; 5] = [
        PrivateKeyUse::Log,
        PrivateKeyUse::Record,
        PrivateKeyUse::Store,
        PrivateKeyUse::Cursor,
        PrivateKeyUse::Root,
    ];

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    fn seed(found: Option<SigningKey>) -> u8 {
        found.unwrap().seed()[0]
    }

    #[test]
    fn the_text_is_one_line_in_one_way() {
        let line = encode(PrivateKeyUse::Store, &key(7)).unwrap();
        let base64 = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
        assert_eq!(*line, format!("ledgerstone-key-v1 store ed25519 {base64}\n"));
        let hexadecimal = format!("ledgerstone-key-v1 store ed25519 {}\n", "07".repeat(32));
        assert!(decode::<SigningKey>(hexadecimal.as_bytes(), PrivateKeyUse::Store).is_err());
        let unpadded = line.replace('=', "");
        assert!(decode::<SigningKey>(unpadded.as_bytes(), PrivateKeyUse::Store).is_err());
        assert!(decode::<SigningKey>(&[0xff, b'\n'], PrivateKeyUse::Store).is_err());
    }

    #[test]
    fn a_key_comes_back_for_its_use_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one.key");
        for usage in USES {
            assert!(read::<SigningKey>(&directory.path().join("none"), usage).unwrap().is_none());
            write(&Files::new(), &path, usage, &key(7)).unwrap();
            for other in USES {
                let found = read::<SigningKey>(&path, other);
                assert_eq!(found.is_ok(), other == usage, "{usage:?} as {other:?}");
            }
            assert_eq!(seed(read(&path, usage).unwrap()), 7);
        }
    }

    /// Fills with the number of the draw.
    struct Counting(std::sync::atomic::AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    fn a_secret_is_drawn_once() {
        for (usage, beginning) in [
            (PrivateKeyUse::Cursor, "ledgerstone-key-v1 cursor hmac-sha256 "),
            (PrivateKeyUse::Root, "ledgerstone-key-v1 root xaes-256-gcm "),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("one.key");
            let entropy = Counting(3.into());
            let draw = || secret(&Files::new(), &path, usage, &entropy);
            assert_eq!(read_secret(&path, usage).unwrap(), None);
            assert_eq!(*draw().unwrap(), [3; 32]);
            assert_eq!(*draw().unwrap(), [3; 32]);
            assert_eq!(*read_secret(&path, usage).unwrap().unwrap(), [3; 32]);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with(beginning));
            assert_eq!(*parse_secret(text.as_bytes(), usage).unwrap(), [3; 32]);
            parse_secret(text.as_bytes(), PrivateKeyUse::Store).unwrap_err();
            std::fs::write(&path, "no key").unwrap();
            draw().unwrap_err();
        }
    }

    #[test]
    fn only_a_file_of_its_owner_alone_is_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one.key");
        write(&Files::new(), &path, PrivateKeyUse::Store, &key(7)).unwrap();
        assert_eq!(mode_of(&std::fs::metadata(&path).unwrap()), 0o600);
        for (mode, is_refused) in
            [(0o400, false), (0o640, true), (0o604, true), (0o620, true), (0o602, true)]
        {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_exposed(&path), is_refused, "{mode:o}");
            match read(&path, PrivateKeyUse::Store) {
                Ok(found) => assert!(!is_refused && seed(found) == 7, "{mode:o}"),
                Err(error) => {
                    assert!(is_refused, "{mode:o}: {error}");
                    assert_eq!(error.code(), ErrorCode::InvalidKey);
                    let told = error.to_string();
                    assert!(told.contains(&format!("{mode:04o}")) && told.contains("chmod 600"));
                }
            }
        }
    }

    struct FailAt(std::sync::atomic::AtomicUsize);

    impl FileFault for FailAt {
        fn before(&self, _: FileOp, _: &Path) -> io::Result<()> {
            let left = self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            if left == 0 { Err(io::Error::other("stopped here")) } else { Ok(()) }
        }

        fn after(&self, _: FileOp, _: &Path) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_write_that_stops_anywhere_leaves_the_old_key_or_the_new_one() {
        let mut seen = Vec::new();
        for step in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("one.key");
            write(&Files::new(), &path, PrivateKeyUse::Log, &key(1)).unwrap();
            let files = Files::with_fault(Arc::new(FailAt(step.into())));
            let result = write(&files, &path, PrivateKeyUse::Log, &key(2));
            seen.push(seed(read(&path, PrivateKeyUse::Log).unwrap()));
            if result.is_ok() {
                break;
            }
        }
        assert!(seen.is_sorted() && seen.first() == Some(&1) && seen.last() == Some(&2));
        assert!(seen.len() > 4, "{seen:?}");
    }

    #[test]
    fn a_destroyed_key_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one.key");
        write(&Files::new(), &path, PrivateKeyUse::Log, &key(1)).unwrap();
        let same_bytes = directory.path().join("link");
        std::fs::hard_link(&path, &same_bytes).unwrap();
        destroy(&Files::new(), &path).unwrap();
        destroy(&Files::new(), &path).unwrap();
        assert!(!path.exists());
        assert!(std::fs::read(same_bytes).unwrap().iter().all(|byte| *byte == 0));
    }
}
