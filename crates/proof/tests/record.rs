//! The parts of a record, each with its grammar's edges: ids, numbers, times, headers, contents,
//! hashes.

use ledgerstone_proof::{
    BorrowedHeader, ContentError, EventId, Hash, Header, HeaderError, IngestedAt, Kind, NameError,
    Salt, SequenceNumber, TenantId, canonicalize, leaf_hash, record_hash, sha256, split_content,
    write_content,
};

#[test]
fn tenant_ids() {
    for name in ["a", "0", "default", "acme-eu_1", &"a".repeat(63)] {
        assert_eq!(TenantId::parse(name).expect(name).as_str(), name);
    }
    for name in ["", "-a", "A", "a b", "../x", "a.b", "é", "a\n", &"a".repeat(64)] {
        assert_eq!(TenantId::parse(name), Err(NameError::Tenant), "{name}");
    }
    for name in ["_", "_system", "_a"] {
        assert_eq!(TenantId::parse(name), Err(NameError::Reserved), "{name}");
    }
    assert_eq!(TenantId::parse_stored("_system"), Ok(TenantId::system()));
    assert_eq!(TenantId::parse_stored("_other"), Err(NameError::Reserved));
    assert!(TenantId::system().is_system());
    assert!(!TenantId::parse("system").expect("a tenant").is_system());
}

#[test]
fn event_ids() {
    for id in ["a", "A.b:c-d_e", ".", ":", "-", "0195f3a2-7c1e-7b63", &"x".repeat(128)] {
        assert_eq!(EventId::parse(id).expect(id).as_str(), id);
    }
    for id in ["", "a b", "a/b", "é", "a\"", "a\\", "a\0", &"x".repeat(129)] {
        assert_eq!(EventId::parse(id), Err(NameError::Event), "{id}");
    }
    assert_eq!(EventId::parse("_7"), Err(NameError::Reserved));
    let number = SequenceNumber::new(7).expect("a number");
    assert_eq!(EventId::for_system(number).as_str(), "_7");
    assert_eq!(EventId::parse_stored("_7"), Ok(EventId::for_system(number)));
    let uuid = "0195f3a2-7c1e-7b63-9d2a-1f0e5c4b3a29";
    assert_eq!(EventId::for_audit(uuid).expect("an id").as_str(), format!("_{uuid}"));
    EventId::for_audit("a b").expect_err("a space");
}

#[test]
fn sequence_numbers() {
    let max = (1 << 53) - 1;
    assert_eq!(SequenceNumber::new(max), Ok(SequenceNumber::MAX));
    SequenceNumber::new(max + 1).expect_err("beyond 2^53 - 1");
    assert_eq!(SequenceNumber::GENESIS.next().value(), 1);
    assert_eq!(SequenceNumber::GENESIS.previous(), None);
    assert_eq!(SequenceNumber::MAX.next(), SequenceNumber::MAX);
    for value in [0, 9, 10, 99, 100, 4_294_967_296, max] {
        let mut digits = Vec::new();
        let number = SequenceNumber::new(value).expect("a number");
        number.write(&mut digits);
        assert_eq!(digits, value.to_string().as_bytes());
        assert_eq!(SequenceNumber::parse(&digits), Some(number));
    }
    for digits in ["", "01", "-1", "+1", "1.0", "1 ", "9007199254740992", "18446744073709551616"] {
        assert_eq!(SequenceNumber::parse(digits.as_bytes()), None, "{digits}");
    }
}

#[test]
fn times() {
    for (micros, text) in [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_773_480_413_123_456, "2026-03-14T09:26:53.123456Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
        (-2_208_988_800_000_000, "1900-01-01T00:00:00.000000Z"),
    ] {
        let time = IngestedAt::from_micros(micros).expect(text);
        assert_eq!(time.to_string(), text);
        assert_eq!(IngestedAt::parse(text), Ok(time));
        assert_eq!(time.micros(), micros);
    }
    for micros in [-62_135_596_800_000_001, 253_402_300_800_000_000, i64::MIN, i64::MAX] {
        IngestedAt::from_micros(micros).expect_err("out of range");
    }
    for text in [
        "",
        "2026-03-14T09:26:53Z",
        "2026-03-14T09:26:53.123Z",
        "2026-03-14T09:26:53.1234567Z",
        "2026-03-14 09:26:53.123456Z",
        "2026-03-14T09:26:53.123456z",
        "2026-03-14t09:26:53.123456Z",
        "2026-03-14T09:26:53.123456",
        "2026-03-14T09:26:53.123456+00:00",
        "2026-02-29T00:00:00.000000Z",
        "1900-02-29T00:00:00.000000Z",
        "2026-13-01T00:00:00.000000Z",
        "2026-00-01T00:00:00.000000Z",
        "2026-01-00T00:00:00.000000Z",
        "2026-04-31T00:00:00.000000Z",
        "2026-01-01T24:00:00.000000Z",
        "2026-01-01T00:60:00.000000Z",
        "2026-01-01T00:00:60.000000Z",
        "0000-01-01T00:00:00.000000Z",
        "99999-01-01T00:00:00.000000Z",
        " 026-01-01T00:00:00.000000Z",
        "+026-01-01T00:00:00.000000Z",
    ] {
        IngestedAt::parse(text).expect_err(text);
    }
}

#[test]
fn every_day_of_eight_hundred_years_reads_back() {
    let day = 86_400_000_000;
    let mut before = String::new();
    for days in -146_097..146_097_i64 {
        let time = IngestedAt::from_micros(days * day).expect("in range");
        let text = time.to_string();
        assert!(text > before, "{text} follows {before}");
        assert_eq!(IngestedAt::parse(&text), Ok(time));
        before = text;
    }
}

fn header() -> Header {
    Header::new(
        TenantId::parse("acme").expect("a tenant"),
        SequenceNumber::new(42).expect("a number"),
        EventId::parse("evt-1").expect("an id"),
        Kind::Event,
        IngestedAt::from_micros(1_773_480_413_123_456).expect("a time"),
        sha256(b"content"),
        sha256(b"previous"),
    )
}

#[test]
fn headers_read_back_and_are_canonical_json() {
    let bytes = header().to_canonical();
    assert_eq!(
        String::from_utf8(bytes.clone()).expect("UTF-8"),
        format!(
            r#"{{"content_hash":"{}","event_id":"evt-1","ingested_at":"2026-03-14T09:26:53.123456Z","kind":"event","previous_hash":"{}","sequence_number":42,"tenant_id":"acme","version":1}}"#,
            sha256(b"content"),
            sha256(b"previous"),
        )
    );
    assert_eq!(canonicalize(&bytes).expect("JSON"), bytes);
    assert_eq!(Header::parse(&bytes), Ok(header()));
    let borrowed = BorrowedHeader::parse(&bytes).expect("a header");
    assert_eq!(borrowed.fields(), header().fields());
    assert_eq!((borrowed.event_id(), borrowed.tenant_id()), ("evt-1", "acme"));
    assert_eq!(header().record_hash(), record_hash(&bytes));
    assert_eq!(header().leaf_hash(), leaf_hash(&bytes));
    let longest = Header::new(
        TenantId::parse(&"t".repeat(63)).expect("a tenant"),
        SequenceNumber::MAX,
        EventId::parse(&"e".repeat(128)).expect("an id"),
        Kind::System,
        IngestedAt::parse("9999-12-31T23:59:59.999999Z").expect("a time"),
        Hash::ZERO,
        Hash::ZERO,
    );
    assert!(longest.to_canonical().len() < 1024);
    assert_eq!(Header::parse(&longest.to_canonical()), Ok(longest));
}

#[test]
fn headers_in_any_other_form_are_refused() {
    let text = String::from_utf8(header().to_canonical()).expect("UTF-8");
    let change = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        Header::parse(changed.as_bytes()).expect_err(&changed)
    };
    assert_eq!(change(",\"event_id\"", ", \"event_id\""), HeaderError::Form("event_id"));
    assert_eq!(change("evt-1", "evt\\u002d1"), HeaderError::Value("event_id"));
    assert_eq!(change("evt-1", ""), HeaderError::Value("event_id"));
    assert_eq!(change("evt-1", "evt 1"), HeaderError::Value("event_id"));
    assert_eq!(change("acme", "Acme"), HeaderError::Value("tenant_id"));
    assert_eq!(change("acme", "_acme"), HeaderError::Value("tenant_id"));
    assert_eq!(change("123456Z", "123Z"), HeaderError::Value("ingested_at"));
    assert_eq!(change("\"kind\":\"event\"", "\"kind\":\"Event\""), HeaderError::Value("kind"));
    assert_eq!(change(":42,", ":042,"), HeaderError::Value("sequence_number"));
    assert_eq!(change(":42,", ":42.0,"), HeaderError::Value("sequence_number"));
    assert_eq!(change(":42,", ":\"42\","), HeaderError::Value("sequence_number"));
    assert_eq!(change(":42,", ":9007199254740992,"), HeaderError::Value("sequence_number"));
    assert_eq!(change("\"version\":1", "\"version\":2"), HeaderError::Form("version"));
    assert_eq!(change(",\"version\":1", ""), HeaderError::Form("version"));
    assert_eq!(change("\"version\":1}", "\"version\":1}\n"), HeaderError::Form("version"));
    assert_eq!(
        change("\"version\":1}", "\"version\":1,\"zebra\":1}"),
        HeaderError::Form("version")
    );
    let hex = sha256(b"content").to_hex();
    assert_eq!(change(&hex, &hex.to_uppercase()), HeaderError::Value("content_hash"));
    assert_eq!(change(&hex, &hex[1..]), HeaderError::Value("content_hash"));
    for end in 0..text.len() {
        Header::parse(&text.as_bytes()[..end]).expect_err("cut short");
    }
}

#[test]
fn contents() {
    let salt = Salt::from_bytes([0xfb; 16]);
    let mut content = Vec::new();
    write_content(br#"{"event_type":"x"}"#, &salt, &mut content);
    assert_eq!(content, br#"{"event":{"event_type":"x"},"salt":"-_v7-_v7-_v7-_v7-_v7-w"}"#);
    assert_eq!(canonicalize(&content).expect("JSON"), content);
    assert_eq!(split_content(&content), Ok((&br#"{"event_type":"x"}"#[..], salt)));
    assert_eq!(format!("{salt:?}"), "Salt(..)", "a salt is not printed");
    for (bad, error) in [
        ("", ContentError::Form),
        (r#"{"event":,"salt":"-_v7-_v7-_v7-_v7-_v7-w"}"#, ContentError::Form),
        (r#"{"event":{},"salt":"-_v7-_v7-_v7-_v7-_v7-"}"#, ContentError::Form),
        (r#"{"event":{},"salt":"-_v7-_v7-_v7-_v7-_v7-w=="}"#, ContentError::Form),
        (r#"{"event":{},"salt":"+/v7-_v7-_v7-_v7-_v7-w"}"#, ContentError::Salt),
        // The last character has bits that no byte holds.
        (r#"{"event":{},"salt":"-_v7-_v7-_v7-_v7-_v7-x"}"#, ContentError::Salt),
        (r#"{"event":{}, "salt":"-_v7-_v7-_v7-_v7-_v7-w"}"#, ContentError::Form),
        (r#"{"event":{},"salt":"-_v7-_v7-_v7-_v7-_v7-w"} "#, ContentError::Form),
        (r#"{"event":{}}"#, ContentError::Form),
    ] {
        assert_eq!(split_content(bad.as_bytes()), Err(error), "{bad}");
    }
}

#[test]
fn hashes_as_text() {
    let hash = sha256(b"x");
    assert_eq!(Hash::from_hex(&hash.to_hex()), Ok(hash));
    assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
    assert_eq!(format!("{hash:?}"), hash.to_hex());
    for bad in ["", "00", &hash.to_hex().to_uppercase(), &format!("{hash}0"), &"g".repeat(64)] {
        Hash::from_hex(bad).expect_err(bad);
    }
    let base64 = hash.to_base64();
    for bad in ["", base64.trim_end_matches('='), &format!("{base64}\n"), &base64.replace('L', "_")]
    {
        Hash::from_base64(bad).expect_err(bad);
    }
}
