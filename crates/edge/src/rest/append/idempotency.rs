//! `Idempotency-Key`: ids for events that bring none, so that a repeated request finds its first self.
//!
//! Nothing is kept about keys. An id follows from tenant, principal, key and the event's place in
//! the request, and the ledger never holds two events under one id.

use http::{HeaderMap, HeaderName};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::PrincipalId;
use ledgerstone_model::id::foreign_id;
use ledgerstone_proof::{EventId, TenantId};

use crate::rest::limits::IDEMPOTENCY_KEY_MAX;
use crate::rest::problem::Problem;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of a request, with whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IdempotencyKey {
    /// Tenant, principal and key, none of which can hold the separator.
    scope: String,
}

impl IdempotencyKey {
    /// Reads the header, where there is one: a string in quotes (RFC 9651 §3.3.3) or bare.
    pub(super) fn of(
        headers: &HeaderMap,
        tenant: &TenantId,
        principal: &PrincipalId,
    ) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let text = value.to_str().map_err(|_| refused("has characters outside of ASCII"))?.trim();
        let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        if values.next().is_some() {
            return Err(refused("is there twice"));
        }
        if key.is_empty() || key.len() > IDEMPOTENCY_KEY_MAX {
            return Err(refused("must have 1 to 255 characters"));
        }
        if key.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'"' || byte == b'\\') {
            return Err(refused("has spaces, quotes or characters that cannot be printed"));
        }
        let scope = format!("{tenant}\n{}\n{key}", principal.as_str());
        Ok(Some(Self { scope }))
    }

    /// The id of the event at a place of the request, counted from 0.
    pub(super) fn event_id(&self, index: usize) -> Result<EventId, Problem> {
        foreign_id("idempotency-key", &format!("{}\n{index}", self.scope))
            .map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))
    }
}

fn refused(why: &str) -> Problem {
    Problem::new(ErrorCode::InvalidArgument, format!("the header Idempotency-Key {why}"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use ledgerstone_model::access::PrincipalId;
    use ledgerstone_proof::TenantId;

    use super::{IDEMPOTENCY_KEY, IdempotencyKey};

    fn key(text: &str, tenant: &str, subject: &str) -> Option<IdempotencyKey> {
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(text).unwrap());
        let principal = PrincipalId::of_jwt("https://issuer.example", subject);
        IdempotencyKey::of(&headers, &TenantId::parse(tenant).unwrap(), &principal).unwrap_or(None)
    }

    #[test]
    fn quoted_or_bare_is_the_same_key() {
        assert_eq!(key("\"8e03978e\"", "acme", "u1"), key("8e03978e", "acme", "u1"));
        assert!(key("8e03978e", "acme", "u1").is_some());
    }

    #[test]
    fn tenant_principal_key_and_place_make_the_id() {
        let first = key("a", "acme", "u1").unwrap();
        let id = first.event_id(0).unwrap();
        assert_eq!(id, key("a", "acme", "u1").unwrap().event_id(0).unwrap());
        for other in [
            first.event_id(1).unwrap(),
            key("b", "acme", "u1").unwrap().event_id(0).unwrap(),
            key("a", "beta", "u1").unwrap().event_id(0).unwrap(),
            key("a", "acme", "u2").unwrap().event_id(0).unwrap(),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn unusable_keys_are_refused() {
        for text in ["", "\"\"", "a b", "a\"b", "a\\b", &"k".repeat(256)] {
            assert_eq!(key(text, "acme", "u1"), None, "{text:?}");
        }
    }
}
