//! The program as its users meet it: every command, every bad input, through the real binary.

mod bad_input;
mod cloudtrail;
mod commands;
mod damage;
mod directories;
mod keys;
mod neighbours;
mod program;
mod proofs;
mod tour;
