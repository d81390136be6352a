//! A full disk: writes are refused and nothing else happens, reading goes on, and writing resumes
//! when there is room. Needs a small disk of its own, which only root may mount.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledgerstone_model::ErrorCode;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::Mode;
use ledgerstone_store::{AppendError, LedgerStore};

use crate::place::{Place, next_batch, wait_for};

/// A disk of some hundred kilobytes, as long as the value lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, said loudly, where mounting is not allowed.
    fn mount(path: &Path, bytes: usize) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let size = format!("size={bytes}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("\n*** SKIPPED: only root may mount the small disk that this test fills\n");
        }
        mounted.then(|| Self(path.to_owned()))
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[1; 512]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

fn assert_disk_full(error: &AppendError) {
    assert_eq!(error.code(), ErrorCode::DiskFull, "{error}");
    assert!(matches!(error, AppendError::Unavailable { .. }), "{error}");
}

/// Writes until the store refuses; what was refused is not in the chain.
fn write_until_refused(place: &mut Place, store: &dyn LedgerStore) -> usize {
    for written in 0..1_000 {
        let mut next = place.chain.clone();
        match store.append(&next_batch(&mut next)) {
            Ok(()) => place.chain = next,
            Err(error) => {
                assert_disk_full(&error);
                return written;
            }
        }
    }
    panic!("a full disk takes everything")
}

#[test]
fn writing_stops_and_resumes_and_nothing_is_lost() {
    let mut place = Place::new("full-disk", 7);
    let Some(disk) = SmallDisk::mount(&place.data(), 600 << 10) else { return };
    let store = place.create();
    place.fill(&store, 3);
    for _ in 0..2 {
        disk.fill();
        write_until_refused(&mut place, &store);
        assert_holds(&store, &place.chain);
        assert!(!store.status().degraded.is_empty());
        assert!(!store.status().read_only, "a full disk is no damage");
        assert_eq!(write_until_refused(&mut place, &store), 0, "refused again");
        let reader = place.open(Mode::Read).unwrap();
        assert_eq!(reader.report().findings, []);
        drop(reader);
        disk.make_room();
        wait_for("writing to resume", || {
            let mut next = place.chain.clone();
            let taken = store.append(&next_batch(&mut next)).is_ok();
            if taken {
                place.chain = next;
            }
            taken
        });
        place.write(&store, 30);
        store.wait_until_sealed();
        wait_for("the store to be well", || store.status().degraded.is_empty());
        assert_holds(&store, &place.chain);
    }
    drop(store);
    place.assert_sound_and_goes_on();
    drop(disk);
}

/// A batch larger than a log file needs room that was not written ahead: it is refused before
/// anything is written, and the store lives.
#[test]
fn a_batch_beyond_the_room_written_ahead_is_refused() {
    let mut place = Place::new("large-batch", 7);
    let Some(disk) = SmallDisk::mount(&place.data(), 600 << 10) else { return };
    let store = place.create();
    let text = "x".repeat(60 << 10);
    let acme = tenant("acme");
    disk.fill();
    for _ in 0..2 {
        let mut unwanted = place.chain.clone();
        let error = store.append(&unwanted.batch().event_saying(&acme, &text).build()).unwrap_err();
        assert_disk_full(&error);
        place.write(&store, 1);
        assert_holds(&store, &place.chain);
    }
    disk.make_room();
    wait_for("the large batch to be taken", || {
        let mut next = place.chain.clone();
        let taken = store.append(&next.batch().event_saying(&acme, &text).build()).is_ok();
        if taken {
            place.chain = next;
        }
        taken
    });
    assert_holds(&store, &place.chain);
    drop(store);
    place.assert_sound_and_goes_on();
    drop(disk);
}

/// Opening after a crash needs room for a copy of the last log; without it, reading still works.
#[test]
fn a_crashed_directory_on_a_full_disk_can_be_read() {
    let mut place = Place::new("full-opening", 7);
    let Some(disk) = SmallDisk::mount(&place.data(), 400 << 10) else { return };
    let store = place.create();
    place.fill(&store, 3);
    place.write(&store, 3);
    drop(store);
    disk.fill();
    assert_holds(&place.open(Mode::Read).unwrap(), &place.chain);
    let error = place.open(Mode::Write).err().unwrap();
    assert_eq!(error.code(), ErrorCode::DiskFull, "{error}");
    assert_holds(&place.open(Mode::Read).unwrap(), &place.chain);
    disk.make_room();
    place.assert_sound_and_goes_on();
    drop(disk);
}
