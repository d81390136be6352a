//! The parameters by which clients of other services list records, in their words.

use axum::extract::Query;
use http::Uri;
use ledgerstone_model::ErrorCode;

use super::list_query::{ListQuery, NOT_YET, invalid, limit, moment, set};
use super::problem::Problem;
use super::query::unknown;
use crate::shape::answer::answering;
use crate::shape::{self, Shape};

/// The last page that JSON has a number for.
const PAGE_MAX: u64 = (1 << 53) - 1;

/// How a route leads from page to page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    /// By `cursor` and `limit`.
    Cursor,
    /// By `page`, from 1 on, and `page_size`.
    Number,
}

/// The parameters of each such listing besides those that lead from page to page.
const TIMES: [&str; 5] = ["start_date", "start_time", "end_date", "end_time", "shape"];

impl Paging {
    const fn names(self) -> [&'static str; 2] {
        match self {
            Self::Cursor => ["limit", "cursor"],
            Self::Number => ["page", "page_size"],
        }
    }
}

/// The parameters, each at most once.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadAliasQuery {
    /// Range, page size and cursor.
    pub(super) list: ListQuery,
    /// From 1 on.
    pub(super) page: Option<u64>,
    /// The shape asked for.
    pub(super) shape: Option<&'static Shape>,
}

impl ReadAliasQuery {
    pub(super) fn of(uri: &Uri, paging: Paging) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)?;
        let mut query = Self::default();
        for (name, value) in pairs {
            query.take(&name, value, paging)?;
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: String, paging: Paging) -> Result<(), Problem> {
        let list = &mut self.list;
        match (name, paging) {
            ("start_date" | "start_time", _) => set(name, &mut list.from, moment(name, &value)?),
            // The moment itself belongs to these clients' ranges.
            ("end_date" | "end_time", _) => {
                set(name, &mut list.to, moment(name, &value)?.saturating_add(1))
            }
            ("limit", Paging::Cursor) | ("page_size", Paging::Number) => {
                set(name, &mut list.limit, limit(name, &value)?)
            }
            ("cursor", Paging::Cursor) => set(name, &mut list.cursor, value),
            ("page", Paging::Number) => set(name, &mut self.page, page(&value)?),
            ("shape", _) => set(name, &mut self.shape, shape_of(&value)?),
            _ if NOT_YET.contains(&name) => {
                let detail = format!("this listing cannot be narrowed by {name} yet");
                Err(Problem::new(ErrorCode::NotSupportedYet, detail))
            }
            _ => Err(unknown(name, TIMES.into_iter().chain(paging.names()))),
        }
    }
}

/// The shape that the request for one record asks for, which may have no other parameter.
pub(super) fn shape_alone(uri: &Uri) -> Result<Option<&'static Shape>, Problem> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)?;
    let mut shape = None;
    for (name, value) in pairs {
        match name.as_str() {
            "shape" => set("shape", &mut shape, shape_of(&value)?)?,
            _ => return Err(unknown(&name, ["shape"])),
        }
    }
    Ok(shape)
}

fn shape_of(name: &str) -> Result<&'static Shape, Problem> {
    let shape = shape::find(name).filter(|shape| !shape.answers.is_empty());
    shape.ok_or_else(|| {
        let names: Vec<&str> = answering().map(|shape| shape.name).collect();
        invalid(format!(
            "records are not read in this shape; those there are: {}",
            names.join(", ")
        ))
    })
}

fn page(value: &str) -> Result<u64, Problem> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| is_number && (1..=PAGE_MAX).contains(number));
    number.ok_or_else(|| invalid("page is a whole number from 1 to 2^53 - 1"))
}

#[cfg(test)]
mod tests {
    use ledgerstone_model::ErrorCode;

    use super::{Paging, ReadAliasQuery};

    fn parsed(query: &str, paging: Paging) -> Result<ReadAliasQuery, ErrorCode> {
        let uri = format!("/x?{query}").parse().unwrap();
        ReadAliasQuery::of(&uri, paging).map_err(|problem| problem.code())
    }

    #[test]
    fn what_is_known_is_read() {
        let query =
            "start_date=1970-01-01T00:00:01&end_date=1970-01-01T00:00:02&page=3&page_size=50";
        let query = parsed(query, Paging::Number).unwrap();
        assert_eq!((query.list.from, query.list.to), (Some(1_000_000), Some(2_000_001)));
        assert_eq!((query.page, query.list.limit), (Some(3), Some(50)));
        let query =
            parsed("start_time=1970-01-01T00:00:01Z&limit=9&cursor=c&shape=entity", Paging::Cursor);
        let query = query.unwrap();
        assert_eq!((query.list.limit, query.list.cursor.as_deref()), (Some(9), Some("c")));
        assert_eq!(query.shape.unwrap().name, "entity");
    }

    #[test]
    fn nothing_is_ignored() {
        use ErrorCode::{InvalidArgument, InvalidTimestamp, NotSupportedYet};
        for (query, paging, code) in [
            ("event_type=user.login", Paging::Number, NotSupportedYet),
            ("agent_id=a", Paging::Cursor, NotSupportedYet),
            ("page=1", Paging::Cursor, NotSupportedYet),
            ("cursor=c", Paging::Number, InvalidArgument),
            ("page=0", Paging::Number, InvalidArgument),
            ("page=+1", Paging::Number, InvalidArgument),
            ("page_size=1001", Paging::Number, InvalidArgument),
            ("start_date=yesterday", Paging::Number, InvalidTimestamp),
            (
                "start_date=1970-01-01T00:00:01&start_time=1970-01-01T00:00:01",
                Paging::Number,
                InvalidArgument,
            ),
            ("shape=nested", Paging::Cursor, InvalidArgument),
            ("colour=red", Paging::Cursor, InvalidArgument),
        ] {
            assert_eq!(parsed(query, paging).unwrap_err(), code, "{query}");
        }
    }
}
