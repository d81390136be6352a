//! The wrapped keys of data subjects and of tenants: what must be destroyable, unlike everything else in a data
//! directory.
//!
//! They stand in two files of fixed slots and nowhere else. A database would keep old pages in its
//! journals; a slot is overwritten where it stands. Each change is synced in the first file and then
//! in the second, so that one of them is whole at every moment.

mod differing_copies;
mod look;
mod looked;
mod lost_slots;
mod paired_slots;
mod slot;
mod slots_on_disk;
mod stranded;
mod tenant_slot;
mod tenants_on_disk;

pub use differing_copies::{DifferingCopy, differing_copies};
pub use looked::LookedKeys;
pub use lost_slots::lost_slots;
pub use paired_slots::{PairedSlots, SlotFault, SlotNumber, SlotsError, SlotsReport};
pub use slot::{SubjectKeySlot, SubjectTag, WRAPPED_KEY_BYTES, WrappedKey};
pub use slots_on_disk::{SubjectKeySlots, SubjectKeysError};
pub use stranded::StrandedKeys;
pub use tenant_slot::{TenantKeySlot, WRAPPED_SECRETS_BYTES_MAX};
pub use tenants_on_disk::TenantKeySlots;
