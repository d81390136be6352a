//! Checkpoints (C2SP tlog-checkpoint): the signed head of a ledger's tree.

use thiserror::Error;

use crate::hash::Hash;
use crate::merkle::TreeSize;
use crate::note::{Note, NoteError, NoteText, Signer, sign_note};
use crate::tiles::parse_decimal;
use crate::vkey::VerifierKey;

/// Why a text is no checkpoint, or one that cannot be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The note is malformed or does not verify.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The body is not one of a checkpoint; the words say which line.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// Known keys signed, but none under the name of the log.
    #[error("checkpoint of {origin} is not signed by a key of that name: use the log's own key")]
    ForeignKey {
        /// The log that the checkpoint is of.
        origin: String,
    },
}

/// The head of a log: its name, its size, its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: TreeSize,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint of a log; the origin is one line without control characters.
    pub fn new(origin: &str, size: TreeSize, root: Hash) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.contains(char::is_control) {
            return Err(CheckpointError::Malformed("the origin is one line of text, not empty"));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// Name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of leaves.
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// Root of the tree over them.
    pub const fn root(&self) -> &Hash {
        &self.root
    }

    /// Extension lines, which other logs may write; this one writes none.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The body: the lines that are signed.
    pub fn to_body(&self) -> String {
        let mut body = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for line in &self.extensions {
            body.push_str(line);
            body.push('\n');
        }
        body
    }

    /// Reads a body.
    pub fn parse_body(body: &str) -> Result<Self, CheckpointError> {
        let lines = body
            .strip_suffix('\n')
            .ok_or(CheckpointError::Malformed("the last line does not end with a newline"))?;
        let mut lines = lines.split('\n');
        let origin = lines.next().unwrap_or_default();
        let size = lines
            .next()
            .and_then(|digits| parse_decimal(digits.as_bytes()))
            .ok_or(CheckpointError::Malformed("the second line is the size in decimal digits"))?;
        let root = lines
            .next()
            .and_then(|root| Hash::from_base64(root).ok())
            .ok_or(CheckpointError::Malformed("the third line is the root in base64"))?;
        let mut checkpoint = Self::new(origin, TreeSize::new(size), root)?;
        for line in lines {
            if line.is_empty() || line.contains(char::is_control) {
                return Err(CheckpointError::Malformed(
                    "an extension line is one line of text, not empty",
                ));
            }
            checkpoint.extensions.push(line.to_owned());
        }
        Ok(checkpoint)
    }

    /// The signed note over this checkpoint.
    pub fn sign(&self, signer: &Signer) -> String {
        self.sign_all(&[signer])
    }

    /// The note with a signature of each signer, as while two log keys overlap.
    pub fn sign_all(&self, signers: &[&Signer]) -> String {
        sign_note(&NoteText::of_lines(self.to_body()), signers)
    }

    /// Reads a checkpoint with the note around it; no signature is checked.
    pub fn parse_note(note: &[u8]) -> Result<(Self, Note), CheckpointError> {
        let note = Note::parse(note)?;
        Ok((Self::parse_body(note.text())?, note))
    }

    /// Reads and verifies a checkpoint: known keys' signatures hold, and one of them is by a key
    /// that bears the log's name (else one log's key would speak for another log).
    pub fn open(note: &[u8], keys: &[VerifierKey]) -> Result<Self, CheckpointError> {
        let (checkpoint, note) = Self::parse_note(note)?;
        let signed = note.verify(keys)?;
        let own = |key: &&VerifierKey| key.name().as_str() == checkpoint.origin;
        if !signed.iter().any(own) {
            return Err(CheckpointError::ForeignKey { origin: checkpoint.origin });
        }
        Ok(checkpoint)
    }
}
