//! The document that describes a taxonomy, as it is sent and as it stands in `system.taxonomy`:
//! `{"event_types":{"user.login":{"description"?,"schema"?},"payment.*":{…}},"mode":…,"version":n}`.

use ledgerstone_proof::Canonicalizer;

use crate::error_code::ErrorCode;
use crate::event::reserved_event_type;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::json_write::ObjectWriter;
use crate::rejection::{Fault, Faults, Rejection, pointer_push};

/// Bytes of a taxonomy in canonical JSON.
pub const TAXONOMY_BYTES_MAX: usize = 256 * 1024;

/// Event types and families of a taxonomy.
pub const TAXONOMY_TYPES_MAX: usize = 1_000;

/// The highest version, the largest whole number that JSON keeps.
pub const VERSION_MAX: u64 = (1 << 53) - 1;

/// Bytes of an event type.
const TYPE_BYTES_MAX: usize = 256;

/// Bytes of a description.
const DESCRIPTION_BYTES_MAX: usize = 1_024;

/// What becomes of events that do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaxonomyMode {
    /// Nothing is looked at.
    Off,
    /// They are taken and flagged.
    Warn,
    /// They are refused.
    Enforce,
}

impl TaxonomyMode {
    const ALL: [Self; 3] = [Self::Off, Self::Warn, Self::Enforce];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }

    /// The mode of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// One version of a tenant's taxonomy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxonomyDocument {
    version: u64,
    mode: TaxonomyMode,
    /// A canonical object: name to rule.
    event_types: Vec<u8>,
}

/// A taxonomy as somebody wishes it: without a version of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxonomyDraft {
    based_on: Option<u64>,
    mode: TaxonomyMode,
    event_types: Vec<u8>,
}

impl TaxonomyDraft {
    /// Reads what somebody sent. `version`, which may be left out, says which version the draft
    /// was made from. Every fault is named at once; schemas are not looked into here.
    pub fn parse(text: &[u8]) -> Result<Self, Rejection> {
        let mut canonical = Vec::new();
        Canonicalizer::new().strict(text, &mut canonical)?;
        let mut faults = Faults::default();
        let draft = read_draft(Value::new(&canonical), &mut faults)?;
        if canonical.len() > TAXONOMY_BYTES_MAX {
            let reason = format!("has more than {TAXONOMY_BYTES_MAX} bytes in canonical form");
            faults.add(String::new(), ErrorCode::InvalidTaxonomy, reason);
        }
        faults.into_result()?;
        draft.ok_or_else(|| {
            let reason = "is no taxonomy".to_owned();
            Rejection::of(Fault::new(String::new(), ErrorCode::InvalidTaxonomy, reason))
        })
    }

    /// The version that the draft was made from, where it says so.
    pub const fn based_on(&self) -> Option<u64> {
        self.based_on
    }

    /// The same based on this version, if one is given; fails where the draft says another.
    pub fn based_on_also(mut self, version: Option<u64>) -> Result<Self, u64> {
        match (self.based_on, version) {
            (Some(said), Some(given)) if said != given => Err(said),
            _ => {
                self.based_on = self.based_on.or(version);
                Ok(self)
            }
        }
    }

    /// The draft as a version; `None` beyond [`VERSION_MAX`].
    pub fn at_version(self, version: u64) -> Option<TaxonomyDocument> {
        let Self { mode, event_types, .. } = self;
        let document = TaxonomyDocument { version, mode, event_types };
        (1..=VERSION_MAX).contains(&version).then_some(document)
    }
}

impl TaxonomyDocument {
    /// What a tenant has that never set one.
    pub const fn none() -> Self {
        Self { version: 0, mode: TaxonomyMode::Off, event_types: Vec::new() }
    }

    /// The document of a record; `None` where the parts are not those of one.
    pub(crate) fn from_parts(
        version: u64,
        mode: TaxonomyMode,
        event_types: Value<'_>,
    ) -> Option<Self> {
        let mut faults = Faults::default();
        check_types(event_types, &mut faults).ok()?;
        faults.into_result().ok()?;
        let is_version = (1..=VERSION_MAX).contains(&version);
        is_version.then(|| Self { version, mode, event_types: event_types.raw().to_vec() })
    }

    /// Counted from 1; 0 where none was ever set.
    pub const fn version(&self) -> u64 {
        self.version
    }

    pub const fn mode(&self) -> TaxonomyMode {
        self.mode
    }

    /// The document in canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.event_types.len() + 64);
        let mut object = ObjectWriter::open(&mut out);
        self.write_members(&mut object);
        object.close();
        out
    }

    /// Reads exactly what [`Self::to_json`] writes of a version from 1 on.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        let value = Value::new(text);
        let mode = value.member("mode").ok()??.text()?;
        let version = value.member("version").ok()??.unsigned()?;
        let event_types = value.member("event_types").ok()??;
        let document = Self::from_parts(version, TaxonomyMode::parse(&mode)?, event_types)?;
        (document.to_json() == text).then_some(document)
    }

    pub(crate) fn write_members(&self, object: &mut ObjectWriter<'_>) {
        let types = if self.event_types.is_empty() { b"{}" } else { &self.event_types[..] };
        object.key("event_types").extend_from_slice(types);
        object.text("mode", self.mode.as_str());
        object.number("version", self.version);
    }

    /// Names every type or family with the text of its schema.
    pub(super) fn each(
        &self,
        mut take: impl FnMut(&str, Option<&[u8]>),
    ) -> Result<(), NotCanonical> {
        let mut types = Value::new(&self.event_types).members();
        while let Some((name, rule)) = next_type(&self.event_types, &mut types)? {
            take(&name, rule.member("schema")?.map(Value::raw));
        }
        Ok(())
    }
}

fn next_type<'a>(
    text: &[u8],
    types: &mut crate::json::Members<'a>,
) -> Result<Option<(String, Value<'a>)>, NotCanonical> {
    if text.is_empty() {
        return Ok(None);
    }
    Ok(types.next_member()?.map(|(name, rule)| (name.text().into_owned(), rule)))
}

fn fault(faults: &mut Faults, path: &[&str], reason: impl Into<String>) {
    let mut pointer = String::new();
    path.iter().for_each(|step| pointer_push(&mut pointer, step));
    faults.add(pointer, ErrorCode::InvalidTaxonomy, reason);
}

fn read_draft(
    value: Value<'_>,
    faults: &mut Faults,
) -> Result<Option<TaxonomyDraft>, NotCanonical> {
    if value.kind() != ValueKind::Object {
        fault(faults, &[], "must be a json object");
        return Ok(None);
    }
    let (mut mode, mut based_on, mut event_types) = (None, None, None);
    let mut members = value.members();
    while let Some((name, member)) = members.next_member()? {
        match &*name.text() {
            "mode" => {
                mode = member.text().and_then(|text| TaxonomyMode::parse(&text));
                if mode.is_none() {
                    fault(faults, &["mode"], "must be `off`, `warn` or `enforce`");
                }
            }
            "version" => {
                based_on = member.unsigned().filter(|version| *version <= VERSION_MAX);
                if based_on.is_none() {
                    fault(faults, &["version"], "must be the version that was changed, a number");
                }
            }
            "event_types" => {
                check_types(member, faults)?;
                event_types = Some(member.raw().to_vec());
            }
            other => fault(faults, &[other], "is no member of a taxonomy"),
        }
    }
    for (name, is_there) in
        [("mode", value.member("mode")?.is_some()), ("event_types", event_types.is_some())]
    {
        if !is_there {
            fault(faults, &[name], "is missing");
        }
    }
    let parts = mode.zip(event_types);
    Ok(parts.map(|(mode, event_types)| TaxonomyDraft { based_on, mode, event_types }))
}

/// Checks names and rules; schemas are only told from other values.
fn check_types(types: Value<'_>, faults: &mut Faults) -> Result<(), NotCanonical> {
    if types.kind() != ValueKind::Object {
        fault(faults, &["event_types"], "must be an object of event types");
        return Ok(());
    }
    let mut members = types.members();
    let mut count = 0;
    while let Some((name, rule)) = members.next_member()? {
        count += 1;
        let name = name.text();
        if let Some(reason) = name_fault(&name) {
            fault(faults, &["event_types", &name], reason);
        }
        check_rule(&name, rule, faults)?;
    }
    if count > TAXONOMY_TYPES_MAX {
        let reason = format!("has {count} types; at most {TAXONOMY_TYPES_MAX} are allowed");
        fault(faults, &["event_types"], reason);
    }
    Ok(())
}

fn name_fault(name: &str) -> Option<&'static str> {
    let plain = name.strip_suffix(".*").unwrap_or(name);
    if plain.is_empty() || name.len() > TYPE_BYTES_MAX {
        return Some("must have 1 to 256 bytes");
    }
    if plain.contains('*') {
        return Some("may have a `*` only as its last part, which covers a family");
    }
    if name.chars().any(char::is_control) {
        return Some("must have no control characters");
    }
    // Of `system.*` the family is reserved as its members are.
    reserved_event_type(name)
}

fn check_rule(name: &str, rule: Value<'_>, faults: &mut Faults) -> Result<(), NotCanonical> {
    if rule.kind() != ValueKind::Object {
        fault(faults, &["event_types", name], "must be an object with `description` and `schema`");
        return Ok(());
    }
    let mut members = rule.members();
    while let Some((member, value)) = members.next_member()? {
        let member = member.text();
        let path = ["event_types", name, &*member];
        match &*member {
            "description" => {
                let length = value.text().map(|text| text.len());
                if length.is_none_or(|bytes| bytes > DESCRIPTION_BYTES_MAX) {
                    fault(faults, &path, "must be a text of at most 1024 bytes");
                }
            }
            "schema" if value.kind() != ValueKind::Object => {
                fault(faults, &path, "must be a JSON Schema, an object");
            }
            "schema" => {}
            _ => fault(faults, &path, "is no member of an event type"),
        }
    }
    Ok(())
}
