//! `/v1/tenants`: whose ledgers there are, for those who administer the deployment.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use ledgerstone_ledger::{FirstAdminKey, Ledger, LedgerError, TenantEntry};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::system::TenantState;
use ledgerstone_proof::{NameError, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api_keys::{IssuedApiKey, expiry};
use super::body_schemas::{first_label, words_or_null};
use super::problem::Problem;
use super::service::Service;
use super::tenant_closing::ClosingAsked;
use crate::auth::Authorised;

/// Longest reason, in characters.
pub(super) const REASON_MAX: usize = 500;

/// The tenants by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenants {
    tenants: Vec<Tenant>,
}

/// A tenant. Nothing here comes from its records.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the glossary's word for the member")]
pub struct Tenant {
    tenant_id: String,
    /// `active`, `suspended`, `closing` or `closed`.
    state: &'static str,
    created_at: String,
    records: u64,
    /// The key that checkpoints of its ledger are verified with.
    vkey: String,
    /// Where somebody asked that it be closed, and nobody has approved that yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    closing_asked: Option<ClosingAsked>,
}

/// A tenant to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// 1 to 63 characters of a-z, 0-9, `_` and `-`, the first a letter or digit.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    tenant_id: String,
    /// Where it is there, the answer has the tenant's first API key: an admin key, shown this once.
    first_admin_key: Option<FirstKey>,
}

/// The key with which a tenant begins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstKey {
    /// What people call it, at most 200 characters; `first admin key` unless given.
    #[schema(schema_with = first_label)]
    label: Option<String>,
    /// The first moment at which it is no longer good, as RFC 3339 in UTC with microseconds.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// A tenant that was just created.
#[derive(Serialize, ToSchema)]
pub struct CreatedTenant {
    #[serde(flatten)]
    tenant: Tenant,
    /// Its first API key, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_admin_key: Option<IssuedApiKey>,
}

/// Why a tenant is suspended or resumed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    /// In the operator's words, for the `audit` record; at most 500 characters, not all blank, none of
    /// them control characters.
    #[schema(schema_with = words_or_null)]
    reason: Option<String>,
}

/// Every tenant, by name.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants",
    responses((status = 200, body = Tenants)), security(("api_key" = []), ("token" = [])))]
pub async fn list(State(service): State<Service>, _: Authorised) -> Result<Json<Tenants>, Problem> {
    let tenants = service
        .blocking(|ledger| {
            let history = ledger.history();
            let tenants = history.tenants().iter();
            tenants.map(|(name, entry)| tenant(ledger, name, entry)).collect::<Result<_, _>>()
        })
        .await?;
    Ok(Json(Tenants { tenants }))
}

/// One tenant.
#[utoipa::path(get, path = "/v1/tenants/{tenant_id}", tag = "tenants",
    params(("tenant_id" = String, Path)),
    responses((status = 200, body = Tenant)), security(("api_key" = []), ("token" = [])))]
pub async fn get(
    State(service): State<Service>,
    _: Authorised,
    Path(name): Path<String>,
) -> Result<Json<Tenant>, Problem> {
    let name = existing(&name)?;
    service.blocking(move |ledger| shown(ledger, &name)).await.map(Json)
}

/// Creates a tenant; it exists for ever. Its first admin key may come with it, and only now: later
/// its keys are made by its own credentials, or on the machine itself.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", request_body = NewTenant,
    responses((status = 201, body = CreatedTenant)), security(("api_key" = []), ("token" = [])))]
pub async fn create(
    State(service): State<Service>,
    authorised: Authorised,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<CreatedTenant>), Problem> {
    let wanted: NewTenant = service.read_small(&headers, body).await?;
    let name = TenantId::parse(&wanted.tenant_id).map_err(|error| {
        let code = match error {
            NameError::Reserved => ErrorCode::ReservedName,
            _ => ErrorCode::InvalidTenant,
        };
        Problem::new(code, format!("tenant_id: {error}"))
    })?;
    let first = wanted.first_admin_key;
    let expires_at = first.as_ref().and_then(|first| first.expires_at.as_deref());
    let expires_at = expires_at.map(expiry).transpose()?;
    let by = service.actor(&authorised);
    let keys = service.authenticator().api_keys().clone();
    let now = service.clock().now();
    let made = service
        .blocking(move |ledger| {
            let by = by(ledger);
            let issued = match &first {
                None => {
                    ledger.create_tenant(&name, &by)?;
                    None
                }
                Some(FirstKey { label, .. }) => {
                    let label = label.as_deref().unwrap_or(FirstAdminKey::LABEL);
                    let first = FirstAdminKey { label, expires_at };
                    Some(ledger.create_tenant_with_key(&keys, &name, &first, &by)?)
                }
            };
            let first_admin_key =
                issued.map(|issued| IssuedApiKey::of(ledger, &issued, now)).transpose()?;
            Ok::<_, LedgerError>(CreatedTenant { tenant: shown(ledger, &name)?, first_admin_key })
        })
        .await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Suspends a tenant: its credentials can read, verify and revoke API keys, and nothing else.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/suspend", tag = "tenants",
    params(("tenant_id" = String, Path)), request_body = Option<StateChange>,
    responses((status = 200, body = Tenant)), security(("api_key" = []), ("token" = [])))]
pub async fn suspend(
    State(service): State<Service>,
    caller: Authorised,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tenant>, Problem> {
    change(
        &service,
        &caller,
        &name,
        TenantState::Suspended,
        service.read_small(&headers, body).await?,
    )
    .await
}

/// Resumes a tenant that was suspended.
#[utoipa::path(post, path = "/v1/tenants/{tenant_id}/resume", tag = "tenants",
    params(("tenant_id" = String, Path)), request_body = Option<StateChange>,
    responses((status = 200, body = Tenant)), security(("api_key" = []), ("token" = [])))]
pub async fn resume(
    State(service): State<Service>,
    caller: Authorised,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tenant>, Problem> {
    change(&service, &caller, &name, TenantState::Active, service.read_small(&headers, body).await?)
        .await
}

async fn change(
    service: &Service,
    caller: &Authorised,
    name: &str,
    state: TenantState,
    change: StateChange,
) -> Result<Json<Tenant>, Problem> {
    let name = existing(name)?;
    let reason = change.reason.map(|reason| checked_reason(&reason)).transpose()?;
    let by = service.actor(caller);
    let changed = service.blocking(move |ledger| {
        ledger.set_tenant_state(&name, state, reason.as_deref(), &by(ledger))?;
        shown(ledger, &name)
    });
    changed.await.map(Json)
}

/// A reason that may stand in a record.
pub(super) fn checked_reason(reason: &str) -> Result<String, Problem> {
    let is_fine = !reason.trim().is_empty()
        && reason.chars().count() <= REASON_MAX
        && !reason.chars().any(char::is_control);
    let detail = "reason: it is empty, longer than 500 characters, or has control characters";
    is_fine
        .then(|| reason.to_owned())
        .ok_or_else(|| Problem::new(ErrorCode::InvalidArgument, detail))
}

/// A tenant that may exist; a name that none can have is no different from one that none has.
pub(super) fn existing(name: &str) -> Result<TenantId, Problem> {
    TenantId::parse(name)
        .map_err(|_| Problem::new(ErrorCode::UnknownTenant, "there is no tenant of this name"))
}

pub(super) fn shown(ledger: &Ledger, name: &TenantId) -> Result<Tenant, LedgerError> {
    let history = ledger.history();
    let entry = history.tenants().get(name);
    let entry = entry.ok_or_else(|| LedgerError::UnknownTenant(name.clone()))?;
    tenant(ledger, name, entry)
}

fn tenant(ledger: &Ledger, name: &TenantId, entry: &TenantEntry) -> Result<Tenant, LedgerError> {
    Ok(Tenant {
        tenant_id: name.to_string(),
        state: entry.state.as_str(),
        created_at: entry.created_at.to_string(),
        records: ledger.reader().size(name)?,
        vkey: ledger.verifier_key(name)?.to_string(),
        closing_asked: ledger.closing_asked(name)?.as_deref().map(ClosingAsked::of),
    })
}
