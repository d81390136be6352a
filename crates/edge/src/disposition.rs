//! The one table of what each error means to those who sent something: its HTTP status, and whether
//! sending the same again can help.

use http::StatusCode;
use ledgerstone_model::ErrorCode;

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
    let (status, is_transient) = known(code).unwrap_or((StatusCode::INTERNAL_SERVER_ERROR, false));
    Disposition { status, is_transient }
}

fn known(code: ErrorCode) -> Option<(StatusCode, bool)> {
    use ErrorCode as C;
    use StatusCode as S;
    Some(match code {
        C::NotJson
        | C::NotUtf8
        | C::EmptyInput
        | C::InvalidGzip
        | C::InvalidImport
        | C::UnknownFormat
        | C::InvalidTenant
        | C::InvalidProof
        | C::InvalidKey
        | C::InvalidBody
        | C::InvalidCursor
        | C::NotSupportedYet
        | C::ResultsNotRead
        | C::AmbiguousCredential
        | C::InvalidArgument => (S::BAD_REQUEST, false),

        C::DuplicateKey
        | C::LoneSurrogate
        | C::NumberNotExact
        | C::TooDeep
        | C::InvalidEvent
        | C::MissingField
        | C::InvalidField
        | C::InvalidTimestamp
        | C::InvalidId
        | C::ReservedName
        | C::ReservedEventType
        | C::TenantMismatch
        | C::ProofMismatch
        | C::BatchRefused
        | C::IdempotencyConflict => (S::UNPROCESSABLE_ENTITY, false),

        C::EventTooLarge | C::InputTooLarge | C::TooManyItems => (S::PAYLOAD_TOO_LARGE, false),
        C::UnknownTenant | C::EventNotFound | C::NotFound | C::UnknownApiKey => {
            (S::NOT_FOUND, false)
        }
        C::Unauthenticated | C::InvalidToken | C::TokenExpired | C::KeyRevoked => {
            (S::UNAUTHORIZED, false)
        }
        C::Forbidden | C::TenantSuspended => (S::FORBIDDEN, false),
        C::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, false),
        C::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, false),
        C::RateLimited | C::TooManyJobs => (S::TOO_MANY_REQUESTS, true),
        C::IdConflict | C::TenantExists | C::ApiKeyConflict => (S::CONFLICT, false),
        C::Conflict => (S::CONFLICT, true),

        C::DiskFull
        | C::QueueFull
        | C::StoreLocked
        | C::OutcomeUnknown
        | C::IssuerUnavailable
        | C::ServerBusy
        | C::NotReady
        | C::ShuttingDown => (S::SERVICE_UNAVAILABLE, true),
        C::StoreDamaged | C::LedgerRolledBack | C::ReadOnlyStorage => {
            (S::SERVICE_UNAVAILABLE, false)
        }
        C::InvalidSettings
        | C::InvalidTlsSettings
        | C::CannotListen
        | C::UnprotectedListener
        | C::NotADataDirectory
        | C::DataDirectoryNotEmpty
        | C::UnsupportedFormatVersion
        | C::RecordDamaged
        | C::StorageFailed
        | C::InvalidAuthSettings
        | C::Internal => (S::INTERNAL_SERVER_ERROR, false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;

    use super::known;

    #[test]
    fn every_code_stands_in_the_table() {
        for code in ErrorCode::ALL {
            assert!(known(*code).is_some(), "{code} has no disposition");
        }
    }

    #[test]
    fn only_the_servers_own_failures_are_5xx() {
        for code in ErrorCode::ALL {
            let (status, is_transient) = known(*code).unwrap();
            assert!(status.is_client_error() || status.is_server_error(), "{code}: {status}");
            assert!(
                !is_transient
                    || code.remedy().to_lowercase().contains("again")
                    || *code == ErrorCode::DiskFull
                    || *code == ErrorCode::StoreLocked,
                "{code}"
            );
        }
    }
}
