//! XAES-256-GCM (C2SP v1): AES-256-GCM under a key derived from the first half of a 192-bit nonce,
//! so that random nonces may be used as often as anybody ever will.
//!
//! Both halves are the library's: CMAC for the derivation (NIST SP 800-108r1 in counter mode), and
//! AES-256-GCM.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cmac;
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 24;

/// Bytes that the ciphertext is longer than the plaintext.
pub const TAG_BYTES: usize = 16;

/// The library refused, or the ciphertext is not what was sealed under this key, nonce and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the sealed bytes do not open")]
pub struct NotOpened;

/// Encrypts `text` in place and appends the tag.
pub fn seal(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    text: &mut Vec<u8>,
) -> Result<(), NotOpened> {
    let (key, nonce) = derived(key, nonce)?;
    key.seal_in_place_append_tag(nonce, Aad::from(associated), text).map_err(|_| NotOpened)
}

/// Decrypts what [`seal`] wrote; the plaintext is wiped when it is dropped.
pub fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let (key, nonce) = derived(key, nonce)?;
    let mut text = Zeroizing::new(sealed.to_vec());
    let length =
        key.open_in_place(nonce, Aad::from(associated), &mut text).map_err(|_| NotOpened)?.len();
    text.truncate(length);
    Ok(text)
}

/// The key for one nonce, `CMAC(K, 0x0001 "X" 0x00 N[:12]) || CMAC(K, 0x0002 "X" 0x00 N[:12])`, and
/// what is left of the nonce.
fn derived(key: &[u8; 32], nonce: &[u8; NONCE_BYTES]) -> Result<(LessSafeKey, Nonce), NotOpened> {
    let (for_key, rest) = nonce.split_at(NONCE_BYTES / 2);
    let mut message = [0_u8; 16];
    message[..4].copy_from_slice(&[0, 1, b'X', 0]);
    message[4..].copy_from_slice(for_key);
    let parent = cmac::Key::new(cmac::AES_256, key).map_err(|_| NotOpened)?;
    let mut bytes = Zeroizing::new([0_u8; 32]);
    for (counter, half) in (1..).zip(bytes.chunks_exact_mut(16)) {
        message[1] = counter;
        let tag = cmac::sign(&parent, &message).map_err(|_| NotOpened)?;
        half.copy_from_slice(tag.as_ref());
    }
    let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).map_err(|_| NotOpened)?;
    let nonce = Nonce::try_assume_unique_for_key(rest).map_err(|_| NotOpened)?;
    Ok((LessSafeKey::new(key), nonce))
}

#[cfg(test)]
mod tests {
    use super::{NotOpened, open, seal};

    const NONCE: &[u8; 24] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write as _;
        bytes.iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }

    /// The vectors of the C2SP specification.
    #[test]
    fn it_is_the_published_algorithm() {
        let mut text = b"XAES-256-GCM".to_vec();
        seal(&[1; 32], NONCE, b"", &mut text).unwrap();
        assert_eq!(hex(&text), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
        assert_eq!(open(&[1; 32], NONCE, b"", &text).unwrap().as_slice(), b"XAES-256-GCM");

        let mut text = b"XAES-256-GCM".to_vec();
        seal(&[3; 32], NONCE, b"c2sp.org/XAES-256-GCM", &mut text).unwrap();
        assert_eq!(hex(&text), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
    }

    #[test]
    fn anything_else_does_not_open() {
        let mut text = b"secret".to_vec();
        seal(&[1; 32], NONCE, b"data", &mut text).unwrap();
        let failed = |key: &[u8; 32], nonce: &[u8; 24], data: &[u8], text: &[u8]| {
            open(key, nonce, data, text).map(|_| ()) == Err(NotOpened)
        };
        assert!(failed(&[2; 32], NONCE, b"data", &text));
        assert!(failed(&[1; 32], b"BBCDEFGHIJKLMNOPQRSTUVWX", b"data", &text));
        assert!(failed(&[1; 32], b"ABCDEFGHIJKLMNOPQRSTUVWY", b"data", &text));
        assert!(failed(&[1; 32], NONCE, b"date", &text));
        assert!(failed(&[1; 32], NONCE, b"data", &text[..text.len() - 1]));
        assert!(failed(&[1; 32], NONCE, b"data", b""));
        for at in 0..text.len() {
            let mut changed = text.clone();
            changed[at] ^= 1;
            assert!(failed(&[1; 32], NONCE, b"data", &changed), "{at}");
        }
    }
}
