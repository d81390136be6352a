//! A server as a process of its own: started, asked, signalled, waited for.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a panic is how a test fails")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a server may take to end, and to say what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; it is killed if nobody ends it.
pub struct Served {
    /// None once it was waited for.
    child: Option<Child>,
    log: Arc<Mutex<String>>,
    /// Reads the log, because a pipe that nobody reads would stop the server.
    reader: Option<JoinHandle<()>>,
    printed: Vec<Value>,
    url: String,
    port: u16,
}

impl Served {
    /// Runs the command, which must print lines of JSON, the last of them with a `port`.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let log = Arc::<Mutex<String>>::default();
        let reader = read_log(child.stderr.take().unwrap(), &log);
        let mut served = Self {
            child: Some(child),
            log,
            reader: Some(reader),
            printed: Vec::new(),
            url: String::new(),
            port: 0,
        };
        for line in BufReader::new(output).lines() {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if let Some(port) = line["port"].as_u64() {
                served.port = u16::try_from(port).unwrap();
                line["listening"].as_str().unwrap().clone_into(&mut served.url);
                return served;
            }
            served.printed.push(line);
        }
        let (status, log) = served.ended();
        panic!("it did not come up ({status}): {log}");
    }

    /// What it printed before it said where it listens.
    pub fn printed(&self) -> &[Value] {
        &self.printed
    }

    /// The first key, which it printed.
    pub fn first_key(&self) -> String {
        let key = self.printed.first().and_then(|line| line["api_key"].as_str());
        key.expect("it printed no key").to_owned()
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Scheme, address and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn child(&self) -> &Child {
        self.child.as_ref().expect("it was waited for")
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child().id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log says this so many times.
    pub fn wait_for_log(&self, text: &str, times: usize) {
        let began = Instant::now();
        while self.log().matches(text).count() < times {
            assert!(began.elapsed() < PATIENCE, "it did not say {text:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Memory that the process holds, in MB.
    pub fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// A request over a connection of its own, without TLS: status and body.
    pub fn request(&self, method: &str, path: &str, key: Option<&str>, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let key = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{key}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Sends a signal by its name, like `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([format!("-{name}"), id]).status().unwrap();
        assert!(sent.success(), "{name} was not sent");
    }

    /// Waits for its end: how it ended, and its log.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let mut child = self.child.take().expect("it was waited for");
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("it did not stop");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        self.reader.take().unwrap().join().unwrap();
        (status, self.log())
    }

    /// Stops it in order; answers its log.
    pub fn stop(self) -> String {
        self.signal("TERM");
        let (status, log) = self.ended();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }
}

fn read_log(from: ChildStderr, log: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let line = line.unwrap();
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    })
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
