//! An event's id as part of a path.

use http::StatusCode;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::EventId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct EventPath {
    /// The event's id.
    #[param(pattern = "^[A-Za-z0-9._:-]{1,128}$")]
    id: String,
}

impl EventPath {
    /// The id; those that only the server gives are read too.
    pub(super) fn id(&self) -> Result<EventId, Problem> {
        EventId::parse_stored(&self.id).map_err(|error| {
            Problem::new(ErrorCode::InvalidId, format!("no event has such an id: {error}"))
                .with_status(StatusCode::BAD_REQUEST)
        })
    }
}
