//! What holds for every endpoint before its handler sees a request: the path can be read, and an
//! endpoint that describes no parameters gets none. Handlers whose endpoints describe some read them
//! themselves, and refuse the others (`query`, `list_query`, `read_alias_query`).

use axum::RequestExt as _;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Uri;
use ledgerstone_model::ErrorCode;

use super::problem::Problem;
use super::query::unknown;

/// Who reads the parameters of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameters {
    /// Nobody: there are none.
    None,
    /// The handler, or it does nothing at all, whatever they are.
    Handler,
}

/// Lets a request through whose path is well formed and whose parameters somebody reads.
pub(super) async fn well_formed(
    State(parameters): State<Parameters>,
    mut request: Request,
    next: Next,
) -> Response {
    let path: Result<Path<Vec<(String, String)>>, PathRejection> = request.extract_parts().await;
    let fault = match path {
        Ok(_) => fault(request.uri(), parameters),
        Err(rejection) => Some(rejection.into()),
    };
    match fault {
        None => next.run(request).await,
        Some(problem) => problem.into_response(),
    }
}

fn fault(uri: &Uri, parameters: Parameters) -> Option<Problem> {
    if !has_whole_escapes(uri.path()) {
        let detail = "a % in the path is not followed by two hexadecimal digits; write it %25";
        return Some(Problem::new(ErrorCode::InvalidArgument, detail));
    }
    if parameters == Parameters::Handler {
        return None;
    }
    match Query::<Vec<(String, String)>>::try_from_uri(uri) {
        Ok(Query(pairs)) => pairs.first().map(|(name, _)| unknown(name, [])),
        Err(rejection) => Some(rejection.into()),
    }
}

/// RFC 3986 section 2.1.
fn has_whole_escapes(path: &str) -> bool {
    path.split('%').skip(1).all(|after| {
        let mut digits = after.bytes().take(2).filter(u8::is_ascii_hexdigit);
        digits.next().is_some() && digits.next().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::has_whole_escapes;

    #[test]
    fn an_escape_has_two_hexadecimal_digits() {
        for path in ["", "/", "/a%20b", "/%ff%FF", "/%25"] {
            assert!(has_whole_escapes(path), "{path}");
        }
        for path in ["/%", "/%2", "/%2/", "/%zz", "/%g0", "/%0g", "/%%20", "/a%20%"] {
            assert!(!has_whole_escapes(path), "{path}");
        }
    }
}
