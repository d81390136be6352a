//! A clock that shows what the test says, so that no test waits and every run is the same.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ledgerstone_model::Clock;
use ledgerstone_proof::IngestedAt;

/// A clock that moves only as told. Shared between threads by reference or `Arc`.
#[derive(Debug)]
pub struct MockClock {
    micros: AtomicI64,
    step_micros: i64,
}

impl MockClock {
    /// 2024-05-01T12:00:00Z, where a test's clock stands unless it cares.
    pub const START_MICROS: i64 = 1_714_564_800_000_000;

    /// A clock that stands still at so many microseconds since 1970, UTC.
    pub fn at(micros: i64) -> Self {
        Self::stepping(micros, Duration::ZERO)
    }

    /// A clock that goes on by `step` each time it is read, after the reading.
    pub fn stepping(micros: i64, step: Duration) -> Self {
        Self { micros: AtomicI64::new(micros), step_micros: whole_micros(step) }
    }

    /// Puts the clock anywhere, also back.
    pub fn set(&self, micros: i64) {
        self.micros.store(micros, Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.micros.fetch_add(whole_micros(by), Ordering::SeqCst);
    }

    /// Moves the clock back, as a wrongly set machine does.
    pub fn jump_back(&self, by: Duration) {
        self.micros.fetch_sub(whole_micros(by), Ordering::SeqCst);
    }
}

impl Default for MockClock {
    /// Stands still at [`MockClock::START_MICROS`].
    fn default() -> Self {
        Self::at(Self::START_MICROS)
    }
}

impl Clock for MockClock {
    /// # Panics
    /// When the test has set the clock outside of the years 0001 to 9999.
    fn now(&self) -> IngestedAt {
        let micros = self.micros.fetch_add(self.step_micros, Ordering::SeqCst);
        match IngestedAt::from_micros(micros) {
            Ok(time) => time,
            Err(error) => panic!("the test's clock was set to {micros} µs: {error}"),
        }
    }
}

/// The duration in whole microseconds; the longest that a clock can show where it is longer still.
fn whole_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ledgerstone_model::Clock;

    use super::MockClock;

    #[test]
    fn the_clock_moves_only_as_told() {
        let clock = MockClock::default();
        assert_eq!(clock.now().to_string(), "2024-05-01T12:00:00.000000Z");
        clock.advance(Duration::from_millis(1500));
        assert_eq!(clock.now().to_string(), "2024-05-01T12:00:01.500000Z");
        clock.jump_back(Duration::from_hours(24));
        assert_eq!(clock.now().to_string(), "2024-04-30T12:00:01.500000Z");
        clock.set(0);
        assert_eq!(clock.now().to_string(), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_stepping_clock_shows_its_start_first() {
        let clock = MockClock::stepping(0, Duration::from_secs(1));
        assert_eq!(clock.now().micros(), 0);
        assert_eq!(clock.now().micros(), 1_000_000);
        assert_eq!(clock.now().micros(), 2_000_000);
    }

    #[test]
    #[should_panic(expected = "the test's clock was set to")]
    fn a_time_that_no_record_can_carry_is_told() {
        MockClock::at(i64::MAX).now();
    }
}
