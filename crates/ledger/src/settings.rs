//! What an operator may choose about a ledger, with the limits that are not a matter of taste.

use std::time::Duration;

use ledgerstone_model::sealing::Preset;
use ledgerstone_model::system::{LogName, SigningMode};

/// Records that may wait for the next commit.
pub const OPEN_RECORDS_MAX: usize = 16_384;

/// Bytes of content that may wait for the next commit.
pub const OPEN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long an old log key signs beside the new one, unless something else is asked for.
pub const KEY_OVERLAP: Duration = Duration::from_hours(24);

/// How far the clock may fall behind the newest record before the status says so.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// Ledgers that one commit of an administrative round touches.
pub(crate) const LEDGERS_PER_ROUND: usize = 1_000;

/// When a tenant's ledger begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantCreation {
    /// Somebody creates the tenant; events for others are refused with `UNKNOWN_TENANT`.
    Explicit,
    /// The first event for a tenant creates it.
    OnFirstEvent,
}

/// Choices that hold while a ledger is open.
#[derive(Clone, Debug)]
pub struct Settings {
    /// First part of every checkpoint's origin. Read when the deployment is created, recorded in
    /// its genesis, and ignored ever after.
    pub log_name: LogName,
    /// Whether every header is signed, or checkpoints alone vouch for records.
    pub signing: SigningMode,
    pub tenant_creation: TenantCreation,
    /// How long an old log key goes on signing beside the new one.
    pub key_overlap: Duration,
    /// How often other ledgers' checkpoints are anchored in `_system`.
    pub anchor_interval: Duration,
    /// How often a batch is sequenced again after another writer came between. A store with one
    /// writer needs none; others pay for it with a copy of each batch.
    pub conflict_retries: u32,
    /// Records that may wait for the next commit, at most [`OPEN_RECORDS_MAX`].
    pub open_records: usize,
    /// Bytes of content that may wait for the next commit, at most [`OPEN_BYTES_MAX`].
    pub open_bytes: usize,
    /// Checkpoints that were seen elsewhere: a deployment that does not extend them is not opened,
    /// so that nothing is signed in it.
    pub known: Vec<String>,
    /// What is sealed of the events of tenants that have no policy of their own. Anything but
    /// [`Preset::None`] needs sealing keys.
    pub default_sealing: Preset,
    /// How long copies of the key files are kept elsewhere, as certificates of erasure say; `None`
    /// where nobody declared it.
    pub key_backup_lifetime: Option<Duration>,
    /// What the data directory lies on, as certificates of erasure say; `None` where nobody declared
    /// it.
    pub storage: Option<String>,
}

impl Settings {
    /// The settings of a deployment of this name; everything else as documented, and nothing sealed
    /// by default.
    pub const fn new(log_name: LogName) -> Self {
        Self {
            log_name,
            signing: SigningMode::Record,
            tenant_creation: TenantCreation::Explicit,
            key_overlap: KEY_OVERLAP,
            anchor_interval: Duration::from_mins(1),
            conflict_retries: 0,
            open_records: OPEN_RECORDS_MAX,
            open_bytes: OPEN_BYTES_MAX,
            known: Vec::new(),
            default_sealing: Preset::None,
            key_backup_lifetime: None,
            storage: None,
        }
    }
}
