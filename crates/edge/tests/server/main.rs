//! The listener on real sockets: what clients may do to a connection, and what may be done to theirs.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also in what tests share")]

mod h1;
mod h2;
mod opening;
mod rig;
mod stopping;
mod tls;
