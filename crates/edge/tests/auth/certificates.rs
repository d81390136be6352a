//! Client certificates, made by `openssl req -x509` with the names that the tests speak of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use ledgerstone_edge::auth::{
    AuthSettings, CertificateGrant, CertificateName, CredentialKind, PeerCertificate,
};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::{PrincipalId, Role};
use ledgerstone_proof::TenantId;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::json;

use crate::keys::TestKey;
use crate::rig::{Rig, bearer, claims, claims_with, issuer};

/// `spiffe://example.org/billing` and `Billing.example.org`.
const BILLING: &[u8] = include_bytes!("../fixtures/auth/billing.pem");
/// `api.example.org` and `admin.example.org`.
const SEVERAL: &[u8] = include_bytes!("../fixtures/auth/several.pem");
/// No names but `CN=billing.example.org`, which stands for nobody (RFC 9525 section 2).
const NAMELESS: &[u8] = include_bytes!("../fixtures/auth/nameless.pem");

fn certificate(pem: &[u8]) -> PeerCertificate {
    PeerCertificate::read(&CertificateDer::from_pem_slice(pem).unwrap()).unwrap()
}

fn settings(names: &[(&str, &str, Role)]) -> AuthSettings {
    let certificates = names.iter().map(|(name, tenant, role)| {
        let tenant = TenantId::parse(tenant).unwrap();
        let grant = CertificateGrant { tenant, roles: (*role).into() };
        (CertificateName::parse(name).unwrap(), grant)
    });
    AuthSettings { certificates: certificates.collect(), ..AuthSettings::default() }
}

#[tokio::test]
async fn a_name_stands_for_a_principal() {
    for (name, told) in [
        ("spiffe://example.org/billing", "spiffe://example.org/billing"),
        ("BILLING.example.org", "billing.example.org"),
    ] {
        let rig = Rig::new(settings(&[(name, "acme", Role::Writer)]));
        let peer = certificate(BILLING);
        let caller = rig.ask(&HeaderMap::new(), Some(&peer)).await.unwrap();
        assert_eq!((caller.tenant().as_str(), caller.roles()), ("acme", Role::Writer.into()));
        assert_eq!(caller.via(), CredentialKind::Certificate);
        assert_eq!(caller.principal(), &PrincipalId::of_certificate(told));
    }
}

#[tokio::test]
async fn a_certificate_of_nobody_or_of_several_opens_nothing() {
    let rig = Rig::new(settings(&[
        ("billing.example.org", "acme", Role::Writer),
        ("api.example.org", "acme", Role::Writer),
        ("admin.example.org", "acme", Role::Admin),
        ("spiffe://example.org/billing/more", "acme", Role::Admin),
    ]));
    let code = async |pem| {
        rig.ask(&HeaderMap::new(), Some(&certificate(pem))).await.map_err(|error| error.code())
    };
    assert!(code(BILLING).await.is_ok());
    assert_eq!(code(NAMELESS).await, Err(ErrorCode::Unauthenticated));
    assert_eq!(code(SEVERAL).await, Err(ErrorCode::AmbiguousCredential));
    let unreadable = PeerCertificate::read(b"no certificate").unwrap_err();
    assert_eq!(unreadable.code(), ErrorCode::InvalidToken);
}

#[tokio::test]
async fn a_credential_in_the_headers_says_who_asks() {
    let key = TestKey::new("EdDSA", "k1");
    let mut settings = settings(&[("billing.example.org", "beta", Role::Admin)]);
    settings.issuers.push(issuer(&key));
    let rig = Rig::new(settings);
    let peer = certificate(BILLING);
    let caller = rig.ask(&bearer(&key.token(&claims())), Some(&peer)).await.unwrap();
    assert_eq!((caller.tenant().as_str(), caller.via()), ("acme", CredentialKind::Jwt));
    let bad = rig.ask(&bearer("a.b.c"), Some(&peer)).await.unwrap_err();
    assert_eq!(bad.code(), ErrorCode::InvalidToken, "the certificate does not help");
}

#[tokio::test]
async fn a_token_bound_to_a_certificate_comes_with_it_or_not_at_all() {
    let key = TestKey::new("EdDSA", "k1");
    let rig = Rig::believing(&key);
    let peer = certificate(BILLING);
    let thumbprint = URL_SAFE_NO_PAD.encode(peer.fingerprint().as_bytes());
    let bound = bearer(&key.token(&claims_with("cnf", json!({"x5t#S256": thumbprint}))));
    assert!(rig.ask(&bound, Some(&peer)).await.is_ok());
    for other in [None, Some(certificate(SEVERAL))] {
        let error = rig.ask(&bound, other.as_ref()).await.unwrap_err();
        assert!(error.message().contains("not presented"), "{error}");
    }
    let more = json!({"x5t#S256": thumbprint, "jkt": "x"});
    let more = bearer(&key.token(&claims_with("cnf", more)));
    assert!(rig.ask(&more, Some(&peer)).await.is_err());
}
