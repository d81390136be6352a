//! Who may: every request to an endpoint that is not public passes here, and handlers get their
//! tenant from what is found out here.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::Permission;
use ledgerstone_model::system::TenantState;

use super::access_log::Asker;
use super::envelope::RequestId;
use super::noting::{self, Asking};
use super::problem::Problem;
use super::service::Service;
use super::turns::Holder;
use crate::auth::{Asked, Authorised, Caller, PeerCertificate};
use crate::trace;

/// Says in every answer to a credential whose it is, whatever may be done with it.
pub(super) const TENANT: HeaderName = HeaderName::from_static("ledgerstone-tenant");

/// What stands before a handler.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) service: Service,
    pub(super) permission: Permission,
    /// Whether the credentials of a suspended tenant are let through.
    pub(super) is_open_when_suspended: bool,
    /// Whether those of a tenant that is being closed, or is closed, are.
    pub(super) is_open_when_closed: bool,
}

impl Gate {
    /// The right to go on, for a caller who may.
    fn let_through(&self, caller: Caller) -> Result<Authorised, Problem> {
        let authorised = caller.authorise(self.permission)?;
        match self.service.ledger().tenant_state(authorised.tenant()) {
            Some(TenantState::Closing) if !self.is_open_when_closed => Err(Problem::new(
                ErrorCode::TenantClosing,
                "the tenant is being closed: its credentials verify what is left, and nothing else",
            )),
            Some(TenantState::Closed) if !self.is_open_when_closed => Err(Problem::new(
                ErrorCode::TenantClosed,
                "the tenant is closed: its credentials verify what is left, and nothing else",
            )),
            Some(TenantState::Suspended) if !self.is_open_when_suspended => Err(Problem::new(
                ErrorCode::TenantSuspended,
                "the tenant is suspended: until it is resumed, its credentials can read, verify and \
                 revoke API keys, and nothing else",
            )),
            Some(_) | None => Ok(authorised),
        }
    }
}

/// Lets a request through whose credential grants the permission.
pub(super) async fn authorise(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asking = Asking::of(&parts);
    let peer = parts.extensions.get::<PeerCertificate>();
    let caller = match gate.service.authenticator().authenticate(&parts.headers, peer).await {
        Ok(caller) => caller,
        Err(error) => {
            let problem = Problem::from(error);
            asking.turned_away(&gate.service, &problem);
            return problem.into_response();
        }
    };
    let who = noting::who(&caller);
    let asker = Asker::of(&caller);
    let holder = Holder::of(&caller);
    let told = HeaderValue::from_str(caller.tenant().as_str());
    trace::caller(caller.tenant().as_str());
    let response = match gate.let_through(caller) {
        Ok(authorised) => {
            let authorised = authorised.asking(asked(&parts));
            parts.extensions.insert(authorised);
            holder.during(next.run(Request::from_parts(parts, body))).await
        }
        Err(problem) => problem.into_response(),
    };
    let mut response = asking.answered(&gate.service, who, gate.permission, response).await;
    response.extensions_mut().insert(asker);
    // A tenant's name has no character that a header could not have.
    response.headers_mut().extend(told.ok().map(|told| (TENANT, told)));
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
