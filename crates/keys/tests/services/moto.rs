//! AWS KMS as `moto_server` has it, which others wrote: our requests are what a KMS understands.
//! And the signature of one, computed again by `botocore`, which stands beside it.
//!
//! Skipped, loudly, where `LEDGERSTONE_MOTO_SERVER` does not name the program.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ledgerstone_keys::AwsEnvironment;
use ledgerstone_ledger::sealing_keys::RootKeyError;
use ledgerstone_store::subject_keys::WRAPPED_SECRETS_BYTES_MAX;
use serde_json::{Value, json};

use crate::aws_kms::source;
use crate::place::{Rig, SECRETS, shows_secrets, tenant};
use crate::stub::{Reply, Stub};

const PROGRAM: &str = "LEDGERSTONE_MOTO_SERVER";

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

pub fn program() -> Option<PathBuf> {
    let found = std::env::var_os(PROGRAM).map(PathBuf::from).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("\n*** SKIPPED: set {PROGRAM} to the program `moto_server` to run this test\n");
    }
    found
}

/// A server that ends with the test.
pub struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    pub fn start(program: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let moto = Self { child: command.spawn().unwrap(), address };
        let end = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < end, "moto_server does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does something that only whoever administers keys does.
    fn administer(&self, operation: &str, body: &Value) -> Value {
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\nx-amz-target: TrentService.{operation}\r\n\
             content-type: application/x-amz-json-1.1\r\nconnection: close\r\ncontent-length: {}\r\n\
             authorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/kms/aws4_request\r\n\r\n",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// A new symmetric key: its id and its ARN.
    pub fn new_key(&self) -> (String, String) {
        let made = self.administer("CreateKey", &json!({}));
        let text = |name: &str| made["KeyMetadata"][name].as_str().unwrap().to_owned();
        (text("KeyId"), text("Arn"))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn environment() -> AwsEnvironment {
    let variables = [
        ("HOME", "/nonexistent"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", "a/session+token=="),
    ];
    AwsEnvironment::of(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

#[test]
fn a_kms_of_others_wraps_for_a_tenant_and_unwraps_for_no_other() {
    let Some(program) = program() else { return };
    let moto = Moto::start(&program);
    let (key, arn) = moto.new_key();
    let (other, _) = moto.new_key();
    let rig = Rig::new("moto");
    let root = rig.open(source(&moto.url(), &key, environment()));
    let acme = tenant("acme");
    let wrapped = root.wrap(&acme, &SECRETS).unwrap();
    assert!(!shows_secrets(&wrapped) && wrapped.len() <= WRAPPED_SECRETS_BYTES_MAX);
    assert_eq!(root.unwrap(&acme, &wrapped).unwrap().as_slice(), SECRETS);
    for id in [arn.as_str(), "alias/ledgerstone"] {
        if id.starts_with("alias/") {
            moto.administer("CreateAlias", &json!({"AliasName": id, "TargetKeyId": key}));
        }
        let same = rig.open(source(&moto.url(), id, environment()));
        assert_eq!(same.unwrap(&acme, &wrapped).unwrap().as_slice(), SECRETS, "{id}");
        let wrapped = same.wrap(&acme, &SECRETS).unwrap();
        assert_eq!(root.unwrap(&acme, &wrapped).unwrap().as_slice(), SECRETS, "{id}");
    }
    let error = root.unwrap(&tenant("other"), &wrapped).unwrap_err();
    assert!(matches!(error, RootKeyError::Wrong(_)), "{error}");
    for at in [0, 1, wrapped.len() / 2, wrapped.len() - 1] {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(root.unwrap(&acme, &changed).is_err(), "{at}");
    }

    let none = rig.open(source(&moto.url(), "1234abcd-12ab-34cd-56ef-1234567890ab", environment()));
    let error = none.wrap(&acme, &SECRETS).unwrap_err();
    assert!(matches!(&error, RootKeyError::Refused(why) if why.contains("NotFound")), "{error}");
    let other = rig.open(source(&moto.url(), &other, environment()));
    // KMS says IncorrectKeyException, which `aws_kms.rs` has; this one says AccessDenied.
    other.unwrap(&acme, &wrapped).unwrap_err();

    drop(moto);
    rig.pass(Duration::from_mins(1));
    assert!(matches!(root.wrap(&acme, &SECRETS), Err(RootKeyError::Unavailable(_))));
}

/// Prints the signature that `botocore` makes of a request.
const SIGN: &str = r"
import json, sys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
given = json.load(sys.stdin)
credentials = Credentials(given['id'], given['secret'], given['token'])
auth = SigV4Auth(credentials, 'kms', 'eu-central-1')
request = AWSRequest('POST', given['url'], headers=given['headers'], data=given['body'])
request.context['timestamp'] = given['headers']['x-amz-date']
text = auth.string_to_sign(request, auth.canonical_request(request))
print(auth.signature(text, request))
";

#[test]
fn the_signature_is_the_one_that_botocore_makes() {
    let Some(program) = program() else { return };
    let stub = Stub::new(|_| Reply::Json(400, String::new()));
    let root = Rig::new("botocore").open(source(&stub.url(), "key-0001", environment()));
    root.wrap(&tenant("acme"), &SECRETS).unwrap_err();
    let request = stub.requests().remove(0);
    let authorization = request.header("authorization").to_owned();
    let part = |name: &str| {
        let rest = authorization.split_once(&format!("{name}=")).unwrap().1;
        rest.split(',').next().unwrap().trim().to_owned()
    };
    let signed: serde_json::Map<String, Value> = part("SignedHeaders")
        .split(';')
        .map(|name| (name.to_owned(), request.header(name).into()))
        .collect();
    let given = json!({"id": "AKIDEXAMPLE", "secret": SECRET, "token": "a/session+token==",
        "url": format!("{}/", stub.url()), "headers": signed,
        "body": String::from_utf8(request.body).unwrap()});
    let mut python = Command::new(program.with_file_name("python3"))
        .args(["-c", SIGN])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), part("Signature"));
    let sum = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        given["body"].as_str().unwrap().as_bytes(),
    );
    assert_eq!(given["headers"]["x-amz-content-sha256"], hex::encode(sum));
}
