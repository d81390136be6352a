//! What a connection is doing: whether requests run on it, and since when it waits for one.
//!
//! One rule for HTTP/1.1 and HTTP/2, and for a client that has not yet shown which of them it
//! speaks.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::head_watch::Doubt;
use super::limits::ConnectionLimits;

/// What a connection is doing; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// A request has ended.
    ended: Notify,
    header_time: Duration,
    idle_time: Duration,
}

#[derive(Debug)]
struct State {
    running: usize,
    /// When the connection is given up unless a request begins before; counts while none runs.
    deadline: Instant,
    /// Whether the first byte of what may become a request is here.
    header_began: bool,
    /// Over HTTP/2 bytes come in that have nothing to do with any request.
    is_http2: bool,
    /// Requests that have begun.
    begun: u64,
    /// From which request on it is in doubt where they end, and why.
    doubtful_from: Option<(u64, Doubt)>,
}

/// A request runs as long as this lives.
#[derive(Debug)]
pub(super) struct Running {
    activity: Activity,
    doubt: Option<Doubt>,
}

impl Running {
    /// Why it is in doubt where the request ends, if it is.
    pub(super) const fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }
}

impl Activity {
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        let deadline = Instant::now() + limits.header_time;
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                running: 0,
                deadline,
                header_began: true,
                is_http2: false,
                begun: 0,
                doubtful_from: None,
            }),
            ended: Notify::new(),
            header_time: limits.header_time,
            idle_time: limits.idle_time,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's header is complete.
    pub(super) fn begin(&self, version: Version) -> Running {
        let mut state = self.state();
        let begun = state.begun;
        let doubt = state.doubtful_from.filter(|(from, _)| begun >= *from).map(|(_, doubt)| doubt);
        state.running += 1;
        state.begun += 1;
        state.is_http2 = version == Version::HTTP_2;
        drop(state);
        Running { activity: self.clone(), doubt }
    }

    /// From this request on, it is in doubt where requests end.
    pub(super) fn doubt(&self, request: u64, why: Doubt) {
        self.state().doubtful_from.get_or_insert((request, why));
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.running == 0 && !state.header_began && !state.is_http2 {
            state.header_began = true;
            state.deadline = Instant::now() + self.0.header_time;
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state().running == 0
    }

    /// Returns when the last running request has ended.
    pub(super) async fn ended(&self) {
        self.0.ended.notified().await;
    }

    /// Returns when no request runs and none has begun in time.
    pub(super) async fn given_up(&self) {
        loop {
            let deadline = {
                let state = self.state();
                (state.running == 0).then_some(state.deadline)
            };
            match deadline {
                None => self.0.ended.notified().await,
                Some(deadline) if deadline <= Instant::now() => return,
                Some(deadline) => sleep_until(deadline).await,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let shared = &self.activity.0;
        let mut state = self.activity.state();
        state.running -= 1;
        if state.running == 0 {
            state.header_began = false;
            state.deadline = Instant::now() + shared.idle_time;
            shared.ended.notify_one();
        }
    }
}

/// The body of a request or of its answer: the request runs until both are gone. Its own may be read
/// still when the answer has been sent.
pub(super) struct RunningBody<B> {
    body: B,
    _running: Arc<Running>,
}

impl<B> RunningBody<B> {
    pub(super) const fn new(body: B, running: Arc<Running>) -> Self {
        Self { body, _running: running }
    }
}

impl<B: HttpBody + Unpin> HttpBody for RunningBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
