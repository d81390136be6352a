//! Memory for answers: what a client does not read stays in memory, so it is counted until it has gone
//! out. Of one tenant's answers no more than a share is held, so that it cannot keep out the others.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;

use super::limits::{ANSWER_BYTES_UNCOUNTED, ANSWER_MEMORY_WAIT, ANSWER_SHARES, Limits};
use super::memory::{Claim, Memory};
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

/// Memory for the answers to all requests.
#[derive(Debug)]
pub(super) struct AnswerMemory {
    all: Memory,
    /// Bytes that one tenant's answers may have.
    share: usize,
    /// The shares of tenants, of which there are not many; that of public answers under `None`.
    shares: Mutex<HashMap<Option<TenantId>, Memory>>,
}

/// Memory of one answer: of its tenant's share, and of what there is for all.
#[derive(Debug)]
struct Both {
    own: Claim,
    all: Claim,
}

/// Memory that was claimed before its answer was made. It is left in the answer, and then counts for
/// that.
#[derive(Clone, Debug)]
pub(super) struct AnswerClaim(Arc<Both>);

impl AnswerMemory {
    pub(super) fn new(limits: &Limits) -> Self {
        let bytes = limits.response_bytes_in_memory;
        let share = bytes / ANSWER_SHARES;
        Self { all: Memory::new(bytes), share, shares: Mutex::default() }
    }

    fn share(&self, tenant: Option<&TenantId>) -> Memory {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares.entry(tenant.cloned()).or_insert_with(|| Memory::new(self.share)).clone()
    }

    /// Claims memory for an answer, and waits a little for it. A share is all that is claimed.
    async fn claim(&self, tenant: Option<&TenantId>, bytes: usize) -> Result<Both, Problem> {
        let bytes = bytes.min(self.share);
        let own = self.share(tenant).claim_within(bytes, ANSWER_MEMORY_WAIT).await;
        let own = own.ok_or_else(no_room)?;
        let all = self.all.claim_within(bytes, ANSWER_MEMORY_WAIT).await;
        Ok(Both { own, all: all.ok_or_else(no_room)? })
    }
}

fn no_room() -> Problem {
    let detail = "too many bytes of answers wait to be read; read those that were asked for, or ask \
                  again a little later";
    Problem::new(ErrorCode::ServerBusy, detail)
}

impl Both {
    /// Fits the claim to the answer. One that turned out larger than was claimed for it is sent all
    /// the same.
    fn fit(&mut self, bytes: usize) {
        let _ = self.own.hold(bytes);
        let _ = self.all.hold(bytes);
    }
}

impl AnswerClaim {
    /// The answer with its claim left in it.
    pub(super) fn in_answer(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl Service {
    /// Memory for an answer that is yet to be made and may have so many bytes. Whoever claims it before
    /// doing what is asked can still refuse.
    pub(super) async fn claim_answer(
        &self,
        tenant: &TenantId,
        bytes: usize,
    ) -> Result<AnswerClaim, Problem> {
        let both = self.answer_memory().claim(Some(tenant), bytes).await?;
        Ok(AnswerClaim(Arc::new(both)))
    }
}

/// Counts each answer until it has gone out. One that changed nothing is refused where there is no
/// memory for it; what was done is told in any case.
pub(super) async fn count(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let is_safe = request.method().is_safe();
    let authorised = request.extensions().get::<Authorised>();
    let tenant = authorised.map(|authorised| authorised.tenant().clone());
    let mut response = next.run(request).await;
    let claim = response.extensions_mut().remove::<AnswerClaim>();
    let claim = claim.and_then(|AnswerClaim(both)| Arc::into_inner(both));
    let Some(size) = HttpBody::size_hint(response.body()).exact() else { return response };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size <= ANSWER_BYTES_UNCOUNTED {
        return response;
    }
    let claim = match claim {
        Some(mut claim) => {
            claim.fit(size);
            claim
        }
        None if is_safe => match service.answer_memory().claim(tenant.as_ref(), size).await {
            Ok(claim) => claim,
            Err(problem) => return problem.into_response(),
        },
        None => return response,
    };
    let claim = Arc::new(claim);
    response.map(|body| Body::new(CountedBody { body, claim }))
}

/// A body each piece of which holds on to the memory that was claimed for the whole.
struct CountedBody {
    body: Body,
    claim: Arc<Both>,
}

/// A piece of a body, wherever it waits to be written.
struct Counted {
    bytes: Bytes,
    _claim: Arc<Both>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let counted = |bytes| Bytes::from_owner(Counted { bytes, _claim: Arc::clone(&self.claim) });
        polled.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(counted))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
