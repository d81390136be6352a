//! The listener: connections over TCP or TLS, their limits, and a stop that loses no answer.

mod activity;
mod connection;
mod exposure;
mod framing;
mod guarded_io;
mod head_watch;
pub mod limits;
mod own_answer;
mod refusal;
mod stop;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ledgerstone_model::ErrorCode;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::auth::PeerCertificate;
use connection::{Connections, Peer};
use limits::{ACCEPT_PAUSE, REFUSALS};
use tls::RELOAD_INTERVAL;

pub use exposure::Transport;
pub use limits::ConnectionLimits;
pub use stop::{Stop, Stopper, stop_channel};
pub use tls::{ClientCertificates, Tls, TlsError, TlsSettings};

/// What a server is told.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    /// TLS, if the server does it itself.
    pub tls: Option<TlsSettings>,
    /// Something in front of the server ends TLS.
    pub behind_proxy: bool,
    pub limits: ConnectionLimits,
}

impl ServerSettings {
    /// Whether a server could come up with them, were the address free: the TLS files are read, and
    /// what is sent must be protected.
    pub fn check(&self) -> Result<(), ServerError> {
        self.load().map(drop)
    }

    fn load(&self) -> Result<Option<Tls>, ServerError> {
        let transport = match (&self.tls, self.behind_proxy) {
            (Some(_), _) => Transport::Tls,
            (None, true) => Transport::BehindProxy,
            (None, false) => Transport::Plain,
        };
        if !exposure::is_protected(self.listen, transport) {
            return Err(ServerError::Unprotected(self.listen));
        }
        Ok(self.tls.clone().map(Tls::load).transpose()?)
    }
}

/// Why a server does not come up.
#[derive(Debug, Error)]
pub enum ServerError {
    #[error("{address} cannot be listened on: {source}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("{0} is reachable from other machines, and nothing protects what is sent there")]
    Unprotected(SocketAddr),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ServerError {
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Listen { .. } => ErrorCode::CannotListen,
            Self::Unprotected(_) => ErrorCode::UnprotectedListener,
            Self::Tls(error) => error.code(),
        }
    }
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were cut because their requests had not ended in time.
    pub cut: usize,
}

/// A server that listens and does not yet answer.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    limits: ConnectionLimits,
}

impl Server {
    /// Reads the TLS files and takes the address. Connections wait from here on.
    pub async fn bind(settings: ServerSettings) -> Result<Self, ServerError> {
        let tls = settings.load()?;
        let ServerSettings { listen, limits, .. } = settings;
        let failed = |source| ServerError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls, limits })
    }

    /// The address with the port that the system chose.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The TLS of this server, to be told of new files.
    pub const fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Answers until stop is said; then takes no more connections, lets what runs come to its end
    /// within `drain_time`, and cuts the rest.
    pub async fn serve(self, router: Router, stop: Stop) -> Drained {
        let Self { listener, tls, limits, .. } = self;
        let mut acceptor = Acceptor::new(listener, tls.clone(), &limits);
        let drain_time = limits.drain_time;
        let connections = Arc::new(Connections::new(router, limits, stop.clone()));
        let mut running = JoinSet::new();
        let reloading = async {
            match &tls {
                Some(tls) => keep_reloading(tls).await,
                None => std::future::pending().await,
            }
        };
        let accepting = async {
            loop {
                acceptor.accept(&connections, &mut running).await;
            }
        };
        tokio::select! {
            () = accepting => {}
            () = reloading => {}
            () = stop.requested() => {}
        }
        drop(acceptor);
        drain(running, drain_time).await
    }
}

async fn drain(mut running: JoinSet<()>, drain_time: Duration) -> Drained {
    let all = async { while running.join_next().await.is_some() {} };
    if timeout(drain_time, all).await.is_ok() {
        return Drained { cut: 0 };
    }
    let cut = running.len();
    running.shutdown().await;
    Drained { cut }
}

/// Looks for new files again and again. Files that cannot be used are told once and leave those
/// from before in force.
async fn keep_reloading(tls: &Tls) {
    let mut ticks = interval(RELOAD_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let tls = tls.clone();
        match tokio::task::spawn_blocking(move || tls.reload_if_changed()).await {
            Ok(Ok(true)) => tracing::info!("the TLS files have changed; new connections use them"),
            Ok(Err(error)) => {
                tracing::error!(%error, "the new TLS files cannot be used; the old ones stay in force");
            }
            Ok(Ok(false)) | Err(_) => {}
        }
    }
}

/// Takes connections, as many as there may be.
struct Acceptor {
    listener: TcpListener,
    tls: Option<Tls>,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl Acceptor {
    fn new(listener: TcpListener, tls: Option<Tls>, limits: &ConnectionLimits) -> Self {
        let places = limits.connections.min(Semaphore::MAX_PERMITS);
        Self {
            listener,
            tls,
            places: Arc::new(Semaphore::new(places)),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }

    /// Waits for the next connection and sets it going.
    async fn accept(&mut self, connections: &Arc<Connections>, running: &mut JoinSet<()>) {
        // Those that ended leave nothing but their place in the list.
        while running.try_join_next().is_some() {}
        let (stream, address) = match self.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => return rest_after(&error).await,
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return self.refuse(stream);
        };
        // An answer leaves at once, also a short one.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it began");
            return;
        }
        let peer = Peer { address, certificate: None };
        let (tls, connections) = (self.tls.clone(), Arc::clone(connections));
        running.spawn(async move {
            begin(stream, peer, tls, connections, place).await;
        });
    }

    fn refuse(&self, stream: TcpStream) {
        tracing::warn!("a connection was refused: there are as many as there may be");
        if self.tls.is_none()
            && let Ok(turn) = Arc::clone(&self.refusals).try_acquire_owned()
        {
            tokio::spawn(async move {
                refusal::refuse(stream).await;
                drop(turn);
            });
        }
    }
}

/// A client that left before it was taken is no reason to rest; want of file handles or memory is.
async fn rest_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "the system does not hand over new connections");
        sleep(ACCEPT_PAUSE).await;
    }
}

/// Serves one connection and then gives its place back.
async fn begin(
    stream: TcpStream,
    mut peer: Peer,
    tls: Option<Tls>,
    connections: Arc<Connections>,
    place: OwnedSemaphorePermit,
) {
    let Some(tls) = tls else {
        connections.serve(stream, peer).await;
        return drop(place);
    };
    let handshake = TlsAcceptor::from(tls.current()).accept(stream);
    let stream = match timeout(connections.limits().handshake_time, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    match shown.map(|der| PeerCertificate::read(der)).transpose() {
        Ok(certificate) => peer.certificate = certificate,
        Err(error) => return tracing::debug!(%error, "a client certificate cannot be read"),
    }
    connections.serve(stream, peer).await;
    drop(place);
}
