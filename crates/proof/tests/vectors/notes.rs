//! Notes, keys and checkpoints that the specifications and Go's `sumdb/note` publish.

use ledgerstone_proof::{
    Checkpoint, CompactRange, KeyName, Note, NoteError, NoteText, Signer, SigningKey, TreeSize,
    VerifierKey, VkeyError, leaf_hash, sign_note,
};

const C2SP_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const C2SP_NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

const GO_KEY_1: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_KEY_2: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn key(text: &str) -> VerifierKey {
    let key = VerifierKey::parse(text).expect("a verifier key");
    assert_eq!(key.to_string(), text);
    key
}

#[test]
fn published_notes_verify() {
    let note = Note::parse(C2SP_NOTE.as_bytes()).expect("note");
    let keys = [key(C2SP_KEY)];
    assert_eq!(note.verify(&keys), Ok(vec![&keys[0]]));
    assert_eq!(note.to_string(), C2SP_NOTE);

    let note = Note::parse(GO_NOTE.as_bytes()).expect("note");
    let keys = [key(GO_KEY_2), key(GO_KEY_1)];
    assert_eq!(note.verify(&keys), Ok(vec![&keys[1], &keys[0]]));
    assert_eq!(note.verify(&keys[..1]), Ok(vec![&keys[0]]));
    assert_eq!(note.to_string(), GO_NOTE);
}

#[test]
fn unknown_keys_are_ignored_and_a_known_key_that_fails_rejects() {
    let note = Note::parse(C2SP_NOTE.as_bytes()).expect("note");
    assert_eq!(note.verify(&[key(GO_KEY_1)]), Err(NoteError::NoKnownSignature));
    assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));

    // One good signature does not make up for a known key's bad one.
    let altered = GO_NOTE.replace("EnochRoot rwz+eBzm", "EnochRoot rwz+eBzn");
    let note = Note::parse(altered.as_bytes()).expect("note");
    let error = note.verify(&[key(GO_KEY_1), key(GO_KEY_2)]).expect_err("bad signature");
    assert!(matches!(error, NoteError::BadSignature { .. }), "{error}");
    let known = [key(GO_KEY_1)];
    assert_eq!(note.verify(&known), Ok(vec![&known[0]]));

    let altered = C2SP_NOTE.replace("example message", "exemple message");
    let note = Note::parse(altered.as_bytes()).expect("note");
    let error = note.verify(&[key(C2SP_KEY)]).expect_err("altered text");
    assert!(matches!(error, NoteError::BadSignature { .. }), "{error}");
}

#[test]
fn malformed_notes() {
    let line = C2SP_NOTE.lines().last().expect("signature line");
    let many = |count: usize| format!("text\n\n{}", format!("{line}\n").repeat(count));
    for note in [
        String::new(),
        "text\n".to_owned(),
        format!("text\n{line}\n"),
        format!("text\n\n{line}"),
        format!("text\n\n{line}\n\n"),
        format!("text\n\n{line} \n"),
        format!("text\n\n{}\n", line.replacen('—', "-", 1)),
        format!("text\n\n{}\n", line.replace("example.com/foo", "example.com+foo")),
        format!("text\n\n{}\n", line.replace("example.com/foo", "")),
        format!("text\n\n{}\n", line.trim_end_matches('=')),
        "text\n\n— example.com/foo Uw2QOg==\n".to_owned(),
        "text\n\n— example.com/foo Uw2Q\n".to_owned(),
        format!("te\txt\n\n{line}\n"),
        format!("te\rxt\n\n{line}\n"),
        many(101),
    ] {
        Note::parse(note.as_bytes()).expect_err(&note);
    }
    Note::parse(b"text\xff\n\n").expect_err("not UTF-8");
    for count in [1, 16, 100] {
        assert_eq!(Note::parse(many(count).as_bytes()).expect("note").signatures().len(), count);
    }
    // The text may hold blank lines: the last one counts.
    let note = Note::parse(format!("a\n\nb\n\n{line}\n").as_bytes()).expect("note");
    assert_eq!(note.text(), "a\n\nb\n");
}

#[test]
fn malformed_verifier_keys() {
    let cases = [
        ("", VkeyError::Form),
        ("PeterNeumann", VkeyError::Form),
        ("PeterNeumann+c74f20a3", VkeyError::Form),
        ("+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", VkeyError::Name),
        ("Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", VkeyError::Name),
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T", VkeyError::Form),
        ("PeterNeumann+c74f20a3+", VkeyError::Form),
        ("PeterNeumann+c74f20a3+AhpcNw==", VkeyError::Algorithm),
        ("PeterNeumann+c74f20a3+ARpcNw==", VkeyError::Key),
        ("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", VkeyError::Id),
        ("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", VkeyError::Id),
        ("PeterNeumanm+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", VkeyError::Id),
    ];
    for (text, expected) in cases {
        assert_eq!(VerifierKey::parse(text), Err(expected), "{text}");
    }
}

/// Seed 00..1f signs the tree over the leaves "a" and "b"; computed without this crate.
#[test]
fn derived_checkpoint() {
    let mut seed = [0; 32];
    seed.iter_mut().zip(0..).for_each(|(byte, value)| *byte = value);
    let name = KeyName::parse("audit.example/t/acme").expect("name");
    let signer = Signer::new(name, SigningKey::from_seed(seed));
    let vkey = key("audit.example/t/acme+0bb29b72+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
    assert_eq!(*signer.verifier_key(), vkey);

    let mut range = CompactRange::new();
    range.extend([leaf_hash(b"a"), leaf_hash(b"b")]);
    let checkpoint = Checkpoint::new("audit.example/t/acme", TreeSize::new(2), range.root());
    let checkpoint = checkpoint.expect("checkpoint");
    let note = checkpoint.sign(&signer);
    assert_eq!(
        note,
        "audit.example/t/acme\n2\nsTeYX/SE+2ANuTEHx3sDZcgNePW0Kd7Q/Zc2HQd5mes=\n\n— audit.example/t/acme C7KbcumCIi8wiEbHASnKLFwHyPJR5nVpcMUXXQY+XRc9itl3bVuYnX3Qhvf5Y1FK6fzEKGqFLUXa7unpz0loVkk2+w4=\n"
    );
    assert_eq!(Checkpoint::open(note.as_bytes(), &[vkey]), Ok(checkpoint));
}

#[test]
fn sign_and_verify_by_two() {
    let signer = |name: &str, seed| {
        Signer::new(KeyName::parse(name).expect("name"), SigningKey::from_seed([seed; 32]))
    };
    let (first, second) = (signer("one", 1), signer("two", 2));
    let text = NoteText::parse("hello\n").expect("text");
    let note = sign_note(&text, &[&first, &second]);
    let keys = [second.verifier_key().clone(), first.verifier_key().clone()];
    let note = Note::parse(note.as_bytes()).expect("note");
    assert_eq!(note.verify(&keys), Ok(vec![&keys[1], &keys[0]]));
    for text in ["", "no newline", "tab\t\n"] {
        NoteText::parse(text).expect_err(text);
    }
}

#[test]
fn checkpoint_bodies() {
    let golden =
        "go.sum database tree\n123456789012\nTszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=\n";
    let checkpoint = Checkpoint::parse_body(golden).expect("body");
    assert_eq!(checkpoint.origin(), "go.sum database tree");
    assert_eq!(checkpoint.size(), TreeSize::new(123_456_789_012));
    assert_eq!(checkpoint.to_body(), golden);

    let extended = format!("{golden}Timestamp: 1\nother\n");
    let checkpoint = Checkpoint::parse_body(&extended).expect("body");
    assert_eq!(checkpoint.extensions(), ["Timestamp: 1", "other"]);
    assert_eq!(checkpoint.to_body(), extended);

    let root = "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=";
    for body in [
        String::new(),
        "\n".to_owned(),
        format!("\n1\n{root}\n"),
        format!("log\n1\n{root}"),
        format!("log\n01\n{root}\n"),
        format!("log\n+1\n{root}\n"),
        format!("log\n-1\n{root}\n"),
        format!("log\n1.0\n{root}\n"),
        format!("log\n\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        "log\n1\n\n".to_owned(),
        "log\n1\nAAAA\n".to_owned(),
        format!("log\n1\n{}\n", root.trim_end_matches('=')),
        format!("log\n1\n{root}\n\n"),
        format!("log\n1\n{root}\n\nx\n"),
    ] {
        Checkpoint::parse_body(&body).expect_err(&body);
    }
}
