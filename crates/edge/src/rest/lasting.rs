//! Requests that last: who may go on, although a credential ended or a tenant was suspended meanwhile, is
//! asked again and again.

use ledgerstone_model::ErrorCode;
use ledgerstone_model::system::TenantState;

use super::problem::Problem;
use super::service::Service;
use crate::auth::Caller;

impl Service {
    /// Whether a caller who was let through before may go on writing.
    pub(super) fn check_again(&self, caller: &Caller) -> Result<(), Problem> {
        self.authenticator().check_again(caller)?;
        match self.ledger().tenant_state(caller.tenant()) {
            Some(TenantState::Suspended) => {
                let detail = "the tenant was suspended while the events were sent";
                Err(Problem::new(ErrorCode::TenantSuspended, detail))
            }
            Some(TenantState::Closing) => {
                let detail = "the tenant was closed while the events were sent";
                Err(Problem::new(ErrorCode::TenantClosing, detail))
            }
            Some(TenantState::Closed) => {
                let detail = "the tenant was closed while the events were sent";
                Err(Problem::new(ErrorCode::TenantClosed, detail))
            }
            Some(TenantState::Active) | None => Ok(()),
        }
    }
}
