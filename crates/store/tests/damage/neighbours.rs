//! Two processes on one directory: the second writer is refused, and readers beside a living
//! writer see what `HEAD` covers, whatever is sealed under them.

use std::sync::atomic::{AtomicBool, Ordering};

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::SequenceNumber;
use ledgerstone_store::conformance::ChainBuilder;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, OpenError};
use ledgerstone_store::{Batch, LedgerStore};

use crate::observed::Observed;
use crate::place::{Place, next_batch};

#[test]
fn a_second_writer_is_refused() {
    let mut place = Place::new("two-writers", 7);
    let store = place.create();
    place.write(&store, 2);
    let error = place.open(Mode::Write).err().unwrap();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert_eq!(error.code(), ErrorCode::StoreLocked);
    place.write(&store, 2);
    assert_holds(&store, &place.chain);
    drop(store);
    place.assert_sound_and_goes_on();
}

/// A reader looks for a writer by touching its lock; that must not keep a writer out.
#[test]
fn readers_do_not_keep_a_writer_out() {
    let place = Place::crashed("probes");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Only the probe: a whole opening would make collisions rare.
                    let lock = std::fs::File::open(place.path("LOCK")).unwrap();
                    drop(lock.try_lock_shared());
                }
            });
        }
        let refused = (0..40).filter(|_| place.open(Mode::Write).is_err()).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(refused, 0, "openings that readers prevented");
    });
}

#[test]
fn a_reader_sees_what_head_covers() {
    let mut place = Place::new("covered", 7);
    let store = place.create();
    place.fill(&store, 3);
    let acme = tenant("acme");
    let batch = place.chain.batch().event(&acme).checkpoint(&acme, false).build();
    store.append(&batch).unwrap();
    let covered = place.chain.clone();
    place.write(&store, 1);
    let reader = place.open(Mode::Read).unwrap();
    assert!(reader.report().living_writer);
    assert_holds(&reader, &covered);
    assert!(reader.append(&next_batch(&mut place.chain.clone())).is_err());
    drop(reader);
    drop(store);
    // The writer is dead: what it left behind HEAD is shown too.
    let reader = place.open(Mode::Read).unwrap();
    assert!(!reader.report().living_writer);
    assert_holds(&reader, &place.chain);
}

/// All batches of a run, and the records they make.
fn planned(count: usize) -> (Vec<Batch>, ChainBuilder) {
    let mut chain = Place::new("planned", 7).chain;
    let acme = tenant("acme");
    let batches = (0..count).map(|round| {
        if round % 4 == 3 {
            // HEAD moves with each checkpoint.
            return chain.batch().event(&acme).checkpoint(&acme, false).build();
        }
        next_batch(&mut chain)
    });
    (batches.collect(), chain)
}

/// Readers open and read while log files are sealed, renamed, zeroed and used again.
#[test]
fn readers_beside_a_busy_writer_find_nothing_wrong() {
    let place = Place::new("busy", 7);
    let writer = place.create();
    let (batches, all) = planned(240);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..2 {
            let (place, done, all) = (&place, &done, &all);
            scope.spawn(move || {
                let mut openings = 0;
                while !done.load(Ordering::Relaxed) || openings == 0 {
                    read_beside(place, all, reader == 1);
                    openings += 1;
                }
                eprintln!("reader {reader}: {openings} openings");
            });
        }
        let written = batches.into_iter().try_for_each(|batch| {
            std::thread::sleep(std::time::Duration::from_millis(4));
            writer.append(&batch)
        });
        done.store(true, Ordering::Relaxed);
        written.unwrap();
    });
    assert!(writer.status().sealed_segments > 20);
    assert_holds(&writer, &all);
}

/// One opening: everything it shows is as it was written. A patient reader goes on reading while
/// more and more of its logs are sealed.
fn read_beside(place: &Place, all: &ChainBuilder, patient: bool) {
    let store = place.open(Mode::Read).unwrap();
    let report = store.report();
    assert_eq!(report.findings, []);
    assert_eq!(report.torn, []);
    let observed = Observed::of_store(&store);
    assert!(observed.is_clean(), "{observed:?}");
    let rounds = if patient { 12 } else { 1 };
    for _ in 0..rounds {
        read_everything(&store, all);
        if patient {
            std::thread::sleep(std::time::Duration::from_millis(10));
            assert!(Observed::of_store(&store).is_clean());
        }
    }
}

fn read_everything(store: &EmbeddedStore, all: &ChainBuilder) {
    for name in store.ledgers().unwrap() {
        let size = store.head(&name).unwrap().unwrap().size();
        let mut next = 0;
        while next < size {
            let from = SequenceNumber::new(next).unwrap();
            let page = store.read(&name, from, (size - next).min(7) as usize).unwrap();
            assert!(!page.is_empty(), "{name}: nothing at {next} of {size}");
            let end = next as usize + page.len();
            assert_eq!(page, all.records(&name)[next as usize..end]);
            next = end as u64;
        }
        let last = &all.records(&name)[size as usize - 1];
        assert_eq!(store.find(&name, &last.event_id).unwrap(), Some(last.sequence_number));
    }
}
