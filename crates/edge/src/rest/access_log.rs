//! One line of the log for each request, written when its answer has gone out: who asked what, by the
//! route's pattern, and what it came to. No path, no parameter, no content.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;
use tokio::time::Instant;
use tracing::Span;

use super::envelope::RequestId;
use crate::auth::Caller;

/// The target of these lines, by which the log takes them or not.
pub const TARGET: &str = "access";

/// Routes that are asked all the time by machines; their lines are for debugging.
const POLLED: [&str; 2] = ["/health", "/metrics"];

/// Who asked, left in the answer by whoever found it out.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    tenant: TenantId,
    principal: String,
}

impl Asker {
    pub(super) fn of(caller: &Caller) -> Self {
        let principal = caller.principal().as_str().to_owned();
        Self { tenant: caller.tenant().clone(), principal }
    }
}

/// What is known of a request when its answer begins.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) method: &'static str,
    pub(super) route: String,
    pub(super) status: u16,
    pub(super) code: Option<ErrorCode>,
    pub(super) id: RequestId,
    pub(super) asker: Option<Asker>,
    pub(super) begun: Instant,
    /// Ends with the answer.
    pub(super) _span: Span,
}

impl Answered {
    /// Has the line written, and the span ended, when the answer has gone out or was given up.
    pub(super) fn follow(self, response: Response) -> Response {
        response.map(|body| {
            Body::new(FollowedBody { body, bytes: 0, has_ended: false, answered: self })
        })
    }

    fn write(&self, bytes: u64, is_cut: bool) {
        let tenant = self.asker.as_ref().map(|asker| asker.tenant.as_str());
        let principal = self.asker.as_ref().map(|asker| asker.principal.as_str());
        let duration_ms = self.begun.elapsed().as_secs_f64() * 1000.0;
        let Self { method, route, status, code, id, .. } = self;
        let (code, request_id) = (code.map(ErrorCode::as_str), id.as_str());
        let cut = is_cut.then_some(true);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: TARGET,
                    method, route, status, duration_ms, bytes, request_id, tenant, principal, code, cut,
                    "request"
                )
            };
        }
        if POLLED.iter().any(|polled| route.starts_with(polled)) {
            line!(debug);
        } else {
            line!(info);
        }
    }
}

/// An answer's body whose bytes are counted.
struct FollowedBody {
    body: Body,
    bytes: u64,
    has_ended: bool,
    answered: Answered,
}

impl HttpBody for FollowedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            Poll::Ready(None) => self.has_ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for FollowedBody {
    fn drop(&mut self) {
        self.answered.write(self.bytes, !self.has_ended && !self.body.is_end_stream());
    }
}
