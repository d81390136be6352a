//! The months by which the access log seals what callers looked for.

use std::fmt;

use ledgerstone_proof::IngestedAt;

/// A month of the calendar, in UTC. What callers looked for is sealed under a key of each month, which is
/// destroyed when [`Self::LIFETIME`] months have begun after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessMonth(u32);

impl AccessMonth {
    /// Months after which the key of a month is destroyed.
    pub const LIFETIME: u32 = 13;

    /// The month of a moment.
    pub fn of(at: IngestedAt) -> Self {
        let text = at.to_string();
        let number = |range| text.get(range).and_then(|digits: &str| digits.parse().ok());
        let (year, month): (u32, u32) =
            (number(0..4).unwrap_or_default(), number(5..7).unwrap_or(1));
        Self(12 * year + month.saturating_sub(1))
    }

    /// The month so many months before; the first one there is where there are not so many.
    #[must_use]
    pub const fn before(self, months: u32) -> Self {
        Self(self.0.saturating_sub(months))
    }

    /// The newest month whose key is to be gone while this is the month.
    #[must_use]
    pub const fn newest_outlived(self) -> Self {
        self.before(Self::LIFETIME)
    }

    /// The months from this one to `last`, both included.
    pub fn to(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }
}

impl fmt::Display for AccessMonth {
    /// `YYYY-MM`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.0 % 12 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::AccessMonth;
    use ledgerstone_proof::IngestedAt;

    fn of(text: &str) -> AccessMonth {
        AccessMonth::of(IngestedAt::parse(text).unwrap())
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let december = of("2025-12-31T23:59:59.999999Z");
        assert_eq!(december.to_string(), "2025-12");
        let january = of("2026-01-01T00:00:00.000000Z");
        assert_eq!(december.to(january).collect::<Vec<_>>(), [december, january]);
        assert_eq!(january.before(1), december);
        assert_eq!(of("2026-11-20T00:00:00.000000Z").newest_outlived().to_string(), "2025-10");
    }
}
