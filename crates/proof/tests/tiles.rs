//! Tiles of a static log: paths, rows of hashes, bundles of entries.

use ledgerstone_proof::{
    CompactRange, EntryBundle, Hash, TileError, TileKind, TilePath, TreeSize, leaf_hash,
    node_from_tile_row, tiles_for_size,
};

#[test]
fn tile_paths() {
    let hashes = |level| TileKind::Hashes { level };
    for (kind, index, width, text) in [
        (hashes(0), 0, 256, "tile/0/000"),
        (hashes(0), 273, 256, "tile/0/273"),
        (hashes(0), 1000, 256, "tile/0/x001/000"),
        (hashes(1), 1_234_067, 256, "tile/1/x001/x234/067"),
        (hashes(63), 5, 112, "tile/63/005.p/112"),
        (TileKind::Entries, 0, 1, "tile/entries/000.p/1"),
        (TileKind::Entries, 1_234_067, 255, "tile/entries/x001/x234/067.p/255"),
        (hashes(0), u64::MAX, 256, "tile/0/x018/x446/x744/x073/x709/x551/615"),
    ] {
        let tile = TilePath::new(kind, index, width).expect(text);
        assert_eq!(tile.to_string(), text);
        assert_eq!(TilePath::parse(text), Ok(tile));
    }
    for bad in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/64/000",
        "tile/-1/000",
        "tile/00/000",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/+01",
        "tile/0/ 01",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
    ] {
        TilePath::parse(bad).expect_err(bad);
    }
    assert_eq!(TilePath::new(TileKind::Entries, 0, 0), Err(TileError::Range));
    assert_eq!(TilePath::new(TileKind::Entries, 0, 257), Err(TileError::Range));
}

#[test]
fn tiles_of_a_log() {
    let paths = |size| -> Vec<_> {
        tiles_for_size(TreeSize::new(size)).map(|tile| tile.to_string()).collect()
    };
    assert!(paths(0).is_empty());
    assert_eq!(paths(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
    assert_eq!(paths(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(
        paths(512 + 3),
        [
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/3",
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/3",
            "tile/1/000.p/2",
        ]
    );
    let paths = paths(70_000);
    assert_eq!(paths.len(), 274 + 274 + 2 + 1);
    assert_eq!(paths[paths.len() - 3..], ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]);
}

#[test]
fn tile_rows_are_subtrees() {
    let leaves: Vec<_> = (0..256_u16).map(|n| leaf_hash(&n.to_be_bytes())).collect();
    for width in 0..=leaves.len() {
        let mut range = CompactRange::new();
        range.extend(leaves[..width].iter().copied());
        assert_eq!(node_from_tile_row(&leaves[..width]), range.root(), "{width}");
        assert_eq!(range.hashes().len(), width.count_ones() as usize);
        let again = CompactRange::from_parts(range.size(), range.hashes().to_vec());
        assert_eq!(again, Ok(range.clone()));
        let mut more = range.hashes().to_vec();
        more.push(Hash::ZERO);
        CompactRange::from_parts(range.size(), more).expect_err("one hash too many");
    }
}

#[test]
fn entry_bundles() {
    let long = vec![7; 65_535];
    let bundle = EntryBundle::new(vec![b"", b"ab", &long]).expect("a bundle");
    let bytes = bundle.encode();
    assert_eq!(bytes[..6], *b"\0\0\0\x02ab");
    assert_eq!(EntryBundle::decode(&bytes), Ok(bundle));
    for cut in [1, 3, 5, bytes.len() - 1] {
        EntryBundle::decode(&bytes[..cut]).expect_err("cut short");
    }
    let too_long = vec![7; 65_536];
    assert_eq!(EntryBundle::new(vec![b"a", &too_long]), Err(TileError::EntryTooLong { index: 1 }));
    assert_eq!(EntryBundle::new(vec![b""; 257]), Err(TileError::TooManyEntries));
    assert_eq!(EntryBundle::decode(&[0; 2 * 257]), Err(TileError::TooManyEntries));
    assert_eq!(EntryBundle::decode(&[0; 2 * 256]).expect("full").entries().len(), 256);
}
