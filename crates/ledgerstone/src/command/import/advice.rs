//! Says of a tenant for which nobody has chosen what is sealed that there are rules for the format.

use ledgerstone_edge::importer::Importer;
use ledgerstone_model::policy::PolicyKind;
use ledgerstone_model::sealing::Preset;

use crate::ingest::{Destination, TenantChoice};
use crate::output::Console;

/// Says so on standard error, and changes nothing: the rules of a format say less of events that come
/// from elsewhere, and one policy counts for all of a tenant's.
pub fn advise(importer: &dyn Importer, destination: &Destination<'_>, console: &mut Console) {
    let preset = importer.sealing_preset();
    if preset == Preset::Standard || has_chosen(destination) != Some(false) {
        return;
    }
    console.note(format!(
        "nobody has chosen what is sealed for this tenant, so the deployment's default counts; the \
         preset {} is made for this format: \
         echo '{{\"preset\":\"{}\"}}' | ledgerstone policies set sealing -",
        preset.as_str(),
        preset.as_str()
    ));
}

/// Whether somebody has set the tenant's policy; `None` where there are several tenants, or nobody
/// says.
fn has_chosen(destination: &Destination<'_>) -> Option<bool> {
    match destination {
        Destination::Ledgers { ledger, tenants: TenantChoice::Fixed(tenant) } => {
            let policy = ledger.policy(tenant, PolicyKind::Sealing).ok()?;
            Some(policy.is_some_and(|policy| policy.audit_record().is_some()))
        }
        Destination::Ledgers { .. } => None,
        Destination::Server(remote) => {
            let policy = remote.wait(remote.client().policy(PolicyKind::Sealing)).ok()?;
            Some(policy.set_by.is_some_and(|by| by.audit_record.is_some()))
        }
    }
}
