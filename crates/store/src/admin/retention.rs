//! Retention runs that have not ended: a row comes with the record that begins one, and goes with the
//! record that ends it.

use ledgerstone_model::system::{RetentionDone, RetentionRunId, RetentionStarted};
use ledgerstone_proof::TenantId;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::error::AdminError;
use super::projection::{integer, sequence_number};
use super::row::{Row, select};
use super::schema::OPEN_RETENTION_RUNS;
use super::{OpenRetentionRun, ProjectedRecord};

/// The row of a run that begins; none where an earlier record of it is known.
pub(super) fn started_row(
    connection: &Connection,
    projected: &ProjectedRecord,
    started: &RetentionStarted,
) -> Result<Option<Row>, AdminError> {
    let [ledger, run] = key(projected, started.run());
    if !select(connection, OPEN_RETENTION_RUNS, &[ledger.clone(), run.clone()])?.is_empty() {
        return Ok(None);
    }
    let number = integer(projected.sequence_number.value())?;
    Ok(Some(Row::new(OPEN_RETENTION_RUNS, [ledger, run, number])))
}

/// The key of a run's row.
pub(super) fn ended_key(projected: &ProjectedRecord, done: &RetentionDone) -> [Value; 2] {
    key(projected, done.run())
}

fn key(projected: &ProjectedRecord, run: RetentionRunId) -> [Value; 2] {
    [Value::Text(projected.ledger.as_str().to_owned()), Value::Text(run.to_string())]
}

/// The runs that have not ended.
pub(super) fn open_runs(connection: &Connection) -> Result<Vec<OpenRetentionRun>, AdminError> {
    let rows = select(connection, OPEN_RETENTION_RUNS, &[])?;
    let run = |row: &Row| {
        Ok(OpenRetentionRun {
            ledger: row.parsed(0, |value| TenantId::parse_stored(value.as_str().ok()?).ok())?,
            run: row.parsed(1, |value| RetentionRunId::parse(value.as_str().ok()?))?,
            started_by: row.parsed(2, sequence_number)?,
        })
    };
    rows.iter().map(run).collect()
}
