//! Bytes changed by chance behind checksums that are right: whatever the containers say then, nobody
//! who opens, verifies or reads them stumbles, and no record is read that was not written.
//! `LEDGERSTONE_FUZZ_ITERATIONS` makes it longer.

use std::path::Path;

use ledgerstone_proof::SequenceNumber;
use ledgerstone_store::LedgerStore;
use ledgerstone_store::StoredRecord;
use ledgerstone_store::embedded::testing::{
    log_with_changed_frame, segment_with_changed_section, sign_head_of_files,
};
use ledgerstone_store::embedded::{EmbeddedStore, Mode};
use ledgerstone_testkit::{SeededEntropy, fuzz_iterations};

use crate::observed::Observed;
use crate::place::Place;

/// A few bytes become others; numbers that count or point get the values that hurt.
fn change(entropy: &SeededEntropy, bytes: &mut [u8]) {
    for _ in 0..=entropy.below(3) {
        let at = entropy.below(bytes.len().max(1) as u64) as usize;
        match (bytes.get_mut(at), entropy.below(4)) {
            (None, _) => return,
            (Some(byte), 0) => *byte = 0,
            (Some(byte), 1) => *byte = 0x7f,
            (Some(byte), 2) => *byte ^= 1 << entropy.below(8),
            (Some(_), _) => {
                // The longest number that a varint can hold.
                let end = (at + 9).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
        }
    }
}

fn read_everything(place: &Place, store: &EmbeddedStore) -> usize {
    let mut read = 0;
    for tenant in store.ledgers().unwrap_or_default() {
        for record in place.chain.records(&tenant) {
            let number = record.sequence_number;
            drop(store.find(&tenant, &record.event_id));
            if let Ok(found) = store.read(&tenant, number, 1)
                && let Some(found) = found.first()
            {
                // No hash covers a signature; it is verified by itself.
                let signature = record.signature.clone();
                let found = StoredRecord { signature, ..found.clone() };
                assert_eq!(&found, record);
                read += 1;
            }
        }
        drop(store.read(&tenant, SequenceNumber::GENESIS, usize::MAX));
    }
    read
}

#[test]
fn nobody_stumbles_over_what_the_checksums_cover() {
    let mut place = Place::new("hostile", 7);
    let store = place.create();
    place.fill(&store, 2);
    place.write(&store, 3);
    store.close().unwrap();
    drop(store);
    let data = place.data();
    let segments = place.files("segments", "seg");
    let (log, _) = place.last_log();
    let entropy = SeededEntropy::new(0x0057_11e5);
    let (mut opened, mut named, mut read) = (0, 0, 0);
    for round in 0..fuzz_iterations(300) {
        let pick = entropy.below(1 << 20) as usize;
        let in_log = round % 3 == 0;
        let file = if in_log { &log } else { &segments[pick % segments.len()] };
        let by_chance = |bytes: &mut [u8]| change(&entropy, bytes);
        let bytes = if in_log {
            log_with_changed_frame(&data, file, pick, by_chance)
        } else {
            segment_with_changed_section(&data, file, pick, by_chance)
        };
        let (good, head) = (place.read_file(file), place.read_file("HEAD"));
        place.write_file(file, &bytes.unwrap());
        // One that cannot be opened any more is left to the old HEAD.
        drop(sign_head_of_files(&data));
        if let Ok(store) = place.open(Mode::Read) {
            opened += 1;
            read += read_everything(&place, &store);
            named += usize::from(!Observed::of_store(&store).is_clean());
        }
        place.write_file(file, &good);
        place.write_file(Path::new("HEAD"), &head);
    }
    assert!(opened > 0 && named > 0 && read > 0, "{opened} {named} {read}");
    eprintln!("{opened} were opened, the store itself named {named}, {read} records were read");
    place.assert_sound_and_goes_on();
}
