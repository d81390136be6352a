//! The real server under clients of many kinds at once, good and bad, for a while.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also in what tests share")]

mod certificates;
mod crowd;
mod failing_disk;
mod place;
mod readers;
mod steady;
mod writers;
