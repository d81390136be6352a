//! Event ids that are already recorded: keyed hashes in sorted runs, merged by tiers.
//!
//! Everything here is derived from segments and can be thrown away. A hash that is found is only
//! a hint: the record it points to is read and its id compared before anybody believes it.

mod filter;
mod manifest;
mod merge;
mod run;
mod tiers;

pub use run::{Covers, RunFault};
#[cfg(feature = "conformance")]
pub use run::{RunFile, forge_page};
pub use tiers::{IdTiers, MemoryRun, named_runs};

use std::hash::{BuildHasherDefault, Hash, Hasher};

use ledgerstone_proof::{TenantId, sha256};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::StoreId;

/// Version of the container (runs and manifest).
pub const VERSION: u32 = 1;

/// 128-bit keyed hash of (ledger, event id).
///
/// Kept as two words, the upper one first: hashes are held by the hundred thousand, and a `u128`
/// would make each of them, with the number beside it, a third larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdHash([u64; 2]);

impl IdHash {
    pub const fn new(value: u128) -> Self {
        Self([(value >> 64) as u64, value as u64])
    }

    pub const fn value(self) -> u128 {
        (self.0[0] as u128) << 64 | self.0[1] as u128
    }
}

impl Hash for IdHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[1]);
    }
}

/// Hashes ids under the store's own key, so that one store's collisions are not another's.
#[derive(Clone, Debug)]
pub struct IdHasher {
    key: [u8; 16],
}

impl IdHasher {
    pub fn new(store: &StoreId) -> Self {
        let mut seed = b"ledgerstone event ids\n".to_vec();
        seed.extend_from_slice(store.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&sha256(&seed).as_bytes()[..16]);
        Self { key }
    }

    pub fn hash(&self, tenant: &TenantId, event_id: &str) -> IdHash {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(tenant.as_str().as_bytes());
        // No name holds a NUL, so the two cannot run into each other.
        hasher.write_u8(0);
        hasher.write(event_id.as_bytes());
        IdHash::new(hasher.finish128().as_u128())
    }
}

/// Ids of one unsealed log file: hash → sequence number.
pub type ActiveIds = std::collections::HashMap<IdHash, u64, BuildHasherDefault<AlreadyHashed>>;

/// The map's keys are hashes already; their low half is taken as it is.
#[derive(Default)]
pub struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
