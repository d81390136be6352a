//! A data directory, opened: for reading, by anybody at any time; or for writing, by one process,
//! with everything that opening and closing owe to the ledger.

mod means;
mod open_runs;
mod place;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ledgerstone_ledger::driver::catch_up_all;
use ledgerstone_ledger::follower::tiles::StoredTiles;
use ledgerstone_ledger::sealing_keys::RootKey;
use ledgerstone_ledger::{
    ApiKeys, FollowerContext, KeyFiles, Ledger, Reader, Settings, TenantCreation,
};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::system::{KeyAlgorithm, LogName, SigningMode, TailCut};
use ledgerstone_proof::TenantId;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, OpenError, OpeningReport, Options};
use ledgerstone_store::key_file::{self, PrivateKeyUse};
use ledgerstone_store::{
    DeadLetterLimits, FileDeadLetters, FileNotes, JobStore, LedgerStore as _, PassNotes,
    RetentionStore,
};

use zeroize::Zeroizing;

use crate::failure::{Failure, io_code};
use crate::output::Console;
use crate::projection::Projection;
use crate::system::System;

pub use means::{Means, SealingChoices};
pub use place::rights_to_keys;
use place::{Place, look_at};

/// The tenant that every deployment has from the beginning.
pub const FIRST_TENANT: &str = "default";

/// What a new deployment is given.
#[derive(Clone, Debug)]
pub struct Birth {
    pub log_name: LogName,
    pub signing: SigningMode,
    pub record_key: KeyAlgorithm,
}

impl Birth {
    /// As `init` without options makes it.
    pub fn usual() -> Result<Self, Failure> {
        let log_name = LogName::parse(LogName::DEFAULT)
            .map_err(|error| Failure::new(error.code(), error.to_string()))?;
        Ok(Self { log_name, signing: SigningMode::Record, record_key: KeyAlgorithm::Ed25519 })
    }
}

/// What a command that writes does where there is no data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Make one, and say so.
    Create,
    /// Refuse: a mistyped path must not become a new ledger.
    Refuse,
}

/// A directory opened for reading: no lock, no keys, nothing changed.
pub struct ForReading {
    pub reader: Reader,
    /// Why some of it cannot be read.
    damage: Option<String>,
    has_living_writer: bool,
}

/// What readers beside a process that writes are told.
pub const LIVING_WRITER: &str = "a process is writing; records of the last second may be left out";

impl ForReading {
    pub fn open(path: &Path, console: &mut Console) -> Result<Self, Failure> {
        let store = open_store(path, Mode::Read, &System::new());
        let store = store.map_err(|error| in_directory_to_read(path, &error))?;
        let has_living_writer = store.report().living_writer;
        let damage = store.report().read_only.clone();
        if let Some(damage) = &damage {
            console.note(format!(
                "{} is damaged ({damage}): only what comes before the damage is seen here; run \
                 `ledgerstone doctor`",
                path.display()
            ));
        }
        let reader = Reader::new(Arc::new(store)).with_tiles(StoredTiles::of(path));
        Ok(Self { reader, damage, has_living_writer })
    }

    /// Why some of it cannot be read; none where all can.
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Whether all that was recorded can be seen.
    pub const fn is_whole(&self) -> bool {
        self.damage.is_none()
    }

    /// In a damaged directory, what is not found may stand behind the damage; beside a process that
    /// writes, it may not be seen yet.
    pub fn failure(&self, error: impl Into<Failure>) -> Failure {
        let failure = error.into();
        match (&self.damage, failure.code()) {
            (Some(damage), ErrorCode::EventNotFound | ErrorCode::UnknownTenant) => {
                let message =
                    format!("{}, or it stands behind the damage: {damage}", failure.message());
                Failure::new(ErrorCode::StoreDamaged, message)
            }
            (None, ErrorCode::EventNotFound | ErrorCode::UnknownTenant)
                if self.has_living_writer =>
            {
                let remedy = format!(
                    "{} Or ask again in a second: {LIVING_WRITER}.",
                    failure.code().remedy()
                );
                failure.with_remedy(remedy)
            }
            _ => failure,
        }
    }
}

/// Opens the store in a directory.
pub fn open_store(path: &Path, mode: Mode, system: &System) -> Result<EmbeddedStore, OpenError> {
    let (clock, entropy) = (system.clock.clone(), system.entropy.clone());
    EmbeddedStore::open(path, mode, Options::default(), system.files.clone(), clock, entropy)
}

/// The failure to open a directory, with its path in the message.
pub fn in_directory(path: &Path, error: &OpenError) -> Failure {
    let code = match error {
        OpenError::Io { source, .. } => io_code(source),
        other => other.code(),
    };
    match error {
        OpenError::NotADataDirectory { .. } if has_lost_format(path) => {
            let message = format!("{} has lost its file FORMAT", path.display());
            Failure::new(ErrorCode::StoreDamaged, message)
        }
        OpenError::NotADataDirectory { .. }
        | OpenError::NotEmpty { .. }
        | OpenError::Locked { .. } => Failure::new(code, error.to_string()),
        _ => {
            let failure = Failure::new(code, format!("cannot open {}: {error}", path.display()));
            match store_key_remedy(path, error) {
                Some(remedy) => failure.with_remedy(remedy),
                None => failure,
            }
        }
    }
}

/// The same for a directory that was to be read and no more.
pub fn in_directory_to_read(path: &Path, error: &OpenError) -> Failure {
    let failure = in_directory(path, error);
    let OpenError::Io { source, .. } = error else {
        return failure;
    };
    if source.kind() != std::io::ErrorKind::PermissionDenied {
        return failure;
    }
    Failure::new(ErrorCode::StorageFailed, failure.message()).with_remedy(
        "Run it as the owner of the directory, or let this user read everything in it but keys/.",
    )
}

/// What is to be done about a store key that cannot be used.
fn store_key_remedy(path: &Path, error: &OpenError) -> Option<String> {
    use ledgerstone_store::key_file::KeyFileError;
    let file = ledgerstone_store::embedded::Layout::new(path).store_key();
    match error {
        OpenError::Key(KeyFileError::Exposed { .. }) => Some(format!(
            "Run `chmod 600 {}`. Whoever could read it could make this directory pass for whole \
             after cutting its end off.",
            file.display()
        )),
        OpenError::KeyMissing | OpenError::Key(KeyFileError::Malformed(_)) => Some(format!(
            "Put {} back from a copy of this directory: it never changes. Without it the directory \
             can be read and verified, not written.",
            file.display()
        )),
        _ => None,
    }
}

fn has_lost_format(path: &Path) -> bool {
    look_at(path).is_ok_and(|place| place == Place::DataDirectory)
}

/// The file that keeps a directory from being opened because it is not what was written; none when
/// the directory is none, or cannot be read at all.
pub fn damaged_file(path: &Path, error: &OpenError) -> Option<&'static str> {
    match error {
        OpenError::Format(_) | OpenError::KeyMismatch => Some("FORMAT"),
        OpenError::Key(_) => Some("keys/store.key"),
        OpenError::NotADataDirectory { .. } if has_lost_format(path) => Some("FORMAT"),
        _ => None,
    }
}

/// Opens a directory for writing, does the work, and closes it in order, also when the work failed;
/// only after a failed write nothing more is written.
pub fn write<T>(
    path: &Path,
    if_missing: IfMissing,
    tenants: TenantCreation,
    console: &mut Console,
    work: impl FnOnce(&Ledger, &mut Console) -> Result<T, Failure>,
) -> Result<T, Failure> {
    write_with(path, if_missing, tenants, console, |data, console| work(&data.ledger, console))
}

/// The same in a directory that must extend these checkpoints, which were kept elsewhere: without
/// them it is a usual opening, with them a directory that is not there is not made.
pub fn write_extending<T>(
    path: &Path,
    known: Vec<String>,
    if_missing: IfMissing,
    tenants: TenantCreation,
    console: &mut Console,
    work: impl FnOnce(&Ledger, &mut Console) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let data = if known.is_empty() {
        ForWriting::open(path, if_missing, tenants, console)?
    } else {
        ForWriting::open_extending(path, known, tenants, &Means::of_environment()?, console)?
    };
    data.work(console, |data, console| work(&data.ledger, console))
}

/// The same for work that needs more than the ledger.
pub fn write_with<T>(
    path: &Path,
    if_missing: IfMissing,
    tenants: TenantCreation,
    console: &mut Console,
    work: impl FnOnce(&ForWriting, &mut Console) -> Result<T, Failure>,
) -> Result<T, Failure> {
    ForWriting::open(path, if_missing, tenants, console)?.work(console, work)
}

/// Makes a new data directory; one whose making was interrupted is completed.
pub fn create(path: &Path, birth: &Birth, console: &mut Console) -> Result<(), Failure> {
    create_with(&Means::of_environment()?, path, birth, console)
}

fn create_with(
    means: &Means,
    path: &Path,
    birth: &Birth,
    console: &mut Console,
) -> Result<(), Failure> {
    let data = match look_at(path)? {
        Place::Free => ForWriting::begin(path, birth, means, console)?,
        Place::Foreign => return Err(not_empty(path, "already holds something else")),
        Place::DataDirectory => {
            let store = open_store(path, Mode::Write, &means.system);
            let store = store.map_err(|error| in_directory(path, &error))?;
            refuse_damaged(path, store.report())?;
            if store.head(&TenantId::system())?.is_some() {
                return Err(not_empty(path, "is a data directory already"));
            }
            ForWriting::complete(path, Arc::new(store), birth, means, console)?
        }
    };
    data.close(console)
}

fn not_empty(path: &Path, what: &str) -> Failure {
    Failure::new(ErrorCode::DataDirectoryNotEmpty, format!("{} {what}", path.display()))
}

/// A directory opened for writing.
pub struct ForWriting {
    store: Arc<EmbeddedStore>,
    ledger: Arc<Ledger>,
    projection: Projection,
    root_key: Arc<dyn RootKey>,
}

impl ForWriting {
    pub const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// What wraps the keys of tenants.
    pub fn root_key(&self) -> &Arc<dyn RootKey> {
        &self.root_key
    }

    /// The API keys of all tenants, out of the projection where there is one.
    pub fn api_keys(&self) -> Result<ApiKeys, Failure> {
        self.projection.api_keys(&self.store)
    }

    /// The store, with the door by which contents go.
    pub fn contents(&self) -> Arc<dyn RetentionStore> {
        self.store.clone()
    }

    /// Where jobs are remembered.
    pub fn jobs(&self) -> Arc<dyn JobStore> {
        self.projection.jobs()
    }

    /// Where the verification in the background notes how far it is.
    pub fn pass_notes(&self, system: &System) -> Arc<dyn PassNotes> {
        Arc::new(FileNotes::new(&self.store.layout().verification(), system.files.clone()))
    }

    /// Where dead letters are kept.
    pub fn dead_letters(
        &self,
        limits: DeadLetterLimits,
        system: &System,
    ) -> Result<FileDeadLetters, Failure> {
        FileDeadLetters::open(&self.store.layout().dead(), system.files.clone(), limits)
            .map_err(|error| Failure::new(error.code(), error.to_string()))
    }

    /// The secret that cursors of listings are authenticated with.
    pub fn cursor_secret(&self, system: &System) -> Result<Zeroizing<[u8; 32]>, Failure> {
        let path = self.store.layout().cursor_key();
        key_file::secret(&system.files, &path, PrivateKeyUse::Cursor, &*system.entropy)
            .map_err(|error| Failure::new(error.code(), format!("{}: {error}", path.display())))
    }

    /// What followers of this directory are made from.
    pub fn follower_context(&self) -> FollowerContext {
        FollowerContext { store: self.store.clone(), data: self.store.layout().root().to_owned() }
    }

    pub fn open(
        path: &Path,
        if_missing: IfMissing,
        tenants: TenantCreation,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        let means = Means::of_environment()?;
        Self::open_or_make(path, if_missing, &Birth::usual()?, tenants, &means, console)
    }

    /// The same, with what a deployment is given that is made.
    pub fn open_or_make(
        path: &Path,
        if_missing: IfMissing,
        birth: &Birth,
        tenants: TenantCreation,
        means: &Means,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        let place = look_at(path)?;
        if place == Place::Free && if_missing == IfMissing::Create {
            let made = Self::begin(path, birth, means, console)?;
            console.note(format!("made a new data directory {}", path.display()));
            if tenants == TenantCreation::Explicit {
                return Ok(made);
            }
            made.close(console)?;
        }
        let store = open_store(path, Mode::Write, &means.system);
        let store = Arc::new(store.map_err(|error| in_directory(path, &error))?);
        refuse_damaged(path, store.report())?;
        if store.head(&TenantId::system())?.is_none() {
            return Self::complete(path, store, birth, means, console);
        }
        Self::resume(path, store, (tenants, Vec::new()), means, console)
    }

    /// Opens a directory that must extend these checkpoints. Without any, one that is missing is made.
    pub fn open_known(
        path: &Path,
        known: Vec<String>,
        birth: &Birth,
        tenants: TenantCreation,
        means: &Means,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        if known.is_empty() {
            return Self::open_or_make(path, IfMissing::Create, birth, tenants, means, console);
        }
        Self::open_extending(path, known, tenants, means, console)
    }

    /// Opens a directory that must extend these checkpoints.
    fn open_extending(
        path: &Path,
        known: Vec<String>,
        tenants: TenantCreation,
        means: &Means,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        let store = open_store(path, Mode::Write, &means.system);
        let store = Arc::new(store.map_err(|error| in_directory(path, &error))?);
        refuse_damaged(path, store.report())?;
        let data = Self::resume(path, store.clone(), (tenants, known), means, console);
        // What is refused for its age is left as an orderly stop leaves it, with nothing signed.
        data.inspect_err(|_| drop(store.close()))
    }

    /// Does the work and closes the directory, as [`write()`] says.
    fn work<T>(
        self,
        console: &mut Console,
        work: impl FnOnce(&Self, &mut Console) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        match work(&self, console) {
            Ok(done) => self.close(console).map(|()| done),
            Err(failure) if failure.is_fatal() => Err(failure),
            Err(failure) => {
                // The first failure is the one to tell; that closing fails too says nothing more.
                let _ = self.close(console);
                Err(failure)
            }
        }
    }

    /// Makes a store, then keys, then the ledger in it. The store begins again what an earlier process
    /// left half made.
    fn begin(
        path: &Path,
        birth: &Birth,
        means: &Means,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        let system = &means.system;
        let (clock, entropy) = (system.clock.clone(), system.entropy.clone());
        let files = system.files.clone();
        let store = EmbeddedStore::create(path, Options::default(), files, clock, entropy);
        let store = Arc::new(store.map_err(|error| in_directory(path, &error))?);
        Self::complete(path, store, birth, means, console)
    }

    /// Begins the ledger in a store that has none yet.
    fn complete(
        path: &Path,
        store: Arc<EmbeddedStore>,
        birth: &Birth,
        means: &Means,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        place::hide_keys(path)?;
        let system = &means.system;
        let keys = key_files(path, system);
        keys.create(birth.record_key, &*system.entropy)
            .map_err(ledgerstone_ledger::LedgerError::from)?;
        let root_key = means.open_root_key(path)?;
        let keys = keys.with_sealing(means.open_sealing_keys(path, &root_key, console)?);
        let mut settings = Settings::new(birth.log_name.clone());
        settings.signing = birth.signing;
        means.sealing.choose(&mut settings);
        let projection = Projection::open(&store, console)?;
        let (clock, entropy) = (system.clock.clone(), system.entropy.clone());
        let ledger = Ledger::create(store.clone(), Arc::new(keys), settings, clock, entropy)?;
        let ledger = Arc::new(ledger);
        let data = Self { store, ledger, projection, root_key };
        data.create_first_tenant()?;
        Ok(data)
    }

    /// Opens the ledger in a store.
    fn resume(
        path: &Path,
        store: Arc<EmbeddedStore>,
        (tenants, known): (TenantCreation, Vec<String>),
        means: &Means,
        console: &mut Console,
    ) -> Result<Self, Failure> {
        if let Some(mode) = rights_to_keys(path) {
            let keys = store.layout().keys();
            console.note(format!(
                "others than the owner may look into {} or write there (mode {mode}); run `chmod \
                 700` on it",
                keys.display()
            ));
        }
        let projection = Projection::open(&store, console)?;
        let history = Reader::new(store.clone()).history()?;
        let mut settings = Settings::new(history.genesis().log_name().clone());
        settings.signing = history.signing();
        settings.tenant_creation = tenants;
        settings.known = known;
        means.sealing.choose(&mut settings);
        let system = &means.system;
        let root_key = means.open_root_key(path)?;
        let sealing = means.open_sealing_keys(path, &root_key, console)?;
        let keys = Arc::new(key_files(path, system).with_sealing(sealing));
        let (clock, entropy) = (system.clock.clone(), system.entropy.clone());
        let ledger = Arc::new(Ledger::open(store.clone(), keys, settings, clock, entropy)?);
        projection.load_into(&ledger, console);
        if ledger.replay_erasures()? > 0 {
            console.note("keys of people who were erased had come back, and were destroyed again");
        }
        if ledger.replay_closings()? > 0 {
            console.note("keys of closed tenants had come back, and were destroyed again");
        }
        let data = Self { store, ledger, projection, root_key };
        data.record_cuts(console)?;
        data.resume_retention(console);
        if history.tenants().is_empty() {
            data.create_first_tenant()?;
        }
        Ok(data)
    }

    fn create_first_tenant(&self) -> Result<(), Failure> {
        let first = crate::arguments::tenant_to_write(FIRST_TENANT)?;
        self.ledger.create_tenants(&[first])?;
        Ok(())
    }

    /// Torn bytes that opening cut off are never cut silently.
    fn record_cuts(&self, console: &mut Console) -> Result<(), Failure> {
        for torn in &self.store.report().torn {
            let file = torn.file.to_string_lossy();
            console.note(format!(
                "cut {} torn bytes off {file} at byte {}; they are kept aside in cut/",
                torn.bytes, torn.offset
            ));
            if let Some(cut) = TailCut::new(&file, torn.offset, torn.bytes, torn.sha256) {
                self.ledger.record_tail_cut(&cut)?;
            }
        }
        Ok(())
    }

    pub fn close(self, console: &mut Console) -> Result<(), Failure> {
        self.ledger.close()?;
        self.projection.catch_up(&self.store, console);
        let data = self.store.layout().root().to_owned();
        let context = FollowerContext { store: self.store.clone(), data };
        for (name, problem) in catch_up_all(&context) {
            console.note(format!("{name} is not up to date: {problem}"));
        }
        self.store.close().map_err(|error| {
            let path = self.store.layout().root();
            let message = format!("closing {} failed: {error}", path.display());
            Failure::new(error.code(), message).after_failed_write()
        })
    }
}

/// A damaged store is read and not written.
fn refuse_damaged(path: &Path, report: &OpeningReport) -> Result<(), Failure> {
    match &report.read_only {
        None => Ok(()),
        Some(reason) => Err(Failure::new(
            ErrorCode::StoreDamaged,
            format!("{} cannot be written: {reason}", path.display()),
        )),
    }
}

/// The keys of the ledger in a directory.
pub fn key_files(path: &Path, system: &System) -> KeyFiles {
    let keys = ledgerstone_store::embedded::Layout::new(path).keys();
    KeyFiles::through(system.files.clone(), keys)
}

/// Where a path leads, for messages.
pub fn shown(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
