//! What an answer showed of the ledger, left in it for the log of accesses.

use axum::response::{IntoResponse, Response};
use ledgerstone_ledger::{OpenedKeys, ReturnedRecords, VisibleEvent};
use ledgerstone_model::access::Sight;
use ledgerstone_proof::SequenceNumber;

/// By which sight records were shown, which these were, and which subjects' keys were opened for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    sight: Sight,
    returned: ReturnedRecords,
}

impl Seen {
    pub(super) fn by(sight: Sight) -> Self {
        Self { sight, returned: ReturnedRecords::default() }
    }

    /// The same over a ledger of this size.
    #[must_use]
    pub(super) const fn at_size(mut self, size: u64) -> Self {
        self.returned.at_size(size);
        self
    }

    /// The same of an answer that gives out what is known of a person: it waits for its record.
    #[must_use]
    pub(super) const fn before_answer(mut self) -> Self {
        self.returned.precede_answer();
        self
    }

    /// Adds a record that the answer has.
    pub(super) fn note(&mut self, event: &VisibleEvent) {
        self.returned.note(event);
    }

    /// Adds a record that the answer has as it is stored.
    pub(super) fn note_number(&mut self, number: SequenceNumber) {
        self.returned.note_number(number);
    }

    pub const fn sight(&self) -> Sight {
        self.sight
    }

    pub const fn returned(&self) -> &ReturnedRecords {
        &self.returned
    }

    pub const fn opened(&self) -> &OpenedKeys {
        self.returned.opened()
    }

    /// The answer with this left in it.
    pub(super) fn in_answer(self, answer: impl IntoResponse) -> Response {
        let mut response = answer.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
