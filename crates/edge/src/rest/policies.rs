//! `/v1/policies`: what the caller's tenant has decided about its own records, one document of each
//! kind.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_ledger::{Ledger, PolicyDraft, PolicyInForce, PolicyOutcome, Proposal};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::retention::Period;
use ledgerstone_proof::{Canonicalizer, IngestedAt, SequenceNumber, TenantId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::if_match::if_match;
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Bytes of a policy as it is sent, which may have white space in it.
const BODY_MAX: usize = 256 * 1024;

/// Records that one request looks at for values in clear; the next goes on behind them.
const LOOKED_AT_MAX: u64 = 20_000;

/// The policies of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Policies {
    policies: Vec<Policy>,
    contents_in_clear: ContentsInClear,
}

/// How many contents of events lie in clear: nothing can seal them afterwards.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContentsInClear {
    /// Those with a value in clear that the policy of today would seal; where it seals nothing, that the
    /// preset `standard` would seal.
    contents: u64,
    /// Records that were looked at; where they are fewer than there are, the next request goes on.
    looked_at: u64,
    /// Records of the ledger.
    records: u64,
}

/// A policy in force.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the glossary's word for the member")]
pub struct Policy {
    /// What it is about, e.g. `sealing`.
    policy: &'static str,
    /// How many documents of its kind there were, this one counted; 0 where the tenant has none and
    /// the deployment's default counts.
    version: u64,
    document: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_by: Option<SetBy>,
    /// What waits for a second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposed: Option<ProposedPolicy>,
    /// Rules of a retention policy of which one lets go what another keeps: what both are about is
    /// kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contradictions: Vec<String>,
}

/// A policy that somebody put forward, and that another person is to approve.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProposedPolicy {
    /// The version that it will have.
    version: u64,
    document: Value,
    /// The opaque id of whoever put it forward.
    proposed_by: String,
    proposed_at: String,
    system_record: u64,
    audit_record: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contradictions: Vec<String>,
}

/// The records that set a policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetBy {
    system_record: u64,
    set_at: String,
    /// Says who set it; none where the server set its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_record: Option<u64>,
}

impl SetBy {
    pub(super) fn new(
        system_record: SequenceNumber,
        set_at: IngestedAt,
        audit_record: Option<SequenceNumber>,
    ) -> Self {
        Self {
            system_record: system_record.value(),
            set_at: set_at.to_string(),
            audit_record: audit_record.map(SequenceNumber::value),
        }
    }
}

impl Policy {
    pub(super) fn of(policy: &PolicyInForce) -> Self {
        let set_by = SetBy::new(policy.set_by(), policy.set_at(), policy.audit_record());
        Self::new(policy.document(), policy.version(), Some(set_by))
    }

    fn new(document: &PolicyDocument, version: u64, set_by: Option<SetBy>) -> Self {
        Self {
            policy: document.kind().as_str(),
            version,
            document: json(document),
            set_by,
            proposed: None,
            contradictions: contradictions(document),
        }
    }

    fn with_proposal(self, proposal: Option<&Proposal>) -> Self {
        Self { proposed: proposal.map(ProposedPolicy::of), ..self }
    }
}

impl ProposedPolicy {
    fn of(proposal: &Proposal) -> Self {
        let record = &proposal.record;
        Self {
            version: record.version(),
            document: json(record.document()),
            proposed_by: record.proposed_by().to_string(),
            proposed_at: proposal.proposed_at.to_string(),
            system_record: proposal.recorded_as.value(),
            audit_record: record.audit_record().value(),
            contradictions: contradictions(record.document()),
        }
    }
}

fn json(document: &PolicyDocument) -> Value {
    serde_json::from_slice(&document.to_json()).unwrap_or_default()
}

fn contradictions(document: &PolicyDocument) -> Vec<String> {
    let Some(policy) = document.retention() else { return Vec::new() };
    let all = policy.contradictions().into_iter();
    all.map(|found| {
        let (most, least) = (found.maximum.maximum(), found.minimum.minimum());
        let text = |period: Option<Period>| period.map(|one| one.to_string()).unwrap_or_default();
        format!(
            "{} lets go after {} what {} keeps for {}; it is kept",
            found.maximum.name(),
            text(most),
            found.minimum.name(),
            text(least)
        )
    })
    .collect()
}

/// The policy of every kind, and how many contents lie in clear.
#[utoipa::path(get, path = "/v1/policies", tag = "policies",
    responses((status = 200, body = Policies)))]
pub async fn list(
    State(service): State<Service>,
    authorised: Authorised,
) -> Result<Json<Policies>, Problem> {
    let tenant = authorised.tenant().clone();
    let policies = service.blocking(move |ledger| {
        let found = PolicyKind::all().map(|kind| in_force(ledger, &tenant, kind));
        let policies = found.collect::<Result<_, _>>()?;
        let counted = ledger.contents_in_clear(&tenant, LOOKED_AT_MAX)?;
        let contents_in_clear = ContentsInClear {
            contents: counted.contents,
            looked_at: counted.looked_at,
            records: counted.records,
        };
        Ok::<_, Problem>(Policies { policies, contents_in_clear })
    });
    Ok(Json(policies.await?))
}

/// The policy of one kind.
#[utoipa::path(get, path = "/v1/policies/{policy}", tag = "policies",
    params(("policy" = String, Path, description = "What it is about, e.g. `sealing`")),
    responses((status = 200, body = Policy, description = "`ETag` is the version")))]
pub async fn get(
    State(service): State<Service>,
    authorised: Authorised,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let (tenant, kind) = (authorised.tenant().clone(), kind(&name)?);
    let policy = service.blocking(move |ledger| in_force(ledger, &tenant, kind)).await?;
    Ok(answer(policy))
}

/// Sets a policy, whole, for everything that comes afterwards. With `If-Match` only if that version
/// is still in force. A retention policy under which anything could go earlier than under the one in
/// force is put forward only, and comes into force when another person approves it.
#[utoipa::path(put, path = "/v1/policies/{policy}", tag = "policies",
    params(("policy" = String, Path, description = "What it is about, e.g. `sealing`"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the policy that was changed")),
    request_body(content((std::collections::BTreeMap<String, Value> = "application/json"))),
    responses((status = 200, body = Policy, description = "The policy as it is in force now"),
        (status = 202, body = Policy,
            description = "The policy that is still in force, and the proposed one beside it"),
        (status = 412, description = "Another version is in force"),
        (status = 400, description = "The document has faults")))]
pub async fn put(
    State(service): State<Service>,
    authorised: Authorised,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let kind = kind(&name)?;
    let based_on = if_match(&headers)?;
    let text = service.read_json(&headers, body, BODY_MAX).await?;
    let tenant = authorised.tenant().clone();
    let by = service.actor(&authorised);
    let set = service.blocking(move |ledger| {
        let document = PolicyDocument::parse(kind, &text, &mut Canonicalizer::new())
            .map_err(|rejection| Problem::of_rejection("policy", &rejection))?;
        let draft = PolicyDraft { document, based_on };
        match ledger.set_or_propose_policy(&tenant, draft, &by(ledger))? {
            PolicyOutcome::InForce(policy) => {
                Ok::<_, Problem>((StatusCode::OK, Policy::of(&policy)))
            }
            PolicyOutcome::Proposed(_) => {
                Ok((StatusCode::ACCEPTED, in_force(ledger, &tenant, kind)?))
            }
        }
    });
    let (status, policy) = set.await?;
    Ok((status, answer(policy)).into_response())
}

pub(super) fn kind(name: &str) -> Result<PolicyKind, Problem> {
    PolicyKind::parse(name).ok_or_else(|| {
        let known: Vec<_> = PolicyKind::all().map(PolicyKind::as_str).collect();
        let detail = format!("there is no policy of that kind; there are {}", known.join(", "));
        Problem::new(ErrorCode::NotFound, detail)
    })
}

fn in_force(ledger: &Ledger, tenant: &TenantId, kind: PolicyKind) -> Result<Policy, Problem> {
    let proposal = ledger.proposed_policy(tenant, kind)?;
    let policy = match ledger.policy(tenant, kind)? {
        Some(policy) => Policy::of(&policy),
        None => Policy::new(&ledger.default_policy(kind), 0, None),
    };
    Ok(policy.with_proposal(proposal.as_deref()))
}

pub(super) fn answer(policy: Policy) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", policy.version));
    let mut response = Json(policy).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
