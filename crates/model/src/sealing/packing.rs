//! Packs what goes into envelopes: short texts, for which making zstd's room costs more than the packing.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// Packs the short texts of an event as well as any level, to a byte or so, and sooner: there are few bytes to
/// work on.
const SHORT_ZSTD_LEVEL: i32 = 1;

const LONG_ZSTD_LEVEL: i32 = 3;

/// Plaintext that an envelope may open to: an event of the greatest size, and its pointers.
const PLAINTEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Longer texts are packed in room of their own, so that threads do not keep much.
const SHORT_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Packs a text into one zstd frame (RFC 8878).
pub(super) fn pack(text: &[u8]) -> io::Result<Vec<u8>> {
    if text.len() > SHORT_BYTES_MAX {
        return zstd::bulk::compress(text, LONG_ZSTD_LEVEL);
    }
    COMPRESSOR.with_borrow_mut(|kept| match kept {
        Some(compressor) => compressor.compress(text),
        None => kept.insert(Compressor::new(SHORT_ZSTD_LEVEL)?).compress(text),
    })
}

/// The text of a frame.
pub(super) fn unpack(frame: &[u8]) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| match kept {
        Some(decompressor) => decompressor.decompress(frame, PLAINTEXT_BYTES_MAX),
        None => kept.insert(Decompressor::new()?).decompress(frame, PLAINTEXT_BYTES_MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::{SHORT_BYTES_MAX, pack, unpack};

    /// The same bytes whoever packed before in this thread, so that a frame tells nothing of others.
    #[test]
    fn a_frame_depends_on_its_text_alone() {
        let texts: Vec<Vec<u8>> =
            [0, 1, 40, 700, 9_000, SHORT_BYTES_MAX, SHORT_BYTES_MAX + 1, 900_000]
                .into_iter()
                .map(|bytes| (0..bytes).map(|at| b"etaoin shrdlu"[at * at % 97 % 13]).collect())
                .collect();
        for text in texts.iter().chain(texts.iter().rev()) {
            let frame = pack(text).unwrap();
            let is_short = text.len() <= SHORT_BYTES_MAX;
            let level = if is_short { super::SHORT_ZSTD_LEVEL } else { super::LONG_ZSTD_LEVEL };
            assert_eq!(frame, zstd::bulk::compress(text, level).unwrap());
            assert_eq!(&unpack(&frame).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_frame_or_too_long_is_not_unpacked() {
        let text = vec![b'a'; super::PLAINTEXT_BYTES_MAX + 1];
        assert!(unpack(&pack(&text).unwrap()).is_err());
        assert!(unpack(b"no frame").is_err());
        assert_eq!(unpack(&pack(b"after a failure").unwrap()).unwrap(), b"after a failure");
    }
}
