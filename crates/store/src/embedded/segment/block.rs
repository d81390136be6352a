//! Blocks: the columns of a few dozen records of one ledger, and their contents, compressed.

use ledgerstone_proof::{EventId, IngestedAt, KeyId, Kind};

use zstd::bulk::{Compressor, Decompressor};

use crate::embedded::codec::{
    Malformed, Reader, put_bytes, put_crc, put_varint, unzigzag, without_crc, zigzag,
};
use crate::embedded::payload::{kind_byte, read_kind};

/// Contents of a block are gathered up to this many bytes before compression.
pub const CONTENT_BYTES: usize = 64 << 10;
/// Records of a block at most, so that few headers are rebuilt to read one.
pub const RECORDS_MAX: usize = 256;
/// No block is larger than this once decompressed: one content of the greatest size and its like.
pub const RAW_MAX: usize = 16 << 20;

/// Compression level of contents and columns: higher ones cost three times as much and gain less
/// than one byte in a hundred, once a dictionary helps.
pub const LEVEL: i32 = 1;
const ID_TEXT: u8 = 0;
const ID_UUID: u8 = 1;

/// The columns of one record in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns<'a> {
    pub kind: Kind,
    /// In the grammar of [`EventId`].
    pub event_id: &'a str,
    pub ingested_at: IngestedAt,
    /// Length of the content; `None` once it has been dropped.
    pub content_len: Option<u64>,
}

/// The columns of a whole block, as they come out of it. The ids stand in one text, because a
/// string for each would cost more than everything else that is read here.
#[derive(Clone, Debug, Default)]
pub struct BlockColumns {
    kinds: Vec<Kind>,
    times: Vec<IngestedAt>,
    content_lens: Vec<Option<u64>>,
    ids: String,
    /// Where each id ends.
    id_ends: Vec<usize>,
}

impl BlockColumns {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.id_ends.len()
    }

    /// Record by record.
    pub fn iter(&self) -> impl Iterator<Item = Columns<'_>> {
        let starts = std::iter::once(0).chain(self.id_ends.iter().copied());
        let ids = starts.zip(&self.id_ends);
        let ids = ids.map(|(start, end)| self.ids.get(start..*end).unwrap_or_default());
        let rest = self.kinds.iter().zip(&self.times).zip(&self.content_lens);
        ids.zip(rest).map(|(event_id, ((kind, ingested_at), content_len))| Columns {
            kind: *kind,
            event_id,
            ingested_at: *ingested_at,
            content_len: *content_len,
        })
    }

    /// When the last record was taken in.
    pub fn last_time(&self) -> Option<IngestedAt> {
        self.times.last().copied()
    }

    /// Bytes of all contents together.
    pub fn content_bytes(&self) -> u64 {
        self.content_lens.iter().flatten().fold(0, |sum, len| sum.saturating_add(*len))
    }
}

/// Encodes the columns of a block. The compressor holds no dictionary.
pub fn encode_columns(
    compressor: &mut Compressor<'_>,
    records: &[Columns<'_>],
) -> std::io::Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(records.len() * 24);
    put_varint(&mut raw, records.len() as u64);
    for record in records {
        raw.push(kind_byte(record.kind));
    }
    let mut last = 0_i64;
    for record in records {
        let micros = record.ingested_at.micros();
        put_varint(&mut raw, zigzag(micros.wrapping_sub(last)));
        last = micros;
    }
    for record in records {
        put_varint(&mut raw, record.content_len.map_or(0, |len| len + 1));
    }
    for record in records {
        put_event_id(&mut raw, record.event_id);
    }
    let mut out = Vec::new();
    put_varint(&mut out, raw.len() as u64);
    out.extend(compressor.compress(&raw)?);
    Ok(out)
}

/// Decodes the columns of a block. The decompressor holds no dictionary.
pub fn decode_columns(
    decompressor: &mut Decompressor<'_>,
    bytes: &[u8],
) -> Result<BlockColumns, Malformed> {
    let broken = |what| Malformed { what, offset: 0 };
    let mut packed = Reader::new(bytes);
    let raw_len = usize::try_from(packed.varint()?).unwrap_or(usize::MAX);
    if raw_len > RAW_MAX {
        return Err(broken("columns larger than allowed"));
    }
    let packed = bytes.get(packed.offset()..).unwrap_or_default();
    let raw =
        decompressor.decompress(packed, raw_len).map_err(|_| broken("columns do not unpack"))?;
    let mut reader = Reader::new(&raw);
    let count = reader.count(4)?;
    let mut kinds = Vec::with_capacity(count);
    for _ in 0..count {
        kinds.push(read_kind(&mut reader)?);
    }
    let mut times = Vec::with_capacity(count);
    let mut last = 0_i64;
    for _ in 0..count {
        last = last.wrapping_add(unzigzag(reader.varint()?));
        times.push(IngestedAt::from_micros(last).map_err(|_| broken("time out of range"))?);
    }
    let mut content_lens = Vec::with_capacity(count);
    for _ in 0..count {
        content_lens.push(reader.varint()?.checked_sub(1));
    }
    let mut ids = String::with_capacity(count * UUID_TEXT);
    let mut id_ends = Vec::with_capacity(count);
    for _ in 0..count {
        read_event_id(&mut reader, &mut ids)?;
        id_ends.push(ids.len());
    }
    reader.finish()?;
    Ok(BlockColumns { kinds, times, content_lens, ids, id_ends })
}

fn put_event_id(out: &mut Vec<u8>, id: &str) {
    match uuid_bytes(id) {
        Some(bytes) => {
            out.push(ID_UUID);
            out.extend_from_slice(&bytes);
        }
        None => {
            out.push(ID_TEXT);
            put_bytes(out, id.as_bytes());
        }
    }
}

/// Appends the id that comes next to `ids`.
fn read_event_id(reader: &mut Reader<'_>, ids: &mut String) -> Result<(), Malformed> {
    match reader.u8()? {
        ID_TEXT => {
            let text = reader.str()?;
            EventId::check_stored(text).map_err(|_| reader.malformed("bad event id"))?;
            ids.push_str(text);
            Ok(())
        }
        ID_UUID => {
            let text = uuid_text(&reader.array()?);
            ids.push_str(std::str::from_utf8(&text).map_err(|_| reader.malformed("bad uuid"))?);
            Ok(())
        }
        _ => Err(reader.malformed("unknown form of an event id")),
    }
}

/// Length of a hyphenated UUID.
const UUID_TEXT: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Where the two digits of each byte stand.
const UUID_DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The 16 bytes of a lower-case hyphenated UUID; nothing else, so that the text comes back.
fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; UUID_TEXT] = text.as_bytes().try_into().ok()?;
    if HYPHENS.iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut bytes = [0_u8; 16];
    for (byte, at) in bytes.iter_mut().zip(UUID_DIGITS) {
        *byte = hex_value(text[at])? << 4 | hex_value(text[at + 1])?;
    }
    Some(bytes)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn uuid_text(bytes: &[u8; 16]) -> [u8; UUID_TEXT] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; UUID_TEXT];
    for (byte, at) in bytes.iter().zip(UUID_DIGITS) {
        text[at] = DIGITS[usize::from(byte >> 4)];
        text[at + 1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// Writes the signatures of a block and a checksum, because no hash of a record covers them;
/// nothing at all when there are none.
pub fn encode_signatures(signatures: &[Option<(u64, &[u8])>], out: &mut Vec<u8>) {
    if signatures.iter().all(Option::is_none) {
        return;
    }
    let start = out.len();
    for signature in signatures {
        match signature {
            Some((key, bytes)) => {
                put_varint(out, key + 1);
                put_bytes(out, bytes);
            }
            None => put_varint(out, 0),
        }
    }
    put_crc(out, start);
}

/// The key that signed a record, and the signature.
pub type BlockSignature<'a> = (&'a KeyId, &'a [u8]);

/// Reads the signatures of a block of `count` records.
pub fn decode_signatures<'a>(
    bytes: &'a [u8],
    count: usize,
    keys: &'a [KeyId],
) -> Result<Vec<Option<BlockSignature<'a>>>, Malformed> {
    if bytes.is_empty() {
        return Ok(vec![None; count]);
    }
    let mut reader = Reader::new(without_crc(bytes)?);
    let mut signatures = Vec::with_capacity(count);
    for _ in 0..count {
        let signature = match reader.varint()?.checked_sub(1) {
            None => None,
            Some(place) => {
                let key = usize::try_from(place).ok().and_then(|place| keys.get(place));
                let key = key.ok_or_else(|| reader.malformed("unknown signing key"))?;
                Some((key, reader.bytes()?))
            }
        };
        signatures.push(signature);
    }
    reader.finish()?;
    Ok(signatures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(event_id: &str, micros: i64, content_len: Option<u64>) -> Columns<'_> {
        Columns {
            kind: Kind::Event,
            event_id,
            ingested_at: IngestedAt::from_micros(micros).unwrap(),
            content_len,
        }
    }

    #[test]
    fn columns_come_back_with_every_form_of_id() {
        let records = vec![
            columns("018f3a5e-0000-7000-8000-0123456789ab", 1_700_000_000_000_000, Some(900)),
            columns("018F3A5E-0000-7000-8000-0123456789AB", 1_700_000_000_000_001, None),
            columns("_7", 1_700_000_000_000_001, Some(0)),
            columns("a", -5, Some(1)),
        ];
        let bytes = encode_columns(&mut Compressor::new(LEVEL).unwrap(), &records).unwrap();
        let decoded = decode_columns(&mut Decompressor::new().unwrap(), &bytes);
        assert_eq!(decoded.unwrap().iter().collect::<Vec<_>>(), records);
    }

    #[test]
    fn bad_columns_are_an_error() {
        let decode = |bytes: &[u8]| decode_columns(&mut Decompressor::new().unwrap(), bytes);
        assert!(decode(b"nonsense").is_err());
        let mut bytes = vec![4];
        bytes.extend(zstd::bulk::compress(&[200, 200, 200, 1], 1).unwrap());
        assert!(decode(&bytes).is_err());
        assert!(decode(&[0xff, 0xff, 0xff, 0xff, 0x7f, 1]).is_err());
    }

    #[test]
    fn signatures_come_back() {
        let keys = [KeyId::parse("0011223344556677").unwrap()];
        let mut out = Vec::new();
        encode_signatures(&[None, Some((0, &[7; 64]))], &mut out);
        let read = decode_signatures(&out, 2, &keys).unwrap();
        assert_eq!(read, vec![None, Some((&keys[0], &[7_u8; 64][..]))]);
        assert_eq!(decode_signatures(&[], 2, &keys).unwrap(), vec![None, None]);
        for at in 0..out.len() {
            let mut bad = out.clone();
            bad[at] ^= 4;
            assert!(decode_signatures(&bad, 2, &keys).is_err(), "byte {at}");
        }
    }
}
