//! Which answers are compressed, for clients that ask for it: gzip and zstd (RFC 9110 section 12.5.3).

use http::{HeaderName, header};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// Bytes below which compressing costs more than it saves.
const SMALLEST: u16 = 512;

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Answers that may be changed on their way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changeable;

pub(super) fn layer() -> CompressionLayer<And<SizeAbove, Changeable>> {
    CompressionLayer::new()
        .gzip(true)
        .zstd(true)
        .compress_when(SizeAbove::new(SMALLEST).and(Changeable))
}

impl Predicate for Changeable {
    /// A strong tag and a digest speak of the very bytes that are sent; streams must reach their
    /// readers line by line.
    fn should_compress<B: http_body::Body>(&self, response: &http::Response<B>) -> bool {
        let headers = response.headers();
        let media_type =
            headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let is_stream = media_type.starts_with(b"application/x-ndjson")
            || media_type.starts_with(b"text/event-stream");
        !is_stream && !headers.contains_key(header::ETAG) && !headers.contains_key(REPR_DIGEST)
    }
}
