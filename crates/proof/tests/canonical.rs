//! The strict rules of canonical JSON case by case: what comes out, what is refused, and where.

use ledgerstone_proof::{
    CanonFault, Canonicalizer, MAX_DEPTH, canonical_string_into, canonicalize,
    canonicalize_lenient, canonicalize_quoting,
};

fn strict(text: &str) -> String {
    let bytes = canonicalize(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    String::from_utf8(bytes).expect("canonical JSON is UTF-8")
}

fn lenient(text: &str) -> String {
    let bytes =
        canonicalize_lenient(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    String::from_utf8(bytes).expect("canonical JSON is UTF-8")
}

fn refusal(text: &str) -> (usize, CanonFault) {
    let error = canonicalize(text.as_bytes()).expect_err(text);
    (error.offset, error.fault)
}

#[test]
fn numbers_that_are_kept() {
    for (sent, expected) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0e999999999999999999999", "0"),
        ("0.000e-5", "0"),
        ("7", "7"),
        ("-7", "-7"),
        ("1.0", "1"),
        ("1.50", "1.5"),
        ("10e-1", "1"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("0.5", "0.5"),
        ("-0.125", "-0.125"),
        ("56.0", "56"),
        ("0.000001", "0.000001"),
        ("-0.000001", "-0.000001"),
        ("0.0000001", "1e-7"),
        ("0.00000012", "1.2e-7"),
        ("1e-7", "1e-7"),
        ("1.7976931348623157e-300", "1.7976931348623157e-300"),
        ("5e-324", "5e-324"),
        ("123456789012345", "123456789012345"),
        ("1700000000123456", "1700000000123456"),
        ("9007199254740991", "9007199254740991"),
        ("-9007199254740991", "-9007199254740991"),
        ("9007199254740991.0", "9007199254740991"),
        ("9007199254740991e0", "9007199254740991"),
        ("90071992547409.91e2", "9007199254740991"),
        ("4503599627370495.5", "4503599627370495.5"),
        // The 17-digit spelling of a double, as printf("%.17g") writes it.
        ("0.10000000000000001", "0.1"),
        ("0.29999999999999999", "0.3"),
        ("1.1000000000000001", "1.1"),
        ("4.9406564584124654e-324", "5e-324"),
    ] {
        assert_eq!(strict(sent), expected, "{sent}");
        assert_eq!(lenient(sent), expected, "{sent}");
    }
}

#[test]
fn numbers_that_are_refused() {
    for (sent, rounded) in [
        ("9007199254740992", Some("9007199254740992")),
        ("9007199254740993", Some("9007199254740992")),
        ("-9007199254740992", Some("-9007199254740992")),
        ("9007199254740992.0", Some("9007199254740992")),
        ("9007199254740991.5", Some("9007199254740992")),
        ("9007199254740991.4", Some("9007199254740991")),
        ("12345678901234567890", Some("12345678901234567000")),
        ("1e16", Some("10000000000000000")),
        ("1e21", Some("1e+21")),
        ("1e300", Some("1e+300")),
        ("0.1000000000000000055", Some("0.1")),
        ("0.1000000000000000055511151231257827", Some("0.1")),
        ("0.10000000000000002", None),
        ("0.100000000000000012", Some("0.1")),
        ("3.14159265358979323846", Some("3.141592653589793")),
        ("1e-400", Some("0")),
        ("-1e-400", Some("0")),
        ("1e-99999999999999999999", Some("0")),
        ("4.9e-324", Some("5e-324")),
    ] {
        // A neighbour of 0.1 with its own 17 digits is a double like any other.
        let Some(rounded) = rounded else {
            assert_eq!(strict(sent), sent);
            continue;
        };
        let text = format!("{{\"n\": [true, {sent}]}}");
        assert_eq!(refusal(&text), (13, CanonFault::NumberNotExact), "{sent}");
        assert_eq!(lenient(sent), rounded, "{sent}");
    }
    for sent in ["1e400", "-1e400", "1e99999999999999999999"] {
        assert_eq!(refusal(sent), (0, CanonFault::NumberNotExact), "{sent}");
        let error = canonicalize_lenient(sent.as_bytes()).expect_err(sent);
        assert_eq!(error.fault, CanonFault::NumberNotFinite, "{sent}");
    }
}

#[test]
fn strings() {
    for (sent, expected) in [
        (r#""""#, r#""""#),
        (r#""\u0041\/\u00e9""#, r#""A/é""#),
        (r#""\b\f\n\r\t\"\\""#, r#""\b\f\n\r\t\"\\""#),
        (r#""\u0008\u0009\u000a\u000C\u000D""#, r#""\b\t\n\f\r""#),
        (r#""\u0022\u005c\u002f""#, r#""\"\\/""#),
        (r#""\u0000\u001F\u007f\u2028""#, "\"\\u0000\\u001f\u{7f}\u{2028}\""),
        (r#""\ud83d\ude02 \uD83D\uDE02""#, "\"\u{1f602} \u{1f602}\""),
        (r#""A\u030a""#, "\"A\u{30a}\""),
        (
            r#""a long text that has no escapes at all, then one\u0021""#,
            r#""a long text that has no escapes at all, then one!""#,
        ),
    ] {
        assert_eq!(strict(sent), expected, "{sent}");
    }
}

#[test]
fn canonical_strings_from_text() {
    let text = "plain \"quoted\" back\\slash \u{0}\u{1f}\n\u{7f} é \u{1f602}";
    let mut out = b"x".to_vec();
    canonical_string_into(text, &mut out);
    assert_eq!(
        String::from_utf8(out.clone()).expect("UTF-8"),
        "x\"plain \\\"quoted\\\" back\\\\slash \\u0000\\u001f\\n\u{7f} é \u{1f602}\""
    );
    assert_eq!(canonicalize(&out[1..]).expect("a string"), &out[1..]);
}

#[test]
fn members_are_ordered_by_utf16_code_units() {
    // U+FB33 sorts after a surrogate pair, though its code point is smaller.
    assert_eq!(
        strict("{\"\u{fb33}\":1,\"\u{1f602}\":2,\"é\":3,\"a\":4,\"\\r\":5,\"\":6,\"aa\":7}"),
        "{\"\":6,\"\\r\":5,\"a\":4,\"aa\":7,\"é\":3,\"\u{1f602}\":2,\"\u{fb33}\":1}"
    );
    // Names are compared unescaped, in the ascending case and in the other.
    assert_eq!(strict(r#"{"\u0061":1,"b":2}"#), r#"{"a":1,"b":2}"#);
    assert_eq!(strict(r#"{"b":2,"\u0061":1}"#), r#"{"a":1,"b":2}"#);
    assert_eq!(strict(r#"{"~":1,"\n":2,"\\":3}"#), r#"{"\n":2,"\\":3,"~":1}"#);
    assert_eq!(
        strict(
            " { \"b\" : { \"d\" : [ 1 , { } , [ ] ] , \"c\" : null } , \"a\" : { \"z\":1, \"y\" : 2 } } "
        ),
        r#"{"a":{"y":2,"z":1},"b":{"c":null,"d":[1,{},[]]}}"#
    );
}

#[test]
fn duplicate_names_are_refused_where_the_later_stands() {
    for (text, offset) in [
        (r#"{"a":1,"a":2}"#, 7),
        (r#"{"a":1,"\u0061":1}"#, 7),
        (r#"{"\u0061":1,"a":1}"#, 12),
        (r#"{"b":1,"a":2,"b":3}"#, 13),
        (r#"{"c":1,"b":1,"a":1,"b":2,"c":2}"#, 19),
        (r#"{"x":{"b":1,"a":2,"b":3}}"#, 18),
        (r#"[{"":1,"":1}]"#, 7),
    ] {
        assert_eq!(refusal(text), (offset, CanonFault::DuplicateKey), "{text}");
        let error = canonicalize_lenient(text.as_bytes()).expect_err(text);
        assert_eq!(error.fault, CanonFault::DuplicateKey, "{text}");
    }
    // The same name in two objects is fine.
    assert_eq!(strict(r#"{"a":{"a":1},"b":{"a":1}}"#), r#"{"a":{"a":1},"b":{"a":1}}"#);
}

#[test]
fn lone_surrogates_are_refused_where_they_stand() {
    for (text, offset) in [
        (r#""\ud800""#, 1),
        (r#""ab\udc00""#, 3),
        (r#""\udc00\udc00""#, 1),
        (r#""\ud800x""#, 1),
        (r#""\ud800\n""#, 1),
        (r#""\ud800\ud800\udc00""#, 1),
        (r#""\ud800\u0041""#, 1),
        (r#"{"\udfff":1}"#, 2),
    ] {
        assert_eq!(refusal(text), (offset, CanonFault::LoneSurrogate), "{text}");
        canonicalize_lenient(text.as_bytes()).expect_err(text);
    }
}

#[test]
fn not_utf8_is_refused_at_the_first_bad_byte() {
    for (text, offset) in [
        (&b"\"ab\xff\""[..], 3),
        (b"\"\xed\xa0\x80\"", 1),
        (b"\"\xc0\xaf\"", 1),
        (b"\xff", 0),
        (b"{\"a\":1}\xc3", 7),
    ] {
        let error = canonicalize(text).expect_err("not UTF-8");
        assert_eq!((error.offset, error.fault), (offset, CanonFault::NotUtf8));
    }
}

#[test]
fn syntax_faults_name_their_place() {
    for (text, offset) in [
        ("", 0),
        ("  ", 2),
        ("\u{feff}1", 0),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("{\"a\"}", 4),
        ("{\"a\":}", 5),
        ("{\"a\":1,}", 7),
        ("{a:1}", 1),
        ("[1}", 2),
        ("{\"a\":1]", 6),
        ("nul", 0),
        ("truex", 4),
        ("01", 0),
        ("-", 1),
        ("1.", 2),
        ("1.e3", 2),
        ("1e", 2),
        (".5", 0),
        ("+1", 0),
        ("\"abc", 4),
        ("\"a\nb\"", 2),
        ("\"\\x\"", 1),
        ("\"\\u00g0\"", 1),
        ("\"\\u00", 1),
        ("1 1", 2),
        ("{} //", 3),
        ("\u{a0}1", 0),
    ] {
        let (found, fault) = refusal(text);
        assert!(matches!(fault, CanonFault::Syntax(_)), "{text}: {fault}");
        assert_eq!(found, offset, "{text}: {fault}");
    }
}

#[test]
fn a_byte_order_mark_is_called_by_its_name() {
    for text in ["\u{feff}{}", "\u{feff}", "\u{feff}\u{feff}1"] {
        let (offset, fault) = refusal(text);
        assert!(fault.to_string().contains("byte order mark"), "{text:?}: {fault}");
        assert_eq!(offset, 0);
    }
    // Inside a string it is a character like any other, and elsewhere nothing is known of it.
    assert_eq!(strict("\"\u{feff}\""), "\"\u{feff}\"");
    assert!(!refusal("[\u{feff}1]").1.to_string().contains("byte order mark"));
}

#[test]
fn depth_limit() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(strict(&nested(MAX_DEPTH)), nested(MAX_DEPTH));
    assert_eq!(refusal(&nested(MAX_DEPTH + 1)), (MAX_DEPTH, CanonFault::TooDeep));
    let objects = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
    assert_eq!(refusal(&objects), (64 * 5, CanonFault::TooDeep));
    // Siblings do not add up, empty containers count.
    strict(&format!("[{}]", ["[]"; 1_000].join(",")));
    assert_eq!(refusal(&format!("{}{{}}", "[".repeat(64))).1, CanonFault::TooDeep);
}

#[test]
fn quoting_names_what_it_quoted() {
    let text = r#"{"z":[1,9007199254740993,{"a/b":1e400}],"m~n":0.1000000000000000055,"\u0061":-1e-400,"ok":1.0}"#;
    let (out, quoted) = canonicalize_quoting(text.as_bytes()).expect("quoted");
    assert_eq!(
        String::from_utf8(out.clone()).expect("UTF-8"),
        r#"{"a":"-1e-400","m~n":"0.1000000000000000055","ok":1,"z":[1,"9007199254740993",{"a/b":"1e400"}]}"#
    );
    assert_eq!(quoted, ["/z/1", "/z/2/a~1b", "/m~0n", "/a"]);
    assert_eq!(canonicalize(&out).expect("canonical"), out);
    let root = canonicalize_quoting(b" 1e400 ").expect("quoted");
    assert_eq!(root, (b"\"1e400\"".to_vec(), vec![String::new()]));
    let none = canonicalize_quoting(b"[1]").expect("nothing to quote");
    assert_eq!(none, (b"[1]".to_vec(), Vec::new()));
}

/// A long name over many numbers must not turn a small text into gigabytes of pointers.
#[test]
fn pointers_are_bounded() {
    let name = "n".repeat(100_000);
    let numbers = |count| vec!["1e400"; count].join(",");
    let text = |count| format!("{{\"{name}\":[{}]}}", numbers(count));
    assert_eq!(canonicalize_quoting(text(10).as_bytes()).expect("fine").1.len(), 10);
    let error = canonicalize_quoting(text(11).as_bytes()).expect_err("too many");
    assert_eq!(error.fault, CanonFault::NumberNotExact);
}

#[test]
fn the_output_is_appended_and_left_alone_on_error() {
    let mut canonicalizer = Canonicalizer::new();
    let mut out = b"before ".to_vec();
    canonicalizer.strict(b"{\"b\":1,\"a\":2}", &mut out).expect("fine");
    assert_eq!(out, b"before {\"a\":2,\"b\":1}");
    for bad in [&b"{\"b\":1,\"a\":2"[..], b"[1, 2, 1e400]", b"{\"b\":1,\"a\":2,\"a\":3}", b"\xff"] {
        canonicalizer.strict(bad, &mut out).expect_err("bad");
        assert_eq!(out, b"before {\"a\":2,\"b\":1}");
    }
    canonicalizer.strict(b"{\"d\":1,\"c\":2}", &mut out).expect("fine after errors");
    assert_eq!(out, b"before {\"a\":2,\"b\":1}{\"c\":2,\"d\":1}");
}

#[test]
fn messages_say_what_and_where() {
    let error = canonicalize(b"[1e400]").expect_err("refused");
    assert_eq!(error.to_string(), "number cannot be kept exactly: send it as a string, at byte 1");
}
