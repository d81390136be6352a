//! The setting that says whether records are signed one by one, brought into the ledgers.
//!
//! Every ledger says from which record on its records are signed. `_system` says it last, so that an
//! opening which finds it there need not look into the others.

use ledgerstone_model::system::{RecordSigning, SigningMode, SystemRecord};
use ledgerstone_proof::{Kind, TenantId};

use crate::error::LedgerError;
use crate::history::parse_system;
use crate::ledger::Ledger;
use crate::reader::Order;
use crate::sequencer::{Door, SignedAs};
use crate::settings::LEDGERS_PER_ROUND;

impl Ledger {
    /// Makes the ledgers say what the settings say. Called before anything is submitted.
    pub(crate) fn settle_signing(&self) -> Result<(), LedgerError> {
        let wanted = self.settings.signing;
        if self.history().signing() == wanted {
            return Ok(());
        }
        let mut others = Vec::new();
        for tenant in self.reader().tenants()? {
            let is_open = !tenant.is_system() && !self.has_ended(&tenant);
            if is_open && self.signing_at_end(&tenant)? != wanted {
                others.push(tenant);
            }
        }
        for chunk in others.chunks(LEDGERS_PER_ROUND) {
            self.state_signing(chunk, wanted)?;
        }
        self.state_signing(&[TenantId::system()], wanted)?;
        self.sequencer.with_signing(|signing| signing.set_mode(wanted));
        Ok(())
    }

    fn state_signing(&self, tenants: &[TenantId], mode: SigningMode) -> Result<(), LedgerError> {
        self.sequencer.administer_by(Door::Ending, tenants, |round| {
            for (ledger, _) in tenants.iter().enumerate() {
                round.push(ledger, SignedAs::Always, |number, _| {
                    SystemRecord::RecordSigning(RecordSigning::new(number.next(), mode))
                });
            }
        })?;
        Ok(())
    }

    /// How the next record of a ledger is to be signed, told from its last ones.
    fn signing_at_end(&self, tenant: &TenantId) -> Result<SigningMode, LedgerError> {
        for record in self.reader().list(tenant, Order::NewestFirst, None)? {
            let record = record?;
            if record.kind == Kind::System {
                match parse_system(&record)?.0 {
                    SystemRecord::RecordSigning(signing) => return Ok(signing.mode()),
                    SystemRecord::Genesis(genesis) => return Ok(genesis.record_signing()),
                    // Signed in either mode, so it says nothing.
                    SystemRecord::SigningKey(_) => continue,
                    _ => {}
                }
            }
            return Ok(match record.signature {
                Some(_) => SigningMode::Record,
                None => SigningMode::Checkpoint,
            });
        }
        Err(LedgerError::UnknownTenant(tenant.clone()))
    }
}
