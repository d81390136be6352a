//! Reads a retention policy, and names every fault of it.

use ledgerstone_proof::Canonicalizer;

use super::period::Period;
use super::policy::{
    RETENTION_POLICY_BYTES_MAX, RETENTION_RULES_MAX, RetentionPolicy, RetentionRule,
};
use super::preset::RetentionPreset;
use crate::filter::{FieldPath, Filter};
use crate::json::{NotCanonical, Value, ValueKind};
use crate::policy_text::{PolicyFaults, is_name, member, only, read_policy};
use crate::rejection::Rejection;
use crate::sealing::is_clear;

/// Bytes of a rule's name.
const NAME_BYTES_MAX: usize = 64;

/// Characters of a rule's basis.
const BASIS_CHARS_MAX: usize = 200;

const MEMBERS: &[&str] = &["name", "filter", "minimum", "maximum", "basis"];

pub(super) fn parse(
    text: &[u8],
    scratch: &mut Canonicalizer,
) -> Result<RetentionPolicy, Rejection> {
    let reader = read_policy(text, RETENTION_POLICY_BYTES_MAX, scratch, Reader::read)?;
    Ok(RetentionPolicy::new(reader.presets, reader.rules))
}

#[derive(Default)]
struct Reader {
    presets: Vec<RetentionPreset>,
    rules: Vec<RetentionRule>,
}

impl Reader {
    /// Canonical order has the presets first, whose names the rules may not have.
    fn read(&mut self, policy: Value<'_>, faults: &mut PolicyFaults) -> Result<(), NotCanonical> {
        let mut members = policy.members();
        while let Some((key, value)) = members.next_member()? {
            match key.text().as_ref() {
                name @ "presets" => faults
                    .each((name, RETENTION_RULES_MAX), value, |value| Ok(self.preset(value)?))?,
                name @ "rules" => {
                    faults
                        .each((name, RETENTION_RULES_MAX), value, |value| Ok(self.rule(value)?))?;
                }
                other => faults.unknown(other, &["presets", "rules"]),
            }
        }
        Ok(())
    }

    fn preset(&mut self, value: Value<'_>) -> Result<(), String> {
        let preset = value.text().and_then(|name| RetentionPreset::parse(&name));
        let known = || RetentionPreset::all().map(RetentionPreset::as_str).collect::<Vec<_>>();
        let preset = preset.ok_or_else(|| format!("must be one of {}", known().join(", ")))?;
        if self.presets.contains(&preset) {
            return Err(format!("names {} a second time", preset.as_str()));
        }
        self.presets.push(preset);
        Ok(())
    }

    fn rule(&mut self, value: Value<'_>) -> Result<(), String> {
        let rule = read_rule(value)?;
        let of_presets = RetentionPreset::all().flat_map(RetentionPreset::rules);
        let is_taken = of_presets.into_iter().any(|other| other.name == rule.name)
            || self.rules.iter().any(|other| other.name == rule.name);
        if is_taken {
            return Err(format!("has the name {}, which another rule or a preset has", rule.name));
        }
        self.rules.push(rule);
        Ok(())
    }
}

fn read_rule(value: Value<'_>) -> Result<RetentionRule, String> {
    if value.kind() != ValueKind::Object {
        return Err("must be an object with a name and a minimum or a maximum".to_owned());
    }
    only(value, MEMBERS)?;
    let name =
        text(value, "name")?.filter(|name| is_name(name, NAME_BYTES_MAX)).ok_or_else(|| {
            format!("must have a name of 1 to {NAME_BYTES_MAX} characters a-z, 0-9, - and _")
        })?;
    let (minimum, maximum) = (period(value, "minimum")?, period(value, "maximum")?);
    match (minimum, maximum) {
        (None, None) => return Err("must have a minimum or a maximum".to_owned()),
        (Some(least), Some(most)) if most.is_shorter_than(least) => {
            return Err(format!(
                "has the maximum {most}, which is shorter than its minimum {least}"
            ));
        }
        _ => {}
    }
    let basis = text(value, "basis")?;
    if basis.as_ref().is_some_and(|text| !(1..=BASIS_CHARS_MAX).contains(&text.chars().count())) {
        return Err(format!("basis: must have 1 to {BASIS_CHARS_MAX} characters"));
    }
    Ok(RetentionRule { name, filter: filter(value)?, minimum, maximum, basis })
}

fn filter(rule: Value<'_>) -> Result<Filter, String> {
    let Some(value) = member(rule, "filter")? else { return Ok(Filter::All) };
    let filter = Filter::parse(value.raw(), &mut Canonicalizer::new())
        .map_err(|rejection| format!("filter: {rejection}"))?;
    let fields = filter.fields().ok_or_else(|| {
        "filter: looks for words in whole events, of which parts may be sealed; name fields"
            .to_owned()
    })?;
    match fields.into_iter().find(|field| !is_always_clear(field)) {
        None => Ok(filter),
        Some(field) => Err(format!(
            "filter: {field} may be sealed or name a person; retention asks for what is always clear, e.g. event_type, kind, severity, actor.type, target.type, security.data_classification"
        )),
    }
}

fn is_always_clear(field: &FieldPath) -> bool {
    field.record_field().is_some() || is_clear(field.steps())
}

fn period(rule: Value<'_>, name: &str) -> Result<Option<Period>, String> {
    let Some(text) = text(rule, name)? else { return Ok(None) };
    Period::parse(&text).map(Some).map_err(|reason| format!("{name}: {reason}"))
}

fn text(rule: Value<'_>, name: &str) -> Result<Option<String>, String> {
    let Some(value) = member(rule, name)? else { return Ok(None) };
    let text = value.text().ok_or_else(|| format!("{name}: must be a text"))?;
    Ok(Some(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::Canonicalizer;

    use crate::retention::RetentionPolicy;

    #[test]
    fn every_fault_is_named_with_its_place() {
        for (text, words) in [
            ("[]", "must be an object"),
            (r#"{"rule":[]}"#, "/rule: is no member"),
            (r#"{"presets":["gdpr"]}"#, "/presets/0: must be one of standard, hipaa"),
            (r#"{"presets":["pci","pci"]}"#, "/presets/1: names pci a second time"),
            (r#"{"rules":[{"name":"A","minimum":"P1Y"}]}"#, "/rules/0: must have a name"),
            (r#"{"rules":[{"name":"pci","minimum":"P1Y"}]}"#, "has the name pci"),
            (r#"{"rules":[{"name":"a"}]}"#, "a minimum or a maximum"),
            (
                r#"{"rules":[{"name":"a","minimum":"P2Y","maximum":"P1Y"}]}"#,
                "shorter than its minimum P2Y",
            ),
            (r#"{"rules":[{"name":"a","minimum":"1 year"}]}"#, "minimum: must be a period"),
            (r#"{"rules":[{"name":"a","minimum":7}]}"#, "minimum: must be a text"),
            (r#"{"rules":[{"name":"a","minimum":"P1Y","until":1}]}"#, "has until in it"),
            (
                r#"{"rules":[{"name":"a","minimum":"P1Y","filter":{"field":"actr.id","eq":"x"}}]}"#,
                "actor.id is one",
            ),
            (
                r#"{"rules":[{"name":"a","minimum":"P1Y","filter":{"field":"actor.id","eq":"x"}}]}"#,
                "actor.id may be sealed or name a person",
            ),
            (
                r#"{"rules":[{"name":"a","minimum":"P1Y","filter":{"text":"x"}}]}"#,
                "looks for words",
            ),
            (
                r#"{"rules":[{"name":"a","minimum":"P1Y"},{"name":"a","maximum":"P1Y"}]}"#,
                "/rules/1: has the name a",
            ),
            (r#"{"rules":[{"name":"a","minimum":"P1Y","basis":""}]}"#, "basis: must have"),
        ] {
            let error = RetentionPolicy::parse(text.as_bytes(), &mut Canonicalizer::new());
            let error = error.unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn rules_ask_for_clear_fields() {
        let text = br#"{"rules":[{"name":"a","minimum":"P1Y","filter":{"and":[
            {"field":"event_type","like":"call.%"},{"field":"security.data_classification","eq":"PHI"},
            {"not":{"field":"ingested_at","lt":"2024-01-01T00:00:00Z"}},
            {"field":"target.type","in":["patient"]}]}}]}"#;
        assert!(RetentionPolicy::parse(text, &mut Canonicalizer::new()).is_ok());
    }
}
