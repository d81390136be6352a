//! The shapes of answers that are not problems.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

/// JSON that was written by hand, because its bytes matter or a tree of it would cost too much.
#[derive(Debug)]
pub struct RawJson(pub Vec<u8>);

impl IntoResponse for RawJson {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], self.0).into_response()
    }
}
