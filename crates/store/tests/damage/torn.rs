//! A write that was cut short is cut off and told; the same bytes with one bit wrong are damage.

use std::path::Path;

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::sha256;
use ledgerstone_store::conformance::ChainBuilder;
use ledgerstone_store::conformance::builder::tenant;
use ledgerstone_store::conformance::oracle::assert_holds;
use ledgerstone_store::embedded::Mode;
use ledgerstone_store::{Check, LedgerStore};

use crate::observed::Observed;
use crate::place::{Place, next_batch};

/// A crashed directory whose last frame was never acknowledged, and where that frame lies.
pub struct Unacknowledged {
    pub place: Place,
    pub log: std::path::PathBuf,
    pub start: usize,
    pub end: usize,
}

pub fn unacknowledged(name: &str) -> Unacknowledged {
    let mut place = Place::new(name, 7);
    let store = place.create();
    place.fill(&store, 11);
    drop(store);
    let store = place.open(Mode::Write).unwrap();
    let mut unknown: ChainBuilder = place.chain.clone();
    // Long enough that the frame has sectors besides the first and the last, and few enough that
    // it still goes into the same log file.
    let text = "a longer event ".repeat(40);
    let batch = unknown.batch().event_saying(&tenant("acme"), &text);
    store.append(&batch.event_saying(&tenant("other"), &text).build()).unwrap();
    drop(store);
    let (log, borders) = place.last_log();
    let [_, .., start, end] = borders[..] else { panic!("no frame in {}", log.display()) };
    assert!(end - start >= 3 * 512 && start > 512);
    Unacknowledged { place, log, start, end }
}

#[test]
fn a_frame_with_a_zero_sector_is_cut_and_kept_aside() {
    let Unacknowledged { place, log, start, end } = unacknowledged("torn");
    for sector in (start..end).step_by(512) {
        let mut place = place.copy("torn-sector");
        place.change(&log, |bytes| bytes[sector..sector + 512].fill(0));
        let torn_bytes = place.read_file(&log);

        let reader = place.open(Mode::Read).unwrap();
        assert_eq!(reader.report().torn.len(), 1, "sector {sector}");
        assert_eq!(reader.report().torn[0].kept_in, None);
        assert_eq!(reader.report().read_only, None);
        assert_holds(&reader, &place.chain);
        drop(reader);
        assert_eq!(place.read_file(&log), torn_bytes, "reading cuts nothing");

        let store = place.open(Mode::Write).unwrap();
        let report = store.report();
        assert!(report.unclean);
        let [torn] = &report.torn[..] else { panic!("{report:?}") };
        assert_eq!((&torn.file, torn.offset), (&log, start as u64));
        let kept = place.read_file(torn.kept_in.as_ref().unwrap());
        assert_eq!(kept.len() as u64, torn.bytes);
        assert_eq!(sha256(&kept), torn.sha256);
        assert_eq!(kept, torn_bytes[start..start + kept.len()]);
        assert_holds(&store, &place.chain);
        drop(store);
        place.assert_sound_and_goes_on();
    }
}

#[test]
fn a_frame_of_which_only_the_beginning_arrived_is_cut() {
    let Unacknowledged { place, log, start, end } = unacknowledged("beginning");
    for arrived in (start..end).step_by(512) {
        let mut place = place.copy("beginning-only");
        place.change(&log, |bytes| bytes[arrived..end].fill(0));
        place.assert_sound_and_goes_on();
    }
}

/// A whole last frame is taken, although nobody was told: it was written, and may be durable.
#[test]
fn a_whole_last_frame_is_kept() {
    let mut place = Place::crashed("whole");
    let observed = Observed::of(&place);
    assert!(observed.is_clean(), "{observed:?}");
    assert_eq!(observed.records, place.chain.record_count());
    place.assert_sound_and_goes_on();
}

#[test]
fn the_same_frame_with_one_bit_flipped_is_damage() {
    let Unacknowledged { place, log, start, end } = unacknowledged("flipped");
    let place = place.copy("flipped-bit");
    let good = place.read_file(&log);
    for at in (start..end).step_by(61).chain([start, start + 12, end - 1]) {
        place.change(&log, |bytes| bytes[at] ^= 0x20);
        let store = place.open(Mode::Write).unwrap();
        let reason = store.report().read_only.clone().unwrap();
        assert!(reason.contains("frame") && reason.contains(&*log.to_string_lossy()), "{reason}");
        assert!(store.report().torn.is_empty(), "byte {at} passes for torn");
        let finding = &store.report().findings[0];
        assert_eq!(finding.check, Check::Frame);
        assert_eq!((&finding.location.file, finding.location.offset), (&log, start as u64));
        // What lies before it can be read, and nothing can be written.
        assert_eq!(store.status().records, place.chain.record_count());
        assert_writes_are_refused(&store, &place.chain);
        drop(store);
        assert_eq!(place.read_file(&log).len(), good.len());
        place.write_file(&log, &good);
    }
    assert!(place.files("cut", "cut").is_empty(), "damage is not cut");
}

pub fn assert_writes_are_refused(store: &dyn LedgerStore, chain: &ChainBuilder) {
    let refused = store.append(&next_batch(&mut chain.clone())).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::StoreDamaged, "{refused}");
}

/// Torn bytes that are found although the last stop was in order are cut for good, too: nothing of
/// them may lie behind the frames that are written next.
#[test]
fn torn_bytes_after_a_stop_in_order_do_not_come_back() {
    let mut place = Place::stopped("torn-after-stop");
    let (log, borders) = place.last_log();
    let end = *borders.last().unwrap();
    place.change(&log, |bytes| bytes[end + 700] = 0x41);
    let store = place.open(Mode::Write).unwrap();
    assert_eq!(store.report().torn.len(), 1);
    drop(store);
    let after = place.read_file(&log);
    assert!(after[end..].iter().all(|byte| *byte == 0), "torn bytes stay in {}", log.display());
    place.assert_sound_and_goes_on();
}

/// A directory that came without its empty folders can cut, seal and merge all the same.
#[test]
fn folders_that_are_missing_are_made_again() {
    let Unacknowledged { mut place, log, end, .. } = unacknowledged("no-folders");
    place.change(&log, |bytes| bytes[end - 512..end].fill(0));
    for folder in ["cut", "tiles"] {
        std::fs::remove_dir(place.path(folder)).unwrap();
    }
    std::fs::remove_dir_all(place.path("ids")).unwrap();
    let store = place.open(Mode::Write).unwrap();
    assert_eq!(store.report().torn.len(), 1);
    let kept = store.report().torn[0].kept_in.clone().unwrap();
    assert!(kept.starts_with(Path::new("cut")));
    place.fill(&store, 22);
    assert_eq!(store.status().degraded, Vec::<String>::new());
    drop(store);
    place.assert_sound_and_goes_on();
}
