//! Rows that show when they are not what was written.
//!
//! `SQLite` has no checksums of its own, so each row carries one, and the meta row carries the
//! exclusive or of all of them: a changed, lost, added or older row is noticed.

use ledgerstone_proof::{Hash, sha256};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::error::AdminError;
use super::schema::Table;

/// Exclusive or of the seals of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) const EMPTY: Self = Self([0; 32]);

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Puts a row in, or takes it out again.
    pub(super) fn toggle(&mut self, seal: &Hash) {
        for (mine, theirs) in self.0.iter_mut().zip(seal.as_bytes()) {
            *mine ^= theirs;
        }
    }
}

/// The values of one row in the order of the table's columns, without the seal.
pub(super) struct Row {
    table: Table,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(table: Table, values: impl Into<Vec<Value>>) -> Self {
        Self { table, values: values.into() }
    }

    /// SHA-256 over the table's name and the values, each with its type and length.
    pub(super) fn seal(&self) -> Hash {
        let mut bytes = Vec::with_capacity(256);
        push_part(&mut bytes, b'n', self.table.name.as_bytes());
        for value in &self.values {
            match value {
                Value::Null => push_part(&mut bytes, b'0', &[]),
                Value::Integer(number) => push_part(&mut bytes, b'i', &number.to_be_bytes()),
                Value::Real(number) => push_part(&mut bytes, b'r', &number.to_be_bytes()),
                Value::Text(text) => push_part(&mut bytes, b't', text.as_bytes()),
                Value::Blob(blob) => push_part(&mut bytes, b'b', blob),
            }
        }
        sha256(&bytes)
    }

    /// The text in a column.
    pub(super) fn text(&self, column: usize) -> Result<&str, AdminError> {
        match self.values.get(column) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.damaged(column)),
        }
    }

    /// The bytes in a column.
    pub(super) fn blob(&self, column: usize) -> Result<&[u8], AdminError> {
        match self.values.get(column) {
            Some(Value::Blob(bytes)) => Ok(bytes),
            _ => Err(self.damaged(column)),
        }
    }

    /// A column read by a parser; the row is damaged where the parser refuses.
    pub(super) fn parsed<T>(
        &self,
        column: usize,
        parse: impl FnOnce(ValueRef<'_>) -> Option<T>,
    ) -> Result<T, AdminError> {
        let value = self.values.get(column).map(ValueRef::from);
        value.and_then(parse).ok_or_else(|| self.damaged(column))
    }

    /// The same for a column that may be null.
    pub(super) fn optional<T>(
        &self,
        column: usize,
        parse: impl FnOnce(ValueRef<'_>) -> Option<T>,
    ) -> Result<Option<T>, AdminError> {
        match self.values.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.parsed(column, parse).map(Some),
        }
    }

    pub(super) fn value(&self, column: usize) -> Value {
        self.values.get(column).cloned().unwrap_or(Value::Null)
    }

    pub(super) fn set(&mut self, column: usize, value: Value) {
        if let Some(place) = self.values.get_mut(column) {
            *place = value;
        }
    }

    fn damaged(&self, column: usize) -> AdminError {
        let name = self.table.columns.get(column).copied().unwrap_or("seal");
        AdminError::Damaged(format!("column {name} of table {}", self.table.name))
    }
}

// Eight bytes of length: no two lists of values have the same bytes.
fn push_part(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads the rows whose first columns have these values; each must bear its seal.
pub(super) fn select(
    connection: &Connection,
    table: Table,
    keys: &[Value],
) -> Result<Vec<Row>, AdminError> {
    let failed = |error| AdminError::from_sqlite("reading the projection", error);
    let mut statement = connection.prepare_cached(&table.select(keys.len())).map_err(failed)?;
    let mut found = statement.query(params_from_iter(keys)).map_err(failed)?;
    let mut rows = Vec::new();
    while let Some(read) = found.next().map_err(failed)? {
        let values: Result<Vec<Value>, _> =
            (0..table.columns.len()).map(|column| read.get::<_, Value>(column)).collect();
        let row = Row::new(table, values.map_err(failed)?);
        let seal: Value = read.get(table.columns.len()).map_err(failed)?;
        if seal != Value::Blob(row.seal().as_bytes().to_vec()) {
            return Err(AdminError::Damaged(format!("a row of table {}", table.name)));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Writes a row over the one with its key, and keeps the digest in step.
pub(super) fn put(
    connection: &Connection,
    row: &Row,
    digest: &mut Digest,
) -> Result<(), AdminError> {
    let keys = row.values.get(..row.table.keys).unwrap_or_default();
    for old in select(connection, row.table, keys)? {
        digest.toggle(&old.seal());
    }
    digest.toggle(&row.seal());
    put_undigested(connection, row)
}

/// Writes a row that the digest does not cover.
pub(super) fn put_undigested(connection: &Connection, row: &Row) -> Result<(), AdminError> {
    let seal = Value::Blob(row.seal().as_bytes().to_vec());
    let failed = |error| AdminError::from_sqlite("writing the projection", error);
    let mut statement = connection.prepare_cached(&row.table.upsert()).map_err(failed)?;
    statement.execute(params_from_iter(row.values.iter().chain([&seal]))).map_err(failed)?;
    Ok(())
}

/// Removes the row with a key, if there is one, and keeps the digest in step.
pub(super) fn remove(
    connection: &Connection,
    table: Table,
    keys: &[Value],
    digest: &mut Digest,
) -> Result<(), AdminError> {
    for old in select(connection, table, keys)? {
        digest.toggle(&old.seal());
    }
    delete_undigested(connection, table, keys)
}

/// Removes a row that the digest does not cover.
pub(super) fn delete_undigested(
    connection: &Connection,
    table: Table,
    keys: &[Value],
) -> Result<(), AdminError> {
    let failed = |error| AdminError::from_sqlite("writing admin.sqlite", error);
    let mut statement = connection.prepare_cached(&table.delete()).map_err(failed)?;
    statement.execute(params_from_iter(keys)).map_err(failed)?;
    Ok(())
}
