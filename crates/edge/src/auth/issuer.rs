//! The issuers whose tokens are accepted, as configured.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_model::access::RoleSet;
use ledgerstone_model::{Clock, ErrorCode};
use ledgerstone_proof::TenantId;
use zeroize::Zeroizing;

use super::caller::Caller;
use super::certificate::PeerCertificate;
use super::error::{AuthError, SettingsError};
use super::jose::{Algorithm, CompactJws, JoseKey, KeySet};
use super::jwks::{JwksCache, JwksStatus, JwksTimes, JwksUrl};
use super::jwt::{self, Claims};

/// Longest leeway that may be configured.
pub const LEEWAY_MAX: Duration = Duration::from_mins(5);

/// Longest time that a token's life may be configured to last.
const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// An issuer and how its tokens are judged (RFC 8725).
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// Compared with `iss` byte for byte.
    pub issuer: String,
    /// Must be in `aud`.
    pub audience: String,
    /// The algorithms that the issuer signs with.
    pub algorithms: Vec<Algorithm>,
    pub keys: IssuerKeys,
    pub tenant: TenantFrom,
    pub roles: RolesFrom,
    /// By how much clocks may differ; 60 seconds, at most [`LEEWAY_MAX`].
    pub leeway: Duration,
    /// How long before its end a token may have been issued; 24 hours, and no longer.
    pub max_lifetime: Duration,
    /// The `typ` that tokens must have, e.g. `at+jwt`. `None` takes those without one, `JWT` and
    /// `at+jwt`.
    pub token_type: Option<String>,
}

impl IssuerConfig {
    /// An issuer with the usual times and types.
    pub const fn new(
        issuer: String,
        audience: String,
        algorithms: Vec<Algorithm>,
        keys: IssuerKeys,
        tenant: TenantFrom,
        roles: RolesFrom,
    ) -> Self {
        Self {
            issuer,
            audience,
            algorithms,
            keys,
            tenant,
            roles,
            leeway: Duration::from_mins(1),
            max_lifetime: LIFETIME_MAX,
            token_type: None,
        }
    }
}

/// Where an issuer's keys are.
#[derive(Clone)]
pub enum IssuerKeys {
    /// Public keys in PEM.
    Pem(String),
    /// The same in a file.
    PemFile(PathBuf),
    /// A JSON Web Key set in a file.
    JwksFile(PathBuf),
    /// A JSON Web Key set to be fetched.
    JwksUrl(String),
    /// A secret for HS256, with which whoever verifies can also sign: for development alone.
    DevelopmentSecret(Zeroizing<Vec<u8>>),
}

impl std::fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pem(_) => f.write_str("Pem"),
            Self::PemFile(path) => f.debug_tuple("PemFile").field(path).finish(),
            Self::JwksFile(path) => f.debug_tuple("JwksFile").field(path).finish(),
            Self::JwksUrl(url) => f.debug_tuple("JwksUrl").field(url).finish(),
            Self::DevelopmentSecret(_) => f.write_str("DevelopmentSecret"),
        }
    }
}

/// The name of a claim, or a JSON pointer to one that lies deeper, e.g. `/realm_access/roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimName {
    steps: Vec<String>,
}

impl ClaimName {
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let steps: Vec<String> = match text.strip_prefix('/') {
            Some(pointer) => {
                pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
            }
            None => vec![text.to_owned()],
        };
        let good = |step: &String| {
            !step.is_empty() && !step.contains(['"', '\\']) && !step.contains(char::is_control)
        };
        if steps.iter().all(good) {
            return Ok(Self { steps });
        }
        let place = format!("claim {text:?}");
        Err(SettingsError::new(place, "write a name without quotes, or a JSON pointer"))
    }

    pub(super) fn steps(&self) -> &[String] {
        &self.steps
    }
}

/// Which tenant a token belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantFrom {
    /// The one that a claim names; `_system` cannot be named so.
    Claim(ClaimName),
    Fixed(TenantId),
}

/// Which roles a token gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolesFrom {
    /// Those that a claim names, as an array or with spaces between them; other words are passed over.
    Claim(ClaimName),
    Fixed(RoleSet),
}

/// The state of an issuer, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerStatus {
    pub issuer: String,
    /// Keys that can be used now.
    pub keys: usize,
    /// Where the keys are fetched from, if they are.
    pub jwks: Option<JwksStatus>,
}

/// An issuer with its keys.
#[derive(Debug)]
pub(super) struct Issuer {
    config: IssuerConfig,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Given(Arc<KeySet>),
    Fetched(Arc<JwksCache>),
}

impl Issuer {
    /// Checks the settings and reads the keys that are given. `development` allows shared secrets.
    pub(super) fn new(
        config: IssuerConfig,
        development: bool,
        times: JwksTimes,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        let place = format!("issuer {:?}", config.issuer);
        let refuse = |reason: String| SettingsError::new(place.clone(), reason);
        check(&config, development).map_err(|reason| refuse(reason.to_owned()))?;
        let keys = keys(&config, times, clock).map_err(refuse)?;
        Ok(Self { config, keys })
    }

    pub(super) fn name(&self) -> &str {
        &self.config.issuer
    }

    pub(super) async fn prefetch(&self) {
        if let Keys::Fetched(cache) = &self.keys {
            cache.prefetch().await;
        }
    }

    pub(super) fn status(&self) -> IssuerStatus {
        let (keys, jwks) = match &self.keys {
            Keys::Given(keys) => (keys.len(), None),
            Keys::Fetched(cache) => {
                let status = cache.status();
                (status.keys, Some(status))
            }
        };
        IssuerStatus { issuer: self.config.issuer.clone(), keys, jwks }
    }

    /// Who sent a token that names this issuer. The signature is verified before any claim but `iss`
    /// is looked at.
    pub(super) async fn caller(
        &self,
        token: &CompactJws<'_>,
        claims: &Claims,
        peer: Option<&PeerCertificate>,
        clock: &dyn Clock,
    ) -> Result<Caller, AuthError> {
        jwt::check_type(token, self.config.token_type.as_deref())?;
        let algorithm = Algorithm::parse(token.algorithm());
        if !algorithm.is_some_and(|algorithm| self.config.algorithms.contains(&algorithm)) {
            return Err(jwt::invalid(
                "the token's algorithm is not one its issuer is configured with",
            ));
        }
        let keys = match &self.keys {
            Keys::Given(keys) => Arc::clone(keys),
            Keys::Fetched(cache) => {
                cache.keys_for(token).await.ok_or_else(|| unavailable(cache))?
            }
        };
        if !keys.has_key_for(token) {
            return Err(jwt::invalid("the token names a key that its issuer does not have"));
        }
        if !keys.verifies(token) {
            return Err(jwt::invalid("the token's signature does not hold"));
        }
        claims.check(&self.config, clock.now(), peer)?;
        claims.caller(&self.config)
    }
}

fn unavailable(cache: &JwksCache) -> AuthError {
    let message = "the keys of the token's issuer cannot be fetched now";
    let status = cache.status();
    let last = status.fetched_at.map_or_else(
        || "they never were".to_owned(),
        |at| format!("they were last fetched at {at}, which is too long ago"),
    );
    let detail = format!("{}; {last}", status.failure.unwrap_or_default());
    AuthError::new(ErrorCode::IssuerUnavailable, message).with_detail(detail)
}

fn check(config: &IssuerConfig, development: bool) -> Result<(), &'static str> {
    let uses_secret = matches!(config.keys, IssuerKeys::DevelopmentSecret(_));
    if config.issuer.is_empty() || config.audience.is_empty() {
        return Err("issuer and audience must not be empty");
    }
    if config.algorithms.is_empty() {
        return Err("name the algorithms that it signs with");
    }
    if uses_secret && !development {
        return Err("a shared secret needs the development switch, which no production has");
    }
    if uses_secret && config.algorithms != [Algorithm::Hs256] {
        return Err("a shared secret is for HS256 and nothing else");
    }
    if !uses_secret && config.algorithms.contains(&Algorithm::Hs256) {
        return Err("HS256 needs a shared secret; never beside public keys");
    }
    if config.leeway > LEEWAY_MAX {
        return Err("the leeway is at most 300 seconds");
    }
    if config.max_lifetime.is_zero() || config.max_lifetime > LIFETIME_MAX {
        return Err("the longest lifetime is more than 0 and at most 24 hours");
    }
    if matches!(config.roles, RolesFrom::Fixed(roles) if roles.is_empty()) {
        return Err("its tokens would have no role");
    }
    Ok(())
}

fn keys(config: &IssuerConfig, times: JwksTimes, clock: &Arc<dyn Clock>) -> Result<Keys, String> {
    let allowed = &config.algorithms;
    let pem = |text: &[u8]| JoseKey::from_pem(text, allowed).map_err(|error| error.to_string());
    let read = |path: &PathBuf| {
        std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let set = match &config.keys {
        IssuerKeys::Pem(text) => KeySet::new(pem(text.as_bytes())?),
        IssuerKeys::PemFile(path) => KeySet::new(pem(&read(path)?)?),
        IssuerKeys::DevelopmentSecret(secret) => {
            KeySet::new(vec![JoseKey::from_secret(secret).map_err(|error| error.to_string())?])
        }
        IssuerKeys::JwksFile(path) => {
            let set = KeySet::parse(&read(path)?, allowed).map_err(|error| error.to_string())?;
            if set.is_empty() {
                return Err(format!("no key in {} can be used", path.display()));
            }
            set
        }
        IssuerKeys::JwksUrl(url) => {
            let url = JwksUrl::parse(url).map_err(|error| error.to_string())?;
            let cache = JwksCache::new(url, allowed, times, Arc::clone(clock));
            return cache.map(Keys::Fetched).map_err(|error| error.to_string());
        }
    };
    Ok(Keys::Given(Arc::new(set)))
}
