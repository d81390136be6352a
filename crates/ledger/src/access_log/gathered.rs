//! What waits in memory to become records, within bounds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};

use ledgerstone_model::access::{PrincipalId, View};
use ledgerstone_model::audit::AccessVerb;
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{IngestedAt, TenantId};

use super::group::{Group, Refused};
use super::ranges::Ranges;
use super::{Access, Denial, minute};

/// Kinds of requests to one ledger that are told apart within a minute. Beyond them a principal's
/// requests are told together, and beyond twice as many those of all who are left.
const GROUPS_MAX: usize = 1_000;

/// Credentials and reasons that are told apart in one ledger within a minute.
const DENIALS_MAX: usize = 200;

/// Addresses and reasons of those without a credential that are told apart within a minute.
const STRANGERS_MAX: usize = 20;

/// Groups in memory, while they cannot be written.
const PENDING_MAX: usize = 50_000;

/// Principals of whom it is remembered what is written of them.
const REMEMBERED_MAX: usize = 10_000;

/// Runs of numbers that are remembered of each.
const REMEMBERED_RUNS_MAX: usize = 10_000;

/// The shape of requests that are told together.
const OTHER_SHAPES: &str = "other";

/// What makes requests alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupKey {
    pub(super) tenant: TenantId,
    pub(super) minute: i64,
    principal: PrincipalId,
    verb: AccessVerb,
    shape: String,
}

/// What makes refusals alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DenialKey {
    pub(super) tenant: TenantId,
    pub(super) minute: i64,
    /// `None` for those for whom there was no room.
    who: Option<Who>,
    reason: Option<ErrorCode>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Principal(PrincipalId),
    Stranger(Option<IpAddr>),
}

/// What of one principal is in the ledger already, of this minute.
#[derive(Debug, Default)]
struct Remembered {
    opened: BTreeMap<SealingKeyId, View>,
    numbers: Ranges,
}

#[derive(Debug, Default)]
pub(super) struct Gathered {
    groups: BTreeMap<GroupKey, Group>,
    denials: BTreeMap<DenialKey, Refused>,
    /// Groups that somebody's answer waits for.
    awaited: BTreeSet<GroupKey>,
    /// Groups and denials of each ledger and minute.
    told_apart: HashMap<(TenantId, i64), (usize, usize)>,
    remembered: HashMap<(TenantId, PrincipalId), Remembered>,
    remembered_minute: i64,
    overflowed: u64,
}

/// Something that becomes records.
#[derive(Debug)]
pub(super) enum Entry {
    Access(GroupKey, Box<Group>),
    Denial(DenialKey, Refused),
}

impl Entry {
    pub(super) const fn tenant(&self) -> &TenantId {
        match self {
            Self::Access(key, _) => &key.tenant,
            Self::Denial(key, _) => &key.tenant,
        }
    }

    pub(super) const fn actor(&self) -> &Actor {
        match self {
            Self::Access(_, group) => group.actor(),
            Self::Denial(_, refused) => refused.actor(),
        }
    }
}

impl Gathered {
    /// Adds a request, and answers its group where its answer must wait until that is written.
    pub(super) fn add(&mut self, access: Access, at: IngestedAt) -> Option<GroupKey> {
        let minute = minute(at);
        self.begin_minute(minute);
        let is_awaited = !self.is_remembered(&access);
        let key = self.key_for(&access, minute, is_awaited)?;
        let others = key.principal != access.actor.principal_id();
        if !self.groups.contains_key(&key) {
            self.place_of(&key.tenant, minute).0 += 1;
        }
        if is_awaited {
            self.awaited.insert(key.clone());
        }
        let group = self.groups.entry(key.clone()).or_insert_with(|| {
            if others {
                Group::of_others(&key.shape, at, &access)
            } else {
                Group::new(&access, &key.shape, at)
            }
        });
        if others {
            // Whose keys they opened stands in a record that tells who they are.
            group.add(Access { returned: access.returned.without_keys(), ..access }, at);
        } else {
            group.add(access, at);
        }
        is_awaited.then_some(key)
    }

    /// The group that a request belongs to; `None` where there is room for none.
    fn key_for(&mut self, access: &Access, minute: i64, is_awaited: bool) -> Option<GroupKey> {
        let (tenant, verb) = (access.tenant.clone(), access.verb);
        let principal = access.actor.principal_id();
        let key = GroupKey { tenant, minute, principal, verb, shape: access.shape.clone() };
        // What is awaited is written at once, and whoever waits sends nothing meanwhile.
        if is_awaited || self.groups.contains_key(&key) {
            return Some(key);
        }
        let (groups, _) = self.told_apart_in(&key.tenant, minute);
        if groups < GROUPS_MAX && self.groups.len() < PENDING_MAX {
            return Some(key);
        }
        self.overflowed += 1;
        let mut key = GroupKey { shape: OTHER_SHAPES.to_owned(), ..key };
        if groups >= 2 * GROUPS_MAX && !self.groups.contains_key(&key) {
            key.principal = Actor::others().principal_id();
        }
        (self.groups.contains_key(&key) || self.groups.len() < PENDING_MAX).then_some(key)
    }

    fn told_apart_in(&self, tenant: &TenantId, minute: i64) -> (usize, usize) {
        self.told_apart.get(&(tenant.clone(), minute)).copied().unwrap_or_default()
    }

    /// Adds a refusal.
    pub(super) fn deny(&mut self, tenant: TenantId, denial: &Denial, at: IngestedAt) {
        let minute = minute(at);
        let who = match &denial.caller {
            Some((_, actor)) => Who::Principal(actor.principal_id()),
            None => Who::Stranger(denial.address.map(network)),
        };
        let reason = Some(denial.reason);
        let mut key = DenialKey { tenant, minute, who: Some(who), reason };
        if !self.denials.contains_key(&key) {
            let most = if denial.caller.is_some() { DENIALS_MAX } else { STRANGERS_MAX };
            let (_, denials) = self.told_apart_in(&key.tenant, minute);
            if denials >= most || self.denials.len() >= PENDING_MAX {
                self.overflowed += 1;
                key.who = None;
                key.reason = None;
            }
        }
        if !self.denials.contains_key(&key) {
            if self.denials.len() > PENDING_MAX {
                return;
            }
            self.place_of(&key.tenant, minute).1 += 1;
        }
        let actor = match (&key.who, &denial.caller) {
            (None, _) => Actor::others(),
            (Some(_), Some((_, actor))) => actor.clone().at(denial.address),
            (Some(_), None) => Actor::stranger(denial.address.map(network)),
        };
        let reason = key.reason;
        let refused = self.denials.entry(key).or_insert_with(|| Refused::new(actor, reason, at));
        refused.add(denial, at);
    }

    fn begin_minute(&mut self, minute: i64) {
        if self.remembered_minute != minute {
            self.remembered_minute = minute;
            self.remembered.clear();
        }
    }

    /// Whether the ledger says already, of this minute, that the principal saw these people in these
    /// records.
    fn is_remembered(&self, access: &Access) -> bool {
        let returned = &access.returned;
        if returned.precedes_answer {
            return false;
        }
        if returned.opened.is_empty() {
            return true;
        }
        let key = (access.tenant.clone(), access.actor.principal_id());
        self.remembered.get(&key).is_some_and(|known| {
            let mut opened = returned.opened.iter();
            known.numbers.has_all(&returned.opened_numbers)
                && opened.all(|(key, view)| known.opened.get(key).is_some_and(|most| *most >= view))
        })
    }

    /// Remembers what was written.
    pub(super) fn remember(&mut self, key: &GroupKey, group: &Group) {
        let (opened, numbers) = group.opened();
        if key.minute != self.remembered_minute || opened.is_empty() {
            return;
        }
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        let whose = (key.tenant.clone(), key.principal.clone());
        let known = self.remembered.entry(whose).or_default();
        for (key, view) in opened {
            let most = known.opened.entry(*key).or_insert(*view);
            *most = (*most).max(*view);
        }
        known.numbers.insert_all(numbers);
        if known.numbers.runs() > REMEMBERED_RUNS_MAX || known.opened.len() > REMEMBERED_RUNS_MAX {
            *known = Remembered::default();
        }
    }

    /// Takes out the entries of the minutes that are ripe. Who waits for one of them still does: it may
    /// come back.
    pub(super) fn take(&mut self, is_ripe: impl Fn(i64) -> bool) -> Vec<Entry> {
        self.told_apart.retain(|(_, minute), _| !is_ripe(*minute));
        let groups = self.groups.extract_if(.., |key, _| is_ripe(key.minute));
        let mut taken: Vec<_> =
            groups.map(|(key, one)| Entry::Access(key, Box::new(one))).collect();
        let denials = self.denials.extract_if(.., |key, _| is_ripe(key.minute));
        taken.extend(denials.map(|(key, one)| Entry::Denial(key, one)));
        taken
    }

    /// Takes out the groups that somebody waits for.
    pub(super) fn take_awaited(&mut self) -> Vec<Entry> {
        let keys = std::mem::take(&mut self.awaited);
        let group = |key| {
            let group = self.groups.remove(&key)?;
            if let Some((groups, _)) = self.told_apart.get_mut(&(key.tenant.clone(), key.minute)) {
                *groups = groups.saturating_sub(1);
            }
            Some(Entry::Access(key, Box::new(group)))
        };
        keys.into_iter().filter_map(group).collect()
    }

    /// Takes back what could not be written; `is_awaited` says whether somebody waited for it.
    pub(super) fn put_back(&mut self, entry: Entry, is_awaited: bool) {
        match entry {
            Entry::Access(key, group) => {
                if is_awaited {
                    self.awaited.insert(key.clone());
                }
                match self.groups.get_mut(&key) {
                    Some(newer) => newer.merge(*group),
                    None => {
                        self.place_of(&key.tenant, key.minute).0 += 1;
                        self.groups.insert(key, *group);
                    }
                }
            }
            Entry::Denial(key, refused) => match self.denials.get_mut(&key) {
                Some(newer) => newer.merge(refused),
                None => {
                    self.place_of(&key.tenant, key.minute).1 += 1;
                    self.denials.insert(key, refused);
                }
            },
        }
    }

    fn place_of(&mut self, tenant: &TenantId, minute: i64) -> &mut (usize, usize) {
        self.told_apart.entry((tenant.clone(), minute)).or_default()
    }

    /// Whether a group waits to be written at once.
    pub(super) fn is_awaited(&self, key: &GroupKey) -> bool {
        self.awaited.contains(key)
    }

    /// Entries that wait, and requests that found no room.
    pub(super) fn counts(&self) -> (u64, u64) {
        ((self.groups.len() + self.denials.len()) as u64, self.overflowed)
    }
}

/// One sender of IPv6 has 2^64 addresses: it is told by its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use ledgerstone_model::access::{CredentialKind, PrincipalId};
    use ledgerstone_model::audit::AccessVerb;
    use ledgerstone_model::{Actor, ErrorCode};
    use ledgerstone_proof::{IngestedAt, TenantId};

    use super::{DENIALS_MAX, Entry, GROUPS_MAX, Gathered, STRANGERS_MAX};
    use crate::access_log::{Access, Denial, ReturnedRecords};

    fn at(minute: i64) -> IngestedAt {
        IngestedAt::from_micros(minute * 60_000_000).unwrap()
    }

    fn tenant() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    fn actor(name: &str) -> Actor {
        Actor::principal(&PrincipalId::of_certificate(name), CredentialKind::Certificate, None)
    }

    fn access(name: &str, shape: &str) -> Access {
        Access {
            tenant: tenant(),
            actor: actor(name),
            address: None,
            verb: AccessVerb::Read,
            shape: shape.to_owned(),
            literal: None,
            returned: ReturnedRecords::default(),
        }
    }

    fn stranger(address: IpAddr) -> Denial {
        let (reason, route) = (ErrorCode::Unauthenticated, "GET /v1/events".to_owned());
        Denial { caller: None, address: Some(address), reason, route }
    }

    /// The calls that entries tell of, all together.
    fn calls(entries: &[Entry]) -> u64 {
        let of = |entry: &Entry| match entry {
            Entry::Access(_, group) => group.to_records().iter().map(|one| one.times.calls).sum(),
            Entry::Denial(_, refused) => refused.to_record().times.calls,
        };
        entries.iter().map(of).sum()
    }

    #[test]
    fn strangers_from_everywhere_are_a_few_lines() {
        let mut gathered = Gathered::default();
        for minute in 0..3 {
            for number in 0..1_000_u32 {
                let address = IpAddr::V4(Ipv4Addr::from_bits(number));
                gathered.deny(TenantId::system(), &stranger(address), at(minute));
            }
        }
        let taken = gathered.take(|_| true);
        assert_eq!(taken.len(), 3 * (STRANGERS_MAX + 1), "and one for all others");
        assert_eq!(calls(&taken), 3_000, "each of them is counted");
        let others = 1_000 - STRANGERS_MAX as u64;
        assert_eq!(gathered.counts(), (0, 3 * others));
    }

    #[test]
    fn one_network_of_ipv6_is_one_stranger() {
        let mut gathered = Gathered::default();
        for host in 0..100 {
            let address = Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + host);
            gathered.deny(TenantId::system(), &stranger(address.into()), at(0));
        }
        assert_eq!(gathered.take(|_| true).len(), 1);
    }

    #[test]
    fn credentials_are_bounded_too() {
        let mut gathered = Gathered::default();
        for number in 0..2 * DENIALS_MAX {
            let caller = Some((tenant(), actor(&number.to_string())));
            let (reason, route) = (ErrorCode::Forbidden, String::new());
            gathered.deny(tenant(), &Denial { caller, address: None, reason, route }, at(0));
        }
        let taken = gathered.take(|_| true);
        assert_eq!((taken.len(), calls(&taken)), (DENIALS_MAX + 1, 2 * DENIALS_MAX as u64));
    }

    #[test]
    fn shapes_without_end_are_told_together() {
        let mut gathered = Gathered::default();
        for number in 0..5 * GROUPS_MAX {
            let shape = format!("GET /{number}");
            assert!(gathered.add(access("robot", &shape), at(0)).is_none());
        }
        for number in 0..5 * GROUPS_MAX {
            gathered.add(access(&format!("robot {number}"), "GET /"), at(0));
        }
        let taken = gathered.take(|_| true);
        assert!(taken.len() <= 2 * GROUPS_MAX + 1, "{}", taken.len());
        assert_eq!(calls(&taken), 10 * GROUPS_MAX as u64);
        let others = taken.iter().filter(|entry| match entry {
            Entry::Access(_, group) => group.to_records()[0].actor == Actor::others(),
            Entry::Denial(..) => false,
        });
        assert_eq!(others.count(), 1);
    }

    #[test]
    fn who_waits_goes_on_waiting_when_another_could_not_write() {
        let mut gathered = Gathered::default();
        let opened =
            Access { returned: ReturnedRecords::opening([1; 16]), ..access("ana", "GET /") };
        let key = gathered.add(opened.clone(), at(0)).unwrap();
        let taken = gathered.take(|_| true);
        assert_eq!(taken.len(), 1);
        taken.into_iter().for_each(|entry| gathered.put_back(entry, false));
        assert!(gathered.is_awaited(&key));
        let taken = gathered.take_awaited();
        let Some(Entry::Access(taken_key, group)) = taken.first() else { panic!("nothing") };
        assert_eq!(*taken_key, key);
        gathered.remember(&key, group);
        assert!(!gathered.is_awaited(&key));
        assert!(gathered.add(opened.clone(), at(0)).is_none(), "it is written, of this minute");
        let other = Access { returned: ReturnedRecords::opening([2; 16]), ..opened.clone() };
        assert!(gathered.add(other, at(0)).is_some());
        let stranger = Access { actor: actor("bo"), ..opened.clone() };
        assert!(gathered.add(stranger, at(0)).is_some());
        assert!(gathered.add(opened, at(1)).is_some(), "another minute");
    }

    #[test]
    fn what_could_not_be_written_is_not_lost() {
        let mut gathered = Gathered::default();
        gathered.add(access("ana", "GET /"), at(0));
        let taken = gathered.take(|_| true);
        gathered.add(access("ana", "GET /"), at(0));
        taken.into_iter().for_each(|entry| gathered.put_back(entry, false));
        let taken = gathered.take(|minute| minute == 0);
        assert_eq!((taken.len(), calls(&taken)), (1, 2));
    }
}
