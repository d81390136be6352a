//! What the tests of events share: one tenant, one moment, one way to parse.

use ledgerstone_model::{IntakeSource, ParseContext, Rejection, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, TenantId};

/// 2024-05-01T12:00:00Z.
pub const RECEIVED_AT: i64 = 1_714_564_800_000_000;

pub fn parse(text: impl AsRef<[u8]>) -> Result<ValidEvent, Rejection> {
    parse_with(text, IntakeSource::NATIVE)
}

pub fn parse_with(text: impl AsRef<[u8]>, intake: &IntakeSource) -> Result<ValidEvent, Rejection> {
    let tenant = TenantId::parse("acme").expect("a good name");
    let received_at = IngestedAt::from_micros(RECEIVED_AT).expect("a good time");
    let context = ParseContext::new(&tenant, received_at, [7; 16]).with_intake(intake);
    ValidEvent::parse(text.as_ref(), &context, &mut Canonicalizer::new())
}
