//! The root keys that a process works with: the one that wraps, and the one before it, which still
//! opens what it wrapped until everything has been wrapped anew.
//!
//! Everything wrapped begins with the mark of its service, so that what another service wrapped is
//! told by name, and never shown to one that it is not for.

use std::fmt;
use std::sync::Arc;

use ledgerstone_ledger::sealing_keys::{RootKey, RootKeyError, WrappedBy};
use ledgerstone_proof::TenantId;
use ledgerstone_store::subject_keys::{TenantKeySlot, TenantKeySlots, WRAPPED_SECRETS_BYTES_MAX};
use zeroize::Zeroizing;

use crate::service::{Place, RootKeySource, SERVICES, SetupError};

/// Which service holds the root key, and which did before.
#[derive(Debug)]
pub struct RootKeySetup {
    pub current: Box<dyn RootKeySource>,
    /// Only opens; for as long as the keys of tenants move from it to the current one.
    pub previous: Option<Box<dyn RootKeySource>>,
}

impl RootKeySetup {
    /// One service, and none before it.
    pub fn of(current: impl RootKeySource + 'static) -> Self {
        Self { current: Box::new(current), previous: None }
    }

    fn sources(&self) -> impl Iterator<Item = &dyn RootKeySource> {
        [Some(&self.current), self.previous.as_ref()].into_iter().flatten().map(AsRef::as_ref)
    }
}

/// The root key for the key files of a data directory, which must be open for writing.
///
/// A root key in a file is made where there is none, unless something was wrapped that only the lost
/// one opens. Nobody is asked over the network: whether a service is there, and holds the key that
/// wrapped what lies there, [`KeyRing::check_root`](ledgerstone_ledger::sealing_keys::KeyRing::check_root)
/// tells.
pub fn open(setup: &RootKeySetup, place: &Place) -> Result<Arc<dyn RootKey>, SetupError> {
    open_in(setup, place, true)
}

/// The root key of a data directory that is only read: nothing is made. `None` where nothing was
/// wrapped yet, so that there is nothing to open.
pub fn open_to_read(
    setup: &RootKeySetup,
    place: &Place,
) -> Result<Option<Arc<dyn RootKey>>, SetupError> {
    let (slots, faults) = TenantKeySlots::look(&place.keys)?;
    if slots.is_empty() && faults.is_empty() {
        return Ok(None);
    }
    open_in(setup, place, false).map(Some)
}

fn open_in(
    setup: &RootKeySetup,
    place: &Place,
    is_writer: bool,
) -> Result<Arc<dyn RootKey>, SetupError> {
    let (slots, faults) = TenantKeySlots::look(&place.keys)?;
    let marks: Vec<(&TenantKeySlot, u8)> = slots.iter().filter_map(with_mark).collect();
    let is_known = |mark| setup.sources().any(|source| source.service().mark == mark);
    if let Some((slot, mark)) = marks.iter().find(|(_, mark)| !is_known(*mark)) {
        return Err(SetupError::OtherService {
            tenant: slot.tenant.to_string(),
            wrapped_by: named(*mark),
            in_use: setup.current.service().name.to_owned(),
        });
    }
    let mark = setup.current.service().mark;
    let previous_mark = setup.previous.as_ref().map(|source| source.service().mark);
    // Where both wrap alike, the one before may have wrapped all there is.
    let is_unused = previous_mark == Some(mark) || marks.iter().all(|(_, used)| *used != mark);
    let may_make = is_writer && faults.is_empty() && is_unused;
    let current = Marked { mark, root: setup.current.open(place, may_make)? };
    let open = |source: &dyn RootKeySource| -> Result<Marked, SetupError> {
        Ok(Marked { mark: source.service().mark, root: source.open(place, false)? })
    };
    let previous = setup.previous.as_deref().map(open).transpose()?;
    Ok(Arc::new(Roots { current, previous }))
}

/// A live slot with the mark of the service that wrapped it.
fn with_mark(slot: &TenantKeySlot) -> Option<(&TenantKeySlot, u8)> {
    Some((slot, *slot.wrapped.as_ref()?.first()?))
}

/// The services that have a mark, for messages.
fn named(mark: u8) -> String {
    let names = SERVICES.iter().filter(|service| service.mark == mark).map(|service| service.name);
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "a service that is not known here".to_owned()
    } else {
        names.join(" or ")
    }
}

/// A root key with the mark that its service puts before what it wraps.
#[derive(Debug)]
struct Marked {
    mark: u8,
    root: Box<dyn RootKey>,
}

struct Roots {
    current: Marked,
    previous: Option<Marked>,
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let previous = self.previous.as_ref().map(|marked| &marked.root);
        let mut shown = f.debug_struct("Roots");
        shown.field("current", &self.current.root).field("previous", &previous).finish()
    }
}

impl RootKey for Roots {
    fn kind(&self) -> &'static str {
        self.current.root.kind()
    }

    fn wrap(&self, tenant: &TenantId, secrets: &[u8]) -> Result<Vec<u8>, RootKeyError> {
        let mut wrapped = self.current.root.wrap(tenant, secrets)?;
        wrapped.insert(0, self.current.mark);
        if wrapped.len() > WRAPPED_SECRETS_BYTES_MAX {
            return Err(RootKeyError::Refused(format!(
                "it makes {} bytes of a tenant's keys, and {WRAPPED_SECRETS_BYTES_MAX} are kept; \
                 give it a symmetric key",
                wrapped.len()
            )));
        }
        Ok(wrapped)
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
        let Some((mark, wrapped)) = wrapped.split_first() else {
            return Err(RootKeyError::Wrong("there is nothing".to_owned()));
        };
        let roots = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        let mut error = None;
        for root in roots.filter(|root| root.mark == *mark) {
            match root.root.unwrap(tenant, wrapped) {
                Ok(secrets) => return Ok(secrets),
                // That the current one does not open it says more than that the one before did not.
                Err(refused) => error = error.or(Some(refused)),
            }
        }
        Err(error.unwrap_or_else(|| {
            let (by, in_use) = (named(*mark), self.kind());
            RootKeyError::Wrong(format!("it was wrapped by {by}, and {in_use} is in use"))
        }))
    }

    fn wrapped_by(&self, wrapped: &[u8]) -> Option<WrappedBy> {
        let (mark, wrapped) = wrapped.split_first()?;
        let roots = [Some(&self.current), self.previous.as_ref()].into_iter().flatten();
        let mut known = roots.filter(|root| root.mark == *mark);
        let known = known.find_map(|root| root.root.wrapped_by(wrapped));
        known.or_else(|| Some(WrappedBy { service: named(*mark), key: None }))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use ledgerstone_ledger::sealing_keys::{RootKey, RootKeyError};
    use ledgerstone_model::ErrorCode;
    use ledgerstone_model::sealing::SealingKeyId;
    use ledgerstone_proof::TenantId;
    use ledgerstone_store::embedded::files::Files;
    use ledgerstone_store::subject_keys::{TenantKeySlot, TenantKeySlots};
    use ledgerstone_testkit::{MockClock, SeededEntropy};
    use zeroize::Zeroizing;

    use super::{Marked, RootKeySetup, Roots, open, open_to_read};
    use crate::{FileSource, Place, RootKeySource, RootSecret, SecretSource, SetupError};

    const BASE64: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    fn acme() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    fn secret() -> SecretSource {
        SecretSource(RootSecret::parse(BASE64).unwrap())
    }

    fn setup(
        current: impl RootKeySource + 'static,
        previous: impl RootKeySource + 'static,
    ) -> RootKeySetup {
        RootKeySetup { previous: Some(Box::new(previous)), ..RootKeySetup::of(current) }
    }

    fn place(directory: &Path) -> Place {
        Place {
            keys: directory.to_owned(),
            files: Files::new(),
            clock: Arc::new(MockClock::default()),
            entropy: Arc::new(SeededEntropy::new(5)),
        }
    }

    /// Wraps the secrets of a tenant and keeps them in the key files in place of the old ones.
    fn keep(directory: &Path, root: &dyn RootKey) -> Vec<u8> {
        let wrapped = root.wrap(&acme(), &[9; 64]).unwrap();
        let (mut slots, _) = TenantKeySlots::open(directory, &Files::new()).unwrap();
        let old: Vec<_> = slots.iter().map(|slot| slot.key_id).collect();
        old.iter().for_each(|id| slots.destroy(id).unwrap());
        let key_id = SealingKeyId::new(wrapped[9..25].try_into().unwrap());
        slots
            .add(TenantKeySlot { tenant: acme(), key_id, wrapped: Some(wrapped.clone()) })
            .unwrap();
        wrapped
    }

    #[test]
    fn a_root_key_file_is_made_once_and_never_in_place_of_a_lost_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root.key");
        let place = place(directory.path());
        let of_file = RootKeySetup::of(FileSource);
        assert!(open_to_read(&of_file, &place).unwrap().is_none());
        assert!(!path.exists());
        let root = open(&of_file, &place).unwrap();
        let made = std::fs::read(&path).unwrap();
        open(&of_file, &place).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), made);
        std::fs::remove_file(&path).unwrap();
        open(&of_file, &place).unwrap();
        assert_ne!(std::fs::read(&path).unwrap(), made, "nothing was wrapped yet");
        std::fs::write(&path, &made).unwrap();

        let wrapped = keep(directory.path(), &*root);
        let read = open_to_read(&of_file, &place).unwrap().unwrap();
        assert_eq!(read.unwrap(&acme(), &wrapped).unwrap().as_slice(), [9; 64]);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(open_to_read(&of_file, &place), Err(SetupError::Lost { .. })));
        let error = open(&of_file, &place).unwrap_err();
        assert!(matches!(error, SetupError::Lost { .. }), "{error}");
        assert_eq!(error.code(), ErrorCode::WrongRootKey);
        assert!(!path.exists());
        std::fs::write(&path, &made).unwrap();
        let error = open(&of_file, &place).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidKey, "its rights are too wide: {error}");
        chmod(&path);
        let root = open(&of_file, &place).unwrap();
        assert_eq!(root.unwrap(&acme(), &wrapped).unwrap().as_slice(), [9; 64]);
        // What cannot be read may have been wrapped by it.
        std::fs::remove_file(&path).unwrap();
        for name in ["tenants.a", "tenants.b"] {
            let file = directory.path().join(name);
            let mut bytes = std::fs::read(&file).unwrap();
            bytes[512 + 60] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }
        assert!(matches!(open(&of_file, &place), Err(SetupError::Lost { .. })));
    }

    fn chmod(path: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn keys_move_from_one_service_to_another() {
        let directory = tempfile::tempdir().unwrap();
        let place = place(directory.path());
        let given = open(&RootKeySetup::of(secret()), &place).unwrap();
        assert!(!directory.path().join("root.key").exists(), "it is not in the directory");
        let wrapped = keep(directory.path(), &*given);
        assert!(matches!(
            open(&RootKeySetup::of(FileSource), &place),
            Err(SetupError::Lost { .. })
        ));

        let both = open(&setup(FileSource, secret()), &place).unwrap();
        assert_eq!(both.kind(), "file");
        assert_eq!(both.unwrap(&acme(), &wrapped).unwrap().as_slice(), [9; 64]);
        let moved = keep(directory.path(), &*both);
        assert_eq!(both.unwrap(&acme(), &moved).unwrap().as_slice(), [9; 64]);
        let file = open(&RootKeySetup::of(FileSource), &place).unwrap();
        assert_eq!(file.unwrap(&acme(), &moved).unwrap().as_slice(), [9; 64]);
        let error = file.unwrap(&acme(), &wrapped).unwrap_err();
        assert_eq!(error.code(), ErrorCode::WrongRootKey);
        // What wrapped something is told without unwrapping it.
        let told = |wrapped: &[u8]| both.wrapped_by(wrapped).unwrap();
        assert_eq!(
            (told(&wrapped).service, told(&moved).service),
            ("secret".into(), "file".into())
        );
        assert_eq!(told(&wrapped).key.unwrap(), hex::encode(&wrapped[1..9]));
        assert_eq!(file.wrapped_by(&wrapped).unwrap().service, "file or secret");
        assert_eq!(file.wrapped_by(&[]), None);
    }

    /// A service of another mark, which makes too much of what it wraps.
    #[derive(Debug)]
    struct Verbose(usize);

    impl RootKey for Verbose {
        fn kind(&self) -> &'static str {
            "verbose"
        }

        fn wrap(&self, _: &TenantId, _: &[u8]) -> Result<Vec<u8>, RootKeyError> {
            Ok(vec![7; self.0])
        }

        fn unwrap(&self, _: &TenantId, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, RootKeyError> {
            Ok(Zeroizing::new(vec![1]))
        }
    }

    #[test]
    fn what_no_service_here_wrapped_is_told_by_its_mark() {
        let roots = |bytes| Roots {
            current: Marked { mark: 200, root: Box::new(Verbose(bytes)) },
            previous: None,
        };
        let one = roots(399);
        let wrapped = one.wrap(&acme(), b"keys").unwrap();
        assert_eq!((wrapped.len(), wrapped[0]), (400, 200));
        assert_eq!(one.unwrap(&acme(), &wrapped).unwrap().as_slice(), [1]);
        let error = roots(400).wrap(&acme(), b"keys").unwrap_err();
        assert!(matches!(&error, RootKeyError::Refused(why) if why.contains("symmetric")));
        for (wrapped, says) in [
            (&[1, 7, 7][..], "wrapped by file or secret, and verbose is in use"),
            (&[201, 7][..], "wrapped by a service that is not known here"),
            (&[][..], "there is nothing"),
        ] {
            let error = one.unwrap(&acme(), wrapped).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(error.code(), ErrorCode::WrongRootKey);
        }

        let directory = tempfile::tempdir().unwrap();
        keep(directory.path(), &one);
        let error = open(&RootKeySetup::of(FileSource), &place(directory.path())).unwrap_err();
        assert!(matches!(error, SetupError::OtherService { .. }), "{error}");
        assert!(!directory.path().join("root.key").exists());
    }
}
