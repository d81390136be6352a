//! Runs the program in a directory of the test's own, and reads what it prints.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use ledgerstone_testkit::{TestDirectory, TestEvent};
use serde_json::Value;

/// The number of a ledger's first event: its genesis and the policy that it begins with come before.
pub const FIRST_EVENT: u64 = 2;

/// A place to run the program in. Its data directory has the default name.
pub struct Program {
    place: TestDirectory,
}

/// What a run of the program left behind.
pub struct Run {
    command: String,
    output: Output,
}

impl Program {
    pub fn new(name: &str) -> Self {
        Self { place: TestDirectory::new(name) }
    }

    /// The same with a copy of everything in the place.
    pub fn copy(&self, name: &str) -> Self {
        Self { place: self.place.copy(name) }
    }

    pub fn place(&self) -> &TestDirectory {
        &self.place
    }

    /// A path in the data directory.
    pub fn data(&self, relative: &str) -> PathBuf {
        self.place.join("ledgerstone-data").join(relative)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerstone"));
        command.args(arguments).current_dir(self.place.path()).stdin(Stdio::null());
        for name in ["SERVER", "API_KEY", "API_KEY_FILE", "CA", "CONFIG"] {
            command.env_remove(format!("LEDGERSTONE_{name}"));
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, |_| {})
    }

    /// Runs the program with something about it changed, such as its environment.
    pub fn run_with(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Run {
        let mut command = self.command(arguments);
        change(&mut command);
        Run { command: arguments.join(" "), output: command.output().unwrap() }
    }

    /// Runs the program with this on its standard input.
    pub fn feed(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Run {
        self.feed_with(arguments, input, |_| {})
    }

    /// The same with something about the program changed.
    pub fn feed_with(
        &self,
        arguments: &[&str],
        input: impl AsRef<[u8]>,
        change: impl FnOnce(&mut Command),
    ) -> Run {
        let mut child = self.start_with(arguments, change);
        let mut stdin = child.stdin.take().unwrap();
        let input = input.as_ref().to_vec();
        let writer = std::thread::spawn(move || {
            // A program that refuses to start reads nothing.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Run { command: arguments.join(" "), output }
    }

    /// Starts the program with pipes on all sides.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.start_with(arguments, |_| {})
    }

    fn start_with(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> Child {
        let mut command = self.command(arguments);
        change(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Names and sizes of all ledgers: what must not change where nothing may be recorded.
    pub fn sizes(&self) -> String {
        self.run(&["tenants", "list"]).ok().text()
    }

    /// Appends numbered events `from..to`, each with an id like `e-7`.
    pub fn append_numbered(&self, from: u64, to: u64) -> Vec<Value> {
        let events: Vec<String> = (from..to).map(numbered).collect();
        self.feed(&["append"], events.join("\n")).ok().lines()
    }
}

/// The event `e-<number>`.
pub fn numbered(number: u64) -> String {
    TestEvent::full(&format!("e-{number}")).set("/metadata/number", number.into()).json()
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Output { status, stdout, stderr } = &self.output;
        let (stdout, stderr) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
        write!(f, "ledgerstone {}: {status}\n{stdout}\n{stderr}", self.command)
    }
}

impl Run {
    pub fn status(&self) -> i32 {
        self.output.status.code().unwrap_or_else(|| panic!("killed: {self}"))
    }

    /// The run, which ended as expected.
    #[track_caller]
    pub fn ended(self, status: i32) -> Self {
        assert_eq!(self.status(), status, "{self}");
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.ended(0)
    }

    /// The run, which failed with this code and said something to do.
    #[track_caller]
    pub fn failed(self, status: i32, code: &str) -> Self {
        let run = self.ended(status);
        let stderr = run.errors();
        let at = stderr.find(&format!("error[{code}]: ")).unwrap_or_else(|| panic!("{run}"));
        let remedy = stderr[at..].lines().nth(1).unwrap_or_default();
        assert!(remedy.starts_with("  ") && remedy.len() > 10, "no remedy: {run}");
        run
    }

    pub fn bytes(&self) -> &[u8] {
        &self.output.stdout
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The lines of JSON that it printed.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let text = self.text();
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}: {self}"))
        };
        text.lines().map(parse).collect()
    }

    /// The one line of JSON that it printed.
    #[track_caller]
    pub fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self}");
        lines.remove(0)
    }
}

/// The text of a member.
#[track_caller]
pub fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer} of {value}")).to_owned()
}

/// The number of a member.
#[track_caller]
pub fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no number at {pointer} of {value}"))
}

/// The names of an object's members.
pub fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .map(|object| object.keys().map(String::as_str).collect())
        .unwrap_or_default();
    names.sort_unstable();
    names
}

/// Changes one byte of a file.
pub fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[offset] ^= 1;
    let mut permissions = std::fs::metadata(path).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the file is the test's own")]
    permissions.set_readonly(false);
    std::fs::set_permissions(path, permissions).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Where a text stands in a file.
#[track_caller]
pub fn offset_of(path: &Path, text: &str) -> usize {
    let bytes = std::fs::read(path).unwrap();
    let found = bytes.windows(text.len()).position(|window| window == text.as_bytes());
    found.unwrap_or_else(|| panic!("{text} does not stand in {}", path.display()))
}
