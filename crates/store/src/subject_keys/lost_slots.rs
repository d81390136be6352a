//! Slots that are damaged in both files, as verification tells them.

use std::path::Path;

use super::paired_slots::{SlotFault, SlotsError};
use super::slots_on_disk::{SubjectKeySlots, SubjectKeysError};
use super::tenants_on_disk::TenantKeySlots;
use crate::record::{Check, ContainerFinding, Location};

/// What is wrong with the key files of `DATA/keys`, whose name in the data directory is `shown`.
/// A slot that was erased is a whole one; files that may not be read are not checked.
pub fn lost_slots(directory: &Path, shown: &Path) -> Vec<ContainerFinding> {
    let subjects = || SubjectKeySlots::look(directory).map(|(_, lost)| lost);
    let tenants = || TenantKeySlots::look(directory).map(|(_, lost)| lost);
    let mut findings = lost(&shown.join("subjects.a"), subjects);
    findings.extend(lost(&shown.join("tenants.a"), tenants));
    findings
}

/// The slots that are lost at two looks: between reading the one file and the other, a writer may have
/// come from the first to the second.
fn lost(
    file: &Path,
    look: impl Fn() -> Result<Vec<SlotFault>, SubjectKeysError>,
) -> Vec<ContainerFinding> {
    let first = match look() {
        Ok(first) if first.is_empty() => return Vec::new(),
        Ok(first) => first,
        Err(error) => return unreadable(file, &error).into_iter().collect(),
    };
    let again = look().unwrap_or_default();
    let stays = first.into_iter().filter(|fault| again.contains(fault));
    stays.map(|fault| finding(file, &fault)).collect()
}

fn finding(file: &Path, fault: &SlotFault) -> ContainerFinding {
    ContainerFinding {
        check: Check::KeySlot,
        location: Location { file: file.to_owned(), offset: fault.offset },
        tenant: None,
        sequence_number: None,
        expected: format!("slot {} whole, here or in the file beside it", fault.number),
        found:
            "a slot that is damaged in both files; what is sealed under its key cannot be opened"
                .to_owned(),
        following: 0,
    }
}

/// A file that is none of ours is damage; one that cannot be read is nobody's finding.
fn unreadable(file: &Path, error: &SubjectKeysError) -> Option<ContainerFinding> {
    let is_damage = matches!(error, SubjectKeysError::Slots(SlotsError::Form { .. }));
    is_damage.then(|| ContainerFinding {
        check: Check::KeySlot,
        location: Location { file: file.to_owned(), offset: 0 },
        tenant: None,
        sequence_number: None,
        expected: "a file of key slots".to_owned(),
        found: error.to_string(),
        following: 0,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::lost_slots;
    use crate::embedded::files::Files;
    use crate::subject_keys::{SubjectKeySlots, SubjectTag, WrappedKey};
    use ledgerstone_model::sealing::SealingKeyId;

    fn change(path: &Path, at: usize) {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn a_slot_is_lost_when_both_files_are_damaged_and_erased_ones_are_not() {
        let place = tempfile::tempdir().unwrap();
        let look = || lost_slots(place.path(), Path::new("keys"));
        assert_eq!(look(), []);
        let (mut keys, _) = SubjectKeySlots::open(place.path(), &Files::new()).unwrap();
        let id = |byte| SealingKeyId::new([byte; 16]);
        let wrapped = WrappedKey { wrapped_by: id(200), bytes: [7; 40] };
        keys.add(&[(id(1), SubjectTag([1; 32]), wrapped), (id(2), SubjectTag([2; 32]), wrapped)])
            .unwrap();
        keys.destroy(&[id(1)]).unwrap();
        drop(keys);
        assert_eq!(look(), []);
        change(&place.path().join("subjects.a"), 2 * 128 + 9);
        assert_eq!(look(), [], "the other file has it");
        change(&place.path().join("subjects.b"), 2 * 128 + 30);
        let [found] = look().try_into().unwrap();
        assert_eq!(found.check.as_str(), "key_slot");
        assert_eq!(found.location.file, Path::new("keys/subjects.a"));
        assert_eq!((found.location.offset, found.expected.contains("slot 1")), (2 * 128, true));
        std::fs::write(place.path().join("tenants.b"), [7; 600]).unwrap();
        assert!(look().iter().any(|found| found.location.file == Path::new("keys/tenants.a")));
    }
}
