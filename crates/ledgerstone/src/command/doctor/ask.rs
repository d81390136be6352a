//! Asks a server how it is.

use ledgerstone_client::Status;
use ledgerstone_model::ErrorCode;

use super::Observation;
use crate::failure::Failure;
use crate::output::counted;
use crate::remote::Remote;

const HEALTHY: &str = "healthy";

/// Everything that is worth telling. Whoever has no credential, or one that may not see the state, is
/// told what anybody may know.
pub fn ask(remote: &Remote) -> Result<Vec<Observation>, Failure> {
    let health = remote.wait(remote.client().health())?;
    let status = match remote.status() {
        Ok(status) => Some(status),
        Err(failure) if is_about_who_asks(failure.code()) => None,
        Err(failure) => return Err(failure),
    };
    let mut seen = Vec::new();
    match status {
        Some(status) => look_at_ledger(status, &mut seen),
        None => seen.push(Observation::note(
            "credential",
            "it does not show the state of a ledger; what follows is what anybody may know",
        )),
    }
    for component in &health.components {
        if component.status != HEALTHY {
            let reasons = reasons(status, &component.name);
            let what = format!("{} is {}{reasons}", component.name, component.status);
            let remedy = "Read the server's log, and run `ledgerstone doctor --data DIR` where \
                          its data directory is.";
            seen.push(Observation::problem("component", what, remedy));
        }
    }
    let used = health.buffer.used_percent;
    if health.buffer.status != HEALTHY {
        let what = format!("{used} % of the room for waiting events is taken");
        let remedy = "Send more slowly, or give the server a faster disk.";
        seen.push(Observation::problem("buffer", what, remedy));
    }
    seen.push(Observation::note("server", format!("it answers, and is {}", health.status)));
    Ok(seen)
}

fn is_about_who_asks(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::Unauthenticated | ErrorCode::Forbidden)
}

fn look_at_ledger(status: &Status, seen: &mut Vec<Observation>) {
    let ledger = &status.ledger;
    let what = format!(
        "{} of {}, the first {} of them under a checkpoint",
        counted(ledger.records, "record"),
        ledger.tenant_id,
        ledger.checkpoint_size.unwrap_or_default()
    );
    seen.push(Observation::note("ledger", what));
    if ledger.state.as_deref() == Some("suspended") {
        let what = format!("tenant {} is suspended: nothing new is taken", ledger.tenant_id);
        seen.push(Observation::problem("tenant", what, "Ask those who operate the server."));
    }
    if let Some(deployment) = &status.deployment {
        let (tenants, records) =
            (counted(deployment.tenants, "tenant"), counted(deployment.records, "record"));
        let what = format!("{}: {tenants}, {records} in all", deployment.log_name);
        seen.push(Observation::note("deployment", what));
        if deployment.is_stopping {
            let remedy = "Wait until it is up again.";
            seen.push(Observation::problem("server", "it is stopping".to_owned(), remedy));
        }
    }
}

/// Why a component is not well, where the credential may know.
fn reasons(status: Option<&Status>, name: &str) -> String {
    let deployment = status.and_then(|status| status.deployment.as_ref());
    let components = deployment.into_iter().flat_map(|deployment| &deployment.components);
    let found = components.filter(|component| component.name == name);
    let reasons: Vec<&str> =
        found.flat_map(|component| component.reasons.iter().map(String::as_str)).collect();
    if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) }
}
