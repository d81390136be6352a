//! What a token says, and whether it may say so (RFC 7519 section 4.1, RFC 8725 section 3).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::{CredentialKind, PrincipalId, Role, RoleSet};
use ledgerstone_model::json::{Value, ValueKind};
use ledgerstone_proof::{IngestedAt, TenantId, canonicalize_quoting};

use super::caller::{Caller, Lasts};
use super::certificate::PeerCertificate;
use super::error::AuthError;
use super::issuer::{ClaimName, IssuerConfig, RolesFrom, TenantFrom};
use super::jose::CompactJws;

/// Longest token.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Longest subject, in bytes.
const SUBJECT_MAX: usize = 1_024;

/// Types of tokens that are taken where none is configured (RFC 8725 section 3.11): not those of
/// logout tokens, proofs of possession and the like, which the same issuer may sign.
const USUAL_TYPES: [&str; 2] = ["jwt", "at+jwt"];

pub(super) fn invalid(message: &'static str) -> AuthError {
    AuthError::new(ErrorCode::InvalidToken, message)
}

pub(super) fn expired() -> AuthError {
    AuthError::new(ErrorCode::TokenExpired, "the token has expired")
}

/// Checks a token's `typ` (RFC 7515 section 4.1.9: `application/` may be left out).
pub(super) fn check_type(token: &CompactJws<'_>, wanted: Option<&str>) -> Result<(), AuthError> {
    let bare = |text: &str| {
        let lower = text.to_ascii_lowercase();
        lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower)
    };
    let found = token.token_type().map(bare);
    let is_good = match (wanted, found.as_deref()) {
        (Some(wanted), found) => found == Some(bare(wanted).as_str()),
        (None, None) => true,
        (None, Some(found)) => USUAL_TYPES.contains(&found),
    };
    if is_good {
        Ok(())
    } else {
        Err(invalid("the token is of another type than is accepted here"))
    }
}

/// The claims of a token, as canonical JSON.
#[derive(Debug)]
pub(super) struct Claims {
    text: Vec<u8>,
}

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, AuthError> {
        let refused = || invalid("the token's claims are not a JSON object, or name one twice");
        let (text, _) = canonicalize_quoting(payload).map_err(|_| refused())?;
        let claims = Self { text };
        if claims.value().kind() == ValueKind::Object { Ok(claims) } else { Err(refused()) }
    }

    fn value(&self) -> Value<'_> {
        Value::new(&self.text)
    }

    fn claim(&self, name: &str) -> Option<Value<'_>> {
        self.value().member(name).ok().flatten()
    }

    fn at(&self, name: &ClaimName) -> Option<Value<'_>> {
        name.steps().iter().try_fold(self.value(), |value, step| value.member(step).ok().flatten())
    }

    /// `iss`, by which the issuer is found whose keys are to verify the token.
    pub(super) fn issuer(&self) -> Option<String> {
        self.claim("iss")?.text().map(std::borrow::Cow::into_owned)
    }

    /// Whether a verified token is for us, now, and in the hands that it was given to.
    pub(super) fn check(
        &self,
        config: &IssuerConfig,
        now: IngestedAt,
        peer: Option<&PeerCertificate>,
    ) -> Result<(), AuthError> {
        if !self.is_for(&config.audience) {
            return Err(invalid("the token is for another audience"));
        }
        self.check_times(config, now.micros())?;
        self.check_confirmation(peer)
    }

    fn is_for(&self, audience: &str) -> bool {
        let Some(claim) = self.claim("aud") else { return false };
        if claim.kind() == ValueKind::Text {
            return claim.text().as_deref() == Some(audience);
        }
        texts(claim).is_some_and(|all| all.iter().any(|one| one == audience))
    }

    fn check_times(&self, config: &IssuerConfig, now: i64) -> Result<(), AuthError> {
        let leeway = micros(config.leeway);
        let end = self.end()?;
        if now >= end.saturating_add(leeway) {
            return Err(expired());
        }
        let latest_begin = now.saturating_add(leeway);
        if self.time("nbf")?.is_some_and(|begin| begin > latest_begin) {
            return Err(invalid("the token is not valid yet"));
        }
        let issued = self.time("iat")?;
        if issued.is_some_and(|issued| issued > latest_begin) {
            return Err(invalid("the token was issued in the future; compare the clocks"));
        }
        if end.saturating_sub(issued.unwrap_or(now)) > micros(config.max_lifetime) {
            return Err(invalid("the token lives longer than is accepted here"));
        }
        Ok(())
    }

    /// `exp`, which every token must have.
    fn end(&self) -> Result<i64, AuthError> {
        self.time("exp")?.ok_or_else(|| invalid("the token has no `exp`"))
    }

    /// A `NumericDate` in microseconds since 1970 (RFC 7519 section 2).
    fn time(&self, name: &str) -> Result<Option<i64>, AuthError> {
        let Some(value) = self.claim(name) else { return Ok(None) };
        let refused = || invalid("one of the token's times is no number of seconds since 1970");
        let seconds = value.number().ok_or_else(refused)?;
        let since = Duration::try_from_secs_f64(seconds).map_err(|_| refused())?;
        Ok(Some(micros(since)))
    }

    /// A token that is bound to a key is no bearer token (RFC 7800): one bound to a certificate
    /// (RFC 8705 section 3.1) must come with it, and one bound in another way is not understood.
    fn check_confirmation(&self, peer: Option<&PeerCertificate>) -> Result<(), AuthError> {
        let Some(confirmation) = self.claim("cnf") else { return Ok(()) };
        let thumbprint = confirmation.member("x5t#S256").ok().flatten();
        let mut members = confirmation.members();
        let mut count = 0;
        while let Ok(Some(_)) = members.next_member() {
            count += 1;
        }
        let wanted = thumbprint.filter(|_| count == 1).and_then(Value::text);
        let Some(wanted) = wanted else {
            return Err(invalid(
                "the token is bound to a key in a way that is not understood here",
            ));
        };
        let presented =
            peer.map(|certificate| URL_SAFE_NO_PAD.encode(certificate.fingerprint().as_bytes()));
        if presented.as_deref() == Some(&*wanted) {
            Ok(())
        } else {
            Err(invalid("the token is bound to a client certificate that was not presented"))
        }
    }

    /// The caller that a checked token stands for.
    pub(super) fn caller(&self, config: &IssuerConfig) -> Result<Caller, AuthError> {
        let subject = self.claim("sub").and_then(Value::text).filter(|subject| {
            (1..=SUBJECT_MAX).contains(&subject.len()) && !subject.contains(char::is_control)
        });
        let subject = subject.ok_or_else(|| invalid("the token has no `sub` that can be used"))?;
        let caller = Caller::new(
            self.tenant(&config.tenant)?,
            self.roles(&config.roles),
            PrincipalId::of_jwt(&config.issuer, &subject),
            CredentialKind::Jwt,
            Some(format!("{subject} at {}", config.issuer)),
        );
        let end = self.end()?.saturating_add(micros(config.leeway));
        Ok(caller.lasting(Lasts::Until(end)))
    }

    fn tenant(&self, from: &TenantFrom) -> Result<TenantId, AuthError> {
        match from {
            TenantFrom::Fixed(tenant) => Ok(tenant.clone()),
            TenantFrom::Claim(name) => {
                let text = self.at(name).and_then(Value::text);
                if text.as_deref() == Some(TenantId::system().as_str()) {
                    return Err(invalid(
                        "a token's claim cannot name _system; use an API key of _system",
                    ));
                }
                let tenant = text.and_then(|text| TenantId::parse(&text).ok());
                tenant.ok_or_else(|| invalid("the token names no tenant"))
            }
        }
    }

    fn roles(&self, from: &RolesFrom) -> RoleSet {
        let name = match from {
            RolesFrom::Fixed(roles) => return *roles,
            RolesFrom::Claim(name) => name,
        };
        let Some(claim) = self.at(name) else { return RoleSet::EMPTY };
        if let Some(text) = claim.text() {
            return text.split(' ').filter_map(Role::parse).collect();
        }
        texts(claim).unwrap_or_default().iter().filter_map(|text| Role::parse(text)).collect()
    }
}

/// The texts of an array that holds nothing else.
fn texts(array: Value<'_>) -> Option<Vec<String>> {
    if array.kind() != ValueKind::Array {
        return None;
    }
    let mut elements = array.elements();
    let mut all = Vec::new();
    while let Some(element) = elements.next_element().ok()? {
        all.push(element.text()?.into_owned());
    }
    Some(all)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
