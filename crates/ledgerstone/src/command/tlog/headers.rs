//! The headers of a ledger in order, out of its records or out of a server's bundles of entries.

use ledgerstone_ledger::{Listing, Order, Reader};
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::{EntryBundle, SequenceNumber, TenantId, TileKind, TilePath};

use crate::failure::Failure;
use crate::remote::Remote;

/// Where the headers are.
pub enum Headers<'a> {
    Directory {
        reader: &'a Reader,
        tenant: &'a TenantId,
        /// A walk that stands before record `next`.
        listing: Option<Listing<'a>>,
        next: u64,
    },
    Server {
        remote: &'a Remote,
        tenant: &'a TenantId,
    },
}

impl<'a> Headers<'a> {
    pub const fn of_directory(reader: &'a Reader, tenant: &'a TenantId) -> Self {
        Self::Directory { reader, tenant, listing: None, next: 0 }
    }

    /// The headers of one bundle: so many from the first record of the bundle on. Bundles are asked
    /// for in order, with leaps over what is not wanted.
    pub fn bundle(&mut self, bundle: &TilePath, first: u64) -> Result<Vec<Vec<u8>>, Failure> {
        debug_assert_eq!(bundle.kind(), TileKind::Entries);
        match self {
            Self::Directory { reader, tenant, listing, next } => {
                if listing.is_none() || *next != first {
                    let from = SequenceNumber::new(first).unwrap_or(SequenceNumber::MAX);
                    *listing = Some(reader.list(tenant, Order::Sequence, Some(from))?);
                }
                *next = first + u64::from(bundle.width());
                let records = listing.iter_mut().flatten().take(usize::from(bundle.width()));
                records.map(|record| Ok(record?.header_bytes())).collect()
            }
            Self::Server { remote, tenant } => {
                let bytes = remote.wait(remote.client().tile(tenant, bundle))?;
                let entries = EntryBundle::decode(&bytes).map_err(|error| {
                    let message = format!("{bundle} is no bundle of entries: {error}");
                    Failure::new(ErrorCode::UnexpectedAnswer, message)
                })?;
                Ok(entries.entries().iter().map(|entry| entry.to_vec()).collect())
            }
        }
    }
}
