//! No event id stands twice in a ledger.
//!
//! Every record's id is kept as a keyed hash of 64 bits, and equal hashes are looked for at the end.
//! A store with more records than may be kept at a time is taken in rounds, each with its share of
//! the hashes; the later rounds read the ids again, without contents. Equal hashes are only a hint:
//! their records are read, and their ids compared, before anything is said.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::Hasher as _;
use std::sync::{Mutex, PoisonError};

use ledgerstone_proof::{TenantId, sha256};
use ledgerstone_store::{
    Check, ContainerFinding, Inspector, LedgerStore, Part, RunClaims, RunRecord,
};
use siphasher::sip::SipHasher13;

use super::context::Context;
use super::in_order::in_order;
use super::report::Finding;

/// Pieces that the kept hashes are sorted in, each by one thread.
const BUCKETS: u64 = 64;

/// Equal hashes whose records are compared in one reading.
const COMPARED_AT_ONCE: usize = 1 << 16;

/// How ids are hashed in one verification, and which of them are kept in which round.
#[derive(Debug)]
pub(super) struct IdHashes {
    key: [u8; 16],
    rounds: u64,
}

impl IdHashes {
    /// For a store with so many records, of which the hashes of `at_once` may be kept at a time.
    ///
    /// The key follows from the newest record of `_system`, whose salt nobody knew who sent an event
    /// before: no sender can choose ids whose hashes are equal.
    pub(super) fn new(store: &dyn LedgerStore, records: u64, at_once: u64) -> Self {
        let mut seed = b"ledgerstone event ids\n".to_vec();
        if let Ok(Some(head)) = store.head(&TenantId::system()) {
            seed.extend_from_slice(head.record_hash.as_bytes());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&sha256(&seed).as_bytes()[..16]);
        Self { key, rounds: records.div_ceil(at_once.max(1)).max(1) }
    }

    fn hash(&self, tenant: &TenantId, event_id: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(tenant.as_str().as_bytes());
        // No name holds a NUL, so the two cannot run into each other.
        hasher.write_u8(0);
        hasher.write(event_id.as_bytes());
        hasher.finish()
    }

    /// The hash of an id that is kept in the first round, which reads everything.
    pub(super) fn first_round(&self, tenant: &TenantId, event_id: &str) -> Option<u64> {
        let hash = self.hash(tenant, event_id);
        self.is_of_round(hash, 0).then_some(hash)
    }

    fn is_of_round(&self, hash: u64, round: u64) -> bool {
        self.rounds == 1 || (u128::from(hash) * u128::from(self.rounds)) >> 64 == u128::from(round)
    }
}

/// The hashes of one round.
#[derive(Debug)]
pub(super) struct Kept {
    buckets: Vec<Vec<u64>>,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| Vec::new()).collect() }
    }

    pub(super) fn add(&mut self, hashes: &[u64]) {
        for hash in hashes {
            if let Some(bucket) = self.buckets.get_mut((hash % BUCKETS) as usize) {
                bucket.push(*hash);
            }
        }
    }

    /// The hashes that are there more than once, each of them once.
    fn equal(self, threads: usize) -> Vec<u64> {
        let buckets: Vec<Mutex<Vec<u64>>> = self.buckets.into_iter().map(Mutex::new).collect();
        let mut equal = Vec::new();
        in_order(threads, &buckets, equal_of, |found| equal.extend(found));
        equal
    }
}

/// Sorts one bucket and lets it go.
fn equal_of(bucket: &Mutex<Vec<u64>>) -> Vec<u64> {
    let mut hashes = std::mem::take(&mut *bucket.lock().unwrap_or_else(PoisonError::into_inner));
    hashes.sort_unstable();
    let pairs = hashes.windows(2).filter(|pair| pair.first() == pair.last());
    let mut equal: Vec<u64> = pairs.filter_map(|pair| pair.first().copied()).collect();
    equal.dedup();
    equal
}

/// Looks for ids that stand twice, once everything is read: `kept` are the hashes of the first round.
pub(super) fn check(context: &Context<'_>, parts: &[Part], kept: Kept) -> Vec<Finding> {
    let threads = context.options().threads;
    let mut equal = kept.equal(threads);
    for round in 1..context.id_hashes().rounds {
        let mut kept = Kept::new();
        let read = |part: &Part| hashes_of_round(context, part, round);
        in_order(threads, parts, read, |hashes| kept.add(&hashes));
        equal.extend(kept.equal(threads));
    }
    equal.sort_unstable();
    let mut findings = Vec::new();
    for hashes in equal.chunks(COMPARED_AT_ONCE) {
        let mut all = Places::new();
        let read = |part: &Part| places_of(context, part, hashes);
        in_order(threads, parts, read, |found| merge(&mut all, found));
        findings.extend(all.into_iter().filter_map(|(id, place)| place.into_finding(&id)));
    }
    findings
}

/// The hashes of a part's ids that a round keeps, read again.
pub(super) fn hashes_of_round(context: &Context<'_>, part: &Part, round: u64) -> Vec<u64> {
    let mut hashes = Vec::new();
    read_ids(context, part, |hash, _, _, _| {
        if context.id_hashes().is_of_round(hash, round) {
            hashes.push(hash);
        }
    });
    hashes
}

/// Where the ids with these hashes, which are sorted, stand in a part.
fn places_of(context: &Context<'_>, part: &Part, hashes: &[u64]) -> Places {
    let file = part.location.file.to_string_lossy();
    let mut places = Places::new();
    read_ids(context, part, |hash, tenant, number, record| {
        if hashes.binary_search(&hash).is_ok() {
            let id = (tenant.clone(), record.event_id.to_owned());
            let first = Standing { number, file: file.to_string(), offset: record.offset };
            merge(&mut places, Places::from([(id, Place { first, second: None })]));
        }
    });
    places
}

/// Where records with one id stand.
#[derive(Debug)]
struct Place {
    first: Standing,
    second: Option<Standing>,
}

/// One record: the number in its ledger, and the file.
#[derive(Debug)]
struct Standing {
    number: u64,
    file: String,
    offset: u64,
}

type Places = BTreeMap<(TenantId, String), Place>;

impl Place {
    /// Takes in one more, and keeps the two lowest numbers. A number that is known is the same record,
    /// whose being there twice is a finding about its number.
    fn add(&mut self, standing: Standing) {
        let later = match standing.number.cmp(&self.first.number) {
            Ordering::Less => std::mem::replace(&mut self.first, standing),
            Ordering::Equal => return,
            Ordering::Greater => standing,
        };
        if self.second.as_ref().is_none_or(|second| later.number < second.number) {
            self.second = Some(later);
        }
    }

    fn into_finding(self, (tenant, event_id): &(TenantId, String)) -> Option<Finding> {
        let second = self.second?;
        let note = "the event id stands in the ledger twice";
        let finding = Finding::new(Check::EventId, note).at(tenant, second.number);
        let finding = finding.in_file(&second.file, second.offset);
        let found = format!("{event_id}, as in record {}", self.first.number);
        Some(finding.values("an id of its own", found))
    }
}

fn merge(all: &mut Places, found: Places) {
    for (id, place) in found {
        match all.get_mut(&id) {
            None => drop(all.insert(id, place)),
            Some(known) => {
                known.add(place.first);
                place.second.into_iter().for_each(|second| known.add(second));
            }
        }
    }
}

/// Shows the ids of a part once more: hash, ledger, number and record.
struct IdReader<'a, F> {
    context: &'a Context<'a>,
    run: Option<(TenantId, u64)>,
    take: F,
}

/// Reads the ids of a part, without contents. What is wrong with the part has been told before.
fn read_ids(
    context: &Context<'_>,
    part: &Part,
    take: impl FnMut(u64, &TenantId, u64, &RunRecord<'_>),
) {
    let mut reader = IdReader { context, run: None, take };
    drop(context.store().inspect(part, &mut reader));
}

impl<F: FnMut(u64, &TenantId, u64, &RunRecord<'_>)> Inspector for IdReader<'_, F> {
    fn wants(&self, tenant: &TenantId) -> bool {
        self.context.wants_ids(tenant)
    }

    fn wants_contents(&self) -> bool {
        false
    }

    fn finding(&mut self, _: ContainerFinding) {}

    fn begin_run(&mut self, claims: &RunClaims<'_>) {
        self.run = Some((claims.tenant.clone(), claims.first.value()));
    }

    fn records(&mut self, records: &[RunRecord<'_>]) {
        let Some((tenant, next)) = &mut self.run else {
            return;
        };
        for record in records {
            let hash = self.context.id_hashes().hash(tenant, record.event_id);
            (self.take)(hash, tenant, *next, record);
            *next += 1;
        }
    }

    fn end_run(&mut self) {
        self.run = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, Standing};

    fn standing(number: u64) -> Standing {
        Standing { number, file: String::new(), offset: 0 }
    }

    #[test]
    fn the_two_lowest_numbers_are_kept_in_whatever_order_they_come() {
        for numbers in [[3, 5, 9], [9, 5, 3], [5, 3, 9], [5, 9, 3], [3, 3, 5], [5, 3, 5]] {
            let mut place = Place { first: standing(numbers[0]), second: None };
            numbers[1..].iter().for_each(|number| place.add(standing(*number)));
            let second = place.second.map(|second| second.number);
            assert_eq!((place.first.number, second), (3, Some(5)), "{numbers:?}");
        }
        let mut same = Place { first: standing(4), second: None };
        same.add(standing(4));
        assert!(same.second.is_none(), "one record, met twice");
    }
}
