//! Calendar arithmetic, as deadlines and periods of law are counted.

use ledgerstone_proof::IngestedAt;

/// The same day and time that many months later, or the last day of that month where it has no such
/// day (Regulation (EEC, Euratom) No 1182/71, article 3(2)(c)). `None` beyond the year 9999.
pub fn months_after(at: IngestedAt, months: u32) -> Option<IngestedAt> {
    let text = at.to_string();
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let mut parts = date.split('-').map(|part| part.parse::<u32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let count = month.checked_sub(1)?.checked_add(months)?;
    let (year, month) = (year.checked_add(count / 12)?, count % 12 + 1);
    if year > 9999 {
        return None;
    }
    let on = |day: u32| IngestedAt::parse(&format!("{year:04}-{month:02}-{day:02}{rest}")).ok();
    (1..=day).rev().take(4).find_map(on)
}

/// That many times 24 hours later. `None` beyond the year 9999.
pub fn days_after(at: IngestedAt, days: u64) -> Option<IngestedAt> {
    const DAY_MICROS: i64 = 86_400_000_000;
    let micros = i64::try_from(days).ok()?.checked_mul(DAY_MICROS)?;
    IngestedAt::from_micros(at.micros().checked_add(micros)?).ok()
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::IngestedAt;

    use super::{days_after, months_after};

    fn at(text: &str) -> IngestedAt {
        IngestedAt::parse(&format!("{text}T10:11:12.000013Z")).unwrap()
    }

    #[test]
    fn a_month_is_a_calendar_month() {
        for (from, months, to) in [
            ("2026-01-31", 1, "2026-02-28"),
            ("2028-01-31", 1, "2028-02-29"),
            ("2026-03-15", 1, "2026-04-15"),
            ("2026-12-31", 3, "2027-03-31"),
            ("2026-10-31", 13, "2027-11-30"),
            ("2026-05-01", 1, "2026-06-01"),
            ("2024-02-29", 84, "2031-02-28"),
        ] {
            assert_eq!(months_after(at(from), months), Some(at(to)), "{from} + {months}");
        }
        assert_eq!(months_after(at("9999-01-01"), 12), None);
        assert_eq!(months_after(at("2026-01-01"), u32::MAX), None);
    }

    #[test]
    fn a_day_is_24_hours() {
        assert_eq!(days_after(at("2026-02-27"), 2), Some(at("2026-03-01")));
        assert_eq!(days_after(at("2026-02-27"), u64::MAX), None);
        assert_eq!(days_after(at("2026-02-27"), 4_000_000), None);
    }
}
