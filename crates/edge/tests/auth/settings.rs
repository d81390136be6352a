//! Settings that would open a door are refused when they are read.

use std::time::Duration;

use ledgerstone_edge::auth::{
    AuthSettings, CertificateGrant, CertificateName, ClaimName, IssuerConfig, IssuerKeys, RolesFrom,
};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::{Role, RoleSet};
use ledgerstone_proof::TenantId;
use serde_json::json;
use zeroize::Zeroizing;

use crate::keys::TestKey;
use crate::rig::{Rig, claims, issuer, issuer_with, refused, settings};

fn assert_refused(settings: AuthSettings, told: &str) {
    let error = refused(settings);
    assert_eq!(error.code(), ErrorCode::InvalidAuthSettings);
    assert!(error.to_string().contains(told), "{told}: {error}");
}

fn secret(length: usize) -> IssuerKeys {
    IssuerKeys::DevelopmentSecret(Zeroizing::new(vec![7; length]))
}

#[test]
fn issuers_that_cannot_be_judged_are_refused() {
    let (rsa, ec) = (TestKey::new("RS256", "r"), TestKey::new("ES256", "e"));
    let pem = |key: &TestKey| IssuerKeys::Pem(key.pem());
    let changed = |change: &dyn Fn(&mut IssuerConfig)| {
        let mut config = issuer(&ec);
        change(&mut config);
        settings(config)
    };
    for (settings, told) in [
        (settings(issuer_with(&[], pem(&ec))), "name the algorithms"),
        (settings(issuer_with(&["ES256", "HS256"], pem(&ec))), "never beside public keys"),
        (settings(issuer_with(&["HS256"], pem(&rsa))), "needs a shared secret"),
        (settings(issuer_with(&["HS256"], secret(32))), "development switch"),
        (settings(issuer_with(&["ES384", "EdDSA"], pem(&ec))), "none of the algorithms"),
        (settings(issuer_with(&["RS256", "PS256"], pem(&rsa))), "several of the algorithms"),
        (settings(issuer_with(&["ES256"], IssuerKeys::Pem("nothing".into()))), "no public key"),
        (changed(&|config| config.audience.clear()), "must not be empty"),
        (changed(&|config| config.issuer.clear()), "must not be empty"),
        (changed(&|config| config.leeway = Duration::from_secs(301)), "300 seconds"),
        (changed(&|config| config.max_lifetime = Duration::ZERO), "24 hours"),
        (changed(&|config| config.max_lifetime = Duration::from_hours(25)), "24 hours"),
        (changed(&|config| config.roles = RolesFrom::Fixed(RoleSet::EMPTY)), "no role"),
        (
            changed(&|config| config.keys = IssuerKeys::JwksUrl("http://issuer.example".into())),
            "https",
        ),
        (
            changed(&|config| config.keys = IssuerKeys::PemFile("/nowhere.pem".into())),
            "cannot read",
        ),
    ] {
        assert_refused(settings, told);
    }
    let twice = AuthSettings { issuers: vec![issuer(&ec), issuer(&ec)], ..AuthSettings::default() };
    assert_refused(twice, "stands twice");
}

#[test]
fn a_shared_secret_is_long_and_alone() {
    for (algorithms, length, told) in
        [(&["HS256"][..], 31, "fewer than 32"), (&["HS256", "RS256"], 32, "nothing else")]
    {
        let mut settings = settings(issuer_with(algorithms, secret(length)));
        settings.development = true;
        assert_refused(settings, told);
    }
    assert!(!format!("{:?}", secret(32)).contains('7'), "a secret does not show");
}

#[tokio::test]
async fn keys_may_stand_in_files() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (TestKey::new("ES256", "old"), TestKey::new("ES256", "new"));
    let pem = directory.path().join("keys.pem");
    std::fs::write(&pem, format!("{}{}", old.pem(), new.pem())).unwrap();
    let jwks = directory.path().join("keys.json");
    std::fs::write(&jwks, json!({"keys": [old.jwk(), new.jwk()]}).to_string()).unwrap();
    for keys in [IssuerKeys::PemFile(pem), IssuerKeys::JwksFile(jwks.clone())] {
        let rig = Rig::new(settings(issuer_with(&["ES256"], keys)));
        assert_eq!(rig.authenticator.issuers()[0].keys, 2);
        for key in [&old, &new] {
            assert!(rig.bearer(&key.token(&claims())).await.is_ok(), "{}", key.kid);
        }
    }
    assert_refused(settings(issuer_with(&["RS256"], IssuerKeys::JwksFile(jwks))), "can be used");
}

#[test]
fn names_in_certificates_stand_for_one_principal() {
    let grant = |roles| CertificateGrant { tenant: TenantId::parse("acme").unwrap(), roles };
    let name = |text| CertificateName::parse(text).unwrap();
    let with = |certificates| AuthSettings { certificates, ..AuthSettings::default() };
    let one = || (name("api.example"), grant(Role::Writer.into()));
    let other_case = (name("API.example"), grant(Role::Admin.into()));
    assert_refused(with(vec![one(), other_case]), "stands twice");
    assert_refused(with(vec![(name("spiffe://example/a"), grant(RoleSet::EMPTY))]), "no role");
    for text in ["", "*.example", "a b", "user@example", "a..b"] {
        assert!(CertificateName::parse(text).is_err(), "{text}");
    }
    for text in ["", "/", "/a//b", "a\"b", "a\\b"] {
        assert!(ClaimName::parse(text).is_err(), "{text}");
    }
}
