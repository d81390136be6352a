//! Answers, read within a limit.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ledgerstone_proof::TenantId;
use reqwest::header::{HeaderName, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;

use crate::error::{ClientError, with_causes};
use crate::problem::Problem;

/// Bytes of an answer; the largest that a server gives has about 10 MiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of an answer that refuses.
const PROBLEM_BYTES_MAX: usize = 1024 * 1024;

/// Where to go on.
const NEXT_CURSOR: HeaderName = HeaderName::from_static("ledgerstone-next-cursor");

/// Says whose the credential is that was asked with.
const TENANT: HeaderName = HeaderName::from_static("ledgerstone-tenant");

/// A whole answer that is no refusal.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    tenant: Option<TenantId>,
    next_cursor: Option<String>,
    body: Bytes,
    /// Method and URL of what was asked.
    call: String,
}

impl Answer {
    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// Whose the credential is that was asked with.
    pub(crate) const fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// Where to go on, for answers that have no member for it.
    pub(crate) fn next_cursor(&self) -> Option<&str> {
        self.next_cursor.as_deref()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.body
    }

    pub(crate) fn text(self) -> Result<String, ClientError> {
        let Self { body, call, .. } = self;
        String::from_utf8(body.into()).map_err(|_| unexpected(call, "it is not text".to_owned()))
    }

    /// The answer as what it should be.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        let Self { body, call, .. } = self;
        serde_json::from_slice(&body).map_err(|error| unexpected(call, error.to_string()))
    }

    /// The answer as JSON, read further by `read`, which says what is wrong with it.
    pub(crate) fn json_with<T: DeserializeOwned, R>(
        self,
        read: impl FnOnce(T) -> Result<R, String>,
    ) -> Result<R, ClientError> {
        let call = self.call.clone();
        read(self.json()?).map_err(|reason| unexpected(call, reason))
    }
}

pub(crate) const fn unexpected(call: String, reason: String) -> ClientError {
    ClientError::UnexpectedAnswer { call, reason }
}

/// The answer to its end; the error says why that was not reached.
pub(crate) async fn collect(response: Response, call: String) -> Result<Answer, String> {
    let (status, tenant) = (response.status(), tenant(&response));
    let next = response.headers().get(NEXT_CURSOR).and_then(|cursor| cursor.to_str().ok());
    let next_cursor = next.map(ToOwned::to_owned);
    let body = read(response, ANSWER_BYTES_MAX).await?;
    Ok(Answer { status, tenant, next_cursor, body, call })
}

/// What a server said that refused; the error says why it is none of ours.
pub(crate) async fn refusal(response: Response) -> Result<Problem, String> {
    let status = response.status();
    let (wait, tenant) = (retry_after(&response), tenant(&response));
    if status.is_redirection() {
        return Err(format!("it leads elsewhere (status {status}); give the URL that it leads to"));
    }
    let body = read(response, PROBLEM_BYTES_MAX).await?;
    let problem = Problem::parse(&body)
        .ok_or_else(|| format!("status {status} without the problem that a server sends"))?;
    Ok(problem.with_retry_after(wait).of_tenant(tenant))
}

fn tenant(response: &Response) -> Option<TenantId> {
    let name = response.headers().get(TENANT)?.to_str().ok()?;
    TenantId::parse_stored(name).ok()
}

async fn read(mut response: Response, limit: usize) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    while let Some(piece) =
        response.chunk().await.map_err(|error| with_causes(&error.without_url()))?
    {
        if body.len() + piece.len() > limit {
            return Err(format!("the answer has more than {limit} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3). Only 429 and 503 say that the same may succeed.
fn retry_after(response: &Response) -> Option<Duration> {
    let is_transient = matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT
    );
    let seconds = response.headers().get(RETRY_AFTER).filter(|_| is_transient)?;
    seconds.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
