//! Proofs, checkpoints and exported trees, as somebody meets them who has nothing else.

use std::fs;

use ledgerstone_proof::{
    Checkpoint, CompactRange, EntryBundle, TlogProof, VerifierKey, leaf_hash, tiles_for_size,
    verify_record_proof,
};
use serde_json::json;

use crate::program::{Program, flip, names, number, text};

/// Recomputes an exported tree from its entries, and checks its checkpoint.
pub fn assert_export(program: &Program, folder: &str, vkey: &str) -> u64 {
    let place = program.place().join(folder);
    let note = fs::read(place.join("checkpoint")).unwrap();
    let key = VerifierKey::parse(vkey).unwrap();
    let checkpoint = Checkpoint::open(&note, &[key]).unwrap();
    let mut tree = CompactRange::new();
    for tile in tiles_for_size(checkpoint.size()) {
        let bytes = fs::read(place.join(tile.to_string())).unwrap();
        if tile.to_string().starts_with("tile/entries/") {
            for entry in EntryBundle::decode(&bytes).unwrap().entries() {
                tree.push(leaf_hash(entry));
            }
        } else {
            assert_eq!(bytes.len(), 32 * usize::from(tile.width()));
        }
    }
    assert_eq!(tree.tree_size(), checkpoint.size());
    assert_eq!(tree.root(), *checkpoint.root());
    checkpoint.size().value()
}

#[test]
fn a_proof_is_verified_without_the_ledger() {
    let program = Program::new("proof");
    program.append_numbered(0, 20);
    let checkpoint = program.run(&["checkpoint", "--json"]).ok().line();
    assert_eq!(names(&checkpoint), ["note", "origin", "root", "size", "tenant_id", "vkey"]);
    assert_eq!(program.run(&["checkpoint"]).ok().text(), text(&checkpoint, "/note"));
    let key = text(&checkpoint, "/vkey");
    let away = Program::new("away");
    let proof = program.run(&["proof", "e-7"]).ok();
    away.place().write("proof", proof.bytes());
    away.place().write("content", program.run(&["get", "e-7", "--content"]).ok().bytes());
    let verify = ["verify", "--proof", "proof", "--key", &key];
    let run = away.run(&[&verify[..], &["--content", "content"]].concat()).ok();
    for said in ["the proof holds", "default", "e-7", "number        9", "ingested at   2"] {
        assert!(run.text().contains(said), "{run}");
    }
    let proved = away.run(&[&verify[..], &["--json"]].concat()).ok().line();
    assert_eq!(proved["holds"], json!(true));
    assert_eq!(proved["content_checked"], json!(false));
    assert_eq!(number(&proved, "/sequence_number"), 9);
    assert_eq!(number(&proved, "/size"), 22);

    let input = ["verify", "--proof", "-", "--key", &key];
    away.feed(&input, proof.bytes()).ok();
    assert!(away.feed(&input, "x").failed(2, "INVALID_PROOF").errors().contains("standard input:"));

    away.place().write("content", "{}");
    let run = away.run(&[&verify[..], &["--content", "content"]].concat());
    run.failed(1, "PROOF_MISMATCH");
    let other = text(&away.run(&["init"]).ok().line(), "/vkeys/default");
    let run = away.run(&["verify", "--proof", "proof", "--key", &other, "--json"]).ended(1);
    assert_eq!(run.line()["holds"], json!(false));
    let last = proof.bytes().len() - 4;
    flip(&away.place().join("proof"), last);
    assert_ne!(away.run(&verify).status(), 0);
    away.place().write("proof", "c2sp.org/tlog-proof@v1\nindex 1\n");
    away.run(&verify).failed(2, "INVALID_PROOF");
    away.run(&["verify", "--proof", "none", "--key", &key]).failed(2, "INVALID_ARGUMENT");
    program.run(&["proof", "none"]).failed(2, "EVENT_NOT_FOUND");
}

#[test]
fn a_record_without_a_checkpoint_gets_one() {
    let program = Program::new("uncovered");
    program.append_numbered(0, 1);
    // The genesis of `_system` is covered; what the clean stop wrote after that is not.
    let proof = program.run(&["proof", "_1", "--tenant", "_system"]).ok();
    TlogProof::parse(proof.bytes()).unwrap();
    program.run(&["tenants", "create", "acme"]).ok();
    let key = program.run(&["checkpoint", "--json", "--tenant", "acme"]).ok().line();
    let proof = program.run(&["proof", "_0", "--tenant", "acme"]).ok();
    let proof = TlogProof::parse(proof.bytes()).unwrap();
    let key = VerifierKey::parse(&text(&key, "/vkey")).unwrap();
    verify_record_proof(&proof, &[key], None).unwrap();
}

#[test]
fn one_checkpoint_of_the_deployments_own_ledger_stands_for_all() {
    let program = Program::new("anchor");
    program.append_numbered(0, 3);
    let before = program.run(&["checkpoint", "--json", "--tenant", "_system"]).ok().line();
    let key = text(&before, "/vkey");
    let report = program.run(&["verify", "--json", "--key", &key]).ok().line();
    assert_eq!(report["ledgers"][1]["vouched"], report["ledgers"][1]["size"]);
    let again = program.run(&["checkpoint", "--json", "--tenant", "_system"]).ok().line();
    assert_eq!(again, before, "nothing grew, so nothing is written");
}

#[test]
fn a_checkpoint_kept_elsewhere_must_be_extended() {
    let program = Program::new("known");
    program.append_numbered(0, 3);
    let early = program.copy("early");
    program.append_numbered(3, 6);
    let note = program.run(&["checkpoint"]).ok();
    program.place().write("kept.note", note.bytes());
    early.place().write("kept.note", note.bytes());
    program.append_numbered(6, 9);
    program.run(&["verify", "--known", "kept.note"]).ok();
    let run = early.run(&["verify", "--known", "kept.note"]).ended(1);
    assert!(run.text().contains("LEDGER_ROLLED_BACK"), "{run}");
    early.run(&["verify"]).ok();
    early.place().write("broken.note", "x");
    early.run(&["verify", "--known", "broken.note"]).failed(2, "INVALID_PROOF");
}

#[test]
fn an_export_holds_the_whole_tree_and_grows() {
    let program = Program::new("export");
    program.append_numbered(0, 300);
    let export = ["tlog", "export", "out"];
    let first = program.run(&export).ok().line();
    let vkey = text(&first, "/vkey");
    assert_eq!(assert_export(&program, "out", &vkey), 302);
    program.append_numbered(300, 600);
    let second = program.run(&export).ok().line();
    assert!(
        number(&second, "/tiles_written") < number(&first, "/tiles_written") + 5,
        "{first} {second}"
    );
    assert_eq!(assert_export(&program, "out", &vkey), 602);
    program.place().write("mine/file", "x");
    program.run(&["tlog", "export", "mine"]).failed(2, "DATA_DIRECTORY_NOT_EMPTY");
    let other = ["tlog", "export", "out", "--tenant", "_system"];
    program.run(&other).failed(2, "DATA_DIRECTORY_NOT_EMPTY");
}

#[test]
fn a_known_checkpoint_that_is_none_is_the_callers_mistake() {
    let program = Program::new("known-none");
    program.append_numbered(0, 1);
    program.place().write("none.note", "no checkpoint\n");
    program.place().write("binary.note", [0xff, 0xfe]);
    for file in ["none.note", "binary.note", "absent.note", "."] {
        let run = program.run(&["verify", "--known", file]).failed(2, "INVALID_PROOF");
        assert!(run.errors().contains(file), "{run}");
    }
    let other = Program::new("known-other");
    other.append_numbered(0, 1);
    let note = other.run(&["checkpoint"]).ok();
    program.place().write("other.note", note.bytes());
    let run = program.run(&["verify", "--known", "other.note"]).ended(1);
    assert!(run.text().contains("other.note"), "{run}");
}
