//! The rules by which records about requests of people become rows, and rows become answers.
//!
//! A row keeps the canonical text of the record's event, which is read back by the reader of records.

use ledgerstone_model::SystemRecord;
use ledgerstone_model::system::{ErasureCertificate, ErasureStarted, SubjectRequestRecord};
use ledgerstone_proof::{SequenceNumber, TenantId};
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::error::AdminError;
use super::projection::{integer, moment, sequence_number};
use super::row::{Row, select};
use super::schema::{ERASURES, SUBJECT_REQUESTS};
use super::{ErasureRow, ProjectedRecord, SubjectRequestRow};

/// The row that a record leads to; none where a later record of the request is known.
pub(super) fn request_row(
    connection: &Connection,
    projected: &ProjectedRecord,
    record: &SubjectRequestRecord,
) -> Result<Option<Row>, AdminError> {
    let key = key_of(projected, &record.request().id().to_string());
    let known = select(connection, SUBJECT_REQUESTS, &key)?.pop();
    let newest = known.map_or(Ok(None), |row| row.parsed(2, sequence_number).map(Some))?;
    if newest.is_some_and(|number| number > projected.sequence_number) {
        return Ok(None);
    }
    let [ledger, request] = key;
    Ok(Some(Row::new(
        SUBJECT_REQUESTS,
        [
            ledger,
            request,
            integer(projected.sequence_number.value())?,
            Value::Integer(projected.ingested_at.micros()),
            text_of(projected),
        ],
    )))
}

/// The row of an erasure that begins; its certificate, if it is known already, stays.
pub(super) fn started_row(
    connection: &Connection,
    projected: &ProjectedRecord,
    record: &ErasureStarted,
) -> Result<Row, AdminError> {
    let key = key_of(projected, &record.request.to_string());
    let known = select(connection, ERASURES, &key)?.pop();
    let certificate = known.map_or(Ok(None), |row| row.optional(4, sequence_number))?;
    let [ledger, request] = key;
    Ok(Row::new(
        ERASURES,
        [
            ledger,
            request,
            integer(projected.sequence_number.value())?,
            text_of(projected),
            certificate.map_or(Ok(Value::Null), |number| integer(number.value()))?,
        ],
    ))
}

/// The row of an erasure that is certified; none where it never began.
pub(super) fn certified_row(
    connection: &Connection,
    projected: &ProjectedRecord,
    record: &ErasureCertificate,
) -> Result<Option<Row>, AdminError> {
    let key = key_of(projected, &record.request.to_string());
    let Some(mut row) = select(connection, ERASURES, &key)?.pop() else { return Ok(None) };
    row.set(4, integer(projected.sequence_number.value())?);
    Ok(Some(row))
}

fn key_of(projected: &ProjectedRecord, request: &str) -> [Value; 2] {
    [Value::Text(projected.ledger.as_str().to_owned()), Value::Text(request.to_owned())]
}

fn text_of(projected: &ProjectedRecord) -> Value {
    let mut text = Vec::with_capacity(512);
    projected.record.write_event(projected.ingested_at, &mut text);
    Value::Text(String::from_utf8_lossy(&text).into_owned())
}

fn record_in(value: ValueRef<'_>) -> Option<SystemRecord> {
    let (record, _) = SystemRecord::parse(value.as_str().ok()?.as_bytes()).ok()?;
    Some(record)
}

fn tenant_in(value: ValueRef<'_>) -> Option<TenantId> {
    TenantId::parse_stored(value.as_str().ok()?).ok()
}

/// The requests of all tenants.
pub(super) fn subject_requests(
    connection: &Connection,
) -> Result<Vec<SubjectRequestRow>, AdminError> {
    let rows = select(connection, SUBJECT_REQUESTS, &[])?;
    let request = |row: &Row| {
        Ok(SubjectRequestRow {
            tenant: row.parsed(0, tenant_in)?,
            set_by: row.parsed(2, sequence_number)?,
            set_at: row.parsed(3, moment)?,
            record: row.parsed(4, |value| match record_in(value)? {
                SystemRecord::SubjectRequest(record) => Some(*record),
                _ => None,
            })?,
        })
    };
    rows.iter().map(request).collect()
}

/// The erasures of all tenants.
pub(super) fn erasures(connection: &Connection) -> Result<Vec<ErasureRow>, AdminError> {
    let rows = select(connection, ERASURES, &[])?;
    let erasure = |row: &Row| {
        let certificate: Option<SequenceNumber> = row.optional(4, sequence_number)?;
        Ok(ErasureRow {
            tenant: row.parsed(0, tenant_in)?,
            started_by: row.parsed(2, sequence_number)?,
            started: row.parsed(3, |value| match record_in(value)? {
                SystemRecord::ErasureStarted(record) => Some(record),
                _ => None,
            })?,
            certificate,
        })
    };
    rows.iter().map(erasure).collect()
}
