//! Several processes on one directory: one writes, any number read.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use crate::program::{Program, numbered};

/// How long a test waits for what must come within a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that appends one event at a time, as it is told.
struct Writer {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Writer {
    fn start(program: &Program) -> Self {
        let mut child = program.start(&["append"]);
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Appends an event and waits for its receipt, which comes although nothing follows.
    fn append(&mut self, number: u64) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{}", numbered(number)).unwrap();
        let mut receipt = String::new();
        self.stdout.read_line(&mut receipt).unwrap();
        assert!(receipt.contains(&format!("\"id\":\"e-{number}\"")), "{receipt}");
    }

    fn stop(mut self) {
        drop(self.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// Waits until a reader sees so many records.
fn wait_for(program: &Program, records: usize) {
    let begin = Instant::now();
    loop {
        let seen = program.run(&["list"]).ok().lines().len();
        if seen == records {
            return;
        }
        assert!(seen < records && begin.elapsed() < PATIENCE, "{seen} of {records} are seen");
    }
}

#[test]
fn readers_see_what_a_living_writer_wrote_and_a_second_writer_is_refused() {
    let program = Program::new("neighbours");
    program.run(&["init"]).ok();
    let mut writer = Writer::start(&program);
    for (number, records) in (0..3).zip(3..) {
        writer.append(number);
        wait_for(&program, records);
    }
    for run in [
        program.feed(&["append"], numbered(9)),
        program.run(&["checkpoint"]),
        program.run(&["signing-keys", "rotate", "--use", "record"]),
    ] {
        run.failed(2, "STORE_LOCKED");
    }
    let verify = program.run(&["verify"]).ok();
    assert!(verify.errors().contains("a process is writing"), "{verify}");
    let doctor = program.run(&["doctor"]).ok();
    assert!(doctor.text().contains("a process is writing"), "{doctor}");
    writer.append(3);
    writer.stop();
    assert_eq!(program.run(&["list"]).ok().lines().len(), 6);
    program.run(&["verify"]).ok();
}

#[test]
fn a_proof_that_needs_a_checkpoint_waits_for_the_writer() {
    let program = Program::new("uncovered");
    program.run(&["init"]).ok();
    let mut writer = Writer::start(&program);
    writer.append(0);
    wait_for(&program, 3);
    let run = program.run(&["proof", "e-0"]).failed(2, "STORE_LOCKED");
    assert!(run.errors().contains("no checkpoint covers event e-0 yet"), "{run}");
    assert!(run.errors().contains("Wait until the process that writes"), "{run}");
    for command in ["get", "proof"] {
        let run = program.run(&[command, "e-1"]).failed(2, "EVENT_NOT_FOUND");
        assert!(run.errors().contains("a process is writing; records of the last"), "{run}");
    }
    writer.stop();
    program.run(&["proof", "e-0"]).ok();
    let run = program.run(&["get", "e-1"]).failed(2, "EVENT_NOT_FOUND");
    assert!(!run.errors().contains("a process is writing"), "{run}");
}

#[test]
fn what_was_acknowledged_survives_the_end_of_its_process() {
    let program = Program::new("killed");
    program.run(&["init"]).ok();
    let mut writer = Writer::start(&program);
    (0..5).for_each(|number| writer.append(number));
    writer.child.kill().unwrap();
    writer.child.wait().unwrap();
    let doctor = program.run(&["doctor"]).ok();
    assert!(doctor.text().contains("did not stop in order"), "{doctor}");
    assert_eq!(program.run(&["list"]).ok().lines().len(), 7);
    program.run(&["verify"]).ok();
    program.append_numbered(4, 7);
    assert_eq!(program.run(&["list"]).ok().lines().len(), 9);
    program.run(&["verify"]).ok();
}

#[test]
fn a_writer_whose_receipts_nobody_reads_stops() {
    let program = Program::new("unread");
    program.run(&["init"]).ok();
    let mut writer = Writer::start(&program);
    writer.append(0);
    let Writer { mut child, mut stdin, stdout } = writer;
    drop(stdout);
    let pipe = stdin.as_mut().unwrap();
    for number in 1..3 {
        // It may have gone already.
        let _ = writeln!(pipe, "{}", numbered(number));
        std::thread::sleep(Duration::from_millis(50));
    }
    // Its input stays open: it must not wait for more.
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begin.elapsed() < PATIENCE, "the writer does not stop");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(1));
    program.run(&["verify"]).ok();
}
