//! What somebody can do to a data directory who knows its format and repairs every checksum, even
//! with the store key in hand: each attack is found, and named by check, ledger, number and file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod deployment;
mod fixture;
mod scene;
mod table;
