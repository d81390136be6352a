//! A policy that waits for a second person.

use ledgerstone_client::Policy;
use ledgerstone_ledger::Proposal;
use ledgerstone_model::json_write::ObjectWriter;

/// What was put forward, by whom, and in which record.
pub struct Proposed {
    pub policy: String,
    pub version: u64,
    pub system_record: u64,
    document: Vec<u8>,
    by: String,
    at: String,
}

impl Proposed {
    /// What waits beside a policy that a server tells; `None` where nothing does.
    pub fn told(policy: &Policy) -> Option<Self> {
        let proposed = policy.proposed.as_ref()?;
        Some(Self {
            policy: policy.policy.clone(),
            version: proposed.version,
            system_record: proposed.system_record,
            document: proposed.document.get().as_bytes().to_vec(),
            by: proposed.proposed_by.clone(),
            at: proposed.proposed_at.clone(),
        })
    }

    /// What stands in a ledger.
    pub fn of(proposal: &Proposal) -> Self {
        let record = &proposal.record;
        Self {
            policy: record.document().kind().as_str().to_owned(),
            version: record.version(),
            system_record: proposal.recorded_as.value(),
            document: record.document().to_json(),
            by: record.proposed_by().to_string(),
            at: proposal.proposed_at.to_string(),
        }
    }

    pub fn json(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(512);
        let mut object = ObjectWriter::open(&mut line);
        object.text("policy", &self.policy);
        let mut proposed = ObjectWriter::open(object.key("proposed"));
        proposed.key("document").extend_from_slice(&self.document);
        proposed.text("proposed_at", &self.at);
        proposed.text("proposed_by", &self.by);
        proposed.number("system_record", self.system_record);
        proposed.number("version", self.version);
        proposed.close();
        object.close();
        line
    }
}
