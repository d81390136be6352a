//! Sequence numbers as ranges, for what a request returned: few, and in runs.

use std::collections::BTreeMap;

/// A set of numbers, by the first and the last of each run. No two runs touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    pub(super) fn insert(&mut self, number: u64) {
        self.insert_run(number, number);
    }

    fn insert_run(&mut self, first: u64, last: u64) {
        let (mut first, mut last) = (first, last);
        let near = self.0.range(..=last.saturating_add(1)).rev();
        let touching: Vec<(u64, u64)> = near
            .take_while(|(_, end)| end.saturating_add(1) >= first)
            .map(|(start, end)| (*start, *end))
            .collect();
        for (start, end) in touching {
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    pub(super) fn insert_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(first, last)| self.insert_run(*first, *last));
    }

    pub(super) fn has_all(&self, other: &Self) -> bool {
        other.0.iter().all(|(first, last)| {
            self.0.range(..=first).next_back().is_some_and(|(_, end)| end >= last)
        })
    }

    /// How many runs there are.
    pub(super) fn runs(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    fn of(numbers: &[u64]) -> Ranges {
        let mut ranges = Ranges::default();
        numbers.iter().for_each(|number| ranges.insert(*number));
        ranges
    }

    #[test]
    fn runs_that_touch_become_one() {
        let ranges = of(&[5, 3, 9, 4, 5, 11, 10, 0]);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(0, 0), (3, 5), (9, 11)]);
        let mut all = of(&[1, 6, 7]);
        all.insert_all(&ranges);
        assert_eq!(all.iter().collect::<Vec<_>>(), [(0, 1), (3, 7), (9, 11)]);
        assert_eq!(all.runs(), 3);
        assert_eq!(of(&[u64::MAX, u64::MAX - 1]).runs(), 1);
    }

    #[test]
    fn a_set_knows_what_it_has() {
        let all = of(&[3, 4, 5, 9]);
        assert!(all.has_all(&of(&[4, 9])) && all.has_all(&Ranges::default()));
        for missing in [of(&[2]), of(&[5, 6]), of(&[3, 8])] {
            assert!(!all.has_all(&missing), "{missing:?}");
        }
    }
}
