//! Jobs that wait for what others do: they are remembered until it is done, also over a restart.

use std::sync::{Arc, mpsc};

use ledgerstone_ledger::closing::ClosingWish;
use ledgerstone_ledger::jobs::{
    JobPool, JobSettings, JobTools, JobView, NewJob, VerificationRequest, VerificationScope,
    closing_job, erasure_job,
};
use ledgerstone_ledger::{Ledger, check::Level};
use ledgerstone_model::sealing::{Preset, SubjectId};
use ledgerstone_model::subject_request::{ErasureTerms, SubjectRequestId};
use ledgerstone_model::{Clock as _, ErrorCode, JobId, JobState};
use ledgerstone_store::{JobRow, JobStore as _, MemoryJobs};

use crate::erasure::{Unwatched, approve, erase, open, person};
use crate::rig::tenant;
use crate::sealing_rig::{SealingRig, ana, login};

fn filled() -> (SealingRig, Arc<Ledger>, SubjectId) {
    let own = SealingRig::new(Preset::Standard);
    let ledger = own.rig.create(&["acme"]);
    SealingRig::append(&ledger, "acme", &login("e-1", "ana", "Ana Lima"));
    let subject = ledger.subject(&tenant("acme"), &ana()).unwrap().id;
    (own, Arc::new(ledger), subject)
}

/// A job that an earlier process left waiting.
fn left_waiting(own: &SealingRig, store: &MemoryJobs, new: NewJob, number: u8) -> JobId {
    let now = own.rig.clock.now();
    let id = JobId::new(now, [number; 16]);
    let row = JobRow {
        id: id.clone(),
        tenant: new.tenant,
        kind: new.kind.to_owned(),
        request: new.request,
        state: JobState::Waiting,
        created_at: now,
        created_by: new.created_by,
        attempts: 1,
        started_at: Some(now),
        ended_at: Some(now),
        result: Some(r#"{"contents":1}"#.to_owned()),
        failure: None,
    };
    store.save_job(&row).unwrap();
    id
}

fn erasure(request: SubjectRequestId) -> NewJob {
    erasure_job(tenant("acme"), request, ErasureTerms::default(), "key:test".to_owned())
}

fn start(ledger: &Arc<Ledger>, store: &Arc<MemoryJobs>, settings: JobSettings) -> JobPool {
    JobPool::start(ledger, Arc::clone(store) as _, JobTools::default(), settings).unwrap()
}

fn seen(pool: &JobPool, name: &str, id: &JobId) -> JobView {
    pool.get(&tenant(name), id).unwrap()
}

#[test]
fn what_waits_is_remembered_whatever_ends_after_it() {
    let (own, ledger, subject) = filled();
    let store = Arc::<MemoryJobs>::default();
    let request = open(&ledger, subject).unwrap();
    approve(&ledger, request);
    // Approved twice, so that two jobs wait for the one erasure.
    let earlier = left_waiting(&own, &store, erasure(request), 1);
    own.rig.clock.advance(std::time::Duration::from_secs(1));
    let newest = left_waiting(&own, &store, erasure(request), 2);
    own.rig.clock.advance(std::time::Duration::from_secs(1));
    let settings =
        JobSettings { ended_jobs_per_tenant: 2, ended_jobs: 2, ..JobSettings::default() };
    let pool = start(&ledger, &store, settings);
    let kept = seen(&pool, "acme", &newest);
    assert_eq!((kept.row.state, kept.percent), (JobState::Waiting, 100), "after a restart");
    for _ in 0..5 {
        let scope = VerificationScope::Ledger;
        let job = VerificationRequest { level: Level::Tree, scope };
        let job = pool.submit(job.into_job(tenant("acme"), "key:test".to_owned())).unwrap().row.id;
        let (told, ended) = mpsc::channel();
        pool.on_end(&job, move || told.send(()).unwrap());
        ended.recv_timeout(std::time::Duration::from_mins(1)).unwrap();
    }
    assert_eq!(seen(&pool, "acme", &newest), kept);
    assert_eq!(pool.get(&tenant("acme"), &earlier), None, "the newest tells how it stands");
    assert_eq!(pool.list(&tenant("acme")).len(), 3);
    assert_eq!(store.jobs().unwrap().len(), 3);
}

#[test]
fn what_was_done_while_nobody_looked_is_seen_at_the_start() {
    let (own, ledger, subject) = filled();
    let store = Arc::<MemoryJobs>::default();
    let request = open(&ledger, subject).unwrap();
    approve(&ledger, request);
    let certificate = erase(&own, &ledger, request);
    let job = left_waiting(&own, &store, erasure(request), 1);
    drop(ledger);
    let ledger = Arc::new(own.rig.open());
    let pool = start(&ledger, &store, JobSettings::default());
    let done = seen(&pool, "acme", &job).row;
    assert_eq!(done.state, JobState::Done);
    let result = format!(r#"{{"certificate":{certificate},"request":"{request}"}}"#);
    assert_eq!(done.result.as_deref(), Some(&*result));
    assert_eq!(store.jobs().unwrap(), [done], "and it is saved");
}

#[test]
fn with_the_tenant_its_closing_is_done_and_its_erasures_come_to_nothing() {
    let (own, ledger, subject) = filled();
    let store = Arc::<MemoryJobs>::default();
    let request = open(&ledger, subject).unwrap();
    approve(&ledger, request);
    let wish = ClosingWish { reason: "the contract has ended", despite_duties: true };
    let asked = ledger.ask_closing(&tenant("acme"), wish, &person("anna")).unwrap();
    ledger.approve_closing(&tenant("acme"), asked.recorded_as, &person("berta")).unwrap();
    let retention = ledger.retention(&*own.rig.store);
    let last = retention.close_tenant(&tenant("acme"), None, &Unwatched).unwrap().unwrap();
    let by = "key:test".to_owned();
    let closing = left_waiting(&own, &store, closing_job(&tenant("acme"), by), 1);
    let erasure = left_waiting(&own, &store, erasure(request), 2);
    let pool = start(&ledger, &store, JobSettings::default());
    let closing = seen(&pool, "_system", &closing).row;
    assert_eq!(closing.state, JobState::Done);
    let result = format!(r#"{{"closed_record":{last},"tenant_id":"acme"}}"#);
    assert_eq!(closing.result.as_deref(), Some(&*result));
    let erasure = seen(&pool, "acme", &erasure).row;
    assert_eq!((erasure.state, erasure.result), (JobState::Failed, None));
    let failure = erasure.failure.unwrap();
    assert_eq!(failure.code, ErrorCode::TenantClosed);
    assert!(failure.message.contains("acme"), "{}", failure.message);
}
