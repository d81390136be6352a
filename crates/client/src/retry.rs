//! When a request is sent again.

use std::time::Duration;

/// How often and how soon a request is repeated that failed for a while.
///
/// Only what is safe is repeated. A request that changes nothing, and one whose events all carry an id
/// or that has an [`IdempotencyKey`](crate::IdempotencyKey), is repeated after a refused or broken
/// connection, a timeout, and an answer 429 or 503 that names `Retry-After`. Any other request is
/// repeated only where it cannot have had an effect: after a connection that never came to be, and
/// after such an answer, unless that says that the outcome is unknown.
///
/// The pause doubles from one attempt to the next; `Retry-After` makes it longer, never shorter. A
/// server that asks for more than `LONGEST_WAIT` is not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    attempts_max: u32,
    first_pause: Duration,
    longest_pause: Duration,
}

/// The longest `Retry-After` that is waited for.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(1);

impl Retry {
    /// At most so many attempts, the first one counted, with pauses from `first_pause` to
    /// `longest_pause`.
    pub const fn new(attempts_max: u32, first_pause: Duration, longest_pause: Duration) -> Self {
        Self { attempts_max, first_pause, longest_pause }
    }

    /// One attempt.
    pub const fn never() -> Self {
        Self::new(1, Duration::ZERO, Duration::ZERO)
    }

    /// The pause after attempt number `attempt`, counted from 1; none where there is no other.
    pub(crate) fn pause_after(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        if attempt >= self.attempts_max || retry_after.is_some_and(|wait| wait > LONGEST_WAIT) {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let own = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        Some(own.max(retry_after.unwrap_or_default()))
    }
}

impl Default for Retry {
    /// Six attempts within about six seconds.
    fn default() -> Self {
        Self::new(6, Duration::from_millis(200), Duration::from_secs(10))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LONGEST_WAIT, Retry};

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let ms = Duration::from_millis;
        let retry = Retry::new(5, ms(100), ms(300));
        let pauses: Vec<_> = (1..6).map(|attempt| retry.pause_after(attempt, None)).collect();
        assert_eq!(pauses, [Some(ms(100)), Some(ms(200)), Some(ms(300)), Some(ms(300)), None]);
        assert_eq!(Retry::never().pause_after(1, None), None);
    }

    #[test]
    fn what_the_server_asks_for_is_the_least() {
        let retry = Retry::default();
        let second = Duration::from_secs(1);
        assert_eq!(retry.pause_after(1, Some(second)), Some(second));
        assert_eq!(retry.pause_after(5, Some(second)), Some(Duration::from_millis(3_200)));
        assert_eq!(retry.pause_after(1, Some(LONGEST_WAIT + second)), None);
    }
}
