//! Writes the tiles of a ledger's tree in one pass over its headers, and does not hand out a tree
//! that is not the one its checkpoint signs.

use ledgerstone_model::ErrorCode;
use ledgerstone_proof::tiles::{TILE_WIDTH, decode_hash_tile, encode_hash_tile};
use ledgerstone_proof::{
    Checkpoint, CompactRange, EntryBundle, Hash, TenantId, TileKind, TilePath, leaf_hash,
    node_from_tile_row,
};

use super::folder::Folder;
use super::headers::Headers;
use crate::failure::Failure;

/// Writes what the folder does not have yet, and answers how many tiles that were.
pub fn export(
    mut headers: Headers<'_>,
    tenant: &TenantId,
    checkpoint: &Checkpoint,
    folder: &Folder,
) -> Result<u64, Failure> {
    let mut export = Export { folder, written: 0, tree: CompactRange::new(), rows: Vec::new() };
    let size = checkpoint.size().value();
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let first = index * u64::from(TILE_WIDTH);
        // The last bundle is as wide as what is left.
        let width = u16::try_from(size - first).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
        export.bundle(index, width, &mut headers)?;
    }
    export.partial_rows()?;
    if export.tree.root() != *checkpoint.root() {
        let message = format!(
            "the first {size} records of ledger {tenant} do not have the root that their \
             checkpoint signs"
        );
        return Err(Failure::new(ErrorCode::RecordDamaged, message));
    }
    Ok(export.written)
}

/// An export as far as it has come.
struct Export<'a> {
    folder: &'a Folder,
    written: u64,
    /// Over all leaves so far.
    tree: CompactRange,
    /// The unfinished rows of the levels from 1 on.
    rows: Vec<Row>,
}

/// The hashes of a tile that is not full yet.
#[derive(Default)]
struct Row {
    index: u64,
    hashes: Vec<Hash>,
}

impl Export<'_> {
    /// One entry bundle, and the tile of level 0 over it.
    fn bundle(&mut self, index: u64, width: u16, headers: &mut Headers<'_>) -> Result<(), Failure> {
        let first = index * u64::from(TILE_WIDTH);
        let hashes = tile_path(TileKind::Hashes { level: 0 }, index, width)?;
        let leaves = if let Some(leaves) = self.exported_row(&hashes, first + u64::from(width)) {
            leaves
        } else {
            let bundle = tile_path(TileKind::Entries, index, width)?;
            let headers = headers.bundle(&bundle, first)?;
            let entries = headers.iter().map(Vec::as_slice).collect();
            let encoded = EntryBundle::new(entries).map_err(|error| internal(&error))?.encode();
            self.write(&bundle, &encoded)?;
            let leaves: Vec<Hash> = headers.iter().map(|header| leaf_hash(header)).collect();
            self.write(&hashes, &encode_hash_tile(&leaves))?;
            leaves
        };
        for leaf in &leaves {
            self.tree.push(*leaf);
        }
        if width == TILE_WIDTH {
            self.add(1, node_from_tile_row(&leaves))?;
        }
        Ok(())
    }

    fn exported_row(&self, tile: &TilePath, end: u64) -> Option<Vec<Hash>> {
        decode_hash_tile(&self.folder.exported(tile, end)?).ok()
    }

    /// Adds a node to a level's row; a full row becomes a tile and a node of the level above.
    fn add(&mut self, level: u8, node: Hash) -> Result<(), Failure> {
        let place = usize::from(level) - 1;
        if self.rows.len() <= place {
            self.rows.push(Row::default());
        }
        let Some(row) = self.rows.get_mut(place) else { return Ok(()) };
        row.hashes.push(node);
        if row.hashes.len() < usize::from(TILE_WIDTH) {
            return Ok(());
        }
        let (index, hashes) = (row.index, std::mem::take(&mut row.hashes));
        row.index += 1;
        let tile = tile_path(TileKind::Hashes { level }, index, TILE_WIDTH)?;
        self.write(&tile, &encode_hash_tile(&hashes))?;
        self.add(level + 1, node_from_tile_row(&hashes))
    }

    /// The last tile of each level, as wide as the tree makes it.
    fn partial_rows(&mut self) -> Result<(), Failure> {
        for (level, row) in (1..).zip(std::mem::take(&mut self.rows)) {
            let width = u16::try_from(row.hashes.len()).unwrap_or(TILE_WIDTH);
            if width > 0 {
                let tile = tile_path(TileKind::Hashes { level }, row.index, width)?;
                self.write(&tile, &encode_hash_tile(&row.hashes))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, tile: &TilePath, bytes: &[u8]) -> Result<(), Failure> {
        self.written += 1;
        self.folder.write(tile, bytes)
    }
}

fn tile_path(kind: TileKind, index: u64, width: u16) -> Result<TilePath, Failure> {
    TilePath::new(kind, index, width).map_err(|error| internal(&error))
}

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::new(ErrorCode::Internal, error.to_string())
}
