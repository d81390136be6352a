//! What whoever approves an erasure says beside the approval itself: how far it may go.

/// How far an approved erasure may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasureTerms {
    /// That what is sealed goes although the retention policy names a duty to keep it.
    pub despite_duties: bool,
    /// That contents which hold the person sealed for others alone stay.
    pub keep_sealed_for_others: bool,
    /// How many contents that hold the person in clear, or sealed for others, may be dropped whole.
    pub clear_contents: u64,
}
