//! Writes the server's notes into a checked event, where there are any.

use std::borrow::Cow;

use ledgerstone_proof::canonical_string_into;

use super::ParseContext;
use super::check::{SentTime, Stray};
use crate::intake::{FLAG_IN_FUTURE, FLAG_WITHOUT_ZONE, Intake, IntakeSource};
use crate::json::{NotCanonical, Value};
use crate::json_tree::Tree;
use crate::json_write::{ObjectWriter, text_array_into};
use crate::schema::{self, FIELDS};
use crate::timestamp::Zone;

/// Clocks differ a little; an event from further ahead than this is flagged.
const FUTURE_TOLERANCE_MICROS: i64 = 5 * 60 * 1_000_000;

const TIMESTAMP: &str = "/timestamp";

/// What has to be written into an event beside what was sent.
#[derive(Debug)]
pub(super) struct Notes {
    pub(super) timestamp_micros: i64,
    timestamp: Option<String>,
    intake: Intake,
}

impl Notes {
    pub(super) fn take(
        time: SentTime<'_>,
        strays: &[Stray<'_>],
        context: &ParseContext<'_>,
    ) -> Self {
        let mut notes = Self {
            timestamp_micros: context.received_at.micros(),
            timestamp: None,
            intake: Intake::default(),
        };
        notes.time(time, context);
        if !strays.is_empty() {
            notes.intake.unmapped = Some(unmapped(strays));
        }
        notes.intake.join(context.intake);
        notes
    }

    fn time(&mut self, sent: SentTime<'_>, context: &ParseContext<'_>) {
        let (time, value) = match sent {
            SentTime::Given(time, value) => (time, value),
            SentTime::Absent | SentTime::Null => {
                self.timestamp = Some(context.received_at.to_string());
                self.intake.set.push(TIMESTAMP);
                if matches!(sent, SentTime::Null) {
                    self.keep_original(b"null");
                }
                return;
            }
        };
        self.timestamp_micros = time.micros();
        if let Some(respelt) = time.respelt() {
            self.timestamp = Some(respelt.to_owned());
            self.keep_original(value.raw());
        }
        if time.zone() == Zone::Assumed {
            self.intake.flags.push(FLAG_WITHOUT_ZONE.to_owned());
        }
        if time.micros() - context.received_at.micros() > FUTURE_TOLERANCE_MICROS {
            self.intake.flags.push(FLAG_IN_FUTURE.to_owned());
        }
    }

    fn keep_original(&mut self, value: &[u8]) {
        let original = (TIMESTAMP.to_owned(), value.to_vec());
        self.intake.original.push(original);
    }
}

/// The strays as one object, nested as they were sent. They come in canonical order.
fn unmapped(strays: &[Stray<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    for run in strays.chunk_by(|left, right| left.group.is_some() && left.group == right.group) {
        match run {
            [stray] if stray.group.is_none() => {
                let place = object.raw_key(stray.key.raw());
                place.extend_from_slice(stray.value.raw());
            }
            members => {
                let group = members.first().and_then(|stray| stray.group);
                let mut inner = ObjectWriter::open(object.key(group.unwrap_or_default()));
                for stray in members {
                    let place = inner.raw_key(stray.key.raw());
                    place.extend_from_slice(stray.value.raw());
                }
                inner.close();
            }
        }
    }
    object.close();
    out
}

/// The event without its strays and with timestamp and `intake` written; `None` where nothing
/// changes, which is the common case.
pub(super) fn rewrite(
    event: Value<'_>,
    strays: &[Stray<'_>],
    notes: &Notes,
    source: &IntakeSource,
) -> Result<Option<Vec<u8>>, NotCanonical> {
    let has_intake = !notes.intake.is_empty(source);
    if !has_intake && notes.timestamp.is_none() {
        return Ok(None);
    }
    let mut pending = Vec::new();
    if has_intake {
        let mut intake = Vec::new();
        notes.intake.write(source, &mut intake);
        pending.push(("intake", intake));
    }
    if let Some(timestamp) = &notes.timestamp {
        let mut value = Vec::new();
        canonical_string_into(timestamp, &mut value);
        pending.push(("timestamp", value));
    }
    let mut out = Vec::with_capacity(event.raw().len() + 256);
    write_event(event, strays, pending, &mut out)?;
    Ok(Some(out))
}

/// Merges `pending` members, which are in order, into the known members of the event.
fn write_event(
    event: Value<'_>,
    strays: &[Stray<'_>],
    pending: Vec<(&str, Vec<u8>)>,
    out: &mut Vec<u8>,
) -> Result<(), NotCanonical> {
    let mut object = ObjectWriter::open(out);
    let mut pending = pending.into_iter().peekable();
    let mut members = event.members();
    while let Some((key, value)) = members.next_member()? {
        let Some(field) = schema::find(FIELDS, key.raw()) else {
            continue;
        };
        let name = field.name();
        while let Some((before, bytes)) = pending.next_if(|(first, _)| *first < name) {
            object.key(before).extend_from_slice(&bytes);
        }
        let place = object.raw_key(key.raw());
        if let Some((_, bytes)) = pending.next_if(|(first, _)| *first == name) {
            place.extend_from_slice(&bytes);
        } else if strays.iter().any(|stray| stray.group == Some(name)) {
            write_group(value, strays, name, place)?;
        } else {
            place.extend_from_slice(value.raw());
        }
    }
    for (name, bytes) in pending {
        object.key(name).extend_from_slice(&bytes);
    }
    object.close();
    Ok(())
}

/// The event with one more flag among those in `intake`, which stay sorted.
pub(super) fn add_flag(event: Value<'_>, flag: &str) -> Result<Vec<u8>, NotCanonical> {
    let mut tree = Tree::read(event, 2)?;
    note(&mut tree, event, "flags", vec![flag.to_owned()])?;
    Ok(tree.to_canonical())
}

/// The event with what was found in it under `security`, as far as its sender says nothing there;
/// `intake` names what was filled in. `None` where the sender has said all of it.
pub(super) fn fill_in(
    event: Value<'_>,
    found: &[(&str, &[u8])],
) -> Result<Option<Vec<u8>>, NotCanonical> {
    let mut tree = Tree::read(event, 2)?;
    let mut set = Vec::new();
    let has_group = tree.find(&["security"]).is_some();
    for (name, value) in found {
        let place = ["security", name];
        if tree.find(&place).is_none()
            && tree.put(&place, Tree::Text(Cow::Owned(value.to_vec()))).is_ok()
        {
            set.push(format!("/security/{name}"));
        }
    }
    if set.is_empty() {
        return Ok(None);
    }
    // A group that was not sent is taken out as a whole where what was sent is wanted.
    let set = if has_group { set } else { vec!["/security".to_owned()] };
    note(&mut tree, event, "set", set)?;
    Ok(Some(tree.to_canonical()))
}

/// Adds texts to a list in `intake`, which stays sorted.
fn note(
    tree: &mut Tree<'_>,
    event: Value<'_>,
    list: &str,
    mut texts: Vec<String>,
) -> Result<(), NotCanonical> {
    let intake = event.member("intake")?;
    if let Some(known) = intake.map_or(Ok(None), |intake| intake.member(list))? {
        let mut known = known.elements();
        while let Some(known) = known.next_element()? {
            texts.extend(known.text().map(Cow::into_owned));
        }
    }
    texts.sort_unstable();
    texts.dedup();
    let mut raw = Vec::new();
    text_array_into(&texts, &mut raw);
    // Nothing but an object ever stands at `intake`, which the server alone writes.
    let put = tree.put(&["intake", list], Tree::Text(Cow::Owned(raw)));
    debug_assert!(put.is_ok(), "intake is an object");
    Ok(())
}

fn write_group(
    group: Value<'_>,
    strays: &[Stray<'_>],
    name: &str,
    out: &mut Vec<u8>,
) -> Result<(), NotCanonical> {
    let mut strays = strays.iter().filter(|stray| stray.group == Some(name)).peekable();
    let mut object = ObjectWriter::open(out);
    let mut members = group.members();
    while let Some((key, value)) = members.next_member()? {
        if strays.next_if(|stray| stray.key == key).is_none() {
            object.raw_key(key.raw()).extend_from_slice(value.raw());
        }
    }
    object.close();
    Ok(())
}
