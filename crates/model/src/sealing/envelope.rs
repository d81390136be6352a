//! The encrypted values of one person and one class in one event, as they stand in the content.
//!
//! The associated data ties an envelope to its tenant, event and class, so that it opens nowhere
//! else. AES-GCM alone does not commit to its key; the commitment does, and it stands in the hashed
//! content, so that nobody can have two keys open one record to two stories.

use aws_lc_rs::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_proof::{EventId, TenantId};
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use zeroize::Zeroizing;

use super::class::FieldClass;
use super::key::{SealingKeyId, SubjectKey};
use super::packing;
use super::xaes::{self, NONCE_BYTES};
use crate::json::Value;
use crate::json_write::ObjectWriter;

/// The name of the algorithm in envelopes.
pub const ALGORITHM: &str = "XAES-256-GCM";

/// Begins the associated data of every envelope.
const CONTEXT: &str = "ledgerstone-envelope/v1";

/// Begins the context of the commitment.
const COMMITMENT_CONTEXT: &[u8] = b"ledgerstone-commitment/v1";

const COMMITMENT_BYTES: usize = 32;

/// Where an envelope belongs.
#[derive(Clone, Copy, Debug)]
pub struct EnvelopePlace<'a> {
    pub tenant: &'a TenantId,
    pub event_id: &'a EventId,
}

/// Encrypted values with everything that is needed to open them but the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    key_id: SealingKeyId,
    class: FieldClass,
    nonce: [u8; NONCE_BYTES],
    ciphertext: Vec<u8>,
    commitment: [u8; COMMITMENT_BYTES],
    is_compressed: bool,
}

/// Why an envelope does not open, or is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    #[error("the envelope is sealed under another key than the one given")]
    OtherKey,
    #[error(
        "the envelope does not belong to this tenant, event and class, or is not as it was written"
    )]
    Moved,
    #[error("the envelope opens to something that no envelope holds")]
    Damaged,
    #[error("the cryptographic library refused")]
    Refused,
    #[error("is no envelope: {0}")]
    Form(&'static str),
}

impl Envelope {
    /// Seals a plaintext. The nonce must be random and new.
    pub fn seal(
        key: &SubjectKey,
        class: FieldClass,
        place: EnvelopePlace<'_>,
        nonce: [u8; NONCE_BYTES],
        plaintext: &[u8],
    ) -> Result<Self, EnvelopeError> {
        let associated = associated_data(place, class, key.id());
        let packed = packing::pack(plaintext).map_err(|_| EnvelopeError::Refused)?;
        let is_compressed = packed.len() < plaintext.len();
        let mut ciphertext = if is_compressed { packed } else { plaintext.to_vec() };
        xaes::seal(key.expose(), &nonce, &associated, &mut ciphertext)
            .map_err(|_| EnvelopeError::Refused)?;
        let commitment = commitment(key, &nonce, &associated)?;
        Ok(Self { key_id: *key.id(), class, nonce, ciphertext, commitment, is_compressed })
    }

    /// The plaintext, for whoever holds the key, at the place where it was sealed.
    pub fn open(
        &self,
        key: &SubjectKey,
        place: EnvelopePlace<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        if key.id() != &self.key_id {
            return Err(EnvelopeError::OtherKey);
        }
        let associated = associated_data(place, self.class, &self.key_id);
        let expected = commitment(key, &self.nonce, &associated)?;
        if !bool::from(expected.ct_eq(&self.commitment)) {
            return Err(EnvelopeError::Moved);
        }
        let opened = xaes::open(key.expose(), &self.nonce, &associated, &self.ciphertext)
            .map_err(|_| EnvelopeError::Moved)?;
        if !self.is_compressed {
            return Ok(opened);
        }
        packing::unpack(&opened).map(Zeroizing::new).map_err(|_| EnvelopeError::Damaged)
    }

    /// The key that opens it.
    pub const fn key_id(&self) -> &SealingKeyId {
        &self.key_id
    }

    /// The class of everything in it.
    pub const fn class(&self) -> FieldClass {
        self.class
    }

    /// Appends the envelope's canonical JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.text("alg", ALGORITHM);
        object.text("class", self.class.as_str());
        write_base64(&self.commitment, object.key("cm"));
        write_base64(&self.ciphertext, object.key("ct"));
        write_base64(self.key_id.as_bytes(), object.key("kid"));
        write_base64(&self.nonce, object.key("n"));
        if self.is_compressed {
            object.number("z", 1);
        }
        object.close();
    }

    /// Reads what [`Self::write`] wrote.
    pub fn parse(value: Value<'_>) -> Result<Self, EnvelopeError> {
        let text = |name: &'static str| {
            let member = value.member(name).ok().flatten().and_then(Value::text);
            member.map(std::borrow::Cow::into_owned).ok_or(EnvelopeError::Form(name))
        };
        let bytes = |name: &'static str| {
            URL_SAFE_NO_PAD.decode(text(name)?).map_err(|_| EnvelopeError::Form(name))
        };
        if text("alg")? != ALGORITHM {
            return Err(EnvelopeError::Form("alg"));
        }
        let class = FieldClass::parse(&text("class")?).filter(|class| class.is_sealed());
        let is_compressed = match value.member("z").map_err(|_| EnvelopeError::Form("z"))? {
            None => false,
            Some(one) if one.unsigned() == Some(1) => true,
            Some(_) => return Err(EnvelopeError::Form("z")),
        };
        Ok(Self {
            key_id: SealingKeyId::parse(&text("kid")?).ok_or(EnvelopeError::Form("kid"))?,
            class: class.ok_or(EnvelopeError::Form("class"))?,
            nonce: bytes("n")?.try_into().map_err(|_| EnvelopeError::Form("n"))?,
            ciphertext: bytes("ct")?,
            commitment: bytes("cm")?.try_into().map_err(|_| EnvelopeError::Form("cm"))?,
            is_compressed,
        })
    }
}

/// Writes a string of unpadded URL-safe base64 (RFC 4648 section 5), which has nothing to escape.
fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let room = out.get_mut(start..).unwrap_or_default();
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, room).unwrap_or_default();
    out.truncate(start + written);
    out.push(b'"');
}

/// Pieces with their lengths before them, so that no two lists of pieces give the same bytes.
fn associated_data(place: EnvelopePlace<'_>, class: FieldClass, key: &SealingKeyId) -> Vec<u8> {
    const PIECES: u32 = 6;
    let pieces: [&[u8]; PIECES as usize] = [
        CONTEXT.as_bytes(),
        place.tenant.as_str().as_bytes(),
        place.event_id.as_str().as_bytes(),
        class.as_str().as_bytes(),
        key.as_bytes(),
        ALGORITHM.as_bytes(),
    ];
    let room = size_of::<u32>() + pieces.iter().map(|piece| 8 + piece.len()).sum::<usize>();
    let mut out = Vec::with_capacity(room);
    out.extend_from_slice(&PIECES.to_le_bytes());
    for piece in pieces {
        out.extend_from_slice(&(piece.len() as u64).to_le_bytes());
        out.extend_from_slice(piece);
    }
    out
}

/// HKDF-SHA-256 (RFC 5869) of the key, with the nonce as salt.
fn commitment(
    key: &SubjectKey,
    nonce: &[u8; NONCE_BYTES],
    associated: &[u8],
) -> Result<[u8; COMMITMENT_BYTES], EnvelopeError> {
    let mut out = [0; COMMITMENT_BYTES];
    hkdf::Salt::new(hkdf::HKDF_SHA256, nonce)
        .extract(key.expose())
        .expand(&[COMMITMENT_CONTEXT, associated], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .map_err(|_| EnvelopeError::Refused)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{Envelope, EnvelopeError, EnvelopePlace};
    use crate::json::Value;
    use crate::sealing::{FieldClass, SealingKeyId, SubjectKey};
    use ledgerstone_proof::{EventId, TenantId, canonicalize};
    use zeroize::Zeroizing;

    fn key(byte: u8) -> SubjectKey {
        SubjectKey::new(SealingKeyId::new([byte; 16]), Zeroizing::new([byte; 32]))
    }

    fn place(tenant: &str, event: &str) -> (TenantId, EventId) {
        (TenantId::parse(tenant).unwrap(), EventId::parse(event).unwrap())
    }

    fn sealed(plaintext: &[u8]) -> Envelope {
        let (tenant, event_id) = place("acme", "e-1");
        let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
        Envelope::seal(&key(7), FieldClass::Personal, place, [9; 24], plaintext).unwrap()
    }

    fn opened(
        envelope: &Envelope,
        key: &SubjectKey,
        tenant: &str,
        event: &str,
    ) -> Result<Vec<u8>, EnvelopeError> {
        let (tenant, event_id) = place(tenant, event);
        let place = EnvelopePlace { tenant: &tenant, event_id: &event_id };
        envelope.open(key, place).map(|text| text.to_vec())
    }

    #[test]
    fn an_envelope_opens_where_it_was_sealed() {
        for text in [&b"{}"[..], &br#"{"/actor/name":"Ana"}"#.repeat(40)] {
            let envelope = sealed(text);
            assert_eq!(envelope.is_compressed, text.len() > 100);
            assert_eq!(opened(&envelope, &key(7), "acme", "e-1").as_deref(), Ok(text));
        }
    }

    #[test]
    fn nowhere_else() {
        let envelope = sealed(b"{}");
        assert_eq!(opened(&envelope, &key(7), "acme", "e-2"), Err(EnvelopeError::Moved));
        assert_eq!(opened(&envelope, &key(7), "other", "e-1"), Err(EnvelopeError::Moved));
        assert_eq!(opened(&envelope, &key(8), "acme", "e-1"), Err(EnvelopeError::OtherKey));
        let other_class = Envelope { class: FieldClass::Secret, ..envelope.clone() };
        assert_eq!(opened(&other_class, &key(7), "acme", "e-1"), Err(EnvelopeError::Moved));
        // A key of the same name with other bytes.
        let impostor = SubjectKey::new(SealingKeyId::new([7; 16]), Zeroizing::new([8; 32]));
        assert_eq!(opened(&envelope, &impostor, "acme", "e-1"), Err(EnvelopeError::Moved));
        let flag = Envelope { is_compressed: true, ..envelope };
        assert_eq!(opened(&flag, &key(7), "acme", "e-1"), Err(EnvelopeError::Damaged));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let envelope = sealed(br#"{"/actor/name":"Ana"}"#);
        for at in 0..envelope.ciphertext.len() {
            let mut changed = envelope.clone();
            changed.ciphertext[at] ^= 1;
            assert_eq!(opened(&changed, &key(7), "acme", "e-1"), Err(EnvelopeError::Moved), "{at}");
        }
        for at in 0..32 {
            let mut changed = envelope.clone();
            changed.commitment[at] ^= 1;
            assert_eq!(opened(&changed, &key(7), "acme", "e-1"), Err(EnvelopeError::Moved), "{at}");
        }
    }

    #[test]
    fn its_json_is_canonical_and_read_back() {
        for text in [&b"{}"[..], &[b'a'; 500]] {
            let envelope = sealed(text);
            let mut json = Vec::new();
            envelope.write(&mut json);
            assert_eq!(canonicalize(&json).unwrap(), json);
            assert_eq!(Envelope::parse(Value::new(&json)), Ok(envelope));
        }
        for (text, name) in [
            ("{}", "alg"),
            (r#"{"alg":"none"}"#, "alg"),
            (
                r#"{"alg":"XAES-256-GCM","class":"public","cm":"","ct":"","kid":"AAAAAAAAAAAAAAAAAAAAAA","n":""}"#,
                "class",
            ),
            (r#"{"alg":"XAES-256-GCM","class":"secret","cm":"","ct":"","kid":"AA","n":""}"#, "kid"),
            (
                r#"{"alg":"XAES-256-GCM","class":"secret","cm":"","ct":"","kid":"AAAAAAAAAAAAAAAAAAAAAA","n":"AA"}"#,
                "n",
            ),
            (r#"{"alg":"XAES-256-GCM","class":"secret","z":2}"#, "z"),
        ] {
            assert_eq!(
                Envelope::parse(Value::new(text.as_bytes())),
                Err(EnvelopeError::Form(name)),
                "{text}"
            );
        }
    }

    /// What was sealed once must open for ever. Written by another implementation, in Python.
    #[test]
    fn the_frozen_envelope_opens() {
        let json = include_bytes!("envelope_v1.json");
        let envelope = Envelope::parse(Value::new(json.trim_ascii_end())).unwrap();
        assert_eq!(
            opened(&envelope, &key(7), "acme", "e-1").as_deref(),
            Ok(&br#"{"/actor/name":"Ana Lima"}"#[..])
        );
    }
}
