//! A data directory and the server over it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use ledgerstone_testkit::{Served, TestDirectory, TestEvent};
use serde_json::{Value, json};

/// Where a test's server keeps its data.
pub struct Place {
    pub directory: TestDirectory,
}

impl Place {
    pub fn new(name: &str) -> Self {
        Self { directory: TestDirectory::new(name) }
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The program with these arguments, on this directory.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerstone"));
        command.args(arguments).arg("--data").arg(self.data()).stdin(Stdio::null());
        command
    }

    /// Starts a server, with more settings where that is wished.
    pub fn serve(&self, change: impl FnOnce(&mut Command)) -> Served {
        let mut command = self.program(&["serve", "--listen", "127.0.0.1:0"]);
        change(&mut command);
        Served::start(command)
    }

    /// Runs a command that must succeed.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.program(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {}\n{said}\n{told}", output.status);
        output
    }

    /// The ids of all events of the tenant `default`, in their order.
    pub fn events(&self) -> Vec<String> {
        let listed = self.run(&["list", "--order", "sequence", "--limit", "10000000"]);
        let text = String::from_utf8(listed.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let records = lines.map(|mut line| line["record"].take());
        let events = records.filter(|record| record["kind"] == "event");
        events.map(|record| record["event_id"].as_str().unwrap().to_owned()).collect()
    }
}

/// An event under an id of its own.
pub fn event(id: &str) -> Value {
    TestEvent::full(id).set("/metadata/text", json!("x".repeat(id.len() * 17 % 300))).value()
}

/// A client that speaks plain HTTP/1.1, or TLS to those it knows.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
