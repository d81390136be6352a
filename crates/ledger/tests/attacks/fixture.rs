//! The committed data directory verifies for ever, or is refused with the way to go on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ledgerstone_ledger::check::{Level, Report};
use ledgerstone_store::embedded::OpenError;

use crate::deployment::Deployment;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/embedded-v1")
}

/// One line per ledger: name, size, root, hash of the last record.
fn heads(report: &Report) -> String {
    let mut text = String::new();
    for ledger in &report.ledgers {
        let (root, last) = (ledger.root.unwrap().to_base64(), ledger.record_hash.unwrap().to_hex());
        writeln!(text, "{} {} {root} {last}", ledger.tenant, ledger.size).unwrap();
    }
    text
}

#[test]
fn the_committed_directory_verifies() {
    let deployment = Deployment::of_copy(&fixture().join("data"));
    let report = match deployment.verified(Level::Full) {
        Ok(report) => report,
        Err(error @ OpenError::UnknownVersion { .. }) => {
            assert!(error.to_string().contains("docs/format.md"), "{error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert!(report.holds(), "{:?}", report.findings);
    let expected = std::fs::read_to_string(fixture().join("heads.txt")).unwrap();
    assert_eq!(heads(&report), expected);
    deployment.append_one_more();
    let after = deployment.verified(Level::Full).unwrap();
    assert!(after.holds(), "{:?}", after.findings);
    assert!(after.records_checked > report.records_checked);
}

#[test]
#[ignore = "writes fixtures/embedded-v1 anew; only for a new version of a container, into a new folder"]
fn writes_the_fixture() {
    let deployment = Deployment::build_small("fixture");
    let report = deployment.verified(Level::Full).unwrap();
    assert!(report.holds(), "{:?}", report.findings);
    // Truth and keys only: what is derived is made again, and empty folders are not kept by git.
    for kept in ["FORMAT", "HEAD", "log", "segments", "keys"] {
        deployment.save(kept, &fixture().join("data"));
    }
    std::fs::write(fixture().join("heads.txt"), heads(&report)).unwrap();
}
