//! The real process is killed at random moments while its receipts are being written down by the
//! other side. Nothing that a receipt or a checkpoint has said may be taken back.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also in what tests share")]

mod dropping;
mod erasing;
mod feeding;
mod history;
mod kills;
mod sending;
mod serving;
