//! How `system` records write a set of sequence numbers, and that no record becomes too long by it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_proof::SequenceNumber;

use super::SystemRecordError;
use crate::json::Value;
use crate::number_set::{NumberSet, WINDOW_BYTES, Windows};

/// Pieces of a set that one record may hold, each of at most 200 bytes: so the record stays below
/// the 256 KiB that a content may have.
const NUMBER_PIECES_MAX: usize = 1_000;

/// A window with more ranges than this is written as its bits, which is then shorter.
const WINDOW_RANGES_MAX: usize = 12;

pub(super) const NUMBERS: SystemRecordError = SystemRecordError::Field("numbers");

/// The set in parts that one record each may hold: one, or several where one would become too long. None
/// where the set is empty.
pub(super) fn split(numbers: &NumberSet) -> Vec<NumberSet> {
    let pieces: Vec<Piece> = pieces(numbers).collect();
    let part = |pieces: &[Piece]| {
        let mut part = NumberSet::new();
        pieces.iter().for_each(|piece| piece.add_to(&mut part));
        part
    };
    pieces.chunks(NUMBER_PIECES_MAX).map(part).collect()
}

/// Whether one record may hold the set: there are numbers, not too many pieces of them, and none beyond
/// 2^53 - 1.
pub(super) fn fits(numbers: &NumberSet) -> bool {
    numbers.last().is_some_and(|last| last <= SequenceNumber::MAX.value())
        && pieces(numbers).count() <= NUMBER_PIECES_MAX
}

/// A piece of a set as it is written: there is one way to write a set.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// The first number and the one after the last.
    Range(u64, u64),
    /// The first number of a window, and the bytes of its bits up to the last that is set.
    Bits(u64, Vec<u8>),
}

impl Piece {
    fn add_to(&self, numbers: &mut NumberSet) {
        match self {
            Self::Range(first, end) => numbers.insert_range(*first..*end),
            Self::Bits(first, bytes) => drop(numbers.insert_bits(*first, bytes)),
        }
    }
}

/// The pieces of a set in order. Ranges that touch are one, unless bits come between.
fn pieces(numbers: &NumberSet) -> impl Iterator<Item = Piece> + '_ {
    let mut pieces = numbers.windows().flat_map(of_windows).peekable();
    std::iter::from_fn(move || {
        let mut piece = pieces.next()?;
        if let Piece::Range(_, end) = &mut piece {
            while let Some(Piece::Range(_, next)) =
                pieces.next_if(|next| matches!(next, Piece::Range(first, _) if first == end))
            {
                *end = next;
            }
        }
        Some(piece)
    })
}

fn of_windows(windows: Windows<'_>) -> Vec<Piece> {
    let ranges: Vec<Piece> =
        windows.ranges().map(|range| Piece::Range(range.start, range.end)).collect();
    match windows {
        Windows::Part { first, bits } if ranges.len() > WINDOW_RANGES_MAX => {
            let end = bits.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            vec![Piece::Bits(first, bits.iter().take(end).copied().collect())]
        }
        _ => ranges,
    }
}

/// Writes a set: `[first,last]` for a range, `[first,"bits"]` for a window.
pub(super) fn write_numbers(numbers: &NumberSet, out: &mut Vec<u8>) {
    for (at, piece) in pieces(numbers).enumerate() {
        out.push(if at == 0 { b'[' } else { b',' });
        let text = match piece {
            Piece::Range(first, end) => format!("[{first},{}]", end - 1),
            Piece::Bits(first, bytes) => format!("[{first},\"{}\"]", URL_SAFE_NO_PAD.encode(bytes)),
        };
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b']');
}

pub(super) fn read_numbers(list: Value<'_>) -> Result<NumberSet, SystemRecordError> {
    let mut numbers = NumberSet::new();
    let mut elements = list.elements();
    let mut count = 0;
    while let Some(element) = elements.next_element()? {
        count += 1;
        // What is longer was not written here, and nobody goes through all of it.
        let piece = read_piece(element)?.filter(|_| count <= NUMBER_PIECES_MAX);
        piece.ok_or(NUMBERS)?.add_to(&mut numbers);
    }
    Ok(numbers)
}

fn read_piece(element: Value<'_>) -> Result<Option<Piece>, SystemRecordError> {
    let mut parts = element.elements();
    let (Some(first), Some(second)) = (parts.next_element()?, parts.next_element()?) else {
        return Ok(None);
    };
    let max = SequenceNumber::MAX.value();
    let Some(first) = first.unsigned().filter(|first| *first <= max) else {
        return Ok(None);
    };
    if let Some(last) = second.unsigned() {
        return Ok((first <= last && last <= max).then_some(Piece::Range(first, last + 1)));
    }
    let bytes = second.text().and_then(|text| URL_SAFE_NO_PAD.decode(&*text).ok());
    Ok(bytes.filter(|bytes| bytes.len() <= WINDOW_BYTES).map(|bytes| Piece::Bits(first, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number_set::WINDOW;

    fn alternating(count: u64) -> NumberSet {
        (0..count).map(|number| 2 * number).collect()
    }

    #[test]
    fn a_long_set_is_split_and_nothing_of_it_is_lost() {
        assert!(split(&NumberSet::new()).is_empty());
        for numbers in [
            NumberSet::from(5..6),
            NumberSet::from(0..10_000_000),
            alternating(WINDOW / 2 * (NUMBER_PIECES_MAX as u64 + 9)),
            // Twelve ranges a window, the most that are written as ranges.
            (0..2_000)
                .flat_map(|window| (0..12).map(move |at| window * WINDOW + 80 * at))
                .collect(),
        ] {
            let parts = split(&numbers);
            let mut together = NumberSet::new();
            for part in &parts {
                assert!(together.shared_with(part).is_empty());
                together.add(part);
                let mut text = Vec::new();
                write_numbers(part, &mut text);
                assert!(text.len() < 200 * NUMBER_PIECES_MAX, "{}", text.len());
                assert_eq!(read_numbers(Value::new(&text)).as_ref(), Ok(part));
            }
            assert_eq!(together, numbers);
            assert_eq!(parts.len(), pieces(&numbers).count().div_ceil(NUMBER_PIECES_MAX));
        }
    }

    #[test]
    fn what_stands_alone_is_a_range_and_what_alternates_is_bits() {
        let mut numbers = alternating(11);
        numbers.insert_range(1_000..5_000);
        let mut text = Vec::new();
        write_numbers(&numbers, &mut text);
        let ranges =
            b"[[0,0],[2,2],[4,4],[6,6],[8,8],[10,10],[12,12],[14,14],[16,16],[18,18],[20,20],";
        assert_eq!(text, [ranges.as_slice(), b"[1000,4999]]"].concat());
        numbers.insert(22);
        text.clear();
        write_numbers(&numbers, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with("[[0,\"VVVVAAAA") && text.ends_with("AAD___8\"],[1024,4999]]"),
            "{text}"
        );
        let mut text = Vec::new();
        write_numbers(&alternating(13), &mut text);
        assert_eq!(text, br#"[[0,"VVVVAQ"]]"#);
    }
}
