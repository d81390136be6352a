//! Access to the log is in the log: who read what, and who was turned away.
//!
//! Requests that are alike are gathered for a minute and become one `audit` record of the tenant's
//! ledger. What opened somebody's values, or gave a person's out, is written before it is answered. All
//! of it is bounded, since nobody can empty what it is written to: what finds no room is counted, and
//! the count is written.

mod gathered;
mod group;
mod months;
mod ranges;
mod returned;
mod subject;
mod write;

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use ledgerstone_model::audit::{AccessVerb, Literal};
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::system::TenantState;
use ledgerstone_model::{Actor, ErrorCode};
use ledgerstone_proof::{IngestedAt, TenantId};

use crate::ledger::{Ledger, hold};
use gathered::{Gathered, GroupKey};

pub use returned::ReturnedRecords;
pub use subject::SubjectAccess;
pub use write::Ripe;

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Access {
    /// Whose ledger was read.
    pub tenant: TenantId,
    /// Who asked, without address and request.
    pub actor: Actor,
    pub address: Option<IpAddr>,
    pub verb: AccessVerb,
    /// The route's pattern and the names of its parameters.
    pub shape: String,
    /// What was looked for, where that is more than the route.
    pub literal: Option<Literal>,
    pub returned: ReturnedRecords,
}

/// A request that was refused.
#[derive(Clone, Debug)]
pub struct Denial {
    /// Whose credential it was; `None` where none counted.
    pub caller: Option<(TenantId, Actor)>,
    pub address: Option<IpAddr>,
    pub reason: ErrorCode,
    /// The route's pattern.
    pub route: String,
}

/// An access that must be in the ledger before it is answered.
#[derive(Debug)]
#[must_use]
pub struct Awaited(GroupKey);

/// How the log of accesses is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessLogCounts {
    /// Records that wait for their minute to end.
    pub pending: u64,
    /// Records that this process wrote.
    pub written: u64,
    /// Requests that found no room and stand in no record but as a number.
    pub overflowed: u64,
}

/// What is gathered, and who writes it.
#[derive(Debug, Default)]
pub(crate) struct AccessLog {
    gathered: Mutex<Gathered>,
    /// Held by who writes: those who come meanwhile are written together.
    writing: Mutex<()>,
    written: AtomicU64,
}

fn minute(at: IngestedAt) -> i64 {
    at.micros().div_euclid(MICROS_PER_MINUTE)
}

impl Ledger {
    /// Notes that a request was answered; a look into memory. What is answered now must be written
    /// first: see [`Ledger::secure_access`].
    pub fn note_access(&self, access: Access) -> Option<Awaited> {
        let returned = &access.returned;
        let has_opened = returned.precedes_answer || !returned.opened.is_empty();
        if !self.has_access_log(&access.tenant) {
            return None;
        }
        let policy = self.policy(&access.tenant, PolicyKind::AccessLog).ok().flatten();
        let policy = policy.as_ref().and_then(|policy| policy.document().access_log());
        let principal = access.actor.principal_id();
        if policy.is_some_and(|one| !one.records(&principal, access.verb, has_opened)) {
            return None;
        }
        hold(&self.access_log.gathered).add(access, self.clock.now()).map(Awaited)
    }

    /// Notes that a request was refused; a look into memory.
    pub fn note_denial(&self, denial: &Denial) {
        let of_caller = denial.caller.as_ref().map(|(tenant, _)| tenant.clone());
        let tenant = of_caller.unwrap_or_else(TenantId::system);
        if self.has_access_log(&tenant) {
            hold(&self.access_log.gathered).deny(tenant, denial, self.clock.now());
        }
    }

    /// How the log of accesses is doing.
    pub fn access_log_counts(&self) -> AccessLogCounts {
        let (pending, overflowed) = hold(&self.access_log.gathered).counts();
        let written = self.access_log.written.load(Ordering::Relaxed);
        AccessLogCounts { pending, written, overflowed }
    }

    /// Whether there is a ledger that takes records of accesses.
    fn has_access_log(&self, tenant: &TenantId) -> bool {
        let takes = |state| matches!(state, TenantState::Active | TenantState::Suspended);
        tenant.is_system() || self.tenant_state(tenant).is_some_and(takes)
    }
}
