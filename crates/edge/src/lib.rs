//! Where the outside world meets the ledger: foreign formats become events here.

#![forbid(unsafe_code)]

pub mod importer;
