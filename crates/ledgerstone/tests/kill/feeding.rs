//! One run of `ledgerstone append` that is fed as fast as it takes events, and killed.

use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ledgerstone_testkit::{SeededEntropy, TestEvent};
use serde_json::{Value, json};

/// Names of the ledgers that the events are for.
pub const TENANTS: [&str; 3] = ["acme", "beta", "gamma"];

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// So long after it was started: while it opens the directory, mostly.
    After(Duration),
    /// Once so many receipts have been read, and a little later.
    AtReceipt(usize, Duration),
    /// While a log file is being sealed.
    AtSealing,
}

impl Moment {
    /// One in four kills falls into the opening.
    pub fn draw(entropy: &SeededEntropy) -> Self {
        if entropy.below(4) == 0 {
            return Self::After(Duration::from_micros(entropy.below(60_000)));
        }
        let later = Duration::from_micros(entropy.below(3_000));
        let receipts = usize::try_from(entropy.below(300)).unwrap();
        Self::AtReceipt(1 + receipts, later)
    }
}

/// What is sent in one round.
#[derive(Clone, Copy, Debug)]
pub struct Feed {
    pub round: usize,
    /// Bytes of text in each event, to fill log files sooner or later.
    pub text: usize,
}

impl Feed {
    /// An event as one line. Every fifth is one of the round before: sent again because nobody
    /// knows what became of it.
    fn line(&self, number: usize) -> String {
        let round = if number % 5 == 4 { self.round.saturating_sub(1) } else { self.round };
        let tenant = TENANTS[number % TENANTS.len()];
        let event = TestEvent::new("order.paid").id(&format!("r{round}-{number}"));
        let event = event.set("/context/ledger", json!(tenant));
        let mut line = event.set("/data/text", json!("x".repeat(self.text))).json();
        line.push('\n');
        line
    }
}

pub fn program(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledgerstone"));
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null());
    command
}

/// Runs `append` until it is killed; answers the receipts that came out whole.
pub fn append_until_killed(data: &Path, feed: Feed, moment: Moment) -> Vec<Value> {
    let mut child = program(data, &["append", "--tenant-from", "context.ledger"])
        .arg("--create-tenants")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stdin = child.stdin.take().unwrap();
    let feeder = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || send(stdin, feed, &stop))
    };
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let read = Arc::new(AtomicUsize::new(0));
    let reader = {
        let read = Arc::clone(&read);
        std::thread::spawn(move || receipts(stdout, &read))
    };
    wait_for(moment, data, &read, &mut child);
    // SIGKILL: no handler runs, nothing is flushed.
    child.kill().unwrap();
    stop.store(true, Ordering::Relaxed);
    let ended = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let receipts = reader.join().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code().is_none(), "ended by itself: {}: {told}", ended.status);
    assert!(!told.contains("error["), "{told}");
    receipts
}

/// Sends until the pipe breaks.
fn send(mut stdin: ChildStdin, feed: Feed, stop: &AtomicBool) {
    for number in 0.. {
        let sent = stdin.write_all(feed.line(number).as_bytes());
        if sent.is_err() || stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// A line that was cut by the kill is no receipt.
fn receipts(mut stdout: impl std::io::BufRead, read: &AtomicUsize) -> Vec<Value> {
    let mut receipts = Vec::new();
    let mut line = String::new();
    while stdout.read_line(&mut line).is_ok_and(|len| len > 0) && line.ends_with('\n') {
        receipts.push(serde_json::from_str(&line).unwrap());
        read.fetch_add(1, Ordering::Relaxed);
        line.clear();
    }
    receipts
}

fn wait_for(moment: Moment, data: &Path, read: &AtomicUsize, child: &mut Child) {
    let begun = Instant::now();
    match moment {
        Moment::After(time) => std::thread::sleep(time),
        Moment::AtReceipt(count, later) => {
            while read.load(Ordering::Relaxed) < count && child.try_wait().unwrap().is_none() {
                assert!(begun.elapsed() < Duration::from_secs(30), "no receipts for 30 seconds");
                std::thread::sleep(Duration::from_micros(100));
            }
            std::thread::sleep(later);
        }
        Moment::AtSealing => {
            let before = half_made_segments(data);
            while half_made_segments(data) == before && child.try_wait().unwrap().is_none() {
                assert!(begun.elapsed() < Duration::from_mins(2), "nothing was sealed");
                std::thread::sleep(Duration::from_micros(100));
            }
        }
    }
}

/// Names of segments that are being written.
pub fn half_made_segments(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("segments")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.ends_with(".seg.tmp")).collect()
}
