//! The heads follower: `DATA/heads/heads` holds every ledger's head as of a cursor, so that a store
//! with many ledgers need not look for them one by one.
//!
//! The file, all numbers little-endian: `LSHEADS1`; length of the cursor (u32), cursor; number of
//! ledgers (u64); for each, by name: length of the name (u8), name; size (u64); record hash (32);
//! time of the last record in µs since 1970 (i64); one hash (32) per subtree of the frontier, as many
//! as the size has bits set. Then the SHA-256 of all of it. A head may be newer than the cursor: who
//! replays from the cursor skips the records that it already counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_proof::{CompactRange, Hash, IngestedAt, TenantId};
use ledgerstone_store::{Changes, Cursor, Head, LedgerStore, Wanted};

use super::snapshot;
use super::{Follower, FollowerContext, FollowerError};

pub(super) const NAME: &str = "heads";

const MAGIC: &[u8; 8] = b"LSHEADS1";

/// With many ledgers the file is large, and it only spares the next opening some work.
const PAUSE: Duration = Duration::from_secs(30);

/// All heads, and the cursor from which on commits may be missing in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadsSnapshot {
    pub cursor: Cursor,
    pub heads: BTreeMap<TenantId, Head>,
}

impl HeadsSnapshot {
    /// The file within a data directory.
    pub fn path(data: &Path) -> PathBuf {
        data.join("heads").join("heads")
    }

    /// Reads the file; `None` when it is missing, damaged or of another form.
    pub fn load(data: &Path) -> Result<Option<Self>, FollowerError> {
        let path = Self::path(data);
        let bytes = snapshot::read(&path).map_err(|source| io(&path, source))?;
        Ok(bytes.and_then(|bytes| Self::decode(&bytes)))
    }

    /// Replaces the file.
    pub fn save(&self, data: &Path) -> Result<(), FollowerError> {
        let path = Self::path(data);
        snapshot::write(&path, &self.encode()).map_err(|source| io(&path, source))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(
            &u32::try_from(self.cursor.0.len()).unwrap_or(u32::MAX).to_le_bytes(),
        );
        out.extend_from_slice(&self.cursor.0);
        out.extend_from_slice(&(self.heads.len() as u64).to_le_bytes());
        for (tenant, head) in &self.heads {
            out.push(u8::try_from(tenant.as_str().len()).unwrap_or(u8::MAX));
            out.extend_from_slice(tenant.as_str().as_bytes());
            out.extend_from_slice(&head.size().to_le_bytes());
            out.extend_from_slice(head.record_hash.as_bytes());
            let at = head.ingested_at.map_or(0, IngestedAt::micros);
            out.extend_from_slice(&at.to_le_bytes());
            head.range.hashes().iter().for_each(|hash| out.extend_from_slice(hash.as_bytes()));
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
        let (cursor, after) = rest.split_at_checked(length)?;
        rest = after;
        let ledgers = u64::from_le_bytes(take(&mut rest)?);
        let mut heads = BTreeMap::new();
        for _ in 0..ledgers {
            let [length] = take(&mut rest)?;
            let (name, after) = rest.split_at_checked(usize::from(length))?;
            rest = after;
            let tenant = TenantId::parse_stored(std::str::from_utf8(name).ok()?).ok()?;
            heads.insert(tenant, decode_head(&mut rest)?);
        }
        rest.is_empty().then(|| Self { cursor: Cursor(cursor.to_vec()), heads })
    }
}

fn decode_head(rest: &mut &[u8]) -> Option<Head> {
    let size = u64::from_le_bytes(take(rest)?);
    let record_hash = Hash::from_bytes(take(rest)?);
    let at = IngestedAt::from_micros(i64::from_le_bytes(take(rest)?)).ok()?;
    let hashes = (0..size.count_ones()).map(|_| take(rest).map(Hash::from_bytes));
    let range = CompactRange::from_parts(size, hashes.collect::<Option<Vec<_>>>()?).ok()?;
    Some(Head { range, record_hash, ingested_at: (size > 0).then_some(at) })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*first)
}

/// Keeps the file up to date.
pub struct HeadsWriter {
    store: Arc<dyn LedgerStore>,
    data: PathBuf,
    snapshot: HeadsSnapshot,
}

impl HeadsWriter {
    pub fn new(context: &FollowerContext) -> Self {
        Self {
            store: Arc::clone(&context.store),
            data: context.data.clone(),
            snapshot: HeadsSnapshot::default(),
        }
    }

    pub(super) fn boxed(context: &FollowerContext) -> Box<dyn Follower> {
        Box::new(Self::new(context))
    }

    /// Asks the store for every head, for a file that begins anew.
    fn rebuild(&mut self) -> Result<(), FollowerError> {
        self.snapshot = HeadsSnapshot::default();
        for tenant in self.store.ledgers()? {
            self.refresh(&tenant)?;
        }
        Ok(())
    }

    fn refresh(&mut self, tenant: &TenantId) -> Result<(), FollowerError> {
        if let Some(head) = self.store.head(tenant)? {
            self.snapshot.heads.insert(tenant.clone(), head);
        }
        Ok(())
    }
}

impl Follower for HeadsWriter {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    fn wants(&self) -> Wanted {
        Wanted::Headers
    }

    fn load(&mut self) -> Result<Cursor, FollowerError> {
        match HeadsSnapshot::load(&self.data)? {
            Some(snapshot) => self.snapshot = snapshot,
            None => self.rebuild()?,
        }
        Ok(self.snapshot.cursor.clone())
    }

    fn apply(&mut self, changes: &Changes) -> Result<(), FollowerError> {
        let mut tenants: Vec<&TenantId> =
            changes.records.iter().map(|record| &record.tenant).collect();
        tenants.sort_unstable();
        tenants.dedup();
        tenants.into_iter().try_for_each(|tenant| self.refresh(tenant))
    }

    fn save(&mut self, next: &Cursor) -> Result<(), FollowerError> {
        self.snapshot.cursor = next.clone();
        self.snapshot.save(&self.data)
    }
}

fn io(path: &Path, source: std::io::Error) -> FollowerError {
    FollowerError::Io { what: path.display().to_string(), source }
}
