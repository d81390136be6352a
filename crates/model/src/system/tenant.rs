//! `system.tenant`: a tenant comes into a state. The first one announces the tenant's ledger, whose
//! genesis names it: where a crash comes between the two, the ledger can still be begun as announced.

use ledgerstone_proof::TenantId;

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
}

impl TenantState {
    const ALL: [Self; 2] = [Self::Active, Self::Suspended];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
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
}

impl TenantRecord {
    pub const fn new(tenant: TenantId, ledger_id: LedgerId, state: TenantState) -> Self {
        Self { tenant, ledger_id, state }
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

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("ledger_id", &self.ledger_id.to_string());
        object.text("state", self.state.as_str());
        object.text("tenant_id", self.tenant.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            tenant: fields.parsed("tenant_id", TenantId::parse_stored)?,
            ledger_id: fields.parsed("ledger_id", |text| LedgerId::parse(text).ok_or(()))?,
            state: fields.parsed("state", |text| TenantState::parse(text).ok_or(()))?,
        })
    }
}
