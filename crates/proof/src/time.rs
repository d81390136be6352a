//! The moment a record was taken in, in the one form a header knows.

use std::fmt;

use thiserror::Error;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00.000000Z.
const MIN_MICROS: i64 = -62_135_596_800 * MICROS_PER_SECOND;
/// 9999-12-31T23:59:59.999999Z.
const MAX_MICROS: i64 = 253_402_300_800 * MICROS_PER_SECOND - 1;
/// Length of `YYYY-MM-DDTHH:MM:SS.ffffffZ`.
const TEXT_LENGTH: usize = 27;

/// A moment that a header cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TimeError {
    /// Before year 1 or after year 9999.
    #[error("a time lies between the years 0001 and 9999")]
    OutOfRange,
    /// Not exactly `YYYY-MM-DDTHH:MM:SS.ffffffZ`, or no such date.
    #[error("a time is written YYYY-MM-DDTHH:MM:SS.ffffffZ, six digits, in UTC")]
    Form,
}

/// When a record was taken in: microseconds since 1970-01-01T00:00:00Z without leap seconds,
/// within the years 0001 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IngestedAt(i64);

impl IngestedAt {
    /// The moment that many microseconds after (before, if negative) 1970-01-01T00:00:00Z.
    pub const fn from_micros(micros: i64) -> Result<Self, TimeError> {
        if micros < MIN_MICROS || micros > MAX_MICROS {
            return Err(TimeError::OutOfRange);
        }
        Ok(Self(micros))
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Appends `YYYY-MM-DDTHH:MM:SS.ffffffZ`, always six digits.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text());
    }

    /// Reads what [`Self::write`] writes and nothing else.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        Self::parse_bytes(text.as_bytes()).ok_or(TimeError::Form)
    }

    pub(crate) fn parse_bytes(text: &[u8]) -> Option<Self> {
        let [
            y @ ..,
            b'-',
            m1,
            m2,
            b'-',
            d1,
            d2,
            b'T',
            h1,
            h2,
            b':',
            i1,
            i2,
            b':',
            s1,
            s2,
            b'.',
            f1,
            f2,
            f3,
            f4,
            f5,
            f6,
            b'Z',
        ] = text
        else {
            return None;
        };
        if y.len() != 4 {
            return None;
        }
        let year = decimal(y)?;
        let month = decimal(&[*m1, *m2])?;
        let day = decimal(&[*d1, *d2])?;
        let hour = decimal(&[*h1, *h2])?;
        let minute = decimal(&[*i1, *i2])?;
        let second = decimal(&[*s1, *s2])?;
        let fraction = decimal(&[*f1, *f2, *f3, *f4, *f5, *f6])?;
        if year == 0 || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        // A date that does not exist comes back as another.
        if civil_from_days(days) != (year, month, day) {
            return None;
        }
        let seconds = days * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second;
        Self::from_micros(seconds * MICROS_PER_SECOND + fraction).ok()
    }

    fn text(self) -> [u8; TEXT_LENGTH] {
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let fraction = self.0.rem_euclid(MICROS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let parts = [
            (3, 4, year),
            (6, 2, month),
            (9, 2, day),
            (12, 2, of_day / 3_600),
            (15, 2, of_day / 60 % 60),
            (18, 2, of_day % 60),
            (25, 6, fraction),
        ];
        for (last, digits, value) in parts {
            write_decimal(&mut text, last, digits, value);
        }
        text
    }
}

/// Writes `digits` decimal digits of `value` so that the last stands at index `last`.
#[expect(clippy::cast_sign_loss, reason = "no part of a date is negative")]
fn write_decimal(text: &mut [u8; TEXT_LENGTH], last: usize, digits: usize, value: i64) {
    let mut rest = value;
    let place = text.get_mut(last + 1 - digits..=last).unwrap_or_default();
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

fn decimal(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
    })
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar, counted in years that
/// begin in March, so that the leap day is the last (Hinnant, `chrono`-compatible date algorithms).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date that many days after 1970-01-01, as (year, month, day).
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for IngestedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Digits are ASCII, so this cannot fail.
        f.pad(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for IngestedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
