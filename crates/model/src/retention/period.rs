//! Spans of time as law and policies count them: years, months and days.

use std::fmt;

use ledgerstone_proof::IngestedAt;

use crate::calendar::{days_after, months_after};

/// Months that a period may have: 100 years.
const MONTHS_MAX: u32 = 1_200;

/// Days that a period may have beside them: about 100 years.
const DAYS_MAX: u32 = 36_525;

/// A span of time that is not zero, written as ISO 8601 does: `P7Y`, `P24M`, `P90D`, `P1Y6M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    months: u32,
    days: u32,
}

impl Period {
    /// A span of whole years; at most 100, and never zero.
    pub(super) const fn of_months(months: u32) -> Self {
        Self { months, days: 0 }
    }

    /// Reads `P`, then numbers of years (`Y`), months (`M`), weeks (`W`) and days (`D`) in that
    /// order, each at most once. The error says why it is no period.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be a period like P7Y, P24M, P90D or P1Y6M".to_owned();
        let mut rest = text.strip_prefix('P').ok_or_else(wrong)?;
        let (mut months, mut days) = (0_u32, 0_u32);
        for (unit, in_months, in_days) in [('Y', 12, 0), ('M', 1, 0), ('W', 0, 7), ('D', 0, 1)] {
            let Some((digits, after)) = rest.split_once(unit) else { continue };
            let is_number =
                (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            let count: u32 = digits.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
            months = months.saturating_add(count.saturating_mul(in_months));
            days = days.saturating_add(count.saturating_mul(in_days));
            rest = after;
        }
        if !rest.is_empty() || (months == 0 && days == 0) {
            return Err(wrong());
        }
        if months > MONTHS_MAX || days > DAYS_MAX {
            return Err("may be at most 100 years long".to_owned());
        }
        Ok(Self { months, days })
    }

    /// When it is over, counted from a moment. `None` beyond the year 9999.
    pub fn after(self, from: IngestedAt) -> Option<IngestedAt> {
        days_after(months_after(from, self.months)?, u64::from(self.days))
    }

    /// Whether it ends later than another, or at the same moment, wherever both begin.
    pub fn is_never_shorter_than(self, other: Self) -> bool {
        let both = self.months >= other.months && self.days >= other.days;
        both || self.days_at_least() >= other.days_at_most()
    }

    /// Whether it ends earlier than another, or at the same moment, wherever both begin, and
    /// earlier somewhere.
    pub fn is_shorter_than(self, other: Self) -> bool {
        other.is_never_shorter_than(self) && !self.is_never_shorter_than(other)
    }

    /// Any run of months is within three days of so many months of average length (30.436875 days).
    fn days_at_least(self) -> u64 {
        let months = u64::from(self.months) * 30_436 / 1_000;
        months.saturating_sub(3) + u64::from(self.days)
    }

    fn days_at_most(self) -> u64 {
        let margin = if self.months == 0 { 0 } else { 4 };
        u64::from(self.months) * 30_437 / 1_000 + margin + u64::from(self.days)
    }
}

impl fmt::Display for Period {
    /// The shortest spelling: months are written as years where they are whole ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        for (count, unit) in [(self.months / 12, 'Y'), (self.months % 12, 'M'), (self.days, 'D')] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::IngestedAt;
    use proptest::prelude::*;

    use super::Period;

    fn period(text: &str) -> Period {
        Period::parse(text).unwrap()
    }

    #[test]
    fn periods_are_read_and_written() {
        for (text, written) in [
            ("P7Y", "P7Y"),
            ("P24M", "P2Y"),
            ("P1Y6M", "P1Y6M"),
            ("P2W", "P14D"),
            ("P1Y2M3W4D", "P1Y2M25D"),
        ] {
            assert_eq!(period(text).to_string(), written);
            assert_eq!(period(written), period(text));
        }
        for text in ["", "P", "7Y", "P7", "P0D", "PT1H", "P1M1Y", "P-1D", "P1.5Y", "P+1Y", "P101Y"]
        {
            assert!(Period::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn periods_are_compared_where_that_can_be_said() {
        assert!(period("P12M").is_never_shorter_than(period("P1Y")));
        assert!(period("P366D").is_never_shorter_than(period("P1M")));
        assert!(!period("P365D").is_never_shorter_than(period("P1Y")));
        assert!(!period("P1Y").is_never_shorter_than(period("P366D")));
        assert!(period("P5Y").is_shorter_than(period("P6Y")));
        assert!(!period("P6Y").is_shorter_than(period("P72M")));
    }

    fn any_period() -> impl Strategy<Value = Period> {
        (0_u32..200, 0_u32..4_000)
            .prop_filter("not zero", |(months, days)| months + days > 0)
            .prop_map(|(months, days)| Period { months, days })
    }

    proptest! {
        #[test]
        fn comparing_says_nothing_that_a_calendar_denies(
            one in any_period(), other in any_period(), day in 0_i64..20_000
        ) {
            let from = IngestedAt::from_micros(day * 86_400_000_000).unwrap();
            let (ends, others_end) = (one.after(from).unwrap(), other.after(from).unwrap());
            if one.is_never_shorter_than(other) {
                prop_assert!(ends >= others_end);
            }
            if one.is_shorter_than(other) {
                prop_assert!(ends <= others_end);
            }
        }
    }
}
