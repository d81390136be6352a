//! Who an administrative request acts for, with every name that an `audit` record should have.

use ledgerstone_ledger::Ledger;
use ledgerstone_model::Actor;

use super::service::Service;
use crate::auth::Authorised;

impl Service {
    /// What finds out, where the disk may be read, how records tell of a caller: of an API key also
    /// what people call it. A label that cannot be read holds up nothing.
    pub(super) fn actor(&self, authorised: &Authorised) -> impl FnOnce(&Ledger) -> Actor + use<> {
        let actor = authorised.actor();
        let key = authorised.caller().principal().api_key();
        let entry = key.and_then(|id| self.authenticator().api_keys().find(&id));
        move |ledger| {
            let label = entry.and_then(|row| ledger.reader().api_key_label(&row).ok().flatten());
            match label {
                Some(label) => actor.named(&label),
                None => actor,
            }
        }
    }
}
