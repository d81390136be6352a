//! What a tenant leaves out of its access log: it can be narrowed, and never silenced. What opened
//! somebody's values, what was changed and what was refused is always recorded.

use ledgerstone_proof::Canonicalizer;

use super::access::AccessVerb;
use crate::access::PrincipalId;
use crate::error_code::ErrorCode;
use crate::json::{NotCanonical, Value, ValueKind};
use crate::json_write::ObjectWriter;
use crate::rejection::{Fault, Faults, Rejection, pointer_push};

/// Principals that a policy may name.
pub const PRINCIPALS_MAX: usize = 100;

/// Bytes of a policy's JSON.
const POLICY_BYTES_MAX: usize = 64 * 1024;

/// What may be left out.
const NARROWABLE: [AccessVerb; 2] = [AccessVerb::Prove, AccessVerb::Verify];

/// What of the accesses to a tenant's ledger is not recorded. The default leaves nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogPolicy {
    without: Vec<AccessVerb>,
    without_principals: Vec<PrincipalId>,
}

impl AccessLogPolicy {
    /// Reads `{"without":["prove","verify"],"without_principals":["key:…"]}`, of which both may be left
    /// out. Names every fault (`INVALID_POLICY`).
    pub fn parse(text: &[u8], scratch: &mut Canonicalizer) -> Result<Self, Rejection> {
        if text.len() > POLICY_BYTES_MAX {
            let reason =
                format!("has {} bytes; at most {POLICY_BYTES_MAX} are allowed", text.len());
            return Err(Rejection::of(Fault::new(String::new(), ErrorCode::InvalidPolicy, reason)));
        }
        let mut canonical = Vec::with_capacity(text.len());
        scratch.strict(text, &mut canonical)?;
        let mut reader = Reader::default();
        reader.read(Value::new(&canonical))?;
        reader.faults.into_result()?;
        let mut policy = reader.policy;
        policy.without.sort_unstable();
        policy.without.dedup();
        policy.without_principals.sort_unstable();
        policy.without_principals.dedup();
        Ok(policy)
    }

    /// Appends the canonical JSON that [`Self::parse`] reads the same policy from.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::open(out);
        let verbs: Vec<_> = self.without.iter().map(|verb| verb.as_str()).collect();
        object.texts("without", &verbs);
        let principals: Vec<_> = self.without_principals.iter().map(PrincipalId::as_str).collect();
        object.texts("without_principals", &principals);
        object.close();
    }

    /// Whether a request is recorded; `opened` says whether values of people were opened for it.
    pub fn records(&self, principal: &PrincipalId, verb: AccessVerb, opened: bool) -> bool {
        let is_left_out = self.without.contains(&verb)
            || (verb != AccessVerb::Administer && self.without_principals.contains(principal));
        opened || !is_left_out
    }
}

#[derive(Default)]
struct Reader {
    policy: AccessLogPolicy,
    faults: Faults,
}

impl Reader {
    fn read(&mut self, policy: Value<'_>) -> Result<(), NotCanonical> {
        if policy.kind() != ValueKind::Object {
            self.fault(&[], "must be an object");
        }
        let mut members = policy.members();
        while let Some((key, value)) = members.next_member()? {
            match key.text().as_ref() {
                name @ "without" => self.each((name, NARROWABLE.len()), value, Self::verb)?,
                name @ "without_principals" => {
                    self.each((name, PRINCIPALS_MAX), value, Self::principal)?;
                }
                other => self.fault(
                    &[other],
                    "is no member of an access log policy; they are without, without_principals",
                ),
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        (name, most): (&str, usize),
        value: Value<'_>,
        read: fn(&mut Self, &str) -> Result<(), String>,
    ) -> Result<(), NotCanonical> {
        let mut elements = value.elements();
        let mut count = 0_usize;
        while let Some(element) = elements.next_element()? {
            let text = element.text().unwrap_or_default();
            if count < most
                && let Err(reason) = read(self, &text)
            {
                self.fault(&[name, &count.to_string()], reason);
            }
            count += 1;
        }
        if value.kind() != ValueKind::Array || count > most {
            self.fault(&[name], format!("must be an array of at most {most} texts"));
        }
        Ok(())
    }

    fn verb(&mut self, name: &str) -> Result<(), String> {
        let known = AccessVerb::parse(name).filter(|verb| NARROWABLE.contains(verb));
        let Some(verb) = known else {
            let names = NARROWABLE.map(AccessVerb::as_str).join(", ");
            return Err(format!("must be one of {names}; everything else is always recorded"));
        };
        self.policy.without.push(verb);
        Ok(())
    }

    fn principal(&mut self, id: &str) -> Result<(), String> {
        let Some(id) = PrincipalId::parse_credential(id) else {
            return Err("must be the id of a credential, e.g. key:abcdefghij234567".to_owned());
        };
        self.policy.without_principals.push(id);
        Ok(())
    }

    fn fault(&mut self, steps: &[&str], reason: impl Into<String>) {
        let mut pointer = String::new();
        for step in steps {
            pointer_push(&mut pointer, step);
        }
        self.faults.add(pointer, ErrorCode::InvalidPolicy, reason);
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_proof::Canonicalizer;

    use super::AccessLogPolicy;
    use crate::access::PrincipalId;
    use crate::audit::access::AccessVerb;

    fn parse(text: &str) -> Result<AccessLogPolicy, String> {
        AccessLogPolicy::parse(text.as_bytes(), &mut Canonicalizer::new())
            .map_err(|rejection| rejection.to_string())
    }

    #[test]
    fn it_narrows_and_never_silences() {
        let robot = PrincipalId::of_certificate("spiffe://example/poller");
        let other = PrincipalId::of_certificate("spiffe://example/other");
        let policy = format!(r#"{{"without":["verify"],"without_principals":["{robot}"]}}"#);
        let policy = parse(&policy).unwrap();
        assert!(!policy.records(&other, AccessVerb::Verify, false));
        assert!(policy.records(&other, AccessVerb::Prove, false));
        assert!(!policy.records(&robot, AccessVerb::Read, false));
        assert!(policy.records(&robot, AccessVerb::Read, true), "values of people were opened");
        assert!(policy.records(&robot, AccessVerb::Administer, false));
        let mut text = Vec::new();
        policy.write(&mut text);
        assert_eq!(parse(std::str::from_utf8(&text).unwrap()), Ok(policy));
        assert_eq!(parse("{}"), Ok(AccessLogPolicy::default()));
    }

    #[test]
    fn faults_are_named() {
        for (text, part) in [
            (r#"{"without":["read"]}"#, "/without/0: must be one of prove, verify"),
            (r#"{"without":"verify"}"#, "/without: must be an array"),
            (r#"{"without_principals":["*"]}"#, "/without_principals/0: must be the id"),
            (r#"{"enabled":false}"#, "/enabled: is no member"),
            ("[]", "must be an object"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(part), "{text}: {found}");
        }
    }
}
