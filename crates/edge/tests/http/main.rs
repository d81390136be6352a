//! The HTTP interface, tried over real connections on a real store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access_log;
mod administration;
mod append;
mod browsers;
mod bundle;
mod closing;
mod crowded;
mod dead_letters;
mod dropped;
mod erasure_in_clear;
mod erasure_of_targets;
mod every_route;
mod jobs;
mod key_rotation;
mod large_bodies;
mod listing;
mod metrics;
mod ndjson;
mod not_yet;
mod openapi;
mod openapi_faults;
mod person;
mod proofs;
mod queries;
mod queued;
mod read_aliases;
mod rectification;
mod reference;
mod requests;
mod restriction;
mod retention;
mod retention_policies;
mod rig;
mod role_objects;
mod roles;
mod sealing_keys;
mod shapes;
mod sights;
mod taxonomy;
mod tiles;
mod unread_answers;
mod withheld;
