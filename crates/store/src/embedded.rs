//! The embedded store: one directory, no other server.
//!
//! Truth is an append-only log of group commits and, once a log file is full, a sealed segment
//! made from it; `HEAD` says how far both go. Everything else in the directory is derived.
//! `docs/format.md` draws every byte.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "offsets and counts of files are bounded by the limits of a log file, and `usize` has \
              64 bits, which the assertion below makes sure of; zigzag numbers wrap on purpose"
)]

mod active;
mod behind;
mod binding;
mod block_cache;
mod codec;
pub mod files;
mod forgery;
mod format_file;
mod frame;
mod head_file;
mod head_keeper;
mod ids;
mod idx;
mod layout;
mod load;
mod log_file;
mod open;
mod payload;
mod prepare;
mod read;
mod replay;
mod retention;
mod seal;
mod sealed_load;
mod segment;
mod segment_list;
mod shared;
mod sizes;
mod store;
mod store_key;
mod suspect;
mod take_over;
#[cfg(feature = "conformance")]
pub mod testing;
mod tree;
mod unfinished;
mod verify;
mod write;
mod writer_lock;

use std::fmt;

/// Files are addressed with `usize`.
const _: () = assert!(usize::BITS == 64);

pub use layout::Layout;
pub use open::{Mode, OpenError, OpeningReport, TornTail};
pub use shared::Options;
pub use sizes::SealedSizes;
pub use store::EmbeddedStore;
pub use unfinished::may_begin;

/// Identity of a store: 128 random bits, drawn when it is created.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId([u8; 16]);

impl StoreId {
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 lower-case hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut bytes = [0; 16];
        for (place, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            *place = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({self})")
    }
}
