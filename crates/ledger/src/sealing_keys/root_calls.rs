//! Every question to the root key service goes through here, so that it is known how often it was
//! asked, and whether it served.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::root_key::{RootKey, RootKeyError};
use crate::ledger::hold;

/// The root key service, and what became of the questions to it.
#[derive(Debug)]
pub(super) struct RootCalls {
    root: Arc<dyn RootKey>,
    calls: AtomicU64,
    failures: AtomicU64,
    /// Why the newest question failed; `None` where it did not.
    problem: Mutex<Option<RootKeyError>>,
}

impl RootCalls {
    pub(super) fn new(root: Arc<dyn RootKey>) -> Self {
        let (calls, failures) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { root, calls, failures, problem: Mutex::new(None) }
    }

    /// The service, for what it says of itself.
    pub(super) fn root(&self) -> &dyn RootKey {
        &*self.root
    }

    /// Asks the service something.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&dyn RootKey) -> Result<T, RootKeyError>,
    ) -> Result<T, RootKeyError> {
        let answer = question(&*self.root);
        self.calls.fetch_add(1, Ordering::Relaxed);
        let problem = answer.as_ref().err().cloned();
        if problem.is_some() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        *hold(&self.problem) = problem;
        answer
    }

    /// Questions, and how many of them failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    pub(super) fn problem(&self) -> Option<RootKeyError> {
        hold(&self.problem).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::RootCalls;
    use crate::sealing_keys::{RootKey, RootKeyError};
    use ledgerstone_proof::TenantId;
    use zeroize::Zeroizing;

    #[derive(Debug)]
    struct Mute;

    impl RootKey for Mute {
        fn kind(&self) -> &'static str {
            "mute"
        }

        fn wrap(&self, _: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
            Ok(secrets.to_vec())
        }

        fn unwrap(&self, _: &TenantId, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
            Err(RootKeyError::Unavailable("it says nothing".to_owned()))
        }
    }

    #[test]
    fn a_failure_is_known_until_something_succeeds() {
        let (calls, acme) = (RootCalls::new(Arc::new(Mute)), TenantId::parse("acme").unwrap());
        assert_eq!((calls.counts(), calls.problem()), ((0, 0), None));
        calls.ask(|root| root.unwrap(&acme, b"x")).unwrap_err();
        assert_eq!(calls.counts(), (1, 1));
        assert!(calls.problem().unwrap().to_string().contains("it says nothing"));
        calls.ask(|root| root.wrap(&acme, b"x")).unwrap();
        assert_eq!((calls.counts(), calls.problem()), ((2, 1), None));
    }
}
