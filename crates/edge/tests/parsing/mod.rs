//! What the tests of importers share.

use ledgerstone_model::{IntakeSource, ParseContext, Rejection, ValidEvent};
use ledgerstone_proof::{Canonicalizer, IngestedAt, TenantId};

/// 2024-05-01T12:00:00Z.
const RECEIVED_AT: i64 = 1_714_564_800_000_000;

pub fn parse(text: &[u8], intake: &IntakeSource) -> Result<ValidEvent, Rejection> {
    let tenant = TenantId::parse("default").expect("a good name");
    let at = IngestedAt::from_micros(RECEIVED_AT).expect("a good time");
    let context = ParseContext::new(&tenant, at, [7; 16]).with_intake(intake);
    ValidEvent::parse(text, &context, &mut Canonicalizer::new())
}
