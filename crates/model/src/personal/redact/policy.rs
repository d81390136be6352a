//! How a tenant wants values shown to those who see them redacted: sanitizers by name, and rules from
//! fields to them, as data.

use std::borrow::Cow;

use ledgerstone_proof::Canonicalizer;

use super::Redaction;
use super::form::{Form, HASH_KEY_BYTES};
use super::sanitizer::{SANITIZER_NAME_BYTES_MAX, Sanitizer};
use crate::json::{NotCanonical, Value};
use crate::json_write::ObjectWriter;
use crate::policy_text::{PolicyFaults, is_name, member, only, read_policy};
use crate::rejection::Rejection;
use crate::sealing::PathPattern;

/// Sanitizers that a policy may define.
pub const SANITIZERS_MAX: usize = 32;

/// Rules that a policy may have.
pub const REDACTION_RULES_MAX: usize = 256;

/// Bytes of a policy's JSON.
pub const REDACTION_POLICY_BYTES_MAX: usize = 64 * 1024;

/// How values of which fields are shown redacted. An empty one leaves it to names and forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactionPolicy {
    sanitizers: Vec<(String, Sanitizer)>,
    /// As they were written.
    rules: Vec<RedactionRule>,
    /// Their places in `rules`, the most precise first.
    by_precision: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct RedactionRule {
    path: PathPattern,
    sanitizer: Named,
}

/// What a rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Kind(Redaction),
    /// Its place among the sanitizers.
    Own(usize),
}

impl RedactionPolicy {
    /// Reads `{"sanitizers":[{"name",…}],"rules":[{"path","sanitizer"}]}`, of which both may be left
    /// out. Names every fault (`INVALID_POLICY`).
    pub fn parse(text: &[u8], scratch: &mut Canonicalizer) -> Result<Self, Rejection> {
        let reader = read_policy(text, REDACTION_POLICY_BYTES_MAX, scratch, Reader::read)?;
        let (sanitizers, rules) = (reader.sanitizers, reader.rules);
        let mut by_precision: Vec<usize> = (0..rules.len()).collect();
        by_precision.sort_by_key(|index| {
            std::cmp::Reverse(rules.get(*index).map(|rule| rule.path.precision()))
        });
        Ok(Self { sanitizers, rules, by_precision })
    }

    /// Appends the canonical JSON that [`Self::parse`] reads the same policy from.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.array("rules", &self.rules, |rule, out| {
            let mut object = ObjectWriter::open(out);
            object.text("path", &rule.path.to_string());
            object.text("sanitizer", self.name_of(rule.sanitizer));
            object.close();
        });
        object.array("sanitizers", &self.sanitizers, |(name, sanitizer), out| {
            sanitizer.write(name, out);
        });
        object.close();
    }

    fn name_of(&self, sanitizer: Named) -> &str {
        match sanitizer {
            Named::Kind(kind) => kind.as_str(),
            Named::Own(index) => self.sanitizers.get(index).map_or("", |(name, _)| name.as_str()),
        }
    }

    /// Whether values are hashed, for which a key is needed.
    pub fn needs_key(&self) -> bool {
        self.sanitizers.iter().any(|(_, sanitizer)| matches!(sanitizer, Sanitizer::Hash))
    }

    pub(super) fn form_at<'f>(
        &'f self,
        names: &[Cow<'_, str>],
        key: Option<&'f [u8; HASH_KEY_BYTES]>,
    ) -> Option<Form<'f>> {
        let rules = self.by_precision.iter().filter_map(|index| self.rules.get(*index));
        let rule = rules.into_iter().find(|rule| rule.path.covers(names))?;
        match rule.sanitizer {
            Named::Kind(kind) => Some(Form::Kind(kind)),
            Named::Own(index) => {
                let (_, sanitizer) = self.sanitizers.get(index)?;
                Some(Form::Sanitizer(sanitizer, key))
            }
        }
    }

    pub(super) fn has_rules_below(&self, names: &[Cow<'_, str>]) -> bool {
        self.rules.iter().any(|rule| rule.path.reaches_below(names))
    }
}

#[derive(Default)]
struct Reader {
    sanitizers: Vec<(String, Sanitizer)>,
    rules: Vec<RedactionRule>,
}

impl Reader {
    fn read(&mut self, policy: Value<'_>, faults: &mut PolicyFaults) -> Result<(), NotCanonical> {
        let mut rules = None;
        let mut members = policy.members();
        while let Some((key, value)) = members.next_member()? {
            match key.text().as_ref() {
                "rules" => rules = Some(value),
                name @ "sanitizers" => {
                    faults
                        .each((name, SANITIZERS_MAX), value, |value| Ok(self.sanitizer(value)?))?;
                }
                other => faults.unknown(other, &["sanitizers", "rules"]),
            }
        }
        // Rules name sanitizers, which are read by now.
        let Some(rules) = rules else { return Ok(()) };
        faults.each(("rules", REDACTION_RULES_MAX), rules, |value| Ok(self.rule(value)?))
    }

    fn sanitizer(&mut self, value: Value<'_>) -> Result<(), String> {
        let name = member(value, "name")?.and_then(Value::text).unwrap_or_default();
        if !is_name(&name, SANITIZER_NAME_BYTES_MAX) {
            return Err(format!(
                "must have a name of 1 to {SANITIZER_NAME_BYTES_MAX} characters a-z, 0-9, - and _"
            ));
        }
        if Redaction::parse(&name).is_some() || self.place_of(&name).is_some() {
            return Err(format!("has the name {name}, which there is already"));
        }
        let sanitizer = Sanitizer::parse(value)?;
        self.sanitizers.push((name.into_owned(), sanitizer));
        Ok(())
    }

    fn rule(&mut self, value: Value<'_>) -> Result<(), String> {
        only(value, &["path", "sanitizer"])?;
        let text = |name| Ok::<_, String>(member(value, name)?.and_then(Value::text));
        let (Some(path), Some(name)) = (text("path")?, text("sanitizer")?) else {
            return Err("must be an object with path and sanitizer".to_owned());
        };
        let path = PathPattern::parse(&path).map_err(|reason| format!("path {reason}"))?;
        if self.rules.iter().any(|rule| rule.path == path) {
            return Err(format!("is the second rule about {path}; keep one"));
        }
        let own = || self.place_of(&name).map(Named::Own);
        let named = Redaction::parse(&name).map(Named::Kind).or_else(own);
        let sanitizer =
            named.ok_or_else(|| format!("names the sanitizer {name}, and there is none"))?;
        self.rules.push(RedactionRule { path, sanitizer });
        Ok(())
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        self.sanitizers.iter().position(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::RedactionPolicy;
    use crate::personal::redact::Forms;
    use ledgerstone_proof::{Canonicalizer, canonicalize};

    fn parse(text: &str) -> Result<RedactionPolicy, String> {
        RedactionPolicy::parse(text.as_bytes(), &mut Canonicalizer::new())
            .map_err(|error| error.to_string())
    }

    const POLICY: &str = r#"{
        "sanitizers":[
            {"name":"account","pattern":"\\b(\\d{4})\\d{8}\\b","replacement":"$1********"},
            {"name":"gone","fixed":"(not shown)"},{"name":"pseudonym","hash":true},
            {"name":"start","truncate":3}],
        "rules":[
            {"path":"data","sanitizer":"gone"},{"path":"data.*.account","sanitizer":"account"},
            {"path":"data.after.account.id","sanitizer":"pseudonym"},
            {"path":"metadata.caller","sanitizer":"phone"},{"path":"metadata","sanitizer":"start"}]}"#;

    #[test]
    fn the_most_precise_rule_says_how_a_place_is_shown() {
        let policy = parse(POLICY).unwrap();
        let key = [7; 32];
        let forms = Forms::of(&policy, Some(&key));
        let shown = |names: &[&'static str], text: &str| {
            let names: Vec<_> = names.iter().map(|name| (*name).into()).collect();
            forms.declared_at(&names).map(|form| form.apply(text))
        };
        let account = "account 123456789012";
        assert_eq!(shown(&["data", "x"], "y").as_deref(), Some("(not shown)"));
        assert_eq!(
            shown(&["data", "x", "account"], account).as_deref(),
            Some("account 1234********")
        );
        assert_eq!(shown(&["metadata", "caller"], "+12345678901").as_deref(), Some("+12345****"));
        assert_eq!(shown(&["metadata", "note"], "abcdef").as_deref(), Some("abc****"));
        assert_eq!(shown(&["actor", "name"], "Ana"), None);
        let hashed = shown(&["data", "after", "account", "id"], "ana").unwrap();
        assert!(hashed.starts_with("sha256:"), "{hashed}");
        assert!(forms.has_any_below(&["data".into()]) && policy.needs_key());
        // Without the key nothing is told, not even that two values are the same.
        let names = ["data", "after", "account", "id"].map(std::convert::Into::into);
        let form = Forms::of(&policy, None).declared_at(&names).unwrap();
        assert_eq!(form.apply("ana"), "****");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["{}", POLICY] {
            let policy = parse(text).unwrap();
            let mut written = Vec::new();
            policy.write(&mut written);
            assert_eq!(canonicalize(&written).unwrap(), written);
            assert_eq!(parse(std::str::from_utf8(&written).unwrap()), Ok(policy));
        }
        assert!(!parse("{}").unwrap().needs_key());
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        let many = |count: usize, one: &str| vec![one; count].join(",");
        for (text, words) in [
            ("[]".to_owned(), "must be an object"),
            (r#"{"colour":1}"#.to_owned(), "/colour: is no member"),
            (r#"{"rules":{}}"#.to_owned(), "/rules: must be an array of at most 256"),
            (format!(r#"{{"sanitizers":[{}]}}"#, many(33, "1")), "/sanitizers: must be an array"),
            (r#"{"rules":[{"path":"data"}]}"#.to_owned(), "/rules/0: must be an object with"),
            (
                r#"{"rules":[{"path":"data","sanitizer":"nope"}]}"#.to_owned(),
                "/rules/0: names the sanitizer nope, and there is none",
            ),
            (
                r#"{"rules":[{"path":"nothing","sanitizer":"phone"}]}"#.to_owned(),
                "/rules/0: path names no field",
            ),
            (
                r#"{"rules":[{"path":"data","sanitizer":"phone"},{"path":"/data","sanitizer":"whole"}]}"#.to_owned(),
                "/rules/1: is the second rule about data",
            ),
            (r#"{"sanitizers":[{"name":"A","hash":true}]}"#.to_owned(), "must have a name"),
            (r#"{"sanitizers":[{"name":"phone","hash":true}]}"#.to_owned(), "there is already"),
            (
                r#"{"sanitizers":[{"name":"a","hash":true},{"name":"a","hash":true}]}"#.to_owned(),
                "/sanitizers/1: has the name a",
            ),
            (
                r#"{"sanitizers":[{"name":"a","pattern":"(","replacement":"***"}]}"#.to_owned(),
                "/sanitizers/0: pattern cannot be used: unclosed group, at character 1",
            ),
            (
                r#"{"sanitizers":[{"name":"a","pattern":"((a{100}){100}){100}","replacement":"***"}]}"#.to_owned(),
                "compiled",
            ),
        ] {
            let reason = parse(&text).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
    }
}
