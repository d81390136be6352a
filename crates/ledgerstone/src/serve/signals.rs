//! What signals mean: the first SIGTERM or SIGINT stops in order, the second at once; SIGHUP reads the
//! TLS files again.

use std::sync::Arc;

use ledgerstone_edge::server::{Stopper, Tls};
use ledgerstone_model::ErrorCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;
use crate::interruption;

/// Listens for signals from now on. Must be called within the runtime.
pub fn listen(tls: Option<Tls>, stopper: Arc<Stopper>) -> Result<(), Failure> {
    interruption::watch(move |_| stopper.stop())?;
    let hangup = signal(SignalKind::hangup()).map_err(|error| {
        Failure::new(ErrorCode::Internal, format!("SIGHUP cannot be listened for: {error}"))
    })?;
    tokio::spawn(reload(hangup, tls));
    Ok(())
}

async fn reload(mut hangup: Signal, tls: Option<Tls>) {
    while hangup.recv().await.is_some() {
        let Some(tls) = tls.clone() else {
            tracing::info!("SIGHUP reads the TLS files again, and there are none");
            continue;
        };
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("the TLS files were read again; new connections use them"),
            Ok(Err(error)) => {
                tracing::error!(%error, "the TLS files cannot be used; the old ones stay in force");
            }
            Err(error) => tracing::error!(%error, "reading the TLS files again did not end"),
        }
    }
}
