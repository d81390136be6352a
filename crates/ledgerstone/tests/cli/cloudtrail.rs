//! Real AWS `CloudTrail` logs: imported twice, listed, proved, verified.

use ledgerstone_proof::{TlogProof, VerifierKey, verify_record_proof};
use ledgerstone_testkit::foreign_data;

use crate::commands::assert_chain;
use crate::program::{FIRST_EVENT, Program, number, text};
use crate::proofs::assert_export;

/// Of so many records one is proved, unless all are asked for.
const SAMPLE: usize = 100;

#[test]
fn real_logs_go_in_once_and_every_record_is_proved() {
    let Some(logs) = foreign_data("cloudtrail") else { return };
    let program = Program::new("cloudtrail");
    let import = ["import", "--format", "cloudtrail", logs.to_str().unwrap()];
    let first = program.run(&import).ok().line();
    let count = number(&first, "/recorded");
    assert!(count > 1_000 && number(&first, "/refused") == 0, "{first}");
    let again = program.run(&import).ok().line();
    assert_eq!((number(&again, "/recorded"), number(&again, "/duplicates")), (0, count));
    program.run(&["verify"]).ok();

    let listed = program.run(&["list", "--order", "sequence"]).ok().lines();
    assert_eq!(listed.len() as u64, count + FIRST_EVENT);
    assert_chain(&listed);

    let export = program.run(&["tlog", "export", "out"]).ok().line();
    let vkey = text(&export, "/vkey");
    assert_eq!(assert_export(&program, "out", &vkey), count + FIRST_EVENT);

    let key = VerifierKey::parse(&vkey).unwrap();
    let step = if std::env::var_os("LEDGERSTONE_LONG").is_some() { 1 } else { SAMPLE };
    for line in listed.iter().step_by(step) {
        let id = text(line, "/record/event_id");
        let proof = TlogProof::parse(program.run(&["proof", &id]).ok().bytes()).unwrap();
        let content = program.run(&["get", &id, "--content"]).ok();
        let keys = std::slice::from_ref(&key);
        let proved = verify_record_proof(&proof, keys, Some(content.bytes())).unwrap();
        assert_eq!(proved.header().record_hash().to_hex(), text(line, "/record/record_hash"));
    }
}
