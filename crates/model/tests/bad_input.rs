//! Every bad event by name: its code, the place, and that all faults are named at once.

mod parsing;

use ledgerstone_model::{ErrorCode, Fault, ParseContext, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, TenantId};
use parsing::parse;

#[track_caller]
fn refused(text: impl AsRef<[u8]>, code: ErrorCode, pointer: &str) {
    let text = text.as_ref();
    let shown = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    let Err(rejection) = parse(text) else {
        panic!("accepted: {shown}");
    };
    assert_eq!(rejection.code(), code, "{shown}: {rejection}");
    let places: Vec<&str> = rejection.faults().iter().map(Fault::pointer).collect();
    assert_eq!(places, [pointer], "{shown}: {rejection}");
}

fn with(member: &str) -> String {
    format!(r#"{{"event_type":"a",{member}}}"#)
}

#[test]
fn text_that_is_not_exact_json() {
    for (text, code, offset) in [
        (&b""[..], ErrorCode::NotJson, 0),
        (b"{\"event_type\":", ErrorCode::NotJson, 14),
        (b"<event/>", ErrorCode::NotJson, 0),
        (b"{\"a\":\"\xff\"}", ErrorCode::NotUtf8, 6),
        (b"{\"a\":1,\"a\":1}", ErrorCode::DuplicateKey, 7),
        (b"{\"a\":1,\"\\u0061\":1}", ErrorCode::DuplicateKey, 7),
        (b"{\"a\":\"\\ud800\"}", ErrorCode::LoneSurrogate, 6),
        (b"{\"a\":1e400}", ErrorCode::NumberNotExact, 5),
        (b"{\"a\":9007199254740993}", ErrorCode::NumberNotExact, 5),
        (b"{\"a\":0.1000000000000000055}", ErrorCode::NumberNotExact, 5),
    ] {
        let shown = String::from_utf8_lossy(text);
        let rejection = parse(text).unwrap_err();
        assert_eq!(rejection.code(), code, "{shown}");
        assert_eq!(rejection.faults()[0].offset(), Some(offset), "{shown}");
    }
}

#[test]
fn ten_thousand_brackets() {
    let deep = format!(
        r#"{{"event_type":"a","data":{{"after":{}{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let rejection = parse(deep).unwrap_err();
    assert_eq!(rejection.code(), ErrorCode::TooDeep);
}

#[test]
fn json_that_is_no_event() {
    for text in ["[]", "7", "null", r#""event""#, "true"] {
        refused(text, ErrorCode::InvalidEvent, "");
    }
    refused("{}", ErrorCode::MissingField, "/event_type");
}

#[test]
fn an_event_of_257_kib() {
    let text = with(&format!(r#""metadata":{{"x":"{}"}}"#, "x".repeat(257 * 1024)));
    refused(&text, ErrorCode::EventTooLarge, "");
    let fits = with(&format!(r#""metadata":{{"x":"{}"}}"#, "x".repeat(255 * 1024)));
    assert!(parse(fits).is_ok());
}

#[test]
fn the_size_limit_is_exact_and_counts_canonical_bytes() {
    let tenant = TenantId::parse("acme").unwrap();
    let now = IngestedAt::from_micros(parsing::RECEIVED_AT).unwrap();
    let context = ParseContext::new(&tenant, now, [0; 16]);
    let text = br#"{ "event_type" :   "\u0061\u0062" }"#;
    let canonical_bytes = br#"{"event_type":"ab"}"#.len();
    for (limit, is_accepted) in [(canonical_bytes, true), (canonical_bytes - 1, false)] {
        let context = context.clone().with_max_bytes(limit);
        let result = ValidEvent::parse(text, &context, &mut Canonicalizer::new());
        assert_eq!(result.is_ok(), is_accepted, "{limit}");
    }
}

#[test]
fn names_that_belong_to_the_server() {
    use ErrorCode::ReservedName;
    refused(with(r#""intake":{}"#), ReservedName, "/intake");
    refused(with(r#""intake":null"#), ReservedName, "/intake");
    refused(with(r#""sealed":[]"#), ReservedName, "/sealed");
    refused(with(r#""_x":1"#), ReservedName, "/_x");
    refused(with(r#""_":1"#), ReservedName, "/_");
    refused(with(r#""actor":{"_x":1}"#), ReservedName, "/actor/_x");
    refused(with(r#""id":"_7""#), ReservedName, "/id");
    refused(with(r#""data":{"after":[{},{"$sealed":1}]}"#), ReservedName, "/data/after/1/$sealed");
    refused(with(r#""a/b~":{"$sealed":1}"#), ReservedName, "/a~1b~0/$sealed");
    refused(with(r#""\u0024sealed":1"#), ReservedName, "/$sealed");
}

#[test]
fn event_types_that_belong_to_the_server() {
    for event_type in ["system.genesis", "system.", "audit.read", "_x", "sys\\u0074em.anchor"] {
        let text = format!(r#"{{"event_type":"{event_type}"}}"#);
        refused(text, ErrorCode::ReservedEventType, "/event_type");
    }
    for event_type in ["systems.up", "system", "auditor.login", "x._y"] {
        let text = format!(r#"{{"event_type":"{event_type}"}}"#);
        assert!(parse(text).is_ok(), "{event_type}");
    }
}

#[test]
fn event_types_that_are_none() {
    let long = "x".repeat(257);
    for event_type in [r#""""#, "null", "7", "{}", r#""a\u0000b""#, &format!("\"{long}\"")] {
        let text = format!(r#"{{"event_type":{event_type}}}"#);
        refused(text, ErrorCode::InvalidField, "/event_type");
    }
}

#[test]
fn ids() {
    for id in
        [r#""an id with spaces""#, r#""""#, "7", r#""é""#, &format!("\"{}\"", "x".repeat(129))]
    {
        refused(with(&format!(r#""id":{id}"#)), ErrorCode::InvalidId, "/id");
    }
}

#[test]
fn tenants() {
    for tenant in [r#""../x""#, r#""_system""#, r#""Acme""#, "7"] {
        let code = ErrorCode::InvalidTenant;
        refused(with(&format!(r#""tenant_id":{tenant}"#)), code, "/tenant_id");
        let nested = with(&format!(r#""context":{{"tenant_id":{tenant}}}"#));
        refused(nested, code, "/context/tenant_id");
    }
    let code = ErrorCode::TenantMismatch;
    refused(with(r#""tenant_id":"other""#), code, "/tenant_id");
    refused(with(r#""context":{"tenant_id":"other"}"#), code, "/context/tenant_id");
}

#[test]
fn timestamps() {
    for timestamp in [
        r#""99999-01-01T00:00:00Z""#,
        r#""9999-12-31T23:00:00-05:00""#,
        r#""0000-01-01T00:00:00Z""#,
        r#""yesterday""#,
        r#""""#,
        "1714564800",
        "{}",
    ] {
        let text = with(&format!(r#""timestamp":{timestamp}"#));
        refused(text, ErrorCode::InvalidTimestamp, "/timestamp");
    }
}

#[test]
fn values_of_the_wrong_type_or_out_of_range() {
    let long = format!(r#""actor":{{"id":"{}"}}"#, "x".repeat(1025));
    for (member, pointer) in [
        (r#""severity":"urgent""#, "/severity"),
        (r#""severity":3"#, "/severity"),
        (r#""metadata":[]"#, "/metadata"),
        (r#""actor":"bob""#, "/actor"),
        (r#""actor":{"ip_address":7}"#, "/actor/ip_address"),
        (&long, "/actor/id"),
        (r#""target":{"metadata":"x"}"#, "/target/metadata"),
        (r#""ai_specific":{"confidence_score":1.01}"#, "/ai_specific/confidence_score"),
        (r#""ai_specific":{"confidence_score":-0.5}"#, "/ai_specific/confidence_score"),
        (r#""ai_specific":{"prompt_tokens":-1}"#, "/ai_specific/prompt_tokens"),
        (r#""ai_specific":{"prompt_tokens":1.5}"#, "/ai_specific/prompt_tokens"),
        (r#""ai_specific":{"prompt_tokens":"1"}"#, "/ai_specific/prompt_tokens"),
        (r#""ai_specific":{"tools_used":"grep"}"#, "/ai_specific/tools_used"),
        (r#""ai_specific":{"tools_used":["a",7]}"#, "/ai_specific/tools_used/1"),
        (r#""security":{"pii_detected":"yes"}"#, "/security/pii_detected"),
        (r#""performance":{"response_time_ms":0.1}"#, "/performance/response_time_ms"),
    ] {
        refused(with(member), ErrorCode::InvalidField, pointer);
    }
}

#[test]
fn limits_on_text_count_bytes_and_not_escapes() {
    let fits = format!(r#""actor":{{"id":"{}"}}"#, r"\n".repeat(1024));
    assert!(parse(with(&fits)).is_ok());
    let too_long = format!(r#""actor":{{"id":"{}"}}"#, r"\n".repeat(1025));
    refused(with(&too_long), ErrorCode::InvalidField, "/actor/id");
    let two_bytes_each = format!(r#""actor":{{"id":"{}"}}"#, "é".repeat(513));
    refused(with(&two_bytes_each), ErrorCode::InvalidField, "/actor/id");
}

#[test]
fn all_faults_are_named_at_once() {
    let text = r#"{"_x":1,"actor":{"id":7,"_y":0},"id":"a b","severity":"x","tenant_id":"t","timestamp":"x"}"#;
    let rejection = parse(text).unwrap_err();
    assert_eq!(rejection.code(), ErrorCode::InvalidEvent);
    let found: Vec<_> =
        rejection.faults().iter().map(|fault| (fault.pointer(), fault.code())).collect();
    assert_eq!(
        found,
        [
            ("/_x", ErrorCode::ReservedName),
            ("/actor/_y", ErrorCode::ReservedName),
            ("/actor/id", ErrorCode::InvalidField),
            ("/id", ErrorCode::InvalidId),
            ("/severity", ErrorCode::InvalidField),
            ("/tenant_id", ErrorCode::TenantMismatch),
            ("/timestamp", ErrorCode::InvalidTimestamp),
            ("/event_type", ErrorCode::MissingField),
        ]
    );
}

#[test]
fn a_flood_of_faults_is_counted_and_not_listed() {
    let tools = vec!["1"; 1001].join(",");
    let text = with(&format!(r#""ai_specific":{{"tools_used":[{tools}]}}"#));
    let rejection = parse(text).unwrap_err();
    assert_eq!(rejection.faults().len(), 100);
    assert_eq!(rejection.omitted(), 902);
    assert!(rejection.to_string().ends_with("; and 902 more"));
}
