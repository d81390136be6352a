//! Where events go in: the ledgers of a data directory that this process writes, or a server.

use ledgerstone_client::{Receipt as RemoteReceipt, ReceiptStatus as RemoteStatus};
use ledgerstone_ledger::{Ledger, Receipt, ReceiptStatus};

use super::TenantChoice;
use crate::arguments::{IntoOption, KnownOption};
use crate::data_dir::{self, IfMissing};
use crate::failure::Failure;
use crate::location::{Location, LocationOption, only_with_data};
use crate::output::Console;
use crate::remote::Remote;

/// Where events go in.
pub enum Destination<'a> {
    Ledgers { ledger: &'a Ledger, tenants: &'a TenantChoice },
    Server(&'a Remote),
}

/// Opens what the options name, does the work, and closes it in order. Where nothing can go in,
/// that is said before anything is read.
pub fn with_destination<T>(
    location: &LocationOption,
    into: &IntoOption,
    known: &KnownOption,
    console: &mut Console,
    work: impl FnOnce(&Destination<'_>, &mut Console) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match location.find(console)? {
        Location::Directory(path) => {
            let tenants = into.choice()?;
            let (known, creation) = (known.notes()?, into.creation());
            let missing = IfMissing::Create;
            data_dir::write_extending(
                &path,
                known,
                missing,
                creation,
                console,
                |ledger, console| {
                    into.refuse_unknown(&tenants, ledger)?;
                    work(&Destination::Ledgers { ledger, tenants: &tenants }, console)
                },
            )
        }
        Location::Server(remote) => {
            only_with_data("--known", known.is_given())?;
            into.check_for(&remote)?;
            // Later, a server that cannot be reached is waited for.
            remote.wait(remote.client().is_alive())?;
            work(&Destination::Server(&remote), console)
        }
    }
}

/// The receipt of an event, from wherever it went in.
#[derive(Clone, Copy, Debug)]
pub enum Recorded<'a> {
    Here(&'a Receipt),
    ByServer(&'a RemoteReceipt),
}

impl Recorded<'_> {
    /// Whether the event was recorded before.
    pub fn is_duplicate(self) -> bool {
        match self {
            Self::Here(receipt) => receipt.status == ReceiptStatus::Duplicate,
            Self::ByServer(receipt) => receipt.status() == RemoteStatus::Duplicate,
        }
    }

    /// Appends the receipt as one JSON object.
    pub fn write_json(self, out: &mut Vec<u8>) {
        match self {
            Self::Here(receipt) => receipt.write_json(out),
            Self::ByServer(receipt) => out.extend_from_slice(receipt.json().as_bytes()),
        }
    }
}
