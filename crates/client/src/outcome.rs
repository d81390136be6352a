//! What became of one event of a request.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::problem::Problem;
use crate::receipt::Receipt;

/// What became of one event.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is durable.
    Recorded(Box<Receipt>),
    /// It is in memory under this id: asked for with [`Wait::Nothing`](crate::Wait::Nothing).
    Queued(String),
    /// It was not taken.
    Refused(Box<Problem>),
}

impl Outcome {
    /// The receipt, where the event is recorded.
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Recorded(receipt) => Some(receipt),
            _ => None,
        }
    }

    /// Why it was not taken, where it was not.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }
}

/// An item of an answer, or a line of one.
#[derive(Deserialize)]
pub(crate) struct Item {
    pub(crate) line: Option<u64>,
    /// How many lines were answered: of the last line alone.
    pub(crate) lines: Option<u64>,
    pub(crate) status: String,
    receipt: Option<Box<RawValue>>,
    id: Option<String>,
    error: Option<Box<RawValue>>,
}

impl Item {
    pub(crate) fn outcome(self) -> Result<Outcome, String> {
        match (self.receipt, self.id, self.error) {
            (Some(receipt), _, _) => Ok(Outcome::Recorded(Box::new(Receipt::parse(receipt)?))),
            (None, Some(id), None) => Ok(Outcome::Queued(id)),
            (None, _, Some(error)) => Ok(Outcome::Refused(Box::new(problem(&error)?))),
            (None, None, None) => Err(format!("an item that says nothing but {:?}", self.status)),
        }
    }

    /// Why the answer ended before all was taken, where it did.
    pub(crate) fn stopped_by(&self) -> Result<Option<Problem>, String> {
        self.error.as_deref().map(problem).transpose()
    }
}

fn problem(json: &RawValue) -> Result<Problem, String> {
    let problem = Problem::parse(json.get().as_bytes());
    problem.ok_or_else(|| "an error that is no problem".to_owned())
}
