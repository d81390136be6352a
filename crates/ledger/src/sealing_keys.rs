//! The keys that fields are sealed with: made when a person is first met, unwrapped for minutes,
//! wrapped anew when a tenant's key is rotated, destroyed for good.
//!
//! A subject's key is wrapped by its tenant's, and a tenant's secrets by the root key, which a
//! [`RootKey`] service holds. Only wrapped keys lie on a disk.

mod look;
mod opened;
mod operation;
mod overview;
mod reading;
mod ring;
mod root_calls;
mod root_key;
mod shared_calls;
mod source;
mod state;
mod tenant_secrets;
mod wiper;

pub use look::KeyLook;
pub use overview::{SealingKeysOverview, TenantKeys};
pub use ring::{KeyRing, KeyRingError, KeyRingSettings, KeyRingStatus, Rotated};
pub use root_key::{RootKey, RootKeyError, WrappedBy};
pub use source::{KeySource, Refused};

pub(crate) use wiper::KeyWiper;
