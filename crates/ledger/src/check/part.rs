//! One part of the store, read and recomputed record by record: the hot loop of the verifier.
//!
//! A damaged record does not drown the others. Its leaf hash, kept beside it, goes into the tree in
//! its stead; if its header cannot be rebuilt, the headers after it in the same run cannot either,
//! which the one finding counts, and the next run begins again with what it claims to follow.

use std::collections::HashMap;

use ledgerstone_model::SystemRecord;
use ledgerstone_proof::{Hash, Kind, TenantId, sha256, split_content};
use ledgerstone_store::{Check, ContainerFinding, Inspector, Location, Part, RunClaims, RunRecord};

use super::context::Context;
use super::options::Level;
use super::report::Finding;
use super::run::{Chain, Rebuilt, Run, Undecided, id_fits, rebuild};
use super::signatures::SignatureQueue;
use super::stretch::{Statement, Stretch};

/// What was found in one part.
#[derive(Debug)]
pub(super) struct PartResult {
    pub(super) stretches: Vec<Stretch>,
    pub(super) findings: Vec<Finding>,
    pub(super) records: u64,
    pub(super) signatures: u64,
    /// Hashes of event ids, to be compared with those of the other parts.
    pub(super) ids: Vec<u64>,
    /// Other containers of the same records.
    pub(super) superseded: Vec<Location>,
}

/// Receives a part's records.
pub(super) struct PartCheck<'a> {
    context: &'a Context<'a>,
    file: String,
    /// In the order in which they began; one that is being added to is taken out.
    stretches: Vec<Option<Stretch>>,
    /// The last stretch of each ledger.
    latest: HashMap<TenantId, usize>,
    run: Option<Run>,
    findings: Vec<Finding>,
    signatures: SignatureQueue,
    header: Vec<u8>,
    records: u64,
    ids: Vec<u64>,
    superseded: Vec<Location>,
}

impl<'a> PartCheck<'a> {
    pub(super) fn new(context: &'a Context<'a>, part: &Part) -> Self {
        let file = part.location.file.to_string_lossy().into_owned();
        Self {
            context,
            signatures: SignatureQueue::new(&file),
            file,
            stretches: Vec::new(),
            latest: HashMap::new(),
            run: None,
            findings: Vec::new(),
            header: Vec::with_capacity(512),
            records: 0,
            ids: Vec::new(),
            superseded: part.superseded.clone(),
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn finish(mut self) -> PartResult {
        self.end_run();
        self.signatures.flush(&mut self.findings);
        PartResult {
            stretches: self.stretches.into_iter().flatten().collect(),
            findings: self.findings,
            records: self.records,
            signatures: self.signatures.checked,
            ids: self.ids,
            superseded: self.superseded,
        }
    }

    fn record(&mut self, run: &mut Run, record: &RunRecord<'_>) {
        self.records += 1;
        let content_hash = record.content.map(sha256);
        let wrong_content = content_hash.filter(|hash| *hash != record.content_hash);
        let mut header_holds = false;
        run.chain = match run.chain {
            Chain::Lost(finding) => self.follow(finding),
            Chain::Known(previous) => {
                let rebuilt =
                    rebuild(&mut self.header, run, record, &record.content_hash, &previous);
                header_holds = rebuilt.leaf == record.leaf_hash;
                if header_holds {
                    Chain::Known(rebuilt.record_hash)
                } else {
                    self.other_header(run, record, &previous, wrong_content, &rebuilt)
                }
            }
            Chain::Doubtful(previous, finding) => {
                let rebuilt =
                    rebuild(&mut self.header, run, record, &record.content_hash, &previous);
                header_holds = rebuilt.leaf == record.leaf_hash;
                run.decide(header_holds, self.context);
                if header_holds { Chain::Known(rebuilt.record_hash) } else { self.follow(finding) }
            }
        };
        if let Some(found) = wrong_content
            && (header_holds || matches!(run.chain, Chain::Lost(_)))
        {
            let note = "the content is not the one that was recorded";
            self.tell(run, record, (Check::ContentHash, note), (record.content_hash, found));
        }
        if header_holds {
            self.check_rules(run, record);
            self.check_signature(run, record);
            if run.ids_wanted {
                let hashes = self.context.id_hashes();
                self.ids.extend(hashes.first_round(&run.stretch.tenant, record.event_id));
            }
            run.stretch.note_time(record.ingested_at);
        }
        if record.kind == Kind::System {
            run.stretch.system.insert(run.stretch.end);
            if wrong_content.is_none() {
                self.take_statement(run, record);
            }
        } else if record.content.is_none() {
            run.stretch.absent.insert(run.stretch.end);
        }
        let signer = record.signature.map(|(key_id, _)| key_id);
        run.stretch.note_signer(run.stretch.end, signer);
        run.stretch.end += 1;
        if run.undecided.is_none() {
            run.push(record.leaf_hash, self.context);
        }
    }

    /// The rebuilt header does not have the leaf hash that is kept beside the record.
    fn other_header(
        &mut self,
        run: &mut Run,
        record: &RunRecord<'_>,
        previous: &Hash,
        wrong_content: Option<Hash>,
        rebuilt: &Rebuilt,
    ) -> Chain {
        if let Some(right) = wrong_content {
            // Perhaps the content is the right one, and the content hash was changed.
            let repaired = rebuild(&mut self.header, run, record, &right, previous);
            if repaired.leaf == record.leaf_hash {
                let note = "the content hash was changed; the content is the one that was recorded";
                self.tell(run, record, (Check::ContentHash, note), (right, record.content_hash));
                return Chain::Known(repaired.record_hash);
            }
            let note = "content and header are not those that were recorded";
            self.tell(run, record, (Check::ContentHash, note), (record.content_hash, right));
        } else {
            let note = "the header does not have the leaf hash that was kept with it";
            self.tell(run, record, (Check::RecordHash, note), (record.leaf_hash, rebuilt.leaf));
        }
        run.undecided = Some(Undecided { rebuilt: rebuilt.leaf, kept: record.leaf_hash });
        Chain::Doubtful(rebuilt.record_hash, self.findings.len() - 1)
    }

    /// A record that cannot be checked because of one before it.
    fn follow(&mut self, finding: usize) -> Chain {
        if let Some(finding) = self.findings.get_mut(finding) {
            finding.following += 1;
        }
        Chain::Lost(finding)
    }

    fn check_rules(&mut self, run: &mut Run, record: &RunRecord<'_>) {
        if !id_fits(record, run.stretch.end) {
            let note = "the event id is not one of a record of this kind and number";
            let expected = format!("an id of a record of kind {}", record.kind);
            self.tell(run, record, (Check::Record, note), (expected, record.event_id));
        }
        if let Some(before) = run.stretch.last_at.filter(|before| *before > record.ingested_at) {
            let note = "the time is before that of the record before";
            let expected = format!("{before} or later");
            self.tell(run, record, (Check::Record, note), (expected, record.ingested_at));
        }
    }

    fn check_signature(&mut self, run: &Run, record: &RunRecord<'_>) {
        if self.context.level() == Level::Full
            && let Some(signature) = record.signature
        {
            let place = (&run.stretch.tenant, run.stretch.end, record.offset);
            let keys = self.context.record_keys();
            self.signatures.push(place, &self.header, signature, keys, &mut self.findings);
        }
    }

    fn take_statement(&mut self, run: &mut Run, record: &RunRecord<'_>) {
        let event = record.content.map(split_content);
        let said = match event {
            None => Err("a system record has lost its content".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok((event, _))) => SystemRecord::parse(event).map_err(|error| error.to_string()),
        };
        match said {
            Ok((said, _)) => run.stretch.statements.push(Statement {
                number: run.stretch.end,
                offset: record.offset,
                said,
            }),
            Err(reason) => {
                let values = ("a readable system record", "none");
                self.tell(run, record, (Check::Record, &reason), values);
            }
        }
    }

    /// A finding about the record that is being read.
    fn tell<E: ToString, F: ToString>(
        &mut self,
        run: &mut Run,
        record: &RunRecord<'_>,
        (check, note): (Check, &str),
        (expected, found): (E, F),
    ) {
        run.stretch.note_damage(run.stretch.end);
        let finding = Finding::new(check, note)
            .at(&run.stretch.tenant, run.stretch.end)
            .in_file(&self.file, record.offset);
        self.findings.push(finding.values(expected, found));
    }

    /// What the run claims of itself against what was computed.
    fn check_claims(&mut self, run: &mut Run) {
        if let Chain::Doubtful(computed, _) = run.chain {
            run.decide(computed == run.last_hash, self.context);
        }
        let seen = run.stretch.end - run.first;
        if seen < run.count {
            self.tell_unreadable(run, run.count - seen);
            return;
        }
        if seen > run.count {
            let note = "the run has more records than it says";
            self.tell_claim(run, (Check::Sequence, note), (run.count, seen));
        }
        run.stretch.last_hash = match run.chain {
            Chain::Known(computed) => {
                if computed != run.last_hash {
                    let note = "the run says that its last record has another record hash";
                    self.tell_claim(run, (Check::RecordHash, note), (run.last_hash, computed));
                }
                computed
            }
            Chain::Doubtful(..) | Chain::Lost(_) => run.last_hash,
        };
        if let Some(claimed) = run.root_after
            && run.stretch.tree.is_frontier()
            && run.stretch.tree.root() != claimed
        {
            // Whatever is wrong, the next run begins again with what it claims.
            run.stretch.tree_is_doubtful = true;
            if !matches!(run.chain, Chain::Known(_)) {
                return;
            }
            let note = "the tree after the run has another root than the run says";
            let root = run.stretch.tree.root();
            self.tell_claim(run, (Check::MerkleRoot, note), (claimed, root));
        }
    }

    /// A finding about what a run says of itself.
    fn tell_claim<E: ToString, F: ToString>(
        &mut self,
        run: &mut Run,
        (check, note): (Check, &str),
        (expected, found): (E, F),
    ) {
        let last = run.stretch.end.saturating_sub(1).max(run.first);
        run.stretch.note_damage(last);
        let finding = Finding::new(check, note).at(&run.stretch.tenant, last);
        let finding = finding.in_file(&self.file, run.offset);
        self.findings.push(finding.values(expected, found));
    }

    /// The store could not read a run to its end. That the records are there is believed, so that
    /// the next run is not taken for one after a gap.
    fn tell_unreadable(&mut self, run: &mut Run, missing: u64) {
        let number = run.stretch.end;
        run.stretch.note_damage(number);
        run.stretch.tree_is_doubtful = true;
        run.stretch.end += missing;
        run.stretch.last_hash = run.last_hash;
        let is_told = |last: &Finding| {
            last.sequence_number == Some(number)
                && last.tenant.as_ref() == Some(&run.stretch.tenant)
        };
        if let Some(last) = self.findings.last_mut().filter(|last| is_told(last)) {
            last.following = last.following.max(missing - 1);
            return;
        }
        let note = "the run cannot be read to its end";
        let mut finding = Finding::new(Check::Sequence, note)
            .at(&run.stretch.tenant, number)
            .in_file(&self.file, run.offset)
            .values(run.count, run.count - missing);
        finding.following = missing - 1;
        self.findings.push(finding);
    }
}

impl Inspector for PartCheck<'_> {
    fn wants(&self, tenant: &TenantId) -> bool {
        self.context.wants(tenant)
    }

    fn finding(&mut self, finding: ContainerFinding) {
        self.findings.push(Finding::of_container(finding));
    }

    fn begin_run(&mut self, claims: &RunClaims<'_>) {
        self.end_run();
        let (first, tenant) = (claims.first.value(), claims.tenant);
        if !self.context.wants_run(tenant, first, first.saturating_add(claims.count)) {
            return;
        }
        let latest = self.latest.get(tenant).copied();
        let continued = latest.filter(|at| {
            let stretch = self.stretches.get(*at).and_then(Option::as_ref);
            stretch.is_some_and(|stretch| stretch.is_continued_by(claims))
        });
        let place = continued.unwrap_or_else(|| {
            self.stretches.push(Some(Stretch::begin(claims, &self.file)));
            self.latest.insert(tenant.clone(), self.stretches.len() - 1);
            self.stretches.len() - 1
        });
        let Some(stretch) = self.stretches.get_mut(place).and_then(Option::take) else {
            return;
        };
        self.run = Some(Run {
            place,
            chain: Chain::Known(claims.previous_hash),
            first,
            count: claims.count,
            last_hash: claims.last_record_hash,
            root_after: claims.root_after,
            offset: claims.offset,
            next_wanted: self.context.next_wanted(tenant, first),
            ids_wanted: self.context.wants_ids(tenant),
            undecided: None,
            stretch,
        });
    }

    fn records(&mut self, records: &[RunRecord<'_>]) {
        self.context.advance(records.len() as u64);
        let Some(mut run) = self.run.take() else {
            return;
        };
        for record in records {
            self.record(&mut run, record);
        }
        self.run = Some(run);
    }

    fn end_run(&mut self) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        self.check_claims(&mut run);
        if let Some(place) = self.stretches.get_mut(run.place) {
            *place = Some(run.stretch);
        }
    }
}
