//! What a server says on standard output: where it listens, and the one key it ever shows.

use std::net::SocketAddr;

use ledgerstone_proof::TenantId;

use crate::failure::Failure;
use crate::output::Console;

/// Says where the server listens, once requests are answered there.
pub fn listening(address: SocketAddr, is_tls: bool, console: &mut Console) -> Result<(), Failure> {
    let scheme = if is_tls { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    if console.is_terminal() {
        console.line(format!("listening on {url}"))?;
    } else {
        let line = serde_json::json!({ "listening": url, "port": address.port() });
        console.line(line.to_string())?;
    }
    console.flush()
}

/// Shows the first key of a deployment: now, and never again.
pub fn first_key(tenant: &TenantId, key: &str, console: &mut Console) -> Result<(), Failure> {
    if console.is_terminal() {
        console
            .line(format!("tenant {tenant}, its first admin API key, shown only now:\n  {key}"))?;
    } else {
        let line =
            serde_json::json!({ "tenant_id": tenant.as_str(), "api_key": key, "roles": ["admin"] });
        console.line(line.to_string())?;
    }
    console.flush()
}
