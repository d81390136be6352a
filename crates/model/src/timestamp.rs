//! When an event happened, as its sender wrote it: RFC 3339 in all its spellings, and the form
//! without a zone that many programs write.
//!
//! The ledger keeps one spelling (`2024-05-01T12:30:00.25Z`: UTC, capital letters, the sender's
//! own digits after the point). A text that is already spelt so is kept as it is; any other is
//! respelt, and the caller keeps the text as sent beside it.

use thiserror::Error;

/// The longest text that is read as a timestamp, in bytes: 20 and 43 digits after the point.
const LENGTH_MAX: usize = 64;

/// Years that the ledger can hold.
const YEARS: std::ops::RangeInclusive<i64> = 1..=9999;

/// A point in time as an event states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTime {
    micros: i64,
    respelt: Option<String>,
    zone: Zone,
}

/// Whether the sender said which zone the time is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    Stated,
    /// Nothing was said; taken as UTC.
    Assumed,
}

/// Why a text is no timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TimestampError {
    #[error("is not a date and time of RFC 3339; write it like 2024-05-01T12:30:00Z")]
    Form,
    #[error("is longer than 64 bytes; write it like 2024-05-01T12:30:00Z")]
    Length,
    #[error("names a day, hour, minute, second or offset that does not exist")]
    Range,
    #[error("has a leap second that is not at the end of a UTC day")]
    LeapSecond,
    #[error("lies outside the years 0001 to 9999")]
    Year,
}

impl EventTime {
    /// Reads an RFC 3339 `date-time` (section 5.6), with a space for the `T` and without an offset
    /// too.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        if text.len() > LENGTH_MAX {
            return Err(TimestampError::Length);
        }
        let fields = Fields::read(text.as_bytes())?;
        let mut seconds = fields.utc_seconds()?;
        let mut fraction = fields.fraction;
        if fields.second == 60 {
            // Time has no place for the 61st second; the last instant before it keeps the order.
            if seconds.rem_euclid(86_400) != 86_399 {
                return Err(TimestampError::LeapSecond);
            }
            fraction = b"999999";
        }
        seconds = in_years(seconds)?;
        let micros = seconds * 1_000_000 + micros_of(fraction);
        Ok(Self {
            micros,
            respelt: (!fields.is_kept_spelling).then(|| spell(seconds, fraction)),
            zone: fields.zone,
        })
    }

    /// Microseconds since 1970-01-01T00:00:00Z, finer digits cut off.
    pub const fn micros(&self) -> i64 {
        self.micros
    }

    /// The ledger's spelling, where it differs from the text that was read.
    pub fn respelt(&self) -> Option<&str> {
        self.respelt.as_deref()
    }

    /// Whether the text named its zone.
    pub const fn zone(&self) -> Zone {
        self.zone
    }
}

/// The parts of the text, each within its own range.
struct Fields<'a> {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    fraction: &'a [u8],
    offset_seconds: i64,
    zone: Zone,
    is_kept_spelling: bool,
}

impl<'a> Fields<'a> {
    fn read(text: &'a [u8]) -> Result<Self, TimestampError> {
        if text.iter().take_while(|byte| byte.is_ascii_digit()).count() > 4 {
            return Err(TimestampError::Year);
        }
        let mut rest = text;
        let year = number(&mut rest, 4)?;
        mark(&mut rest, b"-")?;
        let month = number(&mut rest, 2)?;
        mark(&mut rest, b"-")?;
        let day = number(&mut rest, 2)?;
        let separator = mark(&mut rest, b"Tt ")?;
        let hour = number(&mut rest, 2)?;
        mark(&mut rest, b":")?;
        let minute = number(&mut rest, 2)?;
        mark(&mut rest, b":")?;
        let second = number(&mut rest, 2)?;
        let fraction = fraction(&mut rest)?;
        let (offset_seconds, zone) = offset(rest)?;
        if hour > 23 || minute > 59 || second > 60 || day < 1 || day > days_in(year, month) {
            return Err(TimestampError::Range);
        }
        Ok(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            fraction,
            offset_seconds,
            zone,
            is_kept_spelling: separator == b'T' && rest == b"Z" && second < 60,
        })
    }

    /// Seconds since 1970 UTC; a leap second counts as the second before it.
    fn utc_seconds(&self) -> Result<i64, TimestampError> {
        in_years_of(self.year)?;
        let days = days_since_1970(self.year, self.month, self.day);
        let of_day = self.hour * 3600 + self.minute * 60 + self.second.min(59);
        Ok(days * 86_400 + of_day - self.offset_seconds)
    }
}

fn number(rest: &mut &[u8], digits: usize) -> Result<i64, TimestampError> {
    let (head, tail) = rest.split_at_checked(digits).ok_or(TimestampError::Form)?;
    let mut value = 0;
    for byte in head {
        if !byte.is_ascii_digit() {
            return Err(TimestampError::Form);
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    *rest = tail;
    Ok(value)
}

fn mark(rest: &mut &[u8], allowed: &[u8]) -> Result<u8, TimestampError> {
    match rest.split_first() {
        Some((byte, tail)) if allowed.contains(byte) => {
            *rest = tail;
            Ok(*byte)
        }
        _ => Err(TimestampError::Form),
    }
}

/// The digits after a point; none where there is no point.
fn fraction<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], TimestampError> {
    let Some(tail) = rest.strip_prefix(b".") else {
        return Ok(b"");
    };
    let count = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, tail) = tail.split_at(count);
    if digits.is_empty() {
        return Err(TimestampError::Form);
    }
    *rest = tail;
    Ok(digits)
}

/// `Z`, `z`, `+hh:mm`, `-hh:mm` or nothing; seconds east of UTC.
fn offset(rest: &[u8]) -> Result<(i64, Zone), TimestampError> {
    let (sign, mut digits) = match rest {
        b"" => return Ok((0, Zone::Assumed)),
        b"Z" | b"z" => return Ok((0, Zone::Stated)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return Err(TimestampError::Form),
    };
    let hours = number(&mut digits, 2)?;
    mark(&mut digits, b":")?;
    let minutes = number(&mut digits, 2)?;
    if !digits.is_empty() {
        return Err(TimestampError::Form);
    }
    if hours > 23 || minutes > 59 {
        return Err(TimestampError::Range);
    }
    Ok((sign * (hours * 3600 + minutes * 60), Zone::Stated))
}

fn in_years_of(year: i64) -> Result<(), TimestampError> {
    if YEARS.contains(&year) { Ok(()) } else { Err(TimestampError::Year) }
}

/// An offset may carry the last hours of a year over the edge.
fn in_years(seconds: i64) -> Result<i64, TimestampError> {
    let (year, _, _) = date_of(seconds.div_euclid(86_400));
    in_years_of(year)?;
    Ok(seconds)
}

fn micros_of(fraction: &[u8]) -> i64 {
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    digits.take(6).fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
}

fn spell(seconds: i64, fraction: &[u8]) -> String {
    let (year, month, day) = date_of(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let point = if fraction.is_empty() { "" } else { "." };
    let digits = String::from_utf8_lossy(fraction);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{point}{digits}Z")
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar, counting years from March so
/// that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// The year, month and day that lie so many days after 1970-01-01.
fn date_of(days: i64) -> (i64, i64, i64) {
    let since_march_0 = days + 719_468;
    let era = since_march_0.div_euclid(146_097);
    let of_era = since_march_0.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::{EventTime, TimestampError, Zone, date_of, days_in, days_since_1970};

    #[track_caller]
    fn check(text: &str, micros: i64, respelt: Option<&str>) {
        let time = EventTime::parse(text).unwrap();
        assert_eq!(time.micros(), micros, "{text}");
        assert_eq!(time.respelt(), respelt, "{text}");
    }

    #[test]
    fn utc_is_kept_as_sent() {
        check("1970-01-01T00:00:00Z", 0, None);
        check("2023-07-10T11:42:36Z", 1_688_989_356_000_000, None);
        check("1969-12-31T23:59:59.5Z", -500_000, None);
        check("1970-01-01T00:00:00.1234567890123Z", 123_456, None);
        check("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999, None);
        check("0001-01-01T00:00:00Z", -62_135_596_800_000_000, None);
    }

    #[test]
    fn every_other_spelling_is_respelt() {
        let noon = 1_714_564_800_000_000;
        for (text, respelt) in [
            ("2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00Z"),
            ("2024-05-01T06:30:00-05:30", "2024-05-01T12:00:00Z"),
            ("2024-05-01T12:00:00-00:00", "2024-05-01T12:00:00Z"),
            ("2024-05-01t12:00:00z", "2024-05-01T12:00:00Z"),
            ("2024-05-01 12:00:00Z", "2024-05-01T12:00:00Z"),
            ("2024-05-01T12:00:00", "2024-05-01T12:00:00Z"),
            ("2024-05-01 12:00:00", "2024-05-01T12:00:00Z"),
            ("2024-05-02T11:59:00+23:59", "2024-05-01T12:00:00Z"),
        ] {
            check(text, noon, Some(respelt));
        }
        check(
            "2024-03-01T00:30:00.1234567+01:00",
            1_709_249_400_123_456,
            Some("2024-02-29T23:30:00.1234567Z"),
        );
    }

    #[test]
    fn only_a_missing_zone_is_assumed() {
        for (text, zone) in [
            ("2024-05-01T12:00:00.123456", Zone::Assumed),
            ("2024-05-01T12:00:00Z", Zone::Stated),
            ("2024-05-01T12:00:00-00:00", Zone::Stated),
        ] {
            assert_eq!(EventTime::parse(text).unwrap().zone(), zone, "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_last_instant_of_its_day() {
        let last = 1_483_228_799_999_999;
        let respelt = Some("2016-12-31T23:59:59.999999Z");
        check("2016-12-31T23:59:60Z", last, respelt);
        check("2016-12-31T15:59:60.25-08:00", last, respelt);
        assert_eq!(EventTime::parse("2016-12-31T12:00:60Z"), Err(TimestampError::LeapSecond));
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_reason() {
        use TimestampError::{Form, Length, Range, Year};
        let long = format!("2024-05-01T12:00:00.{}Z", "1".repeat(44));
        for (text, error) in [
            ("", Form),
            ("yesterday", Form),
            ("2024-05-01", Form),
            ("2024-05-01T12:00Z", Form),
            ("2024-05-01T12:00:00.Z", Form),
            ("2024-05-01T12:00:00+0200", Form),
            ("2024-05-01T12:00:00 Z", Form),
            ("2024-05-01T12:00:00ZZ", Form),
            ("2024-5-1T12:00:00Z", Form),
            ("-024-05-01T12:00:00Z", Form),
            ("2024-13-01T12:00:00Z", Range),
            ("2023-02-29T12:00:00Z", Range),
            ("2024-05-00T12:00:00Z", Range),
            ("2024-05-01T24:00:00Z", Range),
            ("2024-05-01T12:60:00Z", Range),
            ("2024-05-01T12:00:61Z", Range),
            ("2024-05-01T12:00:00+24:00", Range),
            ("99999-01-01T00:00:00Z", Year),
            ("0000-12-31T00:00:00Z", Year),
            ("9999-12-31T23:59:59-00:01", Year),
            ("0001-01-01T00:00:00+00:01", Year),
            (&long, Length),
        ] {
            assert_eq!(EventTime::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_calendar_runs_both_ways_without_a_gap() {
        let (mut year, mut month, mut day) = (1, 1, 1);
        let first = days_since_1970(1, 1, 1);
        let last = days_since_1970(9999, 12, 31);
        assert_eq!(last - first, 3_652_058);
        for days in first..=last {
            assert_eq!(date_of(days), (year, month, day));
            assert_eq!(days_since_1970(year, month, day), days);
            day += 1;
            if day > days_in(year, month) {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
