//! Turns of requests that read the disk or compute: so many at one moment, and of each credential no more
//! than its share, so that who asks much waits for itself and not all others for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ledgerstone_model::access::PrincipalId;
use ledgerstone_proof::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;
use crate::auth::Caller;

/// Credentials that may be remembered before those without a turn are forgotten.
const REMEMBERED_MAX: usize = 1024;

/// Whose a turn is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holder(TenantId, PrincipalId);

tokio::task_local! {
    /// By whose credential the request is that this task serves.
    static HOLDER: Holder;
}

impl Holder {
    pub(super) fn of(caller: &Caller) -> Self {
        Self(caller.tenant().clone(), caller.principal().clone())
    }

    /// Works on its behalf: turns that are taken meanwhile are of its share.
    pub(super) async fn during<T>(self, work: impl Future<Output = T>) -> T {
        HOLDER.scope(self, work).await
    }
}

/// The turns there are.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    each: usize,
    /// Of credentials that have a turn or wait for one; others may be there too.
    shares: Mutex<HashMap<Holder, Weak<Semaphore>>>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _own: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(limits: &Limits) -> Self {
        let permits = |count: usize| count.min(Semaphore::MAX_PERMITS);
        Self {
            all: Arc::new(Semaphore::new(permits(limits.blocking_requests))),
            each: permits(limits.blocking_requests_per_credential),
            shares: Mutex::default(),
        }
    }

    /// The next turn, for whoever this task works for. `None` once there are none any more.
    pub(super) async fn take(&self) -> Option<Turn> {
        let own = match HOLDER.try_with(|holder| self.share(holder)) {
            Ok(share) => Some(share.acquire_owned().await.ok()?),
            Err(_) => None,
        };
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Turn { _own: own, _all: all })
    }

    /// The share of a credential, which lasts as long as somebody has of it or waits for it.
    fn share(&self, holder: &Holder) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(holder).and_then(Weak::upgrade) {
            return share;
        }
        if shares.len() >= REMEMBERED_MAX {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.each));
        shares.insert(holder.clone(), Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledgerstone_model::access::PrincipalId;
    use ledgerstone_proof::TenantId;
    use tokio::time::timeout;

    use super::{Holder, Limits, Turn, Turns};

    fn holder(number: u8) -> Holder {
        let principal = PrincipalId::of_jwt("https://issuer.example", &number.to_string());
        Holder(TenantId::parse("acme").unwrap(), principal)
    }

    async fn take(turns: &Turns, who: u8) -> Option<Turn> {
        timeout(Duration::from_millis(50), holder(who).during(turns.take())).await.ok().flatten()
    }

    #[tokio::test]
    async fn a_share_is_all_that_one_has_and_comes_back() {
        let (blocking_requests, blocking_requests_per_credential) = (4, 2);
        let turns = Turns::new(&Limits {
            blocking_requests,
            blocking_requests_per_credential,
            ..Limits::default()
        });
        let held = (take(&turns, 1).await.unwrap(), take(&turns, 1).await.unwrap());
        assert!(take(&turns, 1).await.is_none());
        let other = take(&turns, 2).await.unwrap();
        drop(held);
        let again = (take(&turns, 1).await.unwrap(), take(&turns, 1).await.unwrap());
        let last = take(&turns, 3).await.unwrap();
        // Nobody's share is used up, and yet there is none left.
        assert!(take(&turns, 4).await.is_none());
        drop((other, again, last));
        assert_eq!(turns.all.available_permits(), 4);
    }

    #[tokio::test]
    async fn who_has_none_is_forgotten() {
        let turns = Turns::new(&Limits::default());
        for number in 0..=u8::MAX {
            for tenant in 0..8 {
                let Holder(_, principal) = holder(number);
                let tenant = TenantId::parse(&format!("t{tenant}")).unwrap();
                drop(Holder(tenant, principal).during(turns.take()).await.unwrap());
            }
        }
        assert!(turns.shares.lock().unwrap().len() <= super::REMEMBERED_MAX);
    }
}
