//! Why a job is not taken.

use ledgerstone_model::ErrorCode;
use ledgerstone_store::admin::AdminError;
use thiserror::Error;

/// Why a job is not taken.
#[derive(Debug, Error)]
pub enum JobError {
    #[error("{open} jobs of this tenant wait or run already; wait for one to end, or cancel one")]
    TooManyOfTenant { open: usize },
    #[error("{open} jobs wait or run already; send the request again a little later")]
    TooMany { open: usize },
    #[error("the server is stopping; send the request again once it is up")]
    Stopping,
    #[error("there are no jobs of kind {0:?}")]
    UnknownKind(String),
    #[error("the job could not be saved: {0}")]
    NotSaved(#[from] AdminError),
}

impl JobError {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooManyOfTenant { .. } | Self::TooMany { .. } => ErrorCode::TooManyJobs,
            Self::Stopping => ErrorCode::ShuttingDown,
            Self::UnknownKind(_) => ErrorCode::InvalidArgument,
            Self::NotSaved(error) => error.code(),
        }
    }
}
