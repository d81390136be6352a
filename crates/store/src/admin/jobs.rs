//! Jobs as rows.

use ledgerstone_model::{ErrorCode, JobId, JobState};
use ledgerstone_proof::TenantId;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::error::AdminError;
use super::projection::{integer, moment};
use super::row::{Row, delete_undigested, put_undigested, select};
use super::schema::JOBS;
use crate::jobs::{JobFailure, JobRow};

/// Every job, in the order of their ids.
pub(super) fn load(connection: &Connection) -> Result<Vec<JobRow>, AdminError> {
    select(connection, JOBS, &[])?.iter().map(parse).collect()
}

/// Writes a job over what was written of it before.
pub(super) fn save(connection: &Connection, job: &JobRow) -> Result<(), AdminError> {
    let text = |text: &str| Value::Text(text.to_owned());
    let optional = |text: Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.into()));
    let failure = job.failure.as_ref();
    let row = Row::new(
        JOBS,
        [
            text(job.id.as_str()),
            text(job.tenant.as_str()),
            text(&job.kind),
            text(&job.request),
            text(job.state.as_str()),
            Value::Integer(job.created_at.micros()),
            text(&job.created_by),
            integer(job.attempts)?,
            job.started_at.map_or(Value::Null, |at| Value::Integer(at.micros())),
            job.ended_at.map_or(Value::Null, |at| Value::Integer(at.micros())),
            optional(job.result.as_deref()),
            optional(failure.map(|failure| failure.code.as_str())),
            optional(failure.map(|failure| failure.message.as_str())),
        ],
    );
    put_undigested(connection, &row)
}

pub(super) fn remove(connection: &Connection, id: &JobId) -> Result<(), AdminError> {
    delete_undigested(connection, JOBS, &[Value::Text(id.as_str().to_owned())])
}

fn parse(row: &Row) -> Result<JobRow, AdminError> {
    let text = |value: ValueRef<'_>| value.as_str().ok().map(str::to_owned);
    let code = row.optional(11, |value| ErrorCode::parse(value.as_str().ok()?))?;
    let message = row.optional(12, text)?;
    Ok(JobRow {
        id: row.parsed(0, |value| JobId::parse(value.as_str().ok()?))?,
        tenant: row.parsed(1, |value| TenantId::parse_stored(value.as_str().ok()?).ok())?,
        kind: row.text(2)?.to_owned(),
        request: row.text(3)?.to_owned(),
        state: row.parsed(4, |value| JobState::parse(value.as_str().ok()?))?,
        created_at: row.parsed(5, moment)?,
        created_by: row.text(6)?.to_owned(),
        attempts: row.parsed(7, |value| u64::try_from(value.as_i64().ok()?).ok())?,
        started_at: row.optional(8, moment)?,
        ended_at: row.optional(9, moment)?,
        result: row.optional(10, text)?,
        failure: code.zip(message).map(|(code, message)| JobFailure { code, message }),
    })
}
