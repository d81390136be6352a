//! Who may: every request to an endpoint that is not public passes here, and handlers get their
//! tenant from what is found out here.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::Permission;

use super::access_log::Asker;
use super::envelope::RequestId;
use super::problem::Problem;
use super::service::Service;
use crate::auth::{Asked, Authorised, PeerCertificate};
use crate::trace;

/// Lets a request through whose credential grants the permission.
pub(super) async fn authorise(
    State((service, permission)): State<(Service, Permission)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let peer = parts.extensions.get::<PeerCertificate>();
    let caller = match service.authenticator().authenticate(&parts.headers, peer).await {
        Ok(caller) => caller,
        Err(error) => return Problem::from(error).into_response(),
    };
    let asker = Asker::of(&caller);
    trace::caller(caller.tenant().as_str());
    let mut response = match caller.authorise(permission) {
        Ok(authorised) => {
            let authorised = authorised.asking(asked(&parts));
            parts.extensions.insert(authorised);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => Problem::from(error).into_response(),
    };
    response.extensions_mut().insert(asker);
    response
}

fn asked(request: &Parts) -> Asked {
    let id = request.extensions.get::<RequestId>();
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    Asked {
        request_id: id.map(|id| id.as_str().to_owned()),
        address: peer.map(|ConnectInfo(address)| address.ip()),
    }
}

impl<S: Sync> FromRequestParts<S> for Authorised {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::new(ErrorCode::Internal, "a public endpoint asked who calls"))
    }
}
