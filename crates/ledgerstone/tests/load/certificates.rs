//! The server's certificate is changed while clients stream to it.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream;
use ledgerstone_testkit::Served;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use reqwest::{Body, Certificate, Client, ClientBuilder};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::place::{Place, event};

/// Lines of each stream.
const LINES: usize = 80;

/// From one line to the next.
const PACE: Duration = Duration::from_millis(50);

/// An authority that issues certificates for the server.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a fresh certificate where the server looks for it.
    fn issue(&self, place: &Place) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::IpAddress("127.0.0.1".parse().unwrap())];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        place.directory.write("server.pem", certificate.pem());
        place.directory.write("server.key", key.serialize_pem());
    }

    /// A client that trusts this authority alone.
    fn client(&self) -> ClientBuilder {
        let root = Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        Client::builder().no_proxy().tls_certs_only([root])
    }
}

/// Streams events line by line; answers the last line of the answer.
fn stream_lines(
    client: &Client,
    server: &Served,
    key: &str,
    name: &'static str,
) -> JoinHandle<Value> {
    let request = client.post(format!("{}/v1/events", server.url())).bearer_auth(key);
    let lines = stream::unfold(0, move |number| async move {
        if number == LINES {
            return None;
        }
        tokio::time::sleep(PACE).await;
        let line = format!("{}\n", event(&format!("{name}-{number}")));
        Some((Ok::<_, Infallible>(line), number + 1))
    });
    let request = request.header("content-type", "application/x-ndjson");
    let request = request.body(Body::wrap_stream(lines));
    tokio::spawn(async move {
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(text.trim_end().rsplit('\n').next().unwrap()).unwrap()
    })
}

async fn is_trusted(client: ClientBuilder, server: &Served) -> bool {
    // A client of its own, and so a connection of its own.
    let client = client.build().unwrap();
    client.get(format!("{}/health/live", server.url())).send().await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_while_lines_are_streamed() {
    let place = Place::new("certificates");
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    first.issue(&place);
    let server = place.serve(|command| {
        command.arg("--tls-cert").arg(place.directory.join("server.pem"));
        command.arg("--tls-key").arg(place.directory.join("server.key"));
    });
    let key = server.first_key();
    let streams = [
        stream_lines(&first.client().http1_only().build().unwrap(), &server, &key, "h1"),
        stream_lines(&first.client().build().unwrap(), &server, &key, "h2"),
    ];
    tokio::time::sleep(10 * PACE).await;
    assert!(is_trusted(first.client(), &server).await);
    assert!(!is_trusted(second.client(), &server).await);

    second.issue(&place);
    server.signal("HUP");
    server.wait_for_log("the TLS files were read again", 1);
    assert!(is_trusted(second.client(), &server).await, "new connections see the new one");
    assert!(!is_trusted(first.client(), &server).await, "and not the old one");

    place
        .directory
        .write("server.pem", "-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n");
    server.signal("HUP");
    server.wait_for_log("the old ones stay in force", 1);
    assert!(is_trusted(second.client(), &server).await, "a broken one changes nothing");

    assert!(streams.iter().all(|stream| !stream.is_finished()), "they were to outlast all this");
    for stream in streams {
        let last = stream.await.unwrap();
        assert_eq!((&last["status"], &last["accepted"]), (&"complete".into(), &LINES.into()));
    }
    server.stop();
    place.run(&["verify"]);
    assert_eq!(place.events().len(), 2 * LINES);
}
