//! The life of a server: the address is taken, the ledgers are opened, requests are answered, and
//! all of it ends in order.

mod announce;
mod first_keys;
mod handles;
mod signals;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_edge::auth::Authenticator;
use ledgerstone_edge::rest::{CursorKey, Opening, Service, ServiceParts, router_with};
use ledgerstone_edge::server::{Drained, Server, ServerError, Stop, Stopper, stop_channel};
use ledgerstone_edge::trace::SpanSender;
use ledgerstone_ledger::jobs::{BackgroundVerifier, JobTools, RetentionSchedule, finish_closings};
use ledgerstone_ledger::{
    ApiKeys, DeadLetterPurge, DeadLetters, Driver, FOLLOWERS, JobPool, Ledger,
};
use ledgerstone_model::ErrorCode;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::Configuration;
use crate::data_dir::{ForWriting, Means};
use crate::failure::Failure;
use crate::output::Console;
use crate::system::System;

/// Threads that may wait besides those of requests.
const SPARE_THREADS: usize = 64;

/// How often it is looked whether the ledger can still be written.
const HALT_CHECK: Duration = Duration::from_millis(250);

/// The name under which the background verification reports trouble.
const VERIFICATION: &str = "verification";

/// How long a stop waits until it is known what became of queued events.
const QUEUED_TIME: Duration = Duration::from_secs(5);

/// How long work that nobody waits for any more may hold up the end.
const LEFTOVER_TIME: Duration = Duration::from_secs(2);

/// Serves until somebody says stop, and ends in order.
pub fn run(
    configuration: &Configuration,
    (known, spans): (Vec<String>, Option<SpanSender>),
    console: &mut Console,
) -> Result<(), Failure> {
    configuration.check()?;
    handles::raise_limit();
    let limits = configuration.limits();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // What requests take leaves some for whoever asks how the server is.
        .max_blocking_threads(limits.blocking_requests + limits.streams + SPARE_THREADS)
        .build()
        .map_err(|error| Failure::new(ErrorCode::Internal, format!("no threads: {error}")))?;
    let (stopper, stop) = stop_channel();
    let stopper = Arc::new(stopper);
    let settings = configuration.server()?;
    let server = runtime.block_on(Server::bind(settings)).map_err(|error| refused(&error))?;
    let (address, is_tls) = (server.local_addr(), server.tls().is_some());
    runtime.block_on(async { signals::listen(server.tls().cloned(), Arc::clone(&stopper)) })?;
    // From here on `/health/live` answers; everything else says NOT_READY.
    let opening = Opening::default();
    let serving = runtime.spawn(server.serve(opening.router(), stop.clone()));
    let ended = ForWriting::open_known(
        &configuration.data()?,
        known,
        &configuration.birth()?,
        configuration.tenant_creation(),
        &Means {
            system: System::new(),
            root_key: configuration.root_key()?,
            sealing: configuration.sealing(),
        },
        console,
    )
    .and_then(|data| {
        let parts = Parts { runtime: &runtime, opening, serving, stop, stopper };
        let running = parts.start(configuration, &data, console);
        let running = running.and_then(|running| {
            announce::listening(address, is_tls, console)?;
            let counters = running.service.metrics().spans();
            let spans = spans.map(|spans| runtime.block_on(async { spans.start(counters) }));
            let ended = running.until_stopped(&data);
            if let Some(spans) = spans {
                runtime.block_on(spans.stop());
            }
            ended
        });
        close(data, running, console)
    });
    runtime.shutdown_timeout(LEFTOVER_TIME);
    ended
}

fn refused(error: &ServerError) -> Failure {
    Failure::new(error.code(), error.to_string())
}

/// Closes the ledgers in order, unless nobody knows what is on the disk.
fn close(
    data: ForWriting,
    ended: Result<(), Failure>,
    console: &mut Console,
) -> Result<(), Failure> {
    match ended {
        Err(failure) if failure.is_fatal() => Err(failure),
        Err(failure) => {
            // The first failure is the one to tell.
            let _ = data.close(console);
            Err(failure)
        }
        Ok(()) => data.close(console),
    }
}

/// What a server that listens is made of.
struct Parts<'a> {
    runtime: &'a Runtime,
    opening: Opening,
    serving: JoinHandle<Drained>,
    stop: Stop,
    stopper: Arc<Stopper>,
}

/// A server that answers.
struct Running<'a> {
    runtime: &'a Runtime,
    serving: JoinHandle<Drained>,
    service: Service,
    driver: Arc<Driver>,
    verifier: Arc<BackgroundVerifier>,
    purge: DeadLetterPurge,
    schedule: Option<RetentionSchedule>,
    stop: Stop,
    stopper: Arc<Stopper>,
}

impl<'a> Parts<'a> {
    /// Starts everything that works on the ledgers, and lets requests in.
    fn start(
        self,
        configuration: &Configuration,
        data: &ForWriting,
        console: &mut Console,
    ) -> Result<Running<'a>, Failure> {
        let api_keys = Arc::new(data.api_keys()?);
        first_keys::grant(data.ledger(), &api_keys, &configuration.first_keys()?, console)?;
        let dead_letters = dead_letters(configuration, data)?;
        let service = self.service(configuration, data, api_keys, &dead_letters)?;
        let (pace, notes) = (configuration.verification(), data.pass_notes(&System::new()));
        let verifier = Arc::new(BackgroundVerifier::start(data.ledger(), pace, notes)?);
        let purge = DeadLetterPurge::start(Arc::clone(&dead_letters))?;
        let schedule = configuration
            .retention_every()
            .map(|every| RetentionSchedule::start(data.ledger(), service.jobs(), every))
            .transpose()?;
        let context = data.follower_context();
        let followers = FOLLOWERS.iter().map(|entry| (entry.make)(&context)).collect();
        let driver = Arc::new(Driver::start(data.ledger(), followers)?);
        let names =
            FOLLOWERS.iter().map(|entry| entry.name).chain(["anchors", "access_log", VERIFICATION]);
        service.operation().watch(names.collect(), problems_of(&driver, &verifier));
        let watched = Arc::downgrade(&verifier);
        let status = move || watched.upgrade().map(|verifier| verifier.status());
        service.operation().watch_verification(move || status().unwrap_or_default());
        service.operation().name(configuration.environment());
        tracing::info!(service = data.root_key().kind(), "root key service");
        self.opening.open(router_with(&service, &configuration.router()?));
        let Self { runtime, serving, stop, stopper, .. } = self;
        Ok(Running { runtime, serving, service, driver, verifier, purge, schedule, stop, stopper })
    }

    fn service(
        &self,
        configuration: &Configuration,
        data: &ForWriting,
        api_keys: Arc<ApiKeys>,
        dead_letters: &Arc<DeadLetters>,
    ) -> Result<Service, Failure> {
        let system = System::new();
        let cursor_key = CursorKey::new(&*data.cursor_secret(&system)?);
        let System { clock, entropy, .. } = system;
        let authenticator = Authenticator::new(configuration.auth()?, api_keys, clock.clone())
            .map_err(|error| Failure::new(error.code(), error.to_string()))?;
        self.runtime.block_on(async {
            authenticator.prefetch().await;
        });
        let (ledger, limits) = (Arc::clone(data.ledger()), configuration.limits());
        let jobs = Arc::new(JobPool::start(
            &ledger,
            data.jobs(),
            JobTools {
                dead_letters: Some(Arc::clone(dead_letters)),
                contents: Some(data.contents()),
            },
            configuration.jobs(),
        )?);
        finish_closings(&ledger, &jobs);
        Ok(Service::new(ServiceParts {
            ledger,
            authenticator,
            clock,
            entropy,
            limits,
            jobs,
            cursor_key,
            dead_letters: Arc::clone(dead_letters),
            numbers: configuration.numbers()?,
        }))
    }
}

impl Running<'_> {
    /// Waits for the word to stop, lets what runs end, and stops the threads beside the ledger.
    fn until_stopped(self, data: &ForWriting) -> Result<(), Failure> {
        let Self { runtime, serving, service, driver, verifier, purge, schedule, stop, stopper } =
            self;
        let ledger = data.ledger();
        let halted = runtime.block_on(async {
            let halted = first(halt_of(ledger), stop.requested()).await;
            service.operation().stop();
            stopper.stop();
            if halted.is_none() {
                tracing::info!("stopping: no new connections; requests that run are finished");
            }
            match serving.await {
                Ok(Drained { cut: 0 }) => {}
                Ok(Drained { cut }) => {
                    tracing::warn!(cut, "connections were cut: their time was over");
                }
                Err(error) => {
                    tracing::error!(%error, "the listener ended in a way held to be impossible");
                }
            }
            // What was queued is written now; what is refused of it is told to the log, and kept.
            if timeout(QUEUED_TIME, service.all_followed()).await.is_err() {
                tracing::warn!("stopping before it is known what became of all queued events");
            }
            halted
        });
        service.jobs().stop();
        // Their threads are joined by whoever holds them last, which is here.
        drop((driver, verifier, purge, schedule));
        match halted.or_else(|| ledger.halted()) {
            None => Ok(()),
            Some(reason) => {
                Err(Failure::new(ErrorCode::OutcomeUnknown, reason).after_failed_write())
            }
        }
    }
}

fn dead_letters(
    configuration: &Configuration,
    data: &ForWriting,
) -> Result<Arc<DeadLetters>, Failure> {
    let system = System::new();
    let store = Arc::new(data.dead_letters(configuration.dead_letters(), &system)?);
    let retention = configuration.dead_letter_retention();
    Ok(Arc::new(DeadLetters::new(store, system.clock, system.entropy, retention)))
}

/// What is wrong beside the ledger at this moment, by the name of the thread that knows.
fn problems_of(
    driver: &Arc<Driver>,
    verifier: &Arc<BackgroundVerifier>,
) -> impl Fn() -> BTreeMap<&'static str, String> + Send + Sync + 'static {
    let (driver, verifier) = (Arc::downgrade(driver), Arc::downgrade(verifier));
    move || {
        let mut problems = driver.upgrade().map(|driver| driver.problems()).unwrap_or_default();
        let status = verifier.upgrade().map(|verifier| verifier.status()).unwrap_or_default();
        let known = status.findings.len() as u64 + status.findings_left_out;
        let found = status.findings.first().map(|first| {
            format!("{known} findings, the first: {} ({})", first.note, first.check.as_str())
        });
        if let Some(problem) = found.or(status.problem) {
            problems.insert(VERIFICATION, problem);
        }
        problems
    }
}

/// Why the ledger cannot be written any more, once that is so.
async fn halt_of(ledger: &Ledger) -> String {
    loop {
        if let Some(reason) = ledger.halted() {
            return reason;
        }
        tokio::time::sleep(HALT_CHECK).await;
    }
}

/// What the one answers, or nothing if the other ends first.
async fn first<T>(one: impl Future<Output = T>, other: impl Future<Output = ()>) -> Option<T> {
    tokio::select! {
        answer = one => Some(answer),
        () = other => None,
    }
}
