//! Proofs and tiles, checked by a script that knows `docs/format.md` and nothing of this program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ledgerstone_testkit::Served;

use crate::program::{Program, text};
use crate::served::{append, plainly};

/// Writes `<id>.proof` and `<id>.content` of a record as a client is given them.
pub fn keep(program: &Program, id: &str) -> PathBuf {
    let content = program.run(&["get", id, "--content"]).ok();
    program.place().write(&format!("{id}.content"), content.bytes());
    program.place().write(&format!("{id}.proof"), program.run(&["proof", id]).ok().bytes())
}

/// Runs the script on a served log and proofs kept before; `None`, after saying so, without a Python.
pub fn run(server: &Served, key: &str, vkey: &str, proofs: &[PathBuf]) -> Option<Output> {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("\n*** SKIPPED: there is no python3 here\n");
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/outside_proof.py");
    let mut python = Command::new("python3");
    python.arg(script).arg(format!("{}/v1/tlog/default", server.url()));
    python.args([key, vkey]).args(proofs).stdin(Stdio::null());
    Some(python.output().unwrap())
}

/// The script agrees with every proof and with the log.
#[track_caller]
pub fn assert_holds(server: &Served, key: &str, vkey: &str, proofs: &[PathBuf]) {
    let Some(output) = run(server, key, vkey, proofs) else { return };
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let expected = format!("{} proofs hold", proofs.len());
    assert!(output.status.success() && said.starts_with(&expected), "{said}\n{errors}");
    if !said.ends_with("signatures too\n") {
        eprintln!("\n*** SKIPPED: there is no openssl 3 here: {said}\n");
    }
}

/// A script that agreed with everything would prove nothing.
#[test]
fn the_script_of_others_sees_what_was_changed() {
    let program = Program::new("outside-proof");
    let server = plainly(&program);
    let key = server.first_key();
    for number in 0..300 {
        assert_eq!(append(&server, &key, &format!("e-{number}")).0, 201);
    }
    server.stop();
    let vkey = text(&program.run(&["checkpoint", "--json"]).ok().line(), "/vkey");
    let proofs = [keep(&program, "e-7"), keep(&program, "e-299")];
    let server = plainly(&program);
    append(&server, &key, "later");
    assert_holds(&server, &key, &vkey, &proofs);
    let proof = std::fs::read_to_string(&proofs[0]).unwrap();
    let content = std::fs::read_to_string(proofs[0].with_extension("content")).unwrap();
    let lines: Vec<&str> = proof.lines().collect();
    let size = lines[lines.len() - 4];
    let changed = [
        proof.replace("index 1", "index 2"),
        proof.replace(lines[3], lines[4]),
        proof.replace(&format!("{}\n", lines[3]), ""),
        proof.replace(&format!("\n{size}\n"), "\n301\n"),
        proof.replacen("extra eyJ", "extra eyK", 1),
    ];
    for other in changed {
        assert_ne!(other, proof);
        let bad = program.place().write("changed.proof", &other);
        program.place().write("changed.content", &content);
        let Some(output) = run(&server, &key, &vkey, &[bad]) else { return };
        assert!(!output.status.success(), "{other}");
    }
    let unsealed = content.replace("$sealed", "$opened");
    let bad = program.place().write("changed.proof", &proof);
    program.place().write("changed.content", format!("{unsealed} "));
    assert!(!run(&server, &key, &vkey, &[bad]).unwrap().status.success());
    server.stop();
}
