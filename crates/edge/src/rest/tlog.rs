//! `/v1/tlog/{tenant}/…`: a ledger as a C2SP tlog-tiles log, for tools that know nothing of this
//! server but a bearer token.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use ledgerstone_ledger::LedgerError;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{TenantId, TilePath, TreeSize};

use super::caching::unchanging;
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Bytes of a tile's path; the longest there is has fewer.
const TILE_PATH_MAX: usize = 64;

/// The ledger's checkpoint as a signed note.
#[utoipa::path(get, path = "/v1/tlog/{tenant}/checkpoint", tag = "proofs",
    params(("tenant" = String, Path, description = "The caller's own tenant")),
    responses((status = 200, content_type = "text/plain", body = String)))]
pub async fn checkpoint(
    State(service): State<Service>,
    authorised: Authorised,
    Path(tenant): Path<String>,
) -> Result<Response, Problem> {
    let tenant = own(&authorised, &tenant)?;
    let mut response = service.signed_checkpoint(tenant).await?.note.into_response();
    let no_cache = HeaderValue::from_static("no-cache");
    response.headers_mut().insert(header::CACHE_CONTROL, no_cache);
    Ok(response)
}

/// A tile of hashes, `tile/<level>/<index>[.p/<width>]`, or a bundle of headers,
/// `tile/entries/<index>[.p/<width>]`. Partial ones stay what they are for ever, too: the tree only
/// grows.
#[utoipa::path(get, path = "/v1/tlog/{tenant}/tile/{*tile}", tag = "proofs",
    params(
        ("tenant" = String, Path, description = "The caller's own tenant"),
        ("tile" = String, Path, description = "Level (or `entries`), index in groups of three digits, and width of a partial tile, as C2SP tlog-tiles has it"),
    ),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>)))]
pub async fn tile(
    State(service): State<Service>,
    authorised: Authorised,
    Path((tenant, tile)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let tenant = own(&authorised, &tenant)?;
    let path = tile_path(&tile)?;
    let bytes = service.blocking(move |ledger| {
        let size = TreeSize::new(ledger.reader().size(&tenant)?);
        ledger.reader().tile(&tenant, size, &path).map_err(not_there)
    });
    Ok(unchanging(&headers, "application/octet-stream", bytes.await?))
}

/// The tenant in the path, which must be the caller's.
fn own(authorised: &Authorised, tenant: &str) -> Result<TenantId, Problem> {
    if authorised.tenant().as_str() == tenant {
        return Ok(authorised.tenant().clone());
    }
    Err(Problem::new(ErrorCode::NotFound, "there is no such log for this credential"))
}

fn tile_path(tile: &str) -> Result<TilePath, Problem> {
    let invalid = |why: &str| Problem::new(ErrorCode::InvalidArgument, why);
    if tile.len() > TILE_PATH_MAX {
        return Err(invalid("no tile has a path of more than 64 bytes"));
    }
    TilePath::parse(&format!("tile/{tile}")).map_err(|error| invalid(&error.to_string()))
}

fn not_there(error: LedgerError) -> Problem {
    match error {
        LedgerError::NoSuchTile { .. } => {
            Problem::new(ErrorCode::NotFound, "the tree has no such tile yet")
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;

    use super::tile_path;

    #[test]
    fn only_paths_of_tiles_are_read() {
        for path in ["0/000", "entries/x001/234", "7/x001/x234/067.p/255", "63/000.p/1"] {
            assert_eq!(tile_path(path).unwrap().to_string(), format!("tile/{path}"));
        }
        let long = format!("0/{}000", "x999/".repeat(20));
        for path in [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "../../etc/passwd",
            "0/../000",
            "0//000",
            "64/000",
            "00/000",
            "-1/000",
            "0/x000/001",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/",
            "0/000.p/01",
            "0/000.p/99999999999999999999",
            "99999999999999999999/000",
            "0/000/",
            "0/000?x",
            "0/٠٠٠",
            "0/x018/x446/x744/x073/x709/x551/616",
            "entries/",
            "data/000",
            "0/000\0",
            &long,
        ] {
            let problem = tile_path(path).unwrap_err();
            assert_eq!(problem.code(), ErrorCode::InvalidArgument, "{path}");
        }
    }
}
