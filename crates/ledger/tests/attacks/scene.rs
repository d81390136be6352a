//! A directory under attack: the records taken apart, and the one that the attack aims at.

use std::path::PathBuf;

use ledgerstone_store::embedded::testing::{Contents, RecordPlace};
use ledgerstone_store::{Batch, LedgerAppend, NewRecord};

use crate::deployment::{Deployment, tenant};

/// In what kind of container the attacked record lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    Segment,
    Log,
}

/// What an attack works on.
pub struct Scene {
    pub contents: Contents,
    pub home: Home,
    /// Number of a record of `acme` in the middle of a run of six.
    pub number: u64,
    /// Where it stands.
    pub place: RecordPlace,
    /// Its file, relative to the directory.
    pub file: PathBuf,
}

impl Scene {
    pub fn of(deployment: &Deployment, home: Home) -> Self {
        let data = deployment.data();
        let mut contents = Contents::read(&data).unwrap();
        let acme = tenant("acme");
        let mut found = None;
        for number in 0.. {
            let Some(place) = contents.find(&acme, number) else { break };
            let in_log = contents.file(place.container).starts_with("log");
            let middle = place.record == 2 && contents.run(place).unwrap().records.len() == 6;
            // Not the first segment: others stand before and behind.
            if middle && in_log == (home == Home::Log) && place.container > 0 && found.is_none() {
                found = Some((number, place));
            }
        }
        let (number, place) = found.unwrap_or_else(|| panic!("no record of acme in a {home:?}"));
        let file = contents.file(place.container);
        // Looking for the record has changed nothing.
        let contents = Contents::read(&data).unwrap();
        Self { contents, home, number, place, file }
    }

    pub fn run(&mut self) -> &mut LedgerAppend {
        self.contents.run(self.place).unwrap()
    }

    pub fn record(&mut self) -> &mut NewRecord {
        let at = self.place.record;
        &mut self.run().records[at]
    }

    pub fn batches(&mut self) -> &mut Vec<Batch> {
        self.contents.batches(self.place.container).unwrap()
    }

    /// Every run of `acme`, in every container.
    pub fn for_each_run(&mut self, mut change: impl FnMut(&mut LedgerAppend)) {
        let acme = tenant("acme");
        for container in 0..self.contents.count() {
            let batches = self.contents.batches(container).unwrap().iter_mut();
            let runs = batches.flat_map(|batch| &mut batch.ledgers);
            runs.filter(|run| run.tenant == acme).for_each(&mut change);
        }
    }
}
