//! The one table of what each error means to those who sent something: its HTTP status, and whether
//! sending the same again can help.

use Recurrence::{Permanent, Transient};
use http::StatusCode;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::ErrorCode as C;

/// What an error means on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition {
    pub status: StatusCode,
    /// Whether the same request may succeed later, without being changed.
    pub is_transient: bool,
}

/// What a code means on the wire.
///
/// A code that this table does not know yet counts as the server's own fault; a test holds the
/// table against [`ErrorCode::ALL`].
pub fn disposition(code: ErrorCode) -> Disposition {
    let row = TABLE.iter().find(|(_, _, codes)| codes.contains(&code));
    let (status, is_transient) = row
        .map_or((StatusCode::INTERNAL_SERVER_ERROR, false), |(status, transient, _)| {
            (*status, *transient == Transient)
        });
    Disposition { status, is_transient }
}

/// Whether sending the same again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recurrence {
    Transient,
    Permanent,
}

/// Every code stands in exactly one row.
const TABLE: &[(StatusCode, Recurrence, &[C])] = &[
    (
        StatusCode::BAD_REQUEST,
        Permanent,
        &[
            C::NotJson,
            C::NotUtf8,
            C::EmptyInput,
            C::InvalidGzip,
            C::InvalidImport,
            C::UnknownFormat,
            C::InvalidTenant,
            C::InvalidProof,
            C::InvalidKey,
            C::InvalidBody,
            C::MalformedRequest,
            C::InvalidCursor,
            C::InvalidFilter,
            C::InvalidPolicy,
            C::NotSupportedYet,
            C::ResultsNotRead,
            C::AmbiguousCredential,
            C::InvalidArgument,
        ],
    ),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        Permanent,
        &[
            C::DuplicateKey,
            C::LoneSurrogate,
            C::NumberNotExact,
            C::TooDeep,
            C::InvalidEvent,
            C::MissingField,
            C::InvalidField,
            C::InvalidTimestamp,
            C::InvalidId,
            C::ReservedName,
            C::ReservedEventType,
            C::TenantMismatch,
            C::EventTypeUnknown,
            C::SchemaViolation,
            C::InvalidTaxonomy,
            C::InvalidCorrection,
            C::SubjectNotInEvent,
            C::ProofMismatch,
            C::BatchRefused,
            C::IdempotencyConflict,
        ],
    ),
    (
        StatusCode::PAYLOAD_TOO_LARGE,
        Permanent,
        &[C::EventTooLarge, C::InputTooLarge, C::TooManyItems, C::DeadLetterTooLarge],
    ),
    (
        StatusCode::NOT_FOUND,
        Permanent,
        &[
            C::UnknownTenant,
            C::EventNotFound,
            C::NotFound,
            C::UnknownApiKey,
            C::UnknownSubject,
            C::UnknownRequest,
            C::UnknownHold,
        ],
    ),
    (
        StatusCode::UNAUTHORIZED,
        Permanent,
        &[C::Unauthenticated, C::InvalidToken, C::TokenExpired, C::KeyRevoked],
    ),
    (
        StatusCode::FORBIDDEN,
        Permanent,
        &[C::Forbidden, C::TenantSuspended, C::SecondPersonNeeded, C::SubjectRestricted],
    ),
    (StatusCode::GONE, Permanent, &[C::ContentDropped, C::TenantClosing, C::TenantClosed]),
    (StatusCode::METHOD_NOT_ALLOWED, Permanent, &[C::MethodNotAllowed]),
    (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, Permanent, &[C::HeadersTooLarge]),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, Permanent, &[C::UnsupportedMediaType]),
    (StatusCode::TOO_MANY_REQUESTS, Transient, &[C::RateLimited, C::TooManyJobs]),
    (
        StatusCode::CONFLICT,
        Permanent,
        &[
            C::IdConflict,
            C::TenantExists,
            C::ApiKeyConflict,
            C::RequestState,
            C::AlreadyErased,
            C::ErasureOpen,
            C::HoldReleased,
            C::HeldBack,
            C::DutyToKeep,
            C::MoreInClear,
        ],
    ),
    (StatusCode::CONFLICT, Transient, &[C::Conflict, C::ContentsWaiting]),
    (StatusCode::PRECONDITION_FAILED, Permanent, &[C::VersionConflict]),
    (StatusCode::INSUFFICIENT_STORAGE, Permanent, &[C::DeadLettersFull]),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        Transient,
        &[
            C::DiskFull,
            C::QueueFull,
            C::KeyServiceUnavailable,
            C::StoreLocked,
            C::OutcomeUnknown,
            C::IssuerUnavailable,
            C::ServerBusy,
            C::NotReady,
            C::ShuttingDown,
        ],
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        Permanent,
        &[C::StoreDamaged, C::KeysBehind, C::LedgerRolledBack, C::ReadOnlyStorage, C::WrongRootKey],
    ),
    // Said by clients, of a server.
    (StatusCode::BAD_GATEWAY, Permanent, &[C::ServerUnreachable, C::UnexpectedAnswer]),
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        Permanent,
        &[
            C::InvalidSettings,
            C::InvalidTlsSettings,
            C::CannotListen,
            C::UnprotectedListener,
            C::NotADataDirectory,
            C::DataDirectoryNotEmpty,
            C::UnsupportedFormatVersion,
            C::RecordDamaged,
            C::StorageFailed,
            C::InvalidAuthSettings,
            C::RecordNotBuilt,
            C::Internal,
        ],
    ),
];

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;

    use super::{TABLE, disposition};

    #[test]
    fn every_code_stands_in_exactly_one_row() {
        for code in ErrorCode::ALL {
            let rows = TABLE.iter().filter(|(_, _, codes)| codes.contains(code)).count();
            assert_eq!(rows, 1, "{code}");
        }
    }

    #[test]
    fn only_the_servers_own_failures_are_5xx() {
        for code in ErrorCode::ALL {
            let found = disposition(*code);
            let status = found.status;
            assert!(status.is_client_error() || status.is_server_error(), "{code}: {status}");
            assert!(
                !found.is_transient
                    || code.remedy().to_lowercase().contains("again")
                    || *code == ErrorCode::DiskFull
                    || *code == ErrorCode::StoreLocked,
                "{code}"
            );
        }
    }
}
