//! The tree over any stretch of leaves, so that stretches can be hashed in parallel and joined.

use ledgerstone_proof::{Hash, empty_root, node_hash};

use crate::trees::subtrees;

/// Roots of the complete subtrees that the leaves `[from, to)` fall into, left to right.
///
/// One that begins at leaf 0 is the frontier of a tree and has a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    from: u64,
    to: u64,
    nodes: Vec<(u8, Hash)>,
}

impl Interval {
    /// No leaves, before leaf `from`.
    pub(super) const fn empty(from: u64) -> Self {
        Self { from, to: from, nodes: Vec::new() }
    }

    /// The frontier of a tree of that size; `None` when the number of hashes does not fit it.
    pub(super) fn frontier(size: u64, hashes: &[Hash]) -> Option<Self> {
        let fits = hashes.len() == size.count_ones() as usize;
        let levels = subtrees(0, size).map(|node| node.level);
        let nodes = levels.zip(hashes.iter().copied()).collect();
        fits.then_some(Self { from: 0, to: size, nodes })
    }

    pub(super) const fn to(&self) -> u64 {
        self.to
    }

    /// Whether it begins at leaf 0.
    pub(super) const fn is_frontier(&self) -> bool {
        self.from == 0
    }

    pub(super) fn hashes_equal(&self, hashes: &[Hash]) -> bool {
        self.nodes.len() == hashes.len()
            && self.nodes.iter().zip(hashes).all(|((_, ours), theirs)| ours == theirs)
    }

    /// Adds the next leaf.
    pub(super) fn push(&mut self, leaf: Hash) {
        self.append(0, leaf);
    }

    /// Adds the next complete subtree of that level. Its place must be one where such a subtree can
    /// begin.
    pub(super) fn append(&mut self, level: u8, hash: Hash) {
        let mut index = self.to >> level;
        self.to += 1 << level;
        let (mut level, mut hash) = (level, hash);
        // A right child is joined to its left sibling, if that lies within the interval.
        while index & 1 == 1
            && let Some((_, left)) = self.nodes.pop_if(|(below, _)| *below == level)
        {
            hash = node_hash(&left, &hash);
            index >>= 1;
            level += 1;
        }
        self.nodes.push((level, hash));
    }

    /// Adds the interval that begins where this one ends.
    pub(super) fn join(&mut self, next: &Self) {
        for (level, hash) in &next.nodes {
            self.append(*level, *hash);
        }
    }

    /// The interval in words that [`Self::from_text`] reads.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{} {}", self.from, self.to);
        for (_, hash) in &self.nodes {
            text.push(' ');
            text.push_str(&hash.to_hex());
        }
        text
    }

    /// The interval of a text; `None` where it is none.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let from: u64 = words.next()?.parse().ok()?;
        let to: u64 = words.next()?.parse().ok()?;
        let hashes: Vec<Hash> =
            words.map(|word| Hash::from_hex(word).ok()).collect::<Option<_>>()?;
        let levels: Vec<u8> = subtrees(from, to).map(|node| node.level).collect();
        let is_one = from <= to && levels.len() == hashes.len();
        is_one.then(|| Self { from, to, nodes: levels.into_iter().zip(hashes).collect() })
    }

    /// Root of the tree over `[0, to)`; meaningful for a frontier.
    pub(super) fn root(&self) -> Hash {
        let hashes = self.nodes.iter().rev().map(|(_, hash)| *hash);
        hashes.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::{CompactRange, Hash, sha256};

    use super::Interval;

    fn leaf(index: u64) -> Hash {
        sha256(&index.to_be_bytes())
    }

    fn interval(from: u64, to: u64) -> Interval {
        let mut interval = Interval::empty(from);
        (from..to).for_each(|index| interval.push(leaf(index)));
        interval
    }

    fn range(size: u64) -> CompactRange {
        let mut range = CompactRange::new();
        range.extend((0..size).map(leaf));
        range
    }

    #[test]
    fn a_frontier_is_the_compact_range() {
        for size in 0..70 {
            let range = range(size);
            let grown = interval(0, size);
            assert_eq!(grown.root(), range.root(), "size {size}");
            assert!(grown.hashes_equal(range.hashes()));
            assert_eq!(Interval::frontier(size, range.hashes()), Some(grown));
        }
        assert_eq!(Interval::frontier(3, range(4).hashes()), None);
    }

    #[test]
    fn a_text_gives_the_same_interval() {
        for from in 0..20 {
            for to in from..40 {
                let one = interval(from, to);
                assert_eq!(Interval::from_text(&one.to_text()), Some(one), "{from} to {to}");
            }
        }
        let text = interval(3, 9).to_text();
        for wrong in ["", "3", "9 3", "x 9", "3 9", &text[..text.len() - 1], &format!("{text} ")] {
            assert_eq!(Interval::from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn any_two_cuts_join_to_the_whole() {
        let whole = interval(0, 45);
        for first in 0..=45 {
            for second in first..=45 {
                let mut joined = interval(0, first);
                joined.join(&interval(first, second));
                joined.join(&interval(second, 45));
                assert_eq!(joined, whole, "cut at {first} and {second}");
            }
        }
    }
}
