//! Small fuzzing without a fuzzer: good texts changed by chance, the same way in every run.

use crate::SeededEntropy;

/// Changes texts by chance; the same seed finds the same failure again.
#[derive(Debug)]
pub struct Mutator<'a> {
    entropy: SeededEntropy,
    pieces: &'a [&'a str],
}

impl<'a> Mutator<'a> {
    /// `pieces` steer mutations to the interesting places.
    pub const fn new(seed: u64, pieces: &'a [&'a str]) -> Self {
        Self { entropy: SeededEntropy::new(seed), pieces }
    }

    /// A few changes: a bit flipped, bytes taken out or doubled, a piece slipped in.
    pub fn mutate(&self, text: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(text.len() + 1);
            let end = (at + self.below(9)).min(text.len());
            match (self.below(4), text.get_mut(at)) {
                (0, Some(byte)) => *byte ^= 1 << self.below(8),
                (1, _) => drop(text.drain(at..end)),
                (2, _) => {
                    let copy = text.get(at..end).unwrap_or_default().to_vec();
                    text.splice(at..at, copy);
                }
                _ => {
                    let piece = self.pieces.get(self.below(self.pieces.len())).copied();
                    text.splice(at..at, piece.unwrap_or_default().bytes());
                }
            }
        }
    }

    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.entropy.below(bound.max(1) as u64)).unwrap_or_default()
    }
}

/// Rounds of a fuzzing test: `usual`, or as many as `LEDGERSTONE_FUZZ_ITERATIONS` says.
///
/// # Panics
/// When that variable holds no number.
pub fn fuzz_iterations(usual: usize) -> usize {
    let set = std::env::var("LEDGERSTONE_FUZZ_ITERATIONS").ok();
    let number = |text: String| match text.parse() {
        Ok(iterations) => iterations,
        Err(error) => panic!("LEDGERSTONE_FUZZ_ITERATIONS={text}: {error}"),
    };
    set.map_or(usual, number)
}

#[cfg(test)]
mod tests {
    use super::Mutator;

    #[test]
    fn the_same_seed_makes_the_same_changes() {
        let changed = |seed| {
            let mutator = Mutator::new(seed, &["<piece>"]);
            let mut text = b"a text that is long enough to be changed".to_vec();
            (0..20).for_each(|_| mutator.mutate(&mut text));
            text
        };
        assert_eq!(changed(1), changed(1));
        assert_ne!(changed(1), changed(2));
        Mutator::new(3, &[]).mutate(&mut Vec::new());
    }
}
