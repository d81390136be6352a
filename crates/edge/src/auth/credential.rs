//! Finds the one credential in a request's headers.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::ApiKey;

use super::error::AuthError;

/// Takes an API key beside `Authorization`, for clients that cannot set that one.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a request presents, not yet verified.
pub(super) enum Presented<'h> {
    ApiKey(ApiKey),
    /// A token that is no API key; a JWT, if anything.
    Token(&'h str),
}

impl fmt::Debug for Presented<'_> {
    /// Shows no credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey(key) => key.fmt(f),
            Self::Token(_) => f.write_str("Token(…)"),
        }
    }
}

/// The credential in the headers; none where there is none. More than one is refused, whether they
/// agree or not: who asks must not depend on who reads.
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<Presented<'_>>, AuthError> {
    let mut found = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(|value| (true, value))
        .chain(headers.get_all(X_API_KEY).iter().map(|value| (false, value)));
    let Some((is_authorization, value)) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        return Err(AuthError::new(
            ErrorCode::AmbiguousCredential,
            "the request carries more than one credential; send one",
        ));
    }
    if is_authorization { bearer(value) } else { api_key(value).map(Presented::ApiKey) }.map(Some)
}

/// RFC 6750 section 2.1; the scheme's name in any case (RFC 9110 section 11.1).
fn bearer(value: &HeaderValue) -> Result<Presented<'_>, AuthError> {
    let text = value.to_str().map_err(|_| invalid("the Authorization header is not ASCII"))?;
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token,
        _ => {
            return Err(invalid(
                "the Authorization header is not `Bearer` followed by an API key or token",
            ));
        }
    };
    if ApiKey::looks_like(token) {
        return read_key(token).map(Presented::ApiKey);
    }
    Ok(Presented::Token(token))
}

fn api_key(value: &HeaderValue) -> Result<ApiKey, AuthError> {
    let text = value.to_str().map_err(|_| invalid("the X-API-Key header is not ASCII"))?;
    read_key(text)
}

fn read_key(text: &str) -> Result<ApiKey, AuthError> {
    ApiKey::parse(text).map_err(|error| AuthError::new(error.code(), error.to_string()))
}

fn invalid(message: &'static str) -> AuthError {
    AuthError::new(ErrorCode::InvalidToken, message)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use ledgerstone_model::ErrorCode;
    use ledgerstone_model::access::ApiKey;
    use ledgerstone_testkit::SeededEntropy;

    use super::{Presented, presented};

    fn headers(list: &[(&'static str, &[u8])]) -> HeaderMap {
        let value = |bytes| HeaderValue::from_bytes(bytes).unwrap();
        let name = HeaderName::from_static;
        let mut map = HeaderMap::new();
        for (key, bytes) in list {
            map.append(name(key), value(bytes));
        }
        map
    }

    fn code(list: &[(&'static str, &[u8])]) -> ErrorCode {
        presented(&headers(list)).unwrap_err().code()
    }

    #[test]
    fn one_credential_is_found_wherever_it_stands() {
        let key = ApiKey::generate(&SeededEntropy::new(1));
        let text = key.to_text();
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let value = format!("{scheme} {}", *text);
            let map = headers(&[("authorization", value.as_bytes())]);
            let found = presented(&map).unwrap();
            assert!(matches!(found, Some(Presented::ApiKey(found)) if found.id() == key.id()));
        }
        let map = headers(&[("x-api-key", text.as_bytes()), ("accept", b"*/*")]);
        assert!(matches!(presented(&map).unwrap(), Some(Presented::ApiKey(_))));
        let map = headers(&[("authorization", b"Bearer a.b.c")]);
        assert!(matches!(presented(&map).unwrap(), Some(Presented::Token("a.b.c"))));
        assert!(presented(&headers(&[("accept", b"*/*")])).unwrap().is_none());
    }

    #[test]
    fn two_are_one_too_many() {
        let (key, bearer): (&[u8], &[u8]) = (b"lsk_", b"Bearer a.b.c");
        for list in [
            [("authorization", bearer), ("x-api-key", key)],
            [("authorization", bearer), ("authorization", bearer)],
            [("x-api-key", key), ("x-api-key", key)],
        ] {
            assert_eq!(code(&list), ErrorCode::AmbiguousCredential, "{list:?}");
        }
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        for list in [
            ("authorization", &b""[..]),
            ("authorization", b"Bearer"),
            ("authorization", b"Basic dTpw"),
            ("authorization", b"lsk_abcdefghijklmnop_00"),
            ("authorization", b"Bearer lsk_short"),
            ("authorization", b"Bearer \xff"),
            ("x-api-key", b""),
            ("x-api-key", b"a.b.c"),
            ("x-api-key", b"\xff"),
        ] {
            assert_eq!(code(&[list]), ErrorCode::InvalidToken, "{list:?}");
        }
    }
}
