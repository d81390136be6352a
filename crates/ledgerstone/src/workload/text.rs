//! Chance and text as fast as memory allows: a bench must measure the ledger, not its generator.

/// A splitmix64 stream.
#[derive(Debug)]
pub struct Random {
    state: u64,
}

/// The step of splitmix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes a number one to one: different numbers stay different.
pub const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(STEP);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// The stream that belongs to one event of a seed.
    pub const fn for_event(seed: u64, number: u64) -> Self {
        Self { state: mix(seed ^ mix(number)) }
    }

    pub const fn next(&mut self) -> u64 {
        let number = mix(self.state);
        self.state = self.state.wrapping_add(STEP);
        number
    }

    /// A number below `bound`, which must be less than 2^32.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }

    /// A number below `bound` that is small more often than large, as busy things are in real logs.
    pub const fn skewed(&mut self, bound: u64) -> u64 {
        let ceiling = self.below(bound) + 1;
        self.below(ceiling)
    }
}

/// Two lower-case hexadecimal digits for every byte.
const HEX: [[u8; 2]; 256] = hex_table();

const fn hex_table() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
}

/// The lowest `digits` (even, at most 16) hexadecimal digits of a number.
pub fn push_hex(out: &mut Vec<u8>, number: u64, digits: usize) {
    let bytes = number.to_be_bytes();
    let wanted = bytes.iter().skip(8_usize.saturating_sub(digits / 2));
    for &byte in wanted {
        out.extend_from_slice(&HEX[usize::from(byte)]);
    }
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A number as eleven base64url digits; the last one carries four bits.
pub fn push_base64(out: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    let mut digits = [0; 11];
    for digit in &mut digits {
        let [top, ..] = rest.to_be_bytes();
        *digit = BASE64URL[usize::from(top >> 2)];
        rest <<= 6;
    }
    out.extend_from_slice(&digits);
}

/// A random UUID (version 4) made of two random numbers.
pub fn push_uuid(out: &mut Vec<u8>, high: u64, low: u64) {
    let high = high & !0xf000 | 0x4000;
    push_uuid_digits(out, high, low);
}

/// A UUID of version 7: milliseconds since 1970, then what is given.
pub fn push_uuid_v7(out: &mut Vec<u8>, millis: u64, high: u64, low: u64) {
    let high = millis << 16 | 0x7000 | high & 0xfff;
    push_uuid_digits(out, high, low);
}

/// Writes 128 bits as a UUID. The variant takes two bits of `low`; they are moved into the low
/// bits of the third group of `high`, so that nothing that tells two ids apart is lost.
fn push_uuid_digits(out: &mut Vec<u8>, high: u64, low: u64) {
    let high = high & !0b11 | low >> 62;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    push_hex(out, high >> 32, 8);
    out.push(b'-');
    push_hex(out, high >> 16, 4);
    out.push(b'-');
    push_hex(out, high, 4);
    out.push(b'-');
    push_hex(out, low >> 48, 4);
    out.push(b'-');
    push_hex(out, low, 12);
}

/// A number with at least `width` digits, zeros in front.
pub fn push_decimal(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        if number == 0 {
            break;
        }
        // A remainder of ten fits any integer.
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
    }
    let start = start.min(digits.len().saturating_sub(width));
    out.extend_from_slice(&digits[start..]);
}

/// A number without zeros in front.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    push_decimal(out, number, 1);
}

const DAY_MILLIS: u64 = 86_400_000;

/// `2026-01-05T07:08:09.123Z` of milliseconds since 1970.
pub fn push_timestamp(out: &mut Vec<u8>, millis: u64) {
    let (year, month, day) = civil(millis / DAY_MILLIS);
    let within = millis % DAY_MILLIS;
    push_decimal(out, year, 4);
    out.push(b'-');
    push_decimal(out, month, 2);
    out.push(b'-');
    push_decimal(out, day, 2);
    out.push(b'T');
    push_decimal(out, within / 3_600_000, 2);
    out.push(b':');
    push_decimal(out, within / 60_000 % 60, 2);
    out.push(b':');
    push_decimal(out, within / 1000 % 60, 2);
    out.push(b'.');
    push_decimal(out, within % 1000, 3);
    out.push(b'Z');
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant, `civil_from_days`).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::{
        push_base64, push_decimal, push_hex, push_number, push_timestamp, push_uuid, push_uuid_v7,
    };

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers() {
        for (number, width, text) in
            [(0, 1, "0"), (7, 3, "007"), (1234, 2, "1234"), (u64::MAX, 1, "18446744073709551615")]
        {
            assert_eq!(written(|out| push_decimal(out, number, width)), text);
        }
        assert_eq!(written(|out| push_number(out, 100)), "100");
        assert_eq!(written(|out| push_hex(out, 0xdead_beef, 16)), "00000000deadbeef");
        assert_eq!(written(|out| push_hex(out, 0xdead_beef, 4)), "beef");
    }

    #[test]
    fn base64_digits() {
        for (number, text) in
            [(0, "AAAAAAAAAAA"), (u64::MAX, "__________8"), (0x0123_4567_89ab_cdef, "ASNFZ4mrze8")]
        {
            assert_eq!(written(|out| push_base64(out, number)), text);
        }
    }

    #[test]
    fn uuids_carry_version_variant_and_every_bit_that_differs() {
        let random = written(|out| push_uuid(out, u64::MAX, u64::MAX));
        assert_eq!(random, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let timed = written(|out| push_uuid_v7(out, 0x0123_4567_89ab, 0, 0));
        assert_eq!(timed, "01234567-89ab-7000-8000-000000000000");
        let ids: std::collections::HashSet<String> =
            (0..4).map(|top| written(|out| push_uuid_v7(out, 1, 0, top << 62))).collect();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn timestamps() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (1_767_571_200_000, "2026-01-05T00:00:00.000Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(written(|out| push_timestamp(out, millis)), text);
        }
    }
}
