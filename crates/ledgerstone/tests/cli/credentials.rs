//! Tokens and client certificates, through a server that is configured as one that is deployed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_testkit::Served;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ED25519,
    SigningKey as _,
};
use reqwest::{Certificate, Client, Identity};
use serde_json::{Value, json};

use crate::program::{Program, text};
use crate::served::{append, start};

const ISSUER: &str = r#"
[[auth.issuers]]
issuer = "https://issuer.example"
audience = "ledgerstone"
algorithms = ["EdDSA"]
pem_file = "issuer.pem"
tenant_claim = "org"
roles_claim = "/access/roles"
"#;

/// A server that believes the tokens of a fresh key, and the key.
fn with_issuer(program: &Program, settings: &str) -> (Served, KeyPair) {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    program.place().write("issuer.pem", key.public_key_pem());
    program.place().write("l.toml", format!("{settings}{ISSUER}"));
    (
        start(program, |command| {
            command.args(["--config", "l.toml"]);
        }),
        key,
    )
}

/// A token of this moment for a tenant, with every role that the tests need.
fn token(key: &KeyPair, tenant: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the server has the machine's clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = json!({
        "iss": "https://issuer.example", "aud": "ledgerstone", "sub": "alice", "org": tenant,
        "iat": now.as_secs(), "exp": (now + Duration::from_mins(10)).as_secs(),
        "access": {"roles": ["writer", "auditor"]},
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "typ": "JWT"})), part(&claims));
    let signature = key.sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_of_the_issuer_is_believed_and_no_other() {
    let program = Program::new("token");
    let (server, key) = with_issuer(&program, "");
    let (status, receipt) = append(&server, &token(&key, "default"), "e-1");
    assert_eq!((status, text(&receipt, "/tenant_id").as_str()), (201, "default"), "{receipt}");

    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let (status, problem) = append(&server, &token(&other, "default"), "e-2");
    assert_eq!((status, text(&problem, "/code").as_str()), (401, "INVALID_TOKEN"), "{problem}");

    let (status, problem) = append(&server, &token(&key, "_system"), "e-3");
    assert_eq!((status, text(&problem, "/code").as_str()), (401, "INVALID_TOKEN"), "{problem}");
    assert!(text(&problem, "/detail").contains("cannot name _system"), "{problem}");

    let (status, problem) = append(&server, &token(&key, "fresh"), "e-4");
    assert_eq!((status, text(&problem, "/code").as_str()), (404, "UNKNOWN_TENANT"), "{problem}");
    server.stop();
    assert!(!program.sizes().contains("fresh"));
}

#[test]
fn the_first_event_of_a_token_makes_its_tenant_where_that_is_set() {
    let program = Program::new("token-creates");
    let (server, key) = with_issuer(&program, "[tenants]\ncreate_on_first_event = true\n");
    let fresh = token(&key, "fresh");
    let (status, receipt) = append(&server, &fresh, "e-1");
    assert_eq!((status, text(&receipt, "/tenant_id").as_str()), (201, "fresh"), "{receipt}");
    let (status, again) = append(&server, &fresh, "e-1");
    assert_eq!((status, text(&again, "/status").as_str()), (200, "duplicate"), "{again}");
    let (status, state) = server.request("GET", "/v1/status", Some(&fresh), "");
    assert_eq!((status, text(&state, "/ledger/tenant_id").as_str()), (200, "fresh"), "{state}");
    let (status, problem) = append(&server, &token(&key, "_system"), "e-2");
    assert_eq!((status, text(&problem, "/code").as_str()), (401, "INVALID_TOKEN"), "{problem}");
    server.stop();
    assert!(program.sizes().contains("fresh"));
}

/// A certificate and its key in one PEM text.
fn issued(authority: &CertifiedIssuer<'_, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[tokio::test]
async fn a_client_certificate_is_believed_where_its_name_is_configured() {
    let program = Program::new("client-certificate");
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (certificate, key) = issued(&authority, "127.0.0.1");
    program.place().write("ca.pem", authority.pem());
    program.place().write("server.pem", certificate);
    program.place().write("server.key", key);
    program.place().write(
        "l.toml",
        "[[auth.certificates]]\nname = \"agent.example\"\ntenant = \"default\"\nroles = [\"auditor\"]\n",
    );
    let server = start(&program, |command| {
        command.args(["--config", "l.toml", "--tls-cert", "server.pem"]);
        command.args(["--tls-key", "server.key", "--tls-client-ca", "ca.pem"]);
    });
    let root = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
    let url = format!("https://127.0.0.1:{}/v1/status", server.port());
    for (name, status, pointer, says) in [
        ("agent.example", 200, "/ledger/tenant_id", "default"),
        ("other.example", 401, "/code", "UNAUTHENTICATED"),
    ] {
        let (certificate, key) = issued(&authority, name);
        let identity = Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap();
        let client = Client::builder().no_proxy().tls_certs_only([root.clone()]).identity(identity);
        let response = client.build().unwrap().get(&url).send().await.unwrap();
        assert_eq!(response.status(), status, "{name}");
        let body: Value = response.json().await.unwrap();
        assert_eq!(text(&body, pointer), says, "{name}: {body}");
    }
    server.stop();
}
