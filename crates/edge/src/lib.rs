//! Where the outside world meets the ledger: who asks is found out, and foreign formats become events.

#![forbid(unsafe_code)]

pub mod auth;
pub mod importer;
