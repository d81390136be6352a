//! Keys of people that no key of a tenant opens: the two pairs of key files are not of one time.
//!
//! Slots of tenants are never freed, only overwritten, so a wrapping key that is not there tells that
//! `tenants.*` is older than `subjects.*`, or lost.

use std::collections::{HashMap, HashSet};

use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_proof::TenantId;

use super::slot::SubjectKeySlot;
use super::tenant_slot::TenantKeySlot;

/// The keys of people that cannot be unwrapped, by the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StrandedKeys {
    /// What wrapped them is in no slot, so that nobody can tell whose they are.
    pub unknown: Vec<SealingKeyId>,
    /// What wrapped them is destroyed, while the tenant has another key.
    pub outlived: Vec<SealingKeyId>,
}

impl StrandedKeys {
    /// Compares the slots of people with those of tenants. Where there is no tenant at all, destroyed
    /// keys count too. What is left of a tenant all of whose keys are destroyed is not stranded: that
    /// tenant was closed.
    pub fn among<'a>(
        tenants: impl Iterator<Item = &'a TenantKeySlot>,
        subjects: impl Iterator<Item = &'a SubjectKeySlot>,
    ) -> Self {
        let tenants: HashMap<SealingKeyId, &TenantKeySlot> =
            tenants.map(|slot| (slot.key_id, slot)).collect();
        let live = tenants.values().filter(|slot| slot.wrapped.is_some());
        let open: HashSet<&TenantId> = live.map(|slot| &slot.tenant).collect();
        let mut stranded = Self::default();
        for slot in subjects {
            let Some(key) = &slot.key else {
                if tenants.is_empty() {
                    stranded.unknown.push(slot.key_id);
                }
                continue;
            };
            match tenants.get(&key.wrapped_by) {
                None => stranded.unknown.push(slot.key_id),
                Some(by) if by.wrapped.is_none() && open.contains(&by.tenant) => {
                    stranded.outlived.push(slot.key_id);
                }
                Some(_) => {}
            }
        }
        stranded
    }
}

#[cfg(test)]
mod tests {
    use super::StrandedKeys;
    use crate::record::KeyGeneration;
    use crate::subject_keys::{SubjectKeySlot, SubjectTag, TenantKeySlot, WrappedKey};
    use ledgerstone_model::sealing::SealingKeyId;
    use ledgerstone_proof::TenantId;

    fn id(byte: u8) -> SealingKeyId {
        SealingKeyId::new([byte; 16])
    }

    fn tenant(key: u8, name: &str, is_live: bool) -> TenantKeySlot {
        let tenant = TenantId::parse(name).unwrap();
        TenantKeySlot { tenant, key_id: id(key), wrapped: is_live.then(|| vec![key; 72]) }
    }

    fn person(key: u8, wrapped_by: Option<u8>) -> SubjectKeySlot {
        SubjectKeySlot {
            key_id: id(key),
            tag: SubjectTag([key; 32]),
            generation: KeyGeneration(1),
            key: wrapped_by.map(|by| WrappedKey { wrapped_by: id(by), bytes: [key; 40] }),
        }
    }

    #[test]
    fn a_key_is_stranded_without_what_wrapped_it() {
        let tenants =
            [tenant(1, "acme", false), tenant(2, "acme", true), tenant(3, "closed", false)];
        let people = [
            person(10, Some(2)),
            person(11, Some(1)),
            person(12, Some(3)),
            person(13, Some(9)),
            person(14, None),
        ];
        let among = |tenants: &[TenantKeySlot]| StrandedKeys::among(tenants.iter(), people.iter());
        let (unknown, outlived) = (vec![id(13)], vec![id(11)]);
        assert_eq!(among(&tenants), StrandedKeys { unknown, outlived });
        let all = StrandedKeys { unknown: (10..=14).map(id).collect(), outlived: Vec::new() };
        assert_eq!(among(&[]), all, "without any tenant destroyed ones are nobody's either");
        assert_eq!(StrandedKeys::among([].iter(), [].iter()), StrandedKeys::default());
    }
}
