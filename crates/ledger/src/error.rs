//! How an operation on a ledger fails, beside submissions, which answer for each event.

use ledgerstone_model::access::ApiKeyId;
use ledgerstone_model::hold::HoldId;
use ledgerstone_model::subject_request::{StepError, SubjectRequestId};
use ledgerstone_model::system::{KeyUse, SystemRecordError};
use ledgerstone_model::{ErrorCode, Rejection};
use ledgerstone_proof::{EventId, IngestedAt, KeyId, RsaError, SequenceNumber, TenantId, TreeSize};
use ledgerstone_store::{DeadLetterError, DropError, ReadError};
use thiserror::Error;

use crate::bundle::BundleError;
use crate::keys::KeyHomeError;
use crate::rectification::RectificationError;
use crate::sealing::SealError;
use crate::sealing_keys::KeyRingError;
use crate::sequencer::{AdministerError, ShutTenant, SubmitError};

/// Why an operation on a ledger failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    #[error("the store holds no deployment yet; create one first")]
    NotCreated,
    #[error("the store already holds a deployment; open it instead")]
    AlreadyCreated,
    #[error(
        "{0} could not be made a record of the ledger, and nothing was written; report it, with what was asked"
    )]
    NotBuilt(&'static str),
    #[error("there is no tenant {0}")]
    UnknownTenant(TenantId),
    #[error(transparent)]
    Shut(#[from] ShutTenant),
    #[error("tenant {0} is closed by two people, and in no other way")]
    ClosedByTwo(TenantId),
    #[error("nobody has asked that tenant {0} be closed")]
    NoClosingAsked(TenantId),
    #[error(
        "that tenant {tenant} be closed was last asked for in record {found} of _system, and not in \
         {expected}"
    )]
    OtherClosing { tenant: TenantId, expected: SequenceNumber, found: SequenceNumber },
    #[error("these holds of tenant {tenant} stand: {}", listed(.holds))]
    HoldsStand { tenant: TenantId, holds: Vec<HoldId> },
    #[error(
        "these rules of tenant {tenant} name a duty to keep contents whose time is not over: {}",
        .duties.join(", ")
    )]
    DutiesStand { tenant: TenantId, duties: Vec<String> },
    #[error("{0} entries of the access log could not be sealed; they are kept, and tried again")]
    AccessNotSealed(u64),
    #[error("tenant {0} exists already")]
    TenantExists(TenantId),
    #[error("tenant {0} is being closed, and its name is never given again; choose another name")]
    NameOfClosing(TenantId),
    #[error("tenant {0} is closed, and its name is never given again; choose another name")]
    NameOfClosed(TenantId),
    #[error("tenant {tenant} has no API key {id}")]
    UnknownApiKey { tenant: TenantId, id: ApiKeyId },
    #[error(
        "API key {0} was revoked and never comes back; make another with `ledgerstone api-keys generate`"
    )]
    ApiKeyRevoked(ApiKeyId),
    #[error("API key {id} {reason}; make another with `ledgerstone api-keys generate`")]
    ApiKeyConflict { id: ApiKeyId, reason: &'static str },
    #[error("the API key cannot be granted: {0}")]
    ApiKeyWish(&'static str),
    #[error("the taxonomy cannot be used: {0}")]
    InvalidTaxonomy(Rejection),
    #[error(
        "the taxonomy of tenant {tenant} has version {found} and not {expected}, on which the change is based"
    )]
    TaxonomyChanged { tenant: TenantId, expected: u64, found: u64 },
    #[error(
        "the {kind} policy of tenant {tenant} has version {found} and not {expected}, on which the change is based"
    )]
    PolicyChanged { tenant: TenantId, kind: &'static str, expected: u64, found: u64 },
    #[error("{0}: that needs a second person")]
    ShortensRetention(String),
    #[error("tenant {tenant} has no hold {id}")]
    UnknownHold { tenant: TenantId, id: HoldId },
    #[error("hold {id} was released before, as record {released_as} says")]
    HoldReleased { id: HoldId, released_as: SequenceNumber },
    #[error("hold {0} covers something that is sealed under the person's keys")]
    HeldBack(HoldId),
    #[error(
        "hold {0} is on this person, and while it stands their erasure cannot be approved, whatever it covers now"
    )]
    HoldOnPerson(HoldId),
    #[error(
        "the retention rule {0} names a duty to keep something that is sealed under the person's keys"
    )]
    DutyToKeep(String),
    #[error(
        "{found} contents that hold the person in clear, or sealed for others, would be dropped whole, and \
         {approved} were approved; look at the survey, and approve the request again with that number"
    )]
    MoreInClear { found: u64, approved: u64 },
    #[error(
        "{0} contents lie in the part that is being written, and go when that is full or a day old"
    )]
    ContentsWaiting(u64),
    #[error(
        "the {kind} policy that waits for a second person stands in record {found}, and not in {expected}"
    )]
    OtherProposal { kind: &'static str, expected: SequenceNumber, found: SequenceNumber },
    #[error(
        "no {0} policy waits for a second person; it was approved or replaced, or none was put forward"
    )]
    NothingProposed(&'static str),
    #[error("whoever {0}; a second person must")]
    SecondPerson(&'static str),
    #[error(
        "the key files have generation {found}, but the ledger relies on {expected}: keys that were \
         made since then are missing; put the newest copy of `keys/` back"
    )]
    KeysBehind { expected: u64, found: u64 },
    #[error(
        "{0} keys of people are wrapped by keys of tenants that the key files do not hold: \
         `keys/tenants.*` and `keys/subjects.*` are not of one time, or one of them is missing; put the \
         newest copy of `keys/` back"
    )]
    KeysStranded(u64),
    #[error("the ledger was opened without sealing keys, so tenant {0} has no people to look up")]
    NoSealingKeys(TenantId),
    #[error("nothing was ever sealed for tenant {0}, so it has no key to replace")]
    NothingSealed(TenantId),
    #[error("tenant {tenant} has no request {id}")]
    UnknownRequest { tenant: TenantId, id: SubjectRequestId },
    #[error(transparent)]
    RequestStep(#[from] StepError),
    #[error("request {id} is {state}, and is carried out once it is approved")]
    NotApproved { id: SubjectRequestId, state: &'static str },
    #[error("the erasure of request {0} has begun, and nothing stops it any more")]
    ErasureBegun(SubjectRequestId),
    #[error("request {id} asks for the erasure of this person already, and is {state}")]
    ErasureOpen { id: SubjectRequestId, state: &'static str },
    #[error(
        "the person was erased at {at}, as record {certificate} certifies; of what came in until the erasure began at {begun_at} nothing is known to be left, and nothing was sealed for them since. Events that came in after that were not looked at: where any may name them in clear, ask for it `again`"
    )]
    AlreadyErased { at: IngestedAt, begun_at: IngestedAt, certificate: SequenceNumber },
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Rectification(#[from] RectificationError),
    #[error("the values could not be searched for: {0}")]
    Search(String),
    #[error(transparent)]
    SealingKeys(#[from] KeyRingError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    #[error("ledger {tenant} holds no event {id}")]
    EventNotFound { tenant: TenantId, id: EventId },
    #[error("ledger {tenant} holds no record {number}; it has {size}")]
    RecordNotFound { tenant: TenantId, number: SequenceNumber, size: u64 },
    #[error("record {number} of ledger {tenant}: {source}")]
    SystemRecord {
        tenant: TenantId,
        number: SequenceNumber,
        #[source]
        source: SystemRecordError,
    },
    #[error("record {number} of ledger {tenant} {reason}; verify the ledger")]
    Damaged { tenant: TenantId, number: SequenceNumber, reason: &'static str },
    #[error(
        "the {usage} key that was given is {found}, but the ledger's is {expected}; \
         put the right key file back", usage = usage.as_str()
    )]
    WrongKey { usage: KeyUse, expected: KeyId, found: KeyId },
    #[error(
        "the old {usage} key, which may still sign beside the new one, is {found}, but the ledger's \
         is {}; put the right key file ({usage}.previous.key or {usage}.retiring.key) back", expected.as_ref().map_or("none", KeyId::as_str), usage = usage.as_str()
    )]
    WrongOutgoingKey { usage: KeyUse, expected: Option<KeyId>, found: KeyId },
    #[error("{0}")]
    RolledBack(RolledBack),
    #[error("a {usage} key is already being replaced; wait until that is done", usage = .0.as_str())]
    RotationRunning(KeyUse),
    #[error("{what} is not well formed: {reason}")]
    InvalidProof { what: &'static str, reason: String },
    #[error(
        "a proof of record {number} of ledger {tenant} does not hold: {reason}; verify the ledger"
    )]
    UnprovenRecord { tenant: TenantId, number: SequenceNumber, reason: String },
    #[error(
        "no checkpoint of ledger {tenant} that is kept covers record {number}; ask the process that writes for one"
    )]
    NotCovered { tenant: TenantId, number: SequenceNumber },
    #[error("the tree of ledger {tenant} has no tile {path} at size {size}")]
    NoSuchTile { tenant: TenantId, path: String, size: TreeSize },
    #[error("{code}: {message}")]
    NotWritten { code: ErrorCode, message: String },
    #[error("a background thread could not be started: {0}")]
    Thread(#[source] std::io::Error),
    #[error("a fresh key could not be made: {0}")]
    NoKey(#[source] RsaError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Keys(#[from] KeyHomeError),
    #[error("record {number} of ledger {tenant} is the server's own, and its content never goes")]
    NeverDropped { tenant: TenantId, number: SequenceNumber },
    #[error("contents could not be dropped: {0}")]
    NotDropped(#[from] DropError),
}

impl LedgerError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotCreated => ErrorCode::NotADataDirectory,
            Self::NotBuilt(_) => ErrorCode::RecordNotBuilt,
            Self::AlreadyCreated => ErrorCode::DataDirectoryNotEmpty,
            Self::UnknownTenant(_) => ErrorCode::UnknownTenant,
            Self::TenantExists(_) => ErrorCode::TenantExists,
            Self::NameOfClosing(_) => ErrorCode::TenantClosing,
            Self::NameOfClosed(_) => ErrorCode::TenantClosed,
            Self::Shut(shut) => shut.code(),
            Self::ClosedByTwo(_) => ErrorCode::InvalidArgument,
            Self::UnknownApiKey { .. } => ErrorCode::UnknownApiKey,
            Self::ApiKeyRevoked(_) => ErrorCode::KeyRevoked,
            Self::ApiKeyConflict { .. } => ErrorCode::ApiKeyConflict,
            Self::InvalidTaxonomy(rejection) => rejection.code(),
            Self::TaxonomyChanged { .. }
            | Self::PolicyChanged { .. }
            | Self::OtherProposal { .. }
            | Self::OtherClosing { .. } => ErrorCode::VersionConflict,
            Self::ShortensRetention(_) | Self::SecondPerson(_) => ErrorCode::SecondPersonNeeded,
            Self::NothingProposed(_) | Self::NothingSealed(_) | Self::NoClosingAsked(_) => {
                ErrorCode::NotFound
            }
            Self::UnknownHold { .. } => ErrorCode::UnknownHold,
            Self::HoldReleased { .. } => ErrorCode::HoldReleased,
            Self::HeldBack(_) | Self::HoldOnPerson(_) | Self::HoldsStand { .. } => {
                ErrorCode::HeldBack
            }
            Self::DutyToKeep(_) | Self::DutiesStand { .. } => ErrorCode::DutyToKeep,
            Self::MoreInClear { .. } => ErrorCode::MoreInClear,
            Self::ContentsWaiting(_) => ErrorCode::ContentsWaiting,
            Self::KeysBehind { .. } | Self::KeysStranded(_) => ErrorCode::KeysBehind,
            Self::NoSealingKeys(_) => ErrorCode::KeyServiceUnavailable,
            Self::UnknownRequest { .. } => ErrorCode::UnknownRequest,
            Self::RequestStep(error) => error.code(),
            Self::NotApproved { .. } | Self::ErasureBegun(_) => ErrorCode::RequestState,
            Self::AlreadyErased { .. } => ErrorCode::AlreadyErased,
            Self::ErasureOpen { .. } => ErrorCode::ErasureOpen,
            Self::Rectification(error) => error.code(),
            Self::Bundle(error) => error.code(),
            Self::SealingKeys(error) => error.code(),
            Self::Seal(error) => error.code(),
            Self::DeadLetters(error) => error.code(),
            Self::EventNotFound { .. } | Self::RecordNotFound { .. } => ErrorCode::EventNotFound,
            Self::SystemRecord { source, .. } => source.code(),
            Self::Damaged { .. } | Self::UnprovenRecord { .. } => ErrorCode::RecordDamaged,
            Self::WrongKey { .. } | Self::WrongOutgoingKey { .. } => ErrorCode::InvalidKey,
            Self::RolledBack(_) => ErrorCode::LedgerRolledBack,
            Self::RotationRunning(_) => ErrorCode::Conflict,
            Self::InvalidProof { .. } | Self::NotCovered { .. } => ErrorCode::InvalidProof,
            Self::NoSuchTile { .. } | Self::ApiKeyWish(_) | Self::NeverDropped { .. } => {
                ErrorCode::InvalidArgument
            }
            Self::NotWritten { code, .. } => *code,
            Self::Thread(_) | Self::NoKey(_) | Self::Search(_) | Self::AccessNotSealed(_) => {
                ErrorCode::Internal
            }
            Self::Submit(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::NotDropped(error) => error.code(),
        }
    }
}

impl From<AdministerError> for LedgerError {
    fn from(error: AdministerError) -> Self {
        match error {
            AdministerError::Failed { code, message } => Self::NotWritten { code, message },
            AdministerError::Read { source, .. } => Self::Read(source),
            AdministerError::Shut(shut) => Self::Shut(shut),
        }
    }
}

fn listed(holds: &[HoldId]) -> String {
    holds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A checkpoint that was signed contradicts the tree: records were taken away or replaced.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RolledBack {
    #[error(
        "ledger {tenant} has {found} records, but a checkpoint of {seen} was signed: \
         records are gone"
    )]
    Shorter { tenant: TenantId, seen: TreeSize, found: u64 },
    #[error(
        "there is no ledger {origin}, but a key of this deployment signed a checkpoint of {seen} of \
         its records: the ledger is gone"
    )]
    Missing { origin: String, seen: TreeSize },
    #[error(
        "the first {size} records of ledger {tenant} are not those under the checkpoint of that \
         size: records were replaced"
    )]
    Different { tenant: TenantId, size: TreeSize },
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;

    use super::LedgerError;

    #[test]
    fn a_record_that_cannot_be_built_is_not_told_as_a_missing_deployment() {
        let error = LedgerError::NotBuilt("the hold");
        assert_eq!(error.code(), ErrorCode::RecordNotBuilt);
        assert!(error.to_string().starts_with("the hold could not be made a record"));
        assert_eq!(LedgerError::NotCreated.code(), ErrorCode::NotADataDirectory);
    }
}
