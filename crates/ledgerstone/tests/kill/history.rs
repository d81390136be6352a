//! Everything that was said to the outside so far, and the check that it still holds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ledgerstone_testkit::TestDirectory;
use serde_json::Value;

use crate::feeding::{TENANTS, program};

/// Members of a receipt that the record must have, unchanged, for ever.
const SAME: [&str; 7] = [
    "sequence_number",
    "content_hash",
    "previous_hash",
    "record_hash",
    "signature",
    "key_id",
    "ingested_at",
];

/// A data directory, and what was said about it.
pub struct History {
    place: TestDirectory,
    receipts: Vec<Value>,
    checkpoints: Vec<PathBuf>,
}

impl History {
    pub fn begin(name: &str) -> Self {
        let history = Self::empty(name);
        history.run(&["init"]);
        history
    }

    /// A place where somebody else makes the directory.
    pub fn empty(name: &str) -> Self {
        Self { place: TestDirectory::new(name), receipts: Vec::new(), checkpoints: Vec::new() }
    }

    pub fn data(&self) -> PathBuf {
        self.place.join("data")
    }

    pub fn keep_receipts(&mut self, receipts: Vec<Value>) {
        self.receipts.extend(receipts);
    }

    pub fn receipts(&self) -> usize {
        self.receipts.len()
    }

    pub fn checkpoints(&self) -> usize {
        self.checkpoints.len()
    }

    /// Keeps a checkpoint that was shown.
    pub fn keep_checkpoint(&mut self, note: &[u8]) {
        let name = format!("checkpoint-{}", self.checkpoints.len());
        self.checkpoints.push(self.place.write(&name, note));
    }

    /// Runs a command that must succeed.
    pub fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = program(&self.data(), arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {}\n{said}\n{told}", output.status);
        output.stdout
    }

    /// Everything verifies, and extends every checkpoint that was ever shown.
    pub fn assert_verifies(&self, level: &str) {
        let known: Vec<String> =
            self.checkpoints.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let mut arguments = vec!["verify", "--level", level];
        for path in &known {
            arguments.extend(["--known", path]);
        }
        self.run(&arguments);
    }

    /// Every receipt is a record, every ledger is a chain without gaps, and no id is there twice.
    pub fn assert_nothing_taken_back(&self) {
        let mut records: BTreeMap<(String, String), Value> = BTreeMap::new();
        for tenant in TENANTS {
            for record in self.assert_chain(tenant) {
                let id = text(&record, "event_id");
                let before = records.insert((tenant.to_owned(), id.clone()), record);
                assert!(before.is_none(), "{tenant} {id} is there twice");
            }
        }
        for receipt in &self.receipts {
            let (tenant, id) = (text(receipt, "tenant_id"), text(receipt, "id"));
            let record = records.get(&(tenant.clone(), id.clone()));
            let record =
                record.unwrap_or_else(|| panic!("{tenant} {id} was acknowledged: {receipt}"));
            for member in SAME {
                assert_eq!(record[member], receipt[member], "{member} of {tenant} {id}");
            }
        }
    }

    /// How many events clients have sent into the ledgers.
    pub fn events(&self) -> usize {
        let records = TENANTS.iter().flat_map(|tenant| self.assert_chain(tenant));
        records.filter(|record| record["kind"] == "event").count()
    }

    /// The ids of all events for which there are receipts, each with its tenant.
    pub fn acknowledged(&self) -> BTreeSet<(String, String)> {
        let name = |receipt: &Value| (text(receipt, "tenant_id"), text(receipt, "id"));
        self.receipts.iter().map(name).collect()
    }

    /// The records of a ledger, which continue each other from the genesis on.
    fn assert_chain(&self, tenant: &str) -> Vec<Value> {
        if !self.tenants().contains(tenant) {
            return Vec::new();
        }
        let listed =
            self.run(&["list", "--order", "sequence", "--limit", "10000000", "--tenant", tenant]);
        let mut previous = "0".repeat(64);
        let mut records = Vec::new();
        for (number, line) in String::from_utf8(listed).unwrap().lines().enumerate() {
            // The event comes first, and may be long.
            let at = line.rfind(r#","record":"#).unwrap() + r#","record":"#.len();
            let record = line[at..].strip_suffix('}').unwrap();
            let record: Value = serde_json::from_str(record).unwrap();
            assert_eq!(record["sequence_number"], number, "{tenant}");
            assert_eq!(record["previous_hash"], previous.as_str(), "{tenant} {number}");
            previous = text(&record, "record_hash");
            records.push(record);
        }
        records
    }

    fn tenants(&self) -> BTreeSet<String> {
        let listed = String::from_utf8(self.run(&["tenants", "list"])).unwrap();
        let name = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["tenant_id"].as_str().or(line["tenant"].as_str()).map(str::to_owned)
        };
        listed.lines().filter_map(name).collect()
    }

    /// Number of files of sealed segments.
    pub fn segments(&self) -> usize {
        std::fs::read_dir(Path::new(&self.data()).join("segments")).map_or(0, Iterator::count)
    }
}

fn text(value: &Value, member: &str) -> String {
    let found = value[member].as_str();
    found.unwrap_or_else(|| panic!("no text `{member}` in {value}")).to_owned()
}
