//! A legal hold: contents that stay, whatever else would let them go, until two people release it.

use ledgerstone_proof::IngestedAt;

use crate::random_id::random_id;
use crate::sealing::SubjectId;

random_id! {
    /// Names a hold: 128 random bits.
    HoldId
}

/// What a hold is about, as far as records may say it: everything that fits all of it. A filter, whose
/// literals may name people, stands elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldScope {
    /// What is about this person, sealed or in clear.
    pub subject: Option<SubjectId>,
    /// What came in at this moment or later.
    pub from: Option<IngestedAt>,
    /// What came in before this moment.
    pub until: Option<IngestedAt>,
    /// Whether a filter narrows it.
    pub is_filtered: bool,
}

impl HoldScope {
    /// Whether what came in at a moment is in its time.
    pub fn is_in_time(&self, at: IngestedAt) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::IngestedAt;

    use super::HoldScope;

    #[test]
    fn a_range_has_its_begin_and_not_its_end() {
        let at = |micros| IngestedAt::from_micros(micros).unwrap();
        let scope = |from: Option<i64>, until: Option<i64>| HoldScope {
            subject: None,
            from: from.map(at),
            until: until.map(at),
            is_filtered: false,
        };
        assert!(scope(None, None).is_in_time(at(5)));
        assert!(scope(Some(5), Some(6)).is_in_time(at(5)));
        assert!(!scope(Some(6), None).is_in_time(at(5)));
        assert!(!scope(None, Some(5)).is_in_time(at(5)));
    }
}
