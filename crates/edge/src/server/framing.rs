//! What a request of HTTP/1 must say about its host and its end, and the parser does not insist on.

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Version, header};

/// What is wrong with a request, if anything is. HTTP/2 says both in other ways.
pub(super) fn fault<B>(request: &Request<B>) -> Option<&'static str> {
    let (version, headers) = (request.version(), request.headers());
    if version > Version::HTTP_11 {
        return None;
    }
    host_fault(version, headers).or_else(|| coding_fault(headers))
}

/// RFC 9112 section 3.2: one host, which only HTTP/1.0 may leave out. It may be empty.
fn host_fault(version: Version, headers: &HeaderMap) -> Option<&'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => None,
        (None, _) => Some("the request has no Host header; name the host that is asked"),
        (Some(_), Some(_)) => Some("the request has more than one Host header; name one host"),
        (Some(host), None) if is_host(host) => None,
        (Some(_), None) => Some("the Host header is no host with an optional port"),
    }
}

fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    bytes.is_empty() || (!bytes.contains(&b'@') && Authority::try_from(bytes).is_ok())
}

/// RFC 9112 section 6.1: a coding that is not undone here must not be passed over.
fn coding_fault(headers: &HeaderMap) -> Option<&'static str> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => None,
        (Some(only), None) if is_chunked(only) => None,
        _ => Some("the Transfer-Encoding is other than chunked alone, which is the one there is"),
    }
}
