//! The shapes of answers that are not problems.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

/// Headers that most answers have in the end.
const HEADERS: usize = 8;

/// JSON that was written by hand, because its bytes matter or a tree of it would cost too much.
#[derive(Debug)]
pub struct RawJson(pub Vec<u8>);

impl IntoResponse for RawJson {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.0));
        let headers = response.headers_mut();
        // Room for what is added later, made at once.
        headers.reserve(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
