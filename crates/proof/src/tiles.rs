//! Static tiles of a log (C2SP tlog-tiles): paths, entry bundles, and the hashes of tiles.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::hash::{Hash, empty_root, node_hash};
use crate::merkle::TreeSize;

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Tree levels that one tile level spans.
pub const TILE_HEIGHT: u8 = 8;

/// Highest tile level.
const MAX_LEVEL: u8 = 63;

/// What is not a tile's path or an entry bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileError {
    /// Not a path of a tile.
    #[error("a tile path has the form tile/<level or entries>/<index>[.p/<width>]")]
    Path,
    /// The level is above 63, or the width not 1 to 256.
    #[error("a tile has a level of at most 63 and a width of 1 to 256")]
    Range,
    /// An entry is longer than its 16-bit length can say.
    #[error("entry {index} is longer than 65,535 bytes")]
    EntryTooLong {
        /// Index within the bundle.
        index: usize,
    },
    /// More entries than a bundle holds.
    #[error("a bundle holds at most 256 entries")]
    TooManyEntries,
    /// A bundle ends within an entry.
    #[error("entry bundle ends within entry {index}")]
    Truncated {
        /// Index within the bundle.
        index: usize,
    },
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of that tile level: entry `i` is the node of tree level `8 × level`.
    Hashes {
        /// 0 to 63.
        level: u8,
    },
    /// The log's entries.
    Entries,
}

/// Place of one tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TilePath {
    /// A tile; a width of 256 is a full one, a smaller one is partial.
    pub const fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, TileError> {
        let level_fits = match kind {
            TileKind::Hashes { level } => level <= MAX_LEVEL,
            TileKind::Entries => true,
        };
        if !level_fits || width == 0 || width > TILE_WIDTH {
            return Err(TileError::Range);
        }
        Ok(Self { kind, index, width })
    }

    /// What the tile holds.
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Index among the tiles of its level.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Number of hashes or entries in it.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it will never change.
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Reads exactly what [`fmt::Display`] writes.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let rest = path.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (kind, rest) = rest.split_once('/').ok_or(TileError::Path)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes {
                level: parse_decimal(level.as_bytes())
                    .and_then(|level| u8::try_from(level).ok())
                    .ok_or(TileError::Path)?,
            },
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((index, width)) => {
                let width = parse_decimal(width.as_bytes())
                    .and_then(|width| u16::try_from(width).ok())
                    .ok_or(TileError::Path)?;
                (index, width)
            }
        };
        let tile = Self::new(kind, parse_index(index).ok_or(TileError::Path)?, width)?;
        // A tile has one spelling: no group of zeros in front, no width on a full one.
        if tile.to_string() != path {
            return Err(TileError::Path);
        }
        Ok(tile)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        write_index(self.index, f)?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for TilePath {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        Self::parse(path)
    }
}

/// Groups of three digits, all but the last led by `x`: 1234067 is `x001/x234/067`.
fn write_index(index: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut groups = vec![index % 1_000];
    let mut rest = index / 1_000;
    while rest > 0 {
        groups.push(rest % 1_000);
        rest /= 1_000;
    }
    for (place, group) in groups.iter().enumerate().rev() {
        match place {
            0 => write!(f, "{group:03}")?,
            _ => write!(f, "x{group:03}/")?,
        }
    }
    Ok(())
}

fn parse_index(text: &str) -> Option<u64> {
    let mut groups = text.split('/').rev();
    let last = groups.next()?;
    let rest = groups.map(|group| group.strip_prefix('x'));
    let mut digits = vec![Some(last)];
    digits.extend(rest);
    digits.iter().rev().try_fold(0_u64, |index, group| {
        let group = group.filter(|group| group.len() == 3)?;
        let value = group.bytes().try_fold(0_u64, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0'))
        })?;
        index.checked_mul(1_000)?.checked_add(value)
    })
}

/// Decimal digits without a leading zero, up to `u64::MAX`.
pub(crate) fn parse_decimal(digits: &[u8]) -> Option<u64> {
    match digits {
        [] | [b'0', _, ..] => None,
        _ => digits.iter().try_fold(0_u64, |value, digit| {
            let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
            value.checked_mul(10)?.checked_add(digit)
        }),
    }
}

/// Every tile of the log at that size: bundles, then hash tiles by level, partial ones last.
pub fn tiles_for_size(size: TreeSize) -> impl Iterator<Item = TilePath> {
    let bundles = tiles_of_level(TileKind::Entries, size.value());
    let levels = (0..TILE_HEIGHT).flat_map(move |level| {
        // A level beyond those of any u64 size is empty.
        let hashes = size.value() >> (u32::from(level) * u32::from(TILE_HEIGHT));
        tiles_of_level(TileKind::Hashes { level }, hashes)
    });
    bundles.chain(levels)
}

fn tiles_of_level(kind: TileKind, count: u64) -> impl Iterator<Item = TilePath> {
    let full = count / u64::from(TILE_WIDTH);
    let partial = u16::try_from(count % u64::from(TILE_WIDTH)).unwrap_or(0);
    let last = (partial > 0).then_some(TilePath { kind, index: full, width: partial });
    (0..full).map(move |index| TilePath { kind, index, width: TILE_WIDTH }).chain(last)
}

/// Root over a row of nodes of one level (RFC 6962 §2.1); over a power of two of them, the node
/// that many levels above. An empty row gives the empty root.
pub fn node_from_tile_row(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [only] => *only,
        _ => {
            let split = (hashes.len() - 1).ilog2();
            let (left, right) = hashes.split_at(1 << split);
            node_hash(&node_from_tile_row(left), &node_from_tile_row(right))
        }
    }
}

/// Up to 256 entries of a log, each led by its length as 16 bits, big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryBundle<'a> {
    entries: Vec<&'a [u8]>,
}

impl<'a> EntryBundle<'a> {
    /// A bundle of these entries.
    pub fn new(entries: Vec<&'a [u8]>) -> Result<Self, TileError> {
        if entries.len() > usize::from(TILE_WIDTH) {
            return Err(TileError::TooManyEntries);
        }
        let too_long = |entry: &&[u8]| entry.len() > usize::from(u16::MAX);
        match entries.iter().position(too_long) {
            Some(index) => Err(TileError::EntryTooLong { index }),
            None => Ok(Self { entries }),
        }
    }

    /// The entries.
    pub fn entries(&self) -> &[&'a [u8]] {
        &self.entries
    }

    /// The bytes of the bundle.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.entries.iter().map(|entry| entry.len() + 2).sum());
        for entry in &self.entries {
            // `new` has seen to the length.
            let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(entry);
        }
        out
    }

    /// Reads the bytes of a bundle.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, TileError> {
        let mut entries = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let index = entries.len();
            if index == usize::from(TILE_WIDTH) {
                return Err(TileError::TooManyEntries);
            }
            let (entry, after) = rest
                .split_first_chunk()
                .and_then(|(length, after)| {
                    after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
                })
                .ok_or(TileError::Truncated { index })?;
            entries.push(entry);
            rest = after;
        }
        Ok(Self { entries })
    }
}

/// The bytes of a hash tile.
pub fn encode_hash_tile(hashes: &[Hash]) -> Vec<u8> {
    let mut out = Vec::with_capacity(hashes.len() * 32);
    for hash in hashes {
        out.extend_from_slice(hash.as_bytes());
    }
    out
}

/// Reads the bytes of a hash tile: 1 to 256 hashes.
pub fn decode_hash_tile(bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
    match bytes.as_chunks::<32>() {
        (hashes @ [_, ..], []) if hashes.len() <= usize::from(TILE_WIDTH) => {
            Ok(hashes.iter().copied().map(Hash::from_bytes).collect())
        }
        _ => Err(TileError::Range),
    }
}
