//! `Content-Encoding` of requests: which there are, and unpacking within limits.

use std::io::{BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use ledgerstone_model::ErrorCode;

use super::limits::ZSTD_WINDOW_LOG_MAX;
use super::problem::Problem;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// The encoding that a request names; one at most (RFC 9110 §8.4).
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Self::Identity) };
        let name = value.to_str().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            _ if values.next().is_some() => Err(unknown("it is named twice")),
            "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(unknown("it is neither gzip nor zstd")),
        }
    }

    /// A reader of the unpacked bytes.
    pub fn reader<'r>(
        self,
        packed: impl Read + Send + 'r,
    ) -> std::io::Result<Box<dyn BufRead + Send + 'r>> {
        Ok(match self {
            Self::Identity => Box::new(BufReader::new(packed)),
            Self::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(packed))),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(BufReader::new(decoder))
            }
        })
    }

    /// Unpacks a body that may have at most `max` bytes unpacked. `claim` is asked before memory is
    /// taken for so many bytes of it, and refuses where there is none.
    pub fn unpack(
        self,
        packed: &[u8],
        max: usize,
        mut claim: impl FnMut(usize) -> Result<(), Problem>,
    ) -> Result<Vec<u8>, Problem> {
        let damaged = |error: std::io::Error| {
            Problem::new(ErrorCode::InvalidBody, format!("the body could not be unpacked: {error}"))
        };
        let mut reader = self.reader(packed).map_err(damaged)?;
        let mut unpacked = Vec::new();
        loop {
            let piece = reader.fill_buf().map_err(damaged)?;
            if piece.is_empty() {
                return Ok(unpacked);
            }
            let length = unpacked.len() + piece.len();
            if length > max {
                let detail =
                    format!("the body unpacks to more than {max} bytes, which is the limit");
                return Err(Problem::new(ErrorCode::InputTooLarge, detail));
            }
            if length > unpacked.capacity() {
                let capacity = length.max(2 * unpacked.capacity()).min(max);
                claim(capacity)?;
                unpacked.reserve_exact(capacity - unpacked.len());
            }
            unpacked.extend_from_slice(piece);
            let read = piece.len();
            reader.consume(read);
        }
    }
}

/// 415 with the encodings there are (RFC 9110 §15.5.16).
fn unknown(why: &str) -> Problem {
    Problem::new(
        ErrorCode::UnsupportedMediaType,
        format!("the body's Content-Encoding is not understood: {why}"),
    )
    .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::{HeaderMap, HeaderValue, header};
    use ledgerstone_model::ErrorCode;

    use super::{Encoding, Problem};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn named(names: &[&str]) -> Result<Encoding, ErrorCode> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_str(name).unwrap());
        }
        Encoding::of(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn one_encoding_is_named_or_none() {
        assert_eq!(named(&[]), Ok(Encoding::Identity));
        assert_eq!(named(&["GZIP"]), Ok(Encoding::Gzip));
        assert_eq!(named(&["zstd"]), Ok(Encoding::Zstd));
        for names in [&["gzip", "gzip"][..], &["gzip, gzip"], &["br"], &["deflate"], &[""]] {
            assert_eq!(named(names), Err(ErrorCode::UnsupportedMediaType), "{names:?}");
        }
    }

    #[test]
    fn what_was_packed_comes_back_and_bombs_stop_at_the_limit() {
        let text = b"{}".repeat(1_000);
        for (encoding, packed) in [
            (Encoding::Gzip, gzip(&text)),
            (Encoding::Zstd, zstd::encode_all(&*text, 1).unwrap()),
            (Encoding::Identity, text.clone()),
        ] {
            assert_eq!(encoding.unpack(&packed, 2_000, |_| Ok(())).unwrap(), text);
            let refused = encoding.unpack(&packed, 1_999, |_| Ok(())).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::InputTooLarge);
        }
    }

    #[test]
    fn memory_is_claimed_before_it_is_taken() {
        let text = vec![b' '; 1 << 20];
        let packed = gzip(&text);
        let (mut claimed, max) = (0, 5 << 20);
        let unpacked = Encoding::Gzip.unpack(&packed, max, |bytes| {
            assert!(bytes > claimed);
            claimed = bytes;
            Ok(())
        });
        assert!(claimed >= unpacked.unwrap().capacity() && claimed <= 2 * text.len());
        let busy = |bytes| {
            let problem = || Problem::new(ErrorCode::ServerBusy, "no room");
            if bytes > 64 * 1024 { Err(problem()) } else { Ok(()) }
        };
        let refused = Encoding::Gzip.unpack(&packed, max, busy).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::ServerBusy);
    }

    #[test]
    fn damage_is_named() {
        let text: Vec<u8> = (0_u32..50_000).flat_map(u32::to_le_bytes).collect();
        for (encoding, packed) in
            [(Encoding::Gzip, gzip(&text)), (Encoding::Zstd, zstd::encode_all(&*text, 1).unwrap())]
        {
            for packed in [&packed[..packed.len() - 1], &packed[1..], b"not packed"] {
                let refused = encoding.unpack(packed, 1 << 20, |_| Ok(())).unwrap_err();
                assert_eq!(refused.code(), ErrorCode::InvalidBody);
            }
        }
    }

    #[test]
    fn a_window_that_is_too_large_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.long_distance_matching(true).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(&vec![7; 1 << 20]).unwrap();
        let packed = encoder.finish().unwrap();
        let refused = Encoding::Zstd.unpack(&packed, 5 << 20, |_| Ok(())).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::InvalidBody);
    }
}
