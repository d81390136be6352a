//! The table of endpoints: one line each. It drives the router, the `OpenAPI` document and the test
//! that walks every route with every role.

use Access::{Needs, Public};
use ledgerstone_model::access::Permission;
use utoipa_axum::routes;

use super::endpoint::{Access, Endpoint};
use super::{
    api_keys, append, append_aliases, checkpoint, dead_letter_resend, dead_letters, event_content,
    event_get, event_list, event_proof, health, jobs, metrics, not_yet, openapi, proof_consistency,
    proof_inclusion, read_aliases, signing_keys, status, taxonomy, taxonomy_check, tenants, tlog,
    verification_keys, verify, verify_alias,
};

/// Every endpoint there is.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::new(Needs(Permission::EventsWrite), || routes!(append::append)),
    Endpoint::new(Needs(Permission::EventsWrite), || routes!(append_aliases::audit_events)),
    Endpoint::new(Needs(Permission::EventsWrite), || routes!(append_aliases::audit)),
    Endpoint::new(Needs(Permission::EventsWrite), || routes!(append_aliases::audit_event)),
    Endpoint::new(Needs(Permission::DeadLettersRead), || routes!(dead_letters::list)),
    Endpoint::new(Needs(Permission::DeadLettersRead), || routes!(dead_letters::get)),
    Endpoint::new(Needs(Permission::DeadLettersDelete), || routes!(dead_letters::delete)),
    Endpoint::new(Needs(Permission::DeadLettersResend), || routes!(dead_letter_resend::resend)),
    Endpoint::new(Needs(Permission::TaxonomyRead), || routes!(taxonomy::get)),
    Endpoint::new(Needs(Permission::TaxonomyWrite), || routes!(taxonomy::put)),
    Endpoint::new(Needs(Permission::TaxonomyRead), || routes!(taxonomy_check::check)),
    Endpoint::new(Needs(Permission::StatusRead), || routes!(status::status)),
    Endpoint::new(Needs(Permission::ApiKeysRead), || routes!(api_keys::list)),
    Endpoint::new(Needs(Permission::ApiKeysWrite), || routes!(api_keys::create)),
    // A secret that got out must be worth nothing, whatever the tenant's state.
    Endpoint::new(Needs(Permission::ApiKeysWrite), || routes!(api_keys::revoke))
        .open_when_suspended(),
    Endpoint::new(Needs(Permission::TenantsRead), || routes!(tenants::list)),
    Endpoint::new(Needs(Permission::TenantsWrite), || routes!(tenants::create)),
    Endpoint::new(Needs(Permission::TenantsRead), || routes!(tenants::get)),
    Endpoint::new(Needs(Permission::TenantsWrite), || routes!(tenants::suspend)),
    Endpoint::new(Needs(Permission::TenantsWrite), || routes!(tenants::resume)),
    Endpoint::new(Needs(Permission::SigningKeysRead), || routes!(signing_keys::list)),
    Endpoint::new(Needs(Permission::SigningKeysRotate), || routes!(signing_keys::rotate)),
    Endpoint::new(Public, || routes!(health::health)),
    Endpoint::new(Needs(Permission::RecordsRead), || routes!(event_list::list)),
    Endpoint::new(Needs(Permission::RecordsRead), || routes!(event_get::get)),
    Endpoint::new(Needs(Permission::RecordsRead), || routes!(read_aliases::list_events)),
    Endpoint::new(Needs(Permission::RecordsRead), || routes!(read_aliases::get_event)),
    Endpoint::new(Needs(Permission::RecordsRead), || routes!(read_aliases::list_audit)),
    Endpoint::new(Needs(Permission::RecordsRead), || routes!(read_aliases::get_audit)),
    Endpoint::new(Needs(Permission::EventsRead), || routes!(event_content::get)),
    Endpoint::new(Needs(Permission::ProofsRead), || routes!(event_proof::get)),
    Endpoint::new(Needs(Permission::ProofsRead), || routes!(proof_inclusion::get)),
    Endpoint::new(Needs(Permission::ProofsRead), || routes!(proof_consistency::get)),
    Endpoint::new(Needs(Permission::ProofsRead), || routes!(checkpoint::get)),
    Endpoint::new(Needs(Permission::ProofsRead), || routes!(tlog::checkpoint)),
    Endpoint::new(Needs(Permission::ProofsRead), || routes!(tlog::tile)),
    Endpoint::new(Needs(Permission::VerifyRun), || routes!(verify::verify)),
    Endpoint::new(Needs(Permission::VerifyRun), || routes!(verify_alias::get)),
    Endpoint::new(Needs(Permission::VerifyRun), || routes!(verify_alias::post)),
    Endpoint::new(Needs(Permission::JobsRead), || routes!(jobs::list)),
    Endpoint::new(Needs(Permission::JobsRead), || routes!(jobs::get)),
    Endpoint::new(Needs(Permission::VerifyRun), || routes!(jobs::cancel)),
    Endpoint::not_yet(Needs(Permission::RecordsRead), || routes!(not_yet::stats)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::export_range)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::export_data)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::exports)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::begin_export)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::export_formats)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::export)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::download)),
    Endpoint::not_yet(Needs(Permission::EventsRead), || routes!(not_yet::stream)),
    Endpoint::new(Public, || routes!(health::live)),
    Endpoint::new(Public, || routes!(health::ready)),
    Endpoint::new(Public, || routes!(health::audit)),
    Endpoint::new(Public, || routes!(verification_keys::list)),
    Endpoint::new(Needs(Permission::MetricsRead), || routes!(metrics::metrics)),
    Endpoint::new(Public, || routes!(openapi::openapi)),
    Endpoint::new(Public, || routes!(openapi::docs)),
];
