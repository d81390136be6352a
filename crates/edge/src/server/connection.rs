//! One connection from its first byte to its last: HTTP/1.1 or HTTP/2, whichever the client speaks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ledgerstone_model::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt as _;

use super::activity::{Activity, RunningBody};
use super::framing;
use super::guarded_io::GuardedIo;
use super::head_watch::Doubt;
use super::limits::{
    CLOSING_TIME, ConnectionLimits, HEADER_BYTES_MIN, HTTP2_RESETS_PENDING, HTTP2_SEND_BYTES,
    HTTP2_WINDOW_BYTES,
};
use super::stop::Stop;
use crate::auth::PeerCertificate;
use crate::rest::Problem;

/// What all connections share.
pub(super) struct Connections {
    router: Router,
    builder: auto::Builder<TokioExecutor>,
    limits: ConnectionLimits,
    stop: Stop,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    pub(super) certificate: Option<PeerCertificate>,
}

impl Connections {
    pub(super) fn new(router: Router, limits: ConnectionLimits, stop: Stop) -> Self {
        Self { router, builder: builder(&limits), limits, stop }
    }

    pub(super) const fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// Serves requests until the client leaves, is given up, or the server stops.
    pub(super) async fn serve<I>(self: Arc<Self>, io: I, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Activity::new(&self.limits);
        let io = GuardedIo::new(io, activity.clone(), self.limits.write_pause);
        let service = {
            let (router, activity) = (self.router.clone(), activity.clone());
            hyper::service::service_fn(move |request| {
                answer(router.clone(), activity.clone(), peer.clone(), request)
            })
        };
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(io), service));
        let mut closing: Option<Instant> = None;
        loop {
            let wait = async {
                match closing {
                    // Once told to close, only a running request may hold it open.
                    Some(at) if activity.is_idle() => sleep_until(at).await,
                    Some(_) => activity.ended().await,
                    None => tokio::select! {
                        () = activity.given_up() => {}
                        () = self.stop.requested() => {}
                    },
                }
            };
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "a connection ended");
                    }
                    return;
                }
                () = wait => {}
            }
            let now = Instant::now();
            match closing {
                Some(at) if at <= now && activity.is_idle() => return,
                Some(_) => {}
                None => connection.as_mut().graceful_shutdown(),
            }
            closing = Some(now + CLOSING_TIME);
        }
    }
}

async fn answer(
    router: Router,
    activity: Activity,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<RunningBody<Body>>, Infallible> {
    let running = Arc::new(activity.begin(request.version()));
    let fault = running.doubt().map(Doubt::detail).or_else(|| framing::fault(&request));
    if let Some(fault) = fault {
        return Ok(refused(fault).map(|body| RunningBody::new(body, running)));
    }
    let of_request = Arc::clone(&running);
    let mut request = request.map(|body| Body::new(RunningBody::new(body, of_request)));
    request.extensions_mut().insert(ConnectInfo(peer.address));
    if let Some(certificate) = peer.certificate {
        request.extensions_mut().insert(certificate);
    }
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| RunningBody::new(body, running)))
}

/// The answer to a request that is not well-formed. The parser ends the connection after it.
fn refused(detail: &str) -> Response<Body> {
    let problem = Problem::new(ErrorCode::MalformedRequest, detail);
    let mut response = Response::new(Body::from(problem.to_json(None).to_string()));
    *response.status_mut() = problem.status();
    let headers = response.headers_mut();
    let problem_json = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, problem_json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn builder(limits: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // `Activity` does this, for both versions.
        .header_read_timeout(None)
        // A client that has said all it has to say may still wait for its answer.
        .half_close(true)
        .max_headers(limits.headers)
        // A header must fit into the buffer, which hyper wants to have at least this size.
        .max_buf_size(limits.header_bytes.max(HEADER_BYTES_MIN));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(HTTP2_RESETS_PENDING)
        .initial_connection_window_size(HTTP2_WINDOW_BYTES)
        .initial_stream_window_size(HTTP2_WINDOW_BYTES / 2)
        .max_send_buf_size(HTTP2_SEND_BYTES)
        .keep_alive_interval(limits.http2_ping)
        .keep_alive_timeout(limits.http2_ping);
    builder
}
