//! Tokens: the good ones of every algorithm, and every attack by its name.

use ledgerstone_edge::auth::jose::{Algorithm, CompactJws, JoseKey};
use ledgerstone_edge::auth::{CredentialKind, IssuerKeys, RolesFrom, TOKEN_BYTES_MAX, TenantFrom};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::{PrincipalId, Role, RoleSet};
use ledgerstone_proof::TenantId;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::keys::{TestKey, base64url};
use crate::rig::{AUDIENCE, ISSUER, NOW, Rig, claims, claims_with, issuer, issuer_with, settings};

const PUBLIC: [&str; 5] = ["EdDSA", "ES256", "ES384", "PS256", "RS256"];

#[tokio::test]
async fn a_good_token_of_every_algorithm_is_a_caller() {
    for algorithm in PUBLIC {
        let key = TestKey::new(algorithm, "k1");
        let caller = Rig::believing(&key).bearer(&key.token(&claims())).await.unwrap();
        assert_eq!(caller.tenant().as_str(), "acme", "{algorithm}");
        assert_eq!(caller.roles(), RoleSet::from(Role::Auditor).with(Role::Writer));
        assert_eq!(caller.via(), CredentialKind::Jwt);
        assert_eq!(caller.principal(), &PrincipalId::of_jwt(ISSUER, "alice"));
        assert!(format!("{:?}", caller.actor()).contains("alice at https://issuer.example"));
    }
}

#[tokio::test]
async fn ed25519_by_its_own_name_is_the_same() {
    let key = TestKey::new("EdDSA", "k1");
    let token = key.token_with(&json!({"alg": "Ed25519", "typ": "at+jwt"}), &claims());
    assert!(Rig::believing(&key).bearer(&token).await.is_ok());
}

/// Why a token is refused that one key signed, with this header and these claims.
async fn refusal(key: &TestKey, header: &Value, claims: &Value) -> (ErrorCode, String) {
    let token = key.token_with(header, claims);
    let error = Rig::believing(key).bearer(&token).await.unwrap_err();
    assert!(error.challenge().is_some());
    (error.code(), error.to_string())
}

async fn assert_refused(key: &TestKey, header: &Value, claims: &Value, told: &str) {
    let (code, message) = refusal(key, header, claims).await;
    assert_eq!(code, ErrorCode::InvalidToken, "{message}");
    assert!(message.contains(told), "{header} {claims}: {message}");
}

#[tokio::test]
async fn alg_none_is_refused_however_it_is_spelt() {
    let key = TestKey::new("ES256", "k1");
    let rig = Rig::believing(&key);
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = base64url(json!({"alg": alg, "typ": "JWT"}).to_string());
        let unsigned = format!("{header}.{}.", base64url(claims().to_string()));
        assert_eq!(rig.bearer(&unsigned).await.unwrap_err().code(), ErrorCode::InvalidToken);
        let header = json!({"alg": alg, "typ": "JWT"});
        assert_refused(&key, &header, &claims(), "algorithm").await;
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret_for_hmac() {
    for algorithm in ["RS256", "ES256"] {
        let key = TestKey::new(algorithm, "k1");
        let rig = Rig::believing(&key);
        let pem = key.pem();
        for secret in [pem.as_bytes(), pem.trim_end().as_bytes()] {
            let forged = TestKey::confused(secret, "k1").token(&claims());
            let error = rig.bearer(&forged).await.unwrap_err();
            assert!(error.message().contains("algorithm"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_key_verifies_its_own_algorithm_alone() {
    // The same RSA key, with the padding of the other algorithm.
    let key = TestKey::new("RS256", "k1");
    let rig = Rig::new(settings(issuer_with(&["PS256"], IssuerKeys::Pem(key.pem()))));
    let error = rig.bearer(&key.token(&claims())).await.unwrap_err();
    assert!(error.message().contains("algorithm"), "{error}");
    let lying = key.token_with(&json!({"alg": "PS256"}), &claims());
    let error = rig.bearer(&lying).await.unwrap_err();
    assert!(error.message().contains("signature"), "{error}");
}

#[test]
fn a_good_signature_under_another_name_is_none() {
    let key = TestKey::new("ES256", "k1");
    let [public] = &JoseKey::from_pem(key.pem().as_bytes(), Algorithm::ALL).unwrap()[..] else {
        panic!("one key was written");
    };
    for (alg, good) in [("ES256", true), ("ES384", false), ("HS256", false), ("none", false)] {
        let token = key.token_with(&json!({"alg": alg}), &claims());
        assert_eq!(public.verifies(&CompactJws::parse(&token).unwrap()), good, "{alg}");
    }
}

#[tokio::test]
async fn a_changed_or_foreign_token_is_refused() {
    let key = TestKey::new("ES256", "k1");
    let rig = Rig::believing(&key);
    let token = key.token(&claims());
    let parts: Vec<&str> = token.split('.').collect();
    let other_claims = base64url(claims_with("tenant", json!("beta")).to_string());
    let stripped = format!("{}.{}.", parts[0], parts[1]);
    let swapped = format!("{}.{other_claims}.{}", parts[0], parts[2]);
    let foreign = TestKey::new("ES256", "k1").token(&claims());
    for bad in [stripped, swapped, foreign] {
        let error = rig.bearer(&bad).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidToken);
        assert!(error.message().contains("signature"), "{error}");
    }
    let five = format!("{token}.e30.e30");
    assert_eq!(rig.bearer(&five).await.unwrap_err().code(), ErrorCode::InvalidToken);
}

#[tokio::test]
async fn the_keys_that_a_token_brings_along_are_not_looked_at() {
    let key = TestKey::new("ES256", "k1");
    let thief = TestKey::new("ES256", "k1");
    for (name, value) in [
        ("jwk", thief.jwk()),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/cert")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "k1"});
        header[name] = value;
        let forged = thief.token_with(&header, &claims());
        let error = Rig::believing(&key).bearer(&forged).await.unwrap_err();
        assert!(error.message().contains("signature"), "{name}: {error}");
        let honest = key.token_with(&header, &claims());
        assert!(Rig::believing(&key).bearer(&honest).await.is_ok(), "{name} is ignored");
    }
}

#[tokio::test]
async fn headers_that_are_not_understood_are_refused() {
    let key = TestKey::new("ES256", "k1");
    for (name, value, told) in [
        ("crit", json!(["exp"]), "crit"),
        ("crit", json!(["b64"]), "crit"),
        ("b64", json!(false), "b64"),
        ("zip", json!("DEF"), "zip"),
        ("kid", json!("../../../../dev/null"), "kid"),
        ("kid", json!("/etc/passwd"), "kid"),
        ("kid", json!("x' UNION SELECT 'secret"), "kid"),
        ("kid", json!("k".repeat(300)), "kid"),
        ("kid", json!(["k1"]), "kid"),
        ("typ", json!("logout+jwt"), "another type"),
        ("typ", json!("dpop+jwt"), "another type"),
        ("typ", json!("application/secevent+jwt"), "another type"),
    ] {
        let mut header = json!({"alg": "ES256"});
        header[name] = value;
        assert_refused(&key, &header, &claims(), told).await;
    }
    for typ in ["JWT", "jwt", "at+JWT", "application/at+jwt"] {
        let token = key.token_with(&json!({"alg": "ES256", "typ": typ}), &claims());
        assert!(Rig::believing(&key).bearer(&token).await.is_ok(), "{typ}");
    }
}

#[tokio::test]
async fn a_configured_type_is_the_only_one() {
    let key = TestKey::new("ES256", "k1");
    let mut config = issuer(&key);
    config.token_type = Some("at+jwt".to_owned());
    let rig = Rig::new(settings(config));
    for (header, good) in [
        (json!({"alg": "ES256", "typ": "at+jwt"}), true),
        (json!({"alg": "ES256", "typ": "application/AT+JWT"}), true),
        (json!({"alg": "ES256", "typ": "JWT"}), false),
        (json!({"alg": "ES256"}), false),
    ] {
        let answer = rig.bearer(&key.token_with(&header, &claims())).await;
        assert_eq!(answer.is_ok(), good, "{header}");
    }
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused_by_name() {
    let key = TestKey::new("ES256", "k1");
    let header = json!({"alg": "ES256"});
    for (name, value, told) in [
        ("iss", json!("https://issuer.example/"), "issuer is not configured"),
        ("iss", json!(["https://issuer.example"]), "no `iss`"),
        ("iss", Value::Null, "no `iss`"),
        ("aud", json!("https://other.example"), "another audience"),
        ("aud", json!(["https://other.example"]), "another audience"),
        ("aud", json!([AUDIENCE, 7]), "another audience"),
        ("aud", json!({"a": AUDIENCE}), "another audience"),
        ("aud", Value::Null, "another audience"),
        ("exp", Value::Null, "no `exp`"),
        ("exp", json!("soon"), "no number"),
        ("exp", json!(-1), "no number"),
        ("exp", json!(NOW + 86_401), "lives longer"),
        ("exp", json!(1e300), "no number"),
        ("nbf", json!(NOW + 61), "not valid yet"),
        ("nbf", json!(true), "no number"),
        ("iat", json!(NOW + 61), "in the future"),
        ("iat", json!(NOW - 86_400), "lives longer"),
        ("sub", Value::Null, "no `sub`"),
        ("sub", json!(""), "no `sub`"),
        ("sub", json!(7), "no `sub`"),
        ("sub", json!("a\nb"), "no `sub`"),
        ("tenant", Value::Null, "no tenant"),
        ("tenant", json!("_system"), "cannot name _system"),
        ("tenant", json!("../acme"), "no tenant"),
        ("tenant", json!(["acme"]), "no tenant"),
        ("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}), "bound"),
        ("cnf", json!({"x5t#S256": "abc"}), "bound"),
        ("cnf", json!("x"), "bound"),
    ] {
        assert_refused(&key, &header, &claims_with(name, value), told).await;
    }
    let text = claims().to_string();
    let twice = text.replacen('{', "{\"tenant\":\"beta\",", 1);
    for payload in [twice.as_str(), "[]", "{", "", "\"text\"", "{\"iss\":\"\\ud800\"}"] {
        let signed = format!("{}.{}", base64url(header.to_string()), base64url(payload));
        let token = format!("{signed}.{}", base64url(key.sign(signed.as_bytes())));
        let error = Rig::believing(&key).bearer(&token).await.unwrap_err();
        assert!(error.message().contains("claims"), "{payload}: {error}");
    }
}

#[tokio::test]
async fn times_have_a_leeway_and_borders() {
    let key = TestKey::new("EdDSA", "k1");
    let rig = Rig::believing(&key);
    let expired = |at: i64| claims_with("exp", json!(at));
    for (claims, good) in [
        (expired(NOW - 59), true),
        (expired(NOW - 60), false),
        (claims_with("exp", json!(1_714_564_800.5)), true),
        (claims_with("exp", json!(NOW + 86_400)), true),
        (claims_with("nbf", json!(NOW + 60)), true),
        (claims_with("iat", json!(NOW + 60)), true),
        (claims_with("iat", Value::Null), true),
        (claims_with("nbf", Value::Null), true),
        (claims_with("aud", json!(["x", AUDIENCE])), true),
    ] {
        let answer = rig.bearer(&key.token(&claims)).await;
        assert_eq!(answer.is_ok(), good, "{claims}");
        if let Err(error) = answer {
            assert_eq!(error.code(), ErrorCode::TokenExpired);
        }
    }
    let mut config = issuer(&key);
    config.leeway = std::time::Duration::ZERO;
    let strict = Rig::new(settings(config));
    let error = strict.bearer(&key.token(&expired(NOW))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TokenExpired);
}

#[tokio::test]
async fn a_token_of_nine_kibibytes_is_refused_before_it_is_read() {
    let key = TestKey::new("ES256", "k1");
    let rig = Rig::believing(&key);
    let padded = |length: usize| key.token(&claims_with("pad", json!("x".repeat(length))));
    let token = padded(9 * 1024);
    assert!(token.len() > TOKEN_BYTES_MAX);
    let error = rig.bearer(&token).await.unwrap_err();
    assert!(error.message().contains("8192"), "{error}");
    let fits = (0..6_000).rev().map(padded).find(|token| token.len() <= TOKEN_BYTES_MAX).unwrap();
    assert!(rig.bearer(&fits).await.is_ok(), "{}", fits.len());
}

#[tokio::test]
async fn tenant_and_roles_come_from_where_the_settings_say() {
    let key = TestKey::new("EdDSA", "k1");
    let mut config = issuer(&key);
    config.tenant = TenantFrom::Fixed(TenantId::parse("beta").unwrap());
    config.roles = RolesFrom::Fixed(Role::Viewer.into());
    let caller = Rig::new(settings(config)).bearer(&key.token(&claims())).await.unwrap();
    assert_eq!((caller.tenant().as_str(), caller.roles()), ("beta", Role::Viewer.into()));

    let rig = Rig::believing(&key);
    for (access, roles) in [
        (json!({"roles": "admin viewer"}), RoleSet::from(Role::Admin).with(Role::Viewer)),
        (json!({"roles": ["Admin", "root"]}), RoleSet::EMPTY),
        (json!({"roles": ["admin", 7]}), RoleSet::EMPTY),
        (json!({}), RoleSet::EMPTY),
        (json!("roles"), RoleSet::EMPTY),
    ] {
        let token = key.token(&claims_with("access", access.clone()));
        assert_eq!(rig.bearer(&token).await.unwrap().roles(), roles, "{access}");
    }
}

#[tokio::test]
async fn a_shared_secret_works_in_development_alone() {
    let key = TestKey::new("HS256", "k1");
    let config =
        issuer_with(&["HS256"], IssuerKeys::DevelopmentSecret(Zeroizing::new(vec![7; 32])));
    let mut settings = settings(config);
    settings.development = true;
    let rig = Rig::new(settings);
    assert!(rig.bearer(&key.token(&claims())).await.is_ok());
    let forged = TestKey::confused(&[8; 32], "k1").token(&claims());
    assert!(rig.bearer(&forged).await.is_err());
}

#[tokio::test]
async fn of_two_issuers_each_has_its_own_keys() {
    let (first, second) = (TestKey::new("EdDSA", "k1"), TestKey::new("EdDSA", "k1"));
    let mut other = issuer(&second);
    other.issuer = "https://second.example".to_owned();
    let mut both = settings(issuer(&first));
    both.issuers.push(other);
    let rig = Rig::new(both);
    let of_second = claims_with("iss", json!("https://second.example"));
    assert!(rig.bearer(&first.token(&claims())).await.is_ok());
    assert!(rig.bearer(&second.token(&of_second)).await.is_ok());
    for token in [first.token(&of_second), second.token(&claims())] {
        let error = rig.bearer(&token).await.unwrap_err();
        assert!(error.message().contains("signature"), "{error}");
    }
}
