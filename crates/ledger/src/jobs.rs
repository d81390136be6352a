//! Work that outlives the request that asked for it, done by a few threads, one job after the other.
//!
//! A job belongs to a tenant and has a kind, which stands in [`JOB_KINDS`]. It is saved before it is
//! acknowledged, so that a restart loses none: what had not ended begins again. Beside the jobs, one
//! thread verifies everything over and over, gently ([`background`]).

pub mod background;
mod erasure;
mod error;
mod kind;
mod pass;
mod pool;
mod roster;
mod settings;
mod verification;
mod work;

pub use background::{BackgroundSettings, BackgroundStatus, BackgroundVerifier};
pub use erasure::erasure_job;
pub use error::JobError;
pub use kind::{JOB_KINDS, JobKind};
pub use pass::Pass;
pub use pool::{JobPool, NewJob};
pub use roster::JobView;
pub use settings::JobSettings;
pub use verification::{VerificationRequest, VerificationScope};
