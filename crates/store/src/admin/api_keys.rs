//! The rules by which `system.api_key` records become rows of API keys, and rows become answers.

use ledgerstone_model::access::{ApiKeyId, Role, RoleSet};
use ledgerstone_model::system::{ApiKeyGrant, ApiKeyRecord, ApiKeyRevocation};
use ledgerstone_proof::TenantId;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::error::AdminError;
use super::projection::{hash, integer, moment, rows_of, sequence_number};
use super::row::{Row, select};
use super::schema::API_KEYS;
use super::{ApiKeyRow, ProjectedRecord, RevokedKey};

/// Between the names of roles in a column.
const ROLE_SEPARATOR: char = ' ';

/// The row that a record leads to; none where it changes nothing. The first grant of a key and the
/// first revocation after it hold, whatever is written later.
pub(super) fn changed_row(
    connection: &Connection,
    projected: &ProjectedRecord,
    record: &ApiKeyRecord,
) -> Result<Option<Row>, AdminError> {
    let key_id = match record {
        ApiKeyRecord::Grant(grant) => grant.key_id(),
        ApiKeyRecord::Revocation(revocation) => revocation.key_id(),
    };
    let keys = [
        Value::Text(projected.ledger.as_str().to_owned()),
        Value::Text(key_id.as_str().to_owned()),
    ];
    let known = select(connection, API_KEYS, &keys)?.pop();
    match (record, known) {
        (ApiKeyRecord::Grant(grant), None) => granted(keys, projected, grant).map(Some),
        (ApiKeyRecord::Revocation(revocation), Some(row))
            if row.optional(8, sequence_number)?.is_none() =>
        {
            revoked(row, projected, *revocation).map(Some)
        }
        _ => Ok(None),
    }
}

fn granted(
    [ledger, key_id]: [Value; 2],
    projected: &ProjectedRecord,
    grant: &ApiKeyGrant,
) -> Result<Row, AdminError> {
    let roles = grant.roles().names().join(&ROLE_SEPARATOR.to_string());
    Ok(Row::new(
        API_KEYS,
        [
            ledger,
            key_id,
            Value::Text(roles),
            Value::Blob(grant.secret_hash().as_bytes().to_vec()),
            integer(projected.sequence_number.value())?,
            Value::Integer(projected.ingested_at.micros()),
            integer(grant.audit_record().value())?,
            grant.expires_at().map_or(Value::Null, |at| Value::Integer(at.micros())),
            Value::Null,
            Value::Null,
            Value::Null,
        ],
    ))
}

fn revoked(
    mut row: Row,
    projected: &ProjectedRecord,
    revocation: ApiKeyRevocation,
) -> Result<Row, AdminError> {
    row.set(8, integer(projected.sequence_number.value())?);
    row.set(9, Value::Integer(projected.ingested_at.micros()));
    row.set(10, integer(revocation.audit_record().value())?);
    Ok(row)
}

/// The keys of all tenants, or of one.
pub(super) fn api_keys(
    connection: &Connection,
    tenant: Option<&TenantId>,
) -> Result<Vec<ApiKeyRow>, AdminError> {
    rows_of(connection, API_KEYS, tenant)?.iter().map(api_key).collect()
}

fn api_key(row: &Row) -> Result<ApiKeyRow, AdminError> {
    let revoked = match row.optional(8, sequence_number)? {
        None => None,
        Some(record) => Some(RevokedKey {
            record,
            at: row.parsed(9, moment)?,
            audit_record: row.parsed(10, sequence_number)?,
        }),
    };
    Ok(ApiKeyRow {
        tenant: row.parsed(0, |value| TenantId::parse_stored(value.as_str().ok()?).ok())?,
        key_id: row.parsed(1, |value| ApiKeyId::parse(value.as_str().ok()?))?,
        roles: row.parsed(2, roles)?,
        secret_hash: row.parsed(3, hash)?,
        granted_by: row.parsed(4, sequence_number)?,
        granted_at: row.parsed(5, moment)?,
        audit_record: row.parsed(6, sequence_number)?,
        expires_at: row.optional(7, moment)?,
        revoked,
    })
}

fn roles(value: ValueRef<'_>) -> Option<RoleSet> {
    value.as_str().ok()?.split(ROLE_SEPARATOR).map(Role::parse).collect()
}
