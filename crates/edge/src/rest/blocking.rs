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
        let internal = |what: &str| Problem::new(ErrorCode::Internal, what);
        // Held until the work is done, also when the caller has gone away.
        let service = self.clone();
        let turn =
            self.turns().acquire_owned().await.map_err(|_| internal("the server is stopping"))?;
        let span = Span::current();
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            span.in_scope(|| work(service.ledger()))
        });
        match work.await {
            Ok(result) => result.map_err(Into::into),
            Err(error) => {
                tracing::error!(%error, "a request's work did not end");
                Err(internal(
                    "the server could not do this; its log says why, under the request's id",
                ))
            }
        }
    }
}
