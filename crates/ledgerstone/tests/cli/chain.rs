//! The chain is recomputed without our code, by the lines of Python that `docs/format.md` shows.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::Program;

/// Reads listed lines, and makes headers of them as the page says what a header holds.
const READING: &str = r#"
import json, sys
beside = ("record_hash", "signature", "key_id")
records = [json.loads(line)["record"] for line in sys.stdin]
headers = [{name: record[name] for name in record if name not in beside} for record in records]
"#;

/// Compares the last hash that the page's lines come to with the one that was listed.
const COMPARING: &str = r#"
assert previous == records[-1]["record_hash"], previous
print(len(headers))
"#;

/// The lines of Python of the page.
fn shown() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, block) = page.split_once("```python\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

fn recomputed(listed: &[Value]) -> Output {
    let script = format!("{READING}{}{COMPARING}", shown());
    let mut python = Command::new("python3");
    python.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for line in listed {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn ten_lines_of_python_recompute_the_chain() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("\n*** SKIPPED: there is no python3 here\n");
        return;
    }
    let program = Program::new("chain");
    program.append_numbered(0, 30);
    let mut listed = program.run(&["list", "--order", "sequence"]).ok().lines();
    let run = recomputed(&listed);
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && run.stdout == b"32\n", "{told}");
    for (name, value) in [("event_id", "e-999"), ("ingested_at", "2026-01-01T00:00:00.000000Z")] {
        let record = &mut listed[7]["record"];
        let kept = std::mem::replace(&mut record[name], value.into());
        assert!(!recomputed(&listed).status.success(), "a changed {name} is noticed");
        listed[7]["record"][name] = kept;
    }
}
