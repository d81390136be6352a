//! Alike requests of a minute, before they become a record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ledgerstone_model::access::View;
use ledgerstone_model::audit::access::{ACCESS_KEYS_MAX, ACCESS_RANGES_MAX};
use ledgerstone_model::audit::denial::DENIAL_ROUTES_MAX;
use ledgerstone_model::audit::{AccessRecord, AccessVerb, DenialRecord, Literal, TallyTimes};
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::IngestedAt;

use super::ranges::Ranges;
use super::{Access, Denial};

/// What requests looked for that one record keeps.
const LITERALS_MAX: usize = 100;

/// Bytes of such a literal; longer ones are cut.
const LITERAL_BYTES_MAX: usize = 512;

/// Addresses that one record names.
const ADDRESSES_MAX: usize = 20;

/// Requests that were answered.
#[derive(Clone, Debug)]
pub(super) struct Group {
    actor: Actor,
    verb: AccessVerb,
    shape: String,
    times: TallyTimes,
    addresses: Vec<IpAddr>,
    records: u64,
    /// `None` once there are too many runs.
    numbers: Option<Ranges>,
    snapshot: Option<u64>,
    opened: BTreeMap<SealingKeyId, View>,
    opened_numbers: Ranges,
    literals: BTreeSet<Literal>,
    literals_left_out: u64,
}

impl Group {
    pub(super) fn new(access: &Access, shape: &str, at: IngestedAt) -> Self {
        Self {
            actor: access.actor.clone().at(access.address),
            verb: access.verb,
            shape: shape.to_owned(),
            times: TallyTimes { calls: 0, first_at: at, last_at: at },
            addresses: Vec::new(),
            records: 0,
            numbers: Some(Ranges::default()),
            snapshot: None,
            opened: BTreeMap::new(),
            opened_numbers: Ranges::default(),
            literals: BTreeSet::new(),
            literals_left_out: 0,
        }
    }

    /// The same of those for whom there was no room.
    pub(super) fn of_others(shape: &str, at: IngestedAt, access: &Access) -> Self {
        Self { actor: Actor::others(), ..Self::new(access, shape, at) }
    }

    pub(super) fn add(&mut self, access: Access, at: IngestedAt) {
        let Access { address, literal, returned, .. } = access;
        self.times.calls += 1;
        self.times.last_at = self.times.last_at.max(at);
        self.add_addresses(address);
        self.records = self.records.saturating_add(returned.records);
        self.snapshot = returned.snapshot.or(self.snapshot);
        self.add_numbers(Some(&returned.numbers));
        self.opened_numbers.insert_all(&returned.opened_numbers);
        self.add_opened(returned.opened.iter().map(|(key, view)| (*key, view)));
        if let Some(literal) = literal {
            self.add_literal(cut(literal));
        }
    }

    /// Takes in what could not be written before.
    pub(super) fn merge(&mut self, other: Self) {
        self.times.calls = self.times.calls.saturating_add(other.times.calls);
        self.times.first_at = self.times.first_at.min(other.times.first_at);
        self.times.last_at = self.times.last_at.max(other.times.last_at);
        self.add_addresses(other.addresses);
        self.records = self.records.saturating_add(other.records);
        self.snapshot = self.snapshot.max(other.snapshot);
        self.add_numbers(other.numbers.as_ref());
        self.opened_numbers.insert_all(&other.opened_numbers);
        self.add_opened(other.opened.into_iter());
        other.literals.into_iter().for_each(|literal| self.add_literal(literal));
        self.literals_left_out = self.literals_left_out.saturating_add(other.literals_left_out);
    }

    fn add_addresses(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        for address in addresses {
            if self.addresses.len() < ADDRESSES_MAX && !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
    }

    fn add_numbers(&mut self, more: Option<&Ranges>) {
        self.numbers = match (self.numbers.take(), more) {
            (Some(mut numbers), Some(more)) => {
                numbers.insert_all(more);
                Some(numbers).filter(|numbers| numbers.runs() <= ACCESS_RANGES_MAX)
            }
            _ => None,
        };
    }

    fn add_opened(&mut self, opened: impl Iterator<Item = (SealingKeyId, View)>) {
        for (key, view) in opened {
            let most = self.opened.entry(key).or_insert(view);
            *most = (*most).max(view);
        }
    }

    fn add_literal(&mut self, literal: Literal) {
        if self.literals.len() < LITERALS_MAX {
            self.literals.insert(literal);
        } else if !self.literals.contains(&literal) {
            self.literals_left_out += 1;
        }
    }

    pub(super) const fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(super) fn has_literals(&self) -> bool {
        !self.literals.is_empty()
    }

    pub(super) const fn opened(&self) -> (&BTreeMap<SealingKeyId, View>, &Ranges) {
        (&self.opened, &self.opened_numbers)
    }

    /// The records of the group: one, unless it names more keys than one may.
    pub(super) fn to_records(&self) -> Vec<AccessRecord> {
        let keys: Vec<_> = self.opened.iter().map(|(key, view)| (*key, *view)).collect();
        let mut parts = keys.chunks(ACCESS_KEYS_MAX);
        let numbers = self.numbers.as_ref();
        let mut whole = AccessRecord {
            actor: self.actor.clone(),
            verb: self.verb,
            shape: self.shape.clone(),
            times: self.times,
            addresses: self.addresses.clone(),
            records: self.records,
            numbers: numbers.map(|numbers| numbers.iter().collect()),
            snapshot: self.snapshot,
            opened: parts.next().unwrap_or_default().to_vec(),
            literals: self.literals.iter().cloned().collect(),
            literals_left_out: self.literals_left_out,
            part: u64::from(keys.len() > ACCESS_KEYS_MAX),
        };
        let continued = AccessRecord {
            literals: Vec::new(),
            literals_left_out: 0,
            numbers: None,
            ..whole.clone()
        };
        let more = parts.zip(2..).map(|(opened, part)| AccessRecord {
            opened: opened.to_vec(),
            part,
            ..continued.clone()
        });
        let more: Vec<_> = more.collect();
        whole.addresses.sort_unstable();
        std::iter::once(whole).chain(more).collect()
    }
}

fn cut(mut literal: Literal) -> Literal {
    let shorten = |text: &mut String| text.truncate(text.floor_char_boundary(LITERAL_BYTES_MAX));
    shorten(&mut literal.target);
    if let Some((kind, id)) = &mut literal.subject {
        shorten(kind);
        shorten(id);
    }
    literal
}

/// Requests that were refused.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    actor: Actor,
    reason: Option<ErrorCode>,
    times: TallyTimes,
    routes: BTreeSet<String>,
}

impl Refused {
    pub(super) const fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(super) const fn new(actor: Actor, reason: Option<ErrorCode>, at: IngestedAt) -> Self {
        let times = TallyTimes { calls: 0, first_at: at, last_at: at };
        Self { actor, reason, times, routes: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, denial: &Denial, at: IngestedAt) {
        self.times.calls += 1;
        self.times.last_at = self.times.last_at.max(at);
        if self.routes.len() < DENIAL_ROUTES_MAX && !denial.route.is_empty() {
            self.routes.insert(denial.route.clone());
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.times.calls = self.times.calls.saturating_add(other.times.calls);
        self.times.first_at = self.times.first_at.min(other.times.first_at);
        self.times.last_at = self.times.last_at.max(other.times.last_at);
        let room = DENIAL_ROUTES_MAX.saturating_sub(self.routes.len());
        self.routes.extend(other.routes.into_iter().take(room));
    }

    pub(super) fn to_record(&self) -> DenialRecord {
        DenialRecord {
            actor: self.actor.clone(),
            reason: self.reason,
            times: self.times,
            routes: self.routes.iter().cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::Actor;
    use ledgerstone_model::access::View;
    use ledgerstone_model::audit::access::{ACCESS_KEYS_MAX, ACCESS_RANGES_MAX};
    use ledgerstone_model::audit::{AccessVerb, Literal};
    use ledgerstone_model::sealing::SealingKeyId;
    use ledgerstone_proof::{IngestedAt, SequenceNumber, TenantId};

    use super::{Group, LITERAL_BYTES_MAX, LITERALS_MAX};
    use crate::access_log::{Access, ReturnedRecords};

    fn access(returned: ReturnedRecords, literal: Option<Literal>) -> Access {
        let tenant = TenantId::parse("acme").unwrap();
        let (actor, shape) = (Actor::operator("uid:1"), "GET /".to_owned());
        Access { tenant, actor, address: None, verb: AccessVerb::Read, shape, literal, returned }
    }

    fn group() -> (Group, IngestedAt) {
        let at = IngestedAt::from_micros(0).unwrap();
        (Group::new(&access(ReturnedRecords::default(), None), "GET /", at), at)
    }

    #[test]
    fn more_runs_than_a_record_lists_leave_their_number() {
        let (mut group, at) = group();
        let mut returned = ReturnedRecords::default();
        (0..ACCESS_RANGES_MAX as u64).for_each(|run| {
            returned.note_number(SequenceNumber::new(2 * run).unwrap());
        });
        group.add(access(returned, None), at);
        assert_eq!(group.to_records()[0].numbers.as_ref().unwrap().len(), ACCESS_RANGES_MAX);
        let mut one_more = ReturnedRecords::default();
        one_more.note_number(SequenceNumber::MAX);
        one_more.at_size(7);
        group.add(access(one_more, None), at);
        let record = group.to_records().remove(0);
        assert_eq!((record.numbers, record.records), (None, ACCESS_RANGES_MAX as u64 + 1));
        assert_eq!(record.snapshot, Some(7));
    }

    #[test]
    fn every_key_is_named_in_as_many_records_as_it_takes() {
        let (mut group, at) = group();
        let keys = 2 * ACCESS_KEYS_MAX as u64 + 1;
        let mut returned = ReturnedRecords::default();
        for key in 0..keys {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&key.to_le_bytes());
            returned.opened.note_key(SealingKeyId::new(id), View::Redacted);
        }
        group.add(access(returned, None), at);
        let records = group.to_records();
        let parts: Vec<_> = records.iter().map(|one| (one.part, one.opened.len())).collect();
        assert_eq!(parts, [(1, ACCESS_KEYS_MAX), (2, ACCESS_KEYS_MAX), (3, 1)]);
    }

    #[test]
    fn literals_are_few_and_short() {
        let (mut group, at) = group();
        for number in 0..LITERALS_MAX + 5 {
            let literal =
                Literal { target: format!("{number}/{}", "\u{e9}".repeat(999)), subject: None };
            group.add(access(ReturnedRecords::default(), Some(literal)), at);
        }
        let record = group.to_records().remove(0);
        assert_eq!((record.literals.len(), record.literals_left_out), (LITERALS_MAX, 5));
        assert!(record.literals.iter().all(|one| one.target.len() <= LITERAL_BYTES_MAX));
    }
}
