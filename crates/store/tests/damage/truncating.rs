//! The two places where a file is made shorter: bytes behind the blocks of `HEAD`, and zeros of a log
//! that could not be made longer. Neither happens in the fault table, which fails one operation of a
//! sound directory; here each fails, with and without its effect.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ledgerstone_model::ErrorCode;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::Mode;
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::{AppendError, LedgerStore};

use crate::observed::Observed;
use crate::place::{Place, options};

/// While it is armed, files cannot be made shorter, and log files cannot be written to either.
struct NoShorter {
    applied: bool,
    armed: AtomicBool,
    truncations: AtomicU64,
}

impl NoShorter {
    fn new(applied: bool) -> Arc<Self> {
        Arc::new(Self { applied, armed: AtomicBool::new(false), truncations: AtomicU64::new(0) })
    }

    fn arm(&self, armed: bool) {
        self.armed.store(armed, Ordering::Relaxed);
    }

    fn truncations(&self) -> u64 {
        self.truncations.load(Ordering::Relaxed)
    }

    fn judge(&self, op: FileOp, path: &Path, has_happened: bool) -> io::Result<()> {
        let fails = match op {
            FileOp::Truncate => self.applied == has_happened,
            FileOp::Write => !has_happened && path.extension().is_some_and(|name| name == "log"),
            _ => false,
        };
        if !fails || !self.armed.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.truncations.fetch_add(u64::from(op == FileOp::Truncate), Ordering::Relaxed);
        Err(io::Error::other("a planned fault"))
    }
}

impl FileFault for NoShorter {
    fn before(&self, op: FileOp, path: &Path) -> io::Result<()> {
        self.judge(op, path, false)
    }

    fn after(&self, op: FileOp, path: &Path) -> io::Result<()> {
        self.judge(op, path, true)
    }
}

#[test]
fn head_that_cannot_be_made_shorter_keeps_the_writer_out() {
    for applied in [false, true] {
        let mut place = Place::stopped("head-truncate");
        place.change("HEAD", |bytes| bytes.extend_from_slice(b"more"));
        let fault = NoShorter::new(applied);
        fault.arm(true);
        let opened = place.open_with(Mode::Write, options(), Files::with_fault(fault.clone()));
        assert_eq!(opened.err().unwrap().code(), ErrorCode::StorageFailed);
        assert_eq!(fault.truncations(), 1);
        assert_eq!(Observed::of(&place).records, place.chain.record_count());
        place.assert_sound_and_goes_on();
    }
}

#[test]
fn a_log_that_can_be_made_neither_longer_nor_shorter_refuses_and_lives() {
    for applied in [false, true] {
        let mut place = Place::new("log-truncate", 7);
        let fault = NoShorter::new(applied);
        let store = place.create_with(options(), Files::with_fault(fault.clone()));
        place.write(&store, 3);
        let (acme, text) = (tenant("acme"), "x".repeat(60 << 10));
        fault.arm(true);
        let mut unwanted = place.chain.clone();
        let error = store.append(&unwanted.batch().event_saying(&acme, &text).build()).unwrap_err();
        assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
        assert!(fault.truncations() > 0);
        assert_holds(&store, &place.chain);
        fault.arm(false);
        let mut next = place.chain.clone();
        store.append(&next.batch().event_saying(&acme, &text).build()).unwrap();
        place.chain = next;
        place.write(&store, 3);
        assert_holds(&store, &place.chain);
        drop(store);
        place.assert_sound_and_goes_on();
    }
}
