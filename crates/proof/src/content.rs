//! The content of a record: the event after sealing, and the salt that dies with it.

use std::fmt;

use thiserror::Error;

use crate::base64;

/// Length of a content's salt in bytes.
pub const SALT_BYTES: usize = 16;

const PREFIX: &[u8] = b"{\"event\":";
const MIDDLE: &[u8] = b",\"salt\":\"";
const SUFFIX: &[u8] = b"\"}";
/// Length of a salt in unpadded base64url.
const SALT_TEXT: usize = 22;

/// 16 random bytes that stand beside an event, so that once a content is gone its hash says
/// nothing about an event that could be guessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; SALT_BYTES]);

impl Salt {
    /// The salt with these bytes, which the caller has drawn at random.
    pub const fn from_bytes(bytes: [u8; SALT_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; SALT_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    /// Says nothing: a salt in a log file would outlive its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

/// Bytes that are not a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ContentError {
    /// Not of the form `{"event":…,"salt":"…"}`, byte for byte.
    #[error("a content has the form {{\"event\":…,\"salt\":\"…\"}}")]
    Form,
    /// The salt is not 22 characters of unpadded base64url.
    #[error("a content's salt is 16 bytes in base64url without padding")]
    Salt,
}

/// Appends the content of an event in canonical form: `{"event":…,"salt":"…"}`, canonical too.
pub fn write_content(event_canonical: &[u8], salt: &Salt, out: &mut Vec<u8>) {
    out.reserve(PREFIX.len() + event_canonical.len() + MIDDLE.len() + SALT_TEXT + SUFFIX.len());
    out.extend_from_slice(PREFIX);
    out.extend_from_slice(event_canonical);
    out.extend_from_slice(MIDDLE);
    base64::encode_url_into(&salt.0, out);
    out.extend_from_slice(SUFFIX);
}

/// Splits a content into its event and salt.
///
/// The frame is checked byte for byte. The event's text is handed out as it stands: whoever
/// wrote the content vouched that it is canonical, and `content_hash` holds it.
pub fn split_content(content: &[u8]) -> Result<(&[u8], Salt), ContentError> {
    let inner = content
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX))
        .ok_or(ContentError::Form)?;
    let (rest, salt) =
        inner.split_at_checked(inner.len().wrapping_sub(SALT_TEXT)).ok_or(ContentError::Form)?;
    let event = rest.strip_suffix(MIDDLE).ok_or(ContentError::Form)?;
    if event.is_empty() {
        return Err(ContentError::Form);
    }
    let salt = base64::decode_url_array(salt).ok_or(ContentError::Salt)?;
    Ok((event, Salt(salt)))
}
