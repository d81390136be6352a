//! How the process is doing, as whoever runs it tells the interface.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use ledgerstone_ledger::jobs::BackgroundStatus;

type Problems = BTreeMap<&'static str, String>;
type VerificationStatus = Box<dyn Fn() -> BackgroundStatus + Send + Sync>;

/// How the process is doing.
#[derive(Default)]
pub struct Operation {
    is_stopping: AtomicBool,
    helpers: OnceLock<Helpers>,
    environment: OnceLock<String>,
    verification: OnceLock<VerificationStatus>,
}

/// The threads beside the ledger: their names, and what does not work at this moment.
struct Helpers {
    names: Vec<&'static str>,
    problems: Box<dyn Fn() -> Problems + Send + Sync>,
}

impl Operation {
    /// From now on the process takes nothing new.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Release);
    }

    pub fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Acquire)
    }

    /// Names the threads that work beside the ledger, and how to ask what is wrong with them. Only
    /// the first call counts.
    pub fn watch(
        &self,
        names: Vec<&'static str>,
        problems: impl Fn() -> Problems + Send + Sync + 'static,
    ) {
        let _ = self.helpers.set(Helpers { names, problems: Box::new(problems) });
    }

    /// Says how to ask where the background verification stands. Only the first call counts.
    pub fn watch_verification(
        &self,
        status: impl Fn() -> BackgroundStatus + Send + Sync + 'static,
    ) {
        let _ = self.verification.set(Box::new(status));
    }

    /// Where the background verification stands; none where nothing verifies.
    pub(super) fn verification(&self) -> Option<BackgroundStatus> {
        self.verification.get().map(|status| status())
    }

    /// What the operator calls the deployment. Only the first call counts.
    pub fn name(&self, environment: &str) {
        let _ = self.environment.set(environment.to_owned());
    }

    pub(super) fn environment(&self) -> Option<&str> {
        self.environment.get().map(String::as_str)
    }

    /// Each helper, with what is wrong with it.
    pub(super) fn helpers(&self) -> Vec<(&'static str, Option<String>)> {
        let Some(helpers) = self.helpers.get() else { return Vec::new() };
        let mut problems = (helpers.problems)();
        helpers.names.iter().map(|name| (*name, problems.remove(name))).collect()
    }
}
