//! The parameters of an append.

use http::request::Parts;
use ledgerstone_model::{ErrorCode, Numbers};
use serde::Deserialize;
use utoipa::openapi::Object;
use utoipa::{IntoParams, ToSchema};

use super::prepare::Reading;
use crate::importer::{self, IMPORTERS};
use crate::rest::body_schemas::one_of;
use crate::rest::problem::Problem;
use crate::rest::query::parameters;
use crate::shape::{self, SHAPES};

/// When an append is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wait {
    /// When the events are durable.
    #[default]
    Durable,
    /// At once, when they are in memory: they are written soon, and by a clean stop at the latest.
    None,
    /// When a checkpoint covers them; receipts come with proofs.
    Checkpoint,
}

/// The parameters of an append.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::rest) struct Options {
    /// When the request is answered.
    #[serde(default)]
    #[param(inline)]
    pub(super) wait: Wait,
    /// Whether an array is taken as a whole or not at all.
    #[serde(default)]
    pub(super) atomic: bool,
    /// The flat shape that the events have; by default they are in the model's own form.
    #[param(schema_with = shapes)]
    pub(super) shape: Option<String>,
    /// The foreign format that each event is a record of, in place of a shape.
    #[param(schema_with = formats)]
    pub(super) format: Option<String>,
    /// What becomes of numbers that canonical JSON cannot hold exactly; unless given, what the server is
    /// set to.
    #[param(schema_with = ways_with_numbers)]
    pub(super) numbers: Option<String>,
}

fn shapes() -> Object {
    one_of(SHAPES.iter().map(|shape| shape.name))
}

fn formats() -> Object {
    one_of(IMPORTERS.iter().map(|importer| importer.name()))
}

fn ways_with_numbers() -> Object {
    one_of(Numbers::NAMES.iter().copied())
}

impl Options {
    pub(super) fn of(parts: &Parts) -> Result<Self, Problem> {
        let options: Self = parameters(&parts.uri)?;
        if options.atomic && options.wait == Wait::None {
            return Err(Problem::new(
                ErrorCode::InvalidArgument,
                "atomic=true and wait=none exclude each other: whether all of a batch was taken is known only once it is durable",
            ));
        }
        Ok(options)
    }

    /// What becomes of numbers that are not exact: what was asked for, or what is usual.
    pub(super) fn numbers(&self, usual: Numbers) -> Result<Numbers, Problem> {
        let Some(name) = &self.numbers else { return Ok(usual) };
        Numbers::parse(name).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidArgument, "numbers is `refuse` or `quote`")
        })
    }

    /// How the events are to be read: in the shape or format asked for, or in what the route takes.
    pub(super) fn reading(&self, of_route: Reading) -> Result<Reading, Problem> {
        if let Some(name) = &self.format {
            if self.shape.is_some() {
                let detail = "an event has a shape or is a record of a format, not both";
                return Err(Problem::new(ErrorCode::InvalidArgument, detail));
            }
            let importer = importer::find(name)
                .map_err(|error| Problem::new(error.code(), error.to_string()))?;
            return Ok(Reading::Record(importer));
        }
        let Some(name) = &self.shape else { return Ok(of_route) };
        let shape = shape::find(name).ok_or_else(|| {
            let names: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
            let detail = format!("there is no shape {name:?}; the shapes are {}", names.join(", "));
            Problem::new(ErrorCode::InvalidArgument, detail)
        })?;
        Ok(Reading::As(shape))
    }
}
