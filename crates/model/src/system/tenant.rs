//! `system.tenant`: a tenant comes into a state.

use ledgerstone_proof::TenantId;

use super::SystemRecordError;
use super::fields::Fields;
use crate::json_write::ObjectWriter;

/// What a tenant may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantState {
    /// Events are taken and read.
    Active,
}

impl TenantState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
        }
    }

    /// The state of this name.
    pub fn parse(text: &str) -> Option<Self> {
        (text == Self::Active.as_str()).then_some(Self::Active)
    }
}

/// The payload of `system.tenant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    tenant: TenantId,
    state: TenantState,
}

impl TenantRecord {
    pub const fn new(tenant: TenantId, state: TenantState) -> Self {
        Self { tenant, state }
    }

    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub const fn state(&self) -> TenantState {
        self.state
    }

    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        object.text("state", self.state.as_str());
        object.text("tenant_id", self.tenant.as_str());
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        Ok(Self {
            tenant: fields.parsed("tenant_id", TenantId::parse_stored)?,
            state: fields.parsed("state", |text| TenantState::parse(text).ok_or(()))?,
        })
    }
}
