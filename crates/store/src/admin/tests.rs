//! The projection says what the records say; and whatever happens to its file is noticed.

mod api_keys;
mod jobs;
mod policies;
mod retention;
mod subject_requests;
mod taxonomies;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ledgerstone_model::ErrorCode;
use ledgerstone_model::SystemRecord;
use ledgerstone_model::system::{
    Anchor, Announcement, Genesis, KeyChange, KeyUse, LedgerId, LedgerOwner, LogName, PublicKey,
    RecordSigning, SigningKeyRecord, SigningMode, TenantRecord, TenantState,
};
use ledgerstone_proof::{Hash, IngestedAt, SequenceNumber, SigningKey, TenantId, VerifyingKey};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    AdminError, AdminStore, Opened, ProjectedRecord, ProjectionPoint, SqliteAdmin, SystemTree,
    refuse_rolled_back,
};
use crate::conformance::ChainBuilder;
use crate::conformance::builder::tenant;
use crate::conformance::random::Random;
use crate::contract::{Cursor, LedgerStore};
use crate::memory::MemoryStore;

fn number(value: u64) -> SequenceNumber {
    SequenceNumber::new(value).unwrap()
}

fn moment(seconds: i64) -> IngestedAt {
    IngestedAt::from_micros(1_767_225_600_000_000 + seconds * 1_000_000).unwrap()
}

fn key(seed: u8) -> VerifyingKey {
    SigningKey::from_seed([seed; 32]).verifying_key()
}

fn public(seed: u8) -> PublicKey {
    PublicKey::Ed25519(key(seed))
}

fn record(ledger: &TenantId, at: u64, record: SystemRecord) -> ProjectedRecord {
    ProjectedRecord {
        ledger: ledger.clone(),
        sequence_number: number(at),
        ingested_at: moment(i64::try_from(at).unwrap()),
        record,
    }
}

fn genesis(ledger: &TenantId, id: u8, mode: SigningMode) -> ProjectedRecord {
    let log_name = LogName::parse("test").unwrap();
    let owner = if ledger.is_system() {
        LedgerOwner::System
    } else {
        LedgerOwner::Tenant(ledger.clone(), Announcement::new(number(1), Hash::ZERO))
    };
    let genesis =
        Genesis::new(LedgerId::from_bytes([id; 16]), log_name, owner, &key(1), public(2), mode);
    record(ledger, 0, SystemRecord::Genesis(Box::new(genesis.unwrap())))
}

fn created(name: &TenantId, at: u64) -> ProjectedRecord {
    let tenant =
        TenantRecord::new(name.clone(), LedgerId::from_bytes([9; 16]), TenantState::Active);
    record(&TenantId::system(), at, SystemRecord::Tenant(tenant))
}

fn rotated(ledger: &TenantId, at: u64, usage: KeyUse, from: u8, to: u8) -> ProjectedRecord {
    let change = SigningKeyRecord::new(public(to), usage, moment(500))
        .replacing(public(from).key_id(), KeyChange::Rotation);
    record(ledger, at, SystemRecord::SigningKey(change))
}

/// Two ledgers beside `_system`, both keys of one of them rotated.
fn deployment() -> Vec<ProjectedRecord> {
    let (system, acme, other) = (TenantId::system(), tenant("acme"), tenant("other"));
    vec![
        genesis(&system, 1, SigningMode::Record),
        created(&acme, 1),
        genesis(&acme, 2, SigningMode::Record),
        created(&other, 2),
        created(&acme, 3),
        genesis(&other, 3, SigningMode::Checkpoint),
        rotated(&acme, 40, KeyUse::Record, 2, 3),
        rotated(&acme, 41, KeyUse::Log, 1, 4),
        rotated(&acme, 90, KeyUse::Record, 3, 5),
        record(
            &other,
            7,
            SystemRecord::RecordSigning(RecordSigning::new(number(8), SigningMode::Record)),
        ),
        record(&system, 5, SystemRecord::Anchor(Anchor::new(vec![Hash::ZERO]).unwrap())),
        api_keys::granted(&acme, 93, api_keys::FIRST, 92),
        api_keys::granted(&acme, 95, api_keys::SECOND, 94),
        api_keys::revoked(&acme, 97, api_keys::FIRST, 96),
        taxonomies::set(&acme, 99, 1),
        taxonomies::set(&acme, 101, 2),
        policies::set(&acme, 103, 1),
        policies::set(&acme, 105, 2),
        subject_requests::opened(&acme, 107),
        subject_requests::checked(&acme, 109),
        subject_requests::begun(&acme, 111),
        subject_requests::certified(&acme, 113),
        retention::started(&acme, 115, 1),
        retention::done(&acme, 117, 1),
        retention::started(&acme, 119, 2),
    ]
}

#[test]
fn an_rsa_record_key_is_kept() {
    let text = include_str!("../../../../fixtures/proof/rsa.json");
    let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
    let announced = fixture["records"][0]["event"].as_str().unwrap();
    let (announced, _) = SystemRecord::parse(announced.as_bytes()).unwrap();
    let SystemRecord::SigningKey(change) = &announced else { panic!("{announced:?}") };
    let (key, acme) = (change.key().clone(), tenant("acme"));
    assert_eq!(key.key_id().as_str(), fixture["record_key"]["key_id"]);
    let (_directory, path) = place();
    let admin = open(&path);
    let records = [genesis(&acme, 2, SigningMode::Record), record(&acme, 7, announced)];
    admin.apply(&records, &point(1, 1)).unwrap();
    let kept = open(&path).signing_keys(&acme).unwrap();
    assert_eq!(kept.last().map(|row| &row.key), Some(&key));
}

fn point(commits: u8, size: u64) -> ProjectionPoint {
    let root = Hash::from_bytes([commits; 32]);
    ProjectionPoint {
        cursor: Cursor(vec![commits; 8]),
        system_tree: Some(SystemTree { size, root }),
    }
}

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("admin.sqlite");
    (directory, path)
}

fn open(path: &Path) -> SqliteAdmin {
    let (admin, opened) = SqliteAdmin::open(path).unwrap();
    assert_eq!(opened, Opened::AsFound);
    admin
}

/// A closed projection of the deployment, whole in its main file.
fn written() -> (TempDir, PathBuf) {
    let (directory, path) = place();
    let admin = open(&path);
    admin.apply(&deployment(), &point(9, 6)).unwrap();
    admin.save_follower_cursor("tiles", &Cursor(vec![1, 2, 3])).unwrap();
    drop(admin);
    assert!(!path.with_extension("sqlite-wal").exists(), "the log is gone after a clean close");
    (directory, path)
}

/// Everything that can be asked, in one value.
fn answers(admin: &SqliteAdmin) -> Result<String, AdminError> {
    let mut all = format!("{:?}\n{:?}\n", admin.point()?, admin.tenants()?);
    for ledger in [TenantId::system(), tenant("acme"), tenant("other")] {
        let one = admin.tenant(&ledger)?;
        let (keys, signing) = (admin.signing_keys(&ledger)?, admin.record_signing(&ledger)?);
        writeln!(all, "{one:?}\n{keys:?}\n{signing:?}").unwrap();
    }
    writeln!(all, "{:?}\n{:?}", admin.api_keys(None)?, admin.taxonomies()?).unwrap();
    writeln!(all, "{:?}", admin.policies()?).unwrap();
    writeln!(all, "{:?}\n{:?}", admin.subject_requests()?, admin.erasures()?).unwrap();
    writeln!(all, "{:?}", admin.open_retention_runs()?).unwrap();
    Ok(all + &format!("{:?}", admin.follower_cursor("tiles")?))
}

fn assert_empty(admin: &SqliteAdmin) {
    assert_eq!(admin.point().unwrap(), ProjectionPoint::default());
    assert!(admin.tenants().unwrap().is_empty());
    assert!(admin.signing_keys(&tenant("acme")).unwrap().is_empty());
    assert!(admin.record_signing(&tenant("acme")).unwrap().is_empty());
    assert!(admin.api_keys(None).unwrap().is_empty());
    assert!(admin.taxonomies().unwrap().is_empty());
    assert!(admin.policies().unwrap().is_empty());
    assert!(admin.subject_requests().unwrap().is_empty());
    assert!(admin.erasures().unwrap().is_empty());
    assert!(admin.open_retention_runs().unwrap().is_empty());
}

/// Opens a file that is not what was written: removed, with a reason, and usable again.
fn assert_rebuilt(path: &Path) -> String {
    let (admin, opened) = SqliteAdmin::open(path).unwrap();
    let Opened::Rebuilt { reason } = opened else { panic!("damage was not noticed") };
    assert_empty(&admin);
    admin.apply(&deployment(), &point(9, 6)).unwrap();
    drop(admin);
    assert_eq!(open(path).tenants().unwrap().len(), 3);
    reason
}

fn sql(path: &Path, statements: &str) {
    Connection::open(path).unwrap().execute_batch(statements).unwrap();
}

#[test]
fn tenants_keys_and_modes_follow_from_the_records() {
    let (_directory, path) = written();
    let admin = open(&path);
    let names: Vec<String> =
        admin.tenants().unwrap().iter().map(|row| row.name.to_string()).collect();
    assert_eq!(names, ["_system", "acme", "other"]);
    let acme = admin.tenant(&tenant("acme")).unwrap().unwrap();
    assert_eq!(acme.ledger_id, Some(LedgerId::from_bytes([2; 16])));
    assert_eq!(acme.created_at, Some(moment(0)));
    assert_eq!(acme.state, Some(TenantState::Active));
    assert_eq!(acme.created_by, Some(number(1)));
    let system = admin.tenant(&TenantId::system()).unwrap().unwrap();
    assert_eq!((system.state, system.created_by), (None, None));
    assert_eq!(admin.tenant(&tenant("nobody")).unwrap(), None);

    let keys = admin.signing_keys(&tenant("acme")).unwrap();
    let told: Vec<_> = keys
        .iter()
        .map(|row| (row.usage, row.key.clone(), row.announced_by.value(), row.replaced_by.clone()))
        .collect();
    let replaced_by = |seed: u8| Some(public(seed).key_id());
    assert_eq!(
        told,
        [
            (KeyUse::Log, public(1), 0, replaced_by(4)),
            (KeyUse::Log, public(4), 41, None),
            (KeyUse::Record, public(2), 0, replaced_by(3)),
            (KeyUse::Record, public(3), 40, replaced_by(5)),
            (KeyUse::Record, public(5), 90, None),
        ]
    );
    assert_eq!((keys[0].not_before, keys[1].not_before), (None, Some(moment(500))));
    let signing = admin.record_signing(&tenant("other")).unwrap();
    let signing: Vec<_> = signing.iter().map(|row| (row.from.value(), row.mode)).collect();
    assert_eq!(signing, [(0, SigningMode::Checkpoint), (8, SigningMode::Record)]);
    assert_eq!(admin.point().unwrap(), point(9, 6));
}

#[test]
fn the_order_of_ledgers_and_repetition_change_nothing() {
    let (_directory, path) = written();
    let expected = answers(&open(&path)).unwrap();
    let mut by_ledger = deployment();
    by_ledger.sort_by_key(|record| (record.ledger.to_string(), record.sequence_number));
    let mut reversed = by_ledger.clone();
    reversed.sort_by_key(|record| {
        (std::cmp::Reverse(record.ledger.to_string()), record.sequence_number)
    });
    for records in [by_ledger, reversed] {
        let (_directory, path) = place();
        let admin = open(&path);
        admin.save_follower_cursor("tiles", &Cursor(vec![1, 2, 3])).unwrap();
        for record in &records {
            admin.apply(std::slice::from_ref(record), &point(1, 1)).unwrap();
        }
        admin.apply(&records, &point(9, 6)).unwrap();
        assert_eq!(answers(&admin).unwrap(), expected);
        drop(admin);
        assert_eq!(answers(&open(&path)).unwrap(), expected);
    }
}

#[test]
fn a_record_that_pretends_is_not_projected() {
    let (_directory, path) = place();
    let admin = open(&path);
    let acme = tenant("acme");
    let tenant_elsewhere = ProjectedRecord { ledger: acme.clone(), ..created(&tenant("other"), 3) };
    let late_genesis =
        ProjectedRecord { sequence_number: number(4), ..genesis(&acme, 8, SigningMode::Record) };
    admin.apply(&[tenant_elsewhere, late_genesis], &point(1, 0)).unwrap();
    assert!(admin.tenants().unwrap().is_empty());
    assert!(admin.signing_keys(&acme).unwrap().is_empty());
}

#[test]
fn a_process_that_died_left_everything_it_had_applied() {
    let (_directory, path) = place();
    let admin = open(&path);
    admin.apply(&deployment(), &point(9, 6)).unwrap();
    admin.save_follower_cursor("tiles", &Cursor(vec![7])).unwrap();
    let (_other, copy) = place();
    for ending in ["sqlite", "sqlite-wal"] {
        fs::copy(path.with_extension(ending), copy.with_extension(ending)).unwrap();
    }
    assert_eq!(answers(&open(&copy)).unwrap(), answers(&admin).unwrap());
}

#[test]
fn a_deleted_file_is_an_empty_projection() {
    let (_directory, path) = written();
    fs::remove_file(&path).unwrap();
    assert_empty(&open(&path));

    // The log of a database that is gone is not believed either.
    let admin = open(&path);
    admin.apply(&deployment(), &point(9, 6)).unwrap();
    fs::remove_file(&path).unwrap();
    std::mem::forget(admin);
    assert!(path.with_extension("sqlite-wal").exists());
    assert_empty(&open(&path));
}

#[test]
fn a_truncated_file_is_noticed() {
    let (_directory, path) = written();
    let bytes = fs::read(&path).unwrap();
    let expected = answers(&open(&path)).unwrap();
    for length in (1..bytes.len()).step_by(997).chain([99, 100, 4_095, 4_096, bytes.len() - 1]) {
        fs::write(&path, &bytes[..length]).unwrap();
        assert_rebuilt(&path);
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(answers(&open(&path)).unwrap(), expected);
    fs::write(&path, []).unwrap();
    assert_empty(&open(&path));
}

#[test]
fn a_flipped_bit_anywhere_is_noticed_or_harmless() {
    let (_directory, path) = written();
    let bytes = fs::read(&path).unwrap();
    let expected = answers(&open(&path)).unwrap();
    let mut random = Random::new(5);
    let mut noticed = 0;
    let offsets = (0..112).chain((112..bytes.len()).step_by(41));
    for offset in offsets {
        let mut changed = bytes.clone();
        changed[offset] ^= 1 << random.below(8);
        fs::write(&path, &changed).unwrap();
        let (admin, opened) = SqliteAdmin::open(&path).unwrap();
        match opened {
            Opened::AsFound => assert_eq!(answers(&admin).unwrap(), expected, "byte {offset}"),
            Opened::Rebuilt { .. } => {
                assert_empty(&admin);
                noticed += 1;
            }
        }
        drop(admin);
        fs::remove_file(&path).unwrap();
    }
    // Most of a small database is unused space; what is used must not go unnoticed.
    assert!(noticed > 100, "only {noticed} flips noticed");
}

#[test]
fn a_file_that_is_something_else_is_replaced() {
    let (_directory, path) = place();
    fs::write(&path, "not a database, but long enough to look like one".repeat(200)).unwrap();
    assert!(assert_rebuilt(&path).contains("not a database"));
    for (change, named) in [
        ("PRAGMA application_id = 7", "application_id"),
        ("PRAGMA user_version = 1", "user_version"),
        ("DROP TABLE tenants", "schema"),
        ("CREATE TABLE more (x)", "schema"),
        ("CREATE TRIGGER t AFTER INSERT ON tenants BEGIN DELETE FROM meta; END", "schema"),
    ] {
        let (_directory, path) = written();
        sql(&path, change);
        let reason = assert_rebuilt(&path);
        assert!(reason.contains(named), "{change}: {reason}");
    }
}

#[test]
fn a_changed_lost_or_older_row_is_noticed() {
    for change in [
        "UPDATE tenants SET state = NULL WHERE name = 'acme'",
        "UPDATE tenants SET name = 'bcme' WHERE name = 'acme'",
        "UPDATE signing_keys SET public_key = zeroblob(32)",
        "DELETE FROM signing_key_uses WHERE announced_by = 90",
        "DELETE FROM record_signing",
        "UPDATE api_keys SET roles = 'admin'",
        "UPDATE api_keys SET revoked_by = NULL",
        "DELETE FROM api_keys WHERE revoked_by IS NULL",
        "DELETE FROM follower_cursors",
        "DELETE FROM meta",
        "UPDATE meta SET system_size = 1",
        "UPDATE meta SET cursor = x''",
    ] {
        let (_directory, path) = written();
        sql(&path, change);
        assert_rebuilt(&path);
    }

    // A row of an earlier time bears its seal, but is not the one the digest speaks of.
    let (_directory, path) = written();
    let old = path.with_extension("old");
    fs::copy(&path, &old).unwrap();
    open(&path).save_follower_cursor("tiles", &Cursor(vec![9])).unwrap();
    let older = "DELETE FROM follower_cursors;
        INSERT INTO follower_cursors SELECT * FROM old.follower_cursors;";
    sql(&path, &format!("ATTACH '{}' AS old; {older}", old.display()));
    assert!(assert_rebuilt(&path).contains("digest"));
}

#[test]
fn damage_under_an_open_store_is_an_answer_and_can_be_mended() {
    let (_directory, path) = written();
    let admin = open(&path);
    sql(&path, "UPDATE signing_keys SET public_key = zeroblob(32)");
    let error = admin.signing_keys(&tenant("acme")).unwrap_err();
    assert!(error.is_damage(), "{error}");
    assert_eq!(error.code(), ErrorCode::StorageFailed);
    assert!(admin.apply(&deployment(), &point(9, 6)).unwrap_err().is_damage());

    admin.rebuild().unwrap();
    assert_empty(&admin);
    assert_eq!(admin.follower_cursor("tiles").unwrap(), Cursor(vec![1, 2, 3]));
    admin.apply(&deployment(), &point(9, 6)).unwrap();
    drop(admin);
    assert_eq!(open(&path).signing_keys(&tenant("acme")).unwrap().len(), 5);
}

#[test]
fn a_medium_that_does_not_answer_is_not_damage() {
    let (_directory, path) = place();
    fs::create_dir(&path).unwrap();
    let error = SqliteAdmin::open(&path).unwrap_err();
    assert!(!error.is_damage(), "{error}");
    assert_eq!(error.code(), ErrorCode::StorageFailed);
    assert!(path.is_dir());
}

#[test]
fn a_projection_ahead_of_its_ledger_says_that_it_was_rolled_back() {
    let (_directory, path) = place();
    let admin = open(&path);
    let system = TenantId::system();
    let mut chain = ChainBuilder::new();
    let empty = MemoryStore::new();
    refuse_rolled_back(&admin, &empty).unwrap();

    let store = MemoryStore::new();
    for _ in 0..11 {
        store.append(&chain.batch().system(&system).event(&tenant("acme")).build()).unwrap();
        let range = chain.head(&system).range;
        let tree = SystemTree { size: range.size(), root: range.root() };
        let point = ProjectionPoint { cursor: Cursor(vec![1]), system_tree: Some(tree) };
        admin.apply(&[], &point).unwrap();
        refuse_rolled_back(&admin, &store).unwrap();
    }
    store.append(&chain.batch().system(&system).build()).unwrap();
    refuse_rolled_back(&admin, &store).unwrap();

    let mut shorter = ChainBuilder::new();
    let earlier = MemoryStore::new();
    for _ in 0..10 {
        earlier.append(&shorter.batch().system(&system).event(&tenant("acme")).build()).unwrap();
    }
    let exchanged = MemoryStore::new();
    let mut others = ChainBuilder::new();
    exchanged.append(&others.batch().events(&system, 12).build()).unwrap();
    for rolled_back in [&empty, &earlier, &exchanged] {
        let error = refuse_rolled_back(&admin, rolled_back).unwrap_err();
        assert_eq!(error.code(), ErrorCode::LedgerRolledBack, "{error}");
    }
}
