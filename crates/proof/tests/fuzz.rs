//! Every parser under mutated input: none may panic, and what one accepts it must write back byte
//! for byte. `LEDGERSTONE_FUZZ_ITERATIONS` sets the number of inputs a parser is given.

use ledgerstone_proof::tiles::{decode_hash_tile, encode_hash_tile};
use ledgerstone_proof::{
    BorrowedHeader, Canonicalizer, Checkpoint, EntryBundle, EventId, Hash, Header, IngestedAt,
    KeyName, Kind, Note, Salt, SequenceNumber, Signer, SigningKey, TenantId, TilePath, TlogProof,
    TreeSize, VerifierKey, canonicalize, sha256, split_content, verify_record_proof, write_content,
};

const DEFAULT_ITERATIONS: u64 = 20_000;

/// Pieces that mean something to one of the parsers.
const DICTIONARY: [&[u8]; 40] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b"\\ude02",
    b"\\u0000",
    b"e",
    b"E",
    b"+",
    b"-",
    b".",
    b"0",
    b"1e400",
    b"9007199254740993",
    b"0.1000000000000000055",
    b"null",
    b"true",
    b"\n",
    b"\n\n",
    b" ",
    b"\t",
    b"=",
    b"_",
    b"/",
    b"x001/",
    b".p/",
    b"\xe2\x80\x94 ",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x82",
    b"\xef\xac\xb3",
    b"\0",
    b"index ",
    b"extra ",
];

/// A small generator of its own (splitmix64): the same inputs on every run and every machine.
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).expect("below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A range of an input of that length.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let end = start + self.below((length - start + 1).min(40));
        start..end
    }

    fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.byte(),
            2 => drop(input.drain(self.range(input.len()))),
            3 => input.truncate(at),
            4 => {
                let piece = DICTIONARY[self.below(DICTIONARY.len())];
                drop(input.splice(at..at, piece.iter().copied()));
            }
            5 => {
                let piece = input[self.range(input.len())].to_vec();
                drop(input.splice(at..at, piece));
            }
            6 => {
                let piece = other[self.range(other.len())].to_vec();
                drop(input.splice(self.range(input.len()), piece));
            }
            _ => input.insert(at, self.byte()),
        }
    }
}

fn iterations() -> u64 {
    match std::env::var("LEDGERSTONE_FUZZ_ITERATIONS") {
        Ok(text) => text.parse().expect("LEDGERSTONE_FUZZ_ITERATIONS is a number"),
        Err(_) => DEFAULT_ITERATIONS,
    }
}

/// Gives a parser the corpus as it is and then mutations of it; `accepts` panics on a broken
/// promise. What was accepted joins the corpus. Answers how many mutated inputs were accepted.
fn fuzz(name: &str, corpus: &[Vec<u8>], mut accepts: impl FnMut(&[u8]) -> bool) -> u64 {
    for input in corpus {
        assert!(accepts(input), "{name}: {}", String::from_utf8_lossy(input));
    }
    let mut corpus = corpus.to_vec();
    let seeds = corpus.len();
    let mut generator = Generator(name.bytes().map(u64::from).sum());
    let mut accepted = 0;
    for _ in 0..iterations() {
        let mut input = corpus[generator.below(corpus.len())].clone();
        let other = corpus[generator.below(corpus.len())].clone();
        for _ in 0..=generator.below(4) {
            generator.mutate(&mut input, &other);
        }
        if accepts(&input) {
            accepted += 1;
            if input.len() < 4_096 && corpus.len() < seeds + 512 {
                corpus.push(input);
            }
        }
    }
    println!("{name}: {accepted} of {} mutated inputs accepted", iterations());
    accepted
}

fn texts(inputs: &[&str]) -> Vec<Vec<u8>> {
    inputs.iter().map(|input| input.as_bytes().to_vec()).collect()
}

fn signer() -> Signer {
    Signer::new(KeyName::parse("log.example/1").expect("a name"), SigningKey::from_seed([5; 32]))
}

fn header(number: u64) -> Header {
    let number = SequenceNumber::new(number).expect("a number");
    Header::new(
        TenantId::parse("acme").expect("a tenant"),
        number,
        EventId::for_system(number),
        Kind::System,
        IngestedAt::from_micros(1_773_480_413_123_456).expect("a time"),
        sha256(b"content"),
        Hash::ZERO,
    )
}

fn proof(number: u64) -> TlogProof {
    let bytes = header(number).to_canonical();
    let leaf = ledgerstone_proof::leaf_hash(&bytes);
    let size = TreeSize::new(number + 1);
    let siblings: Vec<_> = (number > 0).then_some(Hash::ZERO).into_iter().collect();
    let root = siblings.iter().fold(leaf, |root, left| ledgerstone_proof::node_hash(left, &root));
    let checkpoint = Checkpoint::new("log.example/1", size, root).expect("a checkpoint");
    TlogProof::new(Some(bytes), number, siblings, &checkpoint.sign(&signer())).expect("a proof")
}

#[test]
fn canonical_json() {
    let corpus = texts(&[
        r#"{"b":[1,2.50,-0,1e3,{"c":null,"a":true}],"a":"x\u0041\n\ud83d\ude02","é":false}"#,
        r#" { "z" : 0.1 , "y" : [ ] , "x" : { } , "\u0061" : "\/" } "#,
        "[9007199254740991,0.10000000000000001,1e-7,\"\u{fb33}\u{1f602}\"]",
        r#"{"\ud83d\ude02":1,"ﬁ":2,"":3,"a\"":4}"#,
        "\"\"",
        "0",
    ]);
    let mut scratch = Canonicalizer::new();
    let accepted = fuzz("canonicalize", &corpus, |text| {
        let (mut strict, mut lenient, mut quoting) = (Vec::new(), Vec::new(), Vec::new());
        let strict_result = scratch.strict(text, &mut strict);
        let lenient_result = scratch.lenient(text, &mut lenient);
        let quoting_result = scratch.quoting(text, &mut quoting);
        for error in
            [strict_result.err(), lenient_result.err(), quoting_result.as_ref().err().copied()]
                .into_iter()
                .flatten()
        {
            assert!(error.offset <= text.len());
        }
        if strict_result.is_ok() {
            assert_eq!(canonicalize(&strict).expect("canonical"), strict);
            assert_eq!(lenient, strict);
            assert_eq!(quoting, strict);
        } else {
            assert!(strict.is_empty());
        }
        if lenient_result.is_ok() {
            let value = serde_json::from_slice::<serde_json::Value>(text);
            let parsed = value.expect("another parser takes it too");
            assert!(!parsed.is_object() || lenient.starts_with(b"{"));
        }
        if quoting_result.is_ok() {
            assert_eq!(canonicalize(&quoting).expect("canonical"), quoting);
        }
        strict_result.is_ok()
    });
    assert!(accepted > iterations() / 100, "the mutations are too coarse to find JSON");
}

#[test]
fn headers() {
    let corpus = [0, 7, 1 << 40].map(|number| header(number).to_canonical());
    fuzz("header", &corpus, |bytes| {
        let Ok(header) = Header::parse(bytes) else {
            BorrowedHeader::parse(bytes).expect_err("both readers agree");
            return false;
        };
        assert_eq!(header.to_canonical(), bytes);
        assert_eq!(canonicalize(bytes).expect("JSON"), bytes);
        true
    });
}

#[test]
fn contents() {
    let corpus = [&b"{}"[..], b"{\"event_type\":\"x\"}", b"{\"salt\":\"\"}"].map(|event| {
        let mut content = Vec::new();
        write_content(event, &Salt::from_bytes([9; 16]), &mut content);
        content
    });
    fuzz("content", &corpus, |bytes| {
        let Ok((event, salt)) = split_content(bytes) else {
            return false;
        };
        let mut again = Vec::new();
        write_content(event, &salt, &mut again);
        assert_eq!(again, bytes);
        true
    });
}

#[test]
fn notes() {
    let checkpoint = Checkpoint::new("log.example/1", TreeSize::new(3), sha256(b"root"));
    let checkpoint = checkpoint.expect("a checkpoint");
    let corpus = texts(&[
        &checkpoint.sign(&signer()),
        &checkpoint.sign_all(&[&signer(), &signer()]),
        "a\n\nb\n\n— x AAAAAAA=\n",
    ]);
    let key = [signer().verifier_key().clone()];
    let body = checkpoint.to_body();
    fuzz("note", &corpus, |bytes| {
        let Ok(note) = Note::parse(bytes) else {
            Checkpoint::open(bytes, &key).expect_err("not even a note");
            return false;
        };
        assert_eq!(note.to_string().as_bytes(), bytes);
        // No mutation makes a signature for another text.
        if let Ok(signed) = note.verify(&key) {
            assert_eq!((signed.len(), note.text()), (1, body.as_str()));
        }
        if let Ok(opened) = Checkpoint::open(bytes, &key) {
            assert_eq!(opened, checkpoint);
        }
        true
    });
}

#[test]
fn checkpoint_bodies() {
    let body = Checkpoint::new("log.example/1", TreeSize::new(3), sha256(b"root"));
    let body = body.expect("a checkpoint").to_body();
    let corpus = texts(&[&body, &format!("{body}extension\n")]);
    fuzz("checkpoint", &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(checkpoint) = Checkpoint::parse_body(&text) else {
            return false;
        };
        assert_eq!(checkpoint.to_body(), text);
        Note::parse(checkpoint.sign(&signer()).as_bytes()).expect("a note");
        true
    });
}

#[test]
fn verifier_keys() {
    let corpus = texts(&[&signer().verifier_key().to_string()]);
    fuzz("verifier key", &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(key) = VerifierKey::parse(&text) else {
            return false;
        };
        assert_eq!(key.to_string(), text);
        true
    });
}

#[test]
fn proof_files() {
    let corpus = [0, 1].map(|number| proof(number).to_string().into_bytes());
    let key = [signer().verifier_key().clone()];
    for input in &corpus {
        let proof = TlogProof::parse(input).expect("a proof");
        verify_record_proof(&proof, &key, None).expect("it holds");
    }
    let known = [header(0), header(1)];
    fuzz("proof", &corpus, |bytes| {
        let Ok(proof) = TlogProof::parse(bytes) else {
            return false;
        };
        assert_eq!(proof.to_string().as_bytes(), bytes);
        // No mutation makes a proof of another record.
        if let Ok(proved) = verify_record_proof(&proof, &key, None) {
            assert!(known.contains(proved.header()), "{:?}", proved.header());
        }
        true
    });
}

#[test]
fn tile_paths() {
    let corpus = texts(&["tile/0/x001/x234/067.p/255", "tile/entries/000", "tile/63/999.p/1"]);
    let accepted = fuzz("tile path", &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(tile) = TilePath::parse(&text) else {
            return false;
        };
        assert_eq!(tile.to_string(), text);
        true
    });
    assert!(accepted > 0, "no mutated path was accepted");
}

#[test]
fn bundles_and_tiles() {
    let bundle = EntryBundle::new(vec![b"", b"abc", &[7; 300]]).expect("a bundle");
    let hashes = [sha256(b"a"), sha256(b"b")];
    let corpus = [bundle.encode(), vec![0; 512]];
    fuzz("entry bundle", &corpus, |bytes| {
        let Ok(bundle) = EntryBundle::decode(bytes) else {
            return false;
        };
        assert_eq!(bundle.encode(), bytes);
        true
    });
    fuzz("hash tile", &[encode_hash_tile(&hashes)], |bytes| {
        let Ok(hashes) = decode_hash_tile(bytes) else {
            return false;
        };
        assert_eq!(encode_hash_tile(&hashes), bytes);
        true
    });
}

#[test]
fn times_and_names() {
    let corpus = texts(&["2026-03-14T09:26:53.123456Z", "0001-01-01T00:00:00.000000Z"]);
    let accepted = fuzz("time", &corpus, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(time) = IngestedAt::parse(&text) else {
            return false;
        };
        assert_eq!(time.to_string(), text);
        true
    });
    assert!(accepted > 0, "no mutated time was accepted");
    fuzz("name", &texts(&["acme", "_system"]), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(id) = EventId::parse_stored(&text) {
            let mut quoted = Vec::new();
            ledgerstone_proof::canonical_string_into(id.as_str(), &mut quoted);
            assert_eq!(quoted, format!("\"{text}\"").as_bytes(), "ids need no escape");
        }
        TenantId::parse_stored(&text).is_ok_and(|tenant| {
            assert_eq!(tenant.as_str(), text);
            true
        })
    });
}
