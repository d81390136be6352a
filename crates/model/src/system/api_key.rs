//! `system.api_key`: an API key of the ledger's tenant is granted or revoked.
//!
//! The record names nobody: who ordered it, and what the key is called, stands in the `audit` record
//! of the same ledger to which `audit_record` points, written just before it.

use ledgerstone_proof::{Hash, IngestedAt, SequenceNumber};

use super::SystemRecordError;
use super::fields::Fields;
use crate::access::{ApiKeyId, Role, RoleSet};
use crate::json_write::ObjectWriter;

/// The `state` of a key that is granted.
const ACTIVE: &str = "active";
/// The `state` of a key that is revoked.
const REVOKED: &str = "revoked";

/// The payload of `system.api_key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKeyRecord {
    /// From here on the key has these roles.
    Grant(ApiKeyGrant),
    /// From here on the key may nothing, for ever.
    Revocation(ApiKeyRevocation),
}

/// A key with what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyGrant {
    key_id: ApiKeyId,
    roles: RoleSet,
    secret_hash: Hash,
    expires_at: Option<IngestedAt>,
    audit_record: SequenceNumber,
}

/// The end of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKeyRevocation {
    key_id: ApiKeyId,
    audit_record: SequenceNumber,
}

impl ApiKeyGrant {
    /// A key whose secret has this SHA-256. `audit_record` says who granted it; `None` for a key
    /// without roles, which would be good for nothing.
    pub fn new(
        key_id: ApiKeyId,
        roles: RoleSet,
        secret_hash: Hash,
        audit_record: SequenceNumber,
    ) -> Option<Self> {
        let grant = Self { key_id, roles, secret_hash, expires_at: None, audit_record };
        (!roles.is_empty()).then_some(grant)
    }

    /// The same for a key that ends by itself.
    #[must_use]
    pub const fn expiring(mut self, at: Option<IngestedAt>) -> Self {
        self.expires_at = at;
        self
    }

    pub const fn key_id(&self) -> &ApiKeyId {
        &self.key_id
    }

    pub const fn roles(&self) -> RoleSet {
        self.roles
    }

    /// SHA-256 of the secret's 32 bytes.
    pub const fn secret_hash(&self) -> &Hash {
        &self.secret_hash
    }

    /// The first moment at which the key is no longer good.
    pub const fn expires_at(&self) -> Option<IngestedAt> {
        self.expires_at
    }

    /// The record that says who granted it and what it is called.
    pub const fn audit_record(&self) -> SequenceNumber {
        self.audit_record
    }
}

impl ApiKeyRevocation {
    pub const fn new(key_id: ApiKeyId, audit_record: SequenceNumber) -> Self {
        Self { key_id, audit_record }
    }

    pub const fn key_id(&self) -> &ApiKeyId {
        &self.key_id
    }

    /// The record that says who revoked it and why.
    pub const fn audit_record(&self) -> SequenceNumber {
        self.audit_record
    }
}

impl ApiKeyRecord {
    pub(super) fn write(&self, object: &mut ObjectWriter<'_>) {
        match self {
            Self::Grant(grant) => {
                object.number("audit_record", grant.audit_record.value());
                let expires_at = grant.expires_at.map(|at| at.to_string());
                object.optional_text("expires_at", expires_at.as_deref());
                object.text("key_id", grant.key_id.as_str());
                object.texts("roles", &grant.roles.names());
                object.text("secret_hash", &grant.secret_hash.to_hex());
                object.text("state", ACTIVE);
            }
            Self::Revocation(revocation) => {
                object.number("audit_record", revocation.audit_record.value());
                object.text("key_id", revocation.key_id.as_str());
                object.text("state", REVOKED);
            }
        }
    }

    pub(super) fn parse(fields: &Fields<'_>) -> Result<Self, SystemRecordError> {
        let key_id = fields.parsed("key_id", |text| ApiKeyId::parse(text).ok_or(()))?;
        let audit_record = fields.sequence_number("audit_record")?;
        match fields.text("state")?.as_str() {
            ACTIVE => {
                let hash = fields.parsed("secret_hash", Hash::from_hex)?;
                let expires_at = fields.optional("expires_at", IngestedAt::parse)?;
                let grant = ApiKeyGrant::new(key_id, roles(fields)?, hash, audit_record)
                    .ok_or(SystemRecordError::Field("roles"))?;
                Ok(Self::Grant(grant.expiring(expires_at)))
            }
            REVOKED => Ok(Self::Revocation(ApiKeyRevocation::new(key_id, audit_record))),
            _ => Err(SystemRecordError::Field("state")),
        }
    }
}

fn roles(fields: &Fields<'_>) -> Result<RoleSet, SystemRecordError> {
    let names = fields.texts("roles")?;
    let roles: Option<RoleSet> = names.iter().map(|name| Role::parse(name)).collect();
    roles.ok_or(SystemRecordError::Field("roles"))
}
