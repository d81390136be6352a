//! The server's own records: their exact bytes, frozen, and that nothing else is read as one.

mod parsing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_model::access::{ApiKeyId, PrincipalId, Role, RoleSet};
use ledgerstone_model::hold::{HoldId, HoldScope};
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::sealing::{SealingKeyId, SubjectId};
use ledgerstone_model::subject_request::{
    ErasureBasis, Rectification, RefusalGround, RequestStep, SubjectRequest, SubjectRequestId,
    SubjectRight,
};
use ledgerstone_model::system::{
    Anchor, Announcement, ApiKeyGrant, ApiKeyRecord, ApiKeyRevocation, ErasureCertificate,
    ErasureKept, ErasureReach, ErasureStarted, Genesis, HoldReleaseAsked, HoldReleased, HoldSet,
    KeyAlgorithm, KeyChange, KeyUse, LedgerId, LedgerOwner, LogName, PolicyProposalRecord,
    PolicyRecord, PublicKey, RecordSigning, RetentionDone, RetentionReason, RetentionRunId,
    RetentionStarted, SigningKeyRecord, SigningMode, SubjectRequestRecord, SystemRecord,
    SystemRecordError, TailCut, TaxonomyRecord, TenantClosed, TenantClosing, TenantClosingAsked,
    TenantClosingWithdrawn, TenantRecord, TenantState,
};
use ledgerstone_model::{
    Actor, Administration, AuditRecord, ErrorCode, NumberSet, SealedEvent, TaxonomyDocument,
    TaxonomyDraft,
};
use ledgerstone_proof::{
    Canonicalizer, EventId, Hash, IngestedAt, Kind, Salt, SequenceNumber, SigningKey, TenantId,
    VerifyingKey, canonicalize, sha256, split_content,
};
use ledgerstone_testkit::sealed_in_clear;

const FROZEN: &str = include_str!("fixtures/system_records.ndjson");

fn at() -> IngestedAt {
    IngestedAt::from_micros(parsing::RECEIVED_AT).expect("a good value")
}

fn key(seed: u8) -> VerifyingKey {
    SigningKey::from_seed([seed; 32]).verifying_key()
}

fn tenant() -> TenantId {
    TenantId::parse("acme").expect("a good value")
}

fn ledger_id() -> LedgerId {
    LedgerId::from_bytes(std::array::from_fn(|index| u8::try_from(index).unwrap_or_default()))
}

fn genesis(owner: LedgerOwner) -> SystemRecord {
    let genesis = Genesis::new(
        ledger_id(),
        LogName::parse("ledgerstone").expect("a good value"),
        owner,
        &key(1),
        PublicKey::Ed25519(key(2)),
        SigningMode::Record,
    );
    SystemRecord::Genesis(Box::new(genesis.expect("a good value")))
}

fn taxonomy() -> TaxonomyDocument {
    let text = br#"{"mode":"enforce","event_types":{"user.login":{"description":"somebody came in","schema":{"required":["actor"]}},"payment.*":{}}}"#;
    let draft = TaxonomyDraft::parse(text).expect("a good value");
    draft.at_version(3).expect("a good value")
}

fn sealing_policy() -> PolicyDocument {
    let text = br#"{"preset":"strict","rules":[{"path":"metadata.*.name","class":"sensitive","owner":"actor","searchable":true}],"person_types":["user","member"]}"#;
    PolicyDocument::parse(PolicyKind::Sealing, text, &mut Canonicalizer::new())
        .expect("a good value")
}

fn retention_policy() -> PolicyDocument {
    let text = br#"{"presets":["hipaa"],"rules":[{"name":"calls","filter":{"field":"event_type","like":"call.%"},"maximum":"P24M"}]}"#;
    PolicyDocument::parse(PolicyKind::Retention, text, &mut Canonicalizer::new())
        .expect("a good value")
}

fn hold(scope: HoldScope) -> SystemRecord {
    SystemRecord::HoldSet(Box::new(HoldSet {
        hold: HoldId::from_bytes([0xa5; 16]),
        scope,
        review_at: at(),
        set_by: person("a"),
        audit_record: SequenceNumber::new(42).expect("a good value"),
    }))
}

fn holds() -> Vec<SystemRecord> {
    let (hold_id, audit_record) = (HoldId::from_bytes([0xa5; 16]), SequenceNumber::new(42));
    let audit_record = audit_record.expect("a good value");
    let everything = HoldScope { subject: None, from: None, until: None, is_filtered: false };
    let narrow = HoldScope {
        subject: Some(SubjectId::from_bytes([7; 32])),
        from: Some(at()),
        until: Some(at()),
        is_filtered: true,
    };
    let (asked_by, released_by) = (person("a"), person("b"));
    let asked = HoldReleaseAsked { hold: hold_id, asked_by: asked_by.clone(), audit_record };
    vec![
        hold(everything),
        hold(narrow),
        SystemRecord::HoldReleaseAsked(asked),
        SystemRecord::HoldReleased(HoldReleased {
            hold: hold_id,
            asked_by,
            released_by,
            audit_record,
        }),
    ]
}

fn person(name: &str) -> PrincipalId {
    PrincipalId::of_jwt("https://issuer.example", name)
}

fn erasure_request() -> SubjectRequest {
    SubjectRequest::open(
        SubjectRequestId::from_bytes([0xa5; 16]),
        (SubjectRight::Erasure, Some(ErasureBasis::Objection)),
        SubjectId::from_bytes([7; 32]),
        person("a"),
        at(),
    )
}

fn refused_request() -> SubjectRequest {
    let steps = [
        (RequestStep::CheckIdentity, "b"),
        (RequestStep::Extend, "a"),
        (RequestStep::Refuse(RefusalGround::LegalClaims), "c"),
    ];
    steps.into_iter().fold(erasure_request(), |request, (step, who)| {
        request.after(step, &person(who)).expect("a good step")
    })
}

fn rectified_request() -> SubjectRequest {
    let number = |value| SequenceNumber::new(value).expect("a good value");
    let asked = SubjectRequest::open(
        SubjectRequestId::from_bytes([0xa6; 16]),
        (SubjectRight::Rectification, None),
        SubjectId::from_bytes([7; 32]),
        person("a"),
        at(),
    );
    let steps = [
        (RequestStep::CheckIdentity, "b"),
        (RequestStep::Approve, "c"),
        (RequestStep::Finish, "b"),
    ];
    let done = steps.into_iter().fold(asked, |request, (step, who)| {
        request.after(step, &person(who)).expect("a good step")
    });
    done.having_corrected(Rectification {
        event_id: EventId::for_audit("0190163d-8694-739b-aea5-966c26f8ad91").expect("a good value"),
        sequence_number: number(41),
        corrected: vec![number(7), number(9)],
    })
}

fn certificate() -> ErasureCertificate {
    let number = |value| SequenceNumber::new(value).expect("a good value");
    ErasureCertificate {
        request: SubjectRequestId::from_bytes([0xa5; 16]),
        subject: SubjectId::from_bytes([7; 32]),
        started_record: number(40),
        basis: Some(ErasureBasis::ConsentWithdrawn),
        key_ids: vec![SealingKeyId::new([1; 16])],
        requested_by: person("a"),
        approved_by: person("b"),
        approved_at: Some(at()),
        identity_checked_by: None,
        identity_checked_at: None,
        received_at: at(),
        despite_duties: vec!["hipaa".to_owned()],
        sealed_contents: 12,
        dropped_contents: 3,
        still_readable: 1,
        sealed_for_others: 0,
        kept_by: vec![number(7), number(9)],
        dead_letters: 2,
        key_backups_expire_at: Some(at()),
        storage: Some("one disk, overwritten in place".to_owned()),
    }
}

fn records() -> Vec<SystemRecord> {
    let record_key = PublicKey::Ed25519(key(2));
    let announced_by =
        Announcement::new(SequenceNumber::new(3).expect("a good value"), sha256(b"three"));
    let rotated = SigningKeyRecord::new(PublicKey::Ed25519(key(3)), KeyUse::Record, at())
        .replacing(record_key.key_id(), KeyChange::Rotation);
    let first_log_key = SigningKeyRecord::new(PublicKey::Ed25519(key(4)), KeyUse::Log, at());
    let from = SequenceNumber::new(42).expect("a good value");
    let api_key = ApiKeyId::parse("abcdefghij234567").expect("a good value");
    let roles = RoleSet::from(Role::Writer).with(Role::Auditor);
    let grant = ApiKeyGrant::new(api_key, roles, sha256(b"secret"), from).expect("a good value");
    let revocation = ApiKeyRevocation::new(api_key, from);
    let run = RetentionRunId::from_bytes([0xa5; 16]);
    let mut numbers: NumberSet = (0..20).map(|number| 1_024 + 2 * number).collect();
    numbers.insert_range(5..15);
    numbers.insert_range(2_048..3_048);
    let started = RetentionStarted::new(run, RetentionReason::Erasure, numbers);
    let started = started.expect("a good value");
    let anchored = vec![sha256(b"one"), sha256(b"two"), sha256(b"three")];
    let mut records = vec![
        genesis(LedgerOwner::Tenant(tenant(), announced_by)),
        genesis(LedgerOwner::System),
        SystemRecord::SigningKey(rotated.clone()),
        SystemRecord::SigningKey(first_log_key),
        SystemRecord::RecordSigning(RecordSigning::new(from, SigningMode::Checkpoint)),
        SystemRecord::Tenant(TenantRecord::new(tenant(), ledger_id(), TenantState::Active)),
        SystemRecord::Anchor(Anchor::new(anchored).expect("a good value")),
        SystemRecord::TailCut(TailCut::new("log/7", 4096, 512, Hash::ZERO).expect("a good value")),
        SystemRecord::ApiKey(ApiKeyRecord::Grant(grant.clone())),
        SystemRecord::ApiKey(ApiKeyRecord::Grant(grant.expiring(Some(at())))),
        SystemRecord::ApiKey(ApiKeyRecord::Revocation(revocation)),
        SystemRecord::Tenant(TenantRecord::new(tenant(), ledger_id(), TenantState::Suspended)),
        SystemRecord::Tenant(
            TenantRecord::new(tenant(), ledger_id(), TenantState::Suspended).explained_by(from),
        ),
        SystemRecord::SigningKey(rotated.explained_by(Some(from))),
        SystemRecord::Taxonomy(TaxonomyRecord::new(taxonomy(), from)),
        SystemRecord::RetentionStarted(started.clone()),
        SystemRecord::RetentionStarted(started.under_policy(Some(from)).explained_by(Some(from))),
        SystemRecord::RetentionDone(RetentionDone::new(run, 1_030, 2).expect("a good value")),
        SystemRecord::Policy(PolicyRecord::new(sealing_policy(), 1, None)),
        SystemRecord::Policy(PolicyRecord::new(sealing_policy(), 2, Some(from))),
        SystemRecord::SubjectRequest(Box::new(SubjectRequestRecord::new(erasure_request(), from))),
        SystemRecord::SubjectRequest(Box::new(SubjectRequestRecord::new(refused_request(), from))),
        SystemRecord::SubjectRequest(Box::new(SubjectRequestRecord::new(
            rectified_request(),
            from,
        ))),
    ];
    records.extend(erasures(from));
    records.extend([
        SystemRecord::Policy(PolicyRecord::new(retention_policy(), 1, Some(from))),
        SystemRecord::PolicyProposal(Box::new(PolicyProposalRecord::new(
            retention_policy(),
            2,
            person("a"),
            from,
        ))),
    ]);
    records.extend(holds());
    records.extend(closing());
    records.extend(later(from));
    records
}

/// What records say since the members and kinds above were frozen.
fn later(from: SequenceNumber) -> Vec<SystemRecord> {
    let number = |value| SequenceNumber::new(value).expect("a good value");
    let checked = refused_request().checked_at(at());
    vec![
        SystemRecord::SubjectRequest(Box::new(SubjectRequestRecord::new(checked, from))),
        SystemRecord::Erasure(Box::new(ErasureCertificate {
            identity_checked_by: Some(person("b")),
            identity_checked_at: Some(at()),
            ..certificate()
        })),
        SystemRecord::TenantClosingWithdrawn(Box::new(TenantClosingWithdrawn {
            tenant: tenant(),
            asked_in: number(43),
            withdrawn_by: person("a"),
            audit_record: number(42),
        })),
        started(ErasureReach { clear_contents_approved: Some(0), ..reach(from, 0) }),
        started(ErasureReach {
            clear_contents_approved: Some(4),
            keep_sealed_for_others: true,
            ..reach(from, 2)
        }),
        started(ErasureReach { run: Some(RetentionRunId::from_bytes([9; 16])), ..reach(from, 0) }),
    ]
}

fn started(reach: ErasureReach) -> SystemRecord {
    SystemRecord::ErasureStarted(ErasureStarted {
        request: SubjectRequestId::from_bytes([0xa5; 16]),
        subject: SubjectId::from_bytes([7; 32]),
        key_ids: vec![SealingKeyId::new([1; 16])],
        reach: Some(reach),
    })
}

fn reach(from: SequenceNumber, sealed_for_others: u64) -> ErasureReach {
    ErasureReach {
        audit_record: from,
        run: None,
        approved_by: person("a"),
        approved_at: at(),
        despite_duties: vec!["hipaa".to_owned()],
        sealed_contents: 12,
        still_readable: 3,
        clear_contents_approved: None,
        keep_sealed_for_others: false,
        sealed_for_others,
        kept_by: vec![from],
        dead_letters: 1,
    }
}

fn erasures(from: SequenceNumber) -> Vec<SystemRecord> {
    let (request, subject) =
        (SubjectRequestId::from_bytes([0xa5; 16]), SubjectId::from_bytes([7; 32]));
    let kept: NumberSet = [3, 5, 6].into_iter().collect();
    let kept = || ErasureKept::split(request, subject, &kept).remove(0);
    vec![
        SystemRecord::ErasureKept(kept()),
        SystemRecord::ErasureKept(kept().for_others()),
        SystemRecord::ErasureStarted(ErasureStarted {
            request: SubjectRequestId::from_bytes([0xa5; 16]),
            subject: SubjectId::from_bytes([7; 32]),
            key_ids: vec![SealingKeyId::new([1; 16]), SealingKeyId::new([2; 16])],
            reach: None,
        }),
        started(reach(from, 0)),
        started(reach(from, 2)),
        SystemRecord::Erasure(Box::new(ErasureCertificate {
            approved_at: None,
            despite_duties: Vec::new(),
            ..certificate()
        })),
        SystemRecord::Erasure(Box::new(certificate())),
        SystemRecord::Erasure(Box::new(ErasureCertificate {
            sealed_for_others: 1,
            ..certificate()
        })),
    ]
}

fn closing() -> Vec<SystemRecord> {
    let number = |value| SequenceNumber::new(value).expect("a good value");
    let in_state = |state| SystemRecord::Tenant(TenantRecord::new(tenant(), ledger_id(), state));
    vec![
        SystemRecord::TenantClosingAsked(Box::new(TenantClosingAsked {
            tenant: tenant(),
            asked_by: person("a"),
            despite_duties: vec!["hipaa".to_owned(), "sox".to_owned()],
            audit_record: number(42),
        })),
        in_state(TenantState::Closing),
        SystemRecord::TenantClosing(TenantClosing {
            announced_by: Announcement::new(number(43), sha256(b"three")),
        }),
        SystemRecord::TenantClosed(TenantClosed { closing_record: number(7), contents: 5 }),
        in_state(TenantState::Closed),
    ]
}

#[test]
fn the_bytes_are_frozen() {
    let mut lines = Vec::new();
    for record in records() {
        record.write_event(at(), &mut lines);
        lines.push(b'\n');
    }
    assert_eq!(String::from_utf8(lines).unwrap(), FROZEN);
}

#[test]
fn frozen_records_are_read_back_for_ever() {
    assert_eq!(FROZEN.lines().count(), records().len());
    for (line, record) in FROZEN.lines().zip(records()) {
        assert_eq!(SystemRecord::parse(line.as_bytes()), Ok((record, at())));
        assert_eq!(canonicalize(line.as_bytes()).unwrap(), line.as_bytes());
    }
}

#[test]
fn any_changed_byte_is_refused_or_says_something_else() {
    for (line, record) in FROZEN.lines().zip(records()) {
        for index in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.as_bytes().to_vec();
                changed[index] ^= 1 << bit;
                if let Ok((other, other_at)) = SystemRecord::parse(&changed) {
                    assert_ne!((other, other_at), (record.clone(), at()), "byte {index} of {line}");
                }
            }
        }
    }
}

#[test]
fn a_record_spelt_otherwise_is_refused_with_its_reason() {
    use SystemRecordError::{Field, OtherSpelling};
    let tenant = r#"{"event_type":"system.tenant","tenant":{"ledger_id":"000102030405060708090a0b0c0d0e0f","state":"active","tenant_id":"acme"},"timestamp":"2024-05-01T12:00:00.000000Z"}"#;
    assert!(SystemRecord::parse(tenant.as_bytes()).is_ok());
    for (from, to, error) in [
        ("\"state\":\"active\"", "\"extra\":1,\"state\":\"active\"", OtherSpelling),
        ("\"tenant\":{", "\"tag\":0,\"tenant\":{", OtherSpelling),
        ("12:00:00.000000Z", "12:00:00Z", Field("timestamp")),
        ("active", "dreaming", Field("state")),
        ("0e0f\"", "0e\"", Field("ledger_id")),
        ("0e0f\"", "0E0F\"", Field("ledger_id")),
        ("\"ledger_id\":\"000102030405060708090a0b0c0d0e0f\",", "", Field("ledger_id")),
        ("\"acme\"", "\"Acme\"", Field("tenant_id")),
        ("\"tenant\":{", "\"tenants\":{", Field("tenant")),
        ("system.tenant", "system.pardon", SystemRecordError::UnknownType("system.pardon".into())),
    ] {
        let text = tenant.replacen(from, to, 1);
        let found = SystemRecord::parse(text.as_bytes()).unwrap_err();
        assert_eq!(found, error, "{text}");
        let is_newer = matches!(error, SystemRecordError::UnknownType(_));
        let code =
            if is_newer { ErrorCode::UnsupportedFormatVersion } else { ErrorCode::RecordDamaged };
        assert_eq!(found.code(), code);
    }
}

#[test]
fn a_grant_has_roles_in_one_order() {
    use SystemRecordError::{Field, OtherSpelling};
    let line = FROZEN.lines().find(|line| line.contains("system.api_key")).unwrap();
    for (from, to, error) in [
        ("[\"auditor\",\"writer\"]", "[\"writer\",\"auditor\"]", OtherSpelling),
        ("[\"auditor\",\"writer\"]", "[\"auditor\",\"auditor\",\"writer\"]", OtherSpelling),
        ("[\"auditor\",\"writer\"]", "[]", Field("roles")),
        ("auditor", "owner", Field("roles")),
        ("abcdefghij234567", "abcdefghij234561", Field("key_id")),
        ("\"active\"", "\"revoked\"", OtherSpelling),
        ("\"active\"", "\"paused\"", Field("state")),
    ] {
        let text = line.replacen(from, to, 1);
        assert_ne!(text, line);
        assert_eq!(SystemRecord::parse(text.as_bytes()), Err(error), "{text}");
    }
    let id = ApiKeyId::parse("abcdefghij234567").unwrap();
    assert!(ApiKeyGrant::new(id, RoleSet::EMPTY, Hash::ZERO, SequenceNumber::GENESIS).is_none());
}

#[test]
fn a_set_of_numbers_is_written_in_one_way() {
    use SystemRecordError::{Field, OtherSpelling};
    let line = FROZEN.lines().find(|line| line.contains("system.retention_started")).unwrap();
    let bits = "[1024,\"VVVVVVU\"]";
    let numbers = Field("numbers");
    for (from, to, error) in [
        ("[5,14]", "[5,9],[10,14]", OtherSpelling),
        ("[5,14]", "[5,14],[6,7]", OtherSpelling),
        ("[5,14],", "", SystemRecordError::UnknownType(String::new())),
        ("[5,14]", "[14,5]", numbers.clone()),
        ("[5,14]", "[5]", numbers.clone()),
        ("[5,14]", "[5,14,15]", OtherSpelling),
        ("[5,14]", "[5,9007199254740992]", numbers.clone()),
        ("[5,14]", "[-5,14]", numbers.clone()),
        ("[5,14]", "5", numbers.clone()),
        (bits, "[1024,\"VVVVVVUA\"]", OtherSpelling),
        (bits, "[1023,\"VVVVVVU\"]", OtherSpelling),
        (bits, "[1024,\"AQ\"]", OtherSpelling),
        (bits, "[1024,\"VVVVVVV\"]", numbers.clone()),
        (bits, "[1024,1038],[1024,\"VVVVVVU\"]", OtherSpelling),
        ("erasure", "boredom", Field("reason")),
        ("\"run\":\"a5", "\"run\":\"A5", Field("run")),
    ] {
        assert!(line.contains(from), "{from} in {line}");
        let text = line.replacen(from, to, 1);
        let found = SystemRecord::parse(text.as_bytes());
        if matches!(error, SystemRecordError::UnknownType(_)) {
            assert!(found.is_ok_and(|(other, _)| !records().contains(&other)), "{text}");
        } else {
            assert_eq!(found, Err(error), "{text}");
        }
    }
    let list = line.replacen("[5,14]", &vec!["[5,14]"; 1_001].join(","), 1);
    assert_eq!(SystemRecord::parse(list.as_bytes()), Err(numbers));
}

#[test]
fn a_genesis_names_one_ledger_only() {
    let line = FROZEN.lines().next().unwrap();
    let other = line.replacen("\"ledger_id\":\"00", "\"ledger_id\":\"01", 1);
    let found = SystemRecord::parse(other.as_bytes());
    assert_eq!(found, Err(SystemRecordError::Field("log_key")));
    let other = line.replacen("\"format_version\":1", "\"format_version\":2", 1);
    let found = SystemRecord::parse(other.as_bytes());
    assert_eq!(found, Err(SystemRecordError::Field("format_version")));
}

#[test]
fn a_genesis_names_what_announced_it_unless_it_is_that_of_system() {
    let mut lines = FROZEN.lines();
    let [tenant, system] = [lines.next().unwrap(), lines.next().unwrap()];
    let announcement = r#""announced_by":{"record_hash":"8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f","sequence_number":3},"#;
    let changed = |line: &str, from: &str, to: &str| {
        assert!(line.contains(from), "{line}");
        SystemRecord::parse(line.replacen(from, to, 1).as_bytes()).unwrap_err()
    };
    for (line, from, to, field) in [
        (tenant, announcement, "", "announced_by"),
        (tenant, "\"tenant_id\":\"acme\"", "\"tenant_id\":\"_system\"", "announced_by"),
        (system, "\"tenant_id\":\"_system\"", "\"tenant_id\":\"acme\"", "announced_by"),
        (tenant, "\"record_hash\":\"8b", "\"record_hash\":\"8B", "record_hash"),
        (tenant, "\"sequence_number\":3", "\"sequence_number\":-3", "sequence_number"),
        (tenant, ",\"sequence_number\":3}", "}", "sequence_number"),
        (tenant, announcement, "\"announced_by\":null,", "sequence_number"),
    ] {
        assert_eq!(changed(line, from, to), SystemRecordError::Field(field), "{from} to {to}");
    }
    let more = changed(tenant, "\"sequence_number\":3}", "\"sequence_number\":3,\"x\":1}");
    assert_eq!(more, SystemRecordError::OtherSpelling);
}

#[test]
fn anchors_are_bounded_sorted_and_without_repetition() {
    let hashes: Vec<Hash> = (0..1001_u32).map(|n| sha256(&n.to_be_bytes())).collect();
    assert!(Anchor::new(hashes.clone()).is_err());
    assert!(Anchor::new(Vec::new()).is_err());
    assert!(Anchor::new(vec![Hash::ZERO, Hash::ZERO]).is_err());
    let anchor = Anchor::new(hashes[..1000].to_vec()).unwrap();
    assert!(anchor.checkpoints().is_sorted());
    assert!(anchor.contains(&hashes[17]) && !anchor.contains(&hashes[1000]));
}

#[test]
fn log_names_are_what_key_names_allow() {
    for name in ["", "with space", "a+b", "a\nb", "é", &"x".repeat(129)] {
        assert!(LogName::parse(name).is_err(), "{name}");
    }
    assert_eq!(LogName::parse(LogName::DEFAULT).unwrap().as_str(), "ledgerstone");
}

#[test]
fn sealing_wraps_the_text_and_hashes_what_is_stored() {
    let salt = Salt::from_bytes([9; 16]);
    let event = parsing::parse(r#"{"event_type":"a","id":"7","timestamp":"2024-05-01T12:00:00Z"}"#);
    let event = event.unwrap();
    let text = event.text().to_vec();
    let sealed = sealed_in_clear(event, &salt);
    assert_eq!((sealed.kind(), sealed.event_id().as_str()), (Kind::Event, "7"));
    assert_eq!((sealed.event_type(), sealed.timestamp_micros()), ("a", parsing::RECEIVED_AT));
    assert_eq!(split_content(sealed.content()).unwrap(), (text.as_slice(), salt));
    assert_eq!(sealed.content_hash(), &sha256(sealed.content()));
}

#[test]
fn the_servers_records_bear_its_own_ids_and_kinds() {
    let salt = Salt::from_bytes([9; 16]);
    let number = SequenceNumber::new(12).unwrap();
    for record in records() {
        let sealed = SealedEvent::system(&record, &tenant(), number, at(), &salt);
        assert_eq!((sealed.kind(), sealed.event_id().as_str()), (Kind::System, "_12"));
        assert_eq!(sealed.tenant(), &tenant());
        let (event, _) = split_content(sealed.content()).unwrap();
        assert_eq!(SystemRecord::parse(event), Ok((record, at())));
    }
    let act = Administration::new("create", Actor::operator("uid:0"), "tenant", "acme");
    let record = AuditRecord::Administration(act);
    let sealed = SealedEvent::audit(&record, &tenant(), [7; 16], at(), &salt).unwrap();
    assert_eq!(sealed.kind(), Kind::Audit);
    assert_eq!(sealed.event_id().as_str(), "_018f3406-9e00-7707-8707-070707070707");
}

/// The record that announces an RSA key, as an independent program wrote it.
#[test]
fn an_rsa_key_is_announced_in_frozen_bytes() {
    let text = include_str!("../../../fixtures/proof/rsa.json");
    let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
    let line = fixture["records"][0]["event"].as_str().unwrap();
    let (record, at) = SystemRecord::parse(line.as_bytes()).unwrap();
    let mut again = Vec::new();
    record.write_event(at, &mut again);
    assert_eq!(String::from_utf8(again).unwrap(), line);
    let SystemRecord::SigningKey(announced) = &record else { panic!("{record:?}") };
    assert_eq!(announced.key().algorithm(), KeyAlgorithm::Rsa);
    assert_eq!(announced.usage(), KeyUse::Record);
    let signed = &fixture["records"][1];
    let signature = STANDARD.decode(signed["signature"].as_str().unwrap()).unwrap();
    let header = signed["header"].as_str().unwrap();
    assert!(announced.key().verifies(header.as_bytes(), &signature));
    assert!(!announced.key().verifies(line.as_bytes(), &signature));
    for (from, to, field) in [
        ("\"algorithm\":\"rsa\"", "\"algorithm\":\"dsa\"", "algorithm"),
        ("\"algorithm\":\"rsa\"", "\"algorithm\":\"ed25519\"", "public_key"),
        ("\"use\":\"record\"", "\"use\":\"log\"", "algorithm"),
        ("MIIBojANBgk", "MIIBozANBgk", "public_key"),
    ] {
        assert!(line.contains(from), "{from}");
        let found = SystemRecord::parse(line.replacen(from, to, 1).as_bytes());
        assert_eq!(found, Err(SystemRecordError::Field(field)), "{from} to {to}");
    }
}
