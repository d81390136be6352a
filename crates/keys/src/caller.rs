//! Asks a service over HTTP, from whichever thread, and waits no longer than it may.
//!
//! The port is synchronous and is called by threads of all kinds, of async runtimes too. So requests
//! run on a small runtime of their own, which is made with the first of them.

use std::fmt;
use std::future::Future;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledgerstone_ledger::sealing_keys::RootKeyError;
use ledgerstone_model::Clock;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use tokio::runtime::{Builder, Runtime};
use zeroize::Zeroizing;

use crate::authorities::Authorities;

/// How long a service that did not answer is not asked again: those who seal meanwhile are refused
/// at once, where they would otherwise all wait for as long as a request may take.
const REST: Duration = Duration::from_secs(2);

/// What the runtime is given to say that the time is over.
const GRACE: Duration = Duration::from_secs(1);

/// How long a connection is kept that nobody uses: less than servers do.
const POOL_TIME: Duration = Duration::from_secs(30);

/// Bytes of an answer; there is nothing to say that takes more.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// How a service is reached.
#[derive(Clone)]
pub(crate) struct Reach {
    /// How long one call may take, all in all.
    pub(crate) timeout: Duration,
    pub(crate) authorities: Authorities,
    /// Whether the service is on this machine, so that no proxy stands between.
    pub(crate) is_loopback: bool,
}

pub(crate) struct Caller {
    reach: Reach,
    clock: Arc<dyn Clock>,
    /// Made with the first call.
    client: Mutex<Option<Arc<Running>>>,
    /// Why the service did not answer, and until when it is left alone.
    rest: Mutex<Option<(i64, String)>>,
}

/// An answer, which may hold secrets.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Zeroizing<Vec<u8>>,
}

struct Running {
    runtime: Option<Runtime>,
    client: Client,
}

impl Drop for Running {
    /// A runtime must not be waited for where others run.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Caller {
    pub(crate) fn new(reach: Reach, clock: Arc<dyn Clock>) -> Self {
        Self { reach, clock, client: Mutex::new(None), rest: Mutex::new(None) }
    }

    /// Does what `work` makes of a client, and answers what comes of it in time.
    pub(crate) fn ask<T, F>(&self, work: impl FnOnce(Client) -> F) -> Result<T, RootKeyError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RootKeyError>> + Send + 'static,
    {
        if let Some(why) = self.is_resting() {
            return Err(RootKeyError::Unavailable(why));
        }
        let ended = self.running().and_then(|running| self.wait(&running, work));
        let until = self.clock.now().micros().saturating_add(micros(REST));
        *hold(&self.rest) = match &ended {
            Err(RootKeyError::Unavailable(why)) => Some((until, why.clone())),
            _ => None,
        };
        ended
    }

    fn wait<T, F>(
        &self,
        running: &Running,
        work: impl FnOnce(Client) -> F,
    ) -> Result<T, RootKeyError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RootKeyError>> + Send + 'static,
    {
        let late = |timeout: Duration| {
            RootKeyError::Unavailable(format!("nothing came within {} s", timeout.as_secs()))
        };
        let Some(runtime) = &running.runtime else {
            return Err(late(self.reach.timeout));
        };
        let (answer, answered) = sync_channel(1);
        let (work, timeout) = (work(running.client.clone()), self.reach.timeout);
        runtime.spawn(async move {
            let ended = tokio::time::timeout(timeout, work).await;
            // Who asked may have gone.
            let _ = answer.send(ended.unwrap_or_else(|_| Err(late(timeout))));
        });
        answered.recv_timeout(timeout + GRACE).unwrap_or_else(|_| Err(late(timeout)))
    }

    fn is_resting(&self) -> Option<String> {
        let now = self.clock.now().micros();
        // Who has set the clock back does not wait for longer.
        let is_near = |until: i64| now < until && until - now <= micros(REST);
        hold(&self.rest).as_ref().filter(|(until, _)| is_near(*until)).map(|(_, why)| why.clone())
    }

    fn running(&self) -> Result<Arc<Running>, RootKeyError> {
        let mut client = hold(&self.client);
        if let Some(running) = &*client {
            return Ok(Arc::clone(running));
        }
        let running = Arc::new(self.reach.run()?);
        *client = Some(Arc::clone(&running));
        Ok(running)
    }
}

impl Reach {
    fn run(&self) -> Result<Running, RootKeyError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("root-key")
            .enable_all()
            .build()
            .map_err(|error| RootKeyError::Unavailable(format!("no thread: {error}")))?;
        let mut builder = Client::builder()
            .timeout(self.timeout)
            .pool_idle_timeout(POOL_TIME)
            // Elsewhere is somebody else, who is not given a secret.
            .redirect(Policy::none())
            .referer(false)
            .user_agent(concat!("ledgerstone/", env!("CARGO_PKG_VERSION")));
        if self.is_loopback {
            builder = builder.no_proxy();
        }
        let authorities = self.authorities.certificates();
        if !authorities.is_empty() {
            builder = builder.tls_certs_only(authorities.iter().cloned());
        }
        let client = builder.build().map_err(|error| unavailable(&error))?;
        Ok(Running { runtime: Some(runtime), client })
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("timeout", &self.reach.timeout).finish_non_exhaustive()
    }
}

/// Sends a request and reads the answer, whatever its status.
pub(crate) async fn send(request: RequestBuilder) -> Result<Answer, RootKeyError> {
    let mut response = request.send().await.map_err(|error| unavailable(&error))?;
    let status = response.status();
    // Room for all of it, so that no copy of a secret stays behind when it grows.
    let mut body = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
    while let Some(chunk) = response.chunk().await.map_err(|error| unavailable(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let why = format!("its answer has more than {ANSWER_BYTES_MAX} bytes");
            return Err(RootKeyError::Refused(why));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

/// The error with its causes, which `reqwest` keeps to itself, and without the URL, which is in the
/// settings.
fn unavailable(error: &reqwest::Error) -> RootKeyError {
    let mut told =
        if error.is_timeout() { "it took too long" } else { "the request failed" }.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = inner.source();
    }
    RootKeyError::Unavailable(told)
}

/// What a service says, fit for a log line: short, and on one line.
pub(crate) fn quoted(said: &str) -> String {
    const CHARACTERS_MAX: usize = 200;
    said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(CHARACTERS_MAX).collect()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
