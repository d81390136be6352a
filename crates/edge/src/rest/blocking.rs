//! The bridge from handlers, which must not wait, to the ledger, which does.

use ledgerstone_ledger::Ledger;
use ledgerstone_model::ErrorCode;
use tracing::Span;

use super::problem::Problem;
use super::service::Service;

impl Service {
    /// Runs work that reads the disk or computes for long in a thread of its own. At most a limited
    /// number runs at once; the others wait.
    pub async fn blocking<T, E>(
        &self,
        work: impl FnOnce(&Ledger) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        // Held until the work is done, also when the caller has gone away.
        let service = self.clone();
        let stopping = || Problem::new(ErrorCode::Internal, "the server is stopping");
        let turn = self.turns().take().await.ok_or_else(stopping)?;
        let work = Self::out_of_turn(move || {
            let _turn = turn;
            work(service.ledger())
        });
        work.await?.map_err(Into::into)
    }

    /// Runs work in a thread of its own whatever else runs: for what must not wait behind clients.
    pub(super) async fn out_of_turn<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let span = Span::current();
        let work = tokio::task::spawn_blocking(move || span.in_scope(work));
        work.await.map_err(|error| {
            tracing::error!(%error, "a request's work did not end");
            let detail = "the server could not do this; its log says why, under the request's id";
            Problem::new(ErrorCode::Internal, detail)
        })
    }
}
