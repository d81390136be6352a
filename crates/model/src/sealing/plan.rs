//! Decides what of one event is sealed and under whom, and writes the event with envelopes in the
//! places of its values.

mod acted_upon;
mod in_clear;
mod top_members;

use std::borrow::Cow;
use std::io::Write as _;
use std::ops::Range;

use ledgerstone_proof::canonical_string_into;
use zeroize::Zeroizing;

use super::class::FieldClass;
use super::clear_paths::{is_clear, is_partly_clear};
use super::declared::declared_class;
use super::envelope::{Envelope, EnvelopeError, EnvelopePlace};
use super::key::SubjectKey;
use super::policy::FieldPolicy;
use super::rule::{FieldOwner, FieldRule, NamedPeople};
use super::spread::SealedTexts;
use super::subject::Subject;
use super::xaes::NONCE_BYTES;
use crate::json::{Members, NotCanonical, Value, ValueKind, name_order};
use crate::personal::detect::has_personal_data;
use crate::rejection::pointer_push;

use top_members::{MemberGap, TopMember, TopMembers};

/// The member of a stored event that holds the envelopes.
pub(crate) const ENVELOPES: &str = "sealed";

/// Marks a place whose value is in an envelope.
pub(crate) const MARK: &str = "$sealed";

/// How a place begins whose value is in an envelope; no sender may use that name.
const MARK_START: &[u8] = b"{\"$sealed\":";

/// Room that is made at once, as most events need no more: for what is sealed or searched of an event, for the
/// names down to it, and for a pointer.
const USUAL_PLACES: usize = 16;
const USUAL_DEPTH: usize = 16;
const USUAL_POINTER_BYTES: usize = 64;

/// A number of fewer digits is nothing that is found by its form: a card has so many.
const CARD_DIGITS_MIN: usize = 13;

/// What of one event's text will be sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealingPlan {
    /// In the order of the text, none inside another.
    places: Vec<SealedPlace>,
    envelopes: Vec<PlannedEnvelope>,
    gap: MemberGap,
    has_detected: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SealedPlace {
    range: Range<usize>,
    pointer: String,
    envelope: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PlannedEnvelope {
    subject: Subject,
    class: FieldClass,
}

impl SealingPlan {
    /// Applies a policy to the canonical text of an event.
    pub fn make(text: &[u8], policy: &FieldPolicy) -> Result<Self, NotCanonical> {
        let envelopes = Vec::new();
        if policy.seals_nothing() {
            let gap = MemberGap { at: 0, is_last: false };
            return Ok(Self { places: Vec::new(), envelopes, gap, has_detected: false });
        }
        let event = TopMembers::read(text)?;
        let gap = event.gap(text, ENVELOPES);
        let places = Vec::with_capacity(USUAL_PLACES);
        let plan = Self { places, envelopes, gap, has_detected: false };
        let people = People::read(&event, policy)?;
        let mut planner = Planner {
            policy,
            text,
            people: &people,
            plan,
            declared: declared_class(event.member("security"))?,
            rules: Vec::with_capacity(policy.rules().len()),
            sealed_texts: SealedTexts::default(),
            texts_acted_upon: SealedTexts::default(),
            texts_of_actor: Vec::new(),
            clear_texts: Vec::with_capacity(USUAL_PLACES),
        };
        planner.walk_event(&event)?;
        planner.detect();
        let is_any_given = planner.give_to_acted_upon()?;
        planner.spread();
        let mut plan = planner.plan;
        if is_any_given {
            plan.drop_empty_envelopes();
        }
        plan.places.sort_by_key(|place| place.range.start);
        Ok(plan)
    }

    /// The same without what would be sealed for somebody else than these: that stays in clear.
    #[must_use]
    pub fn only_for(mut self, is_kept: impl Fn(&Subject) -> bool) -> Self {
        let mut count = 0;
        let kept = self.envelopes.iter().map(|envelope| {
            let place = count;
            is_kept(&envelope.subject).then(|| {
                count += 1;
                place
            })
        });
        let kept: Vec<Option<usize>> = kept.collect();
        self.envelopes.retain(|envelope| is_kept(&envelope.subject));
        let moved = |place: SealedPlace| {
            let envelope = kept.get(place.envelope).copied().flatten()?;
            Some(SealedPlace { envelope, ..place })
        };
        self.places = self.places.into_iter().filter_map(moved).collect();
        self
    }

    /// Whether the event stays as it is.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether personal data was found by its form where no rule is about it.
    pub const fn has_detected(&self) -> bool {
        self.has_detected
    }

    /// Whose keys are needed, without repetition.
    pub fn subjects(&self) -> Vec<&Subject> {
        let mut out: Vec<&Subject> = Vec::new();
        for envelope in &self.envelopes {
            if !out.contains(&&envelope.subject) {
                out.push(&envelope.subject);
            }
        }
        out
    }

    /// For whom the value at exactly this place is to be sealed.
    pub fn owner_of(&self, pointer: &str) -> Option<&Subject> {
        let place = self.places.iter().find(|place| place.pointer == pointer)?;
        self.envelopes.get(place.envelope).map(|envelope| &envelope.subject)
    }

    /// Whether the place, something in it, or something that it is in is to be sealed for somebody.
    pub fn meets(&self, subject: &Subject, pointer: &str) -> bool {
        let is_in = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut met = self
            .places
            .iter()
            .filter(|place| is_in(&place.pointer, pointer) || is_in(pointer, &place.pointer));
        met.any(|place| {
            self.envelopes.get(place.envelope).is_some_and(|envelope| envelope.subject == *subject)
        })
    }

    /// How many envelopes the event will have.
    pub const fn envelope_count(&self) -> usize {
        self.envelopes.len()
    }

    /// Writes the event, whose text the plan was made for, with its values sealed. `key_of` gives
    /// the key of each of [`Self::subjects`]; `nonce` gives new random bytes at every call.
    pub fn seal<E: From<EnvelopeError>>(
        &self,
        text: &[u8],
        place: EnvelopePlace<'_>,
        key_of: impl Fn(&Subject) -> Result<SubjectKey, E>,
        mut nonce: impl FnMut() -> Option<[u8; NONCE_BYTES]>,
    ) -> Result<Vec<u8>, E> {
        if self.is_empty() {
            return Ok(text.to_vec());
        }
        let mut envelopes = Vec::with_capacity(text.len());
        for (index, planned) in self.envelopes.iter().enumerate() {
            envelopes.push(if index == 0 { b'[' } else { b',' });
            let key = key_of(&planned.subject)?;
            let plaintext = self.plaintext(text, index);
            let nonce = nonce().ok_or(EnvelopeError::Refused)?;
            Envelope::seal(&key, planned.class, place, nonce, &plaintext)?.write(&mut envelopes);
        }
        envelopes.push(b']');
        Ok(self.rewrite(text, &envelopes))
    }

    /// The values of one envelope, by their pointers in canonical order.
    fn plaintext(&self, text: &[u8], envelope: usize) -> Zeroizing<Vec<u8>> {
        let mut places: Vec<&SealedPlace> =
            self.places.iter().filter(|place| place.envelope == envelope).collect();
        places.sort_by(|left, right| name_order(&left.pointer, &right.pointer));
        // Quotes, colon and comma; only escapes need more.
        let bytes = |place: &&SealedPlace| place.pointer.len() + place.range.len() + 4;
        let room = 2 + places.iter().map(bytes).sum::<usize>();
        let mut out = Zeroizing::new(Vec::with_capacity(room));
        out.push(b'{');
        for (index, place) in places.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            canonical_string_into(&place.pointer, &mut out);
            out.push(b':');
            out.extend_from_slice(text.get(place.range.clone()).unwrap_or_default());
        }
        out.push(b'}');
        out
    }

    fn rewrite(&self, text: &[u8], envelopes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + envelopes.len());
        let MemberGap { at: gap, is_last } = self.gap;
        let mut at = 0;
        let mut is_written = false;
        for place in &self.places {
            if !is_written && place.range.start >= gap {
                out.extend_from_slice(text.get(at..gap).unwrap_or_default());
                write_member(envelopes, is_last, &mut out);
                (at, is_written) = (gap, true);
            }
            out.extend_from_slice(text.get(at..place.range.start).unwrap_or_default());
            out.extend_from_slice(MARK_START);
            // Writing to memory cannot fail.
            let _ = write!(out, "{}", place.envelope);
            out.push(b'}');
            at = place.range.end;
        }
        if !is_written {
            out.extend_from_slice(text.get(at..gap).unwrap_or_default());
            write_member(envelopes, is_last, &mut out);
            at = gap;
        }
        out.extend_from_slice(text.get(at..).unwrap_or_default());
        out
    }
}

fn write_member(envelopes: &[u8], is_last: bool, out: &mut Vec<u8>) {
    if is_last {
        out.push(b',');
    }
    canonical_string_into(ENVELOPES, out);
    out.push(b':');
    out.extend_from_slice(envelopes);
    if !is_last {
        out.push(b',');
    }
}

/// Where a part of the text begins in it.
fn offset_in(text: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// Whom an event is about.
struct People {
    actor: Option<Subject>,
    /// The target, where it is a person.
    target_person: Option<Subject>,
    /// The target, whatever it is.
    target: Option<Subject>,
    named: NamedPeople,
}

impl People {
    fn read(event: &TopMembers<'_>, policy: &FieldPolicy) -> Result<Self, NotCanonical> {
        let (actor_group, target_group) = (event.member("actor"), event.member("target"));
        let (actor, target) = (named(actor_group)?, named(target_group)?);
        // Somebody may be named without an id.
        let is_person = |group, subject: Option<&Subject>| match subject {
            Some(Subject::Person { kind, .. }) => Ok(policy.is_person(kind)),
            Some(Subject::Tenant | Subject::AccessMonth(_)) => Ok(false),
            None => kind_of(group).map(|kind| kind.is_some_and(|kind| policy.is_person(&kind))),
        };
        let people = NamedPeople {
            actor: is_person(actor_group, actor.as_ref())?,
            target: is_person(target_group, target.as_ref())?,
        };
        let target_person = target.clone().filter(|_| people.target);
        Ok(Self { actor, target_person, target, named: people })
    }

    fn owner(&self, owner: FieldOwner, names: &[Cow<'_, str>]) -> &Subject {
        let is_targets = matches!(names.first().map(AsRef::as_ref), Some("target" | "data"));
        let first = match owner {
            FieldOwner::Tenant => return &Subject::Tenant,
            FieldOwner::Target => self.target.as_ref(),
            FieldOwner::ByPlace if is_targets => self.target_person.as_ref(),
            FieldOwner::Actor | FieldOwner::ByPlace => None,
        };
        first.or(self.actor.as_ref()).unwrap_or(&Subject::Tenant)
    }
}

/// The actor or target of an event as it is stored, a person or not; `None` without an id in clear.
pub fn party(text: &[u8], group: &str) -> Result<Option<Subject>, NotCanonical> {
    named(Value::new(text).member(group)?)
}

/// The type and id of `actor` or `target`; `None` without an id.
fn named(group: Option<Value<'_>>) -> Result<Option<Subject>, NotCanonical> {
    let Some(group) = group else {
        return Ok(None);
    };
    let (mut id, mut kind) = (None, None);
    let mut members = group.members();
    while (id.is_none() || kind.is_none())
        && let Some((key, value)) = members.next_member()?
    {
        match key.raw() {
            b"id" => id = Some(value),
            b"type" => kind = Some(value),
            _ => {}
        }
    }
    let text = |value: Option<Value<'_>>| value.and_then(Value::text).map(Cow::into_owned);
    let Some(id) = text(id).filter(|id| !id.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(Subject::Person { kind: text(kind).unwrap_or_default(), id }))
}

/// The type of `actor` or `target`.
fn kind_of(group: Option<Value<'_>>) -> Result<Option<Cow<'_, str>>, NotCanonical> {
    let Some(group) = group else { return Ok(None) };
    Ok(group.member("type")?.and_then(Value::text))
}

/// A text that no rule is about, or a number or truth value as it is spelt.
struct ClearText<'a> {
    text: Cow<'a, str>,
    is_text: bool,
    range: Range<usize>,
    pointer: String,
    owner: &'a Subject,
}

struct Planner<'a> {
    policy: &'a FieldPolicy,
    text: &'a [u8],
    people: &'a People,
    plan: SealingPlan,
    /// Those that are about the member of the event that is being walked, or something below it.
    rules: Vec<&'a FieldRule>,
    sealed_texts: SealedTexts<'a>,
    /// Those of them that are sealed for the person acted upon, where somebody else acted.
    texts_acted_upon: SealedTexts<'a>,
    /// What is sealed of whoever acted on another person.
    texts_of_actor: Vec<Cow<'a, str>>,
    clear_texts: Vec<ClearText<'a>>,
    /// What the sender says of all that no rule is about.
    declared: Option<FieldClass>,
}

impl<'a> Planner<'a> {
    fn walk_event(&mut self, event: &TopMembers<'a>) -> Result<(), NotCanonical> {
        let mut names = Vec::with_capacity(USUAL_DEPTH);
        let mut pointer = String::with_capacity(USUAL_POINTER_BYTES);
        for TopMember { name, value, .. } in event.iter() {
            names.clear();
            names.push(name.clone());
            if is_clear(&names) {
                continue;
            }
            self.rules.clear();
            let who = self.people.named;
            let counts =
                |rule: &&FieldRule| rule.path().begins_with(name) && rule.counts(name, who);
            self.rules.extend(self.policy.rules().iter().filter(counts));
            pointer.clear();
            pointer_push(&mut pointer, name);
            self.walk(*value, &mut names, &mut pointer)?;
        }
        Ok(())
    }

    /// Goes no deeper than canonical JSON is nested.
    fn walk(
        &mut self,
        value: Value<'a>,
        names: &mut Vec<Cow<'a, str>>,
        pointer: &mut String,
    ) -> Result<(), NotCanonical> {
        if value.raw().starts_with(MARK_START) {
            return Ok(());
        }
        let rule = self.rules.iter().find(|rule| rule.path().covers(names));
        let rule = rule.map(|rule| (rule.class(), rule.owner()));
        let is_sealed = rule.is_some_and(|(class, _)| class.is_sealed()) && !is_clear(names);
        let is_container = matches!(value.kind(), ValueKind::Object | ValueKind::Array);
        if let Some((class, owner)) = rule
            && is_sealed
            && !(is_container && self.is_divided(names))
        {
            if value.kind() != ValueKind::Null {
                let subject = self.people.owner(owner, names);
                let envelope = self.envelope(subject, class);
                self.note_texts(value, pointer, envelope)?;
                self.seal_place(value, pointer.clone(), envelope);
            }
            return Ok(());
        }
        match value.kind() {
            ValueKind::Object => self.walk_members(value, names, pointer),
            ValueKind::Array => self.walk_elements(value, names, pointer),
            ValueKind::Null => Ok(()),
            ValueKind::Text | ValueKind::Number | ValueKind::Bool => {
                if rule.is_none() && !is_clear(names) {
                    self.note_clear(value, names, pointer);
                }
                Ok(())
            }
        }
    }

    /// Whether something below the place is handled in another way than the place itself.
    fn is_divided(&self, names: &[Cow<'a, str>]) -> bool {
        is_partly_clear(names) || self.rules.iter().any(|rule| rule.path().reaches_below(names))
    }

    fn walk_members(
        &mut self,
        value: Value<'a>,
        names: &mut Vec<Cow<'a, str>>,
        pointer: &mut String,
    ) -> Result<(), NotCanonical> {
        let mut members = value.members();
        while let Some((key, member)) = members.next_member()? {
            let length = pointer.len();
            names.push(key.text());
            pointer_push(pointer, names.last().map_or("", AsRef::as_ref));
            self.walk(member, names, pointer)?;
            names.pop();
            pointer.truncate(length);
        }
        Ok(())
    }

    fn walk_elements(
        &mut self,
        value: Value<'a>,
        names: &mut Vec<Cow<'a, str>>,
        pointer: &mut String,
    ) -> Result<(), NotCanonical> {
        let mut elements = value.elements();
        let mut index = 0_usize;
        while let Some(element) = elements.next_element()? {
            let length = pointer.len();
            pointer_push(pointer, &index.to_string());
            self.walk(element, names, pointer)?;
            pointer.truncate(length);
            index += 1;
        }
        Ok(())
    }

    fn envelope(&mut self, subject: &Subject, class: FieldClass) -> usize {
        let is_it = |one: &PlannedEnvelope| one.class == class && one.subject == *subject;
        self.plan.envelopes.iter().position(is_it).unwrap_or_else(|| {
            self.plan.envelopes.push(PlannedEnvelope { subject: subject.clone(), class });
            self.plan.envelopes.len() - 1
        })
    }

    fn seal_place(&mut self, value: Value<'a>, pointer: String, envelope: usize) {
        let start = offset_in(self.text, value.raw());
        let range = start..start + value.raw().len();
        self.plan.places.push(SealedPlace { range, pointer, envelope });
    }

    /// Notes a text that is sealed at the place.
    fn note_text(&mut self, text: Cow<'a, str>, pointer: &str, envelope: usize) {
        if let Some(target) = self.acted_upon() {
            self.note_acted_upon(target, text.clone(), (pointer, envelope));
        }
        self.sealed_texts.note(text, envelope);
    }

    fn note_texts(
        &mut self,
        value: Value<'a>,
        pointer: &str,
        envelope: usize,
    ) -> Result<(), NotCanonical> {
        match value.kind() {
            ValueKind::Text => {
                self.note_text(value.text().unwrap_or_default(), pointer, envelope);
            }
            ValueKind::Object => self.note_members(&mut value.members(), pointer, envelope)?,
            ValueKind::Array => {
                let mut elements = value.elements();
                while let Some(element) = elements.next_element()? {
                    self.note_texts(element, pointer, envelope)?;
                }
            }
            ValueKind::Number | ValueKind::Bool | ValueKind::Null => {}
        }
        Ok(())
    }

    fn note_members(
        &mut self,
        members: &mut Members<'a>,
        pointer: &str,
        envelope: usize,
    ) -> Result<(), NotCanonical> {
        while members.next_name()?.is_some() {
            if let Some(mut inner) = members.enter() {
                self.note_members(&mut inner, pointer, envelope)?;
                members.leave(&inner);
            } else {
                self.note_texts(members.value()?, pointer, envelope)?;
            }
        }
        Ok(())
    }

    fn note_clear(&mut self, value: Value<'a>, names: &[Cow<'a, str>], pointer: &str) {
        let text = match value.kind() {
            ValueKind::Text => value.text().unwrap_or_default(),
            _ if self.declared.is_some() || value.raw().len() >= CARD_DIGITS_MIN => {
                String::from_utf8_lossy(value.raw())
            }
            // Too short for anything to be found.
            _ => return,
        };
        let start = offset_in(self.text, value.raw());
        self.clear_texts.push(ClearText {
            text,
            is_text: value.kind() == ValueKind::Text,
            range: start..start + value.raw().len(),
            pointer: pointer.to_owned(),
            owner: self.people.owner(FieldOwner::ByPlace, names),
        });
    }

    /// Seals the clear texts and numbers that hold personal data by their form, and all that is in clear where
    /// the sender says that there is some.
    fn detect(&mut self) {
        if !self.policy.has_detection() {
            return;
        }
        for clear in std::mem::take(&mut self.clear_texts) {
            let is_found = has_personal_data(&clear.text);
            self.plan.has_detected |= is_found;
            let class = self.declared.or(is_found.then_some(FieldClass::Personal));
            if let Some(class) = class {
                let envelope = self.envelope(clear.owner, class);
                let (range, pointer) = (clear.range, clear.pointer);
                if clear.is_text {
                    self.note_text(clear.text, &pointer, envelope);
                }
                self.plan.places.push(SealedPlace { range, pointer, envelope });
            } else {
                self.clear_texts.push(clear);
            }
        }
    }

    /// Seals the clear texts in which a sealed one stands.
    fn spread(&mut self) {
        self.sealed_texts.settle();
        for clear in std::mem::take(&mut self.clear_texts) {
            if clear.is_text
                && let Some(envelope) = self.envelope_of(&clear.pointer, &clear.text)
            {
                let (range, pointer) = (clear.range, clear.pointer);
                self.plan.places.push(SealedPlace { range, pointer, envelope });
            }
        }
    }
}
