//! `/v1/status`: the whole system in one call, as far as the caller may see it.

use axum::Json;
use axum::extract::State;
use ledgerstone_ledger::sealing_keys::KeyRingStatus;
use ledgerstone_ledger::{Ledger, LedgerError};
use ledgerstone_model::access::Permission;
use ledgerstone_model::system::TenantState;
use ledgerstone_proof::TenantId;
use serde::Serialize;
use utoipa::ToSchema;

use super::components::components;
use super::problem::Problem;
use super::service::Service;
use super::verification_state::{LedgerVerification, Verification};
use crate::auth::Authorised;

/// The state of the caller's own ledger, and of the deployment for those who may see that.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    version: &'static str,
    ledger: LedgerState,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment: Option<Deployment>,
}

/// The state of a ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerState {
    tenant_id: String,
    /// Origin of the ledger's checkpoints.
    origin: String,
    /// `active` or `suspended`; absent for `_system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    records: u64,
    /// Hash of the newest record's header.
    record_hash: Option<String>,
    /// Records under the newest checkpoint that is kept.
    checkpoint_size: Option<u64>,
    dead_letters: DeadLetterState,
    /// Absent where nothing verifies in the background.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<LedgerVerification>,
}

/// Refused events that are kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadLetterState {
    letters: u64,
    /// Those that were not recorded later.
    open: u64,
    letters_max: u64,
    bytes: u64,
    bytes_max: u64,
}

/// The state of the whole deployment.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deployment {
    environment: Option<String>,
    log_name: String,
    tenants: usize,
    records: u64,
    unsealed_logs: u64,
    sealed_segments: u64,
    /// What the store promises against changes, e.g. `tamper-evident`.
    protection: &'static str,
    is_stopping: bool,
    buffer: BufferState,
    dead_letters: DeadLetterState,
    /// Absent where nothing verifies in the background.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Verification>,
    /// Absent where nothing is ever sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_service: Option<KeyServiceState>,
    components: Vec<ComponentState>,
}

/// The root key service, and the keys that are unwrapped in memory.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyServiceState {
    /// `file`, `secret`, `vault` or `aws-kms`.
    service: &'static str,
    /// Since the process began.
    calls: u64,
    failures: u64,
    cached_tenant_keys: usize,
    cached_subject_keys: usize,
    /// How often the key files were changed.
    generation: u64,
}

impl From<KeyRingStatus> for KeyServiceState {
    fn from(status: KeyRingStatus) -> Self {
        Self {
            service: status.service,
            calls: status.calls,
            failures: status.failures,
            cached_tenant_keys: status.tenant_keys,
            cached_subject_keys: status.subject_keys,
            generation: status.generation.0,
        }
    }
}

/// What waits for the next commit.
#[derive(Debug, Serialize, ToSchema)]
pub struct BufferState {
    records: usize,
    records_max: usize,
    bytes: usize,
    bytes_max: usize,
}

/// How a component is doing, and why.
#[derive(Debug, Serialize, ToSchema)]
pub struct ComponentState {
    name: String,
    /// `healthy`, `degraded` or `unhealthy`.
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<String>,
}

/// The state of the caller's own ledger; for credentials of `_system` with `platform:read` also
/// that of the deployment.
#[utoipa::path(get, path = "/v1/status", tag = "operation",
    responses((status = 200, body = Status)), security(("api_key" = []), ("token" = [])))]
pub async fn status(
    State(service): State<Service>,
    caller: Authorised,
) -> Result<Json<Status>, Problem> {
    let tenant = caller.tenant().clone();
    let sees_all = caller.caller().may(Permission::PlatformRead);
    let asked = service.clone();
    let status = service
        .blocking(move |ledger| {
            Ok::<_, LedgerError>(Status {
                version: env!("CARGO_PKG_VERSION"),
                ledger: ledger_state(ledger, &tenant, &asked)?,
                deployment: sees_all.then(|| deployment(&asked)),
            })
        })
        .await?;
    Ok(Json(status))
}

fn ledger_state(
    ledger: &Ledger,
    tenant: &TenantId,
    service: &Service,
) -> Result<LedgerState, LedgerError> {
    let head = ledger.store().head(tenant)?;
    let head = head.ok_or_else(|| LedgerError::UnknownTenant(tenant.clone()))?;
    let checkpoint = ledger.reader().newest_checkpoint(tenant)?;
    let verification = service.operation().verification();
    Ok(LedgerState {
        tenant_id: tenant.to_string(),
        origin: ledger.reader().genesis(tenant)?.origin(),
        state: ledger.tenant_state(tenant).map(TenantState::as_str),
        records: head.size(),
        record_hash: Some(head.record_hash.to_hex()),
        checkpoint_size: checkpoint.map(|checkpoint| checkpoint.size),
        dead_letters: dead_letter_state(service, Some(tenant)),
        verification: verification.map(|status| LedgerVerification::of(&status, tenant)),
    })
}

fn dead_letter_state(service: &Service, tenant: Option<&TenantId>) -> DeadLetterState {
    let (counts, limits) = (service.dead_letters().counts(tenant), service.dead_letters().limits());
    let (letters_max, bytes_max) = match tenant {
        None => (limits.letters, limits.bytes),
        Some(_) => (limits.letters_per_tenant, limits.bytes_per_tenant),
    };
    DeadLetterState {
        letters: counts.letters,
        open: counts.open,
        letters_max,
        bytes: counts.bytes,
        bytes_max,
    }
}

fn deployment(service: &Service) -> Deployment {
    let ledger = service.ledger();
    let (store, waiting) = (ledger.status().store, ledger.waiting());
    let state = |one: super::components::Component| ComponentState {
        name: one.name,
        status: one.state.as_str(),
        reasons: one.reasons,
    };
    Deployment {
        environment: service.operation().environment().map(ToOwned::to_owned),
        log_name: ledger.log_name().as_str().to_owned(),
        tenants: ledger.history().tenants().len(),
        records: store.records,
        unsealed_logs: store.unsealed_logs,
        sealed_segments: store.sealed_segments,
        protection: store.protection,
        is_stopping: service.operation().is_stopping(),
        buffer: BufferState {
            records: waiting.records,
            records_max: waiting.records_max,
            bytes: waiting.bytes,
            bytes_max: waiting.bytes_max,
        },
        dead_letters: dead_letter_state(service, None),
        verification: service.operation().verification().map(Verification::from),
        key_service: ledger.key_service().map(KeyServiceState::from),
        components: components(service).into_iter().map(state).collect(),
    }
}
