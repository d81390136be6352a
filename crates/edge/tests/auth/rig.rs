//! An authenticator with a clock that stands still, and the requests it is asked about.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use ledgerstone_edge::auth::jose::Algorithm;
use ledgerstone_edge::auth::{
    AuthError, AuthSettings, Authenticator, Caller, ClaimName, IssuerConfig, IssuerKeys,
    PeerCertificate, RolesFrom, SettingsError, TenantFrom,
};
use ledgerstone_ledger::ApiKeys;
use ledgerstone_testkit::MockClock;
use serde_json::{Value, json};

use crate::keys::TestKey;

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "https://ledgerstone.example";

/// The clock's time, in seconds since 1970.
pub const NOW: i64 = MockClock::START_MICROS / 1_000_000;

/// An authenticator and its clock.
pub struct Rig {
    pub clock: Arc<MockClock>,
    pub authenticator: Authenticator,
}

impl Rig {
    pub fn new(settings: AuthSettings) -> Self {
        Self::with_keys(settings, Arc::default())
    }

    pub fn with_keys(settings: AuthSettings, keys: Arc<ApiKeys>) -> Self {
        let clock = Arc::new(MockClock::default());
        let authenticator = Authenticator::new(settings, keys, Arc::clone(&clock) as _).unwrap();
        Self { clock, authenticator }
    }

    /// One that believes tokens of one key.
    pub fn believing(key: &TestKey) -> Self {
        Self::new(settings(issuer(key)))
    }

    pub async fn bearer(&self, token: &str) -> Result<Caller, AuthError> {
        self.ask(&bearer(token), None).await
    }

    pub async fn ask(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerCertificate>,
    ) -> Result<Caller, AuthError> {
        self.authenticator.authenticate(headers, peer).await
    }
}

pub fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    headers
}

pub fn settings(issuer: IssuerConfig) -> AuthSettings {
    AuthSettings { issuers: vec![issuer], ..AuthSettings::default() }
}

/// Why settings are refused.
pub fn refused(settings: AuthSettings) -> SettingsError {
    let clock = Arc::new(MockClock::default());
    Authenticator::new(settings, Arc::default(), clock).unwrap_err()
}

/// The issuer of one key's tokens.
pub fn issuer(key: &TestKey) -> IssuerConfig {
    issuer_with(&[key.algorithm], IssuerKeys::Pem(key.pem()))
}

pub fn issuer_with(algorithms: &[&str], keys: IssuerKeys) -> IssuerConfig {
    let algorithms = algorithms.iter().map(|name| Algorithm::parse(name).unwrap()).collect();
    IssuerConfig::new(
        ISSUER.to_owned(),
        AUDIENCE.to_owned(),
        algorithms,
        keys,
        TenantFrom::Claim(ClaimName::parse("tenant").unwrap()),
        RolesFrom::Claim(ClaimName::parse("/access/roles").unwrap()),
    )
}

/// Claims of a token that is good for an hour.
pub fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "exp": NOW + 3_600,
        "iat": NOW,
        "nbf": NOW,
        "tenant": "acme",
        "access": {"roles": ["auditor", "writer", "something else"]},
    })
}

/// The same with one claim changed, or taken away where the value is null.
pub fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    claims
}
