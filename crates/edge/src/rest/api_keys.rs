//! `/v1/api-keys`: the keys of the caller's own tenant. Nobody grants more than they have.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use ledgerstone_ledger::{IssuedKey, Ledger, LedgerError, NewApiKey};
use ledgerstone_model::access::{ApiKeyId, Permission, Role, RoleSet, Sight, permits};
use ledgerstone_model::{ErrorCode, EventTime};
use ledgerstone_proof::IngestedAt;
use ledgerstone_store::admin::ApiKeyRow;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::{Array, ArrayBuilder};

use super::body_schemas::one_of;
use super::body_schemas::{label, words_or_null};
use super::problem::Problem;
use super::service::Service;
use super::tenants::checked_reason;
use crate::auth::{Authorised, Caller};

/// The API keys of a tenant, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeyList {
    api_keys: Vec<ShownKey>,
}

/// An API key without its secret, which nobody has but its holder.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownKey {
    key_id: String,
    tenant_id: String,
    /// What people call it; absent once the content of its grant is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    roles: Vec<&'static str>,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    granted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub struct IssuedApiKey {
    /// The whole key: shown now and never again.
    api_key: String,
    #[serde(flatten)]
    shown: ShownKey,
}

impl IssuedApiKey {
    /// A key that was just granted, as it is shown at that moment.
    pub(super) fn of(
        ledger: &Ledger,
        issued: &IssuedKey,
        now: IngestedAt,
    ) -> Result<Self, LedgerError> {
        let shown = shown(ledger, issued.entry(), now)?;
        Ok(Self { api_key: issued.text().to_string(), shown })
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedKey {
    /// What people call it; at most 200 characters, not all blank, none of them control characters.
    #[schema(schema_with = label)]
    label: String,
    /// None that may or see more than the caller.
    #[schema(schema_with = role_names)]
    roles: Vec<String>,
    /// The first moment at which it is no longer good, in RFC 3339.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// At least one role.
fn role_names() -> Array {
    let names: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    ArrayBuilder::new().items(one_of(names)).min_items(Some(1)).build()
}

/// Why a key is revoked.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// For the `audit` record; at most 500 characters, not all blank, none of them control characters.
    #[schema(schema_with = words_or_null)]
    reason: Option<String>,
}

/// The keys of the caller's tenant, whatever their state.
#[utoipa::path(get, path = "/v1/api-keys", tag = "api-keys",
    responses((status = 200, body = ApiKeyList)), security(("api_key" = []), ("token" = [])))]
pub async fn list(
    State(service): State<Service>,
    caller: Authorised,
) -> Result<Json<ApiKeyList>, Problem> {
    let rows = service.authenticator().api_keys().of_tenant(caller.tenant());
    let now = service.clock().now();
    let shown = service.blocking(move |ledger| {
        rows.iter().map(|row| shown(ledger, row, now)).collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(ApiKeyList { api_keys: shown.await? }))
}

/// Makes a key for the caller's tenant. Its secret is in this answer alone.
#[utoipa::path(post, path = "/v1/api-keys", tag = "api-keys", request_body = WantedKey,
    responses((status = 201, body = IssuedApiKey)), security(("api_key" = []), ("token" = [])))]
pub async fn create(
    State(service): State<Service>,
    caller: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<IssuedApiKey>), Problem> {
    let wanted: WantedKey = service.read_small(&headers, body).await?;
    let roles = roles(&wanted.roles, caller.caller())?;
    let expires_at = wanted.expires_at.as_deref().map(expiry).transpose()?;
    let (tenant, by) = (caller.tenant().clone(), service.actor(&caller));
    let keys = service.authenticator().api_keys().clone();
    let now = service.clock().now();
    let issued = service.blocking(move |ledger| {
        let wanted = NewApiKey { roles, label: &wanted.label, expires_at };
        let issued = ledger.grant_api_key(&keys, &tenant, &wanted, &by(ledger))?;
        IssuedApiKey::of(ledger, &issued, now)
    });
    Ok((StatusCode::CREATED, Json(issued.await?)))
}

/// Revokes a key of the caller's tenant, at once and for ever.
#[utoipa::path(post, path = "/v1/api-keys/{key_id}/revoke", tag = "api-keys",
    params(("key_id" = String, Path)), request_body = Option<Revocation>,
    responses((status = 200, body = ShownKey)), security(("api_key" = []), ("token" = [])))]
pub async fn revoke(
    State(service): State<Service>,
    caller: Authorised,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ShownKey>, Problem> {
    let revocation: Revocation = service.read_small(&headers, body).await?;
    let reason = revocation.reason.map(|reason| checked_reason(&reason)).transpose()?;
    let unknown = || Problem::new(ErrorCode::UnknownApiKey, "the tenant has no API key of this id");
    let id = ApiKeyId::parse(&id).ok_or_else(unknown)?;
    let (tenant, by) = (caller.tenant().clone(), service.actor(&caller));
    let keys = service.authenticator().api_keys().clone();
    let now = service.clock().now();
    let revoked = service.blocking(move |ledger| {
        let row = ledger.revoke_api_key(&keys, &tenant, &id, reason.as_deref(), &by(ledger))?;
        shown(ledger, &row, now)
    });
    revoked.await.map(Json)
}

/// Roles that may nothing and see nothing that the caller may not.
fn roles(names: &[String], caller: &Caller) -> Result<RoleSet, Problem> {
    let role = |name: &String| {
        Role::parse(name).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidArgument, format!("roles: there is no role {name:?}"))
        })
    };
    let wanted: RoleSet = names.iter().map(role).collect::<Result<_, _>>()?;
    let exceeds = |permission: &&Permission| {
        permits(wanted, caller.tenant(), **permission) && !caller.may(**permission)
    };
    if let Some(permission) = Permission::ALL.iter().find(exceeds) {
        let detail = format!("roles: they would allow {permission}, which the caller may not");
        return Err(Problem::new(ErrorCode::Forbidden, detail));
    }
    if Sight::of(wanted, caller.tenant()).exceeds(caller.sight()) {
        let detail = "roles: they would see values of events that the caller does not see";
        return Err(Problem::new(ErrorCode::Forbidden, detail));
    }
    Ok(wanted)
}

/// When a key ends, as it was sent.
pub(super) fn expiry(text: &str) -> Result<IngestedAt, Problem> {
    let time = EventTime::parse(text).ok();
    time.and_then(|time| IngestedAt::from_micros(time.micros()).ok()).ok_or_else(|| {
        let detail = "expires_at: write it like 2030-01-31T00:00:00Z";
        Problem::new(ErrorCode::InvalidTimestamp, detail)
    })
}

fn shown(ledger: &Ledger, row: &ApiKeyRow, now: IngestedAt) -> Result<ShownKey, LedgerError> {
    let state = match (&row.revoked, row.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        (None, _) => "active",
    };
    Ok(ShownKey {
        key_id: row.key_id.to_string(),
        tenant_id: row.tenant.to_string(),
        label: ledger.reader().api_key_label(row)?,
        roles: row.roles.names(),
        state,
        granted_at: row.granted_at.to_string(),
        expires_at: row.expires_at.map(|at| at.to_string()),
        revoked_at: row.revoked.map(|revoked| revoked.at.to_string()),
    })
}
