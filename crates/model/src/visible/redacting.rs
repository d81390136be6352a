//! Replaces in an opened event what is seen redacted or not at all.
//!
//! The event is walked once to find what that is: by the class of the envelope that a value came out
//! of, by the tenant's policy, by the names of fields, by the form of texts. Clear texts in which one of
//! those values stands again go too. Then the event is written anew.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::hidden::{HiddenPart, Why};
use super::{HIDDEN, Visibility};
use crate::access::View;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::personal::detect::has_personal_data;
use crate::personal::redact::{
    Structure, redact_text, redact_value, redact_whole, redaction_of_field,
};
use crate::rejection::pointer_push;
use crate::sealing::clear_paths::is_clear;
use crate::sealing::opening::GONE;
use crate::sealing::spread::SealedTexts;
use crate::sealing::{FieldClass, NamedPeople};
use ledgerstone_proof::canonical_string_into;

/// Classes of places, by their pointers, below which no value is handled more freely.
pub(super) type Floors<'e> = HashMap<&'e str, FieldClass>;

/// The event as it is seen. What is replaced joins `hidden`, which is then in order; what stands
/// below something that is replaced leaves it.
pub(super) fn redact(
    text: &[u8],
    (floors, own_places): (Floors<'_>, HashSet<&str>),
    visibility: Visibility<'_>,
    hidden: &mut Vec<HiddenPart>,
) -> Result<Vec<u8>, NotCanonical> {
    let event = Value::new(text);
    let mut redacting = Redacting {
        text,
        floors,
        own_places,
        visibility,
        people: people(event, visibility)?,
        replaced: Vec::new(),
        clear_texts: Vec::new(),
        seen_nowhere: SealedTexts::default(),
    };
    let mut place = Place::default();
    redacting.value(event, &mut place, FieldClass::Public)?;
    redacting.spread();
    let Redacting { mut replaced, .. } = redacting;
    replaced.sort_by_key(|one| one.range.start);
    let is_below = |part: &HiddenPart, above: &Replaced| {
        part.pointer().strip_prefix(above.part.pointer()).is_some_and(|rest| rest.starts_with('/'))
    };
    hidden.retain(|part| !replaced.iter().any(|one| is_below(part, one)));
    let out = write(text, &replaced);
    hidden.extend(replaced.into_iter().map(|one| one.part));
    hidden.sort_by(|left, right| left.pointer().cmp(right.pointer()));
    Ok(out)
}

fn write(text: &[u8], replaced: &[Replaced]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for one in replaced {
        out.extend_from_slice(text.get(at..one.range.start).unwrap_or_default());
        out.extend_from_slice(&one.shown);
        at = one.range.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    out
}

/// A value that is not seen as it is.
struct Replaced {
    range: Range<usize>,
    shown: Vec<u8>,
    part: HiddenPart,
}

/// Where the walk is.
#[derive(Default)]
struct Place<'a> {
    /// Names of members; elements of arrays have none.
    names: Vec<Cow<'a, str>>,
    pointer: String,
}

/// Which of the two that an event names are people. Somebody without a type may be one.
fn people(event: Value<'_>, visibility: Visibility<'_>) -> Result<NamedPeople, NotCanonical> {
    let is_person = |group: &str| -> Result<bool, NotCanonical> {
        let Some(group) = event.member(group)? else { return Ok(true) };
        let kind = group.member("type")?.and_then(Value::text).filter(|kind| !kind.is_empty());
        Ok(kind.is_none_or(|kind| visibility.fields.is_person(&kind)))
    };
    Ok(NamedPeople { actor: is_person("actor")?, target: is_person("target")? })
}

/// A text that is shown as far as is known yet.
struct ClearText<'a> {
    text: Cow<'a, str>,
    range: Range<usize>,
    pointer: String,
}

struct Redacting<'a, 'e, 'p> {
    text: &'a [u8],
    floors: Floors<'e>,
    /// Values out of envelopes that are somebody's own.
    own_places: HashSet<&'e str>,
    visibility: Visibility<'p>,
    people: NamedPeople,
    replaced: Vec<Replaced>,
    clear_texts: Vec<ClearText<'a>>,
    /// Texts that are replaced.
    seen_nowhere: SealedTexts<'a>,
}

impl<'a> Redacting<'a, '_, '_> {
    /// Goes no deeper than canonical JSON is nested.
    fn value(
        &mut self,
        value: Value<'a>,
        place: &mut Place<'a>,
        floor: FieldClass,
    ) -> Result<(), NotCanonical> {
        if value.raw() == GONE || self.own_places.contains(place.pointer.as_str()) {
            return Ok(());
        }
        if floor == FieldClass::Public && self.is_own_in_clear(place) {
            return match value.kind() {
                ValueKind::Object => self.members(value, place, floor),
                ValueKind::Array => self.elements(value, place, floor),
                _ => Ok(()),
            };
        }
        let floor = self.floors.get(place.pointer.as_str()).map_or(floor, |own| floor.max(*own));
        let class = floor.max(self.class_in_clear(value, &place.names));
        match self.visibility.sight.view(class) {
            // Something in it may have a rule of its own, which is stricter.
            View::Redacted if self.is_divided(value, &place.names) => {
                self.shown(value, place, (floor, class))
            }
            View::Hidden => self.replace(value, place, (class, Why::Hidden), HIDDEN.to_vec()),
            View::Redacted => {
                let structure = match class {
                    FieldClass::Public | FieldClass::Personal => Structure::Kept,
                    FieldClass::Sensitive | FieldClass::Secret => Structure::Masked,
                };
                let mut shown = Vec::with_capacity(value.raw().len());
                let how = (self.visibility.forms, structure);
                redact_value(value, &mut place.names, how, &mut shown)?;
                self.replace(value, place, (class, Why::Redacted), shown)
            }
            View::Shown => self.shown(value, place, (floor, class)),
        }
    }

    /// Whether what stands there in clear is about the person who is shown their own.
    fn is_own_in_clear(&self, place: &Place<'_>) -> bool {
        let (Some(own), Some(first)) = (self.visibility.own, place.names.first()) else {
            return false;
        };
        own.role.has(first) && !self.floors.contains_key(place.pointer.as_str())
    }

    /// The class that the policy or the name of the field gives to what stands in clear.
    fn class_in_clear(&self, value: Value<'_>, names: &[Cow<'_, str>]) -> FieldClass {
        let Visibility { sight, fields, forms, .. } = self.visibility;
        let rule = fields.rule_for(names, self.people);
        let class = match rule {
            Some(_) if self.is_divided(value, names) => FieldClass::Public,
            Some(rule) => rule.class(),
            None => FieldClass::Public,
        };
        if class != FieldClass::Public || !sight.looks_for_personal_data() {
            return class;
        }
        let is_named = rule.is_none() && self.is_named_personal(names);
        // What a form is declared for is shown in it, also where it is sealed from nobody.
        if is_named || forms.declared_at(names).is_some() { FieldClass::Personal } else { class }
    }

    fn is_divided(&self, value: Value<'_>, names: &[Cow<'_, str>]) -> bool {
        matches!(value.kind(), ValueKind::Object | ValueKind::Array)
            && self.visibility.fields.is_divided(names)
    }

    fn is_named_personal(&self, names: &[Cow<'_, str>]) -> bool {
        let Some(last) = names.last() else { return false };
        let is_of_thing = match names {
            [group, name] if name == "name" => match group.as_ref() {
                "actor" => !self.people.actor,
                "target" => !self.people.target,
                _ => false,
            },
            _ => false,
        };
        redaction_of_field(last).is_some() && !is_of_thing && !is_clear(names)
    }

    fn shown(
        &mut self,
        value: Value<'a>,
        place: &mut Place<'a>,
        (floor, class): (FieldClass, FieldClass),
    ) -> Result<(), NotCanonical> {
        let looks_at_names =
            self.visibility.sight.looks_for_personal_data() && !is_clear(&place.names);
        let looks = looks_at_names && class == FieldClass::Public;
        match value.kind() {
            ValueKind::Object if looks_at_names && has_personal_name(value)? => {
                self.replace(value, place, (FieldClass::Personal, Why::Redacted), HIDDEN.to_vec())
            }
            ValueKind::Object => self.members(value, place, floor),
            ValueKind::Array => self.elements(value, place, floor),
            ValueKind::Text if looks => self.clear_text(value, place),
            ValueKind::Number if looks => {
                let text = String::from_utf8_lossy(value.raw());
                let shown = redact_text(&text);
                if shown == text { Ok(()) } else { self.replace_found(value, place, &shown) }
            }
            _ => Ok(()),
        }
    }

    fn members(
        &mut self,
        object: Value<'a>,
        place: &mut Place<'a>,
        floor: FieldClass,
    ) -> Result<(), NotCanonical> {
        let mut members = object.members();
        while let Some((key, member)) = members.next_member()? {
            let length = place.pointer.len();
            place.names.push(key.text());
            pointer_push(&mut place.pointer, place.names.last().map_or("", AsRef::as_ref));
            self.value(member, place, floor)?;
            place.names.pop();
            place.pointer.truncate(length);
        }
        Ok(())
    }

    fn elements(
        &mut self,
        array: Value<'a>,
        place: &mut Place<'a>,
        floor: FieldClass,
    ) -> Result<(), NotCanonical> {
        let mut elements = array.elements();
        let mut index = 0_usize;
        while let Some(element) = elements.next_element()? {
            let length = place.pointer.len();
            pointer_push(&mut place.pointer, &index.to_string());
            self.value(element, place, floor)?;
            place.pointer.truncate(length);
            index += 1;
        }
        Ok(())
    }

    fn clear_text(&mut self, value: Value<'a>, place: &Place<'a>) -> Result<(), NotCanonical> {
        let text = value.text().unwrap_or_default();
        let shown = redact_text(&text);
        if shown != text {
            return self.replace_found(value, place, &shown);
        }
        // Ids that a rule leaves in clear stay, whatever else they are in the event.
        if self.visibility.fields.rule_for(&place.names, self.people).is_none() {
            let (range, pointer) = (self.range_of(value), place.pointer.clone());
            self.clear_texts.push(ClearText { text, range, pointer });
        }
        Ok(())
    }

    fn replace_found(
        &mut self,
        value: Value<'a>,
        place: &Place<'a>,
        shown: &str,
    ) -> Result<(), NotCanonical> {
        let mut json = Vec::with_capacity(shown.len() + 2);
        canonical_string_into(shown, &mut json);
        self.replace(value, place, (FieldClass::Personal, Why::Redacted), json)
    }

    /// A value that is shown as it is, because nothing of it had to go, is not replaced.
    fn replace(
        &mut self,
        value: Value<'a>,
        place: &Place<'a>,
        (class, why): (FieldClass, Why),
        shown: Vec<u8>,
    ) -> Result<(), NotCanonical> {
        if shown == value.raw() {
            return Ok(());
        }
        self.note_texts(value)?;
        let part = HiddenPart::value(place.pointer.clone(), Some(class), why);
        self.replaced.push(Replaced { range: self.range_of(value), shown, part });
        Ok(())
    }

    fn note_texts(&mut self, value: Value<'a>) -> Result<(), NotCanonical> {
        match value.kind() {
            ValueKind::Text => self.seen_nowhere.note(value.text().unwrap_or_default(), 0),
            ValueKind::Object => {
                let mut members = value.members();
                while let Some((_, member)) = members.next_member()? {
                    self.note_texts(member)?;
                }
            }
            ValueKind::Array => {
                let mut elements = value.elements();
                while let Some(element) = elements.next_element()? {
                    self.note_texts(element)?;
                }
            }
            ValueKind::Number | ValueKind::Bool | ValueKind::Null => {}
        }
        Ok(())
    }

    /// Replaces the clear texts in which a replaced one stands.
    fn spread(&mut self) {
        self.seen_nowhere.settle();
        for clear in std::mem::take(&mut self.clear_texts) {
            if self.seen_nowhere.envelope_of(&clear.text).is_none() {
                continue;
            }
            let whole = redact_whole(&clear.text);
            if whole == clear.text {
                continue;
            }
            let mut shown = Vec::new();
            canonical_string_into(&whole, &mut shown);
            let part = HiddenPart::value(clear.pointer, Some(FieldClass::Personal), Why::Redacted);
            self.replaced.push(Replaced { range: clear.range, shown, part });
        }
    }

    fn range_of(&self, value: Value<'_>) -> Range<usize> {
        let start = (value.raw().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        start..start + value.raw().len()
    }
}

/// Whether the name of a member is personal data itself.
fn has_personal_name(object: Value<'_>) -> Result<bool, NotCanonical> {
    let mut members = object.members();
    while let Some((key, _)) = members.next_member()? {
        if has_personal_data(&key.text()) {
            return Ok(true);
        }
    }
    Ok(false)
}
