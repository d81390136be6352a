//! A walk over records, page by page over one snapshot: what every listing of records does, whatever
//! its parameters are called and however its records are written.

use std::ops::Range;

use ledgerstone_ledger::{
    Ledger, LedgerError, Order, Reader, VIEWED_AT_ONCE, Viewer, VisibleEvent,
};
use ledgerstone_model::ErrorCode;
use ledgerstone_model::json_write::ObjectWriter;
use ledgerstone_proof::{IngestedAt, TenantId};

use super::cursor::Walk;
use super::list_query::ListQuery;
use super::problem::Problem;
use super::seen::Seen;
use super::service::Service;

/// Bytes after which a page ends, whatever its limit; its last record may go beyond them.
pub(super) const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What finds the walk that a request asks for, where the disk may be read.
pub(super) fn walk_of(
    query: ListQuery,
    tenant: &TenantId,
    service: &Service,
) -> Result<impl FnOnce(&Ledger) -> Result<Walk, Problem> + Send + use<>, Problem> {
    let left = match &query.cursor {
        Some(cursor) => Some(going_on(cursor, &query, tenant, service)?),
        None => None,
    };
    let tenant = tenant.clone();
    Ok(move |ledger: &Ledger| match left {
        Some(walk) => still_there(walk, ledger.reader(), &tenant),
        None => begin(&query, ledger.reader(), &tenant),
    })
}

/// The walk of a cursor. Parameters that were given again must be those that it began with.
fn going_on(
    cursor: &str,
    query: &ListQuery,
    tenant: &TenantId,
    service: &Service,
) -> Result<Walk, Problem> {
    let walk = Walk::from_cursor(cursor, tenant, service.cursor_key())?;
    let is_same = query.order.is_none_or(|order| order == walk.order)
        && (query.from.is_none() || query.from == walk.from)
        && (query.to.is_none() || query.to == walk.to);
    if is_same {
        return Ok(walk);
    }
    let detail = "the cursor belongs to a listing with another order, from or to";
    Err(Problem::new(ErrorCode::InvalidCursor, detail))
}

fn still_there(walk: Walk, reader: &Reader, tenant: &TenantId) -> Result<Walk, Problem> {
    if walk.size > reader.size(tenant)? || walk.rest.end > walk.size {
        let detail = "the cursor is over more records than the ledger has";
        return Err(Problem::new(ErrorCode::InvalidCursor, detail));
    }
    Ok(walk)
}

/// A walk over the ledger as it is now.
fn begin(query: &ListQuery, reader: &Reader, tenant: &TenantId) -> Result<Walk, Problem> {
    let size = reader.size(tenant)?;
    let rest = numbers_of(reader, tenant, size, (query.from, query.to))?;
    let order = query.order.unwrap_or(Order::NewestFirst);
    Ok(Walk { order, from: query.from, to: query.to, rest, size })
}

impl Walk {
    /// How many records the walk has, from its beginning on.
    pub(super) fn total(&self, reader: &Reader, tenant: &TenantId) -> Result<u64, Problem> {
        let all = numbers_of(reader, tenant, self.size, (self.from, self.to))?;
        Ok(all.end - all.start)
    }

    /// Passes over records; beyond the last one nothing is left.
    pub(super) fn skip(&mut self, records: u64) {
        let Range { start, end } = &mut self.rest;
        match self.order {
            Order::NewestFirst => *end = end.saturating_sub(records).max(*start),
            Order::Sequence => *start = start.saturating_add(records).min(*end),
        }
    }
}

/// Numbers of the records in a time range of a ledger of this size.
fn numbers_of(
    reader: &Reader,
    tenant: &TenantId,
    size: u64,
    (from, to): (Option<i64>, Option<i64>),
) -> Result<Range<u64>, Problem> {
    let number_at = |micros: i64, none: u64| {
        let time = IngestedAt::from_micros(micros).ok();
        time.map_or(Ok(none), |time| reader.first_ingested_since(tenant, size, time))
    };
    let start = from.map_or(Ok(0), |micros| number_at(micros, size))?;
    let end = to.map_or(Ok(size), |micros| number_at(micros, size))?;
    Ok(start..end.max(start))
}

/// Some records of a walk that were written, and what is left of it.
pub(super) struct Page {
    pub(super) rest: Walk,
    pub(super) seen: Seen,
}

impl Page {
    /// Writes records as an array.
    pub(super) fn write(
        mut walk: Walk,
        limit: usize,
        (write, out): (impl Fn(&VisibleEvent, &mut Vec<u8>), &mut Vec<u8>),
        (reader, tenant): (&Reader, &TenantId),
        viewer: &mut Viewer<'_>,
    ) -> Result<Self, Problem> {
        out.push(b'[');
        let begin = out.len();
        let is_full = |out: &Vec<u8>| out.len() - begin >= PAGE_BYTES_MAX;
        let mut seen = Seen::by(viewer.sight()).at_size(walk.size);
        let mut records = reader.walk(tenant, walk.order, walk.rest.clone()).take(limit);
        while !is_full(out) {
            let some =
                records.by_ref().take(VIEWED_AT_ONCE).collect::<Result<Vec<_>, LedgerError>>()?;
            if some.is_empty() {
                break;
            }
            for event in viewer.view_all(some) {
                if is_full(out) {
                    break;
                }
                if out.len() > begin {
                    out.push(b',');
                }
                write(&event, out);
                seen.note(&event);
                match walk.order {
                    Order::NewestFirst => walk.rest.end -= 1,
                    Order::Sequence => walk.rest.start += 1,
                }
            }
        }
        out.push(b']');
        Ok(Self { rest: walk, seen })
    }

    /// The cursor of the next page, where there is one.
    pub(super) fn next_cursor(&self, tenant: &TenantId, service: &Service) -> Option<String> {
        let is_last = self.rest.rest.is_empty();
        (!is_last).then(|| self.rest.to_cursor(tenant, service.cursor_key()))
    }
}

/// Writes the member `next_cursor`, null on the last page.
pub(super) fn write_next(next: Option<&str>, object: &mut ObjectWriter<'_>) {
    match next {
        Some(cursor) => object.text("next_cursor", cursor),
        None => object.key("next_cursor").extend_from_slice(b"null"),
    }
}
