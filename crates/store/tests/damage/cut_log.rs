//! A log that ends before what `HEAD` says is `truncated`, wherever the cut lies.

use ledgerstone_store::embedded::Mode;
use ledgerstone_store::{Check, LedgerStore};

use crate::observed::Observed;
use crate::place::Place;
use crate::torn::assert_writes_are_refused;

/// Cuts the last log file at every frame border, within every frame, and within its header.
#[test]
fn a_cut_file_is_truncated() {
    let place = Place::stopped("cut");
    let (log, borders) = place.last_log();
    let good = place.read_file(&log);
    let last = borders[borders.len() - 1];
    let within = borders.windows(2).flat_map(|pair| [pair[0] + 7, pair[0] + 300, pair[1] - 1]);
    let cuts = borders.iter().copied().chain(within).chain([0, 40]).filter(|cut| *cut < last);
    for cut in cuts {
        place.write_file(&log, &good[..cut]);
        let observed = Observed::of(&place);
        let finding = observed.finding(Check::Truncated);
        assert_eq!(finding.location.file, log, "cut at {cut}");
        let store = place.open(Mode::Write).unwrap();
        assert!(store.report().read_only.is_some(), "cut at {cut}");
        assert!(store.report().torn.is_empty(), "cut at {cut} passes for torn");
        assert_writes_are_refused(&store, &place.chain);
        drop(store);
        assert_eq!(place.read_file(&log), &good[..cut], "opening changes nothing");
    }
}

/// The same with the file keeping its length: zeros where frames were.
#[test]
fn zeros_instead_of_frames_are_truncated() {
    let place = Place::stopped("zeroed");
    let (log, borders) = place.last_log();
    let good = place.read_file(&log);
    for from in &borders[..borders.len() - 1] {
        place.change(&log, |bytes| bytes[*from..].fill(0));
        let finding = Observed::of(&place).finding(Check::Truncated).clone();
        assert_eq!(finding.location.file, log);
        assert!(finding.expected.contains("HEAD"), "{finding:?}");
        place.write_file(&log, &good);
    }
    assert!(Observed::of(&place).is_clean());
}

#[test]
fn a_removed_log_file_is_truncated() {
    let place = Place::stopped("removed");
    let (log, _) = place.last_log();
    std::fs::remove_file(place.path(&log)).unwrap();
    let finding = Observed::of(&place).finding(Check::Truncated).clone();
    assert_eq!(finding.location.file, log);
    let store = place.open(Mode::Write).unwrap();
    assert_writes_are_refused(&store, &place.chain);
}

#[test]
fn all_log_files_removed_are_truncated() {
    let place = Place::stopped("all-removed");
    let (last, _) = place.last_log();
    for log in place.files("log", "log") {
        std::fs::remove_file(place.path(log)).unwrap();
    }
    let finding = Observed::of(&place).finding(Check::Truncated).clone();
    assert_eq!(finding.location.file, last);
    let store = place.open(Mode::Write).unwrap();
    assert!(store.report().read_only.is_some());
}

/// Frames that `HEAD` does not know yet can be lost without a trace in the store: only a receipt
/// shows them. The records before them stay, and the store goes on.
#[test]
fn a_cut_behind_head_loses_only_what_head_does_not_know() {
    let mut place = Place::new("behind-head", 7);
    let store = place.create();
    place.fill(&store, 3);
    // A batch with a checkpoint is covered by HEAD before it is acknowledged.
    let acme = ledgerstone_store::conformance::builder::tenant("acme");
    let batch = place.chain.batch().event(&acme).checkpoint(&acme, false).build();
    store.append(&batch).unwrap();
    let covered = place.chain.clone();
    let (log, borders) = place.last_log();
    let end = *borders.last().unwrap();
    place.write(&store, 2);
    drop(store);
    place.change(&log, |bytes| bytes.truncate(end));
    place.chain = covered;
    let store = place.open(Mode::Read).unwrap();
    assert_eq!(store.status().records, place.chain.record_count());
    drop(store);
    place.assert_sound_and_goes_on();
}

/// One bit wrong in the middle of the logs: nothing behind it is believed.
#[test]
fn a_damaged_middle_ends_what_can_be_read() {
    let place = Place::stopped("middle");
    let (log, borders) = place.last_log();
    let good = place.read_file(&log);
    let [.., before, start, end] = borders[..] else { panic!("too few frames") };
    assert!(before < start);
    place.change(&log, |bytes| bytes[start + 100] ^= 1);
    let observed = Observed::of(&place);
    let finding = observed.finding(Check::Frame);
    assert_eq!((&finding.location.file, finding.location.offset), (&log, start as u64));
    let store = place.open(Mode::Write).unwrap();
    assert!(store.status().records < place.chain.record_count());
    assert_writes_are_refused(&store, &place.chain);
    drop(store);
    // A whole sector gone in the middle is no torn write either: HEAD knows the frame.
    place.write_file(&log, &good);
    place.change(&log, |bytes| bytes[start..end].fill(0));
    let observed = Observed::of(&place);
    assert_eq!(observed.torn, 0);
    assert!(!observed.is_clean());
    assert!(observed.names(&log), "{observed:?}");
}
