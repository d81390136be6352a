//! What an auditor takes away: proofs, checkpoints, tiles.

use ledgerstone_proof::{EventId, Hash, TenantId, TilePath, TreeSize, VerifierKey};
use serde::Deserialize;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// A ledger's signed head, and the key that the server says it is checked with. Whoever trusts
/// nobody has the key from elsewhere.
#[derive(Clone, Debug)]
pub struct SignedCheckpoint {
    note: String,
    vkey: VerifierKey,
    size: TreeSize,
    root: Hash,
}

#[derive(Deserialize)]
struct Members {
    note: String,
    vkey: String,
    size: u64,
    root: String,
}

impl SignedCheckpoint {
    fn parse(members: Members) -> Result<Self, String> {
        Ok(Self {
            vkey: VerifierKey::parse(&members.vkey).map_err(|error| error.to_string())?,
            size: TreeSize::new(members.size),
            root: Hash::from_base64(&members.root).map_err(|error| error.to_string())?,
            note: members.note,
        })
    }

    /// The signed note (C2SP), to be kept as it is.
    pub fn note(&self) -> &str {
        &self.note
    }

    pub const fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    pub const fn size(&self) -> TreeSize {
        self.size
    }

    pub const fn root(&self) -> &Hash {
        &self.root
    }
}

impl Client {
    /// The proof of one record as a C2SP tlog-proof file, which
    /// [`ledgerstone_proof::verify_record_proof`] checks without the server.
    pub async fn proof(&self, id: &EventId) -> Result<String, ClientError> {
        let call = Call::get(self.route(&format!("v1/events/{id}/proof"), &[]));
        self.send(&call.accept("text/plain")).await?.text()
    }

    /// A checkpoint over everything that the credential's ledger holds now.
    pub async fn checkpoint(&self) -> Result<SignedCheckpoint, ClientError> {
        let call = Call::get(self.route("v1/checkpoint", &[])).accept("application/json");
        self.send(&call).await?.json_with(SignedCheckpoint::parse)
    }

    /// A tile of hashes or a bundle of headers (C2SP tlog-tiles) of the credential's own ledger.
    pub async fn tile(&self, tenant: &TenantId, tile: &TilePath) -> Result<Vec<u8>, ClientError> {
        let call = Call::get(self.route(&format!("v1/tlog/{tenant}/{tile}"), &[]));
        Ok(self.send(&call).await?.into_bytes().into())
    }
}
