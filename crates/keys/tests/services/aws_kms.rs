//! AWS KMS, as a stub of its documented interface has it.

use std::time::{Duration, Instant};

use ledgerstone_keys::{AwsEnvironment, AwsKmsKey, AwsKmsSource, AwsRegion, ServiceUrl};
use ledgerstone_ledger::sealing_keys::RootKeyError;
use ledgerstone_model::ErrorCode;
use serde_json::json;

use crate::kms::Kms;
use crate::place::{Rig, SECRETS, shows_secrets, tenant};
use crate::stub::{Reply, Stub};

const SECRET: &str = "geheim/7MDENG+bPxRfiCYEXAMPLEKEY";

fn environment(variables: &[(&str, &str)]) -> AwsEnvironment {
    // No files of whoever runs the tests, and no metadata of the machine.
    let none = [("HOME", "/nonexistent"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let all = none.iter().chain(variables);
    AwsEnvironment::of(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

pub fn of_variables() -> AwsEnvironment {
    environment(&[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", SECRET)])
}

pub fn source(url: &str, key: &str, environment: AwsEnvironment) -> AwsKmsSource {
    AwsKmsSource {
        key: AwsKmsKey::parse(key).unwrap(),
        region: AwsRegion::parse("eu-central-1").unwrap(),
        endpoint: ServiceUrl::parse(url).unwrap(),
        environment,
        timeout: Duration::from_secs(10),
    }
}

fn stub_of(kms: &Kms) -> Stub {
    let kms = kms.clone();
    Stub::new(move |request| kms.answer(request))
}

#[test]
fn a_tenants_secrets_are_wrapped_and_unwrapped() {
    let stub = stub_of(&Kms::with(&["key-0001"]));
    let root = Rig::new("kms").open(source(&stub.url(), "key-0001", of_variables()));
    assert_eq!(root.kind(), "aws-kms");
    let wrapped = root.wrap(&tenant("acme"), &SECRETS).unwrap();
    assert!(wrapped.starts_with(b"\x03key-0001") && !shows_secrets(&wrapped));
    assert_eq!(root.unwrap(&tenant("acme"), &wrapped).unwrap().as_slice(), SECRETS);
    let error = root.unwrap(&tenant("other"), &wrapped).unwrap_err();
    assert!(matches!(error, RootKeyError::Wrong(_)), "{error}");
    assert_eq!(error.code(), ErrorCode::WrongRootKey);

    for request in stub.requests() {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["KeyId"], "key-0001");
        let of = &body["EncryptionContext"]["ledgerstone:tenant"];
        assert!(of == "acme" || of == "other");
        assert_eq!(request.header("content-type"), "application/x-amz-json-1.1");
        let signed = "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target";
        let authorization = request.header("authorization");
        assert!(authorization.contains(&format!("SignedHeaders={signed}, ")), "{authorization}");
        let scope = "/eu-central-1/kms/aws4_request, ";
        assert!(authorization.contains(scope) && authorization.contains("Credential=AKIDEXAMPLE/"));
    }
    assert!(!format!("{root:?}").contains(SECRET));
}

#[test]
fn whatever_is_changed_does_not_open() {
    let kms = Kms::with(&["key-0001", "key-0002"]);
    let stub = stub_of(&kms);
    let rig = Rig::new("kms-changed");
    let root = rig.open(source(&stub.url(), "key-0001", of_variables()));
    let acme = tenant("acme");
    let wrapped = root.wrap(&acme, &SECRETS).unwrap();
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        let error = root.unwrap(&acme, &changed).unwrap_err();
        assert!(matches!(error, RootKeyError::Wrong(_)), "{at}: {error}");
    }
    assert!(root.unwrap(&acme, &wrapped[..wrapped.len() - 1]).is_err());

    let other = rig.open(source(&stub.url(), "key-0002", of_variables()));
    let error = other.unwrap(&acme, &wrapped).unwrap_err();
    assert!(matches!(&error, RootKeyError::Wrong(why) if why.contains("IncorrectKey")), "{error}");
    kms.keys.lock().unwrap().clear();
    let error = root.unwrap(&acme, &wrapped).unwrap_err();
    assert!(matches!(&error, RootKeyError::Refused(why) if why.contains("NotFound")), "{error}");
}

#[test]
fn every_other_answer_is_one_of_two_errors() {
    let told = |status, name: &str| {
        Reply::Json(status, json!({"__type": name, "message": "because"}).to_string())
    };
    let json = |status, text: &str| Reply::Json(status, text.to_owned());
    for (reply, is_away, says) in [
        (told(400, "ThrottlingException"), true, "ThrottlingException: because"),
        (told(500, "KMSInternalException"), true, "500 KMSInternalException"),
        (told(400, "DependencyTimeoutException"), true, "DependencyTimeout"),
        (told(500, "KeyUnavailableException"), true, "KeyUnavailable"),
        (json(503, "<html>"), true, "503"),
        (json(429, ""), true, "429"),
        (Reply::Close, true, "the request failed"),
        (told(400, "AccessDeniedException"), false, "400 AccessDeniedException: because"),
        (told(400, "DisabledException"), false, "DisabledException"),
        (told(400, "com.amazonaws.kms#KMSInvalidStateException"), false, " KMSInvalidState"),
        (told(400, "NotFoundException"), false, "NotFoundException"),
        (told(400, "ExpiredTokenException"), false, "ExpiredTokenException"),
        (json(400, r#"{"__type":"X","Message":"capital"}"#), false, "X: capital"),
        (json(403, "{}"), false, "403"),
        (json(200, "{}"), false, "none of KMS"),
        (json(200, "<html>"), false, "none of KMS"),
        (json(200, r#"{"CiphertextBlob":"?","Plaintext":"?"}"#), false, "none of KMS"),
        (Reply::Header(301, "location", "http://127.0.0.1:1/".to_owned()), false, "301"),
    ] {
        let answer = reply.clone();
        let stub = Stub::new(move |_| answer.clone());
        let rig = Rig::new("kms-answers");
        let root = rig.open(source(&stub.url(), "key-0001", of_variables()));
        let wrap = root.wrap(&tenant("acme"), &SECRETS).unwrap_err();
        rig.pass(Duration::from_mins(1));
        let unwrap = root.unwrap(&tenant("acme"), b"\x03blob").map(drop).unwrap_err();
        for error in [wrap, unwrap] {
            let matches = match &error {
                RootKeyError::Unavailable(why) => is_away && why.contains(says),
                RootKeyError::Refused(why) => !is_away && why.contains(says),
                RootKeyError::Wrong(_) => false,
            };
            assert!(matches, "{reply:?}: {error}");
            assert!(!error.to_string().contains(SECRET));
        }
    }
}

#[test]
fn without_credentials_nothing_is_sent() {
    let stub = stub_of(&Kms::with(&["key-0001"]));
    let root = Rig::new("kms-nobody").open(source(&stub.url(), "key-0001", environment(&[])));
    let begun = Instant::now();
    let error = root.wrap(&tenant("acme"), &SECRETS).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(15));
    let matches = matches!(&error, RootKeyError::Unavailable(why) if why.contains("credentials"));
    assert!(matches, "{error}");
    assert!(stub.requests().is_empty());
}

#[test]
fn credentials_are_looked_for_where_aws_tools_put_them() {
    let rig = Rig::new("kms-credentials");
    let kms = Kms::with(&["key-0001"]);
    let stub = stub_of(&kms);
    let used = |environment: AwsEnvironment| {
        let root = rig.open(source(&stub.url(), "key-0001", environment));
        root.wrap(&tenant("acme"), &SECRETS).unwrap();
        stub.requests().last().unwrap().clone()
    };
    let file = "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = x\n\
                [other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = x\n";
    let path = rig.directory().write("credentials", file);
    let path = path.to_str().unwrap();
    let shared = [("AWS_SHARED_CREDENTIALS_FILE", path)];
    assert!(used(environment(&shared)).header("authorization").contains("=AKIDFILE/"));
    let other = [shared[0], ("AWS_PROFILE", "other")];
    assert!(used(environment(&other)).header("authorization").contains("=AKIDOTHER/"));

    let session = [
        ("AWS_ACCESS_KEY_ID", "AKIDSESSION"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_SESSION_TOKEN", "the-token"),
    ];
    let request = used(environment(&session));
    assert_eq!(request.header("x-amz-security-token"), "the-token");
    assert!(request.header("authorization").contains(";x-amz-security-token;"));

    // As containers are given them; a later call uses the same ones.
    let of_container = Stub::new(|request| {
        assert_eq!(
            (request.target.as_str(), request.header("authorization")),
            ("/role", "of-the-pod")
        );
        let credentials = json!({"AccessKeyId": "AKIDROLE", "SecretAccessKey": "x",
            "Token": "t", "Expiration": "2099-01-01T00:00:00Z"});
        Reply::Json(200, credentials.to_string())
    });
    let url = format!("{}/role", of_container.url());
    let container = environment(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-the-pod"),
    ]);
    let root = rig.open(source(&stub.url(), "key-0001", container));
    for _ in 0..3 {
        root.wrap(&tenant("acme"), &SECRETS).unwrap();
    }
    let request = stub.requests().last().unwrap().clone();
    assert!(request.header("authorization").contains("=AKIDROLE/"));
    assert_eq!(of_container.requests().len(), 1);
}
