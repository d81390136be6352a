//! Who is let in, who is not, and why.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_keys;
mod certificates;
mod fuzz;
mod jwks;
mod jwks_server;
mod keys;
mod rig;
mod settings;
mod tokens;
mod wycheproof;
