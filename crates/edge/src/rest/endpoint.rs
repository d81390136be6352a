//! One line of the table of endpoints: a handler, and who may call it.

use axum::middleware;
use http::Method;
use ledgerstone_model::access::Permission;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{PathItem, Paths, RefOr};
use utoipa_axum::router::UtoipaMethodRouter;

use super::answer_memory::count;
use super::authorise::{Gate, authorise};
use super::rate_limit::limit_rate;
use super::service::Service;
use super::well_formed::{Parameters, well_formed};

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
    is_open_when_suspended: bool,
    is_open_when_closed: bool,
    is_there: bool,
    handlers: fn() -> UtoipaMethodRouter<Service>,
}

impl Endpoint {
    /// A line of the table; `handlers` is `|| routes!(path::to::handler)`, whose `#[utoipa::path]`
    /// says method and place.
    pub const fn new(access: Access, handlers: fn() -> UtoipaMethodRouter<Service>) -> Self {
        let (is_open_when_suspended, is_open_when_closed) = match access {
            Access::Public => (true, true),
            Access::Needs(permission) => {
                (permission.outlasts_suspension(), permission.outlasts_closing())
            }
        };
        Self { access, is_open_when_suspended, is_open_when_closed, is_there: true, handlers }
    }

    /// A line for what this version does not have, and says so to whatever it is asked.
    pub const fn not_yet(access: Access, handlers: fn() -> UtoipaMethodRouter<Service>) -> Self {
        Self { is_there: false, ..Self::new(access, handlers) }
    }

    /// The same for a handler that the credentials of a suspended tenant may call although its
    /// permission does not outlast suspension.
    #[must_use]
    pub const fn open_when_suspended(self) -> Self {
        Self { is_open_when_suspended: true, ..self }
    }

    pub const fn access(&self) -> Access {
        self.access
    }

    /// Where it is, e.g. `POST /v1/events`, with parameters in braces.
    pub fn places(&self) -> Vec<(Method, String)> {
        let (_, paths, _) = self.operations();
        let place = |(path, item): (&String, &PathItem)| {
            operations_of(item).map(|(method, _)| (method, path.clone())).collect::<Vec<_>>()
        };
        paths.paths.iter().flat_map(place).collect()
    }

    /// Whether this version has it.
    pub const fn is_there(&self) -> bool {
        self.is_there
    }

    /// Who reads its parameters.
    fn parameters(&self, paths: &Paths) -> Parameters {
        let operations = paths.paths.values().flat_map(operations_of);
        let is_of_query = |one: &RefOr<Parameter>| match one {
            RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Query,
            RefOr::Ref(_) => true,
        };
        let mut described =
            operations.flat_map(|(_, operation)| operation.parameters.iter().flatten());
        if self.is_there && !described.any(is_of_query) {
            Parameters::None
        } else {
            Parameters::Handler
        }
    }

    /// What the endpoint's description says about it, without the handler.
    pub(super) fn operations(&self) -> UtoipaMethodRouter<Service> {
        (self.handlers)()
    }

    /// The handler behind the check of who calls.
    pub(super) fn routes(&self, service: &Service) -> UtoipaMethodRouter<Service> {
        let (schemas, paths, mut handlers) = (self.handlers)();
        // The layer added last is passed first: what is wrong with a request is told to who may ask.
        handlers = handlers.layer(middleware::from_fn_with_state(service.clone(), count));
        let parameters = self.parameters(&paths);
        handlers = handlers.layer(middleware::from_fn_with_state(parameters, well_formed));
        if let Access::Needs(permission) = self.access {
            // Who asks is known before it is counted.
            if service.rate_limiter().is_some() {
                let limit = middleware::from_fn_with_state(service.clone(), limit_rate);
                handlers = handlers.layer(limit);
            }
            let is_open_when_suspended = self.is_open_when_suspended;
            let is_open_when_closed = self.is_open_when_closed;
            let service = service.clone();
            let gate = Gate { service, permission, is_open_when_suspended, is_open_when_closed };
            handlers = handlers.layer(middleware::from_fn_with_state(gate, authorise));
        }
        (schemas, paths, handlers)
    }
}

fn operations_of(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let operations = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}
