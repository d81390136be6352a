//! What an answer returned of a ledger: which records, and whose keys were opened for them.

#[cfg(test)]
use ledgerstone_model::access::View;
#[cfg(test)]
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_proof::SequenceNumber;

use super::ranges::Ranges;
use crate::visible::{OpenedKeys, VisibleEvent};

/// The records of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnedRecords {
    pub(super) records: u64,
    pub(super) numbers: Ranges,
    /// Those that keys were opened for.
    pub(super) opened_numbers: Ranges,
    pub(super) snapshot: Option<u64>,
    pub(super) opened: OpenedKeys,
    pub(super) precedes_answer: bool,
}

impl ReturnedRecords {
    /// Adds a record that was shown.
    pub fn note(&mut self, event: &VisibleEvent) {
        let number = event.record().sequence_number;
        self.note_number(number);
        if event.has_opened_keys() {
            self.opened_numbers.insert(number.value());
            self.opened.note(event);
        }
    }

    /// Adds a record of which nothing was opened.
    pub fn note_number(&mut self, number: SequenceNumber) {
        self.records += 1;
        self.numbers.insert(number.value());
    }

    /// It is given out to leave the server, as what is known of a person: it is recorded before it is
    /// answered, also where nothing had to be opened for it.
    pub const fn precede_answer(&mut self) {
        self.precedes_answer = true;
    }

    /// The ledger had this size.
    pub const fn at_size(&mut self, size: u64) {
        self.snapshot = Some(size);
    }

    pub(super) fn without_keys(self) -> Self {
        Self { opened: OpenedKeys::default(), opened_numbers: Ranges::default(), ..self }
    }

    pub const fn opened(&self) -> &OpenedKeys {
        &self.opened
    }
}

#[cfg(test)]
impl ReturnedRecords {
    /// Record 7, for which this key was opened.
    pub(super) fn opening(key: [u8; 16]) -> Self {
        let mut returned = Self::default();
        let number = SequenceNumber::new(7).unwrap_or(SequenceNumber::GENESIS);
        returned.note_number(number);
        returned.opened_numbers.insert(number.value());
        returned.opened.note_key(SealingKeyId::new(key), View::Shown);
        returned
    }
}
