//! What is special about single senders, out of the file.

use ledgerstone_edge::rest::NumberRules;
use ledgerstone_model::Numbers;
use ledgerstone_model::access::PrincipalId;

use super::Configuration;
use super::entry::{Entry, Member, member};
use crate::failure::Failure;

/// What stands in a table of `sources`.
pub const SOURCE: &[Member] = &[
    member(
        "principal",
        "One sender, as `audit` records and dead letters name it: `key:` and the id of an API key, or `jwt:…` or `x509:…`",
    ),
    member(
        "tenant",
        "In its place all senders of a tenant; what is said of one of them comes first",
    ),
    member("numbers", "`refuse` or `quote`, as in the setting `numbers`; required"),
];

impl Configuration {
    /// What becomes of numbers that are not exact, for each sender.
    pub fn numbers(&self) -> Result<NumberRules, Failure> {
        let usual = self.text("numbers").and_then(Numbers::parse).unwrap_or_default();
        let mut rules = NumberRules::new(usual);
        for entry in self.entries("sources", SOURCE) {
            add(&entry?, &mut rules)?;
        }
        Ok(rules)
    }
}

fn add(entry: &Entry<'_>, rules: &mut NumberRules) -> Result<(), Failure> {
    let numbers = Numbers::parse(&entry.required("numbers")?);
    let numbers = numbers.ok_or_else(|| entry.wrong("numbers", "it is `refuse` or `quote`"))?;
    let (name, is_new) = match (entry.text("principal")?, entry.text("tenant")?) {
        (Some(principal), None) => {
            let principal = PrincipalId::parse_credential(&principal).ok_or_else(|| {
                let reason = "write `key:` and the 16 characters of a key's id, or `jwt:` or `x509:` and 32 digits";
                entry.wrong("principal", reason)
            })?;
            ("principal", rules.set_for_principal(principal, numbers))
        }
        (None, Some(tenant)) => ("tenant", rules.set_for_tenant(entry.tenant(&tenant)?, numbers)),
        _ => return Err(entry.wrong("principal", "give either principal or tenant")),
    };
    if is_new { Ok(()) } else { Err(entry.wrong(name, "another table is of the same senders")) }
}
