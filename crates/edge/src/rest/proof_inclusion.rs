//! `GET /v1/proofs/inclusion`: that a record is in the tree of a size.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};
use ledgerstone_ledger::Ledger;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{Hash, SequenceNumber, TenantId, TreeSize, leaf_hash};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Of which record, in which tree.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InclusionQuery {
    /// The record's sequence number, which is its leaf index.
    sequence_number: u64,
    /// Records in the tree: a size that a checkpoint speaks of.
    #[param(minimum = 1)]
    tree_size: u64,
}

/// An inclusion proof (RFC 9162 §2.1.3); hashes in standard base64.
#[derive(Debug, Serialize, ToSchema)]
pub struct InclusionProof {
    sequence_number: u64,
    tree_size: u64,
    /// SHA-256 of `0x00` and the record's header.
    leaf_hash: String,
    /// From the leaf's sibling up.
    hashes: Vec<String>,
    /// The root that they lead to.
    root: String,
}

/// That a record is in the tree of the first `tree_size` records. The same question always has the
/// same answer.
#[utoipa::path(get, path = "/v1/proofs/inclusion", tag = "proofs", params(InclusionQuery),
    responses((status = 200, body = InclusionProof)))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    service.answer_proof(&authorised, (&uri, &headers), prove).await
}

fn prove(
    ledger: &Ledger,
    tenant: &TenantId,
    query: InclusionQuery,
) -> Result<InclusionProof, Problem> {
    let InclusionQuery { sequence_number, tree_size } = query;
    let reader = ledger.reader();
    let found = reader.size(tenant)?;
    if tree_size > found || sequence_number >= tree_size {
        let detail = format!(
            "there is no record {sequence_number} in a tree of {tree_size}; the ledger has {found} records, and the number is below the size"
        );
        return Err(Problem::new(ErrorCode::InvalidArgument, detail));
    }
    let number = SequenceNumber::new(sequence_number)
        .map_err(|error| Problem::new(ErrorCode::InvalidArgument, error.to_string()))?;
    let size = TreeSize::new(tree_size);
    let hashes = reader.inclusion_proof(tenant, number, size)?;
    let leaf = leaf_hash(&reader.record(tenant, number)?.header_bytes());
    Ok(InclusionProof {
        sequence_number,
        tree_size,
        leaf_hash: leaf.to_base64(),
        hashes: hashes.iter().map(Hash::to_base64).collect(),
        root: reader.root(tenant, size)?.to_base64(),
    })
}
