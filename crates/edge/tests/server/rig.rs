//! A server with a small router, and a client that sends bytes as they are.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{get, post};
use futures_util::{StreamExt as _, stream};
use ledgerstone_edge::auth::PeerCertificate;
use ledgerstone_edge::server::{
    ConnectionLimits, Drained, Server, ServerSettings, Stop, Stopper, TlsSettings, stop_channel,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longer than anything in these tests takes.
const FOR_EVER: Duration = Duration::from_secs(20);

/// A running server.
pub struct Rig {
    pub address: SocketAddr,
    stopper: Stopper,
    serving: JoinHandle<Drained>,
}

impl Rig {
    pub async fn start(limits: ConnectionLimits) -> Self {
        Self::start_with(limits, None).await
    }

    pub async fn start_with(limits: ConnectionLimits, tls: Option<TlsSettings>) -> Self {
        let listen = "127.0.0.1:0".parse().unwrap();
        let settings = ServerSettings { listen, tls, behind_proxy: false, limits };
        let server = Server::bind(settings).await.unwrap();
        let address = server.local_addr();
        let (stopper, stop): (Stopper, Stop) = stop_channel();
        let serving = tokio::spawn(server.serve(router(), stop));
        Self { address, stopper, serving }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes over a connection of their own, and gives back all that comes until it ends.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }

    pub fn stop(&self) {
        self.stopper.stop();
    }

    pub async fn ended(self) -> Drained {
        self.stopper.stop();
        timeout(FOR_EVER, self.serving).await.expect("the server did not stop").unwrap()
    }
}

/// Everything that comes until the other side closes.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(FOR_EVER, stream.read_to_end(&mut bytes)).await;
    // A reset ends a connection too.
    let _ = read.expect("the connection stayed open");
    String::from_utf8(bytes).unwrap()
}

/// What comes until this text is there.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    timeout(FOR_EVER, async {
        while !String::from_utf8_lossy(&bytes).contains(text) {
            let mut piece = [0; 1024];
            let count = stream.read(&mut piece).await.unwrap();
            assert!(count > 0, "ended before {text:?}: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&piece[..count]);
        }
    })
    .await
    .expect("nothing came");
    String::from_utf8(bytes).unwrap()
}

/// How many answers there are.
pub fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

/// Short limits, so that tests need not wait.
pub fn short() -> ConnectionLimits {
    ConnectionLimits {
        header_time: Duration::from_millis(300),
        idle_time: Duration::from_millis(300),
        handshake_time: Duration::from_millis(300),
        write_pause: Duration::from_millis(300),
        drain_time: Duration::from_millis(700),
        ..ConnectionLimits::default()
    }
}

fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/echo", post(async |body: Bytes| body))
        .route("/drop", post(drop_body))
        .route("/slow", get(slow))
        .route("/lines", get(lines))
        .route("/large", get(large))
        .route("/who", get(who))
}

/// Answers at once and goes on reading.
async fn drop_body(body: Body) -> &'static str {
    tokio::spawn(body.into_data_stream().for_each(async |_| {}));
    "dropped"
}

async fn slow() -> &'static str {
    sleep(Duration::from_millis(500)).await;
    "slow"
}

/// A line every 50 ms, for 1.5 seconds.
async fn lines() -> Body {
    Body::from_stream(stream::unfold(0, async |number| {
        if number == 30 {
            return None;
        }
        sleep(Duration::from_millis(50)).await;
        Some((Ok::<_, std::io::Error>(format!("line {number}\n")), number + 1))
    }))
}

/// More than any buffer of a connection takes.
async fn large() -> Vec<u8> {
    vec![b'x'; 64 * 1024 * 1024]
}

async fn who(request: Request) -> String {
    let certificate = request.extensions().get::<PeerCertificate>();
    certificate.map_or_else(|| "nobody".to_owned(), |peer| peer.fingerprint().to_hex())
}
