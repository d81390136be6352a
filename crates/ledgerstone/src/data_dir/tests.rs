//! A data directory whose making was stopped anywhere is made by the next command that writes.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledgerstone_ledger::TenantCreation;
use ledgerstone_ledger::check::{Level, VerifyOptions, verify};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::sealing::Preset;
use ledgerstone_proof::TenantId;
use ledgerstone_store::embedded::files::{FileFault, FileOp, Files};
use ledgerstone_store::embedded::{Mode, OpenError};
use ledgerstone_testkit::TestDirectory;

use ledgerstone_keys::{FileSource, RootKeySetup};

use super::{
    Birth, FIRST_TENANT, IfMissing, Means, SealingChoices, create, create_with, open_store, write,
};
use crate::output::Console;
use crate::system::System;

/// Lets so many changes to files happen and then none, as a process that is killed.
struct StopAfter(AtomicUsize);

impl FileFault for StopAfter {
    fn before(&self, _: FileOp, _: &Path) -> io::Result<()> {
        let next = |left: usize| left.checked_sub(1);
        match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("stopped here")),
        }
    }

    fn after(&self, _: FileOp, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Sizes of `_system` and of the first tenant's ledger, if everything verifies.
fn sizes(path: &Path) -> [u64; 2] {
    use ledgerstone_store::LedgerStore as _;
    let store = open_store(path, Mode::Read, &System::new()).unwrap();
    let report = verify(&store, &VerifyOptions::new(Level::Full, 1), &|_| {}).unwrap();
    assert!(report.holds(), "{:?}", report.findings);
    let size = |tenant: TenantId| store.head(&tenant).unwrap().map_or(0, |head| head.size());
    [size(TenantId::system()), size(TenantId::parse(FIRST_TENANT).unwrap())]
}

#[test]
fn a_making_stopped_at_any_step_is_made_by_the_next_command() {
    let birth = Birth::usual().unwrap();
    let mut console = Console::new();
    let (mut half_made, mut begun, mut done) = (0, 0, 0);
    for step in 0.. {
        let directory = TestDirectory::new("stopped-init");
        let path = directory.join("data");
        let fault = Arc::new(StopAfter(step.into()));
        let system = System { files: Files::with_fault(fault), ..System::new() };
        let means = Means {
            system,
            root_key: RootKeySetup::of(FileSource),
            sealing: SealingChoices {
                default: Preset::Standard,
                key_backup_lifetime: None,
                storage: None,
            },
        };
        let is_made = create_with(&means, &path, &birth, &mut console).is_ok();
        if is_made {
            done += 1;
        } else if path.join("FORMAT").exists() {
            begun += 1;
        } else {
            half_made += 1;
        }
        let told = format!("step {step}");
        if step % 2 == 0 {
            let explicit = TenantCreation::Explicit;
            write(&path, IfMissing::Create, explicit, &mut console, |_, _| Ok(()))
                .unwrap_or_else(|failure| panic!("{told}: {}", failure.message()));
        } else if let Err(failure) = create(&path, &birth, &mut console) {
            // Only a directory with a ledger is one already.
            assert_eq!(failure.code(), ErrorCode::DataDirectoryNotEmpty, "{told}");
            assert!(sizes(&path)[0] > 0, "{told}");
            let explicit = TenantCreation::Explicit;
            write(&path, IfMissing::Refuse, explicit, &mut console, |_, _| Ok(())).unwrap();
        }
        let [system, first] = sizes(&path);
        assert!(path.join("keys/root.key").exists(), "{told}");
        assert!(system >= 2 && (1..=2).contains(&first), "{told}: {system} and {first} records");
        if done == 2 {
            break;
        }
    }
    assert!(half_made > 15 && begun > 15, "{half_made} before FORMAT, {begun} after it");
}

#[test]
fn what_may_not_be_read_is_told_apart_from_what_may_not_be_written() {
    let denied = || OpenError::io("opening FORMAT", io::ErrorKind::PermissionDenied.into());
    let write = super::in_directory(Path::new("data"), &denied());
    assert_eq!(write.code(), ErrorCode::ReadOnlyStorage);
    let read = super::in_directory_to_read(Path::new("data"), &denied());
    assert_eq!(read.code(), ErrorCode::StorageFailed);
    assert!(read.remedy().contains("let this user read"), "{}", read.remedy());
    assert_eq!(read.message(), write.message());
}
