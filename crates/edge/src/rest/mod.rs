//! The HTTP interface: one table of endpoints, and what every request goes through before and after.

mod accept;
pub mod access_log;
mod acting;
mod answer_memory;
mod answer_schemas;
mod api_keys;
mod append;
mod append_aliases;
mod authorise;
mod blocking;
mod body;
mod body_schemas;
mod bundle;
mod caching;
mod checkpoint;
mod components;
mod compression;
mod cors;
mod cursor;
mod dead_letter_resend;
mod dead_letters;
mod encoding;
pub mod endpoint;
mod endpoints;
mod envelope;
mod event_content;
mod event_get;
mod event_list;
mod event_path;
mod event_proof;
mod examiner;
mod health;
mod holds;
mod if_match;
mod job_view;
mod jobs;
mod lasting;
pub mod limits;
mod list_query;
mod listing;
mod media_type;
mod memory;
mod metrics;
mod not_yet;
mod noting;
mod number_rules;
mod openapi;
mod opening;
pub mod operation;
mod policies;
mod policy_approve;
mod policy_versions;
pub mod problem;
mod proof_answer;
mod proof_consistency;
mod proof_inclusion;
mod query;
mod rate_limit;
mod read_alias_query;
mod read_aliases;
mod rectification;
mod reply;
mod requests;
mod retention;
mod sealing_keys;
mod seen;
pub mod service;
mod signing_keys;
mod small_body;
mod status;
mod stream_turns;
mod subject_access;
mod subjects;
mod taxonomy;
mod taxonomy_check;
mod tenant_closing;
mod tenants;
mod tlog;
mod turns;
mod verification_keys;
mod verification_state;
mod verify;
mod verify_alias;
mod well_formed;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

pub use cors::{OriginError, Origins};
pub use cursor::{CURSOR_KEY_BYTES, CursorKey};
pub use endpoint::{Access, Endpoint};
pub use endpoints::ENDPOINTS;
pub use limits::Limits;
pub use number_rules::NumberRules;
pub use openapi::document;
pub use opening::Opening;
pub use problem::Problem;
pub use seen::Seen;
pub use service::{Service, ServiceParts};

/// What an operator may choose about the router.
#[derive(Clone, Debug, Default)]
pub struct RouterSettings {
    /// The origins whose pages may ask.
    pub cors: Origins,
}

/// The router of every endpoint in the table, wrapped in what all requests go through.
pub fn router(service: &Service) -> Router {
    router_with(service, &RouterSettings::default())
}

/// The same with other settings than the usual.
pub fn router_with(service: &Service, settings: &RouterSettings) -> Router {
    let mut router = OpenApiRouter::new();
    for endpoint in ENDPOINTS {
        router = router.routes(endpoint.routes(service));
    }
    let (router, _) = router.split_for_parts();
    envelope::around(router, service, settings).with_state(service.clone())
}
