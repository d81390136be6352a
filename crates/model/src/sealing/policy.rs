//! What a tenant seals: rules from fields to classes, as data.

use ledgerstone_proof::Canonicalizer;

use super::class::FieldClass;
use super::clear_paths::{clear_list, is_clear, is_partly_clear};
use super::contradiction::{Contradiction, contradictions};
use super::preset::{
    Preset, rules_of_audit_records, rules_of_hold_acts, rules_of_rectifications,
    rules_of_server_records,
};
use super::rule::{FieldRule, NamedPeople};
use crate::json::{NotCanonical, Value};
use crate::json_write::ObjectWriter;
use crate::policy_text::{ElementFault, PolicyFaults, read_policy};
use crate::rejection::Rejection;

/// Rules that a policy may have.
pub const POLICY_RULES_MAX: usize = 256;

/// Person types that a policy may name.
pub const PERSON_TYPES_MAX: usize = 64;

/// Bytes of a policy's JSON.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of the name of a person type.
const PERSON_TYPE_BYTES_MAX: usize = 128;

/// Which fields are sealed, and under whose keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPolicy {
    preset: Preset,
    /// Those of the preset and the tenant's own, the most precise first.
    rules: Vec<FieldRule>,
    own_rules: Vec<FieldRule>,
    person_types: Vec<String>,
    has_detection: bool,
}

impl FieldPolicy {
    /// The policy that a preset is, without rules of the tenant's own.
    pub fn of_preset(preset: Preset) -> Self {
        let person_types = preset.person_types().map(str::to_owned).collect();
        Self::assemble(preset, Vec::new(), person_types, preset != Preset::None)
    }

    /// What is personal of the `audit` records that the server writes itself.
    pub fn of_server_records() -> Self {
        let rules = rules_of_server_records();
        let none = Self::of_preset(Preset::None);
        Self::assemble(Preset::None, rules, none.person_types, true)
    }

    /// What is sealed of the `audit` records that the server writes: name, addresses and words of
    /// whoever acted, and what callers looked for.
    pub fn of_audit_records() -> Self {
        Self::assemble(Preset::None, rules_of_audit_records(), Vec::new(), false)
    }

    /// The same of those about holds, whose words are not the acting person's alone.
    pub fn of_hold_acts() -> Self {
        Self::assemble(Preset::None, rules_of_hold_acts(), Vec::new(), false)
    }

    /// What is sealed of a rectification: the corrections, as a whole.
    pub fn of_rectifications(class: FieldClass) -> Self {
        Self::assemble(Preset::None, rules_of_rectifications(class), Vec::new(), false)
    }

    fn assemble(
        preset: Preset,
        own_rules: Vec<FieldRule>,
        person_types: Vec<String>,
        has_detection: bool,
    ) -> Self {
        // Among equally precise ones the tenant's own come first, those of people before the others, and then the
        // stricter, in whatever order they were written.
        let mut rules = own_rules.clone();
        rules.sort_by_key(|rule| {
            (!rule.people_only(), std::cmp::Reverse(rule.class()), rule.is_searchable())
        });
        rules.extend(preset.rules());
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.path().precision()));
        Self { preset, rules, own_rules, person_types, has_detection }
    }

    /// Reads `{"preset","rules":[{"path","class","owner","searchable","people_only"}],"person_types","detection"}`,
    /// of which every member may be left out. Names every fault (`INVALID_POLICY`), rules that would
    /// seal nothing among them.
    pub fn parse(text: &[u8], scratch: &mut Canonicalizer) -> Result<Self, Rejection> {
        read_policy(text, POLICY_BYTES_MAX, scratch, PolicyReader::read_new).map(Self::of_reader)
    }

    /// The same of a policy that is recorded: what it asks for is not judged again, as a ledger must be
    /// read for ever.
    pub fn parse_recorded(text: &[u8], scratch: &mut Canonicalizer) -> Result<Self, Rejection> {
        read_policy(text, POLICY_BYTES_MAX, scratch, PolicyReader::read).map(Self::of_reader)
    }

    fn of_reader(reader: PolicyReader) -> Self {
        let preset = reader.preset.unwrap_or(Preset::Standard);
        let default = Self::of_preset(preset);
        Self::assemble(
            preset,
            reader.rules,
            reader.person_types.unwrap_or(default.person_types),
            reader.has_detection.unwrap_or(default.has_detection),
        )
    }

    /// Appends the canonical JSON that [`Self::parse`] reads the same policy from.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        object.boolean("detection", self.has_detection);
        object.texts("person_types", &self.person_types);
        object.text("preset", self.preset.as_str());
        object.array("rules", &self.own_rules, FieldRule::write);
        object.close();
    }

    /// The same policy with the rules of its preset written out as its own.
    #[must_use]
    pub fn written_out(&self) -> Self {
        let mut rules: Vec<FieldRule> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let hides = |earlier: &FieldRule| {
                earlier.path() == rule.path() && (!earlier.people_only() || rule.people_only())
            };
            if !rules.iter().any(hides) {
                rules.push(rule.clone());
            }
        }
        Self::assemble(Preset::None, rules, self.person_types.clone(), self.has_detection)
    }

    /// Every rule, those of the preset among them; the first that covers a place counts. Before the others come those
    /// of the more precise path, the tenant's own, those of people alone, and the stricter class.
    pub fn rules(&self) -> &[FieldRule] {
        &self.rules
    }

    /// The rule for a place, whoever it is about: the most precise of those that cover it.
    pub fn rule_at<S: AsRef<str>>(&self, names: &[S]) -> Option<&FieldRule> {
        self.rules.iter().find(|rule| rule.path().covers(names))
    }

    /// The rule for a place of an event that names these people; none for what always stays in clear.
    pub fn rule_for<S: AsRef<str>>(&self, names: &[S], people: NamedPeople) -> Option<&FieldRule> {
        if is_clear(names) {
            return None;
        }
        let member = names.first().map_or("", AsRef::as_ref);
        self.rules.iter().find(|rule| rule.counts(member, people) && rule.path().covers(names))
    }

    /// Whether something below the place may be handled in another way than the place itself.
    pub fn is_divided<S: AsRef<str>>(&self, names: &[S]) -> bool {
        is_partly_clear(names) || self.rules.iter().any(|rule| rule.path().reaches_below(names))
    }

    /// Whether actors and targets of this type are people.
    pub fn is_person(&self, kind: &str) -> bool {
        self.person_types.iter().any(|person| person == kind)
    }

    /// The same policy, by which a type is a person's as well.
    #[must_use]
    pub fn with_person_type(&self, kind: &str) -> Self {
        let mut policy = self.clone();
        if !policy.is_person(kind) {
            policy.person_types.push(kind.to_owned());
        }
        policy
    }

    /// What whoever asks after a person is to know of the type, where it is none of `person_types`: which there
    /// are, and which of them differs in case alone.
    pub fn note_on_type(&self, kind: &str) -> Option<String> {
        if self.is_person(kind) {
            return None;
        }
        let known = self.person_types.join(", ");
        let near = self.person_types.iter().find(|one| one.to_lowercase() == kind.to_lowercase());
        let near = near.map(|near| format!("; case counts, and `{near}` is one"));
        Some(format!(
            "`{kind}` is none of the types of people that the policy `sealing` names ({known}){}: what events say of \
             such a target is sealed for whoever acted, and goes with an erasure as whole contents alone; where such are \
             people, name the type in `person_types` of that policy (`ledgerstone policies set sealing`) before more comes in",
            near.unwrap_or_default()
        ))
    }

    /// Whether texts that no rule is about are searched for personal data.
    pub const fn has_detection(&self) -> bool {
        self.has_detection
    }

    /// Whether anything could ever be sealed.
    pub fn seals_nothing(&self) -> bool {
        !self.has_detection && self.rules.iter().all(|rule| !rule.class().is_sealed())
    }
}

const MEMBERS: &[&str] = &["preset", "rules", "person_types", "detection"];

#[derive(Default)]
struct PolicyReader {
    preset: Option<Preset>,
    has_detection: Option<bool>,
    person_types: Option<Vec<String>>,
    rules: Vec<FieldRule>,
    is_new: bool,
}

impl PolicyReader {
    fn read_new(
        &mut self,
        policy: Value<'_>,
        faults: &mut PolicyFaults,
    ) -> Result<(), NotCanonical> {
        self.is_new = true;
        self.read(policy, faults)?;
        if faults.is_empty() {
            let preset = self.preset.unwrap_or(Preset::Standard).rules();
            for Contradiction { index, member, reason } in contradictions(&self.rules, &preset) {
                faults.add(&["rules", &index.to_string(), member], reason);
            }
        }
        Ok(())
    }

    fn read(&mut self, policy: Value<'_>, faults: &mut PolicyFaults) -> Result<(), NotCanonical> {
        let mut members = policy.members();
        while let Some((key, value)) = members.next_member()? {
            match key.text().as_ref() {
                "preset" => self.preset(value, faults),
                "detection" => self.detection(value, faults),
                name @ "person_types" => {
                    let types = self.person_types.insert(Vec::new());
                    faults.each((name, PERSON_TYPES_MAX), value, |value| {
                        types.push(person_type(value)?);
                        Ok(())
                    })?;
                }
                name @ "rules" => {
                    faults.each((name, POLICY_RULES_MAX), value, |value| self.rule(value))?;
                }
                other => faults.unknown(other, MEMBERS),
            }
        }
        Ok(())
    }

    fn preset(&mut self, value: Value<'_>, faults: &mut PolicyFaults) {
        self.preset = value.text().and_then(|name| Preset::parse(&name));
        if self.preset.is_none() {
            faults.add(&["preset"], format!("must be one of {}", Preset::names()));
        }
    }

    fn detection(&mut self, value: Value<'_>, faults: &mut PolicyFaults) {
        self.has_detection = value.boolean();
        if self.has_detection.is_none() {
            faults.add(&["detection"], "must be true or false");
        }
    }

    fn rule(&mut self, value: Value<'_>) -> Result<(), ElementFault> {
        let rule = FieldRule::read(value)?;
        if self.is_new && rule.seals_nothing() {
            let reason = format!(
                "stays in clear whatever a policy says, as these do: {}; leave the rule out",
                clear_list()
            );
            return Err(ElementFault::of_member("path", reason));
        }
        let is_same =
            |one: &FieldRule| one.path() == rule.path() && one.people_only() == rule.people_only();
        if self.rules.iter().any(is_same) {
            return Err(format!("is the second rule about {}; keep one", rule.path()).into());
        }
        self.rules.push(rule);
        Ok(())
    }
}

fn person_type(value: Value<'_>) -> Result<String, String> {
    let text = value.text().filter(|text| (1..=PERSON_TYPE_BYTES_MAX).contains(&text.len()));
    let must_be = || format!("must be a string of 1 to {PERSON_TYPE_BYTES_MAX} bytes");
    Ok(text.ok_or_else(must_be)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::FieldPolicy;
    use crate::sealing::{FieldClass, FieldOwner, FieldRule, NamedPeople, Preset};
    use ledgerstone_proof::{Canonicalizer, canonicalize};

    fn parse(text: &str) -> Result<FieldPolicy, String> {
        FieldPolicy::parse(text.as_bytes(), &mut Canonicalizer::new())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_most_precise_rule_counts() {
        let policy = parse(
            r#"{"preset":"none","rules":[
                {"path":"data","class":"personal"},
                {"path":"data.*.status","class":"public"},
                {"path":"data.after.status","class":"secret","owner":"target","searchable":true}]}"#,
        )
        .unwrap();
        let class = |names: &[&str]| policy.rule_at(names).map(FieldRule::class);
        assert_eq!(class(&["data", "after", "x"]), Some(FieldClass::Personal));
        assert_eq!(class(&["data", "before", "status"]), Some(FieldClass::Public));
        let rule = policy.rule_at(&["data", "after", "status", "deeper"]).unwrap();
        assert_eq!((rule.class(), rule.owner()), (FieldClass::Secret, FieldOwner::Target));
        assert!(rule.is_searchable());
        assert_eq!(class(&["actor", "name"]), None);
        assert!(policy.is_divided(&["data"]) && !policy.is_divided(&["metadata"]));
        assert!(!policy.has_detection() && !policy.seals_nothing());
    }

    #[test]
    fn of_equally_precise_rules_the_stricter_counts_in_whatever_order() {
        let any = r#"{"path":"data.*.x","class":"personal"}"#;
        let after = r#"{"path":"data.after.*","class":"secret"}"#;
        for rules in [[any, after], [after, any]] {
            let policy = parse(&format!(r#"{{"rules":[{}]}}"#, rules.join(","))).unwrap();
            let class = |names: &[&str]| policy.rule_at(names).map(FieldRule::class);
            assert_eq!(class(&["data", "after", "x"]), Some(FieldClass::Secret), "{rules:?}");
            assert_eq!(class(&["data", "before", "x"]), Some(FieldClass::Personal));
            assert_eq!(
                policy.written_out().rule_at(&["data", "after", "x"]),
                policy.rule_at(&["data", "after", "x"])
            );
        }
        let open = parse(
            r#"{"rules":[{"path":"*.name","class":"public"},{"path":"actor.*","class":"personal"}]}"#,
        );
        let rule = open.unwrap().rule_at(&["actor", "name"]).map(FieldRule::class);
        assert_eq!(rule, Some(FieldClass::Personal), "the preset's, which is more precise");
    }

    #[test]
    fn a_policy_that_contradicts_itself_is_refused_and_a_recorded_one_is_read() {
        let text = r#"{"rules":[{"path":"data.*.x","class":"personal","owner":"actor"},
            {"path":"data.after.*","class":"secret"}]}"#;
        let reason = parse(text).unwrap_err();
        assert!(
            reason.starts_with("/rules/1/owner: is something else for data.after.x"),
            "{reason}"
        );
        let scratch = &mut Canonicalizer::new();
        let recorded = FieldPolicy::parse_recorded(text.as_bytes(), scratch).unwrap();
        let rule = recorded.rule_at(&["data", "after", "x"]).unwrap();
        assert_eq!(rule.class(), FieldClass::Secret);
        let decided = text.replace("]}", r#",{"path":"data.after.x","class":"secret"}]}"#);
        assert!(parse(&decided).is_ok());
    }

    #[test]
    fn own_rules_have_precedence_over_the_presets() {
        let policy = parse(r#"{"rules":[{"path":"actor.email","class":"public"}]}"#).unwrap();
        let class = |names: &[&str]| policy.rule_at(names).map(FieldRule::class);
        assert_eq!(class(&["actor", "email"]), Some(FieldClass::Public));
        assert_eq!(class(&["actor", "name"]), Some(FieldClass::Personal));
        assert!(policy.is_person("patient") && !policy.is_person("service"));
    }

    #[test]
    fn a_rule_of_people_leaves_things_to_the_others() {
        let policy = parse(
            r#"{"preset":"strict","rules":[
                {"path":"target.name","class":"public"},
                {"path":"target.name","class":"secret","people_only":true},
                {"path":"actor.name","class":"secret","people_only":true}]}"#,
        )
        .unwrap();
        let class = |names: &[&str], actor, target| {
            let people = NamedPeople { actor, target };
            policy.rule_for(names, people).map(FieldRule::class)
        };
        assert_eq!(class(&["target", "name"], true, false), Some(FieldClass::Public));
        assert_eq!(class(&["target", "name"], false, true), Some(FieldClass::Secret));
        assert_eq!(class(&["actor", "name"], true, false), Some(FieldClass::Secret));
        assert_eq!(class(&["actor", "name"], false, true), Some(FieldClass::Personal));
        // A tenant's own word about a field goes before what the preset says of people.
        let open = parse(r#"{"rules":[{"path":"target.name","class":"public"}]}"#).unwrap();
        let both = NamedPeople { actor: true, target: true };
        let rule = open.rule_for(&["target", "name"], both).unwrap();
        assert_eq!(rule.class(), FieldClass::Public);
    }

    #[test]
    fn the_users_of_cloudtrail_are_people_where_its_records_are_sealed() {
        let policy = FieldPolicy::of_preset(Preset::CloudTrail);
        for kind in ["IAMUser", "AssumedRole", "IdentityCenterUser", "SAMLUser", "user"] {
            assert_eq!(policy.note_on_type(kind), None, "{kind}");
        }
        for kind in ["Root", "AWSService", "AWSAccount"] {
            let note = policy.note_on_type(kind).unwrap();
            assert!(note.contains("IAMUser") && note.contains("policies set sealing"), "{note}");
        }
        assert!(!FieldPolicy::of_preset(Preset::Standard).is_person("IAMUser"));
        // Whoever says which types are people says all of them.
        assert!(
            !parse(r#"{"preset":"cloudtrail","person_types":["user"]}"#)
                .unwrap()
                .is_person("IAMUser")
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "{}",
            r#"{"preset":"none"}"#,
            r#"{"preset":"strict","detection":false,"person_types":["a"],"rules":[{"path":"metadata.x","class":"secret","owner":"tenant"}]}"#,
            r#"{"rules":[{"path":"target.name","class":"public","people_only":true},{"path":"target.name","class":"secret"}]}"#,
        ] {
            let policy = parse(text).unwrap();
            let mut written = Vec::new();
            policy.write(&mut written);
            assert_eq!(canonicalize(&written).unwrap(), written);
            assert_eq!(parse(std::str::from_utf8(&written).unwrap()), Ok(policy));
        }
        assert!(FieldPolicy::of_preset(Preset::None).seals_nothing());
    }

    #[test]
    fn a_preset_that_is_written_out_seals_the_same() {
        let text = r#"{"preset":"standard","rules":[{"path":"data.after.x","class":"public"},
            {"path":"actor.id","class":"secret"},
            {"path":"target.metadata","class":"public","people_only":true},
            {"path":"target.metadata","class":"sensitive"}]}"#;
        let policy = parse(text).unwrap();
        let out = policy.written_out();
        for (actor, target) in [(false, false), (false, true), (true, false), (true, true)] {
            let people = NamedPeople { actor, target };
            for path in [
                ["actor", "id"],
                ["data", "after"],
                ["target", "name"],
                ["target", "metadata"],
                ["context", "a"],
            ] {
                let was = policy.rule_for(&path, people);
                assert_eq!(out.rule_for(&path, people), was, "{path:?} {people:?}");
            }
        }
        let mut written = Vec::new();
        out.write(&mut written);
        let written = std::str::from_utf8(&written).unwrap();
        assert!(written.contains(r#""preset":"none""#) && out.has_detection());
        assert_eq!(parse(written).unwrap(), out);
    }

    #[test]
    fn a_rule_that_would_seal_nothing_is_refused_and_one_that_is_recorded_is_read() {
        for path in [
            "id",
            "tenant_id",
            "event_type",
            "actor.type",
            "/context/request_id",
            "context.*",
            "security",
        ] {
            let text = format!(r#"{{"rules":[{{"path":"{path}","class":"secret"}}]}}"#);
            let reason = parse(&text).unwrap_err();
            assert!(reason.starts_with("/rules/0/path: stays in clear"), "{path}: {reason}");
            let scratch = &mut Canonicalizer::new();
            let recorded = FieldPolicy::parse_recorded(text.as_bytes(), scratch).unwrap();
            let people = NamedPeople { actor: true, target: true };
            assert_eq!(recorded.rule_for(&["context", "request_id"], people), None);
            // Said to be public, it says what is so.
            assert!(parse(&text.replace("secret", "public")).is_ok(), "{path}");
        }
        for path in ["*", "*.type", "actor", "actor.*", "intake"] {
            let text = format!(r#"{{"rules":[{{"path":"{path}","class":"secret"}}]}}"#);
            assert!(parse(&text).is_ok(), "{path}");
        }
    }

    #[test]
    fn every_fault_is_named_with_its_place() {
        for (text, words) in [
            ("[]", "must be an object"),
            (r#"{"preset":"loose"}"#, "/preset: must be one of"),
            (r#"{"colour":1}"#, "/colour: is no member"),
            (r#"{"detection":"yes"}"#, "true or false"),
            (r#"{"person_types":[""]}"#, "/person_types/0"),
            (r#"{"rules":{}}"#, "/rules: must be an array"),
            (r#"{"rules":[{"path":"data"}]}"#, "/rules/0: must be an object with path and class"),
            (
                r#"{"rules":[{"path":"nothing","class":"personal"}]}"#,
                "/rules/0/path: names no field",
            ),
            (r#"{"rules":[{"path":"data","class":"private"}]}"#, "must be public, personal"),
            (r#"{"rules":[{"path":"data","class":"secret","owner":"me"}]}"#, "by_place"),
            (
                r#"{"rules":[{"path":"data","class":"secret"},{"path":"/data","class":"public"}]}"#,
                "second rule about data",
            ),
            (
                r#"{"rules":[{"path":"data","class":"secret","people_only":true}]}"#,
                "/rules/0/people_only: is for fields of actor and target",
            ),
            (r#"{"rules":[{"path":"data","class":"secret","people_only":1}]}"#, "true or false"),
            (
                r#"{"rules":[{"path":"data","class":"secret"},{"path":"actor.nmae","class":"secret"}]}"#,
                "/rules/1/path: names no field of an event: there is no actor.nmae; actor.name is one",
            ),
            (
                r#"{"rules":[{"path":"data.a","class":"secret"}]}"#,
                "no data.a; there are data.after, data.before, data.changes, data.metadata",
            ),
            (
                r#"{"rules":[{"path":"actor.id.x","class":"secret"}]}"#,
                "nothing stands below actor.id",
            ),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
    }
}
