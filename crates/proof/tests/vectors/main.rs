//! Vectors that others published: what this crate computes must be what they compute.

mod jcs;
mod json_suite;
mod merkle;
mod notes;
mod numbers;
mod support;
mod tlog;
mod wycheproof;
