//! Proofs: every record can be proved to somebody who holds a public key and nothing else.

use ledgerstone_ledger::LedgerError;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::tiles::decode_hash_tile;
use ledgerstone_proof::{
    CompactRange, EntryBundle, EventId, Header, TileKind, TilePath, TlogProof, TreeSize, leaf_hash,
    tiles_for_size, verify_record_proof,
};

use crate::rig::{Rig, receipts, tenant};

#[test]
fn every_record_is_proved_and_nothing_else() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme", "beta"]);
    let mut events = rig.events("acme", "e", 21);
    events.extend(rig.events("beta", "e", 3));
    let receipts = receipts(ledger.append(events).unwrap());
    for receipt in &receipts {
        let key = ledger.verifier_key(&receipt.tenant_id).unwrap();
        let proof = ledger.record_proof(&receipt.tenant_id, &receipt.id).unwrap();
        let parsed = TlogProof::parse(proof.to_string().as_bytes()).unwrap();
        let stored = ledger.reader().get(&receipt.tenant_id, &receipt.id).unwrap();
        let proved =
            verify_record_proof(&parsed, std::slice::from_ref(&key), stored.content.as_deref())
                .unwrap();
        assert_eq!(proved.header().event_id(), &receipt.id);
        assert_eq!(proved.header().record_hash(), receipt.record_hash);
        assert_eq!(proved.header().tenant_id(), &receipt.tenant_id);
        assert!(verify_record_proof(&parsed, &[key], Some(b"another content")).is_err());
    }
    let other = ledger.verifier_key(&tenant("beta")).unwrap();
    let proof = ledger.record_proof(&tenant("acme"), &receipts[0].id).unwrap();
    assert!(verify_record_proof(&proof, &[other], None).is_err());
    let beyond = ledger.reader().inclusion_proof(
        &tenant("beta"),
        receipts[2].sequence_number,
        TreeSize::new(3),
    );
    assert!(matches!(beyond, Err(LedgerError::NotCovered { .. })));
    let missing = ledger.record_proof(&tenant("acme"), &EventId::parse("nothing").unwrap());
    assert_eq!(missing.unwrap_err().code(), ErrorCode::EventNotFound);
    rig.assert_sound();
}

#[test]
fn a_process_that_only_reads_proves_what_a_kept_checkpoint_covers() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    let first = receipts(ledger.append(rig.events("acme", "a", 2)).unwrap()).remove(0);
    let reader = ledgerstone_ledger::Reader::new(std::sync::Arc::new(rig.store.reopen()));
    let early = reader.record_proof(&tenant("acme"), &first.id).unwrap_err();
    assert!(matches!(early, LedgerError::NotCovered { .. }));
    ledger.checkpoint(&tenant("acme")).unwrap();
    let key = ledger.verifier_key(&tenant("acme")).unwrap();
    let later = receipts(ledger.append(rig.events("acme", "b", 2)).unwrap()).remove(0);
    let proof = reader.record_proof(&tenant("acme"), &first.id).unwrap();
    verify_record_proof(&proof, &[key], None).unwrap();
    assert!(reader.record_proof(&tenant("acme"), &later.id).is_err());
    rig.assert_sound();
}

#[test]
fn the_tiles_of_a_ledger_give_its_root() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "e", 600)).unwrap();
    let acme = tenant("acme");
    let checkpoint = ledger.checkpoint(&acme).unwrap();
    let mut range = CompactRange::new();
    let mut leaves = Vec::new();
    let paths: Vec<TilePath> = tiles_for_size(checkpoint.size).collect();
    for path in paths.iter().filter(|path| path.kind() == TileKind::Entries) {
        let bytes = ledger.reader().tile(&acme, checkpoint.size, path).unwrap();
        for entry in EntryBundle::decode(&bytes).unwrap().entries() {
            Header::parse(entry).unwrap();
            leaves.push(leaf_hash(entry));
            range.push(leaf_hash(entry));
        }
    }
    assert_eq!(range.root(), checkpoint.root);
    let mut hashes = Vec::new();
    for path in paths.iter().filter(|path| path.kind() == TileKind::Hashes { level: 0 }) {
        let bytes = ledger.reader().tile(&acme, checkpoint.size, path).unwrap();
        hashes.extend(decode_hash_tile(&bytes).unwrap());
    }
    assert_eq!(hashes, leaves);
    assert!(paths.iter().any(|path| path.kind() == TileKind::Hashes { level: 1 }));
    rig.assert_sound();
}

#[test]
fn tiles_that_a_tree_does_not_have_are_refused() {
    let rig = Rig::new();
    let ledger = rig.create(&["acme"]);
    ledger.append(rig.events("acme", "e", 299)).unwrap();
    let tile = |path: &str, size| {
        let path = TilePath::parse(path).unwrap();
        ledger.reader().tile(&tenant("acme"), TreeSize::new(size), &path)
    };
    assert!(tile("tile/0/001.p/44", 300).is_ok());
    assert!(tile("tile/0/001.p/43", 300).is_ok(), "the partial tile of a smaller tree");
    assert!(tile("tile/1/000.p/1", 300).is_ok());
    for beyond in
        ["tile/0/001.p/45", "tile/0/001", "tile/0/002.p/1", "tile/1/000.p/2", "tile/8/000.p/1"]
    {
        let error = tile(beyond, 300).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{beyond}");
    }
    assert!(tile("tile/0/000", 301).is_err(), "the ledger is not that long");
    rig.assert_sound();
}
