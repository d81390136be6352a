//! What an answer showed of people, left in it for whoever keeps the log of reads.

use axum::response::{IntoResponse, Response};
use ledgerstone_ledger::{OpenedKeys, VisibleEvent};
use ledgerstone_model::access::Sight;

/// By which sight records were shown, and which subjects' keys were opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    sight: Sight,
    opened: OpenedKeys,
}

impl Seen {
    pub(super) fn by(sight: Sight) -> Self {
        Self { sight, opened: OpenedKeys::default() }
    }

    /// Adds a record that the answer has.
    pub(super) fn note(&mut self, event: &VisibleEvent) {
        self.opened.note(event);
    }

    pub const fn sight(&self) -> Sight {
        self.sight
    }

    pub const fn opened(&self) -> &OpenedKeys {
        &self.opened
    }

    /// The answer with this left in it.
    pub(super) fn in_answer(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
