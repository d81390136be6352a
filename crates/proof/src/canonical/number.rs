//! JSON numbers: their grammar, their ECMAScript form (RFC 8785 §3.2.2.3), and whether that form
//! keeps their value.

use super::CanonFault;

/// The largest magnitude that strict canonical JSON holds: 2^53 - 1.
const MAX_MAGNITUDE: f64 = 9_007_199_254_740_991.0;

/// The digits of [`MAX_MAGNITUDE`].
const MAX_DIGITS: &[u8] = b"9007199254740991";

/// A decimal of at most this many digits is the shortest spelling of its double.
const SAFE_DIGITS: usize = 15;

/// Where the parts of a number stand, all lengths in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    negative: bool,
    integer_digits: usize,
    /// 0 when there is no fraction.
    fraction_digits: usize,
    exponent: bool,
    /// Length of the whole number.
    pub(super) length: usize,
}

/// What becomes of a number.
pub(super) enum Form {
    /// It is canonical as it stands.
    Verbatim,
    /// It is written as this double.
    Double(f64),
    /// Its double is another value, or beyond 2^53 - 1; the double may be infinite.
    Inexact(f64),
}

/// Reads the number that `bytes` begins with (RFC 8259 §6). A fault comes with its offset.
pub(super) fn scan(bytes: &[u8]) -> Result<Shape, (usize, CanonFault)> {
    let negative = bytes.first() == Some(&b'-');
    let mut at = usize::from(negative);
    let integer_digits = digit_run(bytes, at);
    match (integer_digits, bytes.get(at)) {
        (0, _) => return Err((at, CanonFault::Syntax("expected a digit"))),
        (2.., Some(b'0')) => {
            return Err((at, CanonFault::Syntax("a number has no leading zeros")));
        }
        _ => at += integer_digits,
    }
    let mut fraction_digits = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        fraction_digits = needed_digits(bytes, at)?;
        at += fraction_digits;
    }
    let exponent = matches!(bytes.get(at), Some(b'e' | b'E'));
    if exponent {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at += needed_digits(bytes, at)?;
    }
    Ok(Shape { negative, integer_digits, fraction_digits, exponent, length: at })
}

fn digit_run(bytes: &[u8], at: usize) -> usize {
    let digits = bytes.get(at..).unwrap_or_default();
    digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len())
}

fn needed_digits(bytes: &[u8], at: usize) -> Result<usize, (usize, CanonFault)> {
    match digit_run(bytes, at) {
        0 => Err((at, CanonFault::Syntax("expected a digit"))),
        digits => Ok(digits),
    }
}

/// The canonical form of the number `text` of that shape.
pub(super) fn form(text: &[u8], shape: Shape) -> Form {
    if is_canonical(text, shape) {
        return Form::Verbatim;
    }
    let double =
        std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY);
    if double.abs() > MAX_MAGNITUDE || !is_exact(text, double) {
        return Form::Inexact(double);
    }
    Form::Double(double)
}

/// Whether a number is surely its own canonical form: short enough to be the shortest spelling of
/// its double, and spelled as ECMAScript spells it. `false` decides nothing.
fn is_canonical(text: &[u8], shape: Shape) -> bool {
    if shape.exponent {
        return false;
    }
    let digits = text.get(usize::from(shape.negative)..).unwrap_or_default();
    if shape.fraction_digits == 0 {
        return match shape.integer_digits {
            1 => !shape.negative || digits != b"0",
            2..=SAFE_DIGITS => true,
            length => length == MAX_DIGITS.len() && digits <= MAX_DIGITS,
        };
    }
    if shape.integer_digits + shape.fraction_digits > SAFE_DIGITS {
        return false;
    }
    // From 1e-6 on down ECMAScript turns to exponents.
    !digits.ends_with(b"0") && !digits.starts_with(b"0.000000")
}

/// Appends the ECMAScript spelling of a finite double; -0 is `0`.
pub(super) fn write_double(double: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu_js::Buffer::new().format_finite(double).as_bytes());
}

/// Whether the decimal `text` is the value of the shortest spelling of `double`, or of its
/// spelling with 17 significant digits.
fn is_exact(text: &[u8], double: f64) -> bool {
    if !double.is_finite() {
        return false;
    }
    let sent = Decimal::parse(text);
    sent == Decimal::parse(ryu_js::Buffer::new().format_finite(double).as_bytes())
        || sent == Decimal::parse(format!("{double:.16e}").as_bytes())
}

/// The exact value of a decimal: `0.d1d2d3… × 10^exponent`, no zeros at either end of the digits.
/// The sign is left out: no double changes it, and both zeros are one value.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &[u8]) -> Self {
        let mantissa_end =
            text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
        let (mantissa, exponent) = text.split_at(mantissa_end);
        let mut digits = Vec::with_capacity(mantissa.len());
        let mut leading = 0;
        let mut point = None;
        for byte in mantissa {
            match byte {
                b'.' => point = Some(leading + to_i64(digits.len())),
                b'0' if digits.is_empty() => leading += 1,
                b'0'..=b'9' => digits.push(*byte),
                _ => {}
            }
        }
        let point = point.unwrap_or(leading + to_i64(digits.len()));
        let kept = digits.iter().rposition(|digit| *digit != b'0');
        digits.truncate(kept.map_or(0, |last| last + 1));
        let exponent = if digits.is_empty() {
            0
        } else {
            parse_exponent(exponent).saturating_add(point - leading)
        };
        Self { digits, exponent }
    }
}

/// The exponent in `e+12`; one beyond every double is cut off, which keeps it there.
fn parse_exponent(text: &[u8]) -> i64 {
    let magnitude = text
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if text.contains(&b'-') { -magnitude } else { magnitude }
}

fn to_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
