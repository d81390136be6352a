//! A process is killed while it drops contents: what it left verifies, and the next process that writes goes
//! on with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ledgerstone_ledger::{ContentDrop, KeyFiles, Ledger, Reader, Settings};
use ledgerstone_model::NumberSet;
use ledgerstone_model::system::{LogName, RetentionReason};
use ledgerstone_proof::{Kind, SequenceNumber, TenantId};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, Options};
use ledgerstone_testkit::{MockClock, SeededEntropy, TestEvent};
use serde_json::json;

use crate::feeding::program;
use crate::history::History;
use crate::kills::{is_long, seed};

/// Where the child that is killed finds its directory, and the first record whose content goes.
const DATA: &str = "LEDGERSTONE_KILL_DATA";
const FIRST: &str = "LEDGERSTONE_KILL_FIRST";
/// What it says when it begins.
const BEGINS: &str = "drops contents now";
/// Tries to meet a run.
const KILLS_MAX: usize = 80;
/// Contents that go in one run.
const AT_ONCE: usize = 40;

fn tenant() -> TenantId {
    TenantId::parse("default").unwrap()
}

fn open(data: &Path, mode: Mode) -> EmbeddedStore {
    let (clock, entropy) = (Arc::new(MockClock::default()), Arc::new(SeededEntropy::new(1)));
    EmbeddedStore::open(data, mode, Options::default(), Files::new(), clock, entropy).unwrap()
}

#[test]
#[ignore = "the other test starts it as a process of its own, and kills it"]
fn drops_contents_until_it_is_killed() {
    let data = PathBuf::from(std::env::var_os(DATA).unwrap());
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let store = Arc::new(open(&data, Mode::Write));
    let keys = Arc::new(KeyFiles::in_directory(data.join("keys")));
    let settings = Settings::new(LogName::parse(LogName::DEFAULT).unwrap());
    // Another entropy in every process: a run is named by it.
    let (clock, entropy) = (Arc::new(MockClock::default()), Arc::new(SeededEntropy::new(first)));
    let ledger = Ledger::open(store.clone(), keys, settings, clock, entropy).unwrap();
    // Read out of the whole ledger the first time, which would take longer than the drop itself.
    ledger.holds(&tenant()).unwrap();
    let mut said = std::io::stdout();
    writeln!(said, "{BEGINS}").unwrap();
    said.flush().unwrap();
    let drops = [ContentDrop {
        tenant: tenant(),
        numbers: events_from(ledger.reader(), first),
        reason: RetentionReason::Expired,
        policy_record: None,
        audit_record: None,
    }];
    ledger.retention(&*store).drop_contents(&drops).unwrap();
    // The kill is still to come.
    std::thread::sleep(Duration::from_mins(1));
}

/// The next few events from a record on.
fn events_from(reader: &Reader, first: u64) -> NumberSet {
    let records = (first..).map(|at| SequenceNumber::new(at).unwrap());
    let records = records.map(|at| reader.record(&tenant(), at).unwrap());
    let events = records.filter(|record| record.kind == Kind::Event);
    events.map(|record| record.sequence_number.value()).take(AT_ONCE).collect()
}

/// Starts the child, and kills it so long after it has begun.
fn drop_until_killed(data: &Path, first: u64, later: Duration) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "dropping::drops_contents_until_it_is_killed",
        ])
        .env(DATA, data)
        .env(FIRST, first.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(BEGINS)), "the child ended before it began");
    std::thread::sleep(later);
    // SIGKILL: no handler runs, nothing is flushed.
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it ended by itself");
}

/// Several segments full of large events.
fn fill(history: &History) {
    let mut child = program(&history.data(), &["append"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for number in 0..700 {
        let event = TestEvent::new("order.paid").id(&format!("e{number}"));
        let text = format!("{number}-").repeat(8_000);
        writeln!(stdin, "{}", event.set("/metadata/text", json!(text)).json()).unwrap();
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

/// How many of these contents are there.
fn contents(data: &Path, numbers: &NumberSet) -> usize {
    let reader = Reader::new(Arc::new(open(data, Mode::Read)));
    let numbers = numbers.ranges().flatten().map(|at| SequenceNumber::new(at).unwrap());
    let records = numbers.map(|at| reader.record(&tenant(), at).unwrap());
    records.filter(|record| record.content.is_some()).count()
}

#[test]
fn a_process_killed_while_it_drops_contents_leaves_what_the_next_one_ends() {
    let entropy = SeededEntropy::new(seed());
    let mut history = History::begin("dropping-killed");
    fill(&history);
    assert!(history.segments() > 2, "{} segments", history.segments());
    let (kills, mut first, mut met) = (if is_long() { 60 } else { 8 }, 1, 0);
    let mut kill = 0;
    // On a busy machine most come too early.
    while kill < kills || (met < 2 && kill < KILLS_MAX) {
        kill += 1;
        let wanted = {
            let reader = Reader::new(Arc::new(open(&history.data(), Mode::Read)));
            events_from(&reader, first)
        };
        let later = Duration::from_micros(entropy.below(200_000 << (kill / kills).min(4)));
        drop_until_killed(&history.data(), first, later);
        let left = contents(&history.data(), &wanted);
        history.assert_verifies("tree");
        // Whoever writes next goes on with a run that was recorded.
        let shown = history.run(&["checkpoint"]);
        history.keep_checkpoint(&shown);
        history.assert_verifies("full");
        let now = contents(&history.data(), &wanted);
        let is_recorded = left < AT_ONCE || now < AT_ONCE;
        assert!(now == 0 || !is_recorded, "kill {kill}: {left} contents were left, {now} are");
        met += usize::from(is_recorded);
        // A run that was never recorded begins again.
        first = if is_recorded { wanted.last().unwrap() + 1 } else { first };
    }
    eprintln!("{kill} kills, {met} amid a run that was recorded");
    assert!(met > 1, "no kill met a run");
    history.run(&["doctor"]);
}
