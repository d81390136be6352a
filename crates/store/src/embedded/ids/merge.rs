//! Merges sorted runs into one, reading each once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::IdHash;
use super::run::RunFault;

type Entries<'a> = Box<dyn Iterator<Item = Result<(IdHash, u64), RunFault>> + 'a>;

/// An iterator over the entries of all sources in order. It ends at the first fault, which
/// [`Merge::fault`] then holds.
pub struct Merge<'a> {
    sources: Vec<Entries<'a>>,
    heads: BinaryHeap<Reverse<(IdHash, u64, usize)>>,
    fault: Option<RunFault>,
}

impl<'a> Merge<'a> {
    pub fn new(sources: Vec<Entries<'a>>) -> Self {
        let heads = BinaryHeap::with_capacity(sources.len());
        let mut merge = Self { sources, heads, fault: None };
        (0..merge.sources.len()).for_each(|source| merge.pull(source));
        merge
    }

    fn pull(&mut self, source: usize) {
        match self.sources[source].next() {
            Some(Ok((hash, number))) => self.heads.push(Reverse((hash, number, source))),
            Some(Err(fault)) => self.fault = Some(fault),
            None => {}
        }
    }

    /// What kept the merge from being complete.
    pub fn fault(self) -> Option<RunFault> {
        self.fault
    }
}

impl Iterator for Merge<'_> {
    type Item = (IdHash, u64);

    fn next(&mut self) -> Option<Self::Item> {
        if self.fault.is_some() {
            return None;
        }
        let Reverse((hash, number, source)) = self.heads.pop()?;
        self.pull(source);
        Some((hash, number))
    }
}
