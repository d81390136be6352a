//! The keys of an issuer, fetched from its JWKS address and kept.
//!
//! Kept for as long as the answer says, within bounds; fetched again when a token names a key that
//! is not there, but not more often than twice a minute whatever tokens arrive; one fetch at a time;
//! and while an issuer does not answer, the keys it gave last go on being used, which the status
//! tells, but not for ever.

mod fetch;
mod url;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ledgerstone_model::Clock;
use ledgerstone_proof::IngestedAt;

use super::jose::{Algorithm, CompactJws, KeySet};

pub use fetch::{FetchError, JWKS_BYTES_MAX};
pub use url::{JwksUrl, JwksUrlError};

use fetch::{Fetched, Fetcher};

/// How long keys are kept whose answer says less, or nothing that can be read.
pub const KEPT_MIN: Duration = Duration::from_mins(5);
/// How long keys are kept whose answer says more.
pub const KEPT_MAX: Duration = Duration::from_hours(24);
/// How long after an attempt the next one waits.
pub const PAUSE: Duration = Duration::from_secs(30);
/// How long one fetch may take.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How long keys are used whose issuer does not answer any more, since they were fetched, unless
/// the configuration says otherwise.
pub const STALE_MAX: Duration = Duration::from_hours(24);

/// How long a fetch may take, and how long its keys may be used while no other succeeds.
#[derive(Clone, Copy, Debug)]
pub struct JwksTimes {
    pub timeout: Duration,
    pub stale: Duration,
}

impl Default for JwksTimes {
    fn default() -> Self {
        Self { timeout: TIMEOUT, stale: STALE_MAX }
    }
}

/// Where the keys of one issuer come from, and what is known of them.
pub struct JwksCache {
    fetcher: Fetcher,
    allowed: Vec<Algorithm>,
    clock: Arc<dyn Clock>,
    stale: Duration,
    state: RwLock<Arc<State>>,
    /// Held while a fetch runs.
    fetching: tokio::sync::Mutex<()>,
}

/// What is known at one moment.
#[derive(Debug, Default)]
struct State {
    /// `None` until the first fetch succeeds.
    keys: Option<Arc<KeySet>>,
    fetched_at: Option<IngestedAt>,
    /// In microseconds since 1970.
    fresh_until: i64,
    attempted_at: Option<IngestedAt>,
    failure: Option<String>,
    /// Attempts so far, so that those who waited for one see that it is over.
    attempts: u64,
}

/// The state of a cache, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwksStatus {
    pub url: String,
    /// Keys that can be used.
    pub keys: usize,
    /// Keys of the answer that cannot.
    pub unusable: usize,
    /// When the keys in use were fetched.
    pub fetched_at: Option<IngestedAt>,
    pub attempted_at: Option<IngestedAt>,
    /// Why the newest attempt failed; the keys in use are older then.
    pub failure: Option<String>,
}

impl JwksCache {
    /// A cache that is empty until it is first asked.
    pub fn new(
        url: JwksUrl,
        allowed: &[Algorithm],
        times: JwksTimes,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, FetchError> {
        Ok(Arc::new(Self {
            fetcher: Fetcher::new(url, times.timeout)?,
            allowed: allowed.to_vec(),
            clock,
            stale: times.stale,
            state: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
        }))
    }

    /// The keys by which to judge a token: those at hand where they are fresh and have one that the
    /// token could mean, else those that a fetch brings. `None` when the issuer never answered, or not for too long.
    pub async fn keys_for(self: &Arc<Self>, token: &CompactJws<'_>) -> Option<Arc<KeySet>> {
        let seen = self.state();
        let now = self.clock.now();
        let has_key = seen.keys.as_ref().is_some_and(|keys| keys.has_key_for(token));
        let is_fresh = now.micros() < seen.fresh_until;
        let somebody_fetches = self.fetching.try_lock().is_err();
        let at_hand = has_key && (is_fresh || somebody_fetches);
        if at_hand || !seen.may_attempt(now) {
            return seen.usable(now, self.stale);
        }
        self.refresh(seen.attempts).await;
        self.state().usable(self.clock.now(), self.stale)
    }

    /// Fetches the keys, so that the first token need not wait.
    pub async fn prefetch(self: &Arc<Self>) {
        let attempts = self.state().attempts;
        self.refresh(attempts).await;
    }

    pub fn status(&self) -> JwksStatus {
        let state = self.state();
        let keys = state.keys.as_deref();
        JwksStatus {
            url: self.fetcher.url().to_string(),
            keys: keys.map_or(0, KeySet::len),
            unusable: keys.map_or(0, KeySet::unusable),
            fetched_at: state.fetched_at,
            attempted_at: state.attempted_at,
            failure: state.failure.clone(),
        }
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for an attempt after those that were seen. It runs by itself, so that a client who goes
    /// away does not end it for the others.
    async fn refresh(self: &Arc<Self>, seen: u64) {
        let this = Arc::clone(self);
        let attempt = tokio::spawn(async move {
            let _alone = this.fetching.lock().await;
            let before = this.state();
            if before.attempts == seen {
                let outcome = this.fetcher.fetch(&this.allowed).await;
                let after = before.after(outcome, this.clock.now());
                *this.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
            }
        });
        // An attempt that panicked has told so itself; the keys are as they were.
        let _ = attempt.await;
    }
}

impl State {
    /// The keys, unless they are older than the last answer and the patience with the issuer allow.
    fn usable(&self, now: IngestedAt, stale: Duration) -> Option<Arc<KeySet>> {
        let fetched_at = self.fetched_at?.micros();
        let end = self.fresh_until.max(fetched_at.saturating_add(micros(stale)));
        self.keys.clone().filter(|_| now.micros() < end)
    }

    fn may_attempt(&self, now: IngestedAt) -> bool {
        self.attempted_at.is_none_or(|last| {
            let passed = now.micros().saturating_sub(last.micros());
            // A clock that went back must not stop fetching.
            passed < 0 || passed >= micros(PAUSE)
        })
    }

    fn after(&self, outcome: Result<Fetched, FetchError>, now: IngestedAt) -> Self {
        let attempted_at = Some(now);
        let attempts = self.attempts + 1;
        match outcome {
            Ok(Fetched { keys, max_age }) => {
                let kept = max_age.unwrap_or(KEPT_MIN).clamp(KEPT_MIN, KEPT_MAX);
                Self {
                    keys: Some(Arc::new(keys)),
                    fetched_at: attempted_at,
                    fresh_until: now.micros().saturating_add(micros(kept)),
                    attempted_at,
                    failure: None,
                    attempts,
                }
            }
            Err(error) => Self {
                keys: self.keys.clone(),
                fetched_at: self.fetched_at,
                fresh_until: self.fresh_until,
                attempted_at,
                failure: Some(error.to_string()),
                attempts,
            },
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl std::fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwksCache").field("status", &self.status()).finish_non_exhaustive()
    }
}
