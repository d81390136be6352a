//! `traceparent` (W3C Trace Context §3.2): the span of whoever sent a request.

use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};

/// The version that is understood; later ones begin with the same four parts (§3.2.4).
const VERSION: &str = "00";
/// What no version is.
const NO_VERSION: &str = "ff";

/// The sender's span as parent. One that is not well formed, or of which there are several, is none.
pub(super) fn of(headers: &HeaderMap) -> Option<Context> {
    let mut given = headers.get_all("traceparent").iter();
    let parent = given.next().and_then(read)?;
    given.next().is_none().then(|| Context::new().with_remote_span_context(parent))
}

fn read(value: &HeaderValue) -> Option<SpanContext> {
    let mut parts = value.to_str().ok()?.trim().split('-');
    let version = parts.next().filter(|part| is_hex(part, 2) && *part != NO_VERSION)?;
    let trace = parts.next().filter(|part| is_hex(part, 32))?;
    let span = parts.next().filter(|part| is_hex(part, 16))?;
    let flags = parts.next().filter(|part| is_hex(part, 2))?;
    if version == VERSION && parts.next().is_some() {
        return None;
    }
    let sampled = u8::from_str_radix(flags, 16).ok()? & TraceFlags::SAMPLED.to_u8();
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(sampled),
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

fn is_hex(part: &str, digits: usize) -> bool {
    part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::read;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn parent(text: &str) -> Option<(String, bool)> {
        let context = read(&HeaderValue::from_str(text).unwrap())?;
        Some((context.trace_id().to_string(), context.is_sampled()))
    }

    #[test]
    fn a_parent_is_read() {
        let sampled = parent(&format!("00-{TRACE}-{SPAN}-01"));
        assert_eq!(sampled, Some((TRACE.to_owned(), true)));
        assert_eq!(parent(&format!("00-{TRACE}-{SPAN}-00")), Some((TRACE.to_owned(), false)));
        assert_eq!(parent(&format!("cc-{TRACE}-{SPAN}-09-more")), Some((TRACE.to_owned(), true)));
    }

    #[test]
    fn what_is_not_well_formed_is_no_parent() {
        for wrong in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}0-{SPAN}-01"),
        ] {
            assert_eq!(parent(&wrong), None, "{wrong}");
        }
    }
}
