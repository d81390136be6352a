//! Where those who read have keys from.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use ledgerstone_model::personal::redact::HASH_KEY_BYTES;
use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_model::visible::KeyState;
use ledgerstone_proof::TenantId;
use zeroize::Zeroizing;

/// Secrets of tenants that could not be had: asking for them again during one request would only
/// make it wait again.
#[derive(Debug, Default)]
pub struct Refused(pub(super) HashSet<SealingKeyId>);

/// Gives keys to those who read: many at once, and as many as can be had.
pub trait KeySource: fmt::Debug {
    /// The state of each of these keys.
    fn states(
        &self,
        tenant: &TenantId,
        ids: &BTreeSet<SealingKeyId>,
        refused: &mut Refused,
    ) -> HashMap<SealingKeyId, KeyState>;

    /// The key under which a tenant's values are hashed where they are shown redacted; `None` where the
    /// tenant has no keys, or they cannot be had.
    fn hash_key(
        &self,
        tenant: &TenantId,
        refused: &mut Refused,
    ) -> Option<Zeroizing<[u8; HASH_KEY_BYTES]>>;
}
