//! The tables, and the marks by which a database is known as ours.

/// `application_id` of the database file: `LSad`.
pub(super) const APPLICATION_ID: i64 = 0x4c53_6164;

/// `user_version` of the database file; another one is built again.
pub(super) const VERSION: i64 = 7;

/// A table: its columns in order, of which the first `keys` identify a row. A last column, `seal`,
/// is added to each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [&'static str],
    pub(super) keys: usize,
}

/// Tenants. Times are microseconds since 1970, numbers are sequence numbers in `_system`.
pub(super) const TENANTS: Table = Table {
    name: "tenants",
    columns: &["name", "ledger_id", "created_at", "state", "state_record", "created_by"],
    keys: 1,
};

/// Public keys, once each.
pub(super) const KEYS: Table =
    Table { name: "signing_keys", columns: &["key_id", "algorithm", "public_key"], keys: 1 };

/// Which key was announced for which use where.
pub(super) const KEY_USES: Table = Table {
    name: "signing_key_uses",
    columns: &["ledger", "key_use", "announced_by", "key_id", "not_before"],
    keys: 3,
};

/// How records are signed from which number on.
pub(super) const RECORD_SIGNING: Table =
    Table { name: "record_signing", columns: &["ledger", "from_record", "mode"], keys: 2 };

/// API keys. Of the secret only its hash; the name a key goes by stands in the `audit` record.
pub(super) const API_KEYS: Table = Table {
    name: "api_keys",
    columns: &[
        "ledger",
        "key_id",
        "roles",
        "secret_hash",
        "granted_by",
        "granted_at",
        "audit_record",
        "expires_at",
        "revoked_by",
        "revoked_at",
        "revocation_audit_record",
    ],
    keys: 2,
};

/// The newest taxonomy of each ledger that has one.
pub(super) const TAXONOMIES: Table = Table {
    name: "taxonomies",
    columns: &["ledger", "set_by", "set_at", "audit_record", "document"],
    keys: 1,
};

/// The newest policy of each kind of each ledger that has one.
pub(super) const POLICIES: Table = Table {
    name: "policies",
    columns: &["ledger", "policy", "version", "set_by", "set_at", "audit_record", "document"],
    keys: 2,
};

/// The newest state of each request of a person.
pub(super) const SUBJECT_REQUESTS: Table = Table {
    name: "subject_requests",
    columns: &["ledger", "request", "set_by", "set_at", "record"],
    keys: 2,
};

/// Erasures: the record that began each, and its certificate.
pub(super) const ERASURES: Table = Table {
    name: "erasures",
    columns: &["ledger", "request", "started_by", "started", "certificate"],
    keys: 2,
};

/// Retention runs that have not ended.
pub(super) const OPEN_RETENTION_RUNS: Table =
    Table { name: "open_retention_runs", columns: &["ledger", "run", "started_by"], keys: 2 };

/// Followers' cursors.
pub(super) const FOLLOWERS: Table =
    Table { name: "follower_cursors", columns: &["follower", "cursor"], keys: 1 };

/// Jobs. They are no projection, so the digest of the projection leaves them out.
pub(super) const JOBS: Table = Table {
    name: "jobs",
    columns: &[
        "id",
        "tenant",
        "kind",
        "request",
        "state",
        "created_at",
        "created_by",
        "attempts",
        "started_at",
        "ended_at",
        "result",
        "error_code",
        "error_message",
    ],
    keys: 1,
};

/// One row: how far the projection goes, and the digest of all rows of all other tables.
pub(super) const META: Table = Table {
    name: "meta",
    columns: &["id", "cursor", "system_size", "system_root", "digest"],
    keys: 1,
};

/// The tables that the digest covers.
pub(super) const DIGESTED: [Table; 11] = [
    TENANTS,
    KEYS,
    KEY_USES,
    RECORD_SIGNING,
    API_KEYS,
    TAXONOMIES,
    POLICIES,
    SUBJECT_REQUESTS,
    ERASURES,
    OPEN_RETENTION_RUNS,
    FOLLOWERS,
];

impl Table {
    /// The statement that makes the table, which is also how it stands in `sqlite_schema`.
    pub(super) fn definition(self) -> String {
        let keys = self.columns.iter().take(self.keys).copied().collect::<Vec<_>>().join(", ");
        let columns = self.columns.join(" ANY, ");
        format!(
            "CREATE TABLE {} ({columns} ANY, seal BLOB, PRIMARY KEY ({keys})) STRICT, WITHOUT ROWID",
            self.name
        )
    }

    /// Writes a row whether or not one with its key exists.
    pub(super) fn upsert(self) -> String {
        let places = vec!["?"; self.columns.len() + 1].join(", ");
        format!("INSERT OR REPLACE INTO {} VALUES ({places})", self.name)
    }

    /// Removes the row with a key.
    pub(super) fn delete(self) -> String {
        let keys: Vec<String> =
            self.columns.iter().take(self.keys).map(|column| format!("{column} = ?")).collect();
        format!("DELETE FROM {} WHERE {}", self.name, keys.join(" AND "))
    }

    /// Reads the rows whose first `keys` columns have the values given, in the order of the key.
    pub(super) fn select(self, keys: usize) -> String {
        let order = self.columns.iter().take(self.keys).copied().collect::<Vec<_>>().join(", ");
        let wanted: Vec<String> =
            self.columns.iter().take(keys).map(|column| format!("{column} = ?")).collect();
        let condition = match wanted.as_slice() {
            [] => String::new(),
            wanted => format!(" WHERE {}", wanted.join(" AND ")),
        };
        format!("SELECT * FROM {}{condition} ORDER BY {order}", self.name)
    }
}

/// Every table, in the order in which they are made. The last page is that of a table which always has
/// a row, so that a file that lost its end shows it.
pub(super) fn tables() -> impl Iterator<Item = Table> {
    DIGESTED.into_iter().chain([JOBS, META])
}
