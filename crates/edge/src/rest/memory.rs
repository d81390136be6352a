//! Memory that many requests share, counted before it is taken: what there is no room for is refused, and
//! not held.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bytes that one permit stands for.
const PERMIT_BYTES: usize = 1024;

/// So many bytes for all who claim some of them.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    free: Arc<Semaphore>,
    permits: u32,
}

/// Bytes that are spoken for, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    permit: OwnedSemaphorePermit,
    free: Arc<Semaphore>,
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        let permits = (bytes / PERMIT_BYTES).min(Semaphore::MAX_PERMITS);
        let permits = u32::try_from(permits).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(permits as usize)), permits }
    }

    /// Claims bytes that are free now.
    pub(super) fn claim(&self, bytes: usize) -> Option<Claim> {
        let permit = Arc::clone(&self.free).try_acquire_many_owned(permits_for(bytes)).ok()?;
        Some(Claim { permit, free: Arc::clone(&self.free) })
    }

    /// Claims bytes, waiting so long for them; all that there is where more is asked for.
    pub(super) async fn claim_within(&self, bytes: usize, time: Duration) -> Option<Claim> {
        let permits = permits_for(bytes).min(self.permits);
        let free = Arc::clone(&self.free);
        let permit = timeout(time, free.acquire_many_owned(permits)).await.ok()?.ok()?;
        Some(Claim { permit, free: Arc::clone(&self.free) })
    }
}

impl Claim {
    /// Makes it one of so many bytes: gives back what is too much, and claims what is missing, if
    /// that is free now. Where it is not, `false`, and nothing changes.
    #[must_use]
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let wanted = permits_for(bytes) as usize;
        let held = self.permit.num_permits();
        if wanted <= held {
            // What is split off is given back.
            drop(self.permit.split(held - wanted));
            return true;
        }
        let missing = u32::try_from(wanted - held).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.free).try_acquire_many_owned(missing) else { return false };
        self.permit.merge(more);
        true
    }

    /// The bytes that it stands for, in whole permits.
    pub(super) fn bytes(&self) -> usize {
        self.permit.num_permits().saturating_mul(PERMIT_BYTES)
    }
}

fn permits_for(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Memory, PERMIT_BYTES};

    #[test]
    fn claims_grow_and_shrink_within_what_there_is() {
        let memory = Memory::new(10 * PERMIT_BYTES);
        let mut first = memory.claim(1).unwrap();
        let second = memory.claim(6 * PERMIT_BYTES).unwrap();
        assert!(memory.claim(4 * PERMIT_BYTES).is_none());
        assert!(first.hold(4 * PERMIT_BYTES));
        assert!(!first.hold(4 * PERMIT_BYTES + 1));
        assert_eq!(first.bytes(), 4 * PERMIT_BYTES);
        assert!(memory.claim(1).is_none());
        assert!(first.hold(PERMIT_BYTES));
        assert!(memory.claim(3 * PERMIT_BYTES).is_some());
        drop((first, second));
        assert!(memory.claim(10 * PERMIT_BYTES).is_some());
        assert!(memory.claim(11 * PERMIT_BYTES).is_none());
    }

    #[tokio::test]
    async fn who_waits_gets_what_comes_free_and_never_more_than_there_is() {
        let memory = Memory::new(4 * PERMIT_BYTES);
        let soon = Duration::from_millis(20);
        let all = memory.claim_within(100 * PERMIT_BYTES, soon).await.unwrap();
        assert!(memory.claim_within(1, soon).await.is_none());
        let other = memory.clone();
        let waiting =
            tokio::spawn(async move { other.claim_within(1, Duration::from_mins(1)).await });
        drop(all);
        assert!(waiting.await.unwrap().is_some());
    }
}
