//! Turns a request's credential into the caller it stands for.

use std::sync::Arc;

use http::HeaderMap;
use ledgerstone_ledger::ApiKeys;
use ledgerstone_ledger::api_keys::ApiKeyRefusal;
use ledgerstone_model::access::{ApiKey, CredentialKind, PrincipalId};
use ledgerstone_model::{Clock, ErrorCode};

use super::caller::{Caller, Lasts};
use super::certificate::{CertificateGrant, CertificateName, CertificateTable, PeerCertificate};
use super::credential::{Presented, presented};
use super::error::{AuthError, SettingsError};
use super::issuer::{Issuer, IssuerConfig, IssuerStatus};
use super::jose::CompactJws;
use super::jwks::JwksTimes;
use super::jwt::{self, Claims, TOKEN_BYTES_MAX, invalid};

/// Whom to believe beside the API keys that the ledgers grant.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The issuers of tokens.
    pub issuers: Vec<IssuerConfig>,
    /// The names in client certificates.
    pub certificates: Vec<(CertificateName, CertificateGrant)>,
    /// Allows what no production may have: tokens under a shared secret.
    pub development: bool,
    /// How issuers' keys are fetched, and how long they are used while none can be.
    pub jwks: JwksTimes,
}

impl Default for AuthSettings {
    fn default() -> Self {
        let jwks = JwksTimes::default();
        Self { issuers: Vec::new(), certificates: Vec::new(), development: false, jwks }
    }
}

impl AuthSettings {
    /// Whether an [`Authenticator`] can be made of them: reads the keys that they name. Nothing is
    /// fetched.
    pub fn check(self, clock: &Arc<dyn Clock>) -> Result<(), SettingsError> {
        self.load(clock).map(drop)
    }

    fn load(
        self,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Vec<Issuer>, CertificateTable), SettingsError> {
        let Self { issuers: configs, certificates, development, jwks } = self;
        let mut issuers: Vec<Issuer> = Vec::with_capacity(configs.len());
        for config in configs {
            if issuers.iter().any(|known| known.name() == config.issuer) {
                let place = format!("issuer {:?}", config.issuer);
                return Err(SettingsError::new(place, "it stands twice"));
            }
            issuers.push(Issuer::new(config, development, jwks, clock)?);
        }
        Ok((issuers, CertificateTable::new(certificates)?))
    }
}

/// Finds out who asks. Shared between requests by reference or `Arc`.
pub struct Authenticator {
    api_keys: Arc<ApiKeys>,
    issuers: Vec<Issuer>,
    certificates: CertificateTable,
    clock: Arc<dyn Clock>,
}

impl Authenticator {
    /// Checks the settings and reads the keys that they name. Nothing is fetched yet.
    pub fn new(
        settings: AuthSettings,
        api_keys: Arc<ApiKeys>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SettingsError> {
        let (issuers, certificates) = settings.load(&clock)?;
        Ok(Self { api_keys, issuers, certificates, clock })
    }

    /// Fetches the keys of issuers that publish them, so that the first request need not wait. An
    /// issuer that does not answer shows in [`Self::issuers`].
    pub async fn prefetch(&self) {
        for issuer in &self.issuers {
            issuer.prefetch().await;
        }
    }

    /// The API keys that are looked up here.
    pub const fn api_keys(&self) -> &Arc<ApiKeys> {
        &self.api_keys
    }

    /// The state of the issuers.
    pub fn issuers(&self) -> Vec<IssuerStatus> {
        self.issuers.iter().map(Issuer::status).collect()
    }

    /// Who sends a request with these headers over a connection with this client certificate.
    ///
    /// A credential in the headers says who asks, whether or not there is a certificate; without one
    /// the certificate says it. No request is refused for lack of a credential that does not need
    /// one: that is the endpoint's matter.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: Option<&PeerCertificate>,
    ) -> Result<Caller, AuthError> {
        match presented(headers)? {
            Some(Presented::ApiKey(key)) => self.api_key(&key),
            Some(Presented::Token(token)) => self.token(token, peer).await,
            None => self.certificate(peer),
        }
    }

    fn api_key(&self, key: &ApiKey) -> Result<Caller, AuthError> {
        let entry = self.api_keys.check(key, self.clock.now()).map_err(refused)?;
        let caller = Caller::new(
            entry.tenant.clone(),
            entry.roles,
            PrincipalId::of_api_key(&entry.key_id),
            CredentialKind::ApiKey,
            None,
        );
        Ok(caller.lasting(Lasts::ApiKey(entry.key_id)))
    }

    /// Whether the credential of a caller whose request lasts is still good: a key may have been
    /// revoked, and keys and tokens come to their end.
    pub fn check_again(&self, caller: &Caller) -> Result<(), AuthError> {
        let now = self.clock.now();
        match caller.lasts() {
            Lasts::WithConnection => Ok(()),
            Lasts::ApiKey(id) => self.api_keys.check_again(&id, now).map_err(refused),
            Lasts::Until(end) if now.micros() < end => Ok(()),
            Lasts::Until(_) => Err(jwt::expired()),
        }
    }

    async fn token(
        &self,
        token: &str,
        peer: Option<&PeerCertificate>,
    ) -> Result<Caller, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(invalid("the token has more than 8192 bytes"));
        }
        if self.issuers.is_empty() {
            return Err(invalid("this is no API key, and no issuer of tokens is configured"));
        }
        let token = CompactJws::parse(token)
            .map_err(|error| AuthError::new(ErrorCode::InvalidToken, error.to_string()))?;
        let claims = Claims::parse(token.payload())?;
        let named = claims.issuer().ok_or_else(|| invalid("the token has no `iss`"))?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name() == named);
        let issuer = issuer.ok_or_else(|| invalid("the token's issuer is not configured here"))?;
        issuer.caller(&token, &claims, peer, &*self.clock).await
    }

    fn certificate(&self, peer: Option<&PeerCertificate>) -> Result<Caller, AuthError> {
        let known = match peer {
            Some(peer) => self.certificates.caller(peer)?,
            None => None,
        };
        let message = if peer.is_some() {
            "no name in the client certificate is configured, and there is no other credential"
        } else {
            "this needs a credential: an API key or a token"
        };
        known.ok_or_else(|| AuthError::new(ErrorCode::Unauthenticated, message))
    }
}

fn refused(refusal: ApiKeyRefusal) -> AuthError {
    AuthError::new(refusal.code(), refusal.to_string())
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}
