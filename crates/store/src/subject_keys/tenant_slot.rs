//! What a tenant's slot holds: its secrets, wrapped by the root key service.

use ledgerstone_model::sealing::SealingKeyId;
use ledgerstone_proof::TenantId;

/// Bytes of a slot's payload; with change number and checksum a slot has 512.
pub(super) const TENANT_PAYLOAD_BYTES: usize = 500;

/// The longest that a root key service may make two keys of 32 bytes.
pub const WRAPPED_SECRETS_BYTES_MAX: usize = 400;

const TENANT_BYTES_MAX: usize = 63;

const LIVE: u8 = 1;

const DESTROYED: u8 = 2;

/// One key of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantKeySlot {
    pub tenant: TenantId,
    pub key_id: SealingKeyId,
    /// As the root key service wrapped them; `None` once they are destroyed.
    pub wrapped: Option<Vec<u8>>,
}

impl TenantKeySlot {
    /// State, key id, tenant with its length, wrapped secrets with theirs, zeros. `None` where the
    /// wrapped secrets are too long.
    pub(super) fn encode(&self) -> Option<[u8; TENANT_PAYLOAD_BYTES]> {
        let wrapped = self.wrapped.as_deref().unwrap_or_default();
        let tenant = self.tenant.as_str().as_bytes();
        if wrapped.len() > WRAPPED_SECRETS_BYTES_MAX || tenant.len() > TENANT_BYTES_MAX {
            return None;
        }
        let state = [if self.wrapped.is_some() { LIVE } else { DESTROYED }];
        let tenant_length = [u8::try_from(tenant.len()).ok()?];
        let wrapped_length = u16::try_from(wrapped.len()).ok()?.to_le_bytes();
        let parts: [&[u8]; 6] =
            [&state, self.key_id.as_bytes(), &tenant_length, tenant, &wrapped_length, wrapped];
        let mut out = [0; TENANT_PAYLOAD_BYTES];
        let written = parts.into_iter().flatten();
        out.iter_mut().zip(written).for_each(|(place, byte)| *place = *byte);
        Some(out)
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else.
    pub(super) fn decode(payload: &[u8; TENANT_PAYLOAD_BYTES]) -> Option<Self> {
        let (state, rest) = payload.split_first()?;
        let (key_id, rest) = rest.split_first_chunk::<16>()?;
        let (tenant_length, rest) = rest.split_first()?;
        let (tenant, rest) = rest.split_at_checked(usize::from(*tenant_length))?;
        let (wrapped_length, rest) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_le_bytes(*wrapped_length));
        let (wrapped, spare) = rest.split_at_checked(length)?;
        let is_whole = spare.iter().all(|byte| *byte == 0);
        let wrapped = match *state {
            LIVE if !wrapped.is_empty() && is_whole => Some(wrapped.to_vec()),
            DESTROYED if wrapped.is_empty() && is_whole => None,
            _ => return None,
        };
        let tenant = TenantId::parse_stored(std::str::from_utf8(tenant).ok()?).ok()?;
        Some(Self { tenant, key_id: SealingKeyId::new(*key_id), wrapped })
    }
}

#[cfg(test)]
mod tests {
    use super::{TenantKeySlot, WRAPPED_SECRETS_BYTES_MAX};
    use ledgerstone_model::sealing::SealingKeyId;
    use ledgerstone_proof::TenantId;

    fn slot(wrapped: Option<Vec<u8>>) -> TenantKeySlot {
        let tenant = TenantId::parse(&"t".repeat(63)).unwrap();
        TenantKeySlot { tenant, key_id: SealingKeyId::new([7; 16]), wrapped }
    }

    #[test]
    fn slots_are_read_back() {
        for wrapped in [None, Some(vec![1; 72]), Some(vec![2; WRAPPED_SECRETS_BYTES_MAX])] {
            let one = slot(wrapped);
            assert_eq!(TenantKeySlot::decode(&one.encode().unwrap()), Some(one));
        }
        // What operators looked for is sealed too.
        let system = TenantKeySlot { tenant: TenantId::system(), ..slot(Some(vec![1; 72])) };
        assert_eq!(TenantKeySlot::decode(&system.encode().unwrap()), Some(system));
        assert_eq!(slot(Some(vec![1; WRAPPED_SECRETS_BYTES_MAX + 1])).encode(), None);
        assert_eq!(TenantKeySlot::decode(&[0; 500]), None);
        assert_eq!(TenantKeySlot::decode(&[1; 500]), None);
        assert_eq!(TenantKeySlot::decode(&[255; 500]), None);
    }
}
