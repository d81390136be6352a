//! Inputs as a whole: compressed, damaged, endless, of another kind.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use ledgerstone_edge::importer::cloudtrail::CloudTrail;
use ledgerstone_edge::importer::ndjson::Ndjson;
use ledgerstone_edge::importer::{ImportError, Importer, InputLimits, Position, read};
use ledgerstone_model::ErrorCode;

const LOG: &[u8] = br#"{"Records":[{"eventName":"A"}, {"eventName":"B"} ]}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// How many records come out, and the error that ends it.
fn outcome(
    importer: &dyn Importer,
    input: &[u8],
    limits: InputLimits,
) -> (usize, Option<ImportError>) {
    let mut count = 0;
    let submissions = match read(importer, input, limits) {
        Ok(submissions) => submissions,
        Err(error) => return (0, Some(error)),
    };
    for result in submissions {
        match result {
            Ok(_) => count += 1,
            Err(error) => return (count, Some(error)),
        }
    }
    (count, None)
}

#[track_caller]
fn fails(importer: &dyn Importer, input: &[u8], records: usize, code: ErrorCode) -> String {
    let (count, error) = outcome(importer, input, InputLimits::default());
    let error = error.expect("an error");
    assert_eq!((count, error.code()), (records, code), "{error}");
    error.to_string()
}

#[test]
fn compressed_or_not_is_all_the_same() {
    let gzipped = gzip(LOG);
    for input in [LOG, gzipped.as_slice()] {
        let (count, error) = outcome(&CloudTrail, input, InputLimits::default());
        assert_eq!(count, 2);
        assert!(error.is_none());
    }
    let members = [gzip(b"{}\n{}\n"), gzip(b"{}\n")].concat();
    assert_eq!(outcome(&Ndjson, &members, InputLimits::default()).0, 3);
}

#[test]
fn positions_name_the_record_and_its_byte() {
    let found: Vec<Position> = read(&CloudTrail, LOG, InputLimits::default())
        .unwrap()
        .map(|one| one.unwrap().position())
        .collect();
    let at = |number, offset| Position::Record { number, offset };
    assert_eq!(found, [at(1, 12), at(2, 31)]);
}

#[test]
fn gzip_cut_short_or_damaged() {
    let whole = gzip(LOG);
    for length in 2..whole.len() {
        let (_, error) = outcome(&CloudTrail, &whole[..length], InputLimits::default());
        let error = error.expect("a cut file is noticed");
        assert_eq!(error.code(), ErrorCode::InvalidGzip, "{length}: {error}");
    }
    let mut damaged = whole.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    fails(&CloudTrail, &damaged, 2, ErrorCode::InvalidGzip);
}

#[test]
fn a_bomb_goes_off_harmlessly() {
    let bomb = gzip(&vec![b'\n'; 8 * 1024 * 1024]);
    assert!(bomb.len() < 16 * 1024);
    let limits = InputLimits::default().with_gzip(200, 1024 * 1024);
    for importer in [&CloudTrail as &dyn Importer, &Ndjson] {
        let (count, error) = outcome(importer, &bomb, limits);
        let code = error.expect("an error").code();
        assert_eq!((count, code), (0, ErrorCode::InputTooLarge));
    }
}

#[test]
fn the_ratio_of_a_bomb_is_a_setting() {
    let lines = gzip(&b"{}\n".repeat(2000));
    let strict = InputLimits::default().with_gzip(1, 0);
    let (_, error) = outcome(&Ndjson, &lines, strict);
    assert_eq!(error.expect("an error").code(), ErrorCode::InputTooLarge);
    let (count, error) = outcome(&Ndjson, &lines, InputLimits::default());
    assert_eq!(count, 2000);
    assert!(error.is_none());
}

#[test]
fn a_limit_on_bytes_holds_for_plain_inputs_too() {
    let limits = InputLimits::default().with_bytes(LOG.len() as u64 - 1);
    let (_, error) = outcome(&CloudTrail, LOG, limits);
    assert_eq!(error.unwrap().code(), ErrorCode::InputTooLarge);
    let limits = InputLimits::default().with_bytes(LOG.len() as u64);
    assert!(outcome(&CloudTrail, LOG, limits).1.is_none());
}

#[test]
fn empty_inputs() {
    for importer in [&CloudTrail as &dyn Importer, &Ndjson] {
        fails(importer, b"", 0, ErrorCode::EmptyInput);
        fails(importer, &gzip(b""), 0, ErrorCode::EmptyInput);
        fails(importer, b"\xef\xbb\xbf", 0, ErrorCode::EmptyInput);
    }
    let (count, error) = outcome(&CloudTrail, b" { \"Records\" : [ ] } \n", InputLimits::default());
    assert_eq!(count, 0);
    assert!(error.is_none());
}

#[test]
fn what_is_no_log_file_is_refused_with_its_reason() {
    let wrong = |input: &[u8], records, words: &str| {
        let message = fails(&CloudTrail, input, records, ErrorCode::InvalidImport);
        assert!(message.contains(words), "{message}");
    };
    wrong(b"hello", 0, "no json object");
    wrong(b"[{}]", 0, "no json object");
    wrong(b"{}", 0, "does not begin with");
    wrong(b"{\"events\":[]}", 0, "does not begin with");
    wrong(b"{\"Records\"", 0, "no `:`");
    wrong(b"{\"Records\":{}}", 0, "no array");
    wrong(br#"{"awsAccountId":"1","digestStartTime":"x"}"#, 0, "digest file");
    wrong(br#"{"Records":[{},]}"#, 1, "where a record should stand");
    wrong(br#"{"Records":[{} {}]}"#, 1, "no `,`");
    wrong(br#"{"Records":[{}"#, 1, "no `,`");
    wrong(br#"{"Records":[{},{"a":"}"#, 1, "record 2 at byte 15 has no end");
    wrong(br#"{"Records":[{}]"#, 1, "no `}`");
    wrong(br#"{"Records":[{}],"x":1}"#, 1, "no `}`");
    wrong(br#"{"Records":[{}]}{"#, 1, "goes on behind its end");
    wrong(format!("{{\"{}\":", "x".repeat(300)).as_bytes(), 0, "does not begin with");
}

#[test]
fn a_record_of_nine_megabytes_is_given_up() {
    let record = format!(r#"{{"Records":[{{"a":"{}"}}]}}"#, "x".repeat(9 * 1024 * 1024));
    let message = fails(&CloudTrail, record.as_bytes(), 0, ErrorCode::EventTooLarge);
    assert!(message.contains("record 1 at byte 12"), "{message}");
}

/// A stream that breaks after its first bytes.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the disk is gone")),
            count => Ok(count),
        }
    }
}

#[test]
fn a_failing_stream_is_no_damaged_file() {
    let whole = gzip(LOG);
    for bytes in [&LOG[..20], &whole[..20]] {
        let result = read(&CloudTrail, Broken(bytes), InputLimits::default());
        let error = match result {
            Ok(mut submissions) => submissions.find_map(Result::err).expect("an error"),
            Err(error) => error,
        };
        assert_eq!(error.code(), ErrorCode::StorageFailed, "{error}");
        assert!(error.to_string().contains("the disk is gone"), "{error}");
    }
}
