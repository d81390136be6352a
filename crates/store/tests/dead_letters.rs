//! Dead letters as files: what is kept is there again after a restart, limits hold, what a crash or a
//! hand has broken is set aside, and nothing is left of what was deleted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledgerstone_model::{
    DeadLetter, DeadLetterId, ErrorCode, Fault, LetterState, Numbers, SubmissionId,
};
use ledgerstone_proof::{EventId, IngestedAt, SequenceNumber, TenantId};
use ledgerstone_store::dead_letters::{decode, encode};
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::{DeadLetterError, DeadLetterLimits, DeadLetterStore as _, FileDeadLetters};
use ledgerstone_testkit::{Mutator, TestDirectory, fuzz_iterations};
use proptest::prelude::*;

const SECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_714_564_800 * SECOND;

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// A submission of this second.
fn submission(second: i64) -> SubmissionId {
    let at = IngestedAt::from_micros(BEGIN + second * SECOND).unwrap();
    SubmissionId::new(at, [7; 16]).unwrap()
}

fn letter(index: u32, text: &[u8]) -> DeadLetter {
    DeadLetter {
        index,
        received_at: IngestedAt::from_micros(BEGIN).unwrap(),
        principal: "key_x".to_owned(),
        reading: None,
        numbers: Numbers::Refuse,
        default_id: None,
        text: text.to_vec(),
        code: ErrorCode::InvalidField,
        detail: "/severity must be one of".to_owned(),
        faults: vec![Fault::new("/severity".into(), ErrorCode::InvalidField, "must be".into())],
        state: LetterState::Open,
    }
}

fn letters(count: u32) -> Vec<DeadLetter> {
    (0..count).map(|index| letter(index, format!("{{\"n\":{index}}}").as_bytes())).collect()
}

fn open_with(root: &Path, limits: DeadLetterLimits) -> FileDeadLetters {
    FileDeadLetters::open(root, Files::new(), limits).unwrap()
}

fn open(root: &Path) -> FileDeadLetters {
    open_with(root, DeadLetterLimits::default())
}

fn place() -> (TestDirectory, PathBuf) {
    let directory = TestDirectory::new("dead");
    let root = directory.path().join("dead");
    (directory, root)
}

fn file(root: &Path, of: SubmissionId) -> PathBuf {
    root.join("acme").join(format!("{of}.letters"))
}

fn names(store: &FileDeadLetters, before: Option<DeadLetterId>, limit: usize) -> Vec<(i64, u32)> {
    let listed = store.list(&acme(), 0, before, limit).unwrap();
    let second = |id: DeadLetterId| (id.submission().made_at_micros() - BEGIN) / SECOND;
    listed
        .iter()
        .map(|(id, one)| {
            assert_eq!(id.index(), one.index);
            (second(*id), id.index())
        })
        .collect()
}

#[test]
fn what_is_kept_is_there_again_newest_first_and_page_by_page() {
    let (_directory, root) = place();
    let store = open(&root);
    for second in [1, 2, 3] {
        assert_eq!(store.keep(&acme(), submission(second), &letters(2)).unwrap(), 2);
    }
    let all = [(3, 1), (3, 0), (2, 1), (2, 0), (1, 1), (1, 0)];
    for store in [store, open(&root)] {
        assert_eq!(names(&store, None, 10), all);
        let mut walked = Vec::new();
        let mut before = None;
        loop {
            let page = store.list(&acme(), 0, before, 1).unwrap();
            let Some((id, _)) = page.first() else { break };
            walked.extend(names(&store, before, 1));
            before = Some(*id);
        }
        assert_eq!(walked, all);
        let since = BEGIN + 2 * SECOND;
        assert_eq!(store.list(&acme(), since, None, 10).unwrap().len(), 4);
        let id = DeadLetterId::new(submission(2), 1);
        assert_eq!(store.get(&acme(), id).unwrap(), Some(letters(2)[1].clone()));
        assert_eq!(store.get(&TenantId::parse("beta").unwrap(), id).unwrap(), None);
        assert_eq!(store.get(&acme(), DeadLetterId::new(submission(2), 2)).unwrap(), None);
        let counts = store.counts(Some(&acme()));
        assert_eq!((counts.letters, counts.open, store.counts(None).letters), (6, 6, 6));
    }
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file(&root, submission(1))), 0o600);
    assert_eq!(mode(&root.join("acme")), 0o700);
}

#[test]
fn closing_and_deleting_survive_and_leave_the_others() {
    let (_directory, root) = place();
    let store = open(&root);
    store.keep(&acme(), submission(1), &letters(3)).unwrap();
    let id = |index| DeadLetterId::new(submission(1), index);
    let closed = LetterState::Closed {
        at: IngestedAt::from_micros(BEGIN + 9).unwrap(),
        event_id: EventId::parse("evt-1").unwrap(),
        sequence_number: SequenceNumber::new(7).unwrap(),
    };
    assert!(store.set_state(&acme(), id(1), closed.clone()).unwrap());
    assert!(store.remove(&acme(), id(0)).unwrap());
    assert!(!store.remove(&acme(), id(0)).unwrap());
    assert!(!store.set_state(&acme(), id(0), closed.clone()).unwrap());
    for store in [store, open(&root)] {
        assert_eq!(names(&store, None, 10), [(1, 2), (1, 1)]);
        assert_eq!(store.get(&acme(), id(1)).unwrap().unwrap().state, closed);
        let counts = store.counts(None);
        assert_eq!((counts.letters, counts.open), (2, 1));
        let bytes = std::fs::metadata(file(&root, submission(1))).unwrap().len();
        assert_eq!(counts.bytes, bytes);
    }
    let text = std::fs::read_to_string(file(&root, submission(1))).unwrap();
    assert!(!text.contains("{\\\"n\\\":0}") && text.contains("{\\\"n\\\":2}"), "{text}");
    let store = open(&root);
    store.remove(&acme(), id(1)).unwrap();
    store.remove(&acme(), id(2)).unwrap();
    assert!(!file(&root, submission(1)).exists());
    assert_eq!(store.counts(None), ledgerstone_store::DeadLetterCounts::default());
}

#[test]
fn limits_hold_for_a_tenant_and_for_all() {
    let (_directory, root) = place();
    let limits =
        DeadLetterLimits { letters: 5, letters_per_tenant: 3, ..DeadLetterLimits::default() };
    let store = open_with(&root, limits);
    let beta = TenantId::parse("beta").unwrap();
    assert_eq!(store.keep(&acme(), submission(1), &letters(2)).unwrap(), 2);
    assert_eq!(store.keep(&acme(), submission(2), &letters(2)).unwrap(), 1, "as many as fit");
    let full = store.keep(&acme(), submission(3), &letters(1)).unwrap_err();
    assert_eq!(full.code(), ErrorCode::DeadLettersFull);
    assert_eq!(store.keep(&beta, submission(3), &letters(3)).unwrap(), 2);
    store.remove(&acme(), DeadLetterId::new(submission(2), 0)).unwrap();
    assert_eq!(store.keep(&acme(), submission(4), &letters(1)).unwrap(), 1);
    let (_directory, root) = place();
    let limits = DeadLetterLimits { bytes_per_tenant: 2_000, ..DeadLetterLimits::default() };
    let store = open_with(&root, limits);
    let large = [letter(0, &[b'x'; 900]), letter(1, &[b'x'; 900])];
    assert_eq!(store.keep(&acme(), submission(1), &large).unwrap(), 1);
    assert!(matches!(store.keep(&acme(), submission(2), &large), Err(DeadLetterError::Full)));
    assert!(std::fs::metadata(file(&root, submission(1))).unwrap().len() <= 2_000);
}

#[test]
fn expired_letters_go_and_so_does_what_was_set_aside() {
    let (_directory, root) = place();
    let store = open(&root);
    for second in [1, 2, 3] {
        store.keep(&acme(), submission(second), &letters(2)).unwrap();
    }
    std::fs::write(file(&root, submission(1)), "torn").unwrap();
    let store = open(&root);
    assert_eq!((store.set_aside(), store.counts(None).letters), (1, 4));
    assert!(file(&root, submission(1)).with_extension("damaged").exists());
    assert_eq!(store.purge(BEGIN + 3 * SECOND).unwrap(), 2);
    assert_eq!(names(&store, None, 10), [(3, 1), (3, 0)]);
    let left = std::fs::read_dir(root.join("acme")).unwrap().count();
    assert_eq!(left, 1);
}

#[test]
fn torn_and_changed_files_are_set_aside_and_never_fatal() {
    let (_directory, root) = place();
    open(&root).keep(&acme(), submission(1), &letters(3)).unwrap();
    open(&root).keep(&acme(), submission(2), &letters(1)).unwrap();
    let path = file(&root, submission(1));
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let store = open(&root);
        assert_eq!(store.set_aside(), 1, "cut at {cut}");
        assert_eq!(names(&store, None, 10), [(2, 0)], "cut at {cut}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        let store = open(&root);
        assert_eq!(names(&store, None, 10), [(2, 0)], "changed at {at}");
        assert_eq!(store.set_aside(), 1, "changed at {at}");
        assert_eq!(store.counts(None).letters, 1);
    }
    std::fs::write(path.with_extension("tmp"), b"half").unwrap();
    std::fs::write(root.join("acme/notes.txt"), b"a stranger's").unwrap();
    std::fs::write(root.join("README"), b"a stranger's").unwrap();
    assert_eq!(names(&open(&root), None, 10), [(2, 0)]);
    assert!(!path.with_extension("tmp").exists() && root.join("acme/notes.txt").exists());
}

/// Fails one kind of operation.
struct Failing(FileOp);

impl FileFault for Failing {
    fn before(&self, op: FileOp, _: &Path) -> std::io::Result<()> {
        if op == self.0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn after(&self, _: FileOp, _: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_could_not_be_written_is_not_kept_and_takes_no_room() {
    for op in [FileOp::Create, FileOp::Write, FileOp::Sync, FileOp::Rename, FileOp::SyncDirectory] {
        let (_directory, root) = place();
        let files = Files::with_fault(Arc::new(Failing(op)));
        let store = FileDeadLetters::open(&root, files, DeadLetterLimits::default()).unwrap();
        let error = store.keep(&acme(), submission(1), &letters(1)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::DiskFull, "{op:?}");
        assert_eq!(store.counts(None).letters, 0, "{op:?}");
        assert_eq!(names(&open(&root), None, 10), [], "{op:?}");
    }
}

fn any_letter() -> impl Strategy<Value = DeadLetter> {
    let state = prop_oneof![
        Just(LetterState::Open),
        (0_i64..1 << 50, "[a-z0-9]{1,20}", 0_u64..1 << 53).prop_map(|(at, id, number)| {
            LetterState::Closed {
                at: IngestedAt::from_micros(at).unwrap(),
                event_id: EventId::parse(&id).unwrap(),
                sequence_number: SequenceNumber::new(number).unwrap(),
            }
        }),
    ];
    let code = prop::sample::select(ErrorCode::ALL);
    let fault = (".{0,10}", code.clone(), ".{0,20}")
        .prop_map(|(pointer, code, reason)| Fault::new(pointer, code, reason));
    let texts =
        (prop::collection::vec(any::<u8>(), 0..60), ".{0,20}", proptest::option::of("[a-z]{1,8}"));
    let rest = (any::<u32>(), any::<bool>(), proptest::option::of("[a-z0-9]{1,9}"));
    (texts, code, prop::collection::vec(fault, 0..3), state, rest).prop_map(
        |((text, detail, reading), code, faults, state, (index, quotes, id))| DeadLetter {
            index,
            numbers: if quotes { Numbers::Quote } else { Numbers::Refuse },
            default_id: id.map(|id| EventId::parse(&id).unwrap()),
            reading,
            detail,
            code,
            faults,
            state,
            ..letter(index, &text)
        },
    )
}

proptest! {
    #[test]
    fn letters_come_back_as_they_were(letters in prop::collection::vec(any_letter(), 0..5)) {
        prop_assert_eq!(decode(&encode(&letters)), Some(letters));
    }
}

#[test]
fn readers_of_letters_never_panic_and_take_one_spelling() {
    const PIECES: &[&str] = &[
        "\n",
        "{",
        "}",
        "\"closed\":{",
        "\"text\":",
        "\"index\":7",
        " 1 ",
        "ledgerstone dead letters 1 ",
    ];
    let mutator = Mutator::new(0xdead_1e77, PIECES);
    let good = encode(&letters(3));
    let mut taken = 0;
    for round in 0..fuzz_iterations(5_000) {
        let mut file = good.clone();
        // The checksum would hide the body from the mutations.
        let cut = file.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let mut body = file.split_off(cut);
        mutator.mutate(if round % 4 == 0 { &mut file } else { &mut body });
        let head = if round % 4 == 0 { file } else { head_of(&body) };
        let file = [head, body].concat();
        if let Some(letters) = decode(&file) {
            assert_eq!(encode(&letters), file);
            taken += 1;
        }
    }
    assert!(taken > 0);
}

/// A head that fits the body.
fn head_of(body: &[u8]) -> Vec<u8> {
    let lines = body.split(|byte| *byte == b'\n').count() - 1;
    let sum = ledgerstone_proof::sha256(body).to_hex();
    format!("ledgerstone dead letters 1 {lines} {lines} {} {sum}\n", body.len()).into_bytes()
}
