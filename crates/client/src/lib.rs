//! A client of a Ledgerstone server, for applications that send events and for tools that read,
//! prove and verify.
//!
//! [`Client`] speaks HTTP and nothing else: it pulls in neither the server nor a store. Answers whose
//! shape is fixed are types of their own; records and receipts also keep the JSON that came, byte for
//! byte. What a server refuses is a [`Problem`] with its stable code; whatever else goes wrong says
//! what was tried. What is repeated and what is not is told at [`Retry`].
//!
//! The crate reads no clock and draws no randomness: an [`IdempotencyKey`] is the caller's.

#![forbid(unsafe_code)]

mod answer;
mod api_keys;
mod append;
mod batch;
mod builder;
mod call;
mod client;
mod error;
mod event;
mod holds;
mod jobs;
mod outcome;
mod policies;
mod problem;
mod proofs;
mod receipt;
mod records;
mod requests;
mod retry;
mod sealing_keys;
mod signing_keys;
mod status;
mod stream;
mod subjects;
mod taxonomy;
mod tenants;

pub use api_keys::{ApiKeyEntry, IssuedApiKey, NewApiKey};
pub use append::{Append, Wait};
pub use builder::{BuildError, ClientBuilder};
pub use client::Client;
pub use error::ClientError;
pub use event::{Event, EventError, IdempotencyKey};
pub use holds::{Hold, NewHold, OpenRun, RetentionState};
pub use jobs::{Job, JobError, JobWaiting, VerifyRequest};
pub use outcome::Outcome;
pub use policies::{ContentsInClear, Policies, Policy, PolicySetBy, PolicyVersion, ProposedPolicy};
pub use problem::Problem;
pub use proofs::SignedCheckpoint;
pub use receipt::{Receipt, ReceiptStatus};
pub use records::{EventsQuery, HiddenPart, Order, Pages, Record};
pub use requests::{
    Approval, BundleFormat, BundlePage, Rectification, RequestAct, RequestJob, SubjectRequest,
};
pub use retry::Retry;
pub use sealing_keys::{SealingKeyEntry, SealingKeyFiles, SealingKeyRotation, SealingKeys};
pub use signing_keys::{Rotation, SigningKeyEntry};
pub use status::{AuditHealth, ComponentHealth, ComponentStatus, Deployment, LedgerStatus, Status};
pub use stream::{EventSender, Outcomes, StreamEnd};
pub use subjects::{AccessPage, Asked, Subject};
pub use tenants::{ClosingAsked, FirstAdminKey, TenantEntry};
