//! The tiles follower: full hash tiles of level 1 and above, `DATA/tiles/<tenant>/tile/<level>/…`, so
//! that a tile or a proof of a large tree does not mean hashing 65,536 leaves and more.
//!
//! Each file is the tile (C2SP tlog-tiles, 8,192 bytes) and a SHA-256 of it, its ledger's origin and
//! its path. A file that is missing, damaged or from another ledger is written again by the follower,
//! and computed anew by a reader that meets it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_proof::tiles::{TILE_HEIGHT, TILE_WIDTH, decode_hash_tile, encode_hash_tile};
use ledgerstone_proof::{
    Hash, Kind, NodeAddress, TenantId, TileKind, TilePath, node_from_tile_row,
};
use ledgerstone_store::{Changes, Cursor, LedgerStore, ReadError, Wanted};

use super::snapshot;
use super::{Follower, FollowerContext, FollowerError};
use crate::history::read_genesis;

pub(super) const NAME: &str = "tiles";

/// A ledger grows by a tile of level 1 every 65,536 records.
const PAUSE: Duration = Duration::from_secs(10);

/// Levels that a tree of any size can have tiles of.
const LEVELS: u8 = 64 / TILE_HEIGHT;

/// The stored tiles of a data directory, to be read.
#[derive(Clone, Debug)]
pub struct StoredTiles {
    directory: PathBuf,
}

impl StoredTiles {
    pub fn of(data: &Path) -> Self {
        Self { directory: data.join("tiles") }
    }

    /// The file of one tile of a ledger.
    pub fn file(&self, tenant: &TenantId, path: &TilePath) -> PathBuf {
        self.directory.join(tenant.as_str()).join(path.to_string())
    }

    /// A tile of the ledger with that origin; `None` when it is missing, damaged or another ledger's,
    /// and is to be computed.
    pub fn tile(
        &self,
        tenant: &TenantId,
        origin: &str,
        path: &TilePath,
    ) -> Result<Option<Vec<u8>>, FollowerError> {
        let file = self.file(tenant, path);
        snapshot::read(&file, &belongs(origin, path)).map_err(|source| io(&file, source))
    }

    /// Hash of a complete subtree, from the tile that holds its leaves or the nodes below it; `None`
    /// where no stored tile does.
    pub fn node(
        &self,
        tenant: &TenantId,
        origin: &str,
        node: NodeAddress,
    ) -> Result<Option<Hash>, FollowerError> {
        let (level, above) = (node.level / TILE_HEIGHT, node.level % TILE_HEIGHT);
        let first = node.index << above;
        let tile = first / u64::from(TILE_WIDTH);
        let Ok(path) = TilePath::new(TileKind::Hashes { level }, tile, TILE_WIDTH) else {
            return Ok(None);
        };
        if level == 0 {
            return Ok(None);
        }
        let row = self.tile(tenant, origin, &path)?.and_then(|bytes| decode_hash_tile(&bytes).ok());
        let from = usize::try_from(first % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        let hashes = row.as_ref().and_then(|row| row.get(from..)?.get(..1 << above));
        Ok(hashes.map(node_from_tile_row))
    }

    fn write(
        &self,
        tenant: &TenantId,
        origin: &str,
        path: &TilePath,
        tile: &[u8],
    ) -> Result<(), FollowerError> {
        let file = self.file(tenant, path);
        snapshot::write(&file, &belongs(origin, path), tile).map_err(|source| io(&file, source))
    }
}

/// What a tile's hash is over beside the tile.
fn belongs(origin: &str, path: &TilePath) -> String {
    format!("{origin}\n{path}")
}

/// Writes tiles as ledgers grow.
pub struct TilesWriter {
    store: Arc<dyn LedgerStore>,
    tiles: StoredTiles,
    /// The size of each ledger at which its tiles were last seen to.
    done: HashMap<TenantId, u64>,
}

impl TilesWriter {
    pub fn new(context: &FollowerContext) -> Self {
        let (store, tiles) = (Arc::clone(&context.store), StoredTiles::of(&context.data));
        Self { store, tiles, done: HashMap::new() }
    }

    pub(super) fn boxed(context: &FollowerContext) -> Box<dyn Follower> {
        Box::new(Self::new(context))
    }

    fn cursor_file(&self) -> PathBuf {
        self.tiles.directory.join("cursor")
    }

    /// What the cursor belongs to: the deployment, by the origin of its `_system`.
    fn deployment(&self) -> Result<String, FollowerError> {
        let genesis = read_genesis(&*self.store, &TenantId::system())?;
        Ok(genesis.map(|(genesis, _)| genesis.origin()).unwrap_or_default())
    }

    /// Sees to the tiles that the ledgers have and did not have when they were last seen to.
    fn grow_all(&mut self) -> Result<(), FollowerError> {
        for tenant in self.store.ledgers()? {
            if let Some(head) = self.store.head(&tenant)? {
                self.grow(&tenant, head.size())?;
            }
        }
        Ok(())
    }

    fn grow(&mut self, tenant: &TenantId, size: u64) -> Result<(), FollowerError> {
        let before = self.done.get(tenant).copied().unwrap_or(0);
        let tiles =
            |level: u8, size: u64| size >> (u32::from(level + 1) * u32::from(TILE_HEIGHT)).min(63);
        if tiles(1, before) < tiles(1, size)
            && let Some((genesis, _)) = read_genesis(&*self.store, tenant)?
        {
            let origin = genesis.origin();
            for level in 1..LEVELS {
                for index in tiles(level, before)..tiles(level, size) {
                    self.write_tile(tenant, &origin, level, index)?;
                }
            }
        }
        self.done.insert(tenant.clone(), size.max(before));
        Ok(())
    }

    fn write_tile(
        &self,
        tenant: &TenantId,
        origin: &str,
        level: u8,
        index: u64,
    ) -> Result<(), FollowerError> {
        let Ok(path) = TilePath::new(TileKind::Hashes { level }, index, TILE_WIDTH) else {
            return Ok(());
        };
        if self.tiles.tile(tenant, origin, &path)?.is_some() {
            return Ok(());
        }
        let first = index * u64::from(TILE_WIDTH);
        let level = level * TILE_HEIGHT;
        let hashes = (first..first + u64::from(TILE_WIDTH))
            .map(|index| self.store.node(tenant, NodeAddress { level, index }))
            .collect::<Result<Vec<Hash>, ReadError>>()?;
        self.tiles.write(tenant, origin, &path, &encode_hash_tile(&hashes))
    }
}

impl Follower for TilesWriter {
    fn name(&self) -> &'static str {
        NAME
    }

    fn pause(&self) -> Duration {
        PAUSE
    }

    /// That ledgers have grown is all that matters; nothing need be read for it but what is rare.
    fn wants(&self) -> Wanted {
        Wanted::Kind(Kind::System)
    }

    /// Looks at every tile there should be: there are few, and this is how damage is noticed.
    fn load(&mut self) -> Result<Cursor, FollowerError> {
        self.done.clear();
        self.grow_all()?;
        let file = self.cursor_file();
        let cursor =
            snapshot::read(&file, &self.deployment()?).map_err(|error| io(&file, error))?;
        Ok(Cursor(cursor.unwrap_or_default()))
    }

    fn apply(&mut self, _: &Changes) -> Result<(), FollowerError> {
        self.grow_all()
    }

    fn save(&mut self, next: &Cursor) -> Result<(), FollowerError> {
        let (file, belongs) = (self.cursor_file(), self.deployment()?);
        snapshot::write(&file, &belongs, &next.0).map_err(|source| io(&file, source))
    }
}

fn io(path: &Path, source: std::io::Error) -> FollowerError {
    FollowerError::Io { what: path.display().to_string(), source }
}
