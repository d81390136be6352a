//! What the routes of proofs share: a question in the parameters, worked out where the disk may be
//! read, and an answer that never changes.

use axum::response::Response;
use http::{HeaderMap, Uri};
use ledgerstone_ledger::Ledger;
use ledgerstone_proof::TenantId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::caching::unchanging_json;
use super::problem::Problem;
use super::query::parameters;
use super::service::Service;
use crate::auth::Authorised;

impl Service {
    pub(super) async fn answer_proof<Q, A>(
        &self,
        authorised: &Authorised,
        (uri, headers): (&Uri, &HeaderMap),
        prove: fn(&Ledger, &TenantId, Q) -> Result<A, Problem>,
    ) -> Result<Response, Problem>
    where
        Q: DeserializeOwned + IntoParams + Send + 'static,
        A: Serialize + Send + 'static,
    {
        let query: Q = parameters(uri)?;
        let tenant = authorised.tenant().clone();
        let proof = self.blocking(move |ledger| prove(ledger, &tenant, query)).await?;
        unchanging_json(headers, &proof)
    }
}
