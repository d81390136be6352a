//! Keys are granted and revoked: two records of one append, and then everybody knows.

use std::sync::Arc;

use ledgerstone_model::access::{ApiKey, ApiKeyId, Role, RoleSet};
use ledgerstone_model::audit::label_of;
use ledgerstone_model::system::{ApiKeyGrant, ApiKeyRecord, ApiKeyRevocation, SystemRecord};
use ledgerstone_model::{Actor, Administration, AuditRecord};
use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId, split_content};
use ledgerstone_store::admin::{ApiKeyRow, ProjectedRecord};
use zeroize::Zeroizing;

use super::ApiKeys;
use crate::error::LedgerError;
use crate::ledger::{Ledger, hold};
use crate::reader::Reader;
use crate::sequencer::{Round, SignedAs};

/// Longest label of a key, in characters.
pub const LABEL_MAX: usize = 200;

/// What is wanted of a new key.
#[derive(Clone, Copy, Debug)]
pub struct NewApiKey<'a> {
    pub roles: RoleSet,
    /// What people call it; stands in the `audit` record alone.
    pub label: &'a str,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<IngestedAt>,
}

/// What is wanted of the key with which a tenant begins.
#[derive(Clone, Copy, Debug)]
pub struct FirstAdminKey<'a> {
    /// What people call it; stands in the `audit` record alone.
    pub label: &'a str,
    /// The first moment at which it is no longer good.
    pub expires_at: Option<IngestedAt>,
}

impl FirstAdminKey<'static> {
    /// What it is called unless somebody says otherwise.
    pub const LABEL: &'static str = "first admin key";
}

/// A key that was just granted, with its secret: the only time that it can be shown.
#[derive(Debug)]
pub struct IssuedKey {
    key: ApiKey,
    entry: Arc<ApiKeyRow>,
}

impl IssuedKey {
    /// The whole key as text.
    pub fn text(&self) -> Zeroizing<String> {
        self.key.to_text()
    }

    pub const fn entry(&self) -> &Arc<ApiKeyRow> {
        &self.entry
    }
}

/// What [`Ledger::ensure_api_key`] found or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It was not there and is now.
    Granted(Arc<ApiKeyRow>),
    /// It was there already.
    Kept(Arc<ApiKeyRow>),
}

impl Ledger {
    /// Grants a fresh key to a tenant.
    pub fn grant_api_key(
        &self,
        keys: &ApiKeys,
        tenant: &TenantId,
        wanted: &NewApiKey<'_>,
        by: &Actor,
    ) -> Result<IssuedKey, LedgerError> {
        let _changing = hold(&keys.changing);
        let key = ApiKey::generate(&*self.entropy);
        let entry = self.write_grant(keys, tenant, &key, wanted, by, None)?;
        Ok(IssuedKey { key, entry })
    }

    /// Creates a tenant with a key that administers it, which is how one who administers the
    /// deployment hands a tenant over. `_system` tells of the key too: who created the tenant was
    /// able to read it until the key was revoked.
    ///
    /// A crash between the two leaves the tenant without a key.
    pub fn create_tenant_with_key(
        &self,
        keys: &ApiKeys,
        tenant: &TenantId,
        first: &FirstAdminKey<'_>,
        by: &Actor,
    ) -> Result<IssuedKey, LedgerError> {
        let FirstAdminKey { label, expires_at } = *first;
        let wanted = NewApiKey { roles: Role::Admin.into(), label, expires_at };
        check_wish(&wanted, self.clock.now())?;
        self.create_tenant(tenant, by)?;
        let _changing = hold(&keys.changing);
        let key = ApiKey::generate(&*self.entropy);
        let act = Administration::new("grant", by.clone(), "api_key", key.id().as_str());
        let told = Some(act.with_label(tenant.as_str()));
        let entry = self.write_grant(keys, tenant, &key, &wanted, by, told)?;
        Ok(IssuedKey { key, entry })
    }

    /// Grants a key that somebody else made, unless it is granted already: for the first key, which
    /// the configuration may give. A key that was revoked, or whose id stands for something else,
    /// is refused.
    pub fn ensure_api_key(
        &self,
        keys: &ApiKeys,
        tenant: &TenantId,
        key: &ApiKey,
        wanted: &NewApiKey<'_>,
        by: &Actor,
    ) -> Result<Ensured, LedgerError> {
        let _changing = hold(&keys.changing);
        let id = *key.id();
        let Some(known) = keys.find(&id) else {
            return self.write_grant(keys, tenant, key, wanted, by, None).map(Ensured::Granted);
        };
        let conflict = |reason| Err(LedgerError::ApiKeyConflict { id, reason });
        if !key.has_secret(&known.secret_hash) {
            return conflict("is known with another secret");
        }
        if known.revoked.is_some() {
            return Err(LedgerError::ApiKeyRevoked(id));
        }
        if known.tenant != *tenant {
            return conflict("belongs to another tenant");
        }
        if known.roles != wanted.roles {
            return conflict("was granted other roles");
        }
        if known.expires_at.is_some_and(|end| end <= self.clock.now()) {
            return conflict("has expired");
        }
        Ok(Ensured::Kept(known))
    }

    /// Revokes a tenant's key, at once and for ever. A key that is revoked already stays as it is.
    pub fn revoke_api_key(
        &self,
        keys: &ApiKeys,
        tenant: &TenantId,
        id: &ApiKeyId,
        reason: Option<&str>,
        by: &Actor,
    ) -> Result<Arc<ApiKeyRow>, LedgerError> {
        let _changing = hold(&keys.changing);
        let unknown = || LedgerError::UnknownApiKey { tenant: tenant.clone(), id: *id };
        let known = keys.find(id).filter(|row| row.tenant == *tenant).ok_or_else(unknown)?;
        if known.revoked.is_some() {
            return Ok(known);
        }
        let mut act = Administration::new("revoke", by.clone(), "api_key", id.as_str());
        if let Some(reason) = reason {
            act = act.with_reason(reason);
        }
        let record = |audit| Some(ApiKeyRecord::Revocation(ApiKeyRevocation::new(*id, audit)));
        self.write_act(keys, tenant, (act, None), record)?;
        keys.find(id).ok_or_else(unknown)
    }

    /// `told` is what `_system` says of it, where that says anything.
    fn write_grant(
        &self,
        keys: &ApiKeys,
        tenant: &TenantId,
        key: &ApiKey,
        wanted: &NewApiKey<'_>,
        by: &Actor,
        told: Option<Administration>,
    ) -> Result<Arc<ApiKeyRow>, LedgerError> {
        check_wish(wanted, self.clock.now())?;
        if self.store.head(tenant)?.is_none() {
            return Err(LedgerError::UnknownTenant(tenant.clone()));
        }
        let id = *key.id();
        if keys.find(&id).is_some() {
            return Err(LedgerError::ApiKeyConflict { id, reason: "exists already" });
        }
        let act = Administration::new("grant", by.clone(), "api_key", id.as_str())
            .with_label(wanted.label);
        self.write_act(keys, tenant, (act, told), |audit| {
            let grant = ApiKeyGrant::new(id, wanted.roles, key.secret_hash(), audit)?;
            Some(ApiKeyRecord::Grant(grant.expiring(wanted.expires_at)))
        })?;
        keys.find(&id).ok_or_else(|| LedgerError::UnknownApiKey { tenant: tenant.clone(), id })
    }

    /// Writes who did what, and what is in force from now on, in one append, with what `_system` says
    /// of it; then everybody knows.
    fn write_act(
        &self,
        keys: &ApiKeys,
        tenant: &TenantId,
        (act, told): (Administration, Option<Administration>),
        record: impl FnOnce(SequenceNumber) -> Option<ApiKeyRecord>,
    ) -> Result<(), LedgerError> {
        let mut ledgers = vec![tenant.clone()];
        ledgers.extend(told.is_some().then(TenantId::system));
        let by = act.named_actor().cloned();
        let written = self.administer_as(&ledgers, by.as_ref(), |round| {
            let written = push_act(round, tenant, act, record)?;
            if let Some(told) = told {
                round.push_audit(1, |_| AuditRecord::Administration(told))?;
            }
            Some(written)
        })?;
        keys.take(&written.ok_or(LedgerError::NotBuilt("the API key"))?);
        Ok(())
    }
}

fn push_act(
    round: &mut Round<'_>,
    tenant: &TenantId,
    act: Administration,
    record: impl FnOnce(SequenceNumber) -> Option<ApiKeyRecord>,
) -> Option<ProjectedRecord> {
    let record = SystemRecord::ApiKey(record(round.push_act(0, act)?)?);
    let mut at = None;
    let number = round.push(0, SignedAs::Usual, |_, now| {
        at = Some(now);
        record.clone()
    })?;
    Some(ProjectedRecord {
        ledger: tenant.clone(),
        sequence_number: number,
        ingested_at: at?,
        record,
    })
}

fn check_wish(wanted: &NewApiKey<'_>, now: IngestedAt) -> Result<(), LedgerError> {
    let refuse = |reason| Err(LedgerError::ApiKeyWish(reason));
    if wanted.roles.is_empty() {
        return refuse("it has no role; give it at least one");
    }
    let label = wanted.label;
    if label.trim().is_empty() || label.chars().count() > LABEL_MAX {
        return refuse("its label is empty or longer than 200 characters");
    }
    if label.chars().any(char::is_control) {
        return refuse("its label has control characters");
    }
    if wanted.expires_at.is_some_and(|end| end <= now) {
        return refuse("it would have expired already; give a time that is still to come");
    }
    Ok(())
}

impl Reader {
    /// What people call a key, as its grant says; `None` once that content is gone.
    pub fn api_key_label(&self, key: &ApiKeyRow) -> Result<Option<String>, LedgerError> {
        let record = self.record(&key.tenant, key.audit_record)?;
        let record = self.withheld(&key.tenant)?.taken_from(record);
        let content = record.content.as_deref();
        let event = content.and_then(|content| split_content(content).ok());
        Ok(event.and_then(|(event, _)| label_of(event)))
    }
}
