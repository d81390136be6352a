//! Bodies that hold a few members: what is to be done, not events.

use axum::body::Body;
use http::HeaderMap;
use ledgerstone_model::ErrorCode;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::body::HeldBody;
use super::encoding::Encoding;
use super::media_type::MediaType;
use super::problem::Problem;
use super::service::Service;

/// Bytes of such a body, packed and unpacked.
const SMALL_BODY_MAX: usize = 64 * 1024;

impl Service {
    /// Reads a JSON document of at most `max` bytes, packed and unpacked.
    pub(super) async fn read_json(
        &self,
        headers: &HeaderMap,
        body: Body,
        max: usize,
    ) -> Result<HeldBody, Problem> {
        if MediaType::of(headers)? != MediaType::Json {
            let detail = "this route reads application/json";
            return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
        }
        let encoding = Encoding::of(headers)?;
        self.read_body(headers, body, encoding, max).await
    }

    /// Reads a small JSON body; an empty one, and null, is an object without members.
    pub(super) async fn read_small<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<T, Problem> {
        let encoding = Encoding::of(headers)?;
        let text = self.read_body(headers, body, encoding, SMALL_BODY_MAX).await?;
        if !text.is_empty() && MediaType::of(headers)? != MediaType::Json {
            let detail = "this route reads application/json";
            return Err(Problem::new(ErrorCode::UnsupportedMediaType, detail));
        }
        match text.trim_ascii() {
            b"" | b"null" => members(b"{}"),
            object if object.starts_with(b"{") => members(object),
            // An array would be taken for the members in their order.
            other => {
                members::<IgnoredAny>(other)?;
                Err(Problem::new(ErrorCode::InvalidArgument, "the body is not a JSON object"))
            }
        }
    }
}

fn members<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(text).map_err(|error| {
        if error.is_data() {
            return Problem::new(ErrorCode::InvalidArgument, format!("the body: {error}"));
        }
        let (line, column) = (error.line(), error.column());
        let reason = if error.is_eof() {
            "it ends before the object does".to_owned()
        } else {
            what_stands_there(&error.to_string())
        };
        let detail = format!(
            "the body is no JSON, of which one object is expected: line {line}, column {column}: {reason}"
        );
        Problem::new(ErrorCode::NotJson, detail)
    })
}

/// The reader's words without the place, which they end with.
fn what_stands_there(said: &str) -> String {
    match said.rsplit_once(" at line ").map_or(said, |(reason, _)| reason) {
        "expected ident" => {
            "a word without quotes, which only true, false and null may be".to_owned()
        }
        "expected value" => "nothing that a value of JSON begins with".to_owned(),
        reason => reason.to_owned(),
    }
}
