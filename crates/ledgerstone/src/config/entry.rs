//! A table of a list of tables in the file: its members by name, and what is wrong with them by place.

use std::time::Duration;

use ledgerstone_edge::auth::ClaimName;
use ledgerstone_model::access::{Role, RoleSet};
use ledgerstone_proof::TenantId;
use toml::{Table, Value};

use super::{Configuration, unusable};
use crate::failure::Failure;

/// A line of a table of the file, with its name and meaning.
pub struct Member {
    pub name: &'static str,
    pub meaning: &'static str,
}

pub const fn member(name: &'static str, meaning: &'static str) -> Member {
    Member { name, meaning }
}

impl Configuration {
    /// The tables of a list.
    pub fn entries<'a>(
        &'a self,
        key: &'static str,
        members: &'static [Member],
    ) -> impl Iterator<Item = Result<Entry<'a>, Failure>> {
        let tables = self.tables(key).iter().enumerate();
        tables.map(move |(at, table)| Entry::new(format!("{key}[{at}]"), table, members))
    }
}

/// One table of a list, in which every member is one that there is.
pub struct Entry<'a> {
    place: String,
    table: &'a Table,
}

impl<'a> Entry<'a> {
    fn new(place: String, table: &'a Table, members: &[Member]) -> Result<Self, Failure> {
        let unknown = table.keys().find(|key| !members.iter().any(|known| known.name == **key));
        if let Some(key) = unknown {
            let names: Vec<_> = members.iter().map(|known| known.name).collect();
            let reason = format!("there is no {key} in it, but {}", names.join(", "));
            return Err(unusable(&place, reason));
        }
        Ok(Self { place, table })
    }

    /// Whether it says anything of this.
    pub fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    pub fn wrong(&self, name: &str, reason: impl std::fmt::Display) -> Failure {
        unusable(&format!("{}.{name}", self.place), reason)
    }

    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.table.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, "a text is wanted")),
        }
    }

    pub fn required(&self, name: &str) -> Result<String, Failure> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "it is required"))
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let items = self.table.get(name).and_then(Value::as_array);
        let text = |item: &Value| item.as_str().map(ToOwned::to_owned);
        let texts: Option<Vec<_>> = items.and_then(|items| items.iter().map(text).collect());
        texts
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| self.wrong(name, "a list of texts is wanted"))
    }

    pub fn seconds(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let Some(value) = self.table.get(name) else { return Ok(None) };
        let seconds = value.as_integer().and_then(|number| u64::try_from(number).ok());
        let seconds = seconds.ok_or_else(|| self.wrong(name, "a whole number is wanted"))?;
        Ok(Some(Duration::from_secs(seconds)))
    }

    pub fn tenant(&self, name: &str) -> Result<TenantId, Failure> {
        TenantId::parse(name).map_err(|error| self.wrong("tenant", error))
    }

    pub fn claim(&self, name: &str, claim: &str) -> Result<ClaimName, Failure> {
        ClaimName::parse(claim).map_err(|error| self.wrong(name, error))
    }

    pub fn roles(&self) -> Result<RoleSet, Failure> {
        let role = |name: String| {
            Role::parse(&name)
                .ok_or_else(|| self.wrong("roles", format!("there is no role {name}")))
        };
        self.texts("roles")?.into_iter().map(role).collect()
    }
}
