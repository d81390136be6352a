//! The attacks on records: each changes what was taken apart, and says what it must be named as.

use ledgerstone_ledger::check::Level;
use ledgerstone_proof::{
    Checkpoint, EventId, Hash, IngestedAt, KeyName, Kind, Note, SequenceNumber, Signer, SigningKey,
    sha256,
};
use ledgerstone_store::{Batch, Check};

use crate::deployment::tenant;
use crate::scene::{Home, Scene};

/// One attack: what is done, at what level it must be found, and as what.
pub struct Attack {
    pub name: &'static str,
    pub level: Level,
    pub change: fn(&mut Scene),
    pub check: Check,
    /// The same of a record in a log, where it is named otherwise.
    pub check_in_log: Check,
    /// The record that must be named, counted from the attacked one; `None` where the attack
    /// concerns no single record.
    pub from_attacked: Option<u64>,
}

const fn record(name: &'static str, change: fn(&mut Scene), check: Check, from: u64) -> Attack {
    let from_attacked = Some(from);
    Attack { from_attacked, ..ledger(name, Level::Tree, change, check) }
}

const fn ledger(name: &'static str, level: Level, change: fn(&mut Scene), check: Check) -> Attack {
    Attack { name, level, change, check, check_in_log: check, from_attacked: None }
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

fn stranger() -> SigningKey {
    SigningKey::from_seed([9; 32])
}

/// Attacks on records, all checksums repaired.
pub const ATTACKS: &[Attack] = &[
    record("a byte of a content", |scene| flip(&mut scene.record().content), Check::ContentHash, 0),
    record(
        "a content and its content hash",
        |scene| {
            let record = scene.record();
            flip(&mut record.content);
            record.content_hash = sha256(&record.content);
        },
        Check::RecordHash,
        0,
    ),
    record(
        "an event id",
        |scene| scene.record().event_id = EventId::parse("stranger").unwrap(),
        Check::RecordHash,
        0,
    ),
    record(
        "a time",
        |scene| {
            let record = scene.record();
            record.ingested_at = IngestedAt::from_micros(record.ingested_at.micros() + 1).unwrap();
        },
        Check::RecordHash,
        0,
    ),
    record("a kind", |scene| scene.record().kind = Kind::Audit, Check::RecordHash, 0),
    record(
        "a leaf hash",
        |scene| scene.record().leaf_hash = Hash::from_bytes([7; 32]),
        Check::RecordHash,
        0,
    ),
    record(
        "a record deleted",
        |scene| {
            let at = scene.place.record;
            scene.run().records.remove(at);
        },
        Check::RecordHash,
        0,
    ),
    record(
        "a record inserted",
        |scene| {
            let (at, copy) = (scene.place.record, scene.record().clone());
            scene.run().records.insert(at, copy);
        },
        Check::RecordHash,
        1,
    ),
    record(
        "two records swapped",
        |scene| {
            let at = scene.place.record;
            scene.run().records.swap(at, at + 1);
        },
        Check::RecordHash,
        0,
    ),
    record("the records of two tenants swapped", swap_tenants, Check::RecordHash, 0),
    Attack {
        // A log file has a frame too many, a segment a record in a wrong place.
        check_in_log: Check::Sequence,
        ..ledger("a commit played again", Level::Tree, replay, Check::RecordHash)
    },
    record("a signature taken off", |scene| scene.record().signature = None, Check::Signature, 0),
    Attack {
        level: Level::Full,
        ..record(
            "a byte of a signature",
            |scene| flip(&mut scene.record().signature.as_mut().unwrap().bytes),
            Check::Signature,
            0,
        )
    },
    Attack {
        level: Level::Full,
        ..record(
            "the signature of the record before it",
            |scene| {
                let at = scene.place.record;
                let run = scene.run();
                run.records[at].signature = run.records[at - 1].signature.clone();
            },
            Check::Signature,
            0,
        )
    },
    Attack {
        level: Level::Full,
        ..record(
            "a signature of another key under the name of the right one",
            |scene| {
                let signature = scene.record().signature.as_mut().unwrap();
                signature.bytes = stranger().sign(b"a header").as_bytes().to_vec();
            },
            Check::Signature,
            0,
        )
    },
    record(
        "an event made a system record, all hashes computed again",
        |scene| {
            let number = SequenceNumber::new(scene.number).unwrap();
            let record = scene.record();
            record.kind = Kind::System;
            record.event_id = EventId::for_system(number);
            scene.contents.rehash(&tenant("acme"), None);
        },
        Check::Record,
        0,
    ),
    record(
        "a record under an id that is known, all hashes computed again",
        |scene| {
            let known = scene.contents.find(&tenant("acme"), 1).unwrap();
            let known = scene.contents.run(known).unwrap().records[1].event_id.clone();
            scene.record().event_id = known;
            scene.contents.rehash(&tenant("acme"), None);
        },
        Check::EventId,
        0,
    ),
    Attack {
        level: Level::Full,
        ..record("rewritten to the end, all hashes computed again", rewrite, Check::Signature, 0)
    },
    ledger(
        "rewritten to the end, under the checkpoints alone",
        Level::Tree,
        rewrite,
        Check::Checkpoint,
    ),
    ledger(
        "rewritten to the end and signed with another key",
        Level::Full,
        |scene| {
            rewrite(scene);
            scene.contents.rehash(&tenant("acme"), Some(&stranger()));
        },
        Check::Signature,
    ),
    ledger(
        "a commit deleted, the rest computed again",
        Level::Tree,
        |scene| {
            let place = scene.place;
            scene.batches()[place.batch].ledgers.remove(place.run);
            scene.contents.rehash(&tenant("acme"), None);
        },
        // By the checkpoints: the ledger is shorter than they say.
        Check::Truncated,
    ),
    ledger(
        "all signatures stripped",
        Level::Tree,
        |scene| {
            scene.for_each_run(|run| {
                run.records.iter_mut().for_each(|record| record.signature = None);
            });
        },
        Check::Signature,
    ),
    ledger(
        "a genesis that names another announcement",
        Level::Tree,
        |scene| {
            let named = "\"sequence_number\":1}";
            rewrite_first(scene, named, "\"sequence_number\":2}");
        },
        Check::Record,
    ),
    ledger(
        "a checkpoint forged with another key",
        Level::Tree,
        forge_checkpoint,
        Check::Checkpoint,
    ),
];

fn swap_tenants(scene: &mut Scene) {
    let beta = tenant("beta");
    let mut ours = scene.record().clone();
    let runs = scene.batches().iter_mut().flat_map(|batch| &mut batch.ledgers);
    let theirs = runs.filter(|run| run.tenant == beta).flat_map(|run| &mut run.records);
    // The last of theirs: a log is read up to its first damage.
    std::mem::swap(&mut ours, theirs.last().unwrap());
    *scene.record() = ours;
}

fn replay(scene: &mut Scene) {
    let copy = scene.run().clone();
    if scene.home == Home::Log {
        scene.batches().push(Batch { ledgers: vec![copy], ..Batch::default() });
    } else {
        scene.batches()[0].ledgers.push(copy);
    }
}

fn rewrite(scene: &mut Scene) {
    let content =
        br#"{"event":{"event_type":"user.login","id":"other"},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}"#;
    scene.record().content = content.to_vec();
    scene.contents.rehash(&tenant("acme"), None);
}

/// Changes the text of the ledger's genesis, and computes all hashes again.
fn rewrite_first(scene: &mut Scene, from: &str, to: &str) {
    let acme = tenant("acme");
    let place = scene.contents.find(&acme, 0).unwrap();
    let genesis = &mut scene.contents.run(place).unwrap().records[place.record];
    let text = String::from_utf8(genesis.content.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    genesis.content = text.replacen(from, to, 1).into_bytes();
    scene.contents.rehash(&acme, None);
}

/// Replaces the signature of every checkpoint of the ledger that the container of the attacked
/// record, or a later one, keeps.
fn forge_checkpoint(scene: &mut Scene) {
    let acme = tenant("acme");
    let from = if scene.home == Home::Segment { 0 } else { scene.place.container };
    for container in from..scene.contents.count() {
        let batches = scene.contents.batches(container).unwrap().iter_mut();
        let kept = batches.flat_map(|batch| &mut batch.checkpoints);
        for kept in kept.filter(|kept| kept.tenant == acme) {
            let parsed = Note::parse(kept.note.as_bytes()).unwrap();
            let body = Checkpoint::parse_body(parsed.text()).unwrap();
            let name = KeyName::parse(body.origin()).unwrap();
            kept.note = body.sign(&Signer::new(name, stranger()));
        }
    }
}
