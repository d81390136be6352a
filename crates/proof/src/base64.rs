//! The three base64 forms of the formats, each strict: one text for one value.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Standard alphabet with padding (RFC 4648 §4), as notes, checkpoints and proofs use it.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads exactly what [`encode`] writes: padding is required and spare bits are zero.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads exactly `N` bytes in standard base64.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// Appends the unpadded URL-safe form (RFC 4648 §5), as a content's salt is written.
pub(crate) fn encode_url_into<const N: usize>(bytes: &[u8; N], out: &mut Vec<u8>) {
    let start = out.len();
    let length = (N * 4).div_ceil(3);
    out.resize(start + length, 0);
    if let Some(place) = out.get_mut(start..) {
        // The room is exact, so the encoder cannot refuse.
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, place);
        debug_assert_eq!(written, Ok(length));
    }
}

/// Reads exactly `N` bytes in the unpadded URL-safe form.
pub(crate) fn decode_url_array<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
