//! What a shell does for the tour: it runs commands in a directory with an environment, and a server
//! beside them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ledgerstone_model::ErrorCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::steps::unexpected;
use crate::failure::Failure;

/// What commands are given of the environment: nothing that would make them behave otherwise.
const KEPT: &[&str] = &["PATH", "HOME", "LANG", "TERM", "TMPDIR", "COLUMNS"];

/// Where and with what commands run.
pub struct Shell {
    place: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

impl Shell {
    pub fn new(place: &Path) -> Self {
        let kept = KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        Self { place: place.to_owned(), variables: kept.collect() }
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    pub fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.into()));
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.place.join(name);
        fs::write(&path, bytes).map_err(|error| Failure::file("writing", &path, &error))
    }

    /// Runs the program so that its output goes to the same place as ours.
    pub fn run(&self, arguments: &[&str]) -> Result<(), Failure> {
        let status = self.program(arguments)?.status();
        status.map(drop).map_err(|error| not_run(&error))
    }

    /// Runs the program for what it prints, with a file as its input.
    pub fn capture(&self, arguments: &[&str], input: Option<&str>) -> Result<Vec<u8>, Failure> {
        let mut command = self.program(arguments)?;
        if let Some(name) = input {
            let path = self.place.join(name);
            let file = File::open(&path);
            command.stdin(file.map_err(|error| Failure::file("opening", &path, &error))?);
        }
        let output = command.stderr(Stdio::inherit()).output();
        output.map(|output| output.stdout).map_err(|error| not_run(&error))
    }

    /// Runs another program for what it prints.
    pub fn output(&self, name: &str, arguments: &[&str]) -> io::Result<Vec<u8>> {
        let output = self.command(name.as_ref(), arguments).output()?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(io::Error::other(format!("{name}: {}", output.status)))
    }

    /// Starts a server on a port that the system chooses.
    pub fn serve(&self) -> Result<Running, Failure> {
        let log = self.place.join("server.log");
        let log = File::create(&log).map_err(|error| Failure::file("making", &log, &error))?;
        let mut command = self.program(&["serve", "--listen", "127.0.0.1:0"])?;
        let child = command.stdout(Stdio::piped()).stderr(log).spawn();
        let child = child.map_err(|error| not_run(&error))?;
        let mut running =
            Running { child, printed: Vec::new(), key: String::new(), url: String::new() };
        running.come_up()?;
        Ok(running)
    }

    fn program(&self, arguments: &[&str]) -> Result<Command, Failure> {
        let program = std::env::current_exe().map_err(|error| not_run(&error))?;
        Ok(self.command(&program, arguments))
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.place).stdin(Stdio::null());
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A server that runs until it is stopped, or not needed any more.
pub struct Running {
    child: Child,
    printed: Vec<String>,
    key: String,
    url: String,
}

impl Running {
    /// Reads what it prints up to where it listens.
    fn come_up(&mut self) -> Result<(), Failure> {
        let output = self.child.stdout.take().ok_or_else(|| unexpected("the server"))?;
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| not_run(&error))?;
            let members: Value = serde_json::from_str(&line).unwrap_or_default();
            let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
            self.printed.push(line);
            if let Some(key) = text("api_key") {
                self.key = key;
            }
            if let Some(url) = text("listening") {
                self.url = url;
                return Ok(());
            }
        }
        Err(unexpected("the server"))
    }

    pub fn printed(&self) -> &[String] {
        &self.printed
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<(), Failure> {
        let asked = kill_process(Pid::from_child(&self.child), Signal::TERM);
        asked.map_err(|error| not_run(&error.into()))?;
        self.child.wait().map(drop).map_err(|error| not_run(&error))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without effect on one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn not_run(error: &io::Error) -> Failure {
    Failure::new(ErrorCode::Internal, format!("a command of the tour did not run: {error}"))
}
