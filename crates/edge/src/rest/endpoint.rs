//! One line of the table of endpoints: a handler, and who may call it.

use axum::middleware;
use http::Method;
use ledgerstone_model::access::Permission;
use utoipa::openapi::PathItem;
use utoipa_axum::router::UtoipaMethodRouter;

use super::authorise::authorise;
use super::rate_limit::limit_rate;
use super::service::Service;

/// Who may call an endpoint. There is no default: a line without it does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody; the answer says nothing about any tenant.
    Public,
    /// A caller whose credential grants this.
    Needs(Permission),
}

/// A handler with its place, its description and who may call it.
#[derive(Clone, Copy)]
pub struct Endpoint {
    access: Access,
    handlers: fn() -> UtoipaMethodRouter<Service>,
}

impl Endpoint {
    /// A line of the table; `handlers` is `|| routes!(path::to::handler)`, whose `#[utoipa::path]`
    /// says method and place.
    pub const fn new(access: Access, handlers: fn() -> UtoipaMethodRouter<Service>) -> Self {
        Self { access, handlers }
    }

    pub const fn access(&self) -> Access {
        self.access
    }

    /// Where it is, e.g. `POST /v1/events`, with parameters in braces.
    pub fn places(&self) -> Vec<(Method, String)> {
        let (_, paths, _) = self.operations();
        let place = |(path, item): (&String, &PathItem)| {
            methods_of(item)
                .into_iter()
                .map(move |method| (method, path.clone()))
                .collect::<Vec<_>>()
        };
        paths.paths.iter().flat_map(place).collect()
    }

    /// What the endpoint's description says about it, without the handler.
    pub(super) fn operations(&self) -> UtoipaMethodRouter<Service> {
        (self.handlers)()
    }

    /// The handler behind the check of who calls.
    pub(super) fn routes(&self, service: &Service) -> UtoipaMethodRouter<Service> {
        let (schemas, paths, mut handlers) = (self.handlers)();
        if let Access::Needs(permission) = self.access {
            // The layer added last is passed first: who asks is known before it is counted.
            if service.rate_limiter().is_some() {
                let limit = middleware::from_fn_with_state(service.clone(), limit_rate);
                handlers = handlers.layer(limit);
            }
            let gate = (service.clone(), permission);
            handlers = handlers.layer(middleware::from_fn_with_state(gate, authorise));
        }
        (schemas, paths, handlers)
    }
}

fn methods_of(item: &PathItem) -> Vec<Method> {
    let methods = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    methods
        .into_iter()
        .filter(|(_, operation)| operation.is_some())
        .map(|(method, _)| method)
        .collect()
}
