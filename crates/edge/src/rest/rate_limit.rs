//! How many requests a credential may send: a token bucket for each, told in the `RateLimit` headers
//! (draft-ietf-httpapi-ratelimit-headers).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::access::PrincipalId;
use ledgerstone_proof::TenantId;
use tokio::time::Instant;

use super::limits::RateLimit;
use super::problem::Problem;
use super::service::Service;
use crate::auth::Authorised;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Name of the one policy there is.
const NAME: &str = "requests";

/// Buckets that are kept before those that are full again are dropped.
const BUCKETS_KEPT: usize = 10_000;

const NANOS: u128 = 1_000_000_000;

/// The buckets of all credentials.
#[derive(Debug)]
pub(super) struct RateLimiter {
    limit: RateLimit,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    of: HashMap<(TenantId, PrincipalId), Bucket>,
    /// Buckets at which the full ones are dropped the next time.
    sweep_at: usize,
}

/// A bucket as the time at which it would be full again: the generic cell rate algorithm.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

/// What a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    is_granted: bool,
    /// Requests that may follow at once.
    left: u64,
    /// How long until one more may, or until all may where some are left.
    wait: Duration,
}

impl RateLimiter {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, buckets: Mutex::default() }
    }

    /// The time that one request costs.
    fn cost(&self) -> Duration {
        Duration::from_nanos(
            u64::try_from(NANOS / u128::from(self.limit.requests_per_second.max(1))).unwrap_or(1),
        )
        .max(Duration::from_nanos(1))
    }

    fn take(&self, who: (TenantId, PrincipalId), now: Instant) -> Verdict {
        let cost = self.cost();
        let burst = self.limit.burst.max(1);
        let room = cost.saturating_mul(u32::try_from(burst).unwrap_or(u32::MAX));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let bucket = buckets.of.entry(who).or_insert(Bucket { full_at: now });
        let full_at = bucket.full_at.max(now);
        let after = full_at + cost;
        let used = after - now;
        let Some(unused) = room.checked_sub(used) else {
            return Verdict { is_granted: false, left: 0, wait: used.saturating_sub(room) };
        };
        bucket.full_at = after;
        let left = unused.as_nanos() / cost.as_nanos();
        Verdict { is_granted: true, left: u64::try_from(left).unwrap_or(u64::MAX), wait: used }
    }

    fn policy(&self) -> String {
        let RateLimit { requests_per_second, burst } = self.limit;
        // The window in which a whole burst comes back.
        let window = burst.div_ceil(requests_per_second.max(1)).max(1);
        format!("\"{NAME}\";q={burst};w={window};qu=\"requests\"")
    }
}

impl Buckets {
    /// Forgets credentials whose buckets are full, so that memory does not grow with all that ever
    /// asked.
    fn sweep(&mut self, now: Instant) {
        if self.of.len() >= self.sweep_at.max(BUCKETS_KEPT) {
            self.of.retain(|_, bucket| bucket.full_at > now);
            self.sweep_at = 2 * self.of.len();
        }
    }
}

/// Lets a request through if its credential has not used up what it may send.
pub(super) async fn limit_rate(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Response {
    let caller = request.extensions().get::<Authorised>().map(Authorised::caller);
    let (Some(limiter), Some(caller)) = (service.rate_limiter(), caller) else {
        return next.run(request).await;
    };
    let who = (caller.tenant().clone(), caller.principal().clone());
    let verdict = limiter.take(who, Instant::now());
    let mut response = if verdict.is_granted {
        next.run(request).await
    } else {
        let seconds = seconds(verdict.wait);
        let detail = format!("this credential may send again in {seconds} seconds");
        Problem::new(ErrorCode::RateLimited, detail).into_response()
    };
    tell(response.headers_mut(), limiter, verdict);
    response
}

fn tell(headers: &mut HeaderMap, limiter: &RateLimiter, verdict: Verdict) {
    let seconds = seconds(verdict.wait);
    let limit = format!("\"{NAME}\";r={};t={seconds}", verdict.left);
    for (name, text) in [(LIMIT, limit), (POLICY, limiter.policy())] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    if !verdict.is_granted {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// Whole seconds, rounded up, at least one.
fn seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledgerstone_model::access::PrincipalId;
    use ledgerstone_proof::TenantId;
    use tokio::time::Instant;

    use super::{BUCKETS_KEPT, RateLimit, RateLimiter};

    fn who(name: &str) -> (TenantId, PrincipalId) {
        (TenantId::parse("acme").unwrap(), PrincipalId::of_certificate(name))
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let limiter = RateLimiter::new(RateLimit { requests_per_second: 10, burst: 3 });
        let start = Instant::now();
        for left in [2, 1, 0] {
            let verdict = limiter.take(who("a"), start);
            assert!(verdict.is_granted);
            assert_eq!(verdict.left, left);
        }
        let refused = limiter.take(who("a"), start);
        assert!(!refused.is_granted);
        assert_eq!(refused.wait, Duration::from_millis(100));
        assert!(limiter.take(who("b"), start).is_granted, "others are not concerned");
        assert!(!limiter.take(who("a"), start + Duration::from_millis(99)).is_granted);
        assert!(limiter.take(who("a"), start + Duration::from_millis(100)).is_granted);
        let later = start + Duration::from_mins(1);
        assert_eq!(limiter.take(who("a"), later).left, 2, "a pause fills it, and no more");
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let limiter = RateLimiter::new(RateLimit { requests_per_second: 1_000, burst: 1 });
        let start = Instant::now();
        for number in 0..=2 * BUCKETS_KEPT {
            let at = start + Duration::from_millis(number as u64);
            limiter.take(who(&number.to_string()), at);
        }
        assert!(limiter.buckets.lock().unwrap().of.len() <= BUCKETS_KEPT + 1);
    }

    #[test]
    fn the_policy_names_burst_and_window() {
        let limiter = RateLimiter::new(RateLimit { requests_per_second: 50, burst: 200 });
        assert_eq!(limiter.policy(), "\"requests\";q=200;w=4;qu=\"requests\"");
    }
}
