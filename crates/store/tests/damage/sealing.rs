//! A log file is given up only for a segment that holds what was acknowledged, and all of it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::embedded::testing::Contents;

use crate::place::{Place, options, wait_for};

/// Changes a byte of every segment once it is synced, at this offset; none when that is zero.
struct LyingDisk(AtomicU64);

impl FileFault for LyingDisk {
    fn before(&self, _: FileOp, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn after(&self, op: FileOp, path: &Path) -> io::Result<()> {
        if op != FileOp::Sync || !path.to_string_lossy().ends_with(".seg.tmp") {
            return Ok(());
        }
        let offset = self.0.load(Ordering::SeqCst);
        if offset > 0 {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            let mut byte = [0];
            file.read_exact_at(&mut byte, offset)?;
            file.write_all_at(&[byte[0] ^ 1], offset)?;
        }
        Ok(())
    }
}

fn is_degraded(store: &dyn LedgerStore, why: &str) -> bool {
    store.status().degraded.iter().any(|trouble| trouble.contains(why))
}

#[test]
fn a_segment_that_the_disk_holds_otherwise_does_not_replace_its_log() {
    // In the header, in the first section, and among the hashes.
    for offset in [20, 700, 2_000] {
        let mut place = Place::new("lying-disk", 3);
        let disk = Arc::new(LyingDisk(AtomicU64::new(offset)));
        let store = place.create_with(options(), Files::with_fault(disk.clone()));
        while store.status().unsealed_logs < 2 {
            place.write(&store, 1);
        }
        wait_for("sealing to be refused", || is_degraded(&store, "other bytes than were written"));
        assert_eq!(store.status().sealed_segments, 0);
        assert_holds(&store, &place.chain);
        disk.0.store(0, Ordering::SeqCst);
        store.wait_until_sealed();
        assert_eq!(store.status().sealed_segments, 1, "the next attempt is a good one");
        assert_holds(&store, &place.chain);
    }
}

#[test]
fn a_log_that_was_changed_with_its_checksums_is_not_given_up() {
    let mut place = Place::new("changed-log", 3);
    let store = place.create();
    place.write(&store, 2);
    let log = store.layout().log(1);
    assert!(log.exists());
    let mut contents = Contents::read(&place.data()).unwrap();
    let batch = &mut contents.batches(0).unwrap()[0];
    let content = &mut batch.ledgers[0].records[0].content;
    let last = content.len() - 3;
    content[last] ^= 1;
    contents.write().unwrap();
    while store.status().unsealed_logs < 2 {
        place.write(&store, 1);
    }
    wait_for("sealing to be refused", || is_degraded(&store, "does not match its content_hash"));
    assert_eq!(store.status().sealed_segments, 0);
    assert!(log.exists(), "the log file is the only good copy of its other records");
}
