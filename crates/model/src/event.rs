//! The first stage of an event: its text is known to be exact, complete and allowed, and the
//! server's notes about it are in place.

mod check;
mod names;
mod rewrite;

use ledgerstone_proof::{Canonicalizer, EventId, IngestedAt, TenantId};

use crate::error_code::ErrorCode;
use crate::id::uuid_v7;
use crate::intake::{FLAG_NUMBER_QUOTED, IntakeSource};
use crate::json::{NotCanonical, Value, ValueKind};
use crate::numbers::Numbers;
use crate::rejection::{Fault, Faults, Rejection};
use check::{Checked, Walk};
pub(crate) use names::reserved_event_type;
use rewrite::Notes;

/// Bytes of canonical JSON that an event may have unless configured otherwise.
pub const EVENT_BYTES_DEFAULT: usize = 256 * 1024;

/// The largest limit that may be configured.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// An event that may be sealed: canonical, checked field by field, with `intake` written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidEvent {
    text: Vec<u8>,
    id: EventId,
    tenant: TenantId,
    event_type: String,
    timestamp_micros: i64,
}

/// What parsing must know beside the text.
#[derive(Clone, Debug)]
pub struct ParseContext<'a> {
    tenant: &'a TenantId,
    received_at: IngestedAt,
    new_id: [u8; 16],
    default_id: Option<&'a EventId>,
    max_bytes: usize,
    numbers: Numbers,
    intake: &'a IntakeSource,
}

impl<'a> ParseContext<'a> {
    /// An event sent in the model's own form to `tenant`. `new_id` are 16 random bytes that nobody
    /// else uses: an id is made of them and the time when the event has none.
    pub const fn new(tenant: &'a TenantId, received_at: IngestedAt, new_id: [u8; 16]) -> Self {
        Self {
            tenant,
            received_at,
            new_id,
            default_id: None,
            max_bytes: EVENT_BYTES_DEFAULT,
            numbers: Numbers::Refuse,
            intake: IntakeSource::NATIVE,
        }
    }

    /// The same for an event that an importer made.
    #[must_use]
    pub const fn with_intake(mut self, intake: &'a IntakeSource) -> Self {
        self.intake = intake;
        self
    }

    /// The same with an id for an event that brings none.
    #[must_use]
    pub const fn with_default_id(mut self, id: &'a EventId) -> Self {
        self.default_id = Some(id);
        self
    }

    /// The same with another answer to numbers that canonical JSON cannot hold.
    #[must_use]
    pub const fn with_numbers(mut self, numbers: Numbers) -> Self {
        self.numbers = numbers;
        self
    }

    /// The same with another limit, at most [`EVENT_BYTES_MAX`] bytes.
    #[must_use]
    pub const fn with_max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = if max_bytes < EVENT_BYTES_MAX { max_bytes } else { EVENT_BYTES_MAX };
        self
    }
}

impl ValidEvent {
    /// Parses the JSON text of one event. On refusal every fault is named at once, except that a
    /// text which is not exact JSON has only its first.
    pub fn parse(
        text: &[u8],
        context: &ParseContext<'_>,
        scratch: &mut Canonicalizer,
    ) -> Result<Self, Rejection> {
        let mut canonical = Vec::with_capacity(text.len());
        let quoted = context.numbers.canonical(text, scratch, &mut canonical)?;
        if !quoted.is_empty() {
            let flagged = flag_quoted(context.intake, &quoted);
            let context = ParseContext { intake: &flagged, ..context.clone() };
            return Self::of_canonical(canonical, &context, scratch);
        }
        Self::of_canonical(canonical, context, scratch)
    }

    fn of_canonical(
        canonical: Vec<u8>,
        context: &ParseContext<'_>,
        scratch: &mut Canonicalizer,
    ) -> Result<Self, Rejection> {
        let event = Value::new(&canonical);
        if event.kind() != ValueKind::Object {
            return Err(Rejection::of(Fault::new(
                String::new(),
                ErrorCode::InvalidEvent,
                "must be a json object".to_owned(),
            )));
        }
        let mut faults = Faults::default();
        check_size(&canonical, context, &mut faults);
        check_source(context.intake, scratch, &mut faults);
        names::check_sealed_marks(&canonical, &mut faults);
        let checked = Walk::new(context, &mut faults).event(event)?;
        faults.into_result()?;
        let Checked { id, event_type: Some(event_type), strays, time } = checked else {
            return Err(internal("an event without faults has no event type"));
        };
        let notes = Notes::take(time, &strays, context);
        let rewritten = rewrite::rewrite(event, &strays, &notes, context.intake)?;
        Ok(Self {
            text: rewritten.unwrap_or(canonical),
            id: id.map_or_else(|| new_id(context), Ok)?,
            tenant: context.tenant.clone(),
            event_type,
            timestamp_micros: notes.timestamp_micros,
        })
    }

    /// The same event with one more of the server's flags.
    pub(crate) fn with_flag(&self, flag: &str) -> Result<Self, NotCanonical> {
        let text = rewrite::add_flag(Value::new(&self.text), flag)?;
        let (id, tenant) = (self.id.clone(), self.tenant.clone());
        let (event_type, timestamp_micros) = (self.event_type.clone(), self.timestamp_micros);
        Ok(Self { text, id, tenant, event_type, timestamp_micros })
    }

    /// The same event with what was found in it under `security`, where its sender says nothing there;
    /// `None` where the sender has said all of it.
    pub(crate) fn with_found(&self, found: &[(&str, &[u8])]) -> Result<Option<Self>, NotCanonical> {
        let Some(text) = rewrite::fill_in(Value::new(&self.text), found)? else { return Ok(None) };
        let (id, tenant) = (self.id.clone(), self.tenant.clone());
        let (event_type, timestamp_micros) = (self.event_type.clone(), self.timestamp_micros);
        Ok(Some(Self { text, id, tenant, event_type, timestamp_micros }))
    }

    /// The event in canonical JSON, `intake` included: what will be sealed.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The id as sent, or the one made for it (which stands in the header only).
    pub const fn id(&self) -> &EventId {
        &self.id
    }

    /// The tenant it was checked against.
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// When it happened, in microseconds since 1970-01-01T00:00:00Z, finer digits cut off.
    pub const fn timestamp_micros(&self) -> i64 {
        self.timestamp_micros
    }

    pub(crate) fn into_parts(self) -> (Vec<u8>, EventId, TenantId, String, i64) {
        let Self { text, id, tenant, event_type, timestamp_micros } = self;
        (text, id, tenant, event_type, timestamp_micros)
    }
}

/// What is said of where an event came from, with the numbers of it that were quoted.
fn flag_quoted(source: &IntakeSource, quoted: &[String]) -> IntakeSource {
    quoted.iter().fold(source.clone(), |source, pointer| {
        source.with_flag(format!("{FLAG_NUMBER_QUOTED}{pointer}"))
    })
}

fn check_size(canonical: &[u8], context: &ParseContext<'_>, faults: &mut Faults) {
    let flags: usize = context.intake.flags().iter().map(String::len).sum();
    let bytes = canonical.len() + context.intake.unmapped().map_or(0, <[u8]>::len) + flags;
    let max = context.max_bytes;
    if bytes > max {
        faults.add(
            String::new(),
            ErrorCode::EventTooLarge,
            format!("has {bytes} bytes in canonical form; at most {max} are allowed"),
        );
    }
}

/// An importer's mistake must not reach the record, which is for ever.
fn check_source(source: &IntakeSource, scratch: &mut Canonicalizer, faults: &mut Faults) {
    let values = source.original().iter().map(|(_, value)| value.as_slice());
    let mut again = Vec::new();
    for value in values.chain(source.unmapped()) {
        again.clear();
        if scratch.strict(value, &mut again).is_err() || again != value {
            faults.add(
                "/intake".to_owned(),
                ErrorCode::InvalidImport,
                "holds a value that is not canonical json; report it as a bug of the importer",
            );
        }
        names::check_sealed_marks(value, faults);
    }
    if source.unmapped().is_some_and(|object| !object.starts_with(b"{")) {
        faults.add(
            "/intake/unmapped".to_owned(),
            ErrorCode::InvalidImport,
            "must be an object; report it as a bug of the importer",
        );
    }
}

fn new_id(context: &ParseContext<'_>) -> Result<EventId, Rejection> {
    if let Some(id) = context.default_id {
        return Ok(id.clone());
    }
    EventId::parse(&uuid_v7(context.received_at, context.new_id))
        .map_err(|_| internal("a uuid was refused as an event id"))
}

fn internal(reason: &str) -> Rejection {
    Rejection::of(Fault::new(String::new(), ErrorCode::Internal, reason.to_owned()))
}

impl From<NotCanonical> for Rejection {
    fn from(error: NotCanonical) -> Self {
        internal(&format!("canonical text could not be read again: {error}"))
    }
}
