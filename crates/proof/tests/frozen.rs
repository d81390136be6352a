//! The project's own frozen vectors: written once, without this crate, and true for ever.

use std::fs;
use std::path::{Path, PathBuf};

use ledgerstone_proof::{
    CanonFault, Checkpoint, CheckpointError, CompactRange, ContentError, EventId, Hash, Header,
    IngestedAt, KeyId, KeyName, Kind, ProofFault, RecordProofError, Salt, SequenceNumber,
    Signature, Signer, SigningKey, TenantId, TlogProof, TreeSize, VerifierKey, VerifyingKey,
    canonicalize, consistency_proof, inclusion_proof, leaf_hash, node_from_tile_row, record_hash,
    sha256, split_content, verify_batch, verify_consistency, verify_record_proof, write_content,
};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/proof").join(name)
}

fn read(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&read(name)).expect("a fixture is JSON")
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("a string")
}

fn hash(value: &Value, member: &str) -> Hash {
    Hash::from_hex(text(value, member)).expect("a hash")
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn bytes<const N: usize>(digits: &str) -> [u8; N] {
    std::array::from_fn(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("hex"))
}

fn seed(name: &str) -> SigningKey {
    SigningKey::from_seed(bytes(text(&json("keys.json")[name], "seed")))
}

fn log_signer() -> Signer {
    let name = KeyName::parse(text(&json("keys.json")["log_key"], "name")).expect("a name");
    Signer::new(name, seed("log_key"))
}

fn vkey() -> VerifierKey {
    VerifierKey::parse(text(&json("keys.json")["log_key"], "vkey")).expect("a verifier key")
}

fn proof_file(number: usize) -> TlogProof {
    TlogProof::parse(&read(&format!("proofs/{number}.tlog-proof"))).expect("a proof file")
}

fn leaves(ledger: &Value) -> Vec<Hash> {
    items(&ledger["records"]).iter().map(|record| hash(record, "leaf_hash")).collect()
}

#[test]
fn keys_and_their_ids() {
    let keys = json("keys.json");
    for name in ["log_key", "record_key"] {
        let public = seed(name).verifying_key();
        assert_eq!(public.as_bytes(), &bytes(text(&keys[name], "public_key")));
        assert_eq!(VerifyingKey::from_bytes(public.as_bytes()), Ok(public));
        assert_eq!(KeyId::ed25519(&public).as_str(), text(&keys[name], "key_id"));
    }
    assert_eq!(*log_signer().verifier_key(), vkey());
    assert_eq!(vkey().to_string(), text(&keys["log_key"], "vkey"));
}

#[test]
fn records_are_rebuilt_byte_for_byte() {
    let ledger = json("ledger.json");
    let mut previous = Hash::ZERO;
    let mut signed = Vec::new();
    for (number, record) in items(&ledger["records"]).iter().enumerate() {
        let event = text(record, "event").as_bytes();
        assert_eq!(canonicalize(event).expect("an event"), event);
        let salt = Salt::from_bytes(bytes(text(record, "salt")));
        let mut content = Vec::new();
        write_content(event, &salt, &mut content);
        assert_eq!(content, text(record, "content").as_bytes());
        assert_eq!(split_content(&content), Ok((event, salt)));
        assert_eq!(sha256(&content), hash(record, "content_hash"));

        let bytes = text(record, "header").as_bytes();
        let header = Header::parse(bytes).expect("a header");
        assert_eq!(header.to_canonical(), bytes);
        assert_eq!(*header.content_hash(), sha256(&content));
        assert_eq!(*header.previous_hash(), previous);
        assert_eq!(header.sequence_number(), SequenceNumber::new(number as u64).expect("a number"));
        assert_eq!(header.tenant_id().as_str(), text(&ledger, "tenant_id"));
        assert_eq!(header.event_id().as_str().starts_with('_'), header.kind() != Kind::Event);
        assert_eq!(leaf_hash(bytes), hash(record, "leaf_hash"));
        previous = record_hash(bytes);
        assert_eq!(previous, hash(record, "record_hash"));

        let signature = Signature::from_base64(text(record, "signature")).expect("a signature");
        assert_eq!(seed("record_key").sign(bytes), signature);
        let key = seed("record_key").verifying_key();
        assert_eq!(key.verify(bytes, &signature), Ok(()));
        assert_eq!(KeyId::ed25519(&key).as_str(), text(record, "key_id"));
        signed.push((bytes, signature, key));
    }
    assert_eq!(signed.len(), 7);
    assert_eq!(verify_batch(&signed), Ok(()));
}

#[test]
fn checkpoints_are_rebuilt_byte_for_byte() {
    let ledger = json("ledger.json");
    let leaves = leaves(&ledger);
    let mut range = CompactRange::new();
    for (size, expected) in items(&ledger["checkpoints"]).iter().enumerate() {
        if size > 0 {
            range.push(leaves[size - 1]);
        }
        assert_eq!(range.root(), hash(expected, "root"));
        let origin = format!("ledgerstone/{}", text(&ledger, "ledger_id"));
        let size = TreeSize::new(size as u64);
        let checkpoint = Checkpoint::new(&origin, size, range.root()).expect("a checkpoint");
        let note = text(expected, "note");
        assert_eq!(checkpoint.sign(&log_signer()), note);
        assert_eq!(Checkpoint::open(note.as_bytes(), &[vkey()]), Ok(checkpoint));
    }
    assert_eq!(range.size(), 7);
}

#[test]
fn consistency_proofs_are_rebuilt() {
    let ledger = json("ledger.json");
    let leaves = leaves(&ledger);
    let root =
        |size: u64| hash(&ledger["checkpoints"][usize::try_from(size).expect("small")], "root");
    let cases = items(&ledger["consistency"]);
    assert_eq!(cases.len(), 28);
    for case in cases {
        let (old, new) = (case["old"].as_u64().expect("old"), case["new"].as_u64().expect("new"));
        let expected: Vec<_> = items(&case["proof"])
            .iter()
            .map(|hash| Hash::from_base64(hash.as_str().expect("a string")).expect("a hash"))
            .collect();
        let proof = consistency_proof(old, new, |address| {
            let start = usize::try_from(address.index << address.level).expect("small");
            leaves.get(start..start + (1 << address.level)).map(node_from_tile_row).ok_or(())
        });
        assert_eq!(proof.as_ref(), Ok(&expected), "{old} to {new}");
        assert_eq!(verify_consistency(old, new, &root(old), &root(new), &expected), Ok(()));
    }
}

#[test]
fn proof_files_prove_their_records() {
    let ledger = json("ledger.json");
    let leaves = leaves(&ledger);
    for (number, record) in items(&ledger["records"]).iter().enumerate() {
        let proof = proof_file(number);
        let file = read(&format!("proofs/{number}.tlog-proof"));
        assert_eq!(proof.to_string().as_bytes(), file);
        let hashes = inclusion_proof(number as u64, leaves.len() as u64, |address| {
            let start = usize::try_from(address.index << address.level).expect("small");
            leaves.get(start..start + (1 << address.level)).map(node_from_tile_row).ok_or(())
        });
        assert_eq!(hashes.as_deref(), Ok(proof.hashes()));

        let content = text(record, "content").as_bytes();
        let proved = verify_record_proof(&proof, &[vkey()], Some(content)).expect("it holds");
        assert_eq!(proved.header().to_canonical(), text(record, "header").as_bytes());
        assert_eq!(proved.checkpoint().size(), TreeSize::new(7));
        assert!(proved.content_checked());
        let proved = verify_record_proof(&proof, &[vkey()], None).expect("it holds");
        assert!(!proved.content_checked());
    }
}

#[test]
fn every_flipped_bit_of_a_proof_file_fails() {
    let file = read("proofs/4.tlog-proof");
    let header = proof_file(4).extra().expect("a header").to_vec();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut altered = file.clone();
            altered[at] ^= 1 << bit;
            let Ok(proof) = TlogProof::parse(&altered) else {
                continue;
            };
            assert_ne!((proof.extra(), &altered), (Some(&header[..]), &file));
            verify_record_proof(&proof, &[vkey()], None).expect_err("a flipped bit");
        }
    }
}

#[test]
fn refusals_name_what_is_wrong() {
    let ledger = json("ledger.json");
    let content = |number: usize| text(&ledger["records"][number], "content").as_bytes();
    let proof = proof_file(4);
    let header = |number| proof_file(number).extra().map(<[u8]>::to_vec);
    let rebuilt = |extra, index, hashes: &[Hash]| {
        TlogProof::new(extra, index, hashes.to_vec(), proof.checkpoint()).expect("a proof file")
    };
    let refusal = |proof: &TlogProof, content: Option<&[u8]>| {
        verify_record_proof(proof, &[vkey()], content).expect_err("refused")
    };

    let error = refusal(&proof, Some(content(3)));
    assert!(matches!(error, RecordProofError::OtherContent { .. }), "{error}");
    let error = refusal(&rebuilt(None, 4, proof.hashes()), None);
    assert_eq!(error, RecordProofError::NoHeader);
    let error = refusal(&rebuilt(Some(b"{}".to_vec()), 4, proof.hashes()), None);
    assert!(matches!(error, RecordProofError::Header(_)), "{error}");
    let error = refusal(&rebuilt(header(3), 4, proof.hashes()), None);
    assert_eq!(error, RecordProofError::OtherIndex { index: 4, sequence_number: 3 });
    let error = refusal(&rebuilt(header(3), 3, proof.hashes()), None);
    assert_eq!(error, RecordProofError::Inclusion(ProofFault::RootMismatch));
    let error = refusal(&rebuilt(header(4), 4, &proof.hashes()[1..]), None);
    assert_eq!(error, RecordProofError::Inclusion(ProofFault::WrongLength));

    // A checkpoint that is too small for the record.
    let small = text(&ledger["checkpoints"][4], "note");
    let early = TlogProof::new(header(4), 4, proof.hashes().to_vec(), small).expect("a proof file");
    let error = refusal(&early, None);
    assert_eq!(error, RecordProofError::Inclusion(ProofFault::IndexBeyondSize));

    // Another log's key, and the right key under another name.
    let key = SigningKey::from_seed([9; 32]).verifying_key();
    let other = VerifierKey::new_ed25519(vkey().name().clone(), &key);
    let error = verify_record_proof(&proof, &[other], None).expect_err("refused");
    assert!(matches!(error, RecordProofError::Checkpoint(CheckpointError::Note(_))), "{error}");
    let name = KeyName::parse("ledgerstone/other").expect("a name");
    let signer = Signer::new(name, seed("log_key"));
    let (checkpoint, _) =
        Checkpoint::parse_note(proof.checkpoint().as_bytes()).expect("a checkpoint");
    let forged = checkpoint.sign(&signer);
    let forged =
        TlogProof::new(header(4), 4, proof.hashes().to_vec(), &forged).expect("a proof file");
    let error = verify_record_proof(&forged, &[signer.verifier_key().clone()], None);
    let error = error.expect_err("a key of another log");
    assert!(
        matches!(error, RecordProofError::Checkpoint(CheckpointError::ForeignKey { .. })),
        "{error}"
    );
}

/// A content with the right hash that is no content: whoever wrote it broke the format.
#[test]
fn a_content_of_another_form_is_refused() {
    let header = Header::new(
        TenantId::parse("acme").expect("a tenant"),
        SequenceNumber::GENESIS,
        EventId::for_system(SequenceNumber::GENESIS),
        Kind::System,
        IngestedAt::from_micros(0).expect("a time"),
        sha256(b"{}"),
        Hash::ZERO,
    );
    let origin = log_signer().verifier_key().name().to_string();
    let checkpoint = Checkpoint::new(&origin, TreeSize::new(1), header.leaf_hash());
    let note = checkpoint.expect("a checkpoint").sign(&log_signer());
    let proof = TlogProof::new(Some(header.to_canonical()), 0, Vec::new(), &note);
    let proof = proof.expect("a proof file");
    verify_record_proof(&proof, &[vkey()], None).expect("the record itself holds");
    assert_eq!(
        verify_record_proof(&proof, &[vkey()], Some(b"{}")),
        Err(RecordProofError::Content(ContentError::Form))
    );
}

#[test]
fn malformed_proof_files() {
    let file = String::from_utf8(read("proofs/4.tlog-proof")).expect("UTF-8");
    let hash = Hash::ZERO.to_base64();
    for (from, to) in [
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("c2sp.org/tlog-proof@v1\n", ""),
        ("index 4", "index 04"),
        ("index 4", "index -4"),
        ("index 4", "Index 4"),
        ("index 4\n", ""),
        ("index 4\n", "index 4\nindex 4\n"),
        ("index 4\n", "index 4\nAAAA\n"),
        ("extra ", "extra"),
        ("extra ", "extra  "),
        ("extra ", "extra extra "),
        ("extra ", "other "),
        ("extra ", "extra *"),
        ("\n\nledgerstone", "\nledgerstone"),
        ("\n\nledgerstone", "\n\n\n\n\nledgerstone/x\n\n"),
        ("— ledgerstone", "- ledgerstone"),
        ("index 4\n", &format!("index 4\n{}", format!("{hash}\n").repeat(65))),
    ] {
        let altered = file.replacen(from, to, 1);
        assert_ne!(altered, file);
        TlogProof::parse(altered.as_bytes()).expect_err(&altered);
    }
    for end in 0..file.len() {
        TlogProof::parse(&file.as_bytes()[..end]).expect_err("cut short");
    }
}

#[test]
fn canonical_forms() {
    let cases = json("canonical.json");
    for case in items(&cases["canonical"]) {
        let canonical = canonicalize(text(case, "input").as_bytes()).expect("canonical");
        assert_eq!(String::from_utf8(canonical).expect("UTF-8"), text(case, "output"));
    }
    for case in items(&cases["refused"]) {
        let input = text(case, "input");
        let error = canonicalize(input.as_bytes()).expect_err(input);
        let fault = match error.fault {
            CanonFault::Syntax(_) => "Syntax".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(fault, text(case, "fault"), "{input}");
        assert_eq!(Some(error.offset as u64), case["offset"].as_u64(), "{input}");
    }
    assert_eq!(items(&cases["canonical"]).len() + items(&cases["refused"]).len(), 17);
}
