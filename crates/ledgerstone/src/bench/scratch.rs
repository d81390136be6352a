//! A ledger in a temporary directory, as the benches need it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ledgerstone_ledger::{KeyFiles, Ledger, Settings, TenantCreation};
use ledgerstone_model::system::{KeyAlgorithm, LogName, SigningMode};
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Mode, Options};

use crate::system::System;

/// A fresh store and its ledger.
pub struct Scratch {
    pub directory: tempfile::TempDir,
    pub store: Arc<EmbeddedStore>,
    pub ledger: Arc<Ledger>,
}

impl Scratch {
    /// Makes one below `parent`.
    pub fn new(parent: &Path, signing: SigningMode) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("ledgerstone-bench").tempdir_in(parent)?;
        let path = directory.path().join("data");
        let System { clock, entropy, .. } = System::new();
        let files = Files::new();
        let store = EmbeddedStore::create(
            &path,
            Options::default(),
            files,
            clock.clone(),
            entropy.clone(),
        )?;
        let store = Arc::new(store);
        let keys = KeyFiles::in_directory(store.layout().keys());
        keys.create(KeyAlgorithm::Ed25519, &*entropy)?;
        let mut settings = Settings::new(LogName::parse(LogName::DEFAULT)?);
        settings.signing = signing;
        settings.tenant_creation = TenantCreation::Explicit;
        let ledger = Ledger::create(store.clone(), Arc::new(keys), settings, clock, entropy)?;
        Ok(Self { directory, store, ledger: Arc::new(ledger) })
    }

    /// Opens the directory again, as after the death of the process; answers the milliseconds.
    pub fn reopen_after_crash(self) -> anyhow::Result<(tempfile::TempDir, f64)> {
        let Self { directory, store, ledger } = self;
        drop(ledger);
        drop(Arc::into_inner(store).context("the store is still in use")?);
        let path = directory.path().join("data");
        let begun = std::time::Instant::now();
        let System { clock, entropy, .. } = System::new();
        let options = Options::default();
        let opened =
            EmbeddedStore::open(&path, Mode::Write, options, Files::new(), clock, entropy)?;
        let taken = begun.elapsed().as_secs_f64() * 1_000.0;
        opened.close()?;
        Ok((directory, taken))
    }
}
