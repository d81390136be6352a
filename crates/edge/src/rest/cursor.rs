//! Cursors of listings: where one goes on, in a text that nobody else can make.
//!
//! A cursor is a few bytes under HMAC-SHA-256 with the tenant. An altered one, one of another tenant,
//! of another listing and of another server are all the same: none. That of a listing of records is the
//! rest of one walk over one snapshot: order, time range, the numbers that are left, and the tree size it
//! is over; that of dead letters is the last one that was listed.

use std::fmt;
use std::ops::Range;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledgerstone_ledger::Order;
use ledgerstone_model::{DeadLetterId, ErrorCode};
use ledgerstone_proof::TenantId;

use super::problem::Problem;

/// Bytes of the key.
pub const CURSOR_KEY_BYTES: usize = 32;

/// First byte of a cursor over records.
const OF_RECORDS: u8 = 1;
/// First byte of a cursor over dead letters.
const OF_LETTERS: u8 = 2;
/// The kind, order, and five numbers of eight bytes.
const WALK_BYTES: usize = 2 + 5 * 8;
/// Bytes of the longest cursor.
const CURSOR_BYTES_MAX: usize = 128;
const MAC_BYTES: usize = 32;
/// Stands for an end of the time range that is open.
const OPEN: i64 = i64::MIN;

/// The secret under which cursors are made. Cursors outlive a restart if it does.
pub struct CursorKey(hmac::Key);

impl CursorKey {
    pub fn new(secret: &[u8; CURSOR_KEY_BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn make(&self, tenant: &TenantId, mut payload: Vec<u8>) -> String {
        let mac = hmac::sign(&self.0, &authenticated(tenant, &payload));
        payload.extend_from_slice(mac.as_ref());
        URL_SAFE_NO_PAD.encode(payload)
    }

    /// What this key made the cursor of, for this tenant.
    fn open(&self, tenant: &TenantId, cursor: &str) -> Option<Vec<u8>> {
        // Decodes the one spelling only.
        let mut bytes = [0; CURSOR_BYTES_MAX];
        let length = URL_SAFE_NO_PAD.decode_slice(cursor, &mut bytes).ok()?;
        let (payload, mac) = bytes.get(..length)?.split_last_chunk::<MAC_BYTES>()?;
        hmac::verify(&self.0, &authenticated(tenant, payload), mac).ok()?;
        Some(payload.to_vec())
    }
}

/// The cursor behind this dead letter.
pub(super) fn cursor_behind(last: DeadLetterId, tenant: &TenantId, key: &CursorKey) -> String {
    let mut payload = vec![OF_LETTERS];
    payload.extend_from_slice(last.to_string().as_bytes());
    key.make(tenant, payload)
}

/// The dead letter behind which a listing goes on.
pub(super) fn letter_before(
    cursor: &str,
    tenant: &TenantId,
    key: &CursorKey,
) -> Result<DeadLetterId, Problem> {
    let read = || match key.open(tenant, cursor)?.split_first()? {
        (&OF_LETTERS, id) => DeadLetterId::parse(std::str::from_utf8(id).ok()?),
        _ => None,
    };
    read().ok_or_else(not_ours)
}

fn not_ours() -> Problem {
    let detail =
        "this server did not make the cursor for this listing of this tenant, or it was altered";
    Problem::new(ErrorCode::InvalidCursor, detail)
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
        let mut bytes = Vec::with_capacity(WALK_BYTES + MAC_BYTES);
        bytes.push(OF_RECORDS);
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
        key.make(tenant, bytes)
    }

    /// The walk that goes on from a cursor.
    pub(super) fn from_cursor(
        cursor: &str,
        tenant: &TenantId,
        key: &CursorKey,
    ) -> Result<Self, Problem> {
        key.open(tenant, cursor).and_then(|payload| Self::read(&payload)).ok_or_else(not_ours)
    }

    fn read(payload: &[u8]) -> Option<Self> {
        let payload: &[u8; WALK_BYTES] = payload.try_into().ok()?;
        let (&[kind, order], numbers) = payload.split_first_chunk::<2>()?;
        let order = match (kind, order) {
            (OF_RECORDS, 0) => Order::NewestFirst,
            (OF_RECORDS, 1) => Order::Sequence,
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
