//! Cursors of listings: where a walk goes on, in a text that nobody else can make.
//!
//! A cursor is the rest of one walk over one snapshot: order, time range, the numbers that are left,
//! and the tree size it is over, under HMAC-SHA-256 with the tenant. An altered one, one of another
//! tenant and one of another server are all the same: none.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_ledger::Order;
use ledgerstone_model::ErrorCode;
use ledgerstone_proof::TenantId;

use super::problem::Problem;

/// Bytes of the key.
pub const CURSOR_KEY_BYTES: usize = 32;

/// First byte of a cursor of this form.
const VERSION: u8 = 1;
/// Version, order, and five numbers of eight bytes.
const PAYLOAD_BYTES: usize = 2 + 5 * 8;
const MAC_BYTES: usize = 32;
/// Stands for an end of the time range that is open.
const OPEN: i64 = i64::MIN;

/// The secret under which cursors are made. Cursors outlive a restart if it does.
pub struct CursorKey(hmac::Key);

impl CursorKey {
    pub fn new(secret: &[u8; CURSOR_KEY_BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey")
    }
}

/// What a listing walks through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) order: Order,
    /// Microseconds since 1970 of the first moment that belongs to the range, and of the first after it.
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    /// Numbers of the records that are left.
    pub(super) rest: Range<u64>,
    /// The tree size that the walk is over.
    pub(super) size: u64,
}

impl Walk {
    /// The cursor from which this walk goes on.
    pub(super) fn to_cursor(&self, tenant: &TenantId, key: &CursorKey) -> String {
        let mut bytes = Vec::with_capacity(PAYLOAD_BYTES + MAC_BYTES);
        bytes.push(VERSION);
        bytes.push(match self.order {
            Order::NewestFirst => 0,
            Order::Sequence => 1,
        });
        for number in [self.rest.start, self.rest.end, self.size] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for moment in [self.from, self.to] {
            bytes.extend_from_slice(&moment.unwrap_or(OPEN).to_be_bytes());
        }
        let mac = hmac::sign(&key.0, &authenticated(tenant, &bytes));
        bytes.extend_from_slice(mac.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The walk that goes on from a cursor.
    pub(super) fn from_cursor(
        cursor: &str,
        tenant: &TenantId,
        key: &CursorKey,
    ) -> Result<Self, Problem> {
        Self::read(cursor, tenant, key).ok_or_else(|| {
            let detail = "this server did not make the cursor for this tenant, or it was altered";
            Problem::new(ErrorCode::InvalidCursor, detail)
        })
    }

    fn read(cursor: &str, tenant: &TenantId, key: &CursorKey) -> Option<Self> {
        let mut bytes = [0; PAYLOAD_BYTES + MAC_BYTES];
        // Decodes the one spelling only: a longer text does not fit.
        let length = URL_SAFE_NO_PAD.decode_slice(cursor, &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (payload, mac) = bytes.split_first_chunk::<PAYLOAD_BYTES>()?;
        hmac::verify(&key.0, &authenticated(tenant, payload), mac).ok()?;
        let (&[version, order], numbers) = payload.split_first_chunk::<2>()?;
        let order = match (version, order) {
            (VERSION, 0) => Order::NewestFirst,
            (VERSION, 1) => Order::Sequence,
            _ => return None,
        };
        let (numbers, _) = numbers.as_chunks::<8>();
        let &[start, end, size, from, to] = numbers else { return None };
        let number = u64::from_be_bytes;
        let moment = |bytes| Some(i64::from_be_bytes(bytes)).filter(|moment| *moment != OPEN);
        Some(Self {
            order,
            from: moment(from),
            to: moment(to),
            rest: number(start)..number(end),
            size: number(size),
        })
    }
}

/// The tenant's name cannot end in the payload's first byte, so no two pairs are the same text.
fn authenticated(tenant: &TenantId, payload: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(128);
    text.extend_from_slice(b"ledgerstone-cursor\0");
    text.extend_from_slice(tenant.as_str().as_bytes());
    text.push(0);
    text.extend_from_slice(payload);
    text
}

#[cfg(test)]
mod tests {
    use ledgerstone_ledger::Order;
    use ledgerstone_model::ErrorCode;
    use ledgerstone_proof::TenantId;

    use super::{CursorKey, Walk};

    fn walk() -> Walk {
        Walk { order: Order::Sequence, from: Some(-5), to: None, rest: 3..70, size: 90 }
    }

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    #[test]
    fn a_cursor_goes_on_where_the_walk_was_left() {
        let key = CursorKey::new(&[1; 32]);
        for order in [Order::Sequence, Order::NewestFirst] {
            let walk = Walk { order, ..walk() };
            let cursor = walk.to_cursor(&tenant("acme"), &key);
            assert_eq!(Walk::from_cursor(&cursor, &tenant("acme"), &key), Ok(walk));
        }
    }

    #[test]
    fn a_foreign_or_altered_cursor_is_none() {
        let key = CursorKey::new(&[1; 32]);
        let cursor = walk().to_cursor(&tenant("acme"), &key);
        let refused = |cursor: &str, tenant: &TenantId, key: &CursorKey| {
            let problem = Walk::from_cursor(cursor, tenant, key).unwrap_err();
            assert_eq!(problem.code(), ErrorCode::InvalidCursor, "{cursor}");
        };
        refused(&cursor, &tenant("beta"), &key);
        refused(&cursor, &tenant("acme"), &CursorKey::new(&[2; 32]));
        for at in 0..cursor.len() {
            let mut altered = cursor.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            refused(&String::from_utf8(altered).unwrap(), &tenant("acme"), &key);
        }
        for broken in ["", "x", &cursor[1..], &format!("{cursor}A"), &format!("{cursor}="), "é"] {
            refused(broken, &tenant("acme"), &key);
        }
    }
}
