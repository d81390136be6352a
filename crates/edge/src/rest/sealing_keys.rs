//! `/v1/sealing-keys`: the keys that fields are sealed under, as far as they can be told, and how those
//! of a tenant are wrapped anew.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::HeaderMap;
use ledgerstone_ledger::sealing_keys::{SealingKeysOverview, TenantKeys};
use ledgerstone_ledger::{Ledger, LedgerError};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// The keys of the caller's tenant; for credentials of `_system`, of all tenants.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealingKeys {
    /// Tenants of which nothing was ever sealed have none.
    sealing_keys: Vec<SealingKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<KeyFiles>,
}

/// The keys of one tenant. None of them is ever shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealingKey {
    tenant_id: String,
    /// Names the tenant's key, by which the keys of its people are wrapped.
    key_id: String,
    /// The root key service that wrapped the tenant's key.
    root_service: String,
    /// Which root key wrapped it, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    root_key_id: Option<String>,
    /// Keys of people that open something.
    live_keys: u64,
    /// Keys of people that erasures have destroyed.
    erased_keys: u64,
    /// Older keys of the tenant, where a rotation did not end: rotate again.
    outdated_keys: u64,
}

/// The key files of the deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyFiles {
    /// How often the keys were changed; frames carry it, and an older copy of the files is refused.
    generation: u64,
    destroyed_keys: u64,
    /// Slots that are damaged in both files.
    lost_slots: u64,
}

/// Whose keys are to be wrapped anew.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedKeyRotation {
    /// The tenant: for credentials of `_system`, which name one; others may leave their own out.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    tenant_id: Option<String>,
}

/// What a rotation did.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyRotation {
    tenant_id: String,
    /// Names the tenant's new key.
    key_id: String,
    /// Keys of people that it wraps now.
    rewrapped_keys: u64,
}

/// The sealing keys there are: whose, how many, and by what they are wrapped.
#[utoipa::path(get, path = "/v1/sealing-keys", tag = "sealing-keys",
    responses((status = 200, body = SealingKeys)))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Json<SealingKeys>, Problem> {
    let tenant = authorised.tenant().clone();
    let keys = service.blocking(move |ledger| shown(ledger, &tenant)).await?;
    Ok(Json(keys))
}

/// Gives a tenant a new key and wraps the keys of its people by it. No record changes, and what was
/// sealed opens as before; the old key is destroyed, and an `audit` record says so.
#[utoipa::path(post, path = "/v1/sealing-keys/rotate", tag = "sealing-keys",
    request_body = Option<WantedKeyRotation>, responses((status = 200, body = KeyRotation)))]
pub async fn rotate(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<KeyRotation>, Problem> {
    let wanted: WantedKeyRotation = service.read_small(&headers, body).await?;
    let tenant = whose(authorised.tenant(), wanted.tenant_id)?;
    let named = tenant.to_string();
    let by = service.actor(&authorised);
    let rotate = move |ledger: &Ledger| ledger.rotate_sealing_key(&tenant, &by(ledger));
    let rotated = service.blocking(rotate).await?;
    tracing::info!(tenant = named, rewrapped = rotated.rewrapped, "a sealing key was rotated");
    Ok(Json(KeyRotation {
        tenant_id: named,
        key_id: rotated.key_id.to_string(),
        rewrapped_keys: rotated.rewrapped,
    }))
}

/// The tenant that is meant: the caller's own, or whichever the deployment's operator names.
fn whose(own: &TenantId, named: Option<String>) -> Result<TenantId, Problem> {
    let named = named
        .map(|name| {
            TenantId::parse_stored(&name).map_err(|error| {
                Problem::new(ErrorCode::InvalidTenant, format!("tenant_id: {error}"))
            })
        })
        .transpose()?;
    match named {
        None if own.is_system() => {
            let detail = "tenant_id: name the tenant whose key is to be replaced";
            Err(Problem::new(ErrorCode::InvalidArgument, detail))
        }
        None => Ok(own.clone()),
        Some(named) if own.is_system() || named == *own => Ok(named),
        Some(named) => Err(LedgerError::UnknownTenant(named).into()),
    }
}

fn shown(ledger: &Ledger, tenant: &TenantId) -> Result<SealingKeys, LedgerError> {
    let Some(overview) = ledger.sealing_keys_overview() else {
        return Ok(SealingKeys { sealing_keys: Vec::new(), deployment: None });
    };
    let SealingKeysOverview { generation, tenants, destroyed, lost } = overview;
    let own = tenants.into_iter().filter(|keys| tenant.is_system() || keys.tenant == *tenant);
    let sealing_keys = own.map(|keys| shown_keys(ledger, keys)).collect::<Result<_, _>>()?;
    let deployment = tenant.is_system().then_some(KeyFiles {
        generation: generation.0,
        destroyed_keys: destroyed,
        lost_slots: lost,
    });
    Ok(SealingKeys { sealing_keys, deployment })
}

fn shown_keys(ledger: &Ledger, keys: TenantKeys) -> Result<SealingKey, LedgerError> {
    Ok(SealingKey {
        erased_keys: ledger.erased_keys(&keys.tenant)?,
        tenant_id: keys.tenant.to_string(),
        key_id: keys.key_id.to_string(),
        root_service: keys.wrapped_by.service,
        root_key_id: keys.wrapped_by.key,
        live_keys: keys.live,
        outdated_keys: keys.outdated,
    })
}
