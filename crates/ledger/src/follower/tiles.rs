//! The tiles follower: full hash tiles of level 1 and above, `DATA/tiles/<tenant>/tile/<level>/…`, so
//! that serving a large tree does not mean computing 65,536 leaves for one tile.
//!
//! Each file is the tile (C2SP tlog-tiles, 8,192 bytes) and the SHA-256 of it. A file that is missing
//! or damaged when the follower starts is written again; a reader that meets one computes the tile.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_proof::tiles::{TILE_HEIGHT, TILE_WIDTH, encode_hash_tile};
use ledgerstone_proof::{Hash, NodeAddress, TenantId, TileKind, TilePath};
use ledgerstone_store::{Changes, Cursor, LedgerStore, ReadError, Wanted};

use super::snapshot;
use super::{Follower, FollowerContext, FollowerError};

pub(super) const NAME: &str = "tiles";

/// A ledger grows by a tile of level 1 every 65,536 records.
const PAUSE: Duration = Duration::from_secs(10);

/// Levels that a tree of any size can have tiles of.
const LEVELS: u8 = 64 / TILE_HEIGHT;

/// Where the tiles lie within a data directory.
fn directory(data: &Path) -> PathBuf {
    data.join("tiles")
}

/// The file of one tile of a ledger.
pub fn tile_file(data: &Path, tenant: &TenantId, path: &TilePath) -> PathBuf {
    directory(data).join(tenant.as_str()).join(path.to_string())
}

/// A stored tile; `None` when it is missing or damaged, and is to be computed.
pub fn stored_tile(
    data: &Path,
    tenant: &TenantId,
    path: &TilePath,
) -> Result<Option<Vec<u8>>, FollowerError> {
    let file = tile_file(data, tenant, path);
    snapshot::read(&file).map_err(|source| io(&file, source))
}

/// Writes tiles as ledgers grow.
pub struct TilesWriter {
    store: Arc<dyn LedgerStore>,
    data: PathBuf,
    /// The size of each ledger at which its tiles were last seen to.
    done: HashMap<TenantId, u64>,
}

impl TilesWriter {
    pub fn new(context: &FollowerContext) -> Self {
        let (store, data) = (Arc::clone(&context.store), context.data.clone());
        Self { store, data, done: HashMap::new() }
    }

    pub(super) fn boxed(context: &FollowerContext) -> Box<dyn Follower> {
        Box::new(Self::new(context))
    }

    fn cursor_file(&self) -> PathBuf {
        directory(&self.data).join("cursor")
    }

    /// Sees to the tiles that a ledger has at a size and did not have when it was last seen to.
    fn grow(&mut self, tenant: &TenantId, size: u64) -> Result<(), FollowerError> {
        let before = self.done.get(tenant).copied().unwrap_or(0);
        for level in 1..LEVELS {
            let tiles = |size: u64| size >> (u32::from(level + 1) * u32::from(TILE_HEIGHT)).min(63);
            for index in tiles(before)..tiles(size) {
                self.write_tile(tenant, level, index)?;
            }
        }
        self.done.insert(tenant.clone(), size.max(before));
        Ok(())
    }

    fn write_tile(&self, tenant: &TenantId, level: u8, index: u64) -> Result<(), FollowerError> {
        let Ok(path) = TilePath::new(TileKind::Hashes { level }, index, TILE_WIDTH) else {
            return Ok(());
        };
        if stored_tile(&self.data, tenant, &path)?.is_some() {
            return Ok(());
        }
        let first = index * u64::from(TILE_WIDTH);
        let level = level * TILE_HEIGHT;
        let hashes = (first..first + u64::from(TILE_WIDTH))
            .map(|index| self.store.node(tenant, NodeAddress { level, index }))
            .collect::<Result<Vec<Hash>, ReadError>>()?;
        let file = tile_file(&self.data, tenant, &path);
        snapshot::write(&file, &encode_hash_tile(&hashes)).map_err(|source| io(&file, source))
    }
}

impl Follower for TilesWriter {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    fn wants(&self) -> Wanted {
        Wanted::Headers
    }

    /// Looks at every tile there should be: there are few, and this is how damage is noticed.
    fn load(&mut self) -> Result<Cursor, FollowerError> {
        self.done.clear();
        for tenant in self.store.ledgers()? {
            if let Some(head) = self.store.head(&tenant)? {
                self.grow(&tenant, head.size())?;
            }
        }
        let file = self.cursor_file();
        let cursor = snapshot::read(&file).map_err(|source| io(&file, source))?;
        Ok(Cursor(cursor.unwrap_or_default()))
    }

    fn apply(&mut self, changes: &Changes) -> Result<(), FollowerError> {
        let mut sizes: HashMap<&TenantId, u64> = HashMap::new();
        for record in &changes.records {
            let size = sizes.entry(&record.tenant).or_insert(0);
            *size = (*size).max(record.sequence_number.value() + 1);
        }
        sizes.into_iter().try_for_each(|(tenant, size)| self.grow(tenant, size))
    }

    fn save(&mut self, next: &Cursor) -> Result<(), FollowerError> {
        let file = self.cursor_file();
        snapshot::write(&file, &next.0).map_err(|source| io(&file, source))
    }
}

fn io(path: &Path, source: std::io::Error) -> FollowerError {
    FollowerError::Io { what: path.display().to_string(), source }
}
