//! Keys that are fetched: kept, replaced, and good for as long as they have to be.

use std::sync::Arc;
use std::time::Duration;

use ledgerstone_edge::auth::jose::{Algorithm, CompactJws};
use ledgerstone_edge::auth::jwks::{JwksCache, JwksTimes, JwksUrl};
use ledgerstone_edge::auth::{AuthSettings, IssuerKeys};
use ledgerstone_model::ErrorCode;
use ledgerstone_testkit::MockClock;
use serde_json::json;

use crate::jwks_server::{JwksServer, Reply, set};
use crate::keys::TestKey;
use crate::rig::{Rig, claims, issuer_with, settings};

fn fetched_from(server: &JwksServer) -> AuthSettings {
    settings(issuer_with(&["EdDSA", "ES256"], IssuerKeys::JwksUrl(server.url())))
}

fn failure(rig: &Rig) -> Option<String> {
    rig.authenticator.issuers()[0].jwks.as_ref().unwrap().failure.clone()
}

#[tokio::test]
async fn keys_are_fetched_once_and_kept() {
    let (one, two) = (TestKey::new("EdDSA", "one"), TestKey::new("ES256", "two"));
    let server = JwksServer::with_keys(&[&one, &two]);
    let rig = Rig::new(fetched_from(&server));
    assert_eq!((server.requests(), rig.authenticator.issuers()[0].keys), (0, 0));
    for _ in 0..3 {
        for key in [&one, &two] {
            assert!(rig.bearer(&key.token(&claims())).await.is_ok());
        }
    }
    assert_eq!(server.requests(), 1);
    assert_eq!((rig.authenticator.issuers()[0].keys, failure(&rig)), (2, None));
}

#[tokio::test]
async fn keys_are_kept_within_bounds_whatever_the_answer_says() {
    let key = TestKey::new("EdDSA", "k");
    for (headers, still, no_more) in [
        ("", 299, 300),
        ("Cache-Control: max-age=10\r\n", 299, 300),
        ("Cache-Control: no-store\r\n", 299, 300),
        ("Cache-Control: max-age=900\r\n", 899, 900),
        ("Cache-Control: max-age=9999999\r\n", 86_399, 86_400),
    ] {
        let server = JwksServer::start(Reply::Text(set(&[&key]), headers));
        let rig = Rig::new(fetched_from(&server));
        rig.authenticator.prefetch().await;
        let mut end = claims();
        end["exp"] = json!(crate::rig::NOW + 86_400);
        end["iat"] = json!(crate::rig::NOW);
        let token = key.token(&end);
        for (passed, requests) in [(still, 1), (no_more, 2)] {
            rig.clock.set(MockClock::START_MICROS + passed * 1_000_000);
            assert!(rig.bearer(&token).await.is_ok());
            assert_eq!(server.requests(), requests, "{headers:?} after {passed} s");
        }
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_but_not_too_often() {
    let (old, new) = (TestKey::new("EdDSA", "old"), TestKey::new("EdDSA", "new"));
    let server = JwksServer::with_keys(&[&old]);
    let rig = Rig::new(fetched_from(&server));
    assert!(rig.bearer(&old.token(&claims())).await.is_ok());

    server.now_with_keys(&[&old, &new]);
    let (of_new, of_old) = (new.token(&claims()), old.token(&claims()));
    let too_early = rig.bearer(&of_new).await.unwrap_err();
    assert_eq!(too_early.code(), ErrorCode::InvalidToken);
    assert_eq!(server.requests(), 1, "the last fetch was a moment ago");
    rig.clock.advance(Duration::from_secs(30));
    assert!(rig.bearer(&of_new).await.is_ok());
    assert!(rig.bearer(&of_old).await.is_ok());
    assert_eq!(server.requests(), 2);

    // Tokens that name keys that never were make one request in 30 seconds.
    rig.clock.advance(Duration::from_secs(30));
    for n in 0..50 {
        let made_up = new.token_with(&json!({"alg": "EdDSA", "kid": format!("k{n}")}), &claims());
        let error = rig.bearer(&made_up).await.unwrap_err();
        assert!(error.message().contains("does not have"), "{error}");
    }
    assert_eq!(server.requests(), 3);

    server.now_with_keys(&[&new]);
    rig.clock.advance(Duration::from_mins(5));
    assert!(rig.bearer(&of_new).await.is_ok());
    assert!(rig.bearer(&of_old).await.is_err(), "a key that was withdrawn is gone");
}

#[tokio::test]
async fn while_the_issuer_fails_the_keys_at_hand_are_used() {
    let key = TestKey::new("EdDSA", "k");
    let server = JwksServer::with_keys(&[&key]);
    let rig = Rig::new(fetched_from(&server));
    let token = key.token(&claims());
    assert!(rig.bearer(&token).await.is_ok());
    let fetched_at = rig.authenticator.issuers()[0].jwks.as_ref().unwrap().fetched_at;
    let elsewhere = JwksServer::with_keys(&[&key]);
    for (reply, told) in [
        (Reply::Status(500), "500"),
        (Reply::Status(204), "204"),
        (Reply::Text("<html>".to_owned(), ""), "not JSON"),
        (Reply::Text("{}".to_owned(), ""), "no array"),
        (Reply::Text(format!("{{\"keys\":[{}]}}", ["{}"; 101].join(",")), ""), "100 keys"),
        (Reply::Endless, "262144"),
        (Reply::Cut, "fetched"),
        (Reply::RedirectTo(elsewhere.url()), "another host"),
        (Reply::RedirectTo("https://127.0.0.1/keys".to_owned()), "another host"),
        (Reply::RedirectTo("/keys".to_owned()), "too often"),
    ] {
        server.now(reply);
        rig.clock.advance(Duration::from_mins(5));
        assert!(rig.bearer(&token).await.is_ok(), "{told}");
        let failure = failure(&rig).unwrap_or_default();
        assert!(failure.contains(told), "{told}: {failure}");
        let status = rig.authenticator.issuers()[0].jwks.clone().unwrap();
        assert_eq!((status.keys, status.fetched_at), (1, fetched_at));
        assert!(status.attempted_at > fetched_at);
    }
    assert_eq!(elsewhere.requests(), 0);
    server.now_with_keys(&[&key]);
    rig.clock.advance(Duration::from_secs(30));
    assert!(rig.bearer(&token).await.is_ok());
    assert_eq!(failure(&rig), None);
}

#[tokio::test]
async fn keys_of_an_issuer_that_went_silent_are_not_good_for_ever() {
    let key = TestKey::new("EdDSA", "k");
    let server = JwksServer::with_keys(&[&key]);
    let mut settings = fetched_from(&server);
    settings.jwks.stale = Duration::from_mins(10);
    let rig = Rig::new(settings);
    let mut long = claims();
    long["exp"] = json!(crate::rig::NOW + 86_400);
    long["iat"] = json!(crate::rig::NOW);
    let token = key.token(&long);
    assert!(rig.bearer(&token).await.is_ok());
    server.now(Reply::Status(500));
    rig.clock.advance(Duration::from_secs(599));
    assert!(rig.bearer(&token).await.is_ok());
    rig.clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        let error = rig.bearer(&token).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::IssuerUnavailable);
        assert!(error.detail().is_some_and(|detail| detail.contains("too long ago")), "{error:?}");
    }
    server.now_with_keys(&[&key]);
    rig.clock.advance(Duration::from_secs(30));
    assert!(rig.bearer(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_never_answered_is_no_fault_of_the_token() {
    let key = TestKey::new("EdDSA", "k");
    let server = JwksServer::start(Reply::Status(503));
    let rig = Rig::new(fetched_from(&server));
    rig.authenticator.prefetch().await;
    let token = key.token(&claims());
    for _ in 0..3 {
        let error = rig.bearer(&token).await.unwrap_err();
        assert_eq!((error.code(), error.challenge()), (ErrorCode::IssuerUnavailable, None));
        assert!(error.detail().is_some_and(|detail| detail.contains("503")), "{error:?}");
    }
    assert_eq!(server.requests(), 1);
    server.now_with_keys(&[&key]);
    rig.clock.advance(Duration::from_secs(30));
    assert!(rig.bearer(&token).await.is_ok());
}

/// A cache that waits no longer than a test can.
fn impatient(server: &JwksServer, clock: &Arc<MockClock>) -> Arc<JwksCache> {
    let url = JwksUrl::parse(&server.url()).unwrap();
    let times = JwksTimes { timeout: Duration::from_millis(300), ..JwksTimes::default() };
    JwksCache::new(url, &[Algorithm::EdDsa], times, Arc::clone(clock) as _).unwrap()
}

#[tokio::test]
async fn a_slow_issuer_is_given_up() {
    let key = TestKey::new("EdDSA", "k");
    let clock = Arc::new(MockClock::default());
    let server = JwksServer::start(Reply::Slow(Duration::from_secs(20), set(&[&key])));
    let cache = impatient(&server, &clock);
    let token = key.token(&claims());
    let token = CompactJws::parse(&token).unwrap();
    assert!(cache.keys_for(&token).await.is_none());
    let failure = cache.status().failure.unwrap();
    assert!(failure.contains("timed out"), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_wait_there_is_one_fetch() {
    let (key, clock) = (TestKey::new("EdDSA", "k"), Arc::new(MockClock::default()));
    let server = JwksServer::start(Reply::Slow(Duration::from_millis(100), set(&[&key])));
    let cache = impatient(&server, &clock);
    let token: &'static str = key.token(&claims()).leak();
    let ask = |cache: &Arc<JwksCache>| {
        let cache = Arc::clone(cache);
        tokio::spawn(async move {
            let token = CompactJws::parse(token).unwrap();
            cache.keys_for(&token).await.is_some_and(|keys| keys.verifies(&token))
        })
    };
    let waiting: Vec<_> = (0..40).map(|_| ask(&cache)).collect();
    // A client that goes away does not end it for the others.
    waiting[0].abort();
    for one in waiting.into_iter().skip(1) {
        assert!(one.await.unwrap());
    }
    assert_eq!(server.requests(), 1);

    // When the keys grow old, one request fetches and the others go on with those at hand.
    clock.advance(Duration::from_mins(5));
    let waiting: Vec<_> = (0..40).map(|_| ask(&cache)).collect();
    for one in waiting {
        assert!(one.await.unwrap());
    }
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn only_keys_for_signatures_of_the_right_algorithm_are_used() {
    let key = TestKey::new("ES256", "k");
    let with = |name: &str, value: serde_json::Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        jwk
    };
    for (jwk, good) in [
        (key.jwk(), true),
        (with("key_ops", json!(["verify"])), true),
        (with("use", json!("enc")), false),
        (with("key_ops", json!(["encrypt"])), false),
        (with("alg", json!("ES384")), false),
        (with("alg", json!("HS256")), false),
        (with("crv", json!("P-384")), false),
        (with("kty", json!("RSA")), false),
        (with("x", json!("AAAA")), false),
        (with("kid", json!("other")), false),
        (TestKey::confused(&[7; 32], "k").jwk(), false),
        (json!(7), false),
    ] {
        let text = json!({"keys": [jwk.clone(), {"kty": "unheard of"}]}).to_string();
        let server = JwksServer::start(Reply::Text(text, ""));
        let rig = Rig::new(fetched_from(&server));
        let answer = rig.bearer(&key.token(&claims())).await;
        assert_eq!(answer.is_ok(), good, "{jwk}");
    }
}
