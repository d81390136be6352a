//! What somebody with the disk in their hands may do to a ledger, and that it is found and named.
//!
//! Each attack changes the records of a closed deployment, as a clever attacker would: whatever the
//! store computes from them is computed again. Findings are few, and the first cause is among them.

mod announcements;
mod closing;
mod retention;

use ledgerstone_ledger::check::{Level, Report, VerifyOptions};
use ledgerstone_model::system::SigningMode;
use ledgerstone_proof::{
    CompactRange, EventId, Hash, HeaderFields, IngestedAt, KeyId, Kind, SequenceNumber, SigningKey,
    TenantId, leaf_hash, record_hash, sha256,
};
use ledgerstone_store::memory::{Commit, Record, Run};
use ledgerstone_store::{Check, Head, RecordSignature};

use crate::rig::{Rig, lines, report_of, tenant};

/// Findings that one attack may cause.
const FEW: usize = 4;

/// A deployment with two tenants, records in commits of one and of many, checkpoints and anchors.
fn deployment() -> Rig {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    for round in 0..4 {
        for name in ["acme", "beta"] {
            ledger.append(rig.events(name, &format!("many{round}-"), 6)).unwrap();
            ledger.append(rig.events(name, &format!("one{round}-"), 1)).unwrap();
        }
        if round == 1 {
            ledger.checkpoint(&tenant("acme")).unwrap();
            ledger.anchor().unwrap();
        }
    }
    ledger.checkpoint(&tenant("acme")).unwrap();
    ledger.close().unwrap();
    rig.assert_sound();
    rig
}

/// The deployment's records after an attack.
struct Scene<'a> {
    commits: &'a mut Vec<Commit>,
}

impl Scene<'_> {
    fn runs(&mut self, name: &str) -> impl Iterator<Item = &mut Run> {
        let tenant = tenant(name);
        let runs = self.commits.iter_mut().flat_map(|commit| &mut commit.runs);
        runs.filter(move |run| run.tenant == tenant)
    }

    fn run_of(&mut self, name: &str, number: u64) -> &mut Run {
        let holds = |run: &&mut Run| (run.first..run.head.size()).contains(&number);
        self.runs(name).find(holds).unwrap()
    }

    fn record(&mut self, name: &str, number: u64) -> &mut Record {
        let run = self.run_of(name, number);
        let at = usize::try_from(number - run.first).unwrap();
        &mut run.records[at]
    }

    /// Makes everything that a store keeps beside the records agree with them, from a number on:
    /// hashes, claims, heads; and, with a key, the signatures.
    fn recompute(&mut self, name: &str, key: Option<&SigningKey>) {
        let mut range = CompactRange::new();
        let mut previous = Hash::ZERO;
        for run in self.runs(name) {
            run.first = range.size();
            run.previous_hash = previous;
            run.range_before = range.hashes().to_vec();
            let mut last = None;
            for record in &mut run.records {
                if let Some(content) = &record.content {
                    record.content_hash = sha256(content);
                }
                let mut header = Vec::new();
                HeaderFields {
                    content_hash: &record.content_hash,
                    event_id: record.event_id.as_str(),
                    ingested_at: record.ingested_at,
                    kind: record.kind,
                    previous_hash: &previous,
                    sequence_number: SequenceNumber::new(range.size()).unwrap(),
                    tenant_id: run.tenant.as_str(),
                }
                .write_canonical(&mut header);
                record.leaf_hash = leaf_hash(&header);
                previous = record_hash(&header);
                range.push(record.leaf_hash);
                last = Some(record.ingested_at);
                if let (Some(key), Some(signature)) = (key, &mut record.signature) {
                    signature.bytes = key.sign(&header).as_bytes().to_vec();
                }
            }
            run.head = Head { range: range.clone(), record_hash: previous, ingested_at: last };
        }
    }
}

/// What an attack must be named as: the check, the ledger, and the record where one is given.
struct Named(Check, &'static str, Option<u64>);

struct Attack {
    name: &'static str,
    level: Level,
    change: fn(&mut Scene<'_>),
    named: Named,
}

const fn attack(name: &'static str, change: fn(&mut Scene<'_>), named: Named) -> Attack {
    Attack { name, level: Level::Tree, change, named }
}

const fn with_signatures(name: &'static str, change: fn(&mut Scene<'_>), named: Named) -> Attack {
    Attack { name, level: Level::Full, change, named }
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

fn other_hash(hash: &mut Hash) {
    let mut bytes = *hash.as_bytes();
    flip(&mut bytes);
    *hash = Hash::from_bytes(bytes);
}

fn later(at: IngestedAt, micros: i64) -> IngestedAt {
    IngestedAt::from_micros(at.micros() + micros).unwrap()
}

fn rewrite(scene: &mut Scene<'_>, number: u64) {
    let content =
        br#"{"event":{"event_type":"user.login","id":"other"},"salt":"AAAAAAAAAAAAAAAAAAAAAA"}"#;
    scene.record("acme", number).content = Some(content.to_vec());
    scene.recompute("acme", None);
}

/// The attacks on single records, on runs of them, and on what stands beside them.
const ATTACKS: &[Attack] = &[
    attack(
        "a byte of a content",
        |scene| flip(scene.record("acme", 10).content.as_mut().unwrap()),
        Named(Check::ContentHash, "acme", Some(10)),
    ),
    attack(
        "a byte of the last content",
        |scene| flip(scene.record("acme", 28).content.as_mut().unwrap()),
        Named(Check::ContentHash, "acme", Some(28)),
    ),
    attack(
        "a content hash",
        |scene| other_hash(&mut scene.record("acme", 10).content_hash),
        Named(Check::ContentHash, "acme", Some(10)),
    ),
    attack(
        "a content with its content hash",
        |scene| {
            let record = scene.record("acme", 10);
            flip(record.content.as_mut().unwrap());
            record.content_hash = sha256(record.content.as_ref().unwrap());
        },
        Named(Check::RecordHash, "acme", Some(10)),
    ),
    attack(
        "an event id",
        |scene| scene.record("acme", 9).event_id = EventId::parse("stranger").unwrap(),
        Named(Check::RecordHash, "acme", Some(9)),
    ),
    attack(
        "a time",
        |scene| {
            let record = scene.record("acme", 9);
            record.ingested_at = later(record.ingested_at, 1);
        },
        Named(Check::RecordHash, "acme", Some(9)),
    ),
    attack(
        "a kind",
        |scene| scene.record("acme", 9).kind = Kind::Audit,
        Named(Check::RecordHash, "acme", Some(9)),
    ),
    attack(
        "a leaf hash",
        |scene| other_hash(&mut scene.record("acme", 9).leaf_hash),
        Named(Check::RecordHash, "acme", Some(9)),
    ),
    attack(
        "the leaf hash of a run's last record",
        |scene| other_hash(&mut scene.record("acme", 14).leaf_hash),
        Named(Check::RecordHash, "acme", Some(14)),
    ),
    attack(
        "two records in each other's place",
        |scene| scene.run_of("acme", 9).records.swap(1, 3),
        Named(Check::RecordHash, "acme", Some(9)),
    ),
    attack(
        "a record taken out",
        |scene| drop(scene.run_of("acme", 9).records.remove(1)),
        Named(Check::RecordHash, "acme", Some(9)),
    ),
    attack(
        "a record slipped in",
        |scene| {
            let run = scene.run_of("acme", 9);
            let copy = run.records[1].clone();
            run.records.insert(1, copy);
        },
        Named(Check::RecordHash, "acme", Some(10)),
    ),
    attack(
        "a commit taken out",
        |scene| {
            let tenant = tenant("acme");
            let holds = |commit: &Commit| {
                commit.runs.iter().any(|run| run.tenant == tenant && run.first == 7)
            };
            let at = scene.commits.iter().position(holds).unwrap();
            scene.commits.remove(at);
        },
        Named(Check::Sequence, "acme", Some(7)),
    ),
    attack(
        "a commit played twice",
        |scene| {
            let tenant = tenant("acme");
            let holds = |commit: &&Commit| {
                commit.runs.iter().any(|run| run.tenant == tenant && run.first == 7)
            };
            let copy = scene.commits.iter().find(holds).unwrap().clone();
            scene.commits.push(copy);
        },
        Named(Check::Sequence, "acme", Some(7)),
    ),
    attack(
        "records of two tenants in each other's place",
        |scene| {
            let theirs = std::mem::take(&mut scene.run_of("beta", 9).records);
            let ours = std::mem::replace(&mut scene.run_of("acme", 9).records, theirs);
            scene.run_of("beta", 9).records = ours;
        },
        Named(Check::RecordHash, "acme", Some(8)),
    ),
    attack(
        "the hash that a run says it follows",
        |scene| other_hash(&mut scene.run_of("acme", 9).previous_hash),
        Named(Check::PreviousHash, "acme", Some(8)),
    ),
    attack(
        "the record hash that a run says its last record has",
        |scene| other_hash(&mut scene.run_of("acme", 9).head.record_hash),
        Named(Check::RecordHash, "acme", Some(13)),
    ),
    attack(
        "the tree that a run says it continues",
        |scene| other_hash(&mut scene.run_of("acme", 9).range_before[0]),
        Named(Check::MerkleRoot, "acme", Some(8)),
    ),
    attack(
        "everything from a record on, all hashes computed again",
        |scene| rewrite(scene, 20),
        Named(Check::Checkpoint, "acme", Some(15)),
    ),
    with_signatures(
        "everything from a record on, signatures left",
        |scene| rewrite(scene, 20),
        Named(Check::Signature, "acme", Some(20)),
    ),
    with_signatures(
        "everything from a record on, signed with another key",
        |scene| {
            rewrite(scene, 20);
            scene.recompute("acme", Some(&SigningKey::from_seed([9; 32])));
        },
        Named(Check::Signature, "acme", Some(0)),
    ),
    attack(
        "a record signed under another key's name",
        |scene| {
            let stranger = SigningKey::from_seed([9; 32]);
            let key_id = KeyId::ed25519(&stranger.verifying_key());
            scene.record("acme", 9).signature =
                Some(RecordSignature { key_id, bytes: vec![7; 64] });
        },
        Named(Check::Signature, "acme", Some(9)),
    ),
    with_signatures(
        "a byte of a signature",
        |scene| flip(&mut scene.record("acme", 9).signature.as_mut().unwrap().bytes),
        Named(Check::Signature, "acme", Some(9)),
    ),
    attack(
        "a signature taken off",
        |scene| scene.record("acme", 9).signature = None,
        Named(Check::Signature, "acme", Some(9)),
    ),
    attack(
        "all signatures taken off",
        |scene| {
            for run in scene.runs("acme") {
                run.records.iter_mut().for_each(|record| record.signature = None);
            }
        },
        Named(Check::Signature, "acme", Some(1)),
    ),
    attack(
        "the tail cut off",
        |scene| {
            let tenant = tenant("acme");
            for commit in scene.commits.iter_mut() {
                commit.runs.retain(|run| run.tenant != tenant || run.first < 22);
            }
        },
        Named(Check::Truncated, "acme", Some(22)),
    ),
    attack(
        "the tail of a ledger without checkpoints of its own cut off",
        |scene| {
            let tenant = tenant("beta");
            for commit in scene.commits.iter_mut() {
                commit.runs.retain(|run| run.tenant != tenant || run.first < 22);
            }
        },
        Named(Check::Truncated, "beta", Some(22)),
    ),
    attack(
        "a whole ledger taken away",
        |scene| {
            let tenant = tenant("beta");
            scene
                .commits
                .iter_mut()
                .for_each(|commit| commit.runs.retain(|run| run.tenant != tenant));
        },
        Named(Check::Truncated, "beta", Some(0)),
    ),
    attack(
        "an event made a system record, all hashes computed again",
        |scene| {
            let record = scene.record("acme", 9);
            record.kind = Kind::System;
            record.event_id = EventId::for_system(SequenceNumber::new(9).unwrap());
            scene.recompute("acme", None);
        },
        Named(Check::Record, "acme", Some(9)),
    ),
    attack(
        "the content of a system record dropped",
        |scene| scene.record("acme", 0).content = None,
        Named(Check::Record, "acme", Some(0)),
    ),
    attack(
        "a time put before the one before, all hashes computed again",
        |scene| {
            let record = scene.record("acme", 9);
            record.ingested_at = later(record.ingested_at, -1_000_000);
            scene.recompute("acme", None);
        },
        Named(Check::Record, "acme", Some(9)),
    ),
    attack(
        "a record under an id that is known, all hashes computed again",
        |scene| {
            let known = scene.record("acme", 3).event_id.clone();
            scene.record("acme", 26).event_id = known;
            scene.recompute("acme", None);
        },
        Named(Check::EventId, "acme", Some(26)),
    ),
    attack(
        "another ledger's genesis",
        |scene| {
            let theirs = scene.record("beta", 0).clone();
            *scene.record("acme", 0) = theirs;
            scene.recompute("acme", None);
        },
        Named(Check::Record, "acme", Some(0)),
    ),
    attack(
        "sizes behind an anchor taken away",
        |scene| scene.commits.iter_mut().for_each(|commit| commit.anchored.clear()),
        Named(Check::Checkpoint, "_system", None),
    ),
    attack(
        "a size behind an anchor",
        |scene| {
            let mut rounds = scene.commits.iter_mut().flat_map(|commit| &mut commit.anchored);
            rounds.next().unwrap().sizes[0].1 -= 1;
        },
        Named(Check::Checkpoint, "acme", None),
    ),
    attack(
        "a ledger without checkpoints of its own rewritten",
        |scene| {
            flip(scene.record("beta", 3).content.as_mut().unwrap());
            scene.recompute("beta", None);
        },
        Named(Check::Checkpoint, "beta", None),
    ),
    attack(
        "a checkpoint signed with another key",
        |scene| {
            let checkpoint =
                scene.commits.iter_mut().flat_map(|commit| &mut commit.checkpoints).next().unwrap();
            let parsed = ledgerstone_proof::Note::parse(checkpoint.note.as_bytes()).unwrap();
            let body = ledgerstone_proof::Checkpoint::parse_body(parsed.text()).unwrap();
            let name = ledgerstone_proof::KeyName::parse(body.origin()).unwrap();
            let signer = ledgerstone_proof::Signer::new(name, SigningKey::from_seed([9; 32]));
            checkpoint.note = body.sign(&signer);
        },
        Named(Check::Checkpoint, "acme", None),
    ),
    attack(
        "a checkpoint of another ledger",
        |scene| {
            let checkpoints = || scene.commits.iter().flat_map(|commit| &commit.checkpoints);
            let system = checkpoints().find(|kept| kept.tenant.is_system()).unwrap().note.clone();
            let acme = tenant("acme");
            let mut kept = scene.commits.iter_mut().flat_map(|commit| &mut commit.checkpoints);
            kept.find(|kept| kept.tenant == acme).unwrap().note = system;
        },
        Named(Check::Checkpoint, "acme", None),
    ),
];

fn all_attacks() -> impl Iterator<Item = &'static Attack> {
    ATTACKS.iter().chain(announcements::ATTACKS)
}

fn verified(rig: &Rig, level: Level) -> Report {
    report_of(&*rig.store, &VerifyOptions::new(level, 2))
}

fn is_named(report: &Report, Named(check, name, number): &Named) -> bool {
    report.findings.iter().any(|finding| {
        finding.check == *check
            && finding.tenant.as_ref().map(TenantId::as_str) == Some(name)
            && (number.is_none() || finding.sequence_number == *number)
    })
}

#[test]
fn every_attack_is_found_and_named() {
    for attack in all_attacks() {
        let rig = deployment();
        rig.store.tamper(|commits| (attack.change)(&mut Scene { commits }));
        let report = verified(&rig, attack.level);
        let found = lines(&report);
        println!("{}:\n{found}\n", attack.name);
        assert!(is_named(&report, &attack.named), "{} is not named:\n{found}", attack.name);
        assert!(report.findings.len() <= FEW, "{} floods:\n{found}", attack.name);
    }
}

#[test]
fn what_is_found_at_level_tree_is_found_at_level_full() {
    for attack in all_attacks().filter(|attack| attack.level == Level::Tree) {
        let rig = deployment();
        rig.store.tamper(|commits| (attack.change)(&mut Scene { commits }));
        let report = verified(&rig, Level::Full);
        assert!(is_named(&report, &attack.named), "{}:\n{}", attack.name, lines(&report));
    }
}

#[test]
fn a_damaged_record_says_how_many_could_not_be_checked() {
    let rig = deployment();
    rig.store.tamper(|commits| {
        let mut scene = Scene { commits };
        scene.record("acme", 9).event_id = EventId::parse("stranger").unwrap();
    });
    let report = verified(&rig, Level::Tree);
    assert_eq!(report.findings.len(), 1, "{}", lines(&report));
    // The run holds the records 8 to 13.
    assert_eq!(report.findings[0].following, 4);
}

#[test]
fn all_damaged_records_of_a_ledger_are_named() {
    let rig = deployment();
    let damaged = [2, 5, 7, 12, 28];
    rig.store.tamper(|commits| {
        let mut scene = Scene { commits };
        for number in damaged {
            flip(scene.record("acme", number).content.as_mut().unwrap());
        }
    });
    let report = verified(&rig, Level::Full);
    let named: Vec<u64> =
        report.findings.iter().map(|finding| finding.sequence_number.unwrap()).collect();
    assert_eq!(named, damaged, "{}", lines(&report));
}

#[test]
fn findings_are_told_to_people_and_to_programs() {
    let rig = deployment();
    rig.store.tamper(|commits| {
        flip(Scene { commits }.record("acme", 10).content.as_mut().unwrap());
    });
    let report = verified(&rig, Level::Tree);
    let line = report.findings[0].to_line();
    assert!(line.starts_with("content_hash: ledger acme record 10: the content is not"), "{line}");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(json["holds"], false);
    assert_eq!(json["findings"][0]["check"], "content_hash");
    assert_eq!(json["findings"][0]["sequence_number"], 10);
    assert_eq!(json["ledgers"][1]["tenant"], "acme");
}

/// A deployment whose one busy ledger lies in several parts of the store, as many sealed files do.
fn many_parts() -> Rig {
    let mut rig = Rig::new();
    rig.settings.signing = SigningMode::Checkpoint;
    let ledger = rig.create(&["acme"]);
    for n in 0..2_100 {
        ledger.append(rig.events("acme", &format!("n{n}-"), 1)).unwrap();
    }
    ledger.close().unwrap();
    rig.assert_sound();
    rig
}

#[test]
fn attacks_at_the_borders_of_parts_are_found() {
    type Change = fn(&mut Scene<'_>);
    // The genesis of _system, the tenant, its genesis: the record 998 lies in the thousandth commit.
    let first_of_part = 998;
    let changes: [(Change, Check, u64); 4] = [
        (
            |scene| other_hash(&mut scene.run_of("acme", 998).previous_hash),
            Check::PreviousHash,
            first_of_part,
        ),
        (
            |scene| other_hash(&mut scene.run_of("acme", 998).range_before[0]),
            Check::MerkleRoot,
            first_of_part,
        ),
        (
            |scene| {
                scene.commits.retain(|commit| {
                    commit.runs.iter().all(|run| run.tenant != tenant("acme") || run.first != 998)
                });
            },
            Check::Sequence,
            first_of_part,
        ),
        (
            |scene| {
                let copy = scene.commits[900].clone();
                scene.commits.push(copy);
            },
            Check::Sequence,
            898,
        ),
    ];
    let rig = many_parts();
    let mut original = Vec::new();
    rig.store.tamper(|commits| original.clone_from(commits));
    for (change, check, number) in changes {
        rig.store.tamper(|commits| {
            commits.clone_from(&original);
            change(&mut Scene { commits });
        });
        for threads in [1, 4] {
            let report = report_of(&*rig.store, &VerifyOptions::new(Level::Tree, threads));
            let named = Named(check, "acme", Some(number));
            assert!(is_named(&report, &named), "{check} {number}:\n{}", lines(&report));
            assert!(report.findings.len() <= FEW, "{}", lines(&report));
        }
    }
}
