//! Where the outside world meets the ledger: who asks is found out, foreign formats become events,
//! requests become answers, and errors become what the wire calls them.

#![forbid(unsafe_code)]

pub mod auth;
pub mod disposition;
pub mod importer;
pub mod metrics;
pub mod rest;
pub mod server;
pub mod shape;
pub mod trace;
