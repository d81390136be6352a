//! Time and randomness as arguments, so that everything below the binary can be replayed exactly.

use ledgerstone_proof::IngestedAt;

/// Where the current time comes from.
///
/// A clock may jump in either direction; whoever needs times that never decrease takes the later
/// of the clock's and the last one used.
pub trait Clock: Send + Sync {
    /// The time now, UTC, in whole microseconds.
    fn now(&self) -> IngestedAt;
}

/// Where unpredictable bytes come from: salts, ids and keys are made of them.
pub trait Entropy: Send + Sync {
    /// Overwrites all of `bytes` with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}
