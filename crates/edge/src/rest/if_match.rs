//! `If-Match` with the version of a document (RFC 9110 section 13.1.1).

use http::{HeaderMap, header};
use ledgerstone_model::ErrorCode;

use super::problem::Problem;

/// The version that a change is based on, where the request says so.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let version = version.and_then(|version| version.parse::<u64>().ok());
    match (version, values.next()) {
        (Some(version), None) => Ok(Some(version)),
        _ => Err(Problem::new(
            ErrorCode::InvalidArgument,
            "If-Match takes one ETag as the GET of this route gives it, a version in quotes",
        )),
    }
}
