//! The fields that a rule of a policy is about: `actor.email`, `data`, `data.*.password`.

use std::fmt;

use super::clear_paths::is_clear;
use crate::nearest::nearest;
use crate::rejection::{pointer_push, pointer_steps};
use crate::schema_path::SchemaPlace;

const STEPS_MAX: usize = 16;

const BYTES_MAX: usize = 512;

/// A path and everything below it; `*` stands for one name, whatever it is. Elements of arrays have
/// no names and are passed through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPattern {
    steps: Vec<PatternStep>,
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PatternStep {
    Name(String),
    Any,
}

impl PathPattern {
    /// Reads names with dots between, or a JSON pointer. The error says why no event could ever
    /// have such a field.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("has {} bytes; at most {BYTES_MAX} are allowed", text.len()));
        }
        let names: Vec<String> = match text.strip_prefix('/') {
            Some(_) => pointer_steps(text).collect(),
            None => text.split('.').map(str::to_owned).collect(),
        };
        if names.len() > STEPS_MAX {
            return Err(format!("has {} steps; at most {STEPS_MAX} are allowed", names.len()));
        }
        if names.iter().any(String::is_empty) {
            return Err("has an empty name in it; write it like actor.email or data.*".to_owned());
        }
        let steps: Vec<PatternStep> = names.into_iter().map(PatternStep::of).collect();
        check_leads_somewhere(&steps)?;
        Ok(Self { steps })
    }

    /// The steps from the event down; never empty.
    pub fn steps(&self) -> &[PatternStep] {
        &self.steps
    }

    /// Whether the place or one above it is meant.
    pub fn covers<S: AsRef<str>>(&self, names: &[S]) -> bool {
        self.steps.len() <= names.len() && self.fits(names)
    }

    /// Whether something below the place is meant.
    pub fn reaches_below<S: AsRef<str>>(&self, names: &[S]) -> bool {
        self.steps.len() > names.len() && self.fits(names)
    }

    /// Whether every place that the other is about is among its own.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let fits =
            |(step, one): (&PatternStep, &PatternStep)| *step == PatternStep::Any || step == one;
        self.steps.len() <= other.steps.len() && self.steps.iter().zip(&other.steps).all(fits)
    }

    /// The places that it and another of as many steps are about, and that may be sealed; `None` where no event has
    /// such a field.
    pub(super) fn both(&self, other: &Self) -> Option<Self> {
        if self.steps.len() != other.steps.len() {
            return None;
        }
        let steps = self.steps.iter().zip(&other.steps).map(|pair| match pair {
            (PatternStep::Any, step) | (step, PatternStep::Any) => Some(step.clone()),
            (one, other) => (one == other).then(|| one.clone()),
        });
        let both = Self { steps: steps.collect::<Option<_>>()? };
        (check_leads_somewhere(&both.steps).is_ok() && !both.is_always_clear()).then_some(both)
    }

    /// Whether the place of this name in the event, something below it or all of it is meant.
    pub fn begins_with(&self, name: &str) -> bool {
        self.steps.first().is_some_and(|step| step.is_met_by(name))
    }

    /// Whether every place it is about is the member of the event of this name, or below it.
    pub fn is_in(&self, member: &str) -> bool {
        matches!(self.steps.first(), Some(PatternStep::Name(name)) if name == member)
    }

    /// Whether every place it is about stays in clear, whatever a policy says.
    pub(super) fn is_always_clear(&self) -> bool {
        let named = self.steps.iter().map_while(|step| match step {
            PatternStep::Name(name) => Some(name.as_str()),
            PatternStep::Any => None,
        });
        is_clear(&named.collect::<Vec<_>>())
    }

    fn fits<S: AsRef<str>>(&self, names: &[S]) -> bool {
        self.steps.iter().zip(names).all(|(step, name)| step.is_met_by(name.as_ref()))
    }

    /// Rules that say more come first: more steps, then fewer `*`.
    pub fn precision(&self) -> (usize, usize) {
        let named = self.steps.iter().filter(|step| **step != PatternStep::Any).count();
        (self.steps.len(), named)
    }
}

impl PatternStep {
    fn of(name: String) -> Self {
        if name == "*" { Self::Any } else { Self::Name(name) }
    }

    fn is_met_by(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Name(own) => own == name,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Name(name) => name,
        }
    }
}

fn check_leads_somewhere(steps: &[PatternStep]) -> Result<(), String> {
    let mut places = vec![SchemaPlace::Event];
    for (index, step) in steps.iter().enumerate() {
        let below: Vec<SchemaPlace> = match step {
            PatternStep::Any => places.iter().flat_map(|place| place.below_any()).collect(),
            PatternStep::Name(name) => {
                places.iter().filter_map(|place| place.below(name)).collect()
            }
        };
        if below.is_empty() {
            let above = steps.get(..index).unwrap_or_default();
            return Err(unknown(&places, above, step.as_str()));
        }
        places = below;
    }
    Ok(())
}

/// Says that nothing of this name stands there, and what does.
fn unknown(places: &[SchemaPlace], above: &[PatternStep], name: &str) -> String {
    let written = |name: &str| {
        above.iter().map(PatternStep::as_str).chain([name]).collect::<Vec<_>>().join(".")
    };
    let asked = written(name);
    let mut known: Vec<&str> = places.iter().flat_map(|place| place.names()).collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        let above = above.iter().map(PatternStep::as_str).collect::<Vec<_>>().join(".");
        return format!("names no field of an event: nothing stands below {above}");
    }
    match nearest(name, known.iter().copied()) {
        Some(one) => {
            format!("names no field of an event: there is no {asked}; {} is one", written(one))
        }
        None => {
            let known: Vec<String> = known.into_iter().map(written).collect();
            format!(
                "names no field of an event: there is no {asked}; there are {}",
                known.join(", ")
            )
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.steps.iter().map(PatternStep::as_str).collect();
        if names.iter().all(|name| !name.contains(['.', '/'])) {
            return f.write_str(&names.join("."));
        }
        let mut pointer = String::new();
        for name in names {
            pointer_push(&mut pointer, name);
        }
        f.write_str(&pointer)
    }
}

#[cfg(test)]
mod tests {
    use super::PathPattern;

    fn pattern(text: &str) -> PathPattern {
        PathPattern::parse(text).unwrap()
    }

    #[test]
    fn a_pattern_covers_its_place_and_all_below() {
        let data = pattern("data");
        assert!(data.covers(&["data"]) && data.covers(&["data", "after", "x"]));
        assert!(!data.covers(&["actor"]) && !data.reaches_below(&["data"]));
        let any = pattern("data.*.password");
        assert!(any.covers(&["data", "after", "password", "x"]));
        assert!(!any.covers(&["data", "after"]));
        assert!(any.reaches_below(&["data"]) && any.reaches_below(&["data", "before"]));
        assert!(!any.reaches_below(&["actor"]));
        assert!(any.precision() > pattern("data.*").precision());
        assert!(pattern("data.after").precision() > pattern("data.*").precision());
    }

    #[test]
    fn a_pattern_that_no_event_can_meet_is_refused() {
        for text in ["", "actr", "actor.id.x", "actor.*.x", "data..x", "intake.x", "severity.*"] {
            assert!(PathPattern::parse(text).is_err(), "{text}");
        }
        for text in ["*", "actor.*", "*.id", "intake.original", "metadata.a.b", "/data/after/a.b"] {
            assert_eq!(pattern(text).to_string(), text);
        }
        assert!(PathPattern::parse(&vec!["*"; 17].join(".")).is_err());
    }
}
