//! The program as its users meet it: every command, every bad input, through the real binary.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also in what tests share")]

mod access_log;
mod bad_input;
mod before_sealing;
mod behind_damage;
mod bench;
mod bundles;
mod chain;
mod client;
mod closing;
mod cloudtrail;
mod commands;
mod configuration;
mod credentials;
mod damage;
mod directories;
mod erased_bytes;
mod expired;
mod key_files;
mod keys;
mod neighbours;
mod office;
mod outside;
mod outside_proof;
mod passes;
mod people;
mod policies;
mod program;
mod proofs;
mod real_people;
mod remote;
mod retention;
mod root_key;
mod rsa;
mod sealed;
mod sealing_keys;
mod serve;
mod served;
mod signals;
mod taxonomy;
mod tour;
mod traces;
mod verifying;
