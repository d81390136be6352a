//! Walks a canonical event once along the table of fields and names everything that is wrong.

use ledgerstone_proof::{EventId, TenantId};

use super::ParseContext;
use super::names::{reserved_event_type, reserved_member};
use crate::error_code::ErrorCode;
use crate::json::{Key, NotCanonical, Value, ValueKind};
use crate::rejection::{Faults, pointer_push};
use crate::schema::{self, FIELDS, Field, FieldType};
use crate::timestamp::EventTime;

/// Bytes that an event type may have.
const EVENT_TYPE_BYTES_MAX: usize = 256;

/// A member that is no field of the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray<'a> {
    /// The group it was sent in; `None` at the top level.
    pub(super) group: Option<&'static str>,
    pub(super) key: Key<'a>,
    pub(super) value: Value<'a>,
}

/// The timestamp as the event has it.
#[derive(Debug, Default)]
pub(super) enum SentTime<'a> {
    #[default]
    Absent,
    Null,
    Given(EventTime, Value<'a>),
}

/// What the walk found. `event_type` is missing only where a fault says so.
#[derive(Debug, Default)]
pub(super) struct Checked<'a> {
    pub(super) id: Option<EventId>,
    pub(super) event_type: Option<String>,
    pub(super) time: SentTime<'a>,
    pub(super) strays: Vec<Stray<'a>>,
}

pub(super) struct Walk<'a, 'c> {
    context: &'c ParseContext<'c>,
    faults: &'c mut Faults,
    checked: Checked<'a>,
}

impl<'a, 'c> Walk<'a, 'c> {
    pub(super) fn new(context: &'c ParseContext<'c>, faults: &'c mut Faults) -> Self {
        Self { context, faults, checked: Checked::default() }
    }

    pub(super) fn event(mut self, event: Value<'a>) -> Result<Checked<'a>, NotCanonical> {
        let mut has_event_type = false;
        let mut members = event.members();
        while let Some(key) = members.next_name()? {
            has_event_type |= key.raw() == b"event_type";
            let field = schema::find(FIELDS, key.raw());
            match (field.map(|field| (field.name(), field.kind())), members.enter()) {
                (Some((name, FieldType::Group(fields))), Some(mut inner)) => {
                    while let Some((key, value)) = inner.next_member()? {
                        self.member(Some(name), fields, key, value)?;
                    }
                    members.leave(&inner);
                }
                _ => self.member(None, FIELDS, key, members.value()?)?,
            }
        }
        if !has_event_type {
            let reason = "is missing; every event needs a type";
            self.fault(None, "event_type", ErrorCode::MissingField, reason);
        }
        Ok(self.checked)
    }

    fn member(
        &mut self,
        group: Option<&'static str>,
        fields: &'static [Field],
        key: Key<'a>,
        value: Value<'a>,
    ) -> Result<(), NotCanonical> {
        if let Some(field) = schema::find(fields, key.raw()) {
            return self.field(group, field, value);
        }
        if let Some(reason) = reserved_member(key.raw(), group.is_none()) {
            self.fault(group, &key.text(), ErrorCode::ReservedName, reason);
        } else if self.context.intake.is_mapped() {
            let reason = "is no field of the model; report it as a bug of the importer";
            self.fault(group, &key.text(), ErrorCode::InvalidImport, reason);
        } else {
            self.checked.strays.push(Stray { group, key, value });
        }
        Ok(())
    }

    fn field(
        &mut self,
        group: Option<&'static str>,
        field: &'static Field,
        value: Value<'a>,
    ) -> Result<(), NotCanonical> {
        if value.kind() == ValueKind::Null && !field.is_required() {
            if matches!(field.kind(), FieldType::Timestamp) {
                self.checked.time = SentTime::Null;
            }
            return Ok(());
        }
        if let Some(reason) = field.kind().fault(value) {
            let code = match field.kind() {
                FieldType::Timestamp => ErrorCode::InvalidTimestamp,
                FieldType::EventId => ErrorCode::InvalidId,
                FieldType::Tenant => ErrorCode::InvalidTenant,
                _ => ErrorCode::InvalidField,
            };
            self.fault(group, field.name(), code, reason);
            return Ok(());
        }
        match field.kind() {
            FieldType::EventId => self.id(value),
            FieldType::EventType => self.event_type(value),
            FieldType::Tenant => self.tenant(group, value),
            FieldType::Timestamp => self.timestamp(value),
            FieldType::TextList { max_items, max_bytes } => {
                self.list(group, field.name(), value, max_items, max_bytes)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn id(&mut self, value: Value<'a>) {
        let text = value.text().unwrap_or_default();
        if text.starts_with('_') {
            let reason = "begins with `_`; such ids are the server's own";
            self.fault(None, "id", ErrorCode::ReservedName, reason);
            return;
        }
        match EventId::parse(&text) {
            Ok(id) => self.checked.id = Some(id),
            Err(error) => self.fault(None, "id", ErrorCode::InvalidId, error.to_string()),
        }
    }

    fn event_type(&mut self, value: Value<'a>) {
        let text = value.text().unwrap_or_default();
        if let Some(reason) = reserved_event_type(&text) {
            self.fault(None, "event_type", ErrorCode::ReservedEventType, reason);
        } else if text.is_empty() || text.len() > EVENT_TYPE_BYTES_MAX {
            let reason = format!("must have 1 to {EVENT_TYPE_BYTES_MAX} bytes");
            self.fault(None, "event_type", ErrorCode::InvalidField, reason);
        } else if text.chars().any(char::is_control) {
            let reason = "must have no control characters";
            self.fault(None, "event_type", ErrorCode::InvalidField, reason);
        }
        self.checked.event_type = Some(text.into_owned());
    }

    fn tenant(&mut self, group: Option<&'static str>, value: Value<'a>) {
        let text = value.text().unwrap_or_default();
        if text == self.context.tenant.as_str() {
            return;
        }
        let (code, reason) = match TenantId::parse(&text) {
            Ok(_) => (
                ErrorCode::TenantMismatch,
                "names another tenant than the one the event was sent to".to_owned(),
            ),
            Err(error) => (ErrorCode::InvalidTenant, error.to_string()),
        };
        self.fault(group, "tenant_id", code, reason);
    }

    fn timestamp(&mut self, value: Value<'a>) {
        match EventTime::parse(&value.text().unwrap_or_default()) {
            Ok(time) => self.checked.time = SentTime::Given(time, value),
            Err(error) => {
                let code = ErrorCode::InvalidTimestamp;
                self.fault(None, "timestamp", code, error.to_string());
            }
        }
    }

    fn list(
        &mut self,
        group: Option<&'static str>,
        name: &str,
        value: Value<'a>,
        max_items: usize,
        max_bytes: usize,
    ) -> Result<(), NotCanonical> {
        let mut elements = value.elements();
        let mut count = 0;
        while let Some(element) = elements.next_element()? {
            if let Some(reason) = schema::text_fault(element, max_bytes) {
                let mut pointer = pointer_to(group, name);
                pointer_push(&mut pointer, &count.to_string());
                self.faults.add(pointer, ErrorCode::InvalidField, reason);
            }
            count += 1;
        }
        if count > max_items {
            let reason = format!("has {count} elements; at most {max_items} are allowed");
            self.fault(group, name, ErrorCode::InvalidField, reason);
        }
        Ok(())
    }

    fn fault(
        &mut self,
        group: Option<&'static str>,
        name: &str,
        code: ErrorCode,
        reason: impl Into<String>,
    ) {
        self.faults.add(pointer_to(group, name), code, reason);
    }
}

fn pointer_to(group: Option<&str>, name: &str) -> String {
    let mut pointer = String::new();
    if let Some(group) = group {
        pointer_push(&mut pointer, group);
    }
    pointer_push(&mut pointer, name);
    pointer
}
