//! A ledger as a C2SP tlog-tiles log: tiles and entry bundles, computed when asked for where they are
//! not stored.
//!
//! An entry is a record's header, so that a foreign tool which recomputes the tree from the bundles
//! checks exactly what the checkpoint signs, and sees no content.

use ledgerstone_proof::tiles::{TILE_WIDTH, encode_hash_tile};
use ledgerstone_proof::{
    EntryBundle, Hash, NodeAddress, SequenceNumber, TenantId, TileKind, TilePath, TreeSize,
};
use ledgerstone_store::{ReadError, StoredRecord};

use crate::error::LedgerError;
use crate::reader::Reader;

/// Tree levels that one tile level spans.
const TILE_HEIGHT: u8 = 8;

impl Reader {
    /// The bytes of one tile or entry bundle of the tree of a ledger's first `size` records.
    pub fn tile(
        &self,
        tenant: &TenantId,
        size: TreeSize,
        path: &TilePath,
    ) -> Result<Vec<u8>, LedgerError> {
        let no_such_tile =
            || LedgerError::NoSuchTile { tenant: tenant.clone(), path: path.to_string(), size };
        if size.value() > self.size(tenant)? || !is_in_tree(path, size) {
            return Err(no_such_tile());
        }
        match path.kind() {
            TileKind::Hashes { level } => self.hash_tile(tenant, path, level),
            TileKind::Entries => self.entry_bundle(tenant, path),
        }
    }

    fn hash_tile(
        &self,
        tenant: &TenantId,
        path: &TilePath,
        tile_level: u8,
    ) -> Result<Vec<u8>, LedgerError> {
        if let Some(stored) = self.stored_tile(tenant, path, tile_level)? {
            return Ok(stored);
        }
        let level = tile_level.saturating_mul(TILE_HEIGHT);
        let first = path.index() * u64::from(TILE_WIDTH);
        let hashes = (first..first + u64::from(path.width()))
            .map(|index| self.store().node(tenant, NodeAddress { level, index }))
            .collect::<Result<Vec<Hash>, ReadError>>()?;
        Ok(encode_hash_tile(&hashes))
    }

    /// A tile that is stored; one that cannot be read is computed like one that is not there.
    fn stored_tile(
        &self,
        tenant: &TenantId,
        path: &TilePath,
        tile_level: u8,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let is_stored = tile_level > 0 && path.width() == TILE_WIDTH;
        let Some(tiles) = self.stored_tiles().filter(|_| is_stored) else {
            return Ok(None);
        };
        let origin = self.genesis(tenant)?.origin();
        Ok(tiles.tile(tenant, &origin, path).ok().flatten())
    }

    fn entry_bundle(&self, tenant: &TenantId, path: &TilePath) -> Result<Vec<u8>, LedgerError> {
        let first = path.index() * u64::from(TILE_WIDTH);
        let wanted = usize::from(path.width());
        let mut headers = Vec::with_capacity(wanted);
        while headers.len() < wanted {
            let from = number(first + headers.len() as u64);
            let records = self.store().read(tenant, from, wanted - headers.len())?;
            if records.is_empty() {
                return Err(LedgerError::RecordNotFound {
                    tenant: tenant.clone(),
                    number: from,
                    size: from.value(),
                });
            }
            headers.extend(records.iter().map(StoredRecord::header_bytes));
        }
        let entries = headers.iter().map(Vec::as_slice).collect();
        let bundle = EntryBundle::new(entries).map_err(|error| LedgerError::InvalidProof {
            what: "an entry bundle",
            reason: error.to_string(),
        })?;
        Ok(bundle.encode())
    }
}

/// Whether the tree of that size has this tile with this width (C2SP tlog-tiles: a tile is full, or
/// the last of its level and then as wide as the tree makes it).
fn is_in_tree(path: &TilePath, size: TreeSize) -> bool {
    let level = match path.kind() {
        TileKind::Hashes { level } => u32::from(level) * u32::from(TILE_HEIGHT),
        TileKind::Entries => 0,
    };
    let nodes = size.value().checked_shr(level).unwrap_or(0);
    let width = u64::from(TILE_WIDTH);
    let Some(first) = path.index().checked_mul(width) else {
        return false;
    };
    nodes.saturating_sub(first) >= u64::from(path.width())
}

fn number(value: u64) -> SequenceNumber {
    SequenceNumber::new(value).unwrap_or(SequenceNumber::MAX)
}
