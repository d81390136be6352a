//! Turns of NDJSON requests, which may last: so many at one moment, and of each credential no more than
//! its share, so that one of them cannot keep all others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::PrincipalId;
use ledgerstone_proof::TenantId;

use super::limits::Limits;
use super::problem::Problem;
use crate::auth::Caller;

/// The turns that are taken.
#[derive(Debug)]
pub(super) struct StreamTurns {
    most: usize,
    most_each: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// Of credentials that have at least one.
    of: HashMap<(TenantId, PrincipalId), usize>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct StreamTurn {
    turns: Arc<StreamTurns>,
    who: (TenantId, PrincipalId),
}

impl StreamTurns {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let (most, most_each) = (limits.streams, limits.streams_per_credential);
        Arc::new(Self { most, most_each, taken: Mutex::default() })
    }

    /// A turn for one request; `SERVER_BUSY` where all are taken, or the credential has its share.
    pub(super) fn take(self: &Arc<Self>, caller: &Caller) -> Result<StreamTurn, Problem> {
        let who = (caller.tenant().clone(), caller.principal().clone());
        let mut taken = self.taken();
        if taken.all >= self.most {
            return Err(busy("as many NDJSON requests run as may".to_owned()));
        }
        let own = taken.of.get(&who).copied().unwrap_or_default();
        if own >= self.most_each {
            return Err(busy(format!(
                "{own} NDJSON requests of this credential run, as many as may"
            )));
        }
        taken.all += 1;
        taken.of.insert(who.clone(), own + 1);
        drop(taken);
        Ok(StreamTurn { turns: Arc::clone(self), who })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamTurn {
    fn drop(&mut self) {
        let mut taken = self.turns.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.of.get_mut(&self.who) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.of.remove(&self.who);
            }
        }
    }
}

fn busy(detail: String) -> Problem {
    Problem::new(ErrorCode::ServerBusy, detail)
}
