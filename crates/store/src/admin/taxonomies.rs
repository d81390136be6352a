//! The rules by which `system.taxonomy` records become rows of taxonomies, and rows become answers.

use ledgerstone_model::TaxonomyDocument;
use ledgerstone_model::system::TaxonomyRecord;
use ledgerstone_proof::TenantId;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::error::AdminError;
use super::projection::{integer, moment, sequence_number};
use super::row::{Row, select};
use super::schema::TAXONOMIES;
use super::{ProjectedRecord, TaxonomyRow};

/// The row that a record leads to; none where a later record is known.
pub(super) fn changed_row(
    connection: &Connection,
    projected: &ProjectedRecord,
    record: &TaxonomyRecord,
) -> Result<Option<Row>, AdminError> {
    let ledger = Value::Text(projected.ledger.as_str().to_owned());
    let known = select(connection, TAXONOMIES, std::slice::from_ref(&ledger))?.pop();
    let newest = known.map_or(Ok(None), |row| row.parsed(1, sequence_number).map(Some))?;
    if newest.is_some_and(|number| number > projected.sequence_number) {
        return Ok(None);
    }
    let document = String::from_utf8_lossy(&record.document().to_json()).into_owned();
    Ok(Some(Row::new(
        TAXONOMIES,
        [
            ledger,
            integer(projected.sequence_number.value())?,
            Value::Integer(projected.ingested_at.micros()),
            integer(record.audit_record().value())?,
            Value::Text(document),
        ],
    )))
}

/// The taxonomy of every tenant that has one.
pub(super) fn taxonomies(connection: &Connection) -> Result<Vec<TaxonomyRow>, AdminError> {
    let rows = select(connection, TAXONOMIES, &[])?;
    let taxonomy = |row: &Row| {
        Ok(TaxonomyRow {
            tenant: row.parsed(0, |value| TenantId::parse_stored(value.as_str().ok()?).ok())?,
            set_by: row.parsed(1, sequence_number)?,
            set_at: row.parsed(2, moment)?,
            audit_record: row.parsed(3, sequence_number)?,
            document: row
                .parsed(4, |value| TaxonomyDocument::from_json(value.as_str().ok()?.as_bytes()))?,
        })
    };
    rows.iter().map(taxonomy).collect()
}
