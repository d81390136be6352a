//! From the text of an event to one that may be appended, for the caller's own tenant.

use std::cell::RefCell;

use http::HeaderMap;
use ledgerstone_ledger::{AdmissionError, NewDeadLetter};
use ledgerstone_model::{AdmittedEvent, ErrorCode, Numbers, ParseContext, Rejection, ValidEvent};
use ledgerstone_proof::{Canonicalizer, EventId, IngestedAt, TenantId};

use super::idempotency::IdempotencyKey;
use crate::auth::Authorised;
use crate::importer::{self, Importer};
use crate::metrics::Metrics;
use crate::rest::problem::{Fault, Problem};
use crate::rest::service::Service;
use crate::shape::{self, Shape, Shaped};

/// Random bytes that an event needs for its id, where it has none.
pub(in crate::rest) const RANDOM_BYTES: usize = 16;

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

/// What dead letters call [`Reading::AnyShape`].
const ANY_SHAPE: &str = "any";

/// Begins what dead letters call [`Reading::Record`]; the format's name follows.
const RECORD_OF: &str = "record:";

impl Reading {
    /// What dead letters call it; `None` for the model's own form.
    fn name(self) -> Option<String> {
        match self {
            Self::Native => None,
            Self::AnyShape => Some(ANY_SHAPE.to_owned()),
            Self::As(shape) => Some(shape.name.to_owned()),
            Self::Record(importer) => Some(format!("{RECORD_OF}{}", importer.name())),
        }
    }

    /// The one that dead letters call so; `None` for one that this version does not know.
    pub(in crate::rest) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None => Some(Self::Native),
            Some(ANY_SHAPE) => Some(Self::AnyShape),
            Some(name) => match name.strip_prefix(RECORD_OF) {
                Some(format) => importer::find(format).ok().map(Self::Record),
                None => shape::find(name).map(Self::As),
            },
        }
    }

    fn shaped(
        self,
        text: &[u8],
        numbers: Numbers,
        scratch: &mut Canonicalizer,
    ) -> Result<Option<Shaped>, Rejection> {
        match self {
            Self::Native => Ok(None),
            Self::AnyShape => shape::detect(text, numbers, scratch),
            Self::As(shape) => shape.map(text, numbers, scratch).map(Some),
            Self::Record(importer) => importer.map(text),
        }
    }
}

/// Where the events of a request come from, and what they are checked against.
#[derive(Clone)]
pub(in crate::rest) struct Source {
    service: Service,
    tenant: TenantId,
    principal: String,
    reading: Reading,
    numbers: Numbers,
    default_ids: DefaultIds,
}

/// The ids of events that bring none.
#[derive(Clone, Debug)]
enum DefaultIds {
    Random,
    /// Out of the request's `Idempotency-Key`.
    OfKey(IdempotencyKey),
    /// The one of the dead letter that is sent again.
    OfLetter(EventId),
}

/// An event that may be sealed and handed over.
pub(in crate::rest) struct Prepared {
    pub(in crate::rest) event: AdmittedEvent,
    /// What the taxonomy, in force as a warning, has against it.
    pub(in crate::rest) findings: Option<Rejection>,
}

/// Why an event is not handed over.
pub(in crate::rest) enum Unprepared {
    /// It is wrong itself.
    Event(Rejection),
    Other(Problem),
}

impl<E: Into<Rejection>> From<E> for Unprepared {
    fn from(error: E) -> Self {
        Self::Event(error.into())
    }
}

impl From<Unprepared> for Problem {
    fn from(unprepared: Unprepared) -> Self {
        match unprepared {
            Unprepared::Event(rejection) => Self::from(&rejection),
            Unprepared::Other(problem) => problem,
        }
    }
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
        (reading, numbers): (Reading, Numbers),
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let principal = authorised.caller().principal();
        let key = IdempotencyKey::of(headers, authorised.tenant(), principal)?;
        Ok(Self {
            service: service.clone(),
            tenant: authorised.tenant().clone(),
            principal: principal.as_str().to_owned(),
            reading,
            numbers,
            default_ids: key.map_or(DefaultIds::Random, DefaultIds::OfKey),
        })
    }

    /// Where events come from that are sent again out of a dead letter, whose id stands for that of
    /// an event without one, or only looked at.
    pub(in crate::rest) fn by_hand(
        service: &Service,
        authorised: &Authorised,
        (reading, numbers): (Reading, Numbers),
        default_id: Option<EventId>,
    ) -> Self {
        Self {
            service: service.clone(),
            tenant: authorised.tenant().clone(),
            principal: authorised.caller().principal().as_str().to_owned(),
            reading,
            numbers,
            default_ids: default_id.map_or(DefaultIds::Random, DefaultIds::OfLetter),
        }
    }

    pub(super) const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(super) const fn service(&self) -> &Service {
        &self.service
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

    fn default_id(&self, index: usize) -> Result<Option<EventId>, Problem> {
        match &self.default_ids {
            DefaultIds::Random => Ok(None),
            DefaultIds::OfKey(key) => key.event_id(index).map(Some),
            DefaultIds::OfLetter(id) => Ok(Some(id.clone())),
        }
    }

    /// Parses one event that came in at `at`. `index` is its place in the request.
    pub(in crate::rest) fn parse(
        &self,
        text: &[u8],
        index: usize,
        new_id: [u8; RANDOM_BYTES],
        at: IngestedAt,
    ) -> Result<ValidEvent, Unprepared> {
        let given = self.default_id(index).map_err(Unprepared::Other)?;
        let mut context = ParseContext::new(&self.tenant, at, new_id)
            .with_numbers(self.numbers)
            .with_max_bytes(self.service.limits().event_bytes);
        if let Some(id) = &given {
            context = context.with_default_id(id);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            Ok(match self.reading.shaped(text, self.numbers, scratch)? {
                None => ValidEvent::parse(text, &context, scratch)?,
                Some(shaped) => {
                    let context = context.with_intake(&shaped.intake);
                    ValidEvent::parse(&shaped.text, &context, scratch)?
                }
            })
        })
    }

    /// Prepares one event that came in at `at`. `index` is its place in the request.
    pub(in crate::rest) fn prepare(
        &self,
        text: &[u8],
        index: usize,
        new_id: [u8; RANDOM_BYTES],
        at: IngestedAt,
    ) -> Result<Prepared, Unprepared> {
        let valid = self.parse(text, index, new_id, at)?;
        let event = self.service.ledger().admit(valid).map_err(|error| match error {
            AdmissionError::Refused(rejection) => Unprepared::Event(rejection),
            AdmissionError::Read(error) => Unprepared::Other(error.into()),
        })?;
        let findings = event.findings().cloned();
        Ok(Prepared { event, findings })
    }

    /// The text of an event that comes in another form, in the model's own.
    pub(super) fn shaped(&self, text: &[u8]) -> Option<Vec<u8>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let shaped = self.reading.shaped(text, self.numbers, scratch).ok()?;
            shaped.map(|shaped| shaped.text)
        })
    }

    /// What is kept of an event that is wrong.
    pub(super) fn letter(&self, text: &[u8], index: usize, rejection: &Rejection) -> NewDeadLetter {
        NewDeadLetter {
            principal: self.principal.clone(),
            reading: self.reading.name(),
            numbers: self.numbers,
            default_id: self.default_id(index).unwrap_or_default(),
            text: text.to_vec(),
            code: rejection.code(),
            detail: Problem::from(rejection).detail().to_owned(),
            faults: rejection.faults().to_vec(),
        }
    }

    /// Whether an id was made from the request's `Idempotency-Key`.
    pub(super) fn made_id(&self, id: &EventId, index: usize) -> bool {
        let DefaultIds::OfKey(key) = &self.default_ids else { return false };
        key.event_id(index).ok().as_ref() == Some(id)
    }
}

impl From<&ledgerstone_model::Fault> for Fault {
    fn from(fault: &ledgerstone_model::Fault) -> Self {
        Self {
            pointer: fault.pointer().to_owned(),
            code: fault.code(),
            detail: fault.reason().to_owned(),
        }
    }
}

impl From<&Rejection> for Problem {
    fn from(rejection: &Rejection) -> Self {
        Self::of_rejection("event", rejection)
    }
}

impl Problem {
    /// Everything that is wrong with something that was sent, the event or whatever it is called.
    pub(in crate::rest) fn of_rejection(what: &str, rejection: &Rejection) -> Self {
        let faults: Vec<Fault> = rejection.faults().iter().map(Fault::from).collect();
        let detail = match (faults.as_slice(), rejection.omitted()) {
            ([one], 0) if one.pointer.is_empty() => one.detail.clone(),
            ([one], 0) => format!("{} {}", one.pointer, one.detail),
            (many, 0) => format!("the {what} has {} faults", many.len()),
            (many, omitted) => {
                format!(
                    "the {what} has {} faults, of which {} are listed",
                    many.len() + omitted,
                    many.len()
                )
            }
        };
        Self::new(rejection.code(), detail).with_faults(faults)
    }
}

/// Refuses what holds no event at all.
pub(in crate::rest) fn not_empty(text: &[u8]) -> Result<(), Problem> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::new(
            ErrorCode::EmptyInput,
            "the body is empty; send one event, or an array of events",
        ));
    }
    Ok(())
}
