//! The stages `open` and `redact` of the road out: a stored event as one caller sees it.
//!
//! Envelopes are opened as far as the caller's [`Sight`] reaches and there are keys; what the caller
//! sees redacted is redacted, and also where it stands in clear. What is not seen as it was sent is
//! listed. What cannot be opened fails nothing: it is not shown, and the list says why.

mod as_recorded;
mod hidden;
mod own;
mod redacting;
mod sealed_for;

use std::collections::HashSet;

use ledgerstone_proof::SequenceNumber;
use zeroize::Zeroizing;

use crate::access::{Sight, View};
use crate::json::{NotCanonical, Value};
use crate::personal::redact::Forms;
use crate::sealing::opening::{EnvelopeValues, GONE, OpenedEvent, PutBack, put_back};
use crate::sealing::plan::ENVELOPES;
use crate::sealing::{Envelope, EnvelopePlace, FieldClass, FieldPolicy, SealingKeyId, SubjectKey};

pub use as_recorded::{departure, is_in_clear};
pub use hidden::{HiddenPart, Why};
pub use own::{Own, OwnRole};

/// Stands in the place of a value that is hidden, so that it looks like one that is redacted whole.
const HIDDEN: &[u8] = br#""****""#;

/// What is known of the key of an envelope.
#[derive(Clone, Debug)]
pub enum KeyState {
    Held(SubjectKey),
    /// It is gone for good; the number is that of the record that certifies it, where there is one.
    Destroyed(Option<SequenceNumber>),
    /// There is one, and it cannot be had now.
    Unavailable,
    /// The tenant never had such a key.
    Unknown,
}

/// What decides how much of an event is seen.
#[derive(Clone, Copy, Debug)]
pub struct Visibility<'p> {
    pub sight: Sight,
    /// The tenant's policy as it is now: what it would seal today is not shown where it stands in
    /// clear, because it is older than the policy.
    pub fields: &'p FieldPolicy,
    /// How it wants values shown to those who see them redacted.
    pub forms: Forms<'p>,
    /// Whose own values are shown whole all the same; `None` for nobody's.
    pub own: Option<Own<'p>>,
}

impl Visibility<'_> {
    /// How much is seen of what is in an envelope.
    fn view_of(&self, envelope: &Envelope) -> View {
        match self.own {
            Some(own) if own.has_envelope(envelope) => View::Shown,
            _ => self.sight.view(envelope.class()),
        }
    }
}

/// A stored event whose envelopes are read.
#[derive(Debug)]
pub struct ReadEvent<'a> {
    text: &'a [u8],
    /// `None` for what is no envelope.
    envelopes: Vec<Option<Envelope>>,
}

/// An event as one caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenEvent {
    text: Vec<u8>,
    hidden: Vec<HiddenPart>,
    opened: Vec<(SealingKeyId, View)>,
}

impl SeenEvent {
    /// The canonical event, with everything replaced that is not seen.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// What is not seen as it was sent, by pointer.
    pub fn hidden(&self) -> &[HiddenPart] {
        &self.hidden
    }

    /// The keys that envelopes were opened with, and how much of what was in them is seen.
    pub fn opened(&self) -> &[(SealingKeyId, View)] {
        &self.opened
    }

    pub fn into_parts(self) -> (Vec<u8>, Vec<HiddenPart>, Vec<(SealingKeyId, View)>) {
        (self.text, self.hidden, self.opened)
    }
}

impl<'a> ReadEvent<'a> {
    /// Reads the envelopes of a stored event, which is canonical.
    pub fn read(text: &'a [u8]) -> Result<Self, NotCanonical> {
        let mut envelopes = Vec::new();
        if let Some(sealed) = Value::new(text).member(ENVELOPES)? {
            let mut elements = sealed.elements();
            while let Some(element) = elements.next_element()? {
                envelopes.push(Envelope::parse(element).ok());
            }
        }
        Ok(Self { text, envelopes })
    }

    /// Whether all its envelopes can be read, so that nobody else has something sealed in it than
    /// [`Self::key_ids`] tell.
    pub fn is_whole(&self) -> bool {
        self.envelopes.iter().all(Option::is_some)
    }

    /// The keys of all its envelopes that can be read; perhaps repeatedly.
    pub fn key_ids(&self) -> impl Iterator<Item = &SealingKeyId> {
        self.envelopes.iter().flatten().map(Envelope::key_id)
    }

    /// The keys without which something is not seen that this sight reaches; perhaps repeatedly.
    pub fn keys_for(&self, sight: Sight) -> impl Iterator<Item = &SealingKeyId> {
        let envelopes = self.envelopes.iter().flatten();
        let reached = envelopes.filter(move |one| sight.view(one.class()) > View::Hidden);
        reached.map(Envelope::key_id)
    }

    /// The event as it is seen. `key_of` is asked for the keys of [`Self::keys_for`].
    pub fn seen(
        &self,
        place: EnvelopePlace<'_>,
        visibility: Visibility<'_>,
        key_of: impl Fn(&SealingKeyId) -> KeyState,
    ) -> Result<SeenEvent, NotCanonical> {
        let sight = visibility.sight;
        if self.envelopes.is_empty() && sight.is_everything() {
            let text = self.text.to_vec();
            return Ok(SeenEvent { text, hidden: Vec::new(), opened: Vec::new() });
        }
        let contents =
            self.envelopes.iter().map(|one| Contents::of(one.as_ref(), place, visibility, &key_of));
        let contents: Vec<Contents> = contents.collect();
        let opened = self.opened_keys(&contents, visibility);
        let values: Vec<_> = contents.iter().map(Contents::values).collect();
        let event = put_back(self.text, &values)?;
        let shut = event.places.iter().filter(|place| !place.is_open);
        let shut = shut.map(|place| {
            let class = self.class_of(place.envelope);
            let (why, certificate) =
                contents.get(place.envelope).map_or((Why::Damaged, None), Contents::why);
            HiddenPart::value(place.pointer.clone(), class, why).certified_by(certificate)
        });
        let mut hidden: Vec<HiddenPart> = shut.collect();
        let text = if sight.is_everything() {
            event.text.to_vec()
        } else {
            let found = (self.floors(&event, visibility), self.own_places(&event, visibility));
            redacting::redact(&event.text, found, visibility, &mut hidden)?
        };
        Ok(SeenEvent { text, hidden, opened })
    }

    fn class_of(&self, envelope: usize) -> Option<FieldClass> {
        self.envelopes.get(envelope)?.as_ref().map(Envelope::class)
    }

    fn is_own(&self, place: &PutBack, visibility: Visibility<'_>) -> bool {
        let envelope = self.envelopes.get(place.envelope).and_then(Option::as_ref);
        let is_theirs = |(one, own): (&Envelope, Own<'_>)| own.has_sealed(one, &place.pointer);
        envelope.zip(visibility.own).is_some_and(is_theirs)
    }

    /// The places whose values are somebody's own.
    fn own_places<'e>(
        &self,
        event: &'e OpenedEvent,
        visibility: Visibility<'_>,
    ) -> HashSet<&'e str> {
        let open = event.places.iter().filter(|place| place.is_open);
        let own = open.filter(|place| self.is_own(place, visibility));
        own.map(|place| place.pointer.as_str()).collect()
    }

    /// The class of every other place whose value came out of an envelope.
    fn floors<'e>(
        &self,
        event: &'e OpenedEvent,
        visibility: Visibility<'_>,
    ) -> redacting::Floors<'e> {
        let open = event.places.iter().filter(|place| place.is_open);
        let open = open.filter(|place| !self.is_own(place, visibility));
        open.filter_map(|place| Some((place.pointer.as_str(), self.class_of(place.envelope)?)))
            .collect()
    }

    fn opened_keys(
        &self,
        contents: &[Contents],
        visibility: Visibility<'_>,
    ) -> Vec<(SealingKeyId, View)> {
        let both = self.envelopes.iter().zip(contents);
        let open = both.filter(|(_, contents)| matches!(contents, Contents::Open(_)));
        let envelopes = open.filter_map(|(envelope, _)| envelope.as_ref());
        envelopes.map(|one| (*one.key_id(), visibility.view_of(one))).collect()
    }
}

/// What could be had of one envelope.
enum Contents {
    Open(Zeroizing<Vec<u8>>),
    Shut(Why, Option<SequenceNumber>),
}

impl Contents {
    fn of(
        envelope: Option<&Envelope>,
        place: EnvelopePlace<'_>,
        visibility: Visibility<'_>,
        key_of: &impl Fn(&SealingKeyId) -> KeyState,
    ) -> Self {
        let Some(envelope) = envelope else {
            return Self::Shut(Why::Damaged, None);
        };
        if visibility.view_of(envelope) == View::Hidden {
            return Self::Shut(Why::Hidden, None);
        }
        match key_of(envelope.key_id()) {
            KeyState::Held(key) => {
                envelope.open(&key, place).map_or(Self::Shut(Why::Damaged, None), Self::Open)
            }
            KeyState::Destroyed(certificate) => Self::Shut(Why::Erased, certificate),
            KeyState::Unavailable => Self::Shut(Why::Unavailable, None),
            KeyState::Unknown => Self::Shut(Why::Damaged, None),
        }
    }

    fn values(&self) -> EnvelopeValues<'_> {
        match self {
            Self::Open(text) => EnvelopeValues::read(text).unwrap_or(EnvelopeValues::Shut(GONE)),
            Self::Shut(Why::Hidden, _) => EnvelopeValues::Shut(HIDDEN),
            Self::Shut(..) => EnvelopeValues::Shut(GONE),
        }
    }

    /// Why a place of it has no value.
    const fn why(&self) -> (Why, Option<SequenceNumber>) {
        match self {
            Self::Open(_) => (Why::Damaged, None),
            Self::Shut(why, certificate) => (*why, *certificate),
        }
    }
}
