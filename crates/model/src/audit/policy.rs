//! What a tenant leaves out of its access log: it can be narrowed, and never silenced. What opened
//! somebody's values, what was changed and what was refused is always recorded.

use ledgerstone_proof::Canonicalizer;

use super::access::AccessVerb;
use crate::access::PrincipalId;
use crate::json::{NotCanonical, Value};
use crate::json_write::ObjectWriter;
use crate::policy_text::{PolicyFaults, read_policy};
use crate::rejection::Rejection;

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
        let mut policy: Self = read_policy(text, POLICY_BYTES_MAX, scratch, Self::read)?;
        policy.without.sort_unstable();
        policy.without.dedup();
        policy.without_principals.sort_unstable();
        policy.without_principals.dedup();
        Ok(policy)
    }

    fn read(&mut self, policy: Value<'_>, faults: &mut PolicyFaults) -> Result<(), NotCanonical> {
        let mut members = policy.members();
        while let Some((key, value)) = members.next_member()? {
            match key.text().as_ref() {
                name @ "without" => faults.each((name, NARROWABLE.len()), value, |value| {
                    self.without.push(verb(value)?);
                    Ok(())
                })?,
                name @ "without_principals" => {
                    faults.each((name, PRINCIPALS_MAX), value, |value| {
                        self.without_principals.push(principal(value)?);
                        Ok(())
                    })?;
                }
                other => faults.unknown(other, &["without", "without_principals"]),
            }
        }
        Ok(())
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

    /// Whether a request is recorded; `opened` says whether values of people were opened for it, or given
    /// out.
    pub fn records(&self, principal: &PrincipalId, verb: AccessVerb, opened: bool) -> bool {
        let is_left_out = self.without.contains(&verb)
            || (verb != AccessVerb::Administer && self.without_principals.contains(principal));
        opened || !is_left_out
    }
}

fn verb(value: Value<'_>) -> Result<AccessVerb, String> {
    let known = value.text().and_then(|name| AccessVerb::parse(&name));
    known.filter(|verb| NARROWABLE.contains(verb)).ok_or_else(|| {
        let names = NARROWABLE.map(AccessVerb::as_str).join(", ");
        format!("must be one of {names}; everything else is always recorded")
    })
}

fn principal(value: Value<'_>) -> Result<PrincipalId, &'static str> {
    let id = value.text().and_then(|id| PrincipalId::parse_credential(&id));
    id.ok_or("must be the id of a credential, e.g. key:abcdefghij234567")
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
