//! TLS: versions, new files without a dropped connection, and client certificates.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ledgerstone_edge::server::{ClientCertificates, ConnectionLimits, TlsSettings};
use ledgerstone_proof::sha256;
use ledgerstone_testkit::TestDirectory;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

use crate::rig::{Rig, short};

/// An authority, and a directory with what it issued.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TestDirectory,
}

/// A certificate with its key.
struct Issued {
    certificate: String,
    key: String,
    der: Vec<u8>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory: TestDirectory::new("tls") }
    }

    fn issue(&self, name: SanType) -> Issued {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().to_vec(),
        }
    }

    /// Writes a fresh certificate for the loopback address where the server finds it.
    fn issue_for_server(&self) {
        let issued = self.issue(SanType::IpAddress("127.0.0.1".parse().unwrap()));
        self.directory.write("server.pem", &issued.certificate);
        self.directory.write("server.key", &issued.key);
    }

    fn settings(&self, clients: ClientCertificates) -> TlsSettings {
        self.issue_for_server();
        TlsSettings {
            certificate: self.directory.join("server.pem"),
            key: self.directory.join("server.key"),
            clients,
        }
    }

    /// The authority's own certificate as a file.
    fn file(&self) -> PathBuf {
        self.directory.write("ca.pem", self.issuer.pem())
    }

    fn client(&self) -> ClientBuilder {
        let root = Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap();
        Client::builder().no_proxy().tls_certs_only([root])
    }
}

async fn text(client: &Client, rig: &Rig, path: &str) -> reqwest::Result<(Version, String)> {
    let response = client.get(format!("https://{}{path}", rig.address)).send().await?;
    Ok((response.version(), response.text().await?))
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_over_tls() {
    let authority = Authority::new("server");
    let rig = Rig::start_with(
        ConnectionLimits::default(),
        Some(authority.settings(ClientCertificates::None)),
    )
    .await;
    let client = authority.client().build().unwrap();
    assert_eq!(text(&client, &rig, "/").await.unwrap(), (Version::HTTP_2, "hello".to_owned()));
    let old = authority.client().http1_only().build().unwrap();
    assert_eq!(text(&old, &rig, "/").await.unwrap(), (Version::HTTP_11, "hello".to_owned()));
    let stranger = Authority::new("another").client().build().unwrap();
    assert!(text(&stranger, &rig, "/").await.is_err());
}

#[tokio::test]
async fn who_does_not_shake_hands_is_given_up() {
    let authority = Authority::new("server");
    let rig = Rig::start_with(short(), Some(authority.settings(ClientCertificates::None))).await;
    for beginning in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut stream = rig.connect().await;
        stream.write_all(beginning).await.unwrap();
        let mut rest = Vec::new();
        let ended =
            tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{beginning:?}");
        assert!(!rest.starts_with(b"HTTP"));
    }
}

#[tokio::test]
async fn new_files_are_used_and_connections_stay() {
    let authority = Authority::new("first");
    let settings = authority.settings(ClientCertificates::None);
    let rig = Rig::start_with(ConnectionLimits::default(), Some(settings)).await;
    let before = authority.client().build().unwrap();
    assert!(text(&before, &rig, "/").await.is_ok());
    let streaming = {
        let (client, url) = (before.clone(), format!("https://{}/lines", rig.address));
        tokio::spawn(async move { client.get(url).send().await.unwrap().text().await })
    };
    sleep(Duration::from_millis(100)).await;
    // Another authority's certificate takes the place; the file changes while lines are streamed.
    let next = Authority::new("second");
    next.issue_for_server();
    for name in ["server.pem", "server.key"] {
        fs::copy(next.directory.join(name), authority.directory.join(name)).unwrap();
    }
    let after = next.client().build().unwrap();
    let mut is_new = false;
    for _ in 0..80 {
        is_new |= text(&after, &rig, "/").await.is_ok();
        if is_new {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(is_new, "the new certificate is not used");
    assert!(streaming.await.unwrap().unwrap().ends_with("line 29\n"));
    assert!(text(&before, &rig, "/").await.is_ok(), "an open connection goes on");
    // Files that do not belong together leave what is in force.
    authority.directory.write("server.key", KeyPair::generate().unwrap().serialize_pem());
    sleep(Duration::from_millis(3_500)).await;
    let again = next.client().build().unwrap();
    assert!(text(&again, &rig, "/").await.is_ok());
}

#[tokio::test]
async fn clients_show_certificates() {
    let authority = Authority::new("server");
    let known = authority.issue(SanType::URI("spiffe://example.org/billing".try_into().unwrap()));
    let unknown = Authority::new("another")
        .issue(SanType::URI("spiffe://example.org/billing".try_into().unwrap()));
    let with = |issued: &Issued| {
        let pem = format!("{}{}", issued.certificate, issued.key);
        let identity = Identity::from_pem(pem.as_bytes()).unwrap();
        authority.client().identity(identity).build().unwrap()
    };
    let fingerprint = sha256(&known.der).to_hex();
    let without = authority.client().build().unwrap();
    for (clients, without_is_fine) in [
        (ClientCertificates::Optional(authority.file()), true),
        (ClientCertificates::Required(authority.file()), false),
    ] {
        let settings = authority.settings(clients);
        let rig = Rig::start_with(ConnectionLimits::default(), Some(settings)).await;
        let (_, who) = text(&with(&known), &rig, "/who").await.unwrap();
        assert_eq!(who, fingerprint);
        assert!(text(&with(&unknown), &rig, "/who").await.is_err());
        match text(&without, &rig, "/who").await {
            Ok((_, who)) => assert!(without_is_fine && who == "nobody"),
            Err(_) => assert!(!without_is_fine),
        }
    }
}
