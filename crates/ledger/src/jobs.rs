//! Work that outlives the request that asked for it, done by a few threads, one job after the other.
//!
//! A job belongs to a tenant and has a kind, which stands in [`JOB_KINDS`]. It is saved before it is
//! acknowledged, so that a restart loses none: what had not ended begins again. Beside the jobs, one
//! thread verifies everything over and over, gently ([`background`]).

pub mod background;
mod closing;
mod erasure;
mod erasure_survey;
mod error;
mod hold_survey;
mod kind;
mod of_request;
mod pass;
mod pool;
mod retention;
mod roster;
mod schedule;
mod settings;
mod verification;
mod waiting;
mod work;

pub use background::{BackgroundSettings, BackgroundStatus, BackgroundVerifier};
pub use closing::{closing_job, finish_closings};
pub use erasure::erasure_job;
pub use erasure_survey::erasure_survey_job;
pub use error::JobError;
pub use hold_survey::hold_survey_job;
pub use kind::{JOB_KINDS, JobKind};
pub use of_request::carried_out_by;
pub use pass::Pass;
pub use pool::{JobPool, NewJob};
pub use retention::{RetentionRequest, is_retention};
pub use roster::JobView;
pub use schedule::RetentionSchedule;
pub use settings::JobSettings;
pub use verification::{VerificationRequest, VerificationScope};
pub use waiting::Waiting;
pub use work::JobTools;
