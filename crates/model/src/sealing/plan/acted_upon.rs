//! Gives texts that repeat what is sealed for the person acted upon to that person: what is said of them
//! must not outlast them in the words of whoever acted.

use std::borrow::Cow;

use crate::json::{NotCanonical, Value, ValueKind};
use crate::sealing::spread::SealedTexts;
use crate::sealing::subject::Subject;

use super::{Planner, SealingPlan};

/// Begins the pointers to what an event says of whoever acted, which is theirs whatever it repeats.
const OF_ACTOR: &str = "/actor/";

/// Begins the pointers to what an event says of the target.
const OF_TARGET: &str = "/target/";

impl<'a> Planner<'a> {
    /// The person acted upon, where that is not who acted.
    pub(super) fn acted_upon(&self) -> Option<&'a Subject> {
        let people = self.people;
        people.target_person.as_ref().filter(|target| people.actor.as_ref() != Some(*target))
    }

    /// Notes a text that is sealed at the place, where it is a value of the person acted upon: not where it is
    /// only what the event says of whoever acted.
    pub(super) fn note_acted_upon(
        &mut self,
        target: &Subject,
        text: Cow<'a, str>,
        (pointer, envelope): (&str, usize),
    ) {
        if pointer.starts_with(OF_ACTOR) {
            self.texts_of_actor.push(text);
            return;
        }
        let is_theirs = self.plan.envelopes.get(envelope).is_some_and(|one| one.subject == *target);
        let is_actors = !pointer.starts_with(OF_TARGET) && self.texts_of_actor.contains(&text);
        if is_theirs && !is_actors {
            self.texts_acted_upon.note(text, envelope);
        }
    }

    /// Seals for the person acted upon each place that was to be sealed for somebody else and holds one of
    /// their values. Answers whether there was any.
    pub(super) fn give_to_acted_upon(&mut self) -> Result<bool, NotCanonical> {
        self.texts_acted_upon.settle();
        let Some(target) = self.acted_upon() else { return Ok(false) };
        if self.texts_acted_upon.is_empty() {
            return Ok(false);
        }
        let mut is_any_given = false;
        for index in 0..self.plan.places.len() {
            let Some(place) = self.plan.places.get(index) else { break };
            let Some(planned) = self.plan.envelopes.get(place.envelope) else { continue };
            if planned.subject == *target || place.pointer.starts_with(OF_ACTOR) {
                continue;
            }
            let value = Value::new(self.text.get(place.range.clone()).unwrap_or_default());
            if holds_one_of(&self.texts_acted_upon, value)? {
                let class = planned.class;
                let envelope = self.envelope(target, class);
                if let Some(place) = self.plan.places.get_mut(index) {
                    place.envelope = envelope;
                    is_any_given = true;
                }
            }
        }
        Ok(is_any_given)
    }

    /// The envelope that a clear text at the place belongs in, because a sealed one stands in it.
    pub(super) fn envelope_of(&self, pointer: &str, text: &str) -> Option<usize> {
        let of_acted_upon = || self.texts_acted_upon.envelope_of(text);
        let first = (!pointer.starts_with(OF_ACTOR)).then(of_acted_upon).flatten();
        first.or_else(|| self.sealed_texts.envelope_of(text))
    }
}

impl SealingPlan {
    /// Leaves out envelopes whose places were all given to somebody else.
    pub(super) fn drop_empty_envelopes(&mut self) {
        for envelope in (0..self.envelopes.len()).rev() {
            if self.places.iter().all(|place| place.envelope != envelope) {
                self.envelopes.remove(envelope);
                let behind = self.places.iter_mut().filter(|place| place.envelope > envelope);
                behind.for_each(|place| place.envelope -= 1);
            }
        }
    }
}

/// Whether a text in the value holds one of them.
fn holds_one_of(texts: &SealedTexts<'_>, value: Value<'_>) -> Result<bool, NotCanonical> {
    match value.kind() {
        ValueKind::Text => {
            return Ok(value.text().is_some_and(|text| texts.envelope_of(&text).is_some()));
        }
        ValueKind::Object => {
            let mut members = value.members();
            while let Some((_, member)) = members.next_member()? {
                if holds_one_of(texts, member)? {
                    return Ok(true);
                }
            }
        }
        ValueKind::Array => {
            let mut elements = value.elements();
            while let Some(element) = elements.next_element()? {
                if holds_one_of(texts, element)? {
                    return Ok(true);
                }
            }
        }
        ValueKind::Number | ValueKind::Bool | ValueKind::Null => {}
    }
    Ok(false)
}
