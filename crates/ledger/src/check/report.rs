//! What a verification found, for people and for programs.

use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{Hash, TenantId};
use ledgerstone_store::{Check, ContainerFinding};

use super::options::{Level, Scope, TrustedKeys, VerifyOptions};

/// Findings that a report lists; the others are counted.
const LISTED_MAX: usize = 10_000;

/// One thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub check: Check,
    /// `LEDGER_ROLLED_BACK` where the ledger contradicts a checkpoint seen elsewhere.
    pub code: Option<ErrorCode>,
    pub tenant: Option<TenantId>,
    /// The first record concerned.
    pub sequence_number: Option<u64>,
    /// File relative to the data directory, empty where the store has no files.
    pub file: String,
    pub offset: u64,
    pub expected: String,
    pub found: String,
    /// Records right after it that are concerned too: that could not be checked because of it, or of
    /// which the same is true. Where no record is named, all that could not be checked because of it.
    pub following: u64,
    /// What it means, in a few words.
    pub note: String,
}

impl Finding {
    pub(super) fn new(check: Check, note: impl Into<String>) -> Self {
        Self {
            check,
            code: None,
            tenant: None,
            sequence_number: None,
            file: String::new(),
            offset: 0,
            expected: String::new(),
            found: String::new(),
            following: 0,
            note: note.into(),
        }
    }

    pub(super) fn at(mut self, tenant: &TenantId, number: u64) -> Self {
        self.tenant = Some(tenant.clone());
        self.sequence_number = Some(number);
        self
    }

    pub(super) fn of(mut self, tenant: &TenantId) -> Self {
        self.tenant = Some(tenant.clone());
        self
    }

    pub(super) fn in_file(mut self, file: &str, offset: u64) -> Self {
        file.clone_into(&mut self.file);
        self.offset = offset;
        self
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers, hashes and texts are told alike, without a borrow at every call"
    )]
    pub(super) fn values<E: ToString, F: ToString>(mut self, expected: E, found: F) -> Self {
        self.expected = expected.to_string();
        self.found = found.to_string();
        self
    }

    /// Names the checkpoint seen elsewhere that was compared.
    pub(super) fn seen_in(mut self, name: &str) -> Self {
        if !name.is_empty() {
            self.note = format!("{} ({name})", self.note);
        }
        self
    }

    pub(super) const fn with_code(mut self, code: ErrorCode) -> Self {
        self.code = Some(code);
        self
    }

    pub(super) fn of_container(found: ContainerFinding) -> Self {
        Self {
            check: found.check,
            code: None,
            tenant: found.tenant,
            sequence_number: found.sequence_number.map(u64::from),
            file: found.location.file.to_string_lossy().into_owned(),
            offset: found.location.offset,
            expected: found.expected,
            found: found.found,
            following: found.following,
            note: "a container of the store is not as it was written".to_owned(),
        }
    }

    /// The finding in one line.
    pub fn to_line(&self) -> String {
        let mut parts = vec![format!("{}:", self.check)];
        parts.extend(self.tenant.as_ref().map(|tenant| format!("ledger {tenant}")));
        parts.extend(self.sequence_number.map(|number| format!("record {number}")));
        if !self.file.is_empty() {
            parts.push(format!("({} at byte {})", self.file, self.offset));
        }
        let mut line = parts.join(" ");
        if parts.len() > 1 {
            line.push(':');
        }
        line.push(' ');
        line.push_str(&self.note);
        let mut more = Vec::new();
        if !self.expected.is_empty() || !self.found.is_empty() {
            more.push(format!("; expected {}, found {}", self.expected, self.found));
        }
        match (self.following, self.sequence_number) {
            (0, _) => {}
            (count, Some(_)) => {
                more.push(format!("; the same, or unchecked: {count} records after it"));
            }
            (count, None) => more.push(format!("; unchecked because of it: {count} records")),
        }
        more.extend(self.code.map(|code| format!(" [{code}]")));
        line.extend(more);
        line
    }

    /// Appends the finding as one JSON object.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.text("check", self.check.as_str());
        if let Some(code) = self.code {
            object.text("code", code.as_str());
        }
        if let Some(tenant) = &self.tenant {
            object.text("tenant", tenant.as_str());
        }
        if let Some(number) = self.sequence_number {
            object.number("sequence_number", number);
        }
        object.text("file", &self.file);
        object.number("offset", self.offset);
        object.text("expected", &self.expected);
        object.text("found", &self.found);
        object.number("following", self.following);
        object.text("note", &self.note);
        object.close();
    }
}

/// A ledger as the verification found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerReport {
    pub tenant: TenantId,
    pub size: u64,
    /// Root and last record hash, recomputed; `None` where damage prevented it or the scope left
    /// the end out.
    pub root: Option<Hash>,
    pub record_hash: Option<Hash>,
    /// Number of records, from the first on, that a trusted log key vouches for: by a checkpoint of
    /// this ledger, or by one of `_system` that covers an anchor of it. What comes after was checked
    /// too, but whoever may write the directory could have written it anew.
    pub vouched: u64,
}

/// Where the trusted keys came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    FromDirectory,
    Given,
}

impl KeySource {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FromDirectory => "from-directory",
            Self::Given => "given",
        }
    }
}

/// What a verification did and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Findings beyond those listed.
    pub findings_left_out: u64,
    pub level: Level,
    pub keys: KeySource,
    /// Whether everything was read, and not only some records or those after an earlier check.
    pub whole: bool,
    pub records_checked: u64,
    pub signatures_checked: u64,
    pub checkpoints_checked: u64,
    pub anchors_checked: u64,
    /// By name of the tenant.
    pub ledgers: Vec<LedgerReport>,
}

impl Report {
    pub(super) fn begin(options: &VerifyOptions) -> Self {
        Self {
            findings: Vec::new(),
            findings_left_out: 0,
            level: options.level,
            keys: match options.keys {
                TrustedKeys::FromDirectory => KeySource::FromDirectory,
                TrustedKeys::Given(_) => KeySource::Given,
            },
            whole: options.scope == Scope::All && options.since.is_empty(),
            records_checked: 0,
            signatures_checked: 0,
            checkpoints_checked: 0,
            anchors_checked: 0,
            ledgers: Vec::new(),
        }
    }

    /// Whether nothing was found.
    pub const fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if self.findings.len() < LISTED_MAX {
                self.findings.push(finding);
            } else {
                self.findings_left_out += 1;
            }
        }
    }

    /// Leaves out the gaps in ledgers, and the missing ends, that damaged frames explain, record by
    /// record.
    pub(super) fn drop_losses_of_frames(&self, findings: &mut Vec<Finding>) {
        findings.retain(|finding| {
            match (finding.check, &finding.tenant, finding.sequence_number) {
                (Check::Sequence | Check::Truncated, Some(tenant), Some(first))
                    if finding.code.is_none() =>
                {
                    let behind = first.saturating_add(finding.following).saturating_add(1);
                    self.lost_in_frames(tenant, first) < behind
                }
                _ => true,
            }
        });
    }

    /// Up to where a ledger's records from `first` on are lost in damaged frames, one after the other.
    fn lost_in_frames(&self, tenant: &TenantId, first: u64) -> u64 {
        let frames = self
            .findings
            .iter()
            .filter(|one| one.check == Check::Frame && one.tenant.as_ref() == Some(tenant));
        let mut lost: Vec<(u64, u64)> =
            frames.filter_map(|one| Some((one.sequence_number?, one.following))).collect();
        lost.sort_unstable();
        lost.into_iter().fold(first, |next, (from, following)| {
            if from == next { next.saturating_add(following).saturating_add(1) } else { next }
        })
    }

    pub fn ledger(&self, tenant: &TenantId) -> Option<&LedgerReport> {
        self.ledgers.iter().find(|ledger| ledger.tenant == *tenant)
    }

    /// The report as one JSON object.
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(1024);
        let mut object = ObjectWriter::open(&mut out);
        object.boolean("holds", self.holds());
        object.text("level", self.level.as_str());
        object.text("keys", self.keys.as_str());
        object.boolean("whole", self.whole);
        object.number("records_checked", self.records_checked);
        object.number("signatures_checked", self.signatures_checked);
        object.number("checkpoints_checked", self.checkpoints_checked);
        object.number("anchors_checked", self.anchors_checked);
        object.number("findings_left_out", self.findings_left_out);
        object.array("findings", &self.findings, Finding::write_json);
        object.array("ledgers", &self.ledgers, LedgerReport::write_json);
        object.close();
        String::from_utf8_lossy(&out).into_owned()
    }
}

impl LedgerReport {
    fn write_json(&self, out: &mut Vec<u8>) {
        let hex = |hash: Option<Hash>| hash.map(|hash| hash.to_hex());
        let mut object = ObjectWriter::open(out);
        object.text("tenant", self.tenant.as_str());
        object.number("size", self.size);
        if let Some(root) = self.root {
            object.text("root", &root.to_base64());
        }
        if let Some(hash) = hex(self.record_hash) {
            object.text("record_hash", &hash);
        }
        object.number("vouched", self.vouched);
        object.close();
    }
}
