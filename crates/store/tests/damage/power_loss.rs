//! Power loss at every operation on a file: whatever of the unsynced sectors and names arrived,
//! everything that was acknowledged is there, and nothing that was never sent.

use std::path::Path;
use std::sync::{Arc, Mutex};

use ledgerstone_store::LedgerStore;
use ledgerstone_store::conformance::ChainBuilder;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::conformance::oracle::{assert_holds, heads_match};
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::embedded::{EmbeddedStore, Mode};
use ledgerstone_testkit::TestDirectory;

use crate::place::{Place, next_batch, options};
use crate::torn::{Unacknowledged, unacknowledged};
use crate::volatile_disk::{Image, VolatileDisk};

/// Set to anything, more batches are written and more images drawn.
const LONG: &str = "LEDGERSTONE_LONG";

/// Opens an image and holds it against what was acknowledged when the power failed.
fn judge(image: &Image, states: &[ChainBuilder]) {
    let directory = TestDirectory::new("image");
    for (path, bytes) in &image.files {
        directory.write(&format!("data/{}", path.display()), bytes);
    }
    let mut place = Place::of_copy(directory, ChainBuilder::new());
    let told = format!("power lost before {} after {} batches", image.before, image.acknowledged);
    let store = place.open(Mode::Write).unwrap_or_else(|error| panic!("{told}: {error}"));
    assert_eq!(store.report().read_only, None, "{told}");
    let held = states[image.acknowledged..].iter().find(|state| heads_match(&store, state));
    let Some(held) = held else {
        panic!("{told}: {} records are held: {:?}", store.status().records, store.report())
    };
    assert_holds(&store, held);
    place.chain = held.clone();
    place.write(&store, 1);
    assert_holds(&store, &place.chain);
}

fn judge_all(images: Vec<Image>, states: &[ChainBuilder]) {
    eprintln!("{} images", images.len());
    assert!(images.len() > 100, "only {} images", images.len());
    let queue = Mutex::new(images);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(image) = queue.lock().unwrap().pop() else { return };
                    judge(&image, states);
                }
            });
        }
    });
}

/// Opens the place on a forgetful disk and writes; every eighth batch brings a checkpoint.
fn write_and_judge(mut place: Place, seed: u64, batches: usize) {
    let disk = Arc::new(VolatileDisk::watch(&place.data(), seed));
    let mut states = vec![place.chain.clone()];
    let files = Files::with_fault(disk.clone());
    let store = place.open_with(Mode::Write, options(), files).unwrap();
    let acme = tenant("acme");
    for round in 0..batches {
        let batch = if round % 8 == 5 {
            place.chain.batch().event(&acme).checkpoint(&acme, round % 16 == 5).build()
        } else {
            next_batch(&mut place.chain)
        };
        states.push(place.chain.clone());
        store.append(&batch).unwrap();
        disk.acknowledge();
    }
    store.wait_until_sealed();
    store.close().unwrap();
    drop(store);
    judge_all(disk.take_images(), &states);
}

fn batches() -> usize {
    if std::env::var_os(LONG).is_some() { 200 } else { 22 }
}

#[test]
fn a_new_directory_survives_power_loss() {
    let place = Place::new("power-new", 7);
    let store: EmbeddedStore = place.create();
    store.close().unwrap();
    drop(store);
    write_and_judge(place, 1, batches());
}

/// The power fails again while a crashed directory is opened, with a torn frame at its end.
#[test]
fn a_crashed_directory_survives_power_loss_again() {
    let Unacknowledged { place, log, end, .. } = unacknowledged("power-again");
    place.change(&log, |bytes| bytes[end - 512..end].fill(0));
    write_and_judge(place, 2, batches() / 2);
}

/// Remembers which directories were synced.
#[derive(Default)]
struct SyncedDirectories(Mutex<Vec<std::path::PathBuf>>);

impl FileFault for SyncedDirectories {
    fn before(&self, _: FileOp, _: &Path) -> std::io::Result<()> {
        Ok(())
    }

    fn after(&self, op: FileOp, path: &Path) -> std::io::Result<()> {
        if op == FileOp::SyncDirectory {
            self.0.lock().unwrap().push(path.to_owned());
        }
        Ok(())
    }
}

/// A new data directory is durable itself, and not only what is in it.
#[test]
fn the_directory_that_holds_a_new_store_is_synced() {
    let place = Place::new("parent", 7);
    let synced = Arc::new(SyncedDirectories::default());
    drop(place.create_with(options(), Files::with_fault(synced.clone())));
    let parent = place.data().parent().unwrap().to_owned();
    assert!(synced.0.lock().unwrap().contains(&parent));
}
