//! `system.tenant`: a tenant comes into a state. The first one announces the tenant's ledger, whose
//! genesis names it: where a crash comes between the two, the ledger can still be begun as announced.

use ledgerstone_proof::{SequenceNumber, TenantId};

use super::SystemRecordError;
use super::fields::Fields;
use super::genesis::LedgerId;
use crate::json_write::ObjectWriter;

/// What a tenant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantState {
    /// Events are taken and read.
    Active,
    /// Records are read, and events are refused.
    Suspended,
    /// Its ledger is brought to its end: nothing is taken, and contents go.
    Closing,
    /// Its ledger has ended: every content of an event is gone, and the rest is verified for ever.
    Closed,
}

impl TenantState {
    const ALL: [Self; 4] = [Self::Active, Self::Suspended, Self::Closing, Self::Closed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// Whether the tenant is on its way out, from which there is none back.
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::Closing | Self::Closed)
    }

    /// The state of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// The payload of `system.tenant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    tenant: TenantId,
    ledger_id: LedgerId,
    state: TenantState,
    audit_record: Option<SequenceNumber>,
}

impl TenantRecord {
    pub const fn new(tenant: TenantId, ledger_id: LedgerId, state: TenantState) -> Self {
        Self { tenant, ledger_id, state, audit_record: None }
    }

    /// The same with the number of the `audit` record that says who ordered it.
    #[must_use]
    pub const fn explained_by(mut self, audit_record: SequenceNumber) -> Self {
        self.audit_record = Some(audit_record);
        self
    }

    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The id of the tenant's ledger, which may not have begun yet.
    pub const fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    pub const fn state(&self) -> TenantState {
        self.state
    }

    /// The record of the same ledger that says who ordered it and why; none where the server did it
    /// by itself.
    pub const fn audit_record(&self) -> Option<SequenceNumber> {
        self.audit_record
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.optional_number("audit_record", self.audit_record.map(SequenceNumber::value));
        object.text("ledger_id", &self.ledger_id.to_string());
        object.text("state", self.state.as_str());
        object.text("tenant_id", self.tenant.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            tenant: fields.parsed("tenant_id", TenantId::parse_stored)?,
            ledger_id: fields.parsed("ledger_id", |text| LedgerId::parse(text).ok_or(()))?,
            state: fields.parsed("state", |text| TenantState::parse(text).ok_or(()))?,
            audit_record: fields.optional_sequence_number("audit_record")?,
        })
    }
}
