//! What the handlers share.

use std::sync::Arc;

use ledgerstone_ledger::{DeadLetters, JobPool, Ledger};
use ledgerstone_model::{Clock, Entropy, Numbers};

use super::answer_memory::AnswerMemory;
use super::append::Followed;
use super::cursor::CursorKey;
use super::examiner::Examiner;
use super::limits::Limits;
use super::memory::Memory;
use super::number_rules::NumberRules;
use super::operation::Operation;
use super::rate_limit::RateLimiter;
use super::stream_turns::StreamTurns;
use super::turns::Turns;
use crate::auth::{Authenticator, Caller};
use crate::metrics::Metrics;

/// What a service is made of.
pub struct ServiceParts {
    pub ledger: Arc<Ledger>,
    pub authenticator: Authenticator,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub limits: Limits,
    pub jobs: Arc<JobPool>,
    pub cursor_key: CursorKey,
    pub dead_letters: Arc<DeadLetters>,
    /// What becomes of numbers that are not exact, unless a request says otherwise.
    pub numbers: NumberRules,
}

/// What the handlers share; cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    parts: ServiceParts,
    /// Turns of requests that read or compute in a thread of their own.
    turns: Turns,
    /// Turns of NDJSON requests, which may last.
    stream_turns: Arc<StreamTurns>,
    body_memory: Memory,
    answer_memory: AnswerMemory,
    /// Submissions whose senders did not wait.
    followed: Followed,
    rate_limiter: Option<RateLimiter>,
    examiner: Examiner,
    operation: Operation,
    metrics: Metrics,
}

impl Service {
    pub fn new(parts: ServiceParts) -> Self {
        let body_bytes = parts.limits.body_bytes_in_memory;
        Self(Arc::new(Shared {
            rate_limiter: parts.limits.rate.map(RateLimiter::new),
            operation: Operation::default(),
            metrics: Metrics::default(),
            stream_turns: StreamTurns::new(&parts.limits),
            followed: Followed::default(),
            answer_memory: AnswerMemory::new(&parts.limits),
            turns: Turns::new(&parts.limits),
            examiner: Examiner::default(),
            parts,
            body_memory: Memory::new(body_bytes),
        }))
    }

    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.0.parts.ledger
    }

    pub fn authenticator(&self) -> &Authenticator {
        &self.0.parts.authenticator
    }

    /// How the process is doing.
    pub fn operation(&self) -> &Operation {
        &self.0.operation
    }

    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(super) fn rate_limiter(&self) -> Option<&RateLimiter> {
        self.0.rate_limiter.as_ref()
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.0.parts.clock
    }

    pub(super) fn entropy(&self) -> &dyn Entropy {
        &*self.0.parts.entropy
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.parts.limits
    }

    /// The jobs of all tenants.
    pub fn jobs(&self) -> &Arc<JobPool> {
        &self.0.parts.jobs
    }

    pub(super) fn dead_letters(&self) -> &Arc<DeadLetters> {
        &self.0.parts.dead_letters
    }

    /// What becomes of numbers that are not exact, unless the request says otherwise.
    pub(super) fn numbers(&self, caller: &Caller) -> Numbers {
        self.0.parts.numbers.of(caller)
    }

    pub(super) fn cursor_key(&self) -> &CursorKey {
        &self.0.parts.cursor_key
    }

    pub(super) fn stream_turns(&self) -> &Arc<StreamTurns> {
        &self.0.stream_turns
    }

    /// Memory for bodies and what is made of them.
    pub(super) fn body_memory(&self) -> &Memory {
        &self.0.body_memory
    }

    /// Memory for answers until they have gone out.
    pub(super) fn answer_memory(&self) -> &AnswerMemory {
        &self.0.answer_memory
    }

    pub(super) fn followed(&self) -> &Followed {
        &self.0.followed
    }

    /// Waits until it is known, counted and told what became of all events whose senders did not wait:
    /// for who stops the server, before the ledgers are closed.
    pub async fn all_followed(&self) {
        self.0.followed.none_left().await;
    }

    /// An id for a request that brought none.
    pub(super) fn new_request_id(&self) -> String {
        let mut id = [0; 16];
        self.0.parts.entropy.fill(&mut id);
        format!("{:032x}", u128::from_be_bytes(id))
    }

    pub(super) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    pub(super) fn examiner(&self) -> &Examiner {
        &self.0.examiner
    }
}
