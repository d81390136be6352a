//! Makes the next log file before it is needed: zeros written and synced ahead.

use std::io;
use std::time::Duration;

use super::files::DataFile;
use super::frame::Nonce;
use super::log_file::{self, LogHeader};
use super::shared::{Shared, SignalState};

/// A log file that has a header and no frame yet.
#[derive(Debug)]
pub struct PreparedLog {
    pub number: u64,
    pub nonce: Nonce,
    pub file: DataFile,
    pub capacity: u64,
}

const RETRY: Duration = Duration::from_secs(1);

/// Makes one log file now.
pub fn prepare(shared: &Shared, number: u64, made: u32) -> io::Result<PreparedLog> {
    let mut nonce = [0; 16];
    shared.entropy.fill(&mut nonce);
    let header = LogHeader { number, nonce: Nonce(nonce) };
    let options = &shared.options;
    let capacity = options
        .log_bytes_first
        .checked_shl(made.min(16))
        .unwrap_or(u64::MAX)
        .min(options.log_bytes_max);
    let path = shared.layout.log(number);
    let beside = path.with_extension("tmp");
    if beside.exists() {
        shared.files.unlink(&beside)?;
    }
    let made = log_file::prepare(&shared.files, &path, header, &shared.store, capacity);
    if made.is_err() {
        // What was made so far must not take the last room from the sealer.
        drop(shared.files.unlink(&beside));
    }
    let file = made?;
    Ok(PreparedLog { number, nonce: header.nonce, file, capacity })
}

/// Background thread: whenever the prepared file has been taken, makes another.
pub fn run(shared: &Shared) {
    while !shared.stopping() {
        let signals = shared.signals();
        if signals.prepared.is_some() {
            drop(shared.signals.changed.wait_timeout(signals, RETRY));
            continue;
        }
        let (number, made) = (signals.next_log_number, signals.logs_made);
        drop(signals);
        match prepare(shared, number, made) {
            Ok(prepared) => {
                shared.set_degraded("log", None);
                shared.signal(|signals| signals.ready(prepared));
            }
            Err(error) => {
                let trouble = format!("the next log file cannot be made: {error}");
                shared.set_degraded("log", Some(trouble.clone()));
                shared.signal(|signals| signals.prepare_failed = Some(trouble));
                let signals = shared.signals();
                drop(shared.signals.changed.wait_timeout(signals, RETRY));
            }
        }
    }
}

impl SignalState {
    pub fn ready(&mut self, prepared: PreparedLog) {
        self.next_log_number = prepared.number + 1;
        self.logs_made += 1;
        self.prepare_failed = None;
        self.prepared = Some(prepared);
    }
}
