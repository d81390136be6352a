//! Signed tokens as RFC 7515 and RFC 7517 define them, as far as they are accepted here: compact
//! serialisation, public keys, and six algorithms of which each key has exactly one.
//!
//! Verified on `aws-lc-rs` directly. The JWT libraries at hand choose the verification by what the
//! token says, read the machine's clock, parse a key anew for each token, and skip over `crit` and
//! repeated members; what is left of them after that is splitting a text at two dots.

mod algorithm;
mod der;
mod jwk;
mod jws;
mod key;
mod roca;

pub use algorithm::Algorithm;
pub use jwk::{KeySet, KeySetError};
pub use jws::{CompactJws, JwsError};
pub use key::{JoseKey, KeyError, SECRET_BYTES_MIN};

use ledgerstone_proof::canonicalize_quoting;

/// The text as canonical JSON, which [`ledgerstone_model::json`] reads. Objects that repeat a member
/// are refused, since their meaning depends on the reader.
fn canonical(text: &[u8]) -> Option<Vec<u8>> {
    canonicalize_quoting(text).ok().map(|(canonical, _)| canonical)
}
