//! Key files that do not hold what the file beside them does, for whoever looks at a data directory without
//! writing: the newest slots of both count, but an older copy may hold keys that were destroyed.

use std::path::Path;

use super::paired_slots::{PairedSlots, Reading, SlotsError};
use super::slot::PAYLOAD_BYTES;
use super::slots_on_disk::SubjectKeysError;
use super::tenant_slot::TENANT_PAYLOAD_BYTES;

/// A key file that is not as the one beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingCopy {
    /// Its name in `DATA/keys`.
    pub file: String,
    /// The slots that are older in it than in the other file, or not there.
    pub stale: Vec<u64>,
    /// The slots that are damaged in it and whole in the other file.
    pub damaged: Vec<u64>,
}

/// The key files of `DATA/keys` in which a slot is older than in the other file, or damaged. A writer may be
/// on its way from the one file to the other: what another look finds no more was none.
pub fn differing_copies(directory: &Path) -> Result<Vec<DifferingCopy>, SubjectKeysError> {
    let mut found = PairedSlots::<PAYLOAD_BYTES>::differing(directory, "subjects")?;
    found.extend(PairedSlots::<TENANT_PAYLOAD_BYTES>::differing(directory, "tenants")?);
    Ok(found)
}

impl<const N: usize> PairedSlots<N> {
    fn differing(directory: &Path, name: &str) -> Result<Vec<DifferingCopy>, SlotsError> {
        let texts = Self::look_at_texts(directory, name)?;
        let count = texts.iter().map(|text| Self::count(text)).max().unwrap_or(0);
        let mut copies = ["a", "b"].map(|which| DifferingCopy {
            file: format!("{name}.{which}"),
            stale: Vec::new(),
            damaged: Vec::new(),
        });
        for number in 0..count {
            let [first, second] = texts.each_ref().map(|text| Self::read_slot(text, number));
            let [of_first, of_second] = &mut copies;
            of_first.note(number, (&first, &second));
            of_second.note(number, (&second, &first));
        }
        Ok(copies.into_iter().filter(|copy| !copy.is_like_the_other()).collect())
    }
}

impl DifferingCopy {
    fn note<const N: usize>(&mut self, number: u64, (own, other): (&Reading<N>, &Reading<N>)) {
        let Reading::Held { change: newest, .. } = other else { return };
        match own {
            Reading::Held { change, .. } if change >= newest => {}
            Reading::Held { .. } | Reading::Empty | Reading::Missing => self.stale.push(number),
            Reading::Bad => self.damaged.push(number),
        }
    }

    const fn is_like_the_other(&self) -> bool {
        self.stale.is_empty() && self.damaged.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ledgerstone_model::sealing::SealingKeyId;

    use super::{DifferingCopy, differing_copies};
    use crate::embedded::files::Files;
    use crate::subject_keys::{SubjectKeySlots, SubjectTag, TenantKeySlots, WrappedKey};

    fn id(byte: u8) -> SealingKeyId {
        SealingKeyId::new([byte; 16])
    }

    fn open(directory: &Path) -> SubjectKeySlots {
        drop(TenantKeySlots::open(directory, &Files::new()).unwrap());
        SubjectKeySlots::open(directory, &Files::new()).unwrap().0
    }

    fn copy(file: &str, stale: &[u64], damaged: &[u64]) -> DifferingCopy {
        DifferingCopy { file: file.to_owned(), stale: stale.to_vec(), damaged: damaged.to_vec() }
    }

    #[test]
    fn a_file_that_is_behind_or_damaged_is_named_with_its_slots() {
        let place = tempfile::tempdir().unwrap();
        let look = || differing_copies(place.path()).unwrap();
        assert_eq!(look(), [], "there are none");
        let key = WrappedKey { wrapped_by: id(200), bytes: [7; 40] };
        let add = |byte: u8| {
            let new = [(id(byte), SubjectTag([byte; 32]), key)];
            open(place.path()).add(&new).unwrap();
        };
        add(1);
        for (round, name) in (1_u64..).zip(["subjects.a", "subjects.b"]) {
            let path = place.path().join(name);
            let older = std::fs::read(&path).unwrap();
            add(10 + name.as_bytes()[9]);
            let gone = if round == 1 { id(1) } else { id(10 + b'a') };
            open(place.path()).destroy(&[gone]).unwrap();
            assert_eq!(look(), []);
            let newest = std::fs::read(&path).unwrap();
            std::fs::write(&path, &older).unwrap();
            // What was destroyed since then, and what was added.
            assert_eq!(look(), [copy(name, &[round - 1, round], &[])]);
            let mut damaged = newest.clone();
            damaged[2 * 128 + 5] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert_eq!(look(), [copy(name, &[], &[1])]);
            std::fs::remove_file(&path).unwrap();
            assert_eq!(look(), [copy(name, &(0..=round).collect::<Vec<_>>(), &[])]);
            std::fs::write(&path, &newest).unwrap();
        }
        // Opening makes them equal.
        std::fs::remove_file(place.path().join("subjects.b")).unwrap();
        drop(open(place.path()));
        assert_eq!(look(), []);
    }
}
