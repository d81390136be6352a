//! Sends ended spans to the collector, in batches, one after the other. What the collector does not
//! take is given up: traces are not the record.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc::Receiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::metrics::SpanCounters;

/// Spans of one request to the collector.
const BATCH: usize = 512;

/// How long spans gather before they are sent.
const GATHERING: Duration = Duration::from_secs(1);

/// How long the last spans may take once the server has stopped.
const FLUSH_TIME: Duration = Duration::from_secs(3);

/// What sends spans, before it has begun.
#[derive(Debug)]
pub struct SpanSender {
    exporter: SpanExporter,
    ended: Receiver<SpanData>,
    dropped: Arc<AtomicU64>,
}

/// Sending that has begun.
#[derive(Debug)]
pub struct SpansStop {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl SpanSender {
    pub(super) const fn new(
        exporter: SpanExporter,
        ended: Receiver<SpanData>,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        Self { exporter, ended, dropped }
    }

    /// Sends spans from now on; to be called within a runtime.
    pub fn start(self, counters: SpanCounters) -> SpansStop {
        let (stop, stopped) = oneshot::channel();
        SpansStop { stop, task: tokio::spawn(self.run(counters, stopped)) }
    }

    async fn run(mut self, counters: SpanCounters, mut stopped: oneshot::Receiver<()>) {
        let mut is_failing = false;
        loop {
            let is_last = tokio::select! {
                _ = &mut stopped => true,
                () = sleep(GATHERING) => false,
            };
            while self.send(&counters, &mut is_failing).await {}
            if is_last {
                return;
            }
        }
    }

    /// Sends one batch, and answers whether there may be another.
    async fn send(&mut self, counters: &SpanCounters, is_failing: &mut bool) -> bool {
        counters.count_dropped(self.dropped.swap(0, Ordering::Relaxed));
        let mut batch = Vec::with_capacity(self.ended.len().min(BATCH));
        while batch.len() < BATCH
            && let Ok(span) = self.ended.try_recv()
        {
            batch.push(span);
        }
        let count = batch.len();
        if count == 0 {
            return false;
        }
        match self.exporter.export(batch).await {
            Ok(()) => {
                counters.count_sent(count as u64);
                if std::mem::take(is_failing) {
                    tracing::info!("the collector of traces takes spans again");
                }
            }
            Err(error) => {
                counters.count_dropped(count as u64);
                if !std::mem::replace(is_failing, true) {
                    tracing::warn!(%error, "the collector of traces does not take spans; they are given up");
                }
            }
        }
        count == BATCH
    }
}

impl SpansStop {
    /// Sends what waits, within a time, and ends.
    pub async fn stop(self) {
        // A task that has ended needs no word.
        let _ = self.stop.send(());
        if timeout(FLUSH_TIME, self.task).await.is_err() {
            tracing::warn!("the last spans were not sent: the collector took too long");
        }
    }
}
