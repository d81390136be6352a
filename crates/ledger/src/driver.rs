//! The threads that work beside a ledger: one for each follower, one that anchors and lets old keys
//! expire, and one that writes who read what.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ledgerstone_model::sealing::AccessMonth;
use ledgerstone_store::{Cursor, LedgerStore};

use crate::access_log::Ripe;
use crate::error::LedgerError;
use crate::follower::{FOLLOWERS, Follower, FollowerContext, FollowerEntry, FollowerError};
use crate::ledger::{Ledger, hold};

/// Records that a follower is given at a time.
const RECORDS_PER_ROUND: usize = 8_192;

/// Rounds after which a follower that is far behind saves how far it has come.
const ROUNDS_PER_SAVE: usize = 32;

/// The name under which the anchoring thread reports trouble.
const ANCHORS: &str = "anchors";

/// The name under which the thread that writes the access log reports trouble.
const ACCESS_LOG: &str = "access_log";

/// How often it is looked whether something of the access log is ripe.
const ACCESS_LOG_PAUSE: Duration = Duration::from_secs(1);

/// The running threads. Dropping it stops them.
pub struct Driver {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    is_stopping: Mutex<bool>,
    stop: Condvar,
    problems: Mutex<BTreeMap<&'static str, String>>,
}

impl Shared {
    /// Rests, or answers `true` at once when it is time to stop.
    fn rest(&self, pause: Duration) -> bool {
        let guard = hold(&self.is_stopping);
        let (guard, _) = self
            .stop
            .wait_timeout_while(guard, pause, |stopping| !*stopping)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }

    fn report(&self, name: &'static str, result: Result<(), String>) {
        let mut problems = hold(&self.problems);
        match result {
            Ok(()) => drop(problems.remove(name)),
            Err(problem) => drop(problems.insert(name, problem)),
        }
    }
}

impl Driver {
    /// Starts the followers of a ledger's store, and its anchoring.
    pub fn start(
        ledger: &Arc<Ledger>,
        followers: Vec<Box<dyn Follower>>,
    ) -> Result<Self, LedgerError> {
        let shared = Arc::<Shared>::default();
        let mut driver = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        for follower in followers {
            let (shared, store) = (Arc::clone(&shared), Arc::clone(&ledger.store));
            let name = follower.name();
            driver.spawn(name, move || follow(follower, &*store, &shared))?;
        }
        let (anchoring, stopping) = (Arc::clone(ledger), Arc::clone(&shared));
        driver.spawn(ANCHORS, move || keep_anchoring(&anchoring, &stopping))?;
        let ledger = Arc::clone(ledger);
        driver.spawn(ACCESS_LOG, move || keep_access_log(&ledger, &shared))?;
        Ok(driver)
    }

    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), LedgerError> {
        let builder = std::thread::Builder::new().name(name.to_owned());
        self.threads.push(builder.spawn(work).map_err(LedgerError::Thread)?);
        Ok(())
    }

    /// What does not work at this moment, by name; it is tried again.
    pub fn problems(&self) -> BTreeMap<&'static str, String> {
        hold(&self.shared.problems).clone()
    }

    /// Lets every follower catch up once more, and ends the threads.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        *hold(&self.shared.is_stopping) = true;
        self.shared.stop.notify_all();
        for thread in self.threads.drain(..) {
            // A follower that panicked has said so; what it keeps is derived and will be built again.
            let _ = thread.join();
        }
    }
}

/// Anchors at intervals. The last anchors are written when the ledger is closed.
fn keep_anchoring(ledger: &Ledger, shared: &Shared) {
    while !shared.rest(ledger.settings().anchor_interval) {
        let result = ledger.anchor().map(drop).and_then(|()| ledger.expire_old_keys());
        shared.report(ANCHORS, result.map_err(|error| error.to_string()));
    }
}

/// Writes the access log, minute by minute, and destroys the keys of its months when they are over for
/// long. What is left at the end is written when the ledger is closed.
fn keep_access_log(ledger: &Ledger, shared: &Shared) {
    let go_on = || {
        let is_stopping = *hold(&shared.is_stopping);
        if is_stopping { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut cleared = None;
    while !shared.rest(ACCESS_LOG_PAUSE) {
        let month = AccessMonth::of(ledger.clock.now());
        let result = ledger.write_access_log(Ripe::PastMinutes).and_then(|_| {
            if cleared != Some(month) {
                ledger.destroy_outlived_access_keys(&go_on)?;
                cleared = Some(month);
            }
            Ok(())
        });
        shared.report(ACCESS_LOG, result.map_err(|error| error.to_string()));
    }
}

/// Follows until it is time to stop, and then once more to the end.
fn follow(mut follower: Box<dyn Follower>, store: &dyn LedgerStore, shared: &Shared) {
    let mut cursor = None;
    let mut is_last = false;
    loop {
        let result = catch_up(&mut *follower, store, &mut cursor);
        shared.report(follower.name(), result.map_err(|error| error.to_string()));
        if is_last {
            return;
        }
        is_last = shared.rest(follower.pause());
    }
}

/// Lets every follower of the table catch up, in the caller's thread: what a process does that is too
/// short-lived for a [`Driver`]. Answers what did not work, by name; it is tried again next time.
pub fn catch_up_all(context: &FollowerContext) -> BTreeMap<&'static str, FollowerError> {
    let follow = |entry: &FollowerEntry| {
        let mut follower = (entry.make)(context);
        let result = catch_up(&mut *follower, &*context.store, &mut None);
        result.err().map(|problem| (entry.name, problem))
    };
    FOLLOWERS.iter().filter_map(follow).collect()
}

/// Lets a follower take in everything that is committed. A follower that fails begins again at the
/// cursor that it saved.
pub fn catch_up(
    follower: &mut dyn Follower,
    store: &dyn LedgerStore,
    cursor: &mut Option<Cursor>,
) -> Result<(), FollowerError> {
    let mut at = match cursor.take() {
        Some(cursor) => cursor,
        None => follower.load()?,
    };
    let saved = at.clone();
    for round in 1_usize.. {
        let changes = store.changes(&at, RECORDS_PER_ROUND, follower.wants())?;
        if changes.next == at {
            break;
        }
        follower.apply(&changes)?;
        at = changes.next;
        if round.is_multiple_of(ROUNDS_PER_SAVE) {
            follower.save(&at)?;
        }
    }
    if at != saved {
        follower.save(&at)?;
    }
    *cursor = Some(at);
    Ok(())
}
