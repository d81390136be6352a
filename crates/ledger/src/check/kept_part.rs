//! What was read of a part, as a text, so that a verification goes on after a restart without reading
//! the part again.
//!
//! Only what was read whole and found sound is kept: damage is read again, and named again. Event ids are
//! not kept either, for there are too many; they are read again, without contents.

use std::collections::BTreeSet;

use ledgerstone_model::json::Value;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_model::{NumberSet, SystemRecord};
use ledgerstone_proof::{Hash, IngestedAt, KeyId, TenantId};
use ledgerstone_store::Part;

use super::context::Context;
use super::event_ids::hashes_of_round;
use super::interval::Interval;
use super::part::PartResult;
use super::stretch::{Statement, Stretch};

/// Stands for «unsigned» where a key's id would be.
const UNSIGNED: &str = "-";

/// Remembers parts from one verification to the next, by what stands for their bytes.
pub trait PartMemory: Sync {
    /// What was kept of the part.
    fn recall(&self, fixed: &Hash) -> Option<String>;

    /// Keeps what was read of a part.
    fn keep(&self, fixed: &Hash, text: &str);

    /// So many records are known and are not read again.
    fn known(&self, records: u64);
}

/// Remembers nothing.
pub(super) struct NoMemory;

impl PartMemory for NoMemory {
    fn recall(&self, _: &Hash) -> Option<String> {
        None
    }

    fn keep(&self, _: &Hash, _: &str) {}

    fn known(&self, _: u64) {}
}

/// Keeps what was read of a part, if it may be kept.
pub(super) fn keep(memory: &dyn PartMemory, part: &Part, result: &PartResult) {
    let is_whole = result.records == part.records && result.findings.is_empty();
    if let Some(fixed) = part.fixed.filter(|_| is_whole) {
        memory.keep(&fixed, &write(result));
    }
}

/// What reading the part again would give, where that is known.
pub(super) fn recall(
    context: &Context<'_>,
    memory: &dyn PartMemory,
    part: &Part,
) -> Option<PartResult> {
    let text = memory.recall(&part.fixed?)?;
    let mut result = read(&text, part)?;
    let is_enough = result.records == part.records
        && result.stretches.iter().all(|stretch| has_every_wanted_root(context, stretch));
    if !is_enough {
        return None;
    }
    memory.known(result.records);
    result.ids = hashes_of_round(context, part, 0);
    Some(result)
}

/// Checkpoints and anchors that came since may ask for the tree at other sizes than were asked for then.
fn has_every_wanted_root(context: &Context<'_>, stretch: &Stretch) -> bool {
    let known: BTreeSet<u64> = stretch.snapshots.iter().map(Interval::to).collect();
    let next = |size| context.next_wanted(&stretch.tenant, size);
    let wanted = std::iter::successors(next(stretch.first), |size| next(*size));
    wanted.take_while(|size| *size <= stretch.end).all(|size| known.contains(&size))
}

fn write(result: &PartResult) -> String {
    let mut out = Vec::with_capacity(1024);
    let mut object = ObjectWriter::open(&mut out);
    object.number("records", result.records);
    object.number("signatures", result.signatures);
    object.array("stretches", &result.stretches, write_stretch);
    object.close();
    String::from_utf8_lossy(&out).into_owned()
}

fn write_stretch(stretch: &Stretch, out: &mut Vec<u8>) {
    let time = |at: Option<IngestedAt>| at.map(|at| at.to_string());
    let frontier = stretch.frontier_before.as_ref().map(Interval::to_text);
    let signer = |(number, key): &(u64, Option<KeyId>)| {
        format!("{number} {}", key.as_ref().map_or(UNSIGNED, KeyId::as_str))
    };
    let signers: Vec<String> = stretch.signers.iter().map(signer).collect();
    let snapshots: Vec<String> = stretch.snapshots.iter().map(Interval::to_text).collect();
    let mut object = ObjectWriter::open(out);
    object.text("absent", &ranges(&stretch.absent));
    object.number("end", stretch.end);
    object.number("first", stretch.first);
    object.optional_text("first_at", time(stretch.first_at).as_deref());
    object.optional_text("frontier_before", frontier.as_deref());
    object.optional_text("last_at", time(stretch.last_at).as_deref());
    object.hash("last_hash", &stretch.last_hash);
    object.number("offset", stretch.offset);
    object.hash("previous_hash", &stretch.previous_hash);
    object.texts("signers", &signers);
    object.texts("snapshots", &snapshots);
    object.array("statements", &stretch.statements, write_statement);
    object.text("system", &ranges(&stretch.system));
    object.text("tenant", stretch.tenant.as_str());
    object.text("tree", &stretch.tree.to_text());
    object.close();
}

fn write_statement(statement: &Statement, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.number("number", statement.number);
    object.number("offset", statement.offset);
    // When it was said is of no matter to the verification.
    if let Ok(at) = IngestedAt::from_micros(0) {
        statement.said.write_event(at, object.key("said"));
    }
    object.close();
}

fn read(text: &str, part: &Part) -> Option<PartResult> {
    let value = Value::new(text.as_bytes());
    let file = part.location.file.to_string_lossy();
    let stretches = all(member(value, "stretches")?, |stretch| read_stretch(stretch, &file))?;
    Some(PartResult {
        stretches,
        findings: Vec::new(),
        records: member(value, "records")?.unsigned()?,
        signatures: member(value, "signatures")?.unsigned()?,
        ids: Vec::new(),
        superseded: part.superseded.clone(),
    })
}

fn read_stretch(value: Value<'_>, file: &str) -> Option<Stretch> {
    let number = |name| member(value, name)?.unsigned();
    let text = |name| member(value, name)?.text();
    let hash = |name| Hash::from_hex(&text(name)?).ok();
    let optional = |name| value.member(name).ok().map(|found| found.and_then(Value::text));
    let time = |name| match optional(name)? {
        None => Some(None),
        Some(text) => IngestedAt::parse(&text).ok().map(Some),
    };
    let frontier_before = match optional("frontier_before")? {
        None => None,
        Some(text) => Some(Interval::from_text(&text)?),
    };
    let intervals = |name| all(member(value, name)?, |one| Interval::from_text(&one.text()?));
    Some(Stretch {
        tenant: TenantId::parse_stored(&text("tenant")?).ok()?,
        file: file.to_owned(),
        offset: number("offset")?,
        first: number("first")?,
        end: number("end")?,
        previous_hash: hash("previous_hash")?,
        frontier_before,
        last_hash: hash("last_hash")?,
        tree: Interval::from_text(&text("tree")?)?,
        damaged_at: None,
        tree_is_doubtful: false,
        snapshots: intervals("snapshots")?,
        first_at: time("first_at")?,
        last_at: time("last_at")?,
        signers: all(member(value, "signers")?, |one| read_signer(&one.text()?))?,
        statements: all(member(value, "statements")?, read_statement)?,
        system: read_ranges(&text("system")?)?,
        absent: read_ranges(&text("absent")?)?,
    })
}

/// Numbers as `first-end`, the end being left out, with commas between.
fn ranges(numbers: &NumberSet) -> String {
    let ranges = numbers.ranges().map(|range| format!("{}-{}", range.start, range.end));
    ranges.collect::<Vec<_>>().join(",")
}

fn read_ranges(text: &str) -> Option<NumberSet> {
    let mut numbers = NumberSet::new();
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (first, end) = range.split_once('-')?;
        numbers.insert_range(first.parse().ok()?..end.parse().ok()?);
    }
    Some(numbers)
}

fn read_signer(text: &str) -> Option<(u64, Option<KeyId>)> {
    let (number, key) = text.split_once(' ')?;
    let key = if key == UNSIGNED { None } else { Some(KeyId::parse(key)?) };
    Some((number.parse().ok()?, key))
}

fn read_statement(value: Value<'_>) -> Option<Statement> {
    let (said, _) = SystemRecord::parse(member(value, "said")?.raw()).ok()?;
    Some(Statement {
        number: member(value, "number")?.unsigned()?,
        offset: member(value, "offset")?.unsigned()?,
        said,
    })
}

fn member<'a>(value: Value<'a>, name: &str) -> Option<Value<'a>> {
    value.member(name).ok().flatten()
}

/// Every element read; `None` where one cannot be.
fn all<T>(value: Value<'_>, read: impl Fn(Value<'_>) -> Option<T>) -> Option<Vec<T>> {
    let mut elements = value.elements();
    let mut out = Vec::new();
    while let Some(element) = elements.next_element().ok()? {
        out.push(read(element)?);
    }
    Some(out)
}
