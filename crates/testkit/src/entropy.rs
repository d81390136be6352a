//! Entropy that repeats: the same seed gives the same salts, ids and keys in every run.

use std::sync::atomic::{AtomicU64, Ordering};

use ledgerstone_model::Entropy;

/// A splitmix64 stream. Anybody can guess it, which is the point: it is for tests only.
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

/// The step of splitmix64: odd, so that the state visits every value before it repeats.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl SeededEntropy {
    pub const fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// The next eight bytes as a number; for tests that choose by chance.
    pub fn next_u64(&self) -> u64 {
        let state = self.state.fetch_add(STEP, Ordering::Relaxed);
        let mut mixed = state.wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, near enough to uniform for tests.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        self.next_u64() % bound
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let fresh = self.next_u64().to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(fresh) {
                *to = from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::Entropy;

    use super::SeededEntropy;

    #[test]
    fn the_stream_is_splitmix64() {
        // First outputs for seed 1234567 as published with the reference implementation.
        let entropy = SeededEntropy::new(1_234_567);
        assert_eq!(entropy.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(entropy.next_u64(), 3_203_168_211_198_807_973);
        assert_eq!(entropy.next_u64(), 9_817_491_932_198_370_423);
    }

    #[test]
    fn the_same_seed_fills_the_same_bytes() {
        let fill = |seed| {
            let mut bytes = [0_u8; 21];
            SeededEntropy::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(fill(7), fill(7));
        assert_ne!(fill(7), fill(8));
        assert_ne!(fill(7)[16..], [0; 5], "the last, short chunk is filled too");
    }

    #[test]
    fn numbers_stay_below_the_bound() {
        let entropy = SeededEntropy::new(1);
        assert!((0..1000).all(|_| entropy.below(10) < 10));
        assert_eq!(entropy.below(1), 0);
    }
}
