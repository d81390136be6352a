//! One request: sent, repeated where that is safe, and its answer read within a limit.

use std::time::Duration;

use bytes::Bytes;
use ledgerstone_model::ErrorCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Response, Url};

use crate::answer::{Answer, collect, refusal};
use crate::client::Client;
use crate::error::{ClientError, with_causes};
use crate::problem::Problem;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Whether a request may be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Twice is like once.
    Safe,
    /// Only where the first had no effect.
    IfNotTaken,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    url: Url,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
    repeat: Repeat,
}

impl Call {
    pub(crate) const fn get(url: Url) -> Self {
        let (method, repeat) = (Method::GET, Repeat::Safe);
        Self { method, url, headers: Vec::new(), body: None, repeat }
    }

    pub(crate) const fn post(url: Url) -> Self {
        let (method, repeat) = (Method::POST, Repeat::IfNotTaken);
        Self { method, url, headers: Vec::new(), body: None, repeat }
    }

    /// Sent once: a second would find the first's effect, and be refused for it.
    pub(crate) const fn put(url: Url) -> Self {
        let (method, repeat) = (Method::PUT, Repeat::IfNotTaken);
        Self { method, url, headers: Vec::new(), body: None, repeat }
    }

    pub(crate) const fn delete(url: Url) -> Self {
        let (method, repeat) = (Method::DELETE, Repeat::Safe);
        Self { method, url, headers: Vec::new(), body: None, repeat }
    }

    pub(crate) fn accept(self, form: &'static str) -> Self {
        self.header(ACCEPT, HeaderValue::from_static(form))
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(self, form: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..self }.header(CONTENT_TYPE, form)
    }

    pub(crate) fn json(self, value: &serde_json::Value) -> Self {
        self.body(JSON, value.to_string())
    }

    pub(crate) const fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// Method and URL, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.url)
    }
}

/// Why an attempt failed.
enum Failed {
    Refused(Problem),
    Broken { reason: String, was_sent: bool },
    Unexpected(String),
}

impl Client {
    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, ClientError> {
        let mut attempt = 1;
        loop {
            let failed = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            match self.pause(call, attempt, &failed) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failed.into_error(call.name(), attempt)),
            }
            attempt += 1;
        }
    }

    /// Sends a request once and hands its answer over unread; one that refuses is read.
    pub(crate) async fn open(
        &self,
        call: &Call,
        body: reqwest::Body,
    ) -> Result<Response, ClientError> {
        let request = self.request(call).body(body);
        let opened = judge(request.send().await.map_err(broken)).await;
        opened.map_err(|failed| failed.into_error(call.name(), 1))
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, Failed> {
        let mut request = self.request(call);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let response = judge(request.send().await.map_err(broken)).await?;
        collect(response, call.name())
            .await
            .map_err(|reason| Failed::Broken { reason, was_sent: true })
    }

    fn request(&self, call: &Call) -> reqwest::RequestBuilder {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }

    /// How long to wait before another attempt; none where there must be none.
    fn pause(&self, call: &Call, attempt: u32, failed: &Failed) -> Option<Duration> {
        let is_safe = call.repeat == Repeat::Safe;
        match failed {
            Failed::Unexpected(_) => None,
            Failed::Broken { was_sent, .. } => {
                (is_safe || !was_sent).then(|| self.retry.pause_after(attempt, None))?
            }
            Failed::Refused(problem) => {
                let wait = problem.retry_after()?;
                let may_have_been = problem.known_code() == Some(ErrorCode::OutcomeUnknown);
                (is_safe || !may_have_been).then(|| self.retry.pause_after(attempt, Some(wait)))?
            }
        }
    }
}

/// What an attempt came to, by its status.
async fn judge(sent: Result<Response, Failed>) -> Result<Response, Failed> {
    let response = sent?;
    // Whatever its status, plain JSON is no refusal: events every one of which was refused, and the
    // health of a server that is not well.
    if response.status().is_success() || is_json(&response) {
        return Ok(response);
    }
    Err(refusal(response).await.map_or_else(Failed::Unexpected, Failed::Refused))
}

fn is_json(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|form| form.as_bytes() == JSON.as_bytes())
}

fn broken(error: reqwest::Error) -> Failed {
    let was_sent = !error.is_connect();
    Failed::Broken { reason: with_causes(&error.without_url()), was_sent }
}

impl Failed {
    fn into_error(self, call: String, attempts: u32) -> ClientError {
        match self {
            Self::Refused(problem) => ClientError::Refused(Box::new(problem)),
            Self::Broken { reason, .. } => ClientError::Unreachable { call, attempts, reason },
            Self::Unexpected(reason) => ClientError::UnexpectedAnswer { call, reason },
        }
    }
}
