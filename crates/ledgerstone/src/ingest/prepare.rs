//! From text to an event that may be sealed: map, parse, admit, and say what was wrong.

use ledgerstone_edge::importer::Submission;
use ledgerstone_ledger::Ledger;
use ledgerstone_model::{
    AdmittedEvent, ErrorCode, Fault, IntakeSource, Numbers, ParseContext, Rejection, ValidEvent,
    peek_text,
};
use ledgerstone_proof::{Canonicalizer, TenantId};

use super::{Item, Reading};
use crate::failure::{Failure, InputPlace};
use crate::system::System;

/// Random bytes that an event needs for its id, where it has none.
const RANDOM_BYTES: usize = 16;

/// Whose ledger an event goes into.
#[derive(Clone, Debug)]
pub enum TenantChoice {
    /// This tenant's; an event that names another is refused.
    Fixed(TenantId),
    /// The one that the event names in the field at this JSON pointer.
    Named { pointer: String },
}

impl TenantChoice {
    /// Reads a field as a JSON pointer, or as names with dots between them.
    pub fn from_field(field: &str) -> Self {
        let pointer = match field.strip_prefix('/') {
            Some(_) => field.to_owned(),
            None => format!("/{}", field.replace('.', "/")),
        };
        Self::Named { pointer }
    }
}

/// One item of a batch after preparing.
#[derive(Debug)]
pub enum Prepared {
    /// It is among the batch's events.
    Submitted(InputPlace),
    Refused(Failure),
}

/// Prepares items on one thread.
#[derive(Clone)]
pub struct Preparer<'a> {
    system: &'a System,
    ledger: &'a Ledger,
    tenants: &'a TenantChoice,
    reading: Reading,
}

impl<'a> Preparer<'a> {
    pub fn new(
        system: &'a System,
        ledger: &'a Ledger,
        tenants: &'a TenantChoice,
        reading: Reading,
    ) -> Self {
        Self { system, ledger, tenants, reading }
    }

    /// Prepares a batch. The events stand in the order of the items that are not refused.
    pub fn prepare(
        &self,
        items: Vec<Item>,
        scratch: &mut Canonicalizer,
    ) -> (Vec<Prepared>, Vec<AdmittedEvent>) {
        let mut random = vec![0; items.len() * RANDOM_BYTES];
        self.system.entropy.fill(&mut random);
        let (random, _) = random.as_chunks::<RANDOM_BYTES>();
        let mut entries = Vec::with_capacity(items.len());
        let mut events = Vec::with_capacity(items.len());
        for (item, new_id) in items.into_iter().zip(random) {
            let Item { place, read } = item;
            let event = read.and_then(|submission| self.event(&submission, *new_id, scratch));
            match event {
                Ok(event) => {
                    events.push(event);
                    entries.push(Prepared::Submitted(place));
                }
                Err(failure) => entries.push(Prepared::Refused(failure.at(place))),
            }
        }
        (entries, events)
    }

    fn event(
        &self,
        submission: &Submission,
        new_id: [u8; RANDOM_BYTES],
        scratch: &mut Canonicalizer,
    ) -> Result<AdmittedEvent, Failure> {
        let Reading { importer, numbers } = self.reading;
        let mapped = importer.map(submission.text())?;
        let (text, intake) = match &mapped {
            Some(mapped) => (mapped.text.as_slice(), &mapped.intake),
            None => (submission.text(), IntakeSource::NATIVE),
        };
        let named;
        let tenant = match self.tenants {
            TenantChoice::Fixed(tenant) => tenant,
            TenantChoice::Named { pointer } => {
                named = named_tenant(text, pointer, numbers, scratch)?;
                &named
            }
        };
        let context = ParseContext::new(tenant, self.system.clock.now(), new_id)
            .with_numbers(numbers)
            .with_intake(intake);
        let valid = ValidEvent::parse(text, &context, scratch)?;
        Ok(self.ledger.admit(valid)?)
    }
}

fn named_tenant(
    text: &[u8],
    pointer: &str,
    numbers: Numbers,
    scratch: &mut Canonicalizer,
) -> Result<TenantId, Rejection> {
    let refused =
        |code, reason: String| Rejection::of(Fault::new(pointer.to_owned(), code, reason));
    let name = peek_text(text, pointer, numbers, scratch)?.ok_or_else(|| {
        refused(ErrorCode::MissingField, "must name the tenant, and is no text here".to_owned())
    })?;
    TenantId::parse(&name).map_err(|error| {
        let code = match error {
            ledgerstone_proof::NameError::Reserved => ErrorCode::ReservedName,
            _ => ErrorCode::InvalidTenant,
        };
        refused(code, format!("{name:?}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::TenantChoice;

    #[test]
    fn a_field_is_a_pointer_or_names_with_dots() {
        for (field, expected) in [
            ("/context/tenant_id", "/context/tenant_id"),
            ("context.tenant_id", "/context/tenant_id"),
            ("tenant_id", "/tenant_id"),
            ("/a.b", "/a.b"),
        ] {
            let TenantChoice::Named { pointer } = TenantChoice::from_field(field) else {
                panic!("{field} names no field");
            };
            assert_eq!(pointer, expected);
        }
    }
}
