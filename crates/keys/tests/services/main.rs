//! Root keys behind services: against stubs of their documented interfaces, and against a real
//! server where one can be had.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also in what tests share")]

mod aws_kms;
mod kms;
mod moto;
mod place;
mod ring;
mod stub;
mod transit;
mod vault;
