//! Jobs come back as they were saved, and a changed one is noticed.

use ledgerstone_model::{ErrorCode, JobId, JobState};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{moment, tenant};
use crate::admin::{AdminStore as _, Opened, SqliteAdmin};
use crate::jobs::{JobFailure, JobRow, JobStore};

fn job(at: i64, state: JobState) -> JobRow {
    JobRow {
        id: JobId::new(moment(at), [7; 16]),
        tenant: tenant("acme"),
        kind: "verification".to_owned(),
        request: "{\"level\":\"full\"}".to_owned(),
        state,
        created_at: moment(at),
        created_by: "key:abc".to_owned(),
        attempts: 2,
        started_at: Some(moment(at + 1)),
        ended_at: None,
        result: None,
        failure: None,
    }
}

#[test]
fn jobs_survive_a_restart_and_a_rebuilding_of_the_projection() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("admin.sqlite");
    let (admin, _) = SqliteAdmin::open(&path).unwrap();
    let waiting = job(1, JobState::Queued);
    let mut ended = job(2, JobState::Failed);
    ended.ended_at = Some(moment(9));
    ended.failure =
        Some(JobFailure { code: ErrorCode::StorageFailed, message: "no disk".to_owned() });
    let mut gone = job(3, JobState::Done);
    gone.result = Some("{}".to_owned());
    for job in [&waiting, &ended, &gone, &waiting] {
        admin.save_job(job).unwrap();
    }
    admin.remove_job(&gone.id).unwrap();
    drop(admin);
    let (admin, opened) = SqliteAdmin::open(&path).unwrap();
    assert_eq!(opened, Opened::AsFound);
    assert_eq!(admin.jobs().unwrap(), [waiting.clone(), ended.clone()]);
    admin.rebuild().unwrap();
    assert_eq!(admin.jobs().unwrap(), [waiting, ended]);
}

#[test]
fn a_changed_job_is_damage() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("admin.sqlite");
    let (admin, _) = SqliteAdmin::open(&path).unwrap();
    admin.save_job(&job(1, JobState::Queued)).unwrap();
    drop(admin);
    let tampering = Connection::open(&path).unwrap();
    tampering.execute("UPDATE jobs SET tenant = 'beta'", []).unwrap();
    drop(tampering);
    let (admin, opened) = SqliteAdmin::open(&path).unwrap();
    assert!(matches!(opened, Opened::Rebuilt { .. }));
    assert!(admin.jobs().unwrap().is_empty());
}
