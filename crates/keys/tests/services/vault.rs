//! Vault's transit engine, as a stub of its documented interface has it; not a real Vault.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledgerstone_keys::{Authorities, ServiceUrl, VaultName, VaultSource, VaultToken};
use ledgerstone_ledger::sealing_keys::RootKeyError;
use ledgerstone_model::ErrorCode;
use serde_json::json;

use crate::place::{Rig, SECRETS, shows_secrets, tenant};
use crate::stub::{Reply, Stub};
use crate::transit::{Key, TOKEN, Transit};

fn source(stub: &Stub) -> VaultSource {
    VaultSource {
        address: ServiceUrl::parse(&stub.url()).unwrap(),
        mount: VaultName::parse_path("transit").unwrap(),
        key: VaultName::parse("root").unwrap(),
        namespace: None,
        token: VaultToken::Given(TOKEN.to_owned().into()),
        authorities: Authorities::default(),
        timeout: Duration::from_secs(10),
    }
}

/// A stub over an engine with one key, and the engine.
fn transit(key: Key) -> (Stub, Transit) {
    let engine = Transit::with("root", key);
    let answering = engine.clone();
    (Stub::new(move |request| answering.answer(request)), engine)
}

#[test]
fn a_tenants_secrets_are_wrapped_and_unwrapped() {
    let (stub, _) = transit(Key::new(1));
    let rig = Rig::new("vault");
    let root = rig.open(source(&stub));
    assert_eq!(root.kind(), "vault");
    let wrapped = root.wrap(&tenant("acme"), &SECRETS).unwrap();
    assert!(wrapped.starts_with(b"\x02vault:v1:") && !shows_secrets(&wrapped));
    assert_eq!(root.unwrap(&tenant("acme"), &wrapped).unwrap().as_slice(), SECRETS);

    let asked = stub.requests();
    assert_eq!(asked[0].target, "/v1/transit/encrypt/root");
    assert_eq!(asked[1].target, "/v1/transit/decrypt/root");
    for request in &asked {
        assert_eq!(request.header("x-vault-token"), TOKEN);
        assert_eq!(request.header("x-vault-request"), "true");
        let of_acme = Some(STANDARD.encode("acme"));
        assert_eq!(
            (request.member("associated_data"), request.member("context")),
            (of_acme.clone(), of_acme)
        );
    }
    assert!(!format!("{root:?}").contains(TOKEN));
    let longest = tenant(&"t".repeat(63));
    let wrapped = root.wrap(&longest, &SECRETS).unwrap();
    assert_eq!(root.unwrap(&longest, &wrapped).unwrap().as_slice(), SECRETS);
}

#[test]
fn keys_of_another_tenant_do_not_open_whatever_the_engine_looks_at() {
    let keys = [
        Key::new(1),
        Key { is_derived: true, ..Key::new(1) },
        Key { is_derived: true, knows_associated_data: false, ..Key::new(1) },
        // What is encrypted says whose it is, where nothing else does.
        Key { knows_associated_data: false, ..Key::new(1) },
    ];
    for key in keys {
        let told = format!("{key:?}");
        let (stub, _) = transit(key);
        let root = Rig::new("vault-tenants").open(source(&stub));
        let wrapped = root.wrap(&tenant("acme"), &SECRETS).unwrap();
        assert_eq!(root.unwrap(&tenant("acme"), &wrapped).unwrap().as_slice(), SECRETS, "{told}");
        let error = root.unwrap(&tenant("other"), &wrapped).unwrap_err();
        assert!(matches!(error, RootKeyError::Wrong(_)), "{told}: {error}");
        assert_eq!(error.code(), ErrorCode::WrongRootKey);
    }
}

#[test]
fn whatever_is_changed_does_not_open() {
    let (stub, _) = transit(Key::new(1));
    let root = Rig::new("vault-changed").open(source(&stub));
    let acme = tenant("acme");
    let wrapped = root.wrap(&acme, &SECRETS).unwrap();
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        // Another letter, so that most of it stays base64.
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let error = root.unwrap(&acme, &changed).unwrap_err();
        assert!(matches!(error, RootKeyError::Wrong(_)), "{at}: {error}");
        assert!(root.unwrap(&acme, &wrapped[..at]).is_err(), "{at}");
    }
    // What is no text is not even sent.
    let asked = stub.requests().len();
    for byte in [0, b'\n', b' ', 0x80, 0xff] {
        let changed = [wrapped.as_slice(), &[byte]].concat();
        assert!(matches!(root.unwrap(&acme, &changed), Err(RootKeyError::Wrong(_))));
    }
    assert_eq!(stub.requests().len(), asked);
}

#[test]
fn another_key_is_told_from_one_that_was_rotated() {
    let (stub, engine) = transit(Key::new(1));
    let root = Rig::new("vault-rotated").open(source(&stub));
    let acme = tenant("acme");
    let old = root.wrap(&acme, &SECRETS).unwrap();
    engine.change("root", |key| key.versions.push([2; 32]));
    let new = root.wrap(&acme, &SECRETS).unwrap();
    assert!(new.starts_with(b"\x02vault:v2:"));
    for wrapped in [&old, &new] {
        assert_eq!(root.unwrap(&acme, wrapped).unwrap().as_slice(), SECRETS);
    }
    engine.change("root", |key| key.min_decryption_version = 2);
    let error = root.unwrap(&acme, &old).unwrap_err();
    assert!(matches!(&error, RootKeyError::Refused(why) if why.contains("too old")), "{error}");

    engine.change("root", |key| *key = Key::new(9));
    let error = root.unwrap(&acme, &old).unwrap_err();
    assert!(matches!(&error, RootKeyError::Wrong(why) if why.contains("unable to decrypt")));
    engine.keys.lock().unwrap().clear();
    let error = root.unwrap(&acme, &old).unwrap_err();
    assert!(matches!(&error, RootKeyError::Refused(why) if why.contains("not found")), "{error}");
}

#[test]
fn every_other_answer_is_one_of_two_errors() {
    let json = |status, text: &str| Reply::Json(status, text.to_owned());
    let closed = r#"{"errors":["Vault is sealed"]}"#;
    for (reply, is_away, says) in [
        (json(503, closed), true, "503: Vault is sealed"),
        (json(500, "x"), true, "500"),
        (json(429, r#"{"errors":["request limit"]}"#), true, "429: request limit"),
        (json(412, "{}"), true, "412"),
        (Reply::Close, true, "the request failed"),
        (json(403, r#"{"errors":["permission\ndenied"]}"#), false, "403: permission denied"),
        (json(404, r#"{"errors":[]}"#), false, "404"),
        (json(400, r#"{"errors":["no key"]}"#), false, "400: no key"),
        (json(204, ""), false, "204"),
        (json(200, ""), false, "none of the transit engine"),
        (json(200, "<html>"), false, "none of the transit engine"),
        (json(200, r#"{"data":{}}"#), false, "none of the transit engine"),
        (json(200, r#"{"data":{"ciphertext":7,"plaintext":"?"}}"#), false, "none of the transit"),
        (json(200, &"x".repeat(70_000)), false, "more than 65536 bytes"),
        (Reply::Header(307, "location", "http://127.0.0.1:1/".to_owned()), false, "307"),
    ] {
        let answer = reply.clone();
        let stub = Stub::new(move |_| answer.clone());
        let rig = Rig::new("vault-answers");
        let root = rig.open(source(&stub));
        let wrap = root.wrap(&tenant("acme"), &SECRETS).unwrap_err();
        rig.pass(Duration::from_mins(1));
        let unwrap = root.unwrap(&tenant("acme"), b"\x02vault:v1:AAAA").map(drop).unwrap_err();
        for error in [wrap, unwrap] {
            let matches = match &error {
                RootKeyError::Unavailable(why) => is_away && why.contains(says),
                RootKeyError::Refused(why) => !is_away && why.contains(says),
                RootKeyError::Wrong(_) => false,
            };
            assert!(matches, "{reply:?}: {error}");
            assert_eq!(error.code(), ErrorCode::KeyServiceUnavailable);
            assert!(!error.to_string().contains(TOKEN));
        }
    }
}

#[test]
fn nobody_waits_for_longer_than_the_timeout_and_then_nobody_waits() {
    let is_silent = Arc::new(AtomicUsize::new(1));
    let (engine, switch) = (Transit::with("root", Key::new(1)), Arc::clone(&is_silent));
    let stub = Stub::new(move |request| match switch.load(Ordering::SeqCst) {
        0 => engine.answer(request),
        _ => Reply::Silence,
    });
    let rig = Rig::new("vault-silent");
    let root = rig.open(VaultSource { timeout: Duration::from_secs(1), ..source(&stub) });
    let wrap = || root.wrap(&tenant("acme"), &SECRETS);
    let begun = Instant::now();
    let error = wrap().unwrap_err();
    let waited = begun.elapsed();
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert!(matches!(error, RootKeyError::Unavailable(_)), "{error}");
    // It is left alone for a moment, with the same answer.
    assert_eq!(wrap().unwrap_err(), error);
    assert_eq!(stub.requests().len(), 1);
    is_silent.store(0, Ordering::SeqCst);
    assert_eq!(wrap().unwrap_err(), error);
    rig.pass(Duration::from_secs(2));
    wrap().unwrap();
    wrap().unwrap();
    assert_eq!(stub.requests().len(), 3);
}

#[test]
fn a_service_that_is_not_there_is_away() {
    let (stub, _) = transit(Key::new(1));
    let source = source(&stub);
    drop(stub);
    let root = Rig::new("vault-none").open(source);
    let error = root.wrap(&tenant("acme"), &SECRETS).unwrap_err();
    assert!(matches!(&error, RootKeyError::Unavailable(_)), "{error}");
}

#[test]
fn a_token_in_a_file_may_change() {
    let (stub, _) = transit(Key::new(1));
    let rig = Rig::new("vault-token");
    let path = rig.directory().join("token");
    let root = rig.open(VaultSource { token: VaultToken::File(path.clone()), ..source(&stub) });
    let wrap = || root.wrap(&tenant("acme"), &SECRETS);
    let error = wrap().unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(stub.requests().is_empty());
    for (text, is_good) in
        [("stale\n", false), (TOKEN, true), (&format!("{TOKEN}\n"), true), ("a\u{7}b", false)]
    {
        std::fs::write(&path, text).unwrap();
        assert_eq!(wrap().is_ok(), is_good, "{text:?}");
    }
}

#[test]
fn namespaces_and_mounts_are_where_vault_has_them() {
    let engine = Transit { namespace: "team/a", ..Transit::with("root", Key::new(1)) };
    let stub = Stub::new(move |request| engine.answer(request));
    let rig = Rig::new("vault-namespace");
    let namespace = Some(VaultName::parse_path("team/a/").unwrap());
    let root = rig.open(VaultSource { namespace: namespace.clone(), ..source(&stub) });
    root.wrap(&tenant("acme"), &SECRETS).unwrap();
    let mount = VaultName::parse_path("/deep/transit").unwrap();
    let root = rig.open(VaultSource { namespace, mount, ..source(&stub) });
    assert!(matches!(root.wrap(&tenant("acme"), &SECRETS), Err(RootKeyError::Refused(_))));
    assert_eq!(stub.requests()[1].target, "/v1/deep/transit/encrypt/root");
}

#[test]
fn over_tls_only_the_authority_that_was_named_is_believed() {
    let engine = Transit::with("root", Key::new(1));
    let stub = Stub::with_tls(move |request| engine.answer(request));
    let authorities = |pem: &str| Authorities::parse(pem.as_bytes()).unwrap();
    for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        assert!(Authorities::parse(pem.as_bytes()).is_err(), "{pem}");
    }
    let rig = Rig::new("vault-tls");
    let trusting = VaultSource { authorities: authorities(stub.authority()), ..source(&stub) };
    let root = rig.open(trusting);
    let wrapped = root.wrap(&tenant("acme"), &SECRETS).unwrap();
    assert_eq!(root.unwrap(&tenant("acme"), &wrapped).unwrap().as_slice(), SECRETS);

    let other = Stub::with_tls(|_| Reply::Close);
    for authorities in [Authorities::default(), authorities(other.authority())] {
        let root = rig.open(VaultSource { authorities, ..source(&stub) });
        let error = root.wrap(&tenant("acme"), &SECRETS).unwrap_err();
        assert!(
            matches!(&error, RootKeyError::Unavailable(why) if why.contains("certificate")),
            "{error}"
        );
    }
    assert_eq!(stub.requests().len(), 2);
}

#[test]
fn threads_of_an_async_runtime_may_ask_too() {
    let (stub, _) = transit(Key::new(1));
    let rig = Rig::new("vault-async");
    let root = rig.open(source(&stub));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        root.wrap(&tenant("acme"), &SECRETS).unwrap();
        drop(root);
    });
}

/// The answer of a real engine has more members than are read.
#[test]
fn members_that_nobody_asked_for_are_passed_over() {
    let stub = Stub::new(|_| {
        let data = json!({"ciphertext": "vault:v1:AAAA", "key_version": 1});
        let answer = json!({"request_id": "4f", "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": data, "wrap_info": null, "warnings": null, "auth": null, "mount_type": "transit"});
        Reply::Json(200, answer.to_string())
    });
    let root = Rig::new("vault-members").open(source(&stub));
    assert_eq!(root.wrap(&tenant("acme"), &SECRETS).unwrap(), b"\x02vault:v1:AAAA");
}
