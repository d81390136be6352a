//! Routes that other services have and this version does not: they say so, and are not taken for
//! something else (`GET /api/v1/audit/stats` is no event with the id `stats`).

use ledgerstone_model::ErrorCode;

use super::problem::Problem;

/// The answer, with what does nearly the same, or where to look.
fn not_yet(what: &str, instead: &str) -> Problem {
    Problem::new(ErrorCode::NotSupportedYet, format!("this version has no {what} yet; {instead}"))
}

fn no_exports() -> Problem {
    not_yet("exports", "GET /v1/events lists every record, page by page")
}

/// Counts of events; not in this version.
#[utoipa::path(get, path = "/api/v1/audit/stats", tag = "not yet",
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn stats() -> Problem {
    not_yet("statistics", "GET /v1/status has the number of records")
}

/// Events of a time as a file; not in this version.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "not yet",
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn export_range() -> Problem {
    no_exports()
}

/// Events for an examination as a file; not in this version.
#[utoipa::path(post, path = "/api/v1/audit/export", tag = "not yet",
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn export_data() -> Problem {
    no_exports()
}

/// The exports there are; not in this version.
#[utoipa::path(get, path = "/api/v1/export", tag = "not yet",
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn exports() -> Problem {
    no_exports()
}

/// Begins an export; not in this version.
#[utoipa::path(post, path = "/api/v1/export", tag = "not yet",
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn begin_export() -> Problem {
    no_exports()
}

/// The formats of exports; not in this version.
#[utoipa::path(get, path = "/api/v1/export/formats", tag = "not yet",
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn export_formats() -> Problem {
    no_exports()
}

/// One export; not in this version.
#[utoipa::path(get, path = "/api/v1/export/{id}", tag = "not yet",
    params(("id" = String, Path, description = "The export's id")),
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn export() -> Problem {
    no_exports()
}

/// The file of an export; not in this version.
#[utoipa::path(get, path = "/api/v1/export/{id}/download", tag = "not yet",
    params(("id" = String, Path, description = "The export's id")),
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn download() -> Problem {
    no_exports()
}

/// Events as they come; not in this version.
#[utoipa::path(get, path = "/audit/stream", tag = "not yet",
    responses((status = 400, description = "`NOT_SUPPORTED_YET`")))]
pub async fn stream() -> Problem {
    not_yet("stream of events", "GET /v1/events lists the newest records first")
}
