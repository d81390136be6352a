//! The mapping `cloudtrail/1`, from a record to an event.

use std::borrow::Cow;

use ledgerstone_model::intake::FLAG_NUMBER_QUOTED;
use ledgerstone_model::json::{NotCanonical, Value, ValueKind};
use ledgerstone_model::json_tree::Tree;
use ledgerstone_model::schema::{self, FieldType};
use ledgerstone_model::{ErrorCode, EventTime, Fault, IntakeSource, Rejection, id};
use ledgerstone_proof::{EventId, canonical_string_into, canonicalize_quoting, sha256};

use super::{FORMAT, MAPPING};

/// Member names from the outside in.
pub(super) type Path = &'static [&'static str];

/// Values that move as they are: from a place in the record to one in the event.
pub(super) const MOVES: &[(Path, Path)] = &[
    (&["eventName"], &["action", "verb"]),
    (&["errorCode"], &["action", "error"]),
    (&["errorMessage"], &["action", "description"]),
    (&["sourceIPAddress"], &["actor", "ip_address"]),
    (&["userAgent"], &["actor", "user_agent"]),
    (&["userIdentity", "type"], ACTOR_TYPE),
    (&["userIdentity", "userName"], ACTOR_NAME),
    (&["requestID"], &["context", "request_id"]),
    (&["requestParameters"], &["data", "metadata", "requestParameters"]),
    (&["responseElements"], &["data", "metadata", "responseElements"]),
    (&["awsRegion"], &["metadata", "awsRegion"]),
    (&["eventCategory"], &["metadata", "eventCategory"]),
    (&["eventType"], &["metadata", "eventType"]),
    (&["managementEvent"], &["metadata", "managementEvent"]),
    (&["readOnly"], &["metadata", "readOnly"]),
    (&["recipientAccountId"], &["metadata", "recipientAccountId"]),
];

pub(super) const ACTOR_TYPE: Path = &["actor", "type"];
pub(super) const ACTOR_NAME: Path = &["actor", "name"];
pub(super) const ACTOR_ID: Path = &["actor", "id"];

/// What moves out of the first of the record's `resources`.
pub(super) const RESOURCE_MOVES: &[(&str, Path)] =
    &[("ARN", &["target", "id"]), ("type", &["target", "type"])];

/// Members that AWS writes into every record, or into all but those of insights. One of them is enough.
const MARKS: &[&str] =
    &["eventVersion", "eventTime", "eventSource", "eventName", "eventID", "eventType"];

/// The end of every service's name that the event type leaves out.
pub(super) const SERVICE_SUFFIX: &str = ".amazonaws.com";

/// The type of identity that AWS itself acts under.
const SERVICE_IDENTITY: &[u8] = b"\"AWSService\"";

/// Bytes that an event type may have.
const EVENT_TYPE_BYTES_MAX: usize = 256;

/// Turns the JSON text of one record into the text of an event and what `intake` says about it.
/// The same record always gives the same result.
pub fn map(record: &[u8]) -> Result<(Vec<u8>, IntakeSource), Rejection> {
    let (canonical, quoted) = canonicalize_quoting(record)?;
    let value = Value::new(&canonical);
    if value.kind() != ValueKind::Object {
        let reason = "must be a json object".to_owned();
        return Err(Rejection::of(Fault::new(String::new(), ErrorCode::InvalidImport, reason)));
    }
    refuse_files(value)?;
    refuse_others(value)?;
    let intake = IntakeSource::mapped(FORMAT, MAPPING);
    let mut mapper = Mapper {
        rest: Tree::read(value, 2)?,
        event: Tree::empty(),
        intake: quoted.iter().fold(intake, |intake, pointer| {
            intake.with_flag(format!("{FLAG_NUMBER_QUOTED}{pointer}"))
        }),
    };
    for (from, to) in MOVES {
        mapper.move_value(from, to)?;
    }
    mapper.identity()?;
    mapper.resources()?;
    mapper.time()?;
    mapper.id(&canonical)?;
    mapper.outcome()?;
    mapper.event_type()?;
    Ok(mapper.finish())
}

/// Refuses whole log files and digest files, which would otherwise be kept as one strange record.
fn refuse_files(value: Value<'_>) -> Result<(), Rejection> {
    let is_log = value.member("Records")?.is_some_and(|all| all.kind() == ValueKind::Array);
    let reason = if is_log {
        "is a whole log file; send the objects in its `Records` as records of their own, or use `import`"
    } else if value.member("digestStartTime")?.is_some() {
        "is a digest file, which holds hashes and no events"
    } else {
        return Ok(());
    };
    Err(Rejection::of(Fault::new(String::new(), ErrorCode::InvalidImport, reason.to_owned())))
}

/// Refuses what has nothing of a record: it was sent under the wrong name of a format.
fn refuse_others(value: Value<'_>) -> Result<(), Rejection> {
    for name in MARKS {
        if value.member(name)?.is_some_and(|one| one.kind() == ValueKind::Text) {
            return Ok(());
        }
    }
    let reason = format!("is no CloudTrail record: it has none of {}", MARKS.join(", "));
    Err(Rejection::of(Fault::new(String::new(), ErrorCode::InvalidImport, reason)))
}

/// The member of `userIdentity` that names the actor where there is no ARN.
pub(super) fn identity_member(actor_type: Option<&Tree<'_>>) -> &'static str {
    let raw = actor_type.and_then(Tree::value).map(Value::raw);
    if raw == Some(SERVICE_IDENTITY) { "invokedBy" } else { "principalId" }
}

/// Whether an actor's id is an ARN, which tells what member it was.
pub(super) fn is_arn(id: &str) -> bool {
    id.starts_with("arn:")
}

struct Mapper<'a> {
    /// What no field of the event has taken yet.
    rest: Tree<'a>,
    event: Tree<'a>,
    intake: IntakeSource,
}

impl<'a> Mapper<'a> {
    /// Moves a value, unless it does not fit where it should go.
    fn move_value(&mut self, from: &[&str], to: &[&str]) -> Result<(), Rejection> {
        if self.rest.find(from).is_some_and(|value| fits(value, to))
            && let Some(value) = self.rest.take(from)
        {
            self.put(to, value)?;
        }
        Ok(())
    }

    fn put(&mut self, path: &[&str], value: Tree<'a>) -> Result<(), Rejection> {
        self.event.put(path, value).map_err(|_| internal())
    }

    fn put_text(&mut self, path: &[&str], text: &str) -> Result<(), Rejection> {
        let mut raw = Vec::new();
        canonical_string_into(text, &mut raw);
        self.put(path, Tree::Text(Cow::Owned(raw)))
    }

    fn text(&self, path: &[&str]) -> Option<String> {
        text_at(&self.rest, path)
    }

    /// `actor.id` is the ARN, or else the service or principal. A principal that looks like an ARN
    /// stays where it is, so that the way back is plain.
    fn identity(&mut self) -> Result<(), Rejection> {
        let other = identity_member(self.event.find(ACTOR_TYPE));
        if self.text(&["userIdentity", "arn"]).is_some_and(|arn| is_arn(&arn)) {
            self.move_value(&["userIdentity", "arn"], ACTOR_ID)?;
        } else if self.text(&["userIdentity", other]).is_some_and(|id| !is_arn(&id)) {
            self.move_value(&["userIdentity", other], ACTOR_ID)?;
        }
        let took_any =
            [ACTOR_TYPE, ACTOR_NAME, ACTOR_ID].iter().any(|path| self.event.find(path).is_some());
        if took_any && self.rest.find(&["userIdentity"]).is_some_and(Tree::is_empty) {
            self.rest.take(&["userIdentity"]);
        }
        Ok(())
    }

    /// The first resource is the target; the list keeps its place with what is left of it.
    fn resources(&mut self) -> Result<(), Rejection> {
        let Some(Tree::Text(raw)) = self.rest.find(&["resources"]).cloned() else {
            return Ok(());
        };
        let Some((first, others)) = split_first(&raw)? else {
            return Ok(());
        };
        let mut first = Tree::read(first, 1)?;
        let mut took_any = false;
        for (name, to) in RESOURCE_MOVES {
            if first.find(&[name]).is_some_and(|value| fits(value, to))
                && let Some(value) = first.take(&[name])
            {
                took_any = true;
                self.put(to, owned(&value))?;
            }
        }
        if took_any {
            let left = Tree::Text(Cow::Owned(join_first(&first, others)));
            self.rest.put(&["resources"], left).map_err(|_| internal())?;
        }
        Ok(())
    }

    /// A time that is none stays in the rest, and the event gets the time of receipt.
    fn time(&mut self) -> Result<(), Rejection> {
        let is_time = |text: String| EventTime::parse(&text).is_ok();
        if self.text(&["eventTime"]).is_some_and(is_time)
            && let Some(value) = self.rest.take(&["eventTime"])
        {
            self.put(&["timestamp"], value)?;
        }
        Ok(())
    }

    /// `eventID` is the event's id. One that ids may not look like is mapped to a UUID and kept; a
    /// record without one gets a UUID made of its content, so that importing twice adds nothing.
    fn id(&mut self, canonical: &[u8]) -> Result<(), Rejection> {
        let Some(text) = self.text(&["eventID"]) else {
            let id = id::foreign_id(FORMAT, &sha256(canonical).to_hex()).map_err(|_| internal())?;
            self.set_intake(|intake| intake.with_set("/id"));
            return self.put_text(&["id"], id.as_str());
        };
        let Some(value) = self.rest.take(&["eventID"]) else {
            return Ok(());
        };
        if EventId::parse(&text).is_ok() {
            return self.put(&["id"], value);
        }
        let id = id::foreign_id(FORMAT, &text).map_err(|_| internal())?;
        self.set_intake(|intake| intake.with_original("/id", value.to_canonical()));
        self.put_text(&["id"], id.as_str())
    }

    fn set_intake(&mut self, change: impl FnOnce(IntakeSource) -> IntakeSource) {
        self.intake = change(std::mem::take(&mut self.intake));
    }

    /// `action.status`: a record with an error, and a sign-in that was turned away, failed.
    fn outcome(&mut self) -> Result<(), Rejection> {
        let has_error = [&["action", "error"], &["action", "description"]]
            .iter()
            .filter_map(|path| self.event.find(*path)?.value())
            .chain(self.rest.find(&["errorCode"]).and_then(Tree::value))
            .any(|value| value.kind() != ValueKind::Null);
        let answer = &["data", "metadata", "responseElements", "ConsoleLogin"];
        let is_turned_away = text_at(&self.event, answer).as_deref() == Some("Failure");
        let failed = has_error || is_turned_away;
        self.put_text(&["action", "status"], if failed { "failure" } else { "success" })
    }

    /// `aws.<service>.<eventName>`, which takes `eventSource`; without a service `aws.<eventName>`.
    fn event_type(&mut self) -> Result<(), Rejection> {
        let verb = text_at(&self.event, &["action", "verb"]).filter(|verb| !verb.is_empty());
        let source = self.text(&["eventSource"]);
        let service = source
            .as_deref()
            .and_then(|source| source.strip_suffix(SERVICE_SUFFIX))
            .filter(|service| !service.is_empty());
        if let (Some(service), Some(verb)) = (service, &verb) {
            let event_type = format!("aws.{service}.{verb}");
            if is_event_type(&event_type) {
                self.rest.take(&["eventSource"]);
                return self.put_text(&["event_type"], &event_type);
            }
        }
        let event_type =
            verb.map(|verb| format!("aws.{verb}")).filter(|event_type| is_event_type(event_type));
        let event_type = event_type.as_deref().unwrap_or("aws.record");
        self.put_text(&["event_type"], event_type)
    }

    fn finish(self) -> (Vec<u8>, IntakeSource) {
        let intake = if self.rest.is_empty() {
            self.intake
        } else {
            self.intake.with_unmapped(self.rest.to_canonical())
        };
        (self.event.to_canonical(), intake)
    }
}

/// Whether the model lets this value stand there. Below `metadata` everything may.
fn fits(value: &Tree<'_>, path: &[&str]) -> bool {
    let Some(field) = schema::at_pointer(&format!("/{}", path.join("/"))) else {
        return true;
    };
    match value.value() {
        Some(value) => value.kind() == ValueKind::Null || field.kind().fault(value).is_none(),
        None => matches!(field.kind(), FieldType::Object | FieldType::Any),
    }
}

fn is_event_type(text: &str) -> bool {
    text.len() <= EVENT_TYPE_BYTES_MAX && !text.chars().any(char::is_control)
}

pub(super) fn text_at(tree: &Tree<'_>, path: &[&str]) -> Option<String> {
    let text = tree.find(path)?.value()?.text()?;
    Some(text.into_owned())
}

/// The first element of an array, and the text behind it, which begins with a comma or is empty.
/// `None` unless it is an object.
pub(super) fn split_first(array: &[u8]) -> Result<Option<(Value<'_>, &[u8])>, NotCanonical> {
    let Some(first) = Value::new(array).elements().next_element()? else {
        return Ok(None);
    };
    let others = array.get(1 + first.raw().len()..array.len() - 1);
    let is_object = first.kind() == ValueKind::Object;
    Ok(others.filter(|_| is_object).map(|others| (first, others)))
}

/// The array again, with another first element.
pub(super) fn join_first(first: &Tree<'_>, others: &[u8]) -> Vec<u8> {
    let mut out = b"[".to_vec();
    first.write(&mut out);
    out.extend_from_slice(others);
    out.push(b']');
    out
}

fn owned(tree: &Tree<'_>) -> Tree<'static> {
    Tree::Text(Cow::Owned(tree.to_canonical()))
}

fn internal() -> Rejection {
    let reason = "the mapping wrote two values to one place".to_owned();
    Rejection::of(Fault::new(String::new(), ErrorCode::Internal, reason))
}
