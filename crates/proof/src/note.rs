//! Signed notes (C2SP signed-note): a text and the signatures under it.

use std::fmt;

use thiserror::Error;

use crate::base64;
use crate::signature::{Signature, SigningKey};
use crate::vkey::{KeyName, VerifierKey};

/// Most signatures that a note may carry; the format asks for 16 at least.
pub const MAX_SIGNATURES: usize = 100;

/// Longest note in bytes.
pub const MAX_NOTE: usize = 1 << 20;

/// Why a note is malformed or does not verify.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// The bytes are not a note; the words say which rule is broken.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// A known key's signature does not hold: the text or the signature was changed.
    #[error("signature of {name} ({key_id:08x}) does not verify: the note was altered")]
    BadSignature {
        /// Name of the known key.
        name: KeyName,
        /// Its id.
        key_id: u32,
    },
    /// No signature is by a known key.
    #[error("no signature is by a key that was given: check the name and the key")]
    NoKnownSignature,
}

/// Text that a note can carry: UTF-8, ends with a newline, no other control character below
/// U+0020.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteText(String);

impl NoteText {
    /// Checks a text.
    pub fn parse(text: impl Into<String>) -> Result<Self, NoteError> {
        let text = text.into();
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text does not end with a newline"));
        }
        refuse_controls(&text)?;
        Ok(Self(text))
    }

    /// A text that its maker has built of lines without control characters, each with its newline.
    pub(crate) fn of_lines(text: String) -> Self {
        debug_assert!(text.ends_with('\n') && refuse_controls(&text).is_ok());
        Self(text)
    }

    /// The text, final newline included: the bytes that are signed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A private key with the name it signs as.
#[derive(Debug, Clone)]
pub struct Signer {
    verifier: VerifierKey,
    key: SigningKey,
}

impl Signer {
    /// Signs as `name`.
    pub fn new(name: KeyName, key: SigningKey) -> Self {
        Self { verifier: VerifierKey::new_ed25519(name, &key.verifying_key()), key }
    }

    /// The public half.
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signature line over a text, newline included.
    fn sign_line(&self, text: &NoteText) -> String {
        let signature = self.key.sign(text.as_str().as_bytes());
        NoteSignature {
            name: self.verifier.name().clone(),
            key_id: self.verifier.key_id(),
            signature: signature.as_bytes().to_vec(),
        }
        .to_string()
    }
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    key_id: u32,
    signature: Vec<u8>,
}

impl NoteSignature {
    /// Name of the signer, as the line claims it.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Id of the key, as the line claims it.
    pub const fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The signature's bytes, in the form of the key's type.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    fn parse(line: &str) -> Result<Self, NoteError> {
        const FORM: NoteError =
            NoteError::Malformed("a signature line has the form `— <name> <base64>`");
        let (name, payload) =
            line.strip_prefix("— ").and_then(|rest| rest.split_once(' ')).ok_or(FORM)?;
        let name = KeyName::parse(name).map_err(|_| FORM)?;
        let payload = base64::decode(payload).ok_or(FORM)?;
        let (key_id, signature) = payload.split_first_chunk().ok_or(FORM)?;
        if signature.is_empty() {
            return Err(FORM);
        }
        Ok(Self { name, key_id: u32::from_be_bytes(*key_id), signature: signature.to_vec() })
    }

    fn is_by(&self, key: &VerifierKey) -> bool {
        self.key_id == key.key_id() && self.name == *key.name()
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut payload = self.key_id.to_be_bytes().to_vec();
        payload.extend_from_slice(&self.signature);
        writeln!(f, "— {} {}", self.name, base64::encode(&payload))
    }
}

/// A note: well formed, its signatures not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: NoteText,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note.
    pub fn parse(note: &[u8]) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Malformed("longer than 1 MiB"));
        }
        let note = std::str::from_utf8(note).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        refuse_controls(note)?;
        // The text keeps the first of the two newlines.
        let split =
            note.rfind("\n\n").ok_or(NoteError::Malformed("no blank line before signatures"))?;
        let (text, lines) = note.split_at(split + 1);
        let lines = lines
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .ok_or(NoteError::Malformed("it does not end with a signature line"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::Malformed("more than 100 signatures"));
            }
            signatures.push(NoteSignature::parse(line)?);
        }
        Ok(Self { text: NoteText(text.to_owned()), signatures })
    }

    /// The text, final newline included.
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks every signature whose name and id are those of a given key, and answers the keys
    /// that signed, in the order of the note. Signatures of other keys are ignored; a known key's
    /// signature that fails rejects the note, and so does the lack of any known signature.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signed: Vec<&VerifierKey> = Vec::new();
        for signature in &self.signatures {
            for key in keys.iter().filter(|key| signature.is_by(key)) {
                self.check(signature, key)?;
                if !signed.contains(&key) {
                    signed.push(key);
                }
            }
        }
        if signed.is_empty() {
            return Err(NoteError::NoKnownSignature);
        }
        Ok(signed)
    }

    fn check(&self, line: &NoteSignature, key: &VerifierKey) -> Result<(), NoteError> {
        Signature::try_from(line.signature())
            .and_then(|signature| {
                let message = self.text().as_bytes();
                key.verifying_key().verify(message, &signature)
            })
            .map_err(|_| NoteError::BadSignature { name: line.name.clone(), key_id: line.key_id })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text())?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

/// Signs a text with each signer, in order.
pub fn sign_note(text: &NoteText, signers: &[&Signer]) -> String {
    let mut note = format!("{}\n", text.as_str());
    for signer in signers {
        note.push_str(&signer.sign_line(text));
    }
    note
}

fn refuse_controls(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Malformed("control character"));
    }
    Ok(())
}
