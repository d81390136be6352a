//! Names derived files that somebody wrote who had not the store key: their checksums are right, so
//! that no accident made them. They are not believed in any case, and a process that writes makes
//! them again.

use std::path::Path;
use std::sync::Arc;

use super::binding::Unbound;
use super::ids::{Covers, RunFault, named_runs};
use super::idx;
use super::segment::Segment;
use super::shared::Shared;
use crate::record::{Check, ContainerFinding, Location};

/// Forged indexes and runs, by their headers.
pub fn forged_headers(shared: &Shared) -> Vec<ContainerFinding> {
    let segments = shared.read().segments.clone();
    let binding = shared.binding(segments);
    let is_forged =
        |segment: &&Arc<Segment>| idx::check_header(segment, &binding) == Err(Unbound::Forged);
    let indexes = binding.segments.iter().filter(is_forged);
    let mut findings: Vec<ContainerFinding> =
        indexes.map(|segment| finding(shared, &idx::path_of(segment.path()))).collect();
    for (path, run) in named_runs(&shared.files, &shared.layout.ids(), &binding, |_| true) {
        if matches!(run, Err(RunFault::Forged)) {
            findings.push(finding(shared, &path));
        }
    }
    findings
}

/// Runs with a forged page, of those that begin with this segment; each run begins with one.
pub fn forged_pages(shared: &Shared, segment: &Arc<Segment>) -> Vec<ContainerFinding> {
    let binding = shared.binding(shared.read().segments.clone());
    let from = segment.header().first_ordinal;
    let mut findings = Vec::new();
    let begins = |covers: Covers| covers.from == from;
    for (path, run) in named_runs(&shared.files, &shared.layout.ids(), &binding, begins) {
        if run.is_ok_and(|run| matches!(run.check(|| true), Err(RunFault::Forged))) {
            findings.push(finding(shared, &path));
        }
    }
    findings
}

/// Whether every run of ids that is in use is as it was written, as far as there is time to look.
pub fn runs_are_sound(shared: &Shared) -> bool {
    let tiers = shared.read().ids.clone();
    tiers.check(|| !shared.stopping()).is_ok()
}

fn finding(shared: &Shared, path: &Path) -> ContainerFinding {
    ContainerFinding {
        check: Check::Section,
        location: Location { file: shared.layout.relative(path), offset: 0 },
        tenant: None,
        sequence_number: None,
        expected: "a derived file under the signature of the store key".to_owned(),
        found: "a forged one, which is not believed; a process that writes makes it again"
            .to_owned(),
        following: 0,
    }
}
