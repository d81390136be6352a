//! What requests leave in the log of accesses: one place for all routes, which goes by the permission
//! that a route needs.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, MatchedPath};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use ledgerstone_ledger::{Access, Awaited, Denial, LedgerError};
use ledgerstone_model::Actor;
use ledgerstone_model::access::Permission;
use ledgerstone_model::audit::{AccessVerb, Literal};
use ledgerstone_proof::TenantId;

use super::problem::Problem;
use super::seen::Seen;
use super::service::Service;
use crate::auth::Caller;

/// Proofs that machines fetch all the time, and that tell of no record: noting them would give the
/// machines something new to fetch.
const POLLED: [&str; 4] = [
    "/v1/checkpoint",
    "/v1/proofs/consistency",
    "/v1/tlog/{tenant}/checkpoint",
    "/v1/tlog/{tenant}/tile/{*tile}",
];

/// Names of parameters that make up a shape.
const NAMES_MAX: usize = 20;

/// The parameter that says where a walk goes on: it names nothing that is looked for.
const CURSOR: &str = "cursor";

/// Type and id of somebody who was looked up, left in the answer by whoever did.
#[derive(Clone, Debug)]
pub(super) struct LookedUp {
    pub(super) kind: String,
    pub(super) id: String,
}

/// A request, as far as the log of accesses tells of it.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    method: Method,
    route: String,
    uri: Uri,
    address: Option<IpAddr>,
}

impl Asking {
    pub(super) fn of(request: &Parts) -> Self {
        let route = request.extensions.get::<MatchedPath>();
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
        Self {
            method: request.method.clone(),
            route: route.map_or_else(String::new, |route| route.as_str().to_owned()),
            uri: request.uri.clone(),
            address: peer.map(|ConnectInfo(address)| address.ip()),
        }
    }

    /// Notes that somebody without a credential that counts was turned away.
    pub(super) fn turned_away(&self, service: &Service, problem: &Problem) {
        self.deny(service, None, problem);
    }

    /// Notes what became of the request of a caller. What opened values of people or gave them
    /// out is written before it is answered, or it is not answered.
    pub(super) async fn answered(
        self,
        service: &Service,
        caller: (TenantId, Actor),
        permission: Permission,
        response: Response,
    ) -> Response {
        if let Some(problem) = response.extensions().get::<Problem>() {
            self.deny(service, Some(caller), problem);
            return response;
        }
        let is_success = response.status().is_success();
        let Some(verb) = self.verb(permission).filter(|_| is_success) else {
            return response;
        };
        let access = self.access(caller, verb, &response);
        let Some(awaited) = service.ledger().note_access(access) else {
            return response;
        };
        match secure(service, awaited).await {
            Ok(()) => response,
            Err(problem) => problem.into_response(),
        }
    }

    /// What is done with a route of this permission, if it is noted.
    fn verb(&self, permission: Permission) -> Option<AccessVerb> {
        use Permission as P;
        match permission {
            P::EventsRead | P::EventsReadSensitive | P::RecordsRead | P::DeadLettersRead => {
                Some(AccessVerb::Read)
            }
            P::SubjectsRead if self.route.ends_with("/bundle") => Some(AccessVerb::Read),
            P::SubjectsRead => Some(AccessVerb::LookUp),
            P::ProofsRead if POLLED.contains(&self.route.as_str()) => None,
            P::ProofsRead => Some(AccessVerb::Prove),
            P::VerifyRun if self.method == Method::DELETE => Some(AccessVerb::Administer),
            P::VerifyRun => Some(AccessVerb::Verify),
            P::SealingKeysRotate => Some(AccessVerb::Administer),
            // What is changed has records of its own, and what else is seen is not what was recorded.
            P::EventsWrite
            | P::JobsRead
            | P::DeadLettersResend
            | P::DeadLettersDelete
            | P::TaxonomyRead
            | P::TaxonomyWrite
            | P::PoliciesRead
            | P::PoliciesWrite
            | P::PoliciesApprove
            | P::HoldsRead
            | P::HoldsWrite
            | P::RetentionRead
            | P::RetentionRun
            | P::RequestsRead
            | P::RequestsWrite
            | P::RequestsApprove
            | P::ApiKeysRead
            | P::ApiKeysWrite
            | P::StatusRead
            | P::TenantsRead
            | P::TenantsWrite
            | P::SigningKeysRead
            | P::SigningKeysRotate
            | P::SealingKeysRead
            | P::MetricsRead
            | P::PlatformRead => None,
        }
    }

    fn access(&self, caller: (TenantId, Actor), verb: AccessVerb, response: &Response) -> Access {
        let (tenant, actor) = caller;
        let seen = response.extensions().get::<Seen>();
        let looked_up = response.extensions().get::<LookedUp>();
        let subject = looked_up.map(|one| (one.kind.clone(), one.id.clone()));
        let target = self.target();
        let says_more = subject.is_some() || target != self.route;
        Access {
            tenant,
            actor,
            address: self.address,
            verb,
            shape: self.shape(),
            literal: says_more.then_some(Literal { target, subject }),
            returned: seen.map(|seen| seen.returned().clone()).unwrap_or_default(),
        }
    }

    /// Method, route, and the names of the parameters.
    fn shape(&self) -> String {
        let mut names: Vec<&str> = self.parameters().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(NAMES_MAX);
        let separator = if names.is_empty() { "" } else { "?" };
        format!("{} {}{separator}{}", self.method, self.route, names.join("&"))
    }

    /// Path and parameters as they were sent.
    fn target(&self) -> String {
        let sent = self.parameters().filter(|(name, _)| *name != CURSOR);
        let sent: Vec<&str> = sent.map(|(_, whole)| whole).collect();
        let separator = if sent.is_empty() { "" } else { "?" };
        format!("{}{separator}{}", self.uri.path(), sent.join("&"))
    }

    /// Names of parameters, each with the whole of it.
    fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.uri.query().unwrap_or_default().split('&');
        let named = pairs.map(|pair| (pair.split('=').next().unwrap_or_default(), pair));
        named.filter(|(name, _)| !name.is_empty())
    }

    fn deny(&self, service: &Service, caller: Option<(TenantId, Actor)>, problem: &Problem) {
        let status = problem.status();
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            service.ledger().note_denial(&Denial {
                caller,
                address: self.address,
                reason: problem.code(),
                route: format!("{} {}", self.method, self.route),
            });
        }
    }
}

/// Who a caller is in the log of accesses.
pub(super) fn who(caller: &Caller) -> (TenantId, Actor) {
    (caller.tenant().clone(), caller.actor())
}

async fn secure(service: &Service, awaited: Awaited) -> Result<(), Problem> {
    let secured = service.blocking(move |ledger| {
        ledger.secure_access(&awaited).map_err(|error: LedgerError| {
            let why =
                format!("values of people are shown once it is recorded who saw them: {error}");
            Problem::public(error.code(), why)
        })
    });
    secured.await
}

#[cfg(test)]
mod tests {
    use http::Method;
    use ledgerstone_model::access::Permission;
    use ledgerstone_model::audit::AccessVerb;

    use super::Asking;

    fn asking(method: Method, route: &str, uri: &str) -> Asking {
        let (uri, route) = (uri.parse().unwrap(), route.to_owned());
        Asking { method, route, uri, address: None }
    }

    #[test]
    fn a_shape_has_names_and_no_values() {
        let asked = asking(
            Method::GET,
            "/v1/events",
            "/v1/events?to=2025&from=2024&cursor=abc&to=2026&&flag",
        );
        assert_eq!(asked.shape(), "GET /v1/events?cursor&flag&from&to");
        assert_eq!(asked.target(), "/v1/events?to=2025&from=2024&to=2026&flag");
        let one = asking(Method::GET, "/v1/events/{id}", "/v1/events/ana%40example");
        assert_eq!(one.shape(), "GET /v1/events/{id}");
        assert_eq!(one.target(), "/v1/events/ana%40example");
    }

    #[test]
    fn what_machines_poll_is_not_noted() {
        let prove = |route| asking(Method::GET, route, route).verb(Permission::ProofsRead);
        assert_eq!(prove("/v1/checkpoint"), None);
        assert_eq!(prove("/v1/proofs/inclusion"), Some(AccessVerb::Prove));
        let cancel = asking(Method::DELETE, "/v1/jobs/{id}", "/v1/jobs/1");
        assert_eq!(cancel.verb(Permission::VerifyRun), Some(AccessVerb::Administer));
    }
}
