//! The rules by which `system` records become rows, and rows become answers.

use ledgerstone_model::SystemRecord;
use ledgerstone_model::system::{
    Genesis, KeyAlgorithm, KeyUse, LedgerId, PublicKey, SigningMode, TenantRecord, TenantState,
};
use ledgerstone_proof::{Hash, IngestedAt, KeyId, SequenceNumber, TenantId};
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::error::AdminError;
use super::row::{Digest, Row, put, put_undigested, remove, select};
use super::schema::{
    DIGESTED, FOLLOWERS, KEY_USES, KEYS, META, OPEN_RETENTION_RUNS, RECORD_SIGNING, TENANTS, Table,
};
use super::{
    ProjectedRecord, ProjectionPoint, RecordSigningRow, SigningKeyRow, SystemTree, TenantRow,
};
use super::{api_keys, policies, retention, subject_requests, taxonomies};
use crate::contract::Cursor;

/// The database within one transaction, with the digest of its rows.
pub(super) struct Projection<'c> {
    connection: &'c Connection,
    point: ProjectionPoint,
    digest: Digest,
}

impl<'c> Projection<'c> {
    /// Reads how far the projection goes; an empty database is one that begins.
    pub(super) fn load(connection: &'c Connection) -> Result<Self, AdminError> {
        let mut rows = select(connection, META, &[])?;
        let Some(meta) = rows.pop() else {
            return Ok(Self {
                connection,
                point: ProjectionPoint::default(),
                digest: Digest::EMPTY,
            });
        };
        let size = meta.optional(2, |value| u64::try_from(value.as_i64().ok()?).ok())?;
        let system_tree = match size {
            None => None,
            Some(size) => Some(SystemTree { size, root: meta.parsed(3, hash)? }),
        };
        let point = ProjectionPoint { cursor: Cursor(meta.blob(1)?.to_vec()), system_tree };
        let digest = meta.parsed(4, |value| Digest::from_slice(value.as_blob().ok()?))?;
        Ok(Self { connection, point, digest })
    }

    /// Reads every row and compares them with the digest.
    pub(super) fn check(&self) -> Result<(), AdminError> {
        let mut digest = Digest::EMPTY;
        for table in DIGESTED {
            for row in select(self.connection, table, &[])? {
                digest.toggle(&row.seal());
            }
        }
        if digest == self.digest {
            Ok(())
        } else {
            Err(AdminError::Damaged("the digest of all rows".to_owned()))
        }
    }

    pub(super) fn point(self) -> ProjectionPoint {
        self.point
    }

    /// Goes on from there.
    pub(super) fn move_to(&mut self, point: &ProjectionPoint) {
        self.point = point.clone();
    }

    /// Writes the point and the digest; the last thing in a transaction.
    pub(super) fn save(&self) -> Result<(), AdminError> {
        let tree = self.point.system_tree;
        let row = Row::new(
            META,
            [
                Value::Integer(0),
                Value::Blob(self.point.cursor.0.clone()),
                tree.map_or(Ok(Value::Null), |tree| integer(tree.size))?,
                tree.map_or(Value::Null, |tree| Value::Blob(tree.root.as_bytes().to_vec())),
                Value::Blob(self.digest.as_bytes().to_vec()),
            ],
        );
        put_undigested(self.connection, &row)
    }

    /// Takes in one record.
    pub(super) fn apply(&mut self, projected: &ProjectedRecord) -> Result<(), AdminError> {
        let ledger = &projected.ledger;
        let number = projected.sequence_number;
        match &projected.record {
            SystemRecord::Genesis(genesis) => {
                // A genesis elsewhere than at the beginning is for the verifier to find.
                if number == SequenceNumber::GENESIS {
                    self.apply_genesis(ledger, genesis, projected.ingested_at)?;
                }
                Ok(())
            }
            SystemRecord::Tenant(tenant) if ledger.is_system() => self.apply_tenant(tenant, number),
            SystemRecord::SigningKey(record) => {
                let not_before = Some(record.not_before());
                self.announce(ledger, record.usage(), record.key(), number, not_before)
            }
            SystemRecord::RecordSigning(record) => {
                self.sign_records(ledger, record.from(), record.mode())
            }
            SystemRecord::ApiKey(record) => {
                let row = api_keys::changed_row(self.connection, projected, record)?;
                row.map_or(Ok(()), |row| self.put(&row))
            }
            SystemRecord::Taxonomy(record) => {
                let row = taxonomies::changed_row(self.connection, projected, record)?;
                row.map_or(Ok(()), |row| self.put(&row))
            }
            SystemRecord::Policy(record) => {
                let row = policies::changed_row(self.connection, projected, record)?;
                row.map_or(Ok(()), |row| self.put(&row))
            }
            SystemRecord::SubjectRequest(record) => {
                let row = subject_requests::request_row(self.connection, projected, record)?;
                row.map_or(Ok(()), |row| self.put(&row))
            }
            SystemRecord::ErasureStarted(record) => {
                let row = subject_requests::started_row(self.connection, projected, record)?;
                self.put(&row)
            }
            SystemRecord::Erasure(record) => {
                let row = subject_requests::certified_row(self.connection, projected, record)?;
                row.map_or(Ok(()), |row| self.put(&row))
            }
            SystemRecord::RetentionStarted(started) => {
                let row = retention::started_row(self.connection, projected, started)?;
                row.map_or(Ok(()), |row| self.put(&row))
            }
            SystemRecord::RetentionDone(done) => {
                let key = retention::ended_key(projected, done);
                remove(self.connection, OPEN_RETENTION_RUNS, &key, &mut self.digest)
            }
            // They prove or explain something, but nothing is looked up by them.
            SystemRecord::Tenant(_)
            | SystemRecord::Anchor(_)
            | SystemRecord::TailCut(_)
            | SystemRecord::PolicyProposal(_)
            | SystemRecord::HoldSet(_)
            | SystemRecord::HoldReleaseAsked(_)
            | SystemRecord::HoldReleased(_)
            | SystemRecord::ErasureKept(_)
            | SystemRecord::TenantClosingAsked(_)
            | SystemRecord::TenantClosingWithdrawn(_)
            | SystemRecord::TenantClosing(_)
            | SystemRecord::TenantClosed(_) => Ok(()),
        }
    }

    fn apply_genesis(
        &mut self,
        ledger: &TenantId,
        genesis: &Genesis,
        at: IngestedAt,
    ) -> Result<(), AdminError> {
        let first = SequenceNumber::GENESIS;
        let mut row = self.tenant_row(ledger)?;
        row.set(1, Value::Text(genesis.ledger_id().to_string()));
        row.set(2, Value::Integer(at.micros()));
        self.put(&row)?;
        let log_key = PublicKey::Ed25519(*genesis.log_key().verifying_key());
        self.announce(ledger, KeyUse::Log, &log_key, first, None)?;
        self.announce(ledger, KeyUse::Record, genesis.record_key(), first, None)?;
        self.sign_records(ledger, first, genesis.record_signing())
    }

    /// The newest record gives the state, the oldest is the one that created the tenant.
    fn apply_tenant(
        &mut self,
        tenant: &TenantRecord,
        number: SequenceNumber,
    ) -> Result<(), AdminError> {
        let mut row = self.tenant_row(tenant.tenant())?;
        if row.optional(4, sequence_number)?.is_none_or(|known| known <= number) {
            row.set(3, Value::Text(tenant.state().as_str().to_owned()));
            row.set(4, integer(number.value())?);
        }
        if row.optional(5, sequence_number)?.is_none_or(|known| known > number) {
            row.set(5, integer(number.value())?);
        }
        self.put(&row)
    }

    fn tenant_row(&self, name: &TenantId) -> Result<Row, AdminError> {
        let key = Value::Text(name.as_str().to_owned());
        let known = select(self.connection, TENANTS, std::slice::from_ref(&key))?.pop();
        Ok(known.unwrap_or_else(|| {
            let mut values = vec![Value::Null; TENANTS.columns.len()];
            if let Some(place) = values.first_mut() {
                *place = key;
            }
            Row::new(TENANTS, values)
        }))
    }

    fn announce(
        &mut self,
        ledger: &TenantId,
        usage: KeyUse,
        key: &PublicKey,
        number: SequenceNumber,
        not_before: Option<IngestedAt>,
    ) -> Result<(), AdminError> {
        let key_id = Value::Text(key.key_id().as_str().to_owned());
        let algorithm = Value::Text(key.algorithm().as_str().to_owned());
        let public = Value::Blob(key.as_bytes().to_vec());
        self.put(&Row::new(KEYS, [key_id.clone(), algorithm, public]))?;
        self.put(&Row::new(
            KEY_USES,
            [
                Value::Text(ledger.as_str().to_owned()),
                Value::Text(usage.as_str().to_owned()),
                integer(number.value())?,
                key_id,
                not_before.map_or(Value::Null, |moment| Value::Integer(moment.micros())),
            ],
        ))
    }

    fn sign_records(
        &mut self,
        ledger: &TenantId,
        from: SequenceNumber,
        mode: SigningMode,
    ) -> Result<(), AdminError> {
        let ledger = Value::Text(ledger.as_str().to_owned());
        let mode = Value::Text(mode.as_str().to_owned());
        self.put(&Row::new(RECORD_SIGNING, [ledger, integer(from.value())?, mode]))
    }

    /// Saves where a follower stands.
    pub(super) fn put_follower(&mut self, name: &str, cursor: &Cursor) -> Result<(), AdminError> {
        let name = Value::Text(name.to_owned());
        self.put(&Row::new(FOLLOWERS, [name, Value::Blob(cursor.0.clone())]))
    }

    fn put(&mut self, row: &Row) -> Result<(), AdminError> {
        put(self.connection, row, &mut self.digest)
    }
}

/// The tenants, or the one of that name.
pub(super) fn tenants(
    connection: &Connection,
    name: Option<&TenantId>,
) -> Result<Vec<TenantRow>, AdminError> {
    rows_of(connection, TENANTS, name)?
        .iter()
        .map(|row| {
            Ok(TenantRow {
                name: row.parsed(0, |value| TenantId::parse_stored(value.as_str().ok()?).ok())?,
                ledger_id: row.optional(1, |value| LedgerId::parse(value.as_str().ok()?))?,
                created_at: row.optional(2, moment)?,
                state: row.optional(3, |value| TenantState::parse(value.as_str().ok()?))?,
                created_by: row.optional(5, sequence_number)?,
            })
        })
        .collect()
}

/// A ledger's keys, each with the one that took its place.
pub(super) fn signing_keys(
    connection: &Connection,
    ledger: &TenantId,
) -> Result<Vec<SigningKeyRow>, AdminError> {
    let uses = rows_of(connection, KEY_USES, Some(ledger))?;
    let mut found: Vec<SigningKeyRow> = Vec::with_capacity(uses.len());
    for row in &uses {
        let usage = row.parsed(1, |value| KeyUse::parse(value.as_str().ok()?))?;
        let key = public_key(connection, row)?;
        if let Some(before) = found.last_mut().filter(|before| before.usage == usage) {
            before.replaced_by = Some(key.key_id());
        }
        found.push(SigningKeyRow {
            usage,
            key,
            announced_by: row.parsed(2, sequence_number)?,
            not_before: row.optional(4, moment)?,
            replaced_by: None,
        });
    }
    Ok(found)
}

/// The key that a row of [`KEY_USES`] names.
fn public_key(connection: &Connection, named_by: &Row) -> Result<PublicKey, AdminError> {
    let key_id = named_by.parsed(3, |value| KeyId::parse(value.as_str().ok()?))?;
    let missing = || AdminError::Damaged(format!("signing key {key_id}, which is missing"));
    let row = select(connection, KEYS, &[named_by.value(3)])?.pop().ok_or_else(missing)?;
    let Some(algorithm) = KeyAlgorithm::parse(row.text(1)?) else {
        return Err(AdminError::Damaged(format!("the algorithm of signing key {key_id}")));
    };
    row.parsed(2, |value| PublicKey::from_bytes(algorithm, value.as_blob().ok()?))
}

/// How a ledger's records are signed.
pub(super) fn record_signing(
    connection: &Connection,
    ledger: &TenantId,
) -> Result<Vec<RecordSigningRow>, AdminError> {
    rows_of(connection, RECORD_SIGNING, Some(ledger))?
        .iter()
        .map(|row| {
            Ok(RecordSigningRow {
                from: row.parsed(1, sequence_number)?,
                mode: row.parsed(2, |value| SigningMode::parse(value.as_str().ok()?))?,
            })
        })
        .collect()
}

/// The followers' cursors.
pub(super) fn followers(connection: &Connection) -> Result<Vec<(String, Cursor)>, AdminError> {
    select(connection, FOLLOWERS, &[])?
        .iter()
        .map(|row| Ok((row.text(0)?.to_owned(), Cursor(row.blob(1)?.to_vec()))))
        .collect()
}

/// One follower's cursor, empty when it has saved none.
pub(super) fn follower(connection: &Connection, name: &str) -> Result<Cursor, AdminError> {
    match select(connection, FOLLOWERS, &[Value::Text(name.to_owned())])?.pop() {
        Some(row) => Ok(Cursor(row.blob(1)?.to_vec())),
        None => Ok(Cursor::default()),
    }
}

pub(super) fn rows_of(
    connection: &Connection,
    table: Table,
    name: Option<&TenantId>,
) -> Result<Vec<Row>, AdminError> {
    let keys: Vec<Value> =
        name.map(|name| Value::Text(name.as_str().to_owned())).into_iter().collect();
    select(connection, table, &keys)
}

pub(super) fn integer(value: u64) -> Result<Value, AdminError> {
    i64::try_from(value)
        .map(Value::Integer)
        .map_err(|_| AdminError::Damaged(format!("{value}, a number beyond every ledger")))
}

pub(super) fn sequence_number(value: ValueRef<'_>) -> Option<SequenceNumber> {
    SequenceNumber::new(u64::try_from(value.as_i64().ok()?).ok()?).ok()
}

pub(super) fn moment(value: ValueRef<'_>) -> Option<IngestedAt> {
    IngestedAt::from_micros(value.as_i64().ok()?).ok()
}

pub(super) fn hash(value: ValueRef<'_>) -> Option<Hash> {
    Some(Hash::from_bytes(value.as_blob().ok()?.try_into().ok()?))
}
