//! The 318 parsing cases of nst/JSONTestSuite.

use ledgerstone_proof::{CanonFault, canonicalize, canonicalize_lenient, canonicalize_quoting};

use crate::support::{file_name, files_below, foreign, read};

#[test]
fn parsing_cases() {
    let Some(root) = foreign("json") else { return };
    let files = files_below(&root.join("test_parsing"));
    assert_eq!(files.len(), 318);
    for file in files {
        let (name, text) = (file_name(&file), read(&file));
        let (strict, lenient) = (canonicalize(&text), canonicalize_lenient(&text));
        if name.starts_with("y_object_duplicated_key") {
            // The suite accepts them; a canonical form must not.
            assert_eq!(strict.expect_err(name).fault, CanonFault::DuplicateKey, "{name}");
            assert_eq!(lenient.expect_err(name).fault, CanonFault::DuplicateKey, "{name}");
        } else if name.starts_with("y_") {
            let canonical = lenient.expect(name);
            assert_eq!(canonicalize_lenient(&canonical).expect(name), canonical, "{name}");
            canonicalize_quoting(&text).expect(name);
        } else if name.starts_with("n_") {
            strict.expect_err(name);
            lenient.expect_err(name);
            canonicalize_quoting(&text).expect_err(name);
        }
        // Of the i_ cases either answer is right: to come this far without a panic is the test.
    }
}

#[test]
fn depth_is_bounded_without_recursion() {
    for depth in [100_000, 1_000_000] {
        let text = "[".repeat(depth);
        assert_eq!(canonicalize(text.as_bytes()).expect_err("deep").offset, 64);
        assert_eq!(canonicalize_lenient(text.as_bytes()).expect_err("deep").offset, 1024);
    }
    for (depth, fine) in [(1024, true), (1025, false)] {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(canonicalize_lenient(text.as_bytes()).is_ok(), fine, "{depth}");
    }
}
