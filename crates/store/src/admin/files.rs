//! The files of the database, and how they are opened, checked and removed.

use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::error::AdminError;
use super::jobs;
use super::projection::Projection;
use super::schema::{APPLICATION_ID, Table, VERSION, tables};

/// Opens the database if it is sound in every way, or makes it in a file that is missing or empty.
pub(super) fn open(path: &Path) -> Result<Connection, AdminError> {
    let failed = |error| AdminError::from_sqlite("opening admin.sqlite", error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let begun = fs::metadata(path).is_ok_and(|file| file.len() > 0);
    // SQLite would let everybody read it, and gives its other files the mode of this one. Where it
    // cannot be made SQLite cannot either, and says so.
    drop(fs::OpenOptions::new().create_new(true).write(true).mode(0o640).open(path));
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    configure(&connection).map_err(failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if tables == 0 && begun {
        return Err(AdminError::Damaged("its schema, which is empty".to_owned()));
    }
    if tables == 0 {
        create(&mut connection).map_err(failed)?;
    }
    check(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    // A damaged schema must not run anything.
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for table in tables() {
        transaction.execute(&table.definition(), [])?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Marks, schema, structure, and every row.
fn check(connection: &Connection) -> Result<(), AdminError> {
    let failed = |error| AdminError::from_sqlite("checking admin.sqlite", error);
    for (mark, expected) in [("application_id", APPLICATION_ID), ("user_version", VERSION)] {
        let found: i64 =
            connection.pragma_query_value(None, mark, |row| row.get(0)).map_err(failed)?;
        if found != expected {
            return Err(AdminError::Damaged(format!("{mark}, which is {found}, not {expected}")));
        }
    }
    if schema(connection).map_err(failed)? != tables().map(Table::definition).collect::<Vec<_>>() {
        return Err(AdminError::Damaged("its schema".to_owned()));
    }
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if verdict != "ok" {
        return Err(AdminError::Damaged(verdict));
    }
    jobs::load(connection)?;
    Projection::load(connection)?.check()
}

fn schema(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Removes the database and what `SQLite` keeps beside it.
pub(super) fn remove(path: &Path) -> Result<(), AdminError> {
    // The database first: SQLite throws away a write-ahead log that has no database, but would
    // believe a database that has lost its log.
    for file in [path.to_owned(), beside(path, "-shm"), beside(path, "-wal")] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(AdminError::Remove { file: file.display().to_string(), source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
