//! The blocks of sealed records that were read last, unpacked.
//!
//! Whoever looks at one record of a block soon looks at its neighbours: a list is read page by
//! page, and events that are sent again come in the order in which they came first. A
//! generation of a segment never changes, so nothing here goes stale.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::shared::lock;
use crate::record::StoredRecord;

/// Blocks kept; of about 64 KiB each, unless single contents are larger.
const BLOCKS_MAX: usize = 128;
/// Contents kept, in bytes.
const BYTES_MAX: usize = 16 << 20;

/// Where a ledger's run of sealed records stands: its segment and its entry in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunPlace {
    pub segment: u32,
    pub generation: u32,
    pub entry: u64,
}

#[derive(Debug)]
struct Block {
    run: RunPlace,
    first: u64,
    bytes: usize,
    records: Arc<Vec<StoredRecord>>,
}

/// The cache; the block used last stands first.
#[derive(Debug, Default)]
pub struct BlockCache(Mutex<VecDeque<Block>>);

impl BlockCache {
    /// The block of a run that holds a number.
    pub fn get(&self, run: RunPlace, number: u64) -> Option<Arc<Vec<StoredRecord>>> {
        let mut blocks = lock(&self.0);
        let place = blocks.iter().position(|block| {
            let end = block.first + block.records.len() as u64;
            block.run == run && (block.first..end).contains(&number)
        })?;
        let block = blocks.remove(place)?;
        let records = block.records.clone();
        blocks.push_front(block);
        Some(records)
    }

    /// Lets go of what was read of a segment.
    pub fn forget(&self, segment: u32) {
        lock(&self.0).retain(|block| block.run.segment != segment);
    }

    /// Keeps a block, contents included.
    pub fn put(&self, run: RunPlace, records: &Arc<Vec<StoredRecord>>) {
        let Some(first) = records.first().map(|record| record.sequence_number.value()) else {
            return;
        };
        let content = |record: &StoredRecord| record.content.as_ref().map_or(0, Vec::len);
        let bytes = records.iter().map(content).sum();
        let mut blocks = lock(&self.0);
        blocks.push_front(Block { run, first, bytes, records: records.clone() });
        while blocks.len() > BLOCKS_MAX
            || blocks.len() > 1 && blocks.iter().map(|block| block.bytes).sum::<usize>() > BYTES_MAX
        {
            blocks.pop_back();
        }
    }
}
