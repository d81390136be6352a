//! The keys that a deployment begins with: those that the configuration gives, or one that is made
//! and shown once.

use ledgerstone_ledger::{ApiKeys, Ensured, Ledger, NewApiKey};
use ledgerstone_model::Actor;
use ledgerstone_model::access::{ApiKey, Role};
use ledgerstone_proof::TenantId;

use super::announce;
use crate::arguments::tenant_to_write;
use crate::config::FirstKeys;
use crate::data_dir::FIRST_TENANT;
use crate::failure::Failure;
use crate::output::Console;
use crate::system::operator;

/// Grants what is not granted yet.
pub fn grant(
    ledger: &Ledger,
    keys: &ApiKeys,
    given: &FirstKeys,
    console: &mut Console,
) -> Result<(), Failure> {
    let by = operator();
    let first = tenant_to_write(FIRST_TENANT)?;
    if let Some(key) = &given.operator {
        ensure(ledger, keys, &TenantId::system(), key, "operator key of the configuration", &by)?;
    }
    if let Some(key) = &given.bootstrap {
        return ensure(ledger, keys, &first, key, "bootstrap key of the configuration", &by);
    }
    // Also a revoked key says that somebody has taken care of keys here.
    if keys.of_tenant(&first).is_empty() {
        let issued = ledger.grant_api_key(keys, &first, &admin("first admin key"), &by)?;
        announce::first_key(&first, &issued.text(), console)?;
    }
    Ok(())
}

fn ensure(
    ledger: &Ledger,
    keys: &ApiKeys,
    tenant: &TenantId,
    key: &ApiKey,
    label: &str,
    by: &Actor,
) -> Result<(), Failure> {
    match ledger.ensure_api_key(keys, tenant, key, &admin(label), by)? {
        Ensured::Granted(row) => {
            tracing::info!(
                tenant = tenant.as_str(),
                key_id = row.key_id.as_str(),
                "the configured API key was granted"
            );
        }
        Ensured::Kept(_) => {}
    }
    Ok(())
}

fn admin(label: &str) -> NewApiKey<'_> {
    NewApiKey { roles: Role::Admin.into(), label, expires_at: None }
}
