//! What each type of text shows of itself. Every function gives its own answers back unchanged.

use super::MASK;

/// Digits of a number with `+` that stay: country and area.
const PHONE_DIGITS_KEPT: usize = 5;

/// Digits of a national number that stay: the area.
const AREA_DIGITS_KEPT: usize = 3;

/// Shorter numbers would be told by what stays.
const PHONE_DIGITS_MIN: usize = 8;

const SSN_DIGITS: usize = 9;

const SSN_HIDDEN: &str = "***-**-";

const CARD_DIGITS_MIN: usize = 12;

const CARD_HIDDEN: &str = "****-****-****-";

const IBAN_LETTERS_MIN: usize = 15;

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn last_four(text: &str) -> &str {
    text.get(text.len().saturating_sub(4)..).unwrap_or_default()
}

pub(super) fn phone(text: &str) -> String {
    let plus = if text.trim_start().starts_with('+') { "+" } else { "" };
    let kept_max = if plus.is_empty() { AREA_DIGITS_KEPT } else { PHONE_DIGITS_KEPT };
    let is_shown = text.strip_suffix(MASK).is_some_and(|kept| {
        let kept = kept.strip_prefix('+').unwrap_or(kept);
        kept.len() <= kept_max && kept.bytes().all(|byte| byte.is_ascii_digit())
    });
    if is_shown {
        return text.to_owned();
    }
    let digits = digits(text);
    match digits.get(..kept_max) {
        Some(kept) if digits.len() >= PHONE_DIGITS_MIN => format!("{plus}{kept}{MASK}"),
        _ => MASK.to_owned(),
    }
}

/// The domain stays only where it looks like one: what follows the last `@` of a sentence does not.
pub(super) fn email(text: &str) -> String {
    let is_domain = |domain: &&str| {
        !domain.is_empty()
            && domain.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '.' | '-'))
    };
    match text.trim().rsplit_once('@').map(|(_, domain)| domain).filter(is_domain) {
        Some(domain) => format!("{MASK}@{domain}"),
        None => MASK.to_owned(),
    }
}

pub(super) fn name(text: &str) -> String {
    let initials: Vec<String> = text
        .split_whitespace()
        .filter_map(|word| word.chars().find(|letter| letter.is_alphabetic()))
        .map(|letter| format!("{letter}."))
        .collect();
    if initials.is_empty() { MASK.to_owned() } else { initials.join(" ") }
}

pub(super) fn ssn(text: &str) -> String {
    masked_to_four(text, SSN_HIDDEN, |count| count == SSN_DIGITS)
}

pub(super) fn credit_card(text: &str) -> String {
    masked_to_four(text, CARD_HIDDEN, |count| count >= CARD_DIGITS_MIN)
}

/// `hidden` and the last four digits, of a text with so many that they do not tell it.
fn masked_to_four(text: &str, hidden: &str, is_whole: fn(usize) -> bool) -> String {
    let is_shown = text.strip_prefix(hidden).is_some_and(|last| {
        last == MASK || (last.len() == 4 && last.bytes().all(|byte| byte.is_ascii_digit()))
    });
    if is_shown {
        return text.to_owned();
    }
    let digits = digits(text);
    let shown = if is_whole(digits.len()) { last_four(&digits) } else { MASK };
    format!("{hidden}{shown}")
}

pub(super) fn iban(text: &str) -> String {
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let is_shown = text.split_once(MASK).is_some_and(|(country, last)| {
        let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        country.len() == 2 && last.len() == 4 && is_plain(country) && is_plain(last)
    });
    if is_shown {
        return text.to_owned();
    }
    match letters.get(..2) {
        Some(country) if letters.len() >= IBAN_LETTERS_MIN => {
            format!("{country}{MASK}{}", last_four(&letters))
        }
        _ => MASK.to_owned(),
    }
}
