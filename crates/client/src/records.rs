//! Reading: records page by page, one record, its exact content.

use ledgerstone_proof::{EventId, IngestedAt, SequenceNumber};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;

/// Which record comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    Newest,
    /// By sequence number.
    Sequence,
}

/// Which records are listed.
#[derive(Clone, Debug, Default)]
pub struct EventsQuery {
    order: Order,
    page_size: Option<u16>,
    from: Option<IngestedAt>,
    to: Option<IngestedAt>,
}

impl EventsQuery {
    /// All of them, the newest first.
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Records that a page has at most: 1 to 1,000.
    #[must_use]
    pub const fn page_size(mut self, records: u16) -> Self {
        self.page_size = Some(records);
        self
    }

    /// Only records that were ingested from this time on.
    #[must_use]
    pub const fn from(mut self, time: IngestedAt) -> Self {
        self.from = Some(time);
        self
    }

    /// Only records that were ingested before this time.
    #[must_use]
    pub const fn to(mut self, time: IngestedAt) -> Self {
        self.to = Some(time);
        self
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        if self.order == Order::Sequence {
            parameters.push(("order", "sequence".to_owned()));
        }
        parameters.extend(self.page_size.map(|records| ("limit", records.to_string())));
        parameters.extend(self.from.map(|time| ("from", time.to_string())));
        parameters.extend(self.to.map(|time| ("to", time.to_string())));
        parameters
    }
}

/// One record: the event and the header that places it.
#[derive(Clone, Debug)]
pub struct Record {
    json: Box<RawValue>,
    event: Option<Box<RawValue>>,
    hidden: Vec<HiddenPart>,
    id: EventId,
    sequence_number: SequenceNumber,
    ingested_at: IngestedAt,
}

#[derive(Deserialize)]
struct Members {
    event: Option<Box<RawValue>>,
    #[serde(default)]
    hidden: Vec<HiddenPart>,
    record: HeaderMembers,
}

/// What of an event this credential does not see as it was sent, and why. A word that this version
/// does not know is told as it came.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct HiddenPart {
    pointer: String,
    class: Option<String>,
    why: String,
    certificate: Option<u64>,
    reason: Option<String>,
}

impl HiddenPart {
    /// The place in the event (RFC 6901); empty for the event as a whole.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// `personal`, `sensitive` or `secret`, where it is known.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// `redacted`: the value's redacted form stands there; `hidden`: `****` does; `erased`: its key is
    /// destroyed; `unavailable`: its key cannot be had now; `damaged`: it does not open; `dropped`: the
    /// whole content is gone.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The record of the same ledger that certifies what is gone.
    pub const fn certificate(&self) -> Option<u64> {
        self.certificate
    }

    /// Of a content that was dropped: `expired`, `erasure` or `tenant_closed`.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

#[derive(Deserialize)]
struct HeaderMembers {
    event_id: String,
    sequence_number: u64,
    ingested_at: String,
}

impl Record {
    fn parse(json: Box<RawValue>) -> Result<Self, String> {
        let told = |error: &dyn std::fmt::Display| format!("a record that is none: {error}");
        let members: Members = serde_json::from_str(json.get()).map_err(|error| told(&error))?;
        let header = members.record;
        Ok(Self {
            id: EventId::parse_stored(&header.event_id).map_err(|error| told(&error))?,
            sequence_number: SequenceNumber::new(header.sequence_number)
                .map_err(|error| told(&error))?,
            ingested_at: IngestedAt::parse(&header.ingested_at).map_err(|error| told(&error))?,
            event: members.event,
            hidden: members.hidden,
            json,
        })
    }

    /// The record as it came: `{"event":{…},"hidden":[…],"record":{…}}`.
    pub fn json(&self) -> &str {
        self.json.get()
    }

    /// The event as this credential sees it; none where its content was dropped.
    pub fn event(&self) -> Option<&RawValue> {
        self.event.as_deref()
    }

    /// What of the event is not seen as it was sent; empty where all of it is.
    pub fn hidden(&self) -> &[HiddenPart] {
        &self.hidden
    }

    pub const fn id(&self) -> &EventId {
        &self.id
    }

    pub const fn sequence_number(&self) -> SequenceNumber {
        self.sequence_number
    }

    pub const fn ingested_at(&self) -> IngestedAt {
        self.ingested_at
    }
}

/// The pages of a listing, over the records that were there when it began.
#[derive(Debug)]
pub struct Pages<'c> {
    client: &'c Client,
    query: EventsQuery,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    Cursor(String),
    End,
}

#[derive(Deserialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

impl Pages<'_> {
    /// The records of the next page; none at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Record>>, ClientError> {
        let mut parameters = self.query.parameters();
        match &self.next {
            Next::First => {}
            Next::Cursor(cursor) => parameters.push(("cursor", cursor.clone())),
            Next::End => return Ok(None),
        }
        let call = Call::get(self.client.route("v1/events", &parameters));
        let (records, cursor) = self.client.send(&call).await?.json_with(|page: Page| {
            let records = page.events.into_iter().map(Record::parse);
            Ok((records.collect::<Result<Vec<_>, _>>()?, page.next_cursor))
        })?;
        self.next = cursor.map_or(Next::End, Next::Cursor);
        Ok(Some(records))
    }
}

impl Client {
    /// Lists records, page by page.
    pub const fn events(&self, query: EventsQuery) -> Pages<'_> {
        Pages { client: self, query, next: Next::First }
    }

    /// One record by its event's id.
    pub async fn event(&self, id: &EventId) -> Result<Record, ClientError> {
        let call = Call::get(self.route(&format!("v1/events/{id}"), &[]));
        self.send(&call).await?.json_with(Record::parse)
    }

    /// The exact canonical bytes whose SHA-256 the record's header holds.
    pub async fn content(&self, id: &EventId) -> Result<Vec<u8>, ClientError> {
        let call = Call::get(self.route(&format!("v1/events/{id}/content"), &[]));
        Ok(self.send(&call).await?.into_bytes().into())
    }
}
