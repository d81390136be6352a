//! Jobs: one at a time per thread, each for its tenant, none lost by a restart.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use ledgerstone_ledger::check::Level;
use ledgerstone_ledger::jobs::{
    BackgroundSettings, BackgroundVerifier, JobError, JobPool, JobSettings, JobTools, JobView,
    NewJob, RetentionSchedule, VerificationRequest, VerificationScope,
};
use ledgerstone_ledger::{Ledger, Order, PolicyDraft, PolicyOutcome};
use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::{Actor, ErrorCode, JobId, JobState};
use ledgerstone_proof::{Canonicalizer, TenantId};
use ledgerstone_store::{JobRow, JobStore, MemoryJobs, MemoryNotes};
use serde_json::Value;

use crate::rig::{Rig, tenant};

const PATIENCE: Duration = Duration::from_mins(1);

fn deployment(rig: &Rig) -> Arc<Ledger> {
    let ledger = rig.create(&["acme", "beta"]);
    for round in 0..5 {
        ledger.append(rig.events("acme", &format!("r{round}-"), 10)).unwrap();
        ledger.append(rig.events("beta", &format!("r{round}-"), 10)).unwrap();
    }
    ledger.anchor().unwrap();
    Arc::new(ledger)
}

fn verification(name: &str, scope: VerificationScope) -> NewJob {
    let request = VerificationRequest { level: Level::Full, scope };
    request.into_job(tenant(name), "key:test".to_owned())
}

fn pool(ledger: &Arc<Ledger>, store: &Arc<MemoryJobs>, settings: JobSettings) -> JobPool {
    JobPool::start(ledger, Arc::clone(store) as Arc<dyn JobStore>, JobTools::default(), settings)
        .unwrap()
}

fn ended(pool: &JobPool, name: &str, id: &JobId) -> JobView {
    let (told, done) = mpsc::channel();
    pool.on_end(id, move || told.send(()).unwrap());
    done.recv_timeout(PATIENCE).unwrap();
    pool.get(&tenant(name), id).unwrap()
}

fn result(job: &JobView) -> Value {
    serde_json::from_str(job.row.result.as_deref().unwrap()).unwrap()
}

#[test]
fn a_verification_is_done_and_its_result_is_kept() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let store = Arc::<MemoryJobs>::default();
    let pool = pool(&ledger, &store, JobSettings::default());
    let job = pool.submit(verification("acme", VerificationScope::Ledger)).unwrap();
    let job = ended(&pool, "acme", &job.row.id);
    assert_eq!((job.row.state, job.percent), (JobState::Done, 100));
    let found = result(&job);
    assert_eq!(found["holds"], true);
    assert_eq!((&found["size"], &found["records_checked"]), (&51.into(), &51.into()));
    assert_eq!(found["vouched"], 51);
    let head = ledger.store().head(&tenant("acme")).unwrap().unwrap();
    assert_eq!(found["root"], head.range.root().to_base64());
    assert_eq!(store.jobs().unwrap(), std::slice::from_ref(&job.row));

    let range = VerificationScope::Range { from: 10, to: 20 };
    let range = pool.submit(verification("acme", range)).unwrap();
    let range = ended(&pool, "acme", &range.row.id);
    assert_eq!(result(&range)["records_checked"], 10);
    let listed: Vec<JobId> = pool.list(&tenant("acme")).into_iter().map(|job| job.row.id).collect();
    assert_eq!(listed, [range.row.id, job.row.id], "the newest first");
}

#[test]
fn what_is_wrong_is_told_to_its_tenant_and_to_nobody_else() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    rig.store.tamper(|commits| {
        let mut runs = commits.iter_mut().flat_map(|commit| &mut commit.runs);
        let run = runs.find(|run| run.tenant == tenant("beta") && run.first == 11).unwrap();
        run.records[3].content.as_mut().unwrap()[20] ^= 1;
    });
    let pool = pool(&ledger, &Arc::default(), JobSettings::default());
    let job = |name, scope| {
        let job = pool.submit(verification(name, scope)).unwrap();
        result(&ended(&pool, name, &job.row.id))
    };
    let beta = job("beta", VerificationScope::Ledger);
    assert_eq!(beta["holds"], false);
    assert_eq!(beta["findings"][0]["sequence_number"], 14);
    assert_eq!(beta["findings"][0]["check"], "content_hash");
    let acme = job("acme", VerificationScope::Ledger);
    assert_eq!(acme["holds"], true, "{acme}");
    assert!(!acme.to_string().contains("beta"), "{acme}");
    let all = job("_system", VerificationScope::Deployment);
    assert_eq!(all["holds"], false);
    assert_eq!(all["ledgers"].as_array().unwrap().len(), 3);
}

#[test]
fn a_job_is_its_tenants_alone() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let pool = pool(&ledger, &Arc::default(), JobSettings::default());
    let id = pool.submit(verification("acme", VerificationScope::Ledger)).unwrap().row.id;
    assert_eq!(pool.get(&tenant("beta"), &id), None);
    assert_eq!(pool.cancel(&tenant("beta"), &id), None);
    assert!(pool.list(&tenant("beta")).is_empty());
    let everything = verification("acme", VerificationScope::Deployment);
    let job = pool.submit(everything).unwrap();
    assert_eq!(ended(&pool, "acme", &job.row.id).row.state, JobState::Failed);
}

/// Settings under which no job begins while the one before it is held up by `JobStore::save_job`.
struct SlowToBegin {
    rows: MemoryJobs,
    gate: std::sync::Mutex<mpsc::Receiver<()>>,
}

impl JobStore for SlowToBegin {
    fn jobs(&self) -> Result<Vec<JobRow>, ledgerstone_store::admin::AdminError> {
        self.rows.jobs()
    }

    fn save_job(&self, job: &JobRow) -> Result<(), ledgerstone_store::admin::AdminError> {
        if job.state == JobState::Running {
            let _ = self.gate.lock().unwrap().recv_timeout(PATIENCE);
        }
        self.rows.save_job(job)
    }

    fn remove_job(&self, id: &JobId) -> Result<(), ledgerstone_store::admin::AdminError> {
        self.rows.remove_job(id)
    }
}

#[test]
fn a_full_pool_says_so_and_jobs_can_be_cancelled() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let (open, gate) = mpsc::channel();
    let store =
        Arc::new(SlowToBegin { rows: MemoryJobs::default(), gate: std::sync::Mutex::new(gate) });
    let settings =
        JobSettings { workers: 1, open_jobs: 4, open_jobs_per_tenant: 3, ..JobSettings::default() };
    let pool = JobPool::start(
        &ledger,
        Arc::clone(&store) as Arc<dyn JobStore>,
        JobTools::default(),
        settings,
    )
    .unwrap();
    let submit = |name| pool.submit(verification(name, VerificationScope::Ledger));
    let jobs: Vec<JobId> = (0..3).map(|_| submit("acme").unwrap().row.id).collect();
    let full = submit("acme").unwrap_err();
    assert!(matches!(full, JobError::TooManyOfTenant { open: 3 }));
    assert_eq!(full.code(), ErrorCode::TooManyJobs);
    submit("beta").unwrap();
    assert!(matches!(submit("beta").unwrap_err(), JobError::TooMany { open: 4 }));

    let waiting = pool.cancel(&tenant("acme"), &jobs[2]).unwrap();
    assert_eq!(waiting.row.state, JobState::Cancelled, "one that waits ends at once");
    pool.cancel(&tenant("acme"), &jobs[0]).unwrap();
    for _ in 0..4 {
        open.send(()).unwrap();
    }
    assert_eq!(ended(&pool, "acme", &jobs[0]).row.state, JobState::Cancelled);
    assert_eq!(ended(&pool, "acme", &jobs[1]).row.state, JobState::Done);
    let again = pool.cancel(&tenant("acme"), &jobs[1]).unwrap();
    assert_eq!(again.row.state, JobState::Done, "what has ended stays as it is");
    submit("acme").unwrap();
}

#[test]
fn old_results_make_room() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let store = Arc::<MemoryJobs>::default();
    let settings =
        JobSettings { ended_jobs_per_tenant: 2, ended_jobs: 3, ..JobSettings::default() };
    let pool = pool(&ledger, &store, settings);
    for name in ["acme", "acme", "acme", "beta", "beta"] {
        let id = pool.submit(verification(name, VerificationScope::Ledger)).unwrap().row.id;
        ended(&pool, name, &id);
    }
    pool.stop();
    assert_eq!(pool.list(&tenant("acme")).len(), 1);
    assert_eq!(pool.list(&tenant("beta")).len(), 2);
    assert_eq!(store.jobs().unwrap().len(), 3);
}

fn left_behind(store: &MemoryJobs, rig: &Rig, attempts: u64) -> JobId {
    use ledgerstone_model::Clock as _;
    let now = rig.clock.now();
    let id = JobId::new(now, [u8::try_from(attempts).unwrap(); 16]);
    store
        .save_job(&JobRow {
            id: id.clone(),
            tenant: tenant("acme"),
            kind: "verification".to_owned(),
            request: r#"{"level":"tree","scope":"ledger"}"#.to_owned(),
            state: JobState::Running,
            created_at: now,
            created_by: "key:test".to_owned(),
            attempts,
            started_at: Some(now),
            ended_at: None,
            result: None,
            failure: None,
        })
        .unwrap();
    id
}

#[test]
fn a_restart_begins_again_what_had_not_ended_but_not_for_ever() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let store = Arc::<MemoryJobs>::default();
    let (once, often) = (left_behind(&store, &rig, 1), left_behind(&store, &rig, 3));
    let first = pool(&ledger, &store, JobSettings::default());
    assert_eq!(ended(&first, "acme", &once).row.state, JobState::Done);
    assert_eq!(ended(&first, "acme", &often).row.state, JobState::Failed);
    let done = ended(&first, "acme", &once);
    drop(first);
    let second = pool(&ledger, &store, JobSettings::default());
    assert_eq!(second.get(&tenant("acme"), &once), Some(done), "results survive too");
}

#[test]
fn nothing_is_taken_once_the_pool_stops() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let pool = pool(&ledger, &Arc::default(), JobSettings::default());
    pool.stop();
    let refused = pool.submit(verification("acme", VerificationScope::Ledger)).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ShuttingDown);
}

fn wait_until(what: impl Fn() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < PATIENCE, "it takes too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_background_goes_through_everything_again_and_again() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let settings = BackgroundSettings {
        records_per_second: 1_000_000,
        pause: Duration::from_millis(1),
        level: Level::Full,
    };
    let background =
        BackgroundVerifier::start(&ledger, settings, Arc::<MemoryNotes>::default()).unwrap();
    wait_until(|| background.status().passes >= 2);
    assert!(background.holds());
    let pass = background.status().last_pass.unwrap();
    let system = ledger.reader().size(&tenant("_system")).unwrap();
    assert_eq!((pass.records, pass.findings), (51 + 51 + system, 0));

    rig.store.tamper(|commits| {
        let mut runs = commits.iter_mut().flat_map(|commit| &mut commit.runs);
        let run = runs.find(|run| run.tenant == tenant("acme") && run.first == 1).unwrap();
        run.records[3].content.as_mut().unwrap()[20] ^= 1;
    });
    wait_until(|| !background.holds());
    let seen = background.status().passes;
    wait_until(|| background.status().passes > seen + 1);
    let status = background.status();
    assert_eq!(status.findings.len(), 1);
    assert_eq!(status.findings[0].sequence_number, Some(4));
    assert_eq!(status.findings_total, 1, "one finding is counted once");
}

#[test]
fn the_background_is_gentle_and_stops_at_once() {
    let rig = Rig::new();
    let ledger = deployment(&rig);
    let settings = BackgroundSettings { records_per_second: 1, ..BackgroundSettings::default() };
    let background =
        BackgroundVerifier::start(&ledger, settings, Arc::<MemoryNotes>::default()).unwrap();
    wait_until(|| background.status().position > 0);
    std::thread::sleep(Duration::from_millis(50));
    let status = background.status();
    assert_eq!(status.passes, 0);
    assert!(status.started_at.is_some() && status.position < status.total, "{status:?}");
    let started = Instant::now();
    drop(background);
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// Logins that are kept for at most a year, on a clock that is moved.
#[test]
fn what_expired_goes_by_itself_as_often_as_it_was_said() {
    const HOUR: Duration = Duration::from_hours(1);
    let rig = Rig::new();
    let ledger = deployment(&rig);
    for name in ["acme", "beta"] {
        let text = br#"{"rules":[{"name":"all","maximum":"P1Y"}]}"#;
        let document =
            PolicyDocument::parse(PolicyKind::Retention, text, &mut Canonicalizer::new()).unwrap();
        let draft = PolicyDraft { document, based_on: None };
        let by = Actor::operator("anna");
        let outcome = ledger.set_or_propose_policy(&tenant(name), draft, &by).unwrap();
        let PolicyOutcome::Proposed(proposal) = outcome else { panic!("one person was enough") };
        let (kind, by) = (PolicyKind::Retention, Actor::operator("berta"));
        ledger.approve_policy(&tenant(name), kind, proposal.recorded_as, &by).unwrap();
    }
    let store = Arc::<MemoryJobs>::default();
    let tools = JobTools { contents: Some(rig.store.clone()), dead_letters: None };
    let jobs = JobPool::start(&ledger, Arc::clone(&store) as _, tools, JobSettings::default());
    let jobs = Arc::new(jobs.unwrap());
    let look = Duration::from_millis(5);
    let schedule = RetentionSchedule::start_looking(&ledger, &jobs, HOUR, look).unwrap();
    let ended = |count: usize| {
        let begun = Instant::now();
        loop {
            let all = jobs.list(&TenantId::system());
            assert!(all.len() <= count, "{} jobs", all.len());
            if all.len() == count && all.iter().all(|one| one.row.state.has_ended()) {
                // As long again as it takes to ask for another one.
                std::thread::sleep(10 * look);
                assert_eq!(jobs.list(&TenantId::system()).len(), count);
                return result(&all[0]);
            }
            assert!(begun.elapsed() < PATIENCE, "{} jobs", all.len());
            std::thread::sleep(look);
        }
    };
    let gone = |name: &str| {
        let all = ledger.reader().list(&tenant(name), Order::Sequence, None).unwrap();
        all.filter(|one| one.as_ref().unwrap().content.is_none()).count()
    };
    // The first one comes soon, and finds nothing whose time is over.
    assert_eq!(ended(1)["ledgers"][0]["expired"], 0);
    rig.clock.advance(Duration::from_mins(59));
    ended(1);
    rig.clock.advance(Duration::from_hours(366 * 24));
    let done = ended(2);
    // Fifty events of each, and who set the policy.
    for (at, name) in ["acme", "beta"].iter().enumerate() {
        let found = done["ledgers"][at]["expired"].as_u64().unwrap();
        assert!(found >= 50, "{done}");
        assert_eq!(gone(name) as u64, found);
    }
    drop(schedule);
    rig.clock.advance(HOUR);
    ended(2);
    rig.assert_sound();
}
