//! A stop: no new connection, no lost answer, and an end within the time that was named.

use std::time::{Duration, Instant};

use ledgerstone_edge::server::{ConnectionLimits, TlsSettings};
use ledgerstone_edge::server::{Server, ServerError, ServerSettings};
use ledgerstone_model::ErrorCode;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::rig::{Rig, read_to_end, read_until, short};

#[tokio::test]
async fn what_runs_is_finished_and_nothing_new_begins() {
    let rig = Rig::start(ConnectionLimits::default()).await;
    let mut idle = rig.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut idle, "hello").await;
    let mut running = rig.connect().await;
    running.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(100)).await;
    rig.stop();
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is closed at once");
    let text = read_to_end(&mut running).await;
    assert!(text.ends_with("slow"), "{text}");
    let address = rig.address;
    assert_eq!(rig.ended().await.cut, 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_lasts_too_long_is_cut() {
    let rig = Rig::start(short()).await;
    let mut running = rig.connect().await;
    running.write_all(b"GET /lines HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut running, "line 0").await;
    let began = Instant::now();
    assert_eq!(rig.ended().await.cut, 1);
    assert!(began.elapsed() < Duration::from_millis(1_400), "{:?}", began.elapsed());
    assert!(!read_to_end(&mut running).await.contains("line 29"));
}

#[tokio::test]
async fn an_unprotected_or_taken_address_is_refused() {
    let settings = |listen: &str| ServerSettings {
        listen: listen.parse().unwrap(),
        tls: None,
        behind_proxy: false,
        limits: ConnectionLimits::default(),
    };
    let code = |refused: Result<Server, ServerError>| refused.err().map(|error| error.code());
    let open = Server::bind(settings("0.0.0.0:0")).await;
    assert_eq!(code(open), Some(ErrorCode::UnprotectedListener));
    let behind_proxy = ServerSettings { behind_proxy: true, ..settings("0.0.0.0:0") };
    assert_eq!(code(Server::bind(behind_proxy).await), None);
    let rig = Rig::start(ConnectionLimits::default()).await;
    let taken = Server::bind(settings(&rig.address.to_string())).await;
    assert_eq!(code(taken), Some(ErrorCode::CannotListen));
    let missing = TlsSettings {
        certificate: "/nowhere/a.pem".into(),
        key: "/nowhere/b.pem".into(),
        clients: ledgerstone_edge::server::ClientCertificates::None,
    };
    let no_files = ServerSettings { tls: Some(missing), ..settings("127.0.0.1:0") };
    assert_eq!(code(Server::bind(no_files).await), Some(ErrorCode::InvalidTlsSettings));
}
