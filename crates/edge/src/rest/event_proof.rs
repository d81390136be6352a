//! `GET /v1/events/{id}/proof`: one record, proved to whoever holds nothing but the log's key.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use ledgerstone_ledger::{Dropped, Ledger, LedgerError};
use ledgerstone_model::access::{Permission, Sight};
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::visible::HiddenPart;
use ledgerstone_proof::{Checkpoint, EventId, Hash, TenantId, TlogProof, VerifierKey};
use ledgerstone_store::StoredRecord;

use super::accept::Form;
use super::event_path::EventPath;
use super::problem::Problem;
use super::reply::RawJson;
use super::seen::Seen;
use super::service::Service;
use crate::auth::Authorised;

/// A record with the way from it to a signed root. As text it is a C2SP tlog-proof file with the
/// record's header in `extra`, which `ledgerstone verify --proof` checks without this server; asked for
/// `application/json`, the same in members, with the content for those who may read it.
#[utoipa::path(get, path = "/v1/events/{id}/proof", tag = "proofs", params(EventPath),
    responses((status = 200, content(
        (String = "text/plain"), (serde_json::Value = "application/json")
    ))))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(path): Path<EventPath>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (tenant, id) = (authorised.tenant().clone(), path.id()?);
    let (may_read, sight) =
        (authorised.caller().may(Permission::EventsRead), authorised.caller().sight());
    let form = Form::preferred(&headers, Form::Text);
    let proved = service.blocking(move |ledger| {
        let proved = Proved::make(ledger, &tenant, &id)?;
        let is_closed = ledger.viewer(&tenant, sight)?.is_closed(&proved.record);
        Ok::<_, Problem>((proved, may_read && !is_closed))
    });
    let (proved, shows_content) = proved.await?;
    let mut seen = Seen::by(Sight::NOTHING).at_size(proved.tree_size);
    seen.note_number(proved.record.sequence_number);
    let mut response = match form {
        Form::Text => seen.in_answer(proved.proof.to_string()),
        Form::Json => seen.in_answer(RawJson(proved.to_json(shows_content))),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

struct Proved {
    record: StoredRecord,
    dropped: Option<HiddenPart>,
    proof: TlogProof,
    tree_size: u64,
    key: VerifierKey,
}

impl Proved {
    fn make(ledger: &Ledger, tenant: &TenantId, id: &EventId) -> Result<Self, Problem> {
        let proof = ledger.record_proof(tenant, id)?;
        let record = ledger.reader().get_readable(tenant, id)?;
        let dropped = ledger.reader().dropped(&record)?.map(Dropped::hidden_part);
        let (checkpoint, _) =
            Checkpoint::parse_note(proof.checkpoint().as_bytes()).map_err(|error| {
                LedgerError::InvalidProof { what: "the checkpoint", reason: error.to_string() }
            })?;
        let key = ledger.verifier_key(tenant)?;
        Ok(Self { record, dropped, proof, tree_size: checkpoint.size().value(), key })
    }

    fn to_json(&self, shows_content: bool) -> Vec<u8> {
        let mut json = Vec::with_capacity(4096);
        let mut object = ObjectWriter::open(&mut json);
        object.text("checkpoint", self.proof.checkpoint());
        let content = self.record.content.as_deref().filter(|_| shows_content);
        object.key("content").extend_from_slice(content.unwrap_or(b"null"));
        if !shows_content && self.dropped.is_none() {
            object.boolean("content_withheld", true);
        }
        let hashes: Vec<String> = self.proof.hashes().iter().map(Hash::to_base64).collect();
        object.texts("hashes", &hashes);
        object.key("header").extend_from_slice(&self.record.header_bytes());
        if let Some(dropped) = &self.dropped {
            object.array("hidden", [dropped], HiddenPart::write);
        }
        object.number("leaf_index", self.proof.index());
        object.number("tree_size", self.tree_size);
        object.text("vkey", &self.key.to_string());
        object.close();
        json
    }
}
