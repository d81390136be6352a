//! Writes `HEAD`, and keeps it within a second of what is durable.

use std::time::Instant;

use ledgerstone_proof::{TenantId, empty_root};

use super::files::DataFile;
use super::head_file::{BLOCK_BYTES, HeadState};
use super::shared::{Shared, lock};

/// The open `HEAD` file and the counter of its last block.
pub struct HeadKeeper {
    pub file: Option<DataFile>,
    pub counter: u64,
    /// The last block said that the store was closed in order.
    pub clean: bool,
}

/// Writes one block that covers everything durable at this moment.
///
/// A failure leaves `HEAD` unknown: the caller must stop writing for good.
pub fn write_head(shared: &Shared, clean_stop: bool) -> std::io::Result<()> {
    let mut keeper = lock(&shared.head);
    shared.signals().head_behind = false;
    let counter = keeper.counter + 1;
    let head = snapshot(shared, counter, clean_stop);
    let (Some(file), Some(key)) = (&keeper.file, &shared.key) else {
        return Err(std::io::Error::other("the store is open for reading"));
    };
    let offset = (counter % 2) * BLOCK_BYTES as u64;
    file.write_all_at(&head.encode(&shared.store, key), offset)?;
    file.sync_data()?;
    keeper.counter = counter;
    keeper.clean = clean_stop;
    Ok(())
}

fn snapshot(shared: &Shared, counter: u64, clean_stop: bool) -> HeadState {
    let state = shared.read();
    let system = state.ledgers.get(&TenantId::system());
    HeadState {
        counter,
        clean_stop,
        last_frame: state.frame,
        records: state.records,
        system_size: system.map_or(0, |ledger| ledger.head.size()),
        system_root: system.map_or_else(empty_root, |ledger| ledger.head.range.root()),
        key_generation: state.key_generation,
        segments_digest: state.segments_digest,
    }
}

/// Background thread: writes `HEAD` when it is behind.
pub fn run(shared: &Shared) {
    let interval = shared.options.head_interval;
    let mut last = Instant::now();
    while !shared.stopping() {
        let signals = shared.signals();
        let wait =
            if signals.head_behind { interval.saturating_sub(last.elapsed()) } else { interval };
        if wait.is_zero() {
            drop(signals);
        } else {
            drop(shared.signals.changed.wait_timeout(signals, wait));
        }
        if shared.stopping() || last.elapsed() < interval || !shared.signals().head_behind {
            continue;
        }
        if let Err(error) = write_head(shared, false) {
            super::write::poison(shared, &format!("writing HEAD failed: {error}"));
            return;
        }
        last = Instant::now();
    }
}
