//! The six file pairs of cyberphone/json-canonicalization (RFC 8785, author's test data).

use ledgerstone_proof::{canonicalize, canonicalize_lenient};

use crate::support::{bytes_of_hex, file_name, files_below, foreign, read, read_text};

#[test]
fn golden_files() {
    let Some(root) = foreign("jcs") else { return };
    let inputs = files_below(&root.join("input"));
    assert_eq!(inputs.len(), 6);
    for input in inputs {
        let name = file_name(&input).to_owned();
        let output = read(&root.join("output").join(&name));
        let hex = read_text(&root.join("outhex").join(name.replace(".json", ".txt")));
        let hex: String = hex.split_whitespace().collect();
        let found = canonicalize_lenient(&read(&input)).expect(&name);
        assert_eq!(found, output, "{name}");
        assert_eq!(found, bytes_of_hex(&hex), "{name}");
        // Two of them hold numbers of magnitude beyond 2^53 - 1, or a decimal that changes.
        match name.as_str() {
            "arrays.json" | "french.json" | "structures.json" | "unicode.json" | "weird.json" => {
                assert_eq!(canonicalize(&read(&input)).expect(&name), output, "{name}");
            }
            _ => {
                canonicalize(&read(&input)).expect_err(&name);
            }
        }
    }
}
