//! The pages of a bundle and how they follow on each other: what was lost on the way is found by the ranges
//! of records that they were looked for in.

use std::borrow::Cow;

use ledgerstone_model::json::NotCanonical;
use ledgerstone_model::system::{KeyAlgorithm, PublicKey};
use ledgerstone_proof::{Checkpoint, CheckpointError, VerifierKey};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Why a page or a record of it does not stand.
pub enum Wrong {
    /// The file is no bundle, or not the whole of one.
    Form(String),
    /// It says something that is not proved.
    Proof(String),
}

impl Wrong {
    pub fn form(error: impl std::fmt::Display) -> Self {
        Self::Form(error.to_string())
    }

    /// The same, of this place.
    pub fn at(self, place: &str) -> Self {
        match self {
            Self::Form(reason) => Self::Form(format!("{place}: {reason}")),
            Self::Proof(reason) => Self::Proof(format!("{place}: {reason}")),
        }
    }
}

impl From<NotCanonical> for Wrong {
    fn from(error: NotCanonical) -> Self {
        Self::form(error)
    }
}

/// The version that is read.
const VERSION: u64 = 1;

#[derive(Deserialize)]
pub struct Page<'a> {
    bundle: u64,
    pub checkpoint: String,
    /// How many records the page has.
    count: u64,
    next_cursor: Option<String>,
    range: Range,
    /// The public keys of records that the file names; absent in files of earlier versions.
    record_keys: Option<Vec<NamedKey>>,
    #[serde(borrow)]
    pub records: Vec<Record<'a>>,
    request: String,
    subject_id: String,
    tree_size: u64,
    vkey: String,
}

/// A public key as `GET /v1/verification-keys` names it.
#[derive(Deserialize)]
struct NamedKey {
    algorithm: String,
    key_id: String,
    public_key: String,
}

impl NamedKey {
    fn key(&self) -> Result<PublicKey, Wrong> {
        let key = KeyAlgorithm::parse(&self.algorithm)
            .and_then(|algorithm| PublicKey::from_base64(algorithm, &self.public_key))
            .ok_or_else(|| Wrong::Form(format!("{}: is no public key", self.key_id)))?;
        if key.key_id().as_str() != self.key_id {
            let (said, is) = (&self.key_id, key.key_id());
            return Err(Wrong::Proof(format!("{said}: is not the id of that key, which is {is}")));
        }
        Ok(key)
    }
}

/// The records of the ledger that a page was looked for in, of those that the bundle is over.
#[derive(Clone, Copy, Deserialize)]
struct Range {
    from: u64,
    to: u64,
    of: u64,
}

#[derive(Deserialize)]
pub struct Record<'a> {
    #[serde(borrow)]
    pub content: &'a RawValue,
    #[serde(borrow)]
    pub event: &'a RawValue,
    #[serde(borrow, default)]
    pub hidden: Vec<Hidden<'a>>,
    #[serde(borrow)]
    pub proof: Proof<'a>,
    #[serde(borrow, rename = "record")]
    pub shown_header: &'a RawValue,
}

#[derive(Deserialize)]
pub struct Hidden<'a> {
    #[serde(borrow)]
    pub pointer: Cow<'a, str>,
}

#[derive(Deserialize)]
pub struct Proof<'a> {
    pub hashes: Vec<String>,
    #[serde(borrow)]
    pub header: &'a RawValue,
    pub leaf_index: u64,
}

/// The pages up to one of them.
#[derive(Default)]
pub struct Pages {
    before: Option<Seen>,
}

/// What all pages have in common, and where the last one ended.
struct Seen {
    request: String,
    subject_id: String,
    origin: String,
    range: Range,
    is_last: bool,
}

impl Pages {
    /// Adds the next page. Its checkpoint is signed by one of the keys, and by the one that it names itself, which is
    /// the answer, and it has what the page before leads to.
    pub fn add(&mut self, page: &Page<'_>, keys: &[VerifierKey]) -> Result<VerifierKey, Wrong> {
        if page.bundle != VERSION {
            let found = page.bundle;
            return Err(Wrong::Form(format!(
                "bundle: is version {found}, and this program reads version {VERSION}"
            )));
        }
        let checkpoint = Checkpoint::open(page.checkpoint.as_bytes(), keys)
            .map_err(|error: CheckpointError| Wrong::Proof(format!("checkpoint: {error}")))?;
        let size = checkpoint.size().value();
        if page.tree_size != size {
            let reason =
                format!("tree_size: is {}, and the checkpoint is over {size}", page.tree_size);
            return Err(Wrong::Proof(reason));
        }
        let named = page.named_key()?;
        page.check_range()?;
        let seen = Seen {
            request: page.request.clone(),
            subject_id: page.subject_id.clone(),
            origin: checkpoint.origin().to_owned(),
            range: page.range,
            is_last: page.next_cursor.is_none(),
        };
        match &self.before {
            Some(before) => before.leads_to(&seen)?,
            None if page.range.from != 0 => {
                let (first, till) = (0, page.range.from);
                return Err(Wrong::Form(format!(
                    "range: pages over {first} to {till} are missing before it"
                )));
            }
            None => {}
        }
        self.before = Some(seen);
        Ok(named)
    }

    /// Whether the page that was added last is the last one of the bundle.
    pub fn is_whole(&self) -> bool {
        self.before.as_ref().is_some_and(|seen| seen.is_last)
    }
}

impl Page<'_> {
    /// The key that the page names, which signed its checkpoint.
    fn named_key(&self) -> Result<VerifierKey, Wrong> {
        let named =
            VerifierKey::parse(&self.vkey).map_err(|error| Wrong::form(error).at("vkey"))?;
        let own = std::slice::from_ref(&named);
        Checkpoint::open(self.checkpoint.as_bytes(), own).map_err(|_| {
            Wrong::Proof("vkey: is not the key that signed the checkpoint".to_owned())
        })?;
        Ok(named)
    }

    /// The keys of records that the page names; `None` where it is of a version that named none.
    pub fn record_keys(&self) -> Result<Option<Vec<PublicKey>>, Wrong> {
        let Some(named) = &self.record_keys else { return Ok(None) };
        let keys = named.iter().map(NamedKey::key).collect::<Result<Vec<_>, _>>();
        keys.map(Some).map_err(|wrong| wrong.at("record_keys"))
    }

    /// Whether the records are so many as the page says, in the order of the ledger, and in its range.
    fn check_range(&self) -> Result<(), Wrong> {
        let Range { from, to, of } = self.range;
        if !(from <= to && to <= of && of <= self.tree_size) {
            let tree = self.tree_size;
            return Err(Wrong::Form(format!(
                "range: {from} to {to} of {of} does not lie in the tree of {tree}"
            )));
        }
        let mut next = from;
        for index in self.records.iter().map(|record| record.proof.leaf_index) {
            if !(next..to).contains(&index) {
                let reason = format!(
                    "record {index}: proof: leaf_index: stands twice, out of order, or outside of the page's range"
                );
                return Err(Wrong::Form(reason));
            }
            next = index + 1;
        }
        if self.count != u64::try_from(self.records.len()).unwrap_or(u64::MAX) {
            let (said, found) = (self.count, self.records.len());
            return Err(Wrong::Form(format!("count: is {said}, and there are {found} records")));
        }
        if self.next_cursor.is_none() && to != of {
            return Err(Wrong::Form(format!(
                "next_cursor: is null, and the range ends at {to} of {of}"
            )));
        }
        Ok(())
    }
}

impl Seen {
    fn leads_to(&self, next: &Self) -> Result<(), Wrong> {
        for (member, before, now) in [
            ("request", &self.request, &next.request),
            ("subject_id", &self.subject_id, &next.subject_id),
            ("checkpoint", &self.origin, &next.origin),
        ] {
            if before != now {
                return Err(Wrong::Form(format!(
                    "{member}: is of {now}, and the page before of {before}"
                )));
            }
        }
        if self.range.of != next.range.of {
            let (before, now) = (self.range.of, next.range.of);
            return Err(Wrong::Form(format!(
                "range: is of {now} records, and the page before of {before}"
            )));
        }
        if self.is_last {
            return Err(Wrong::Form("stands behind the last page".to_owned()));
        }
        if self.range.to != next.range.from {
            let (end, begin) = (self.range.to, next.range.from);
            let reason = format!(
                "range: begins at {begin}, and the page before ends at {end}: a page is missing, doubled or misplaced"
            );
            return Err(Wrong::Form(reason));
        }
        Ok(())
    }
}
