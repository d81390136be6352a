//! The ledger on a store in memory: what goes in, what comes out, what is found when somebody changes
//! it. Every test that writes ends with the verifier.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod acting;
mod anchors;
mod api_keys;
mod attacks;
mod checkpoints;
mod closing;
mod duplicates;
mod erasing_again;
mod erasure;
mod erasure_for_others;
mod erasure_reach;
mod faults;
mod following;
mod gathering;
mod jobs;
mod live;
mod passes;
mod proofs;
mod rectification;
mod retention;
mod retention_in_files;
mod rig;
mod rotation;
mod rsa;
mod sealed_ids;
mod sealing;
mod sealing_rig;
mod submitting;
mod taxonomies;
mod tenants;
mod verifying;
mod visible;
mod waiting_jobs;
