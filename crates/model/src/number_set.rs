//! Sets of sequence numbers: which records of a ledger something is about.
//!
//! What expires together mostly stood together, so whole stretches of a ledger cost as much as one
//! number does; where what stays and what goes alternate, a number costs a bit. A set is read from
//! records that anybody may have written, so no range, however long, takes more room than a short one.

use std::collections::BTreeMap;
use std::ops::Range;

/// Numbers in a window.
pub const WINDOW: u64 = 1_024;
/// Bytes of a window's bits.
pub(crate) const WINDOW_BYTES: usize = 128;

/// The bits of one window: number `first + i` is bit `i % 8` of byte `i / 8`.
type Bits = [u8; WINDOW_BYTES];

const NONE: Bits = [0; WINDOW_BYTES];
const ALL: Bits = [0xff; WINDOW_BYTES];

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberSet {
    /// Runs of windows that are in the set as a whole: the first one, and the one after the last. No
    /// two of them touch.
    whole: BTreeMap<u64, u64>,
    /// Windows of which some numbers are in the set, and not all.
    parts: BTreeMap<u64, Box<Bits>>,
}

/// One window of a set, or several whole ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows<'a> {
    /// These numbers, all of them.
    Whole { first: u64, end: u64 },
    /// Some numbers of the window that begins with `first`.
    Part { first: u64, bits: &'a [u8; WINDOW_BYTES] },
}

impl NumberSet {
    pub const fn new() -> Self {
        Self { whole: BTreeMap::new(), parts: BTreeMap::new() }
    }

    pub fn insert(&mut self, number: u64) {
        self.insert_range(number..number.saturating_add(1));
    }

    /// Adds all numbers of a range.
    pub fn insert_range(&mut self, numbers: Range<u64>) {
        self.change(numbers, |bits, mask| *bits |= mask, Self::insert_windows);
    }

    /// Takes all numbers of a range out.
    pub fn remove_range(&mut self, numbers: Range<u64>) {
        self.change(numbers, |bits, mask| *bits &= !mask, Self::remove_windows);
    }

    /// Changes the numbers of a range: bit by bit where it takes up a part of a window, and else
    /// window by window.
    fn change(
        &mut self,
        Range { start, end }: Range<u64>,
        change: impl Fn(&mut u8, u8),
        change_whole: impl FnOnce(&mut Self, u64, u64),
    ) {
        if start >= end {
            return;
        }
        let (first, last) = (start.div_ceil(WINDOW), end / WINDOW);
        if first < last {
            change_whole(self, first, last);
        }
        let before = start..end.min(first.saturating_mul(WINDOW));
        let after = start.max(last * WINDOW)..end;
        // Within one window both are the range itself.
        let pieces = if before == after { [before, 0..0] } else { [before, after] };
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            self.change_part(piece.start / WINDOW, |bits| {
                for at in piece.start % WINDOW..piece.start % WINDOW + (piece.end - piece.start) {
                    if let Some(byte) = usize::try_from(at / 8).ok().and_then(|at| bits.get_mut(at))
                    {
                        change(byte, 1 << (at % 8));
                    }
                }
            });
        }
    }

    fn change_part(&mut self, window: u64, change: impl FnOnce(&mut Bits)) {
        if let Some(bits) = self.parts.get_mut(&window) {
            change(bits);
            if **bits == ALL {
                self.insert_windows(window, window + 1);
            } else if **bits == NONE {
                self.parts.remove(&window);
            }
            return;
        }
        let mut bits = Box::new(if self.has_window(window) { ALL } else { NONE });
        change(&mut bits);
        self.put(window, bits);
    }

    /// Sets the bits of a window.
    fn put(&mut self, window: u64, bits: Box<Bits>) {
        if *bits == ALL {
            return self.insert_windows(window, window + 1);
        }
        self.remove_windows(window, window + 1);
        if *bits != NONE {
            self.parts.insert(window, bits);
        }
    }

    fn has_window(&self, window: u64) -> bool {
        self.whole.range(..=window).next_back().is_some_and(|(_, end)| window < *end)
    }

    fn insert_windows(&mut self, mut first: u64, mut end: u64) {
        self.remove_parts(first, end);
        // Runs that overlap the new one or touch it become one with it.
        while let Some((from, to)) = self.whole_before(end.saturating_add(1))
            && to >= first
        {
            self.whole.remove(&from);
            (first, end) = (first.min(from), end.max(to));
        }
        self.whole.insert(first, end);
    }

    fn remove_windows(&mut self, first: u64, end: u64) {
        self.remove_parts(first, end);
        while let Some((from, to)) = self.whole_before(end)
            && to > first
        {
            self.whole.remove(&from);
            if to > end {
                self.whole.insert(end, to);
            }
            if from < first {
                self.whole.insert(from, first);
            }
        }
    }

    /// The last run of whole windows that begins before a window.
    fn whole_before(&self, window: u64) -> Option<(u64, u64)> {
        self.whole.range(..window).next_back().map(|(first, end)| (*first, *end))
    }

    fn remove_parts(&mut self, first: u64, end: u64) {
        let inside: Vec<u64> = self.parts.range(first..end).map(|(window, _)| *window).collect();
        for window in inside {
            self.parts.remove(&window);
        }
    }

    pub fn contains(&self, number: u64) -> bool {
        let window = number / WINDOW;
        match self.parts.get(&window) {
            Some(bits) => has_bit(bits, number % WINDOW),
            None => self.has_window(window),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.parts.is_empty()
    }

    /// How many numbers are in the set.
    pub fn len(&self) -> u64 {
        let whole: u64 = self.whole.iter().map(|(first, end)| (end - first) * WINDOW).sum();
        let parts = self.parts.values().flat_map(|bits| bits.iter());
        whole + parts.map(|byte| u64::from(byte.count_ones())).sum::<u64>()
    }

    /// The smallest number.
    pub fn first(&self) -> Option<u64> {
        self.ranges().next().map(|range| range.start)
    }

    /// The largest number.
    pub fn last(&self) -> Option<u64> {
        let whole = self.whole.values().next_back().map(|end| end * WINDOW - 1);
        let part = self.parts.iter().next_back().and_then(|(window, bits)| {
            (0..WINDOW).rev().find(|at| has_bit(bits, *at)).map(|at| window * WINDOW + at)
        });
        whole.max(part)
    }

    /// The set as ranges that neither overlap nor touch, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let mut pieces = self.windows().flat_map(Windows::ranges).peekable();
        std::iter::from_fn(move || {
            let mut range = pieces.next()?;
            while let Some(next) = pieces.next_if(|next| next.start == range.end) {
                range.end = next.end;
            }
            Some(range)
        })
    }

    /// Adds the numbers of another set.
    pub fn add(&mut self, other: &Self) {
        for windows in other.windows() {
            match windows {
                Windows::Whole { first, end } => self.insert_range(first..end),
                Windows::Part { first, bits } => self.change_part(first / WINDOW, |mine| {
                    mine.iter_mut().zip(bits).for_each(|(mine, other)| *mine |= other);
                }),
            }
        }
    }

    /// Takes the numbers of another set out.
    pub fn remove(&mut self, other: &Self) {
        for windows in other.windows() {
            match windows {
                Windows::Whole { first, end } => self.remove_range(first..end),
                Windows::Part { first, bits } => self.change_part(first / WINDOW, |mine| {
                    mine.iter_mut().zip(bits).for_each(|(mine, other)| *mine &= !other);
                }),
            }
        }
    }

    /// The numbers that are in both.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Self {
        let mut only_here = self.clone();
        only_here.remove(other);
        let mut shared = self.clone();
        shared.remove(&only_here);
        shared
    }

    /// The numbers of a range that are in the set.
    #[must_use]
    pub fn within(&self, numbers: Range<u64>) -> Self {
        let mut inside = Self::new();
        if numbers.is_empty() {
            return inside;
        }
        let (first, end) = (numbers.start / WINDOW, numbers.end.div_ceil(WINDOW));
        let before = self.whole_before(first).map_or(first, |(from, _)| from);
        for (from, to) in self.whole.range(before..end) {
            inside.insert_range(from * WINDOW..to * WINDOW);
        }
        inside.parts.extend(self.parts.range(first..end).map(|(at, bits)| (*at, bits.clone())));
        inside.remove_range(0..numbers.start);
        inside.remove_range(numbers.end..u64::MAX);
        inside
    }

    /// Whether any number of a range is in the set.
    pub fn meets(&self, numbers: Range<u64>) -> bool {
        if numbers.is_empty() {
            return false;
        }
        let (first, last) = (numbers.start / WINDOW, (numbers.end - 1) / WINDOW);
        let mut parts = self.parts.range(first..=last);
        self.whole_before(last + 1).is_some_and(|(_, end)| end > first)
            || parts.any(|(window, bits)| {
                let from = numbers.start.max(window * WINDOW);
                let until = numbers.end.min(window * WINDOW + WINDOW);
                (from..until).any(|number| has_bit(bits, number % WINDOW))
            })
    }

    /// Windows with numbers in them, in order.
    pub(crate) fn windows(&self) -> impl Iterator<Item = Windows<'_>> {
        let whole = self.whole.iter();
        let mut whole = whole
            .map(|(first, end)| Windows::Whole { first: first * WINDOW, end: end * WINDOW })
            .peekable();
        let parts = self.parts.iter();
        let mut parts =
            parts.map(|(window, bits)| Windows::Part { first: window * WINDOW, bits }).peekable();
        std::iter::from_fn(move || match (whole.peek(), parts.peek()) {
            (Some(one), Some(other)) if one.first() < other.first() => whole.next(),
            (Some(_), None) => whole.next(),
            (_, Some(_)) => parts.next(),
            (None, None) => None,
        })
    }

    /// Adds the numbers of one window, given as the bytes of its bits up to the last one that is set.
    /// `false` where that is no window.
    pub(crate) fn insert_bits(&mut self, first: u64, bytes: &[u8]) -> bool {
        if !first.is_multiple_of(WINDOW) || bytes.len() > WINDOW_BYTES {
            return false;
        }
        self.change_part(first / WINDOW, |mine| {
            mine.iter_mut().zip(bytes).for_each(|(mine, other)| *mine |= other);
        });
        true
    }
}

impl Windows<'_> {
    const fn first(self) -> u64 {
        match self {
            Self::Whole { first, .. } | Self::Part { first, .. } => first,
        }
    }

    /// The numbers as ranges that neither overlap nor touch.
    pub(crate) fn ranges(self) -> impl Iterator<Item = Range<u64>> {
        let (end, bits) = match self {
            Self::Whole { end, .. } => (end, None),
            Self::Part { first, bits } => (first + WINDOW, Some(bits)),
        };
        let mut next = self.first();
        std::iter::from_fn(move || {
            let Some(bits) = bits else {
                let whole = (next < end).then_some(next..end);
                next = end;
                return whole;
            };
            let has = |number: &u64| has_bit(bits, number % WINDOW);
            let start = (next..end).find(has)?;
            next = (start..end).find(|number| !has(number)).unwrap_or(end);
            Some(start..next)
        })
    }
}

fn has_bit(bits: &Bits, at: u64) -> bool {
    let byte = usize::try_from(at / 8).ok().and_then(|at| bits.get(at));
    byte.is_some_and(|byte| byte >> (at % 8) & 1 == 1)
}

impl FromIterator<u64> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut set = Self::new();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }
}

impl From<Range<u64>> for NumberSet {
    fn from(numbers: Range<u64>) -> Self {
        let mut set = Self::new();
        set.insert_range(numbers);
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ops::Range;

    use proptest::prelude::*;

    use super::{NumberSet, WINDOW};

    /// Numbers around the borders of a few windows.
    fn number() -> impl Strategy<Value = u64> {
        let border = (0_u64..5).prop_map(|window| window * WINDOW);
        prop_oneof![0_u64..5 * WINDOW, (border, 0_u64..3).prop_map(|(at, by)| at + by)]
    }

    fn range() -> impl Strategy<Value = Range<u64>> {
        (number(), number()).prop_map(|(one, other)| one.min(other)..one.max(other))
    }

    /// What is added to a set, and what is taken out of it, in turn.
    fn steps() -> impl Strategy<Value = Vec<(bool, Range<u64>)>> {
        prop::collection::vec((any::<bool>(), range()), 0..12)
    }

    fn built(steps: &[(bool, Range<u64>)]) -> (NumberSet, BTreeSet<u64>) {
        let (mut set, mut model) = (NumberSet::new(), BTreeSet::new());
        for (adds, numbers) in steps.iter().cloned() {
            if adds {
                set.insert_range(numbers.clone());
                model.extend(numbers);
            } else {
                set.remove_range(numbers.clone());
                model.retain(|number| !numbers.contains(number));
            }
        }
        (set, model)
    }

    fn assert_same(set: &NumberSet, model: &BTreeSet<u64>) {
        let numbers: Vec<u64> = set.ranges().flatten().collect();
        assert_eq!(numbers, model.iter().copied().collect::<Vec<_>>());
        let ranges: Vec<Range<u64>> = set.ranges().collect();
        assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start), "{ranges:?}");
        assert_eq!(set.len(), model.len() as u64);
        assert_eq!(set.is_empty(), model.is_empty());
        assert_eq!((set.first(), set.last()), (model.first().copied(), model.last().copied()));
        assert!((0..6 * WINDOW).all(|number| set.contains(number) == model.contains(&number)));
        // However a set came about, equal sets look the same.
        assert_eq!(*set, model.iter().copied().collect::<NumberSet>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_set_holds_what_a_plain_one_holds(steps in steps()) {
            let (set, model) = built(&steps);
            assert_same(&set, &model);
        }

        #[test]
        fn two_sets_are_joined_as_plain_ones_are(first in steps(), second in steps(), numbers in range()) {
            let ((one, one_model), (other, other_model)) = (built(&first), built(&second));
            let mut both = one.clone();
            both.add(&other);
            assert_same(&both, &one_model.union(&other_model).copied().collect());
            let mut rest = one.clone();
            rest.remove(&other);
            assert_same(&rest, &one_model.difference(&other_model).copied().collect());
            assert_same(&one.shared_with(&other), &one_model.intersection(&other_model).copied().collect());
            let inside = one_model.iter().copied().filter(|number| numbers.contains(number));
            let inside: BTreeSet<u64> = inside.collect();
            assert_same(&one.within(numbers.clone()), &inside);
            assert_eq!(one.meets(numbers), !inside.is_empty());
        }
    }

    #[test]
    fn the_longest_range_takes_no_room_and_no_time() {
        let max = 1 << 53;
        let mut set = NumberSet::from(0..max);
        assert_eq!((set.len(), set.last()), (max, Some(max - 1)));
        set.remove_range(5_000_000_000..5_000_000_001);
        assert_eq!(set.ranges().count(), 2);
        assert_eq!(set.within(7..u64::MAX).first(), Some(7));
        set.remove(&set.clone());
        assert_eq!(set, NumberSet::new());
    }
}
