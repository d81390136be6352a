//! Retention runs that were cut short, which whoever opens the directory for writing goes on with.

use super::ForWriting;
use crate::output::Console;

impl ForWriting {
    /// Goes on with dropping contents where that was cut short. What still cannot be done is said, and
    /// keeps nobody from working: the ledger knows what is left.
    pub(super) fn resume_retention(&self, console: &mut Console) {
        if !self.projection.may_have_open_runs() {
            return;
        }
        match self.ledger.retention(&*self.store).resume() {
            Ok(report) if report.store.dropped > 0 => {
                let dropped = report.store.dropped;
                console
                    .note(format!("dropping contents went on where it was cut short: {dropped}"));
            }
            Ok(_) => {}
            Err(error) => console.note(error.to_string()),
        }
    }
}
