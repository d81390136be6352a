//! What the handlers share.

use std::sync::Arc;

use ledgerstone_ledger::{DeadLetters, JobPool, Ledger};
use ledgerstone_model::{Clock, Entropy, Numbers};
use tokio::sync::Semaphore;

use super::answer_memory::AnswerMemory;
use super::cursor::CursorKey;
use super::limits::Limits;
use super::memory::Memory;
use super::number_rules::NumberRules;
use super::operation::Operation;
use super::rate_limit::RateLimiter;
use super::stream_turns::StreamTurns;
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
    turns: Arc<Semaphore>,
    /// Turns of NDJSON requests, which may last.
    stream_turns: Arc<StreamTurns>,
    body_memory: Memory,
    answer_memory: AnswerMemory,
    rate_limiter: Option<RateLimiter>,
    operation: Operation,
    metrics: Metrics,
}

impl Service {
    pub fn new(parts: ServiceParts) -> Self {
        let semaphore =
            |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let Limits { body_bytes_in_memory, blocking_requests, .. } = parts.limits;
        Self(Arc::new(Shared {
            rate_limiter: parts.limits.rate.map(RateLimiter::new),
            operation: Operation::default(),
            metrics: Metrics::default(),
            stream_turns: StreamTurns::new(&parts.limits),
            answer_memory: AnswerMemory::new(&parts.limits),
            parts,
            turns: semaphore(blocking_requests),
            body_memory: Memory::new(body_bytes_in_memory),
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

    /// An id for a request that brought none.
    pub(super) fn new_request_id(&self) -> String {
        let mut id = [0; 16];
        self.0.parts.entropy.fill(&mut id);
        format!("{:032x}", u128::from_be_bytes(id))
    }

    pub(super) fn turns(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.turns)
    }
}
