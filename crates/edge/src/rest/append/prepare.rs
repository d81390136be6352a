//! From the text of an event to one that may be appended, for the caller's own tenant.

use std::cell::RefCell;

use http::HeaderMap;
use ledgerstone_model::{ErrorCode, ParseContext, Rejection, SealedEvent, ValidEvent, seal};
use ledgerstone_proof::{Canonicalizer, EventId, IngestedAt, SALT_BYTES, Salt, TenantId};

use super::idempotency::IdempotencyKey;
use crate::auth::Authorised;
use crate::importer::Importer;
use crate::metrics::Metrics;
use crate::rest::problem::{Fault, Problem};
use crate::rest::service::Service;
use crate::shape::{self, Shape, Shaped};

/// Random bytes that an event needs: for its id, where it has none, and for its salt.
const RANDOM_BYTES: usize = 16 + SALT_BYTES;

thread_local! {
    /// Room to make texts canonical in, kept because making it anew costs more than a small event.
    static SCRATCH: RefCell<Canonicalizer> = RefCell::new(Canonicalizer::new());
}

/// How the text of an event is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::rest) enum Reading {
    /// As an event in the model's own form.
    Native,
    /// In whichever flat shape it has.
    AnyShape,
    /// In this shape.
    As(&'static Shape),
    /// As a record of this foreign format.
    Record(&'static dyn Importer),
}

impl Reading {
    fn shaped(self, text: &[u8], scratch: &mut Canonicalizer) -> Result<Option<Shaped>, Rejection> {
        match self {
            Self::Native => Ok(None),
            Self::AnyShape => shape::detect(text, scratch),
            Self::As(shape) => shape.map(text, scratch).map(Some),
            Self::Record(importer) => importer.map(text),
        }
    }
}

/// Where the events of a request come from, and what they are checked against.
#[derive(Clone)]
pub(super) struct Source {
    service: Service,
    tenant: TenantId,
    reading: Reading,
    idempotency: Option<IdempotencyKey>,
}

/// What a request's events need from outside.
pub(super) struct Drawn {
    random: Vec<u8>,
    at: IngestedAt,
}

impl Drawn {
    /// Random bytes for each event.
    pub(super) fn random(&self) -> &[[u8; RANDOM_BYTES]] {
        self.random.as_chunks().0
    }

    /// When the events came in.
    pub(super) const fn at(&self) -> IngestedAt {
        self.at
    }
}

impl Source {
    pub(super) fn new(
        service: &Service,
        authorised: &Authorised,
        reading: Reading,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let principal = authorised.caller().principal();
        let idempotency = IdempotencyKey::of(headers, authorised.tenant(), principal)?;
        let (service, tenant) = (service.clone(), authorised.tenant().clone());
        Ok(Self { service, tenant, reading, idempotency })
    }

    pub(super) const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(super) fn metrics(&self) -> &Metrics {
        self.service.metrics()
    }

    /// Draws for all events of a request at once, which costs little more than for one.
    pub(super) fn draw(&self, events: usize) -> Drawn {
        let mut random = vec![0; events * RANDOM_BYTES];
        self.service.entropy().fill(&mut random);
        Drawn { random, at: self.service.clock().now() }
    }

    /// Prepares one event that came in at `at`. `index` is its place in the request.
    pub(super) fn prepare(
        &self,
        text: &[u8],
        index: usize,
        random: &[u8; RANDOM_BYTES],
        at: IngestedAt,
    ) -> Result<SealedEvent, Problem> {
        let (mut new_id, mut salt) = ([0; 16], [0; SALT_BYTES]);
        let (first, second) = random.split_at(new_id.len());
        new_id.copy_from_slice(first);
        salt.copy_from_slice(second);
        let given = self.idempotency.as_ref().map(|key| key.event_id(index)).transpose()?;
        let mut context = ParseContext::new(&self.tenant, at, new_id);
        if let Some(id) = &given {
            context = context.with_default_id(id);
        }
        let valid = SCRATCH
            .with_borrow_mut(|scratch| match self.reading.shaped(text, scratch)? {
                None => ValidEvent::parse(text, &context, scratch),
                Some(shaped) => {
                    let context = context.with_intake(&shaped.intake);
                    ValidEvent::parse(&shaped.text, &context, scratch)
                }
            })
            .map_err(|rejection| Problem::from(&rejection))?;
        Ok(seal(valid, self.service.sealing(), &Salt::from_bytes(salt)))
    }

    /// Whether an id was made from the request's `Idempotency-Key`.
    pub(super) fn made_id(&self, id: &EventId, index: usize) -> bool {
        let made = self.idempotency.as_ref().and_then(|key| key.event_id(index).ok());
        made.as_ref() == Some(id)
    }
}

impl From<&Rejection> for Problem {
    fn from(rejection: &Rejection) -> Self {
        let fault = |fault: &ledgerstone_model::Fault| Fault {
            pointer: fault.pointer().to_owned(),
            code: fault.code(),
            detail: fault.reason().to_owned(),
        };
        let faults: Vec<Fault> = rejection.faults().iter().map(fault).collect();
        let detail = match (faults.as_slice(), rejection.omitted()) {
            ([one], 0) if one.pointer.is_empty() => one.detail.clone(),
            ([one], 0) => format!("{} {}", one.pointer, one.detail),
            (many, 0) => format!("the event has {} faults", many.len()),
            (many, omitted) => {
                format!(
                    "the event has {} faults, of which {} are listed",
                    many.len() + omitted,
                    many.len()
                )
            }
        };
        Self::new(rejection.code(), detail).with_faults(faults)
    }
}

/// Refuses what holds no event at all.
pub(super) fn not_empty(text: &[u8]) -> Result<(), Problem> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::new(
            ErrorCode::EmptyInput,
            "the body is empty; send one event, or an array of events",
        ));
    }
    Ok(())
}
