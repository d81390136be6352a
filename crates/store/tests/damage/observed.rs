//! What the store itself says is wrong with a directory, opened for reading and read as a whole.

use std::path::Path;

use ledgerstone_proof::TenantId;
use ledgerstone_store::embedded::{EmbeddedStore, Mode};
use ledgerstone_store::{Check, ContainerFinding, Inspector, LedgerStore, RunClaims, RunRecord};

use crate::place::Place;

/// Everything that opening and inspecting say.
#[derive(Debug, Default)]
pub struct Observed {
    /// Why the directory could not be opened at all.
    pub refused: Option<String>,
    pub findings: Vec<ContainerFinding>,
    pub torn: usize,
    pub records: u64,
}

impl Observed {
    /// Opens for reading and inspects every part.
    pub fn of(place: &Place) -> Self {
        match place.open(Mode::Read) {
            Ok(store) => Self::of_store(&store),
            Err(error) => {
                let told = format!("{error} [{}]", error.code());
                Self { refused: Some(told), ..Self::default() }
            }
        }
    }

    pub fn of_store(store: &EmbeddedStore) -> Self {
        let mut observed = Self { torn: store.report().torn.len(), ..Self::default() };
        let (parts, findings) = store.parts().unwrap();
        observed.findings = findings;
        for part in &parts {
            store.inspect(part, &mut observed).unwrap();
        }
        observed
    }

    pub fn is_clean(&self) -> bool {
        self.refused.is_none() && self.findings.is_empty()
    }

    /// Whether something that was said names this file.
    pub fn names(&self, file: &Path) -> bool {
        let text = file.to_string_lossy();
        self.refused.as_ref().is_some_and(|told| told.contains(&*text))
            || self.findings.iter().any(|finding| finding.location.file == file)
    }

    /// The finding of that check; fails the test when there is none.
    pub fn finding(&self, check: Check) -> &ContainerFinding {
        let found = self.findings.iter().find(|finding| finding.check == check);
        found.unwrap_or_else(|| panic!("no finding `{check}` in {self:?}"))
    }
}

impl Inspector for Observed {
    fn wants(&self, _: &TenantId) -> bool {
        true
    }

    fn finding(&mut self, finding: ContainerFinding) {
        self.findings.push(finding);
    }

    fn begin_run(&mut self, _: &RunClaims<'_>) {}

    fn records(&mut self, records: &[RunRecord<'_>]) {
        self.records += records.len() as u64;
    }

    fn end_run(&mut self) {}
}
