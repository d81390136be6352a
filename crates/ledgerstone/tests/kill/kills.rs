//! The kills: a dozen always, hundreds when there is time.

use std::process::Stdio;
use std::time::Duration;

use ledgerstone_testkit::SeededEntropy;

use crate::feeding::{Feed, Moment, TENANTS, append_until_killed, half_made_segments, program};
use crate::history::History;

/// Set to anything, hundreds of kills are made.
const LONG: &str = "LEDGERSTONE_LONG";
/// Another seed gives other moments.
const SEED: &str = "LEDGERSTONE_KILL_SEED";

/// Whether there is time for many kills.
pub fn is_long() -> bool {
    std::env::var_os(LONG).is_some()
}

fn kills() -> usize {
    if is_long() { 400 } else { 12 }
}

pub fn seed() -> u64 {
    std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// A checkpoint is asked for and the process killed; what was printed whole was shown.
fn checkpoint_until_killed(history: &mut History, entropy: &SeededEntropy) {
    let tenant = if entropy.below(2) == 0 { "_system" } else { "default" };
    let mut child = program(&history.data(), &["checkpoint", "--tenant", tenant])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_micros(entropy.below(120_000)));
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("error["), "{told}");
    let is_whole = output.stdout.windows(2).any(|pair| pair == b"\n\n");
    if is_whole && output.stdout.ends_with(b"\n") {
        history.keep_checkpoint(&output.stdout);
    }
}

#[test]
fn nothing_that_was_said_is_taken_back() {
    let seed = seed();
    eprintln!("{SEED}={seed}");
    let entropy = SeededEntropy::new(seed);
    let mut history = History::begin("kills");
    let kills = kills();
    let mut met_sealing = 0;
    for round in 0..kills {
        // Large events fill log files soon, so that these kills fall into sealing.
        let large = round % if round < 12 { 3 } else { 25 } == 2;
        let feed = Feed { round, text: if large { 40_000 } else { 200 } };
        let moment = if large { Moment::AtSealing } else { Moment::draw(&entropy) };
        let receipts = append_until_killed(&history.data(), feed, moment);
        history.keep_receipts(receipts);
        met_sealing += usize::from(!half_made_segments(&history.data()).is_empty());
        if round % 3 == 0 {
            checkpoint_until_killed(&mut history, &entropy);
        }
        if round % 4 == 1 {
            // Beside the kills, one that is answered in peace.
            let tenant = TENANTS[round % TENANTS.len()];
            if history.receipts() > 0 {
                let note = history.run(&["checkpoint", "--tenant", tenant]);
                history.keep_checkpoint(&note);
            }
        }
        // Several kills may follow each other before anybody looks.
        if kills < 20 || round % 10 == 0 {
            history.assert_verifies("tree");
        }
        if round % 40 == 3 {
            history.assert_nothing_taken_back();
        }
    }
    history.assert_verifies("full");
    history.assert_nothing_taken_back();
    history.run(&["doctor"]);
    eprintln!(
        "{kills} kills, {met_sealing} amid sealing: {} receipts and {} checkpoints hold, {} files \
         of segments",
        history.receipts(),
        history.checkpoints(),
        history.segments()
    );
    assert!(met_sealing > 0, "no kill left a segment half made");
    assert!(history.segments() > 0, "nothing was sealed");
    assert!(history.receipts() > 20 * kills, "too little was acknowledged to show anything");
}
