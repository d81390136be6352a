//! Reads the JSON of a tenant's policy, whatever it is about, and names every fault by its place.

use ledgerstone_proof::Canonicalizer;

use crate::error_code::ErrorCode;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::rejection::{Fault, Faults, Rejection, pointer_push};

/// What reads one kind of policy, member by member.
pub(crate) type ReadMembers<R> =
    fn(&mut R, Value<'_>, &mut PolicyFaults) -> Result<(), NotCanonical>;

/// Reads a policy of at most `bytes_max` bytes. Whatever is wrong with it is `INVALID_POLICY`; a text that
/// is no JSON, or has numbers or names that no record may have, has the codes of those.
pub(crate) fn read_policy<R: Default>(
    text: &[u8],
    bytes_max: usize,
    scratch: &mut Canonicalizer,
    read: ReadMembers<R>,
) -> Result<R, Rejection> {
    if text.len() > bytes_max {
        let reason = format!("has {} bytes; at most {bytes_max} are allowed", text.len());
        return Err(Rejection::of(Fault::new(String::new(), ErrorCode::InvalidPolicy, reason)));
    }
    let mut canonical = Vec::with_capacity(text.len());
    scratch.strict(text, &mut canonical)?;
    let policy = Value::new(&canonical);
    let (mut reader, mut faults) = (R::default(), PolicyFaults::default());
    if policy.kind() != ValueKind::Object {
        faults.add(&[], "must be an object");
    }
    read(&mut reader, policy, &mut faults)?;
    faults.0.into_result()?;
    Ok(reader)
}

/// What is wrong with a policy.
#[derive(Default)]
pub(crate) struct PolicyFaults(Faults);

impl PolicyFaults {
    /// Whether nothing was wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what is wrong at a place, which is given by the names and numbers on the way there.
    pub(crate) fn add(&mut self, steps: &[&str], reason: impl Into<String>) {
        let mut pointer = String::new();
        for step in steps {
            pointer_push(&mut pointer, step);
        }
        self.0.add(pointer, ErrorCode::InvalidPolicy, reason);
    }

    /// Adds what is wrong with a member whose name a policy does not have.
    pub(crate) fn unknown(&mut self, name: &str, known: &[&str]) {
        self.add(&[name], format!("is no member of this policy; they are {}", known.join(", ")));
    }

    /// Hands out the elements of the array under a name. What is beyond `most` is counted and not read.
    pub(crate) fn each(
        &mut self,
        (name, most): (&str, usize),
        value: Value<'_>,
        mut read: impl FnMut(Value<'_>) -> Result<(), ElementFault>,
    ) -> Result<(), NotCanonical> {
        let mut elements = value.elements();
        let mut count = 0_usize;
        while let Some(element) = elements.next_element()? {
            if count < most
                && let Err(fault) = read(element)
            {
                let number = count.to_string();
                let steps = [name, &number].into_iter().chain(fault.member.as_deref());
                self.add(&steps.collect::<Vec<_>>(), fault.reason);
            }
            count += 1;
        }
        if value.kind() != ValueKind::Array || count > most {
            self.add(&[name], format!("must be an array of at most {most} {name}"));
        }
        Ok(())
    }
}

/// What is wrong with an element of an array, or with one member of it.
pub(crate) struct ElementFault {
    member: Option<String>,
    reason: String,
}

impl ElementFault {
    /// Something wrong with a member of the element.
    pub(crate) fn of_member(name: &str, reason: String) -> Self {
        Self { member: Some(name.to_owned()), reason }
    }
}

impl From<String> for ElementFault {
    fn from(reason: String) -> Self {
        Self { member: None, reason }
    }
}

impl From<&str> for ElementFault {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

/// A member of an object, if it is there.
pub(crate) fn member<'a>(value: Value<'a>, name: &str) -> Result<Option<Value<'a>>, String> {
    value.member(name).map_err(|error| error.to_string())
}

/// Refuses members of other names.
pub(crate) fn only(value: Value<'_>, names: &[&str]) -> Result<(), String> {
    let mut members = value.members();
    while let Some((key, _)) = members.next_member().map_err(|error| error.to_string())? {
        if !names.contains(&key.text().as_ref()) {
            return Err(format!("has {} in it, and may have {}", key.text(), names.join(", ")));
        }
    }
    Ok(())
}

/// Whether rules and sanitizers may be called so.
pub(crate) fn is_name(name: &str, bytes_max: usize) -> bool {
    let is_letter = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
    };
    (1..=bytes_max).contains(&name.len()) && name.bytes().all(is_letter)
}
