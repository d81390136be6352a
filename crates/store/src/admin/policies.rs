//! The rules by which `system.policy` records become rows of policies, and rows become answers.

use ledgerstone_model::policy::{PolicyDocument, PolicyKind};
use ledgerstone_model::system::PolicyRecord;
use ledgerstone_proof::{Canonicalizer, TenantId};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::error::AdminError;
use super::projection::{integer, moment, sequence_number};
use super::row::{Row, select};
use super::schema::POLICIES;
use super::{PolicyRow, ProjectedRecord};

/// The row that a record leads to; none where a later record of its kind is known.
pub(super) fn changed_row(
    connection: &Connection,
    projected: &ProjectedRecord,
    record: &PolicyRecord,
) -> Result<Option<Row>, AdminError> {
    let ledger = Value::Text(projected.ledger.as_str().to_owned());
    let kind = Value::Text(record.document().kind().as_str().to_owned());
    let known = select(connection, POLICIES, &[ledger.clone(), kind.clone()])?.pop();
    let newest = known.map_or(Ok(None), |row| row.parsed(3, sequence_number).map(Some))?;
    if newest.is_some_and(|number| number > projected.sequence_number) {
        return Ok(None);
    }
    let audit_record = record.audit_record();
    let document = String::from_utf8_lossy(&record.document().to_json()).into_owned();
    Ok(Some(Row::new(
        POLICIES,
        [
            ledger,
            kind,
            integer(record.version())?,
            integer(projected.sequence_number.value())?,
            Value::Integer(projected.ingested_at.micros()),
            audit_record.map_or(Ok(Value::Null), |number| integer(number.value()))?,
            Value::Text(document),
        ],
    )))
}

/// The policies in force of every tenant.
pub(super) fn policies(connection: &Connection) -> Result<Vec<PolicyRow>, AdminError> {
    let rows = select(connection, POLICIES, &[])?;
    let mut scratch = Canonicalizer::new();
    let policy = |row: &Row| {
        let kind = row.parsed(1, |value| PolicyKind::parse(value.as_str().ok()?))?;
        Ok(PolicyRow {
            tenant: row.parsed(0, |value| TenantId::parse_stored(value.as_str().ok()?).ok())?,
            version: row.parsed(2, |value| u64::try_from(value.as_i64().ok()?).ok())?,
            set_by: row.parsed(3, sequence_number)?,
            set_at: row.parsed(4, moment)?,
            audit_record: row.optional(5, sequence_number)?,
            document: row.parsed(6, |value| {
                PolicyDocument::parse_recorded(kind, value.as_str().ok()?.as_bytes(), &mut scratch)
                    .ok()
            })?,
        })
    };
    rows.iter().map(policy).collect()
}
