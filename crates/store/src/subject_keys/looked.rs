//! All key files of a data directory as they lie there, for who only reads them.

use std::path::Path;

use super::slot::SubjectKeySlot;
use super::slots_on_disk::{SubjectKeySlots, SubjectKeysError};
use super::stranded::StrandedKeys;
use super::tenant_slot::TenantKeySlot;
use super::tenants_on_disk::TenantKeySlots;
use crate::record::KeyGeneration;

/// What the key files of a directory hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedKeys {
    /// In the order of their slots, the newest last.
    pub tenants: Vec<TenantKeySlot>,
    pub subjects: Vec<SubjectKeySlot>,
    /// The changes of both pairs of files together, which frames carry.
    pub generation: KeyGeneration,
    /// Slots that are damaged in both files.
    pub faults: usize,
}

impl LookedKeys {
    /// Reads the files in `DATA/keys`. Nothing is made or healed.
    ///
    /// Beside a writer that replaces the key of a tenant, the one pair may be read before and the other after
    /// it: what is stranded then is not at another look.
    pub fn at(directory: &Path) -> Result<Self, SubjectKeysError> {
        let first = Self::look(directory)?;
        if first.stranded() == StrandedKeys::default() { Ok(first) } else { Self::look(directory) }
    }

    fn look(directory: &Path) -> Result<Self, SubjectKeysError> {
        let (subjects, lost_subjects) = SubjectKeySlots::look(directory)?;
        let (tenants, lost_tenants, changes) = TenantKeySlots::look_with_changes(directory)?;
        let of_people = subjects.iter().map(|slot| slot.generation.0).max().unwrap_or(0);
        let generation = KeyGeneration(of_people.saturating_add(changes));
        let faults = lost_subjects.len() + lost_tenants.len();
        Ok(Self { tenants, subjects, generation, faults })
    }

    /// Keys of people that no key of a tenant opens.
    pub fn stranded(&self) -> StrandedKeys {
        StrandedKeys::among(self.tenants.iter(), self.subjects.iter())
    }
}
