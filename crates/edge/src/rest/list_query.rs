//! The parameters of a listing. None is ignored: one that is not understood yet says so.

use axum::extract::Query;
use http::{StatusCode, Uri};
use ledgerstone_ledger::Order;
use ledgerstone_model::{ErrorCode, EventTime};

use super::problem::Problem;
use super::query::unknown;

/// Records of a page unless the request says otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Records of a page at most.
pub(super) const LIMIT_MAX: usize = 1_000;

/// Names of filters that a listing will have one day, here and in the interfaces whose routes this
/// server also has.
pub(super) const NOT_YET: &[&str] = &[
    "action",
    "actor",
    "actor_id",
    "actor_type",
    "agent_id",
    "category",
    "correlation_id",
    "end_date",
    "end_time",
    "event_type",
    "event_types",
    "fields",
    "filter",
    "ip_address",
    "kind",
    "offset",
    "outcome",
    "page",
    "page_size",
    "q",
    "query",
    "resource_id",
    "resource_type",
    "result",
    "risk_level",
    "search",
    "session_id",
    "severity",
    "skip",
    "sort",
    "sort_by",
    "sort_order",
    "source",
    "start_date",
    "start_time",
    "target",
    "target_id",
    "target_type",
    "trace_id",
    "type",
    "user_id",
    "where",
];

/// The names that are understood.
const KNOWN: [&str; 5] = ["from", "to", "order", "limit", "cursor"];

/// The parameters of a listing, each at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) order: Option<Order>,
    /// Microseconds since 1970.
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
}

impl ListQuery {
    pub(super) fn of(uri: &Uri) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)?;
        let mut query = Self::default();
        for (name, value) in pairs {
            query.take(&name, value)?;
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), Problem> {
        match name {
            "order" => set(name, &mut self.order, order(&value)?),
            "from" => set(name, &mut self.from, moment(name, &value)?),
            "to" => set(name, &mut self.to, moment(name, &value)?),
            "limit" => set(name, &mut self.limit, limit(name, &value)?),
            "cursor" => set(name, &mut self.cursor, value),
            _ if NOT_YET.contains(&name) => {
                let detail = format!(
                    "listings cannot be narrowed by {name} yet; from, to, order, limit and cursor are understood"
                );
                Err(Problem::new(ErrorCode::NotSupportedYet, detail))
            }
            _ => Err(unknown(name, KNOWN)),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(LIMIT_DEFAULT)
    }
}

pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ErrorCode::InvalidArgument, detail)
}

pub(super) fn set<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), Problem> {
    if place.is_some() {
        return Err(invalid(format!("{name} stands twice; give it once")));
    }
    *place = Some(value);
    Ok(())
}

fn order(value: &str) -> Result<Order, Problem> {
    match value {
        "newest" => Ok(Order::NewestFirst),
        "sequence" => Ok(Order::Sequence),
        _ => Err(invalid("order is newest or sequence")),
    }
}

pub(super) fn moment(name: &str, value: &str) -> Result<i64, Problem> {
    let time = EventTime::parse(value).map_err(|error| {
        Problem::new(ErrorCode::InvalidTimestamp, format!("{name} {error}"))
            .with_status(StatusCode::BAD_REQUEST)
    })?;
    Ok(time.micros())
}

pub(super) fn limit(name: &str, value: &str) -> Result<usize, Problem> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|number| is_number && (1..=LIMIT_MAX).contains(number));
    number.ok_or_else(|| invalid(format!("{name} is a whole number from 1 to {LIMIT_MAX}")))
}

#[cfg(test)]
mod tests {
    use http::Uri;
    use ledgerstone_ledger::Order;
    use ledgerstone_model::ErrorCode;

    use super::{ListQuery, NOT_YET};

    fn parsed(query: &str) -> Result<ListQuery, ErrorCode> {
        let uri: Uri = format!("/v1/events?{query}").parse().unwrap();
        ListQuery::of(&uri).map_err(|problem| problem.code())
    }

    #[test]
    fn what_is_known_is_read() {
        let query = parsed(
            "order=sequence&from=1970-01-01T00:00:01Z&to=1970-01-01T01:00:02%2B01:00&limit=7&cursor=abc",
        );
        assert_eq!(
            query,
            Ok(ListQuery {
                order: Some(Order::Sequence),
                from: Some(1_000_000),
                to: Some(2_000_000),
                limit: Some(7),
                cursor: Some("abc".to_owned()),
            })
        );
        assert_eq!(parsed("").unwrap().limit(), 100);
        assert_eq!(parsed("limit=1000").unwrap().limit(), 1_000);
    }

    #[test]
    fn nothing_is_ignored() {
        for name in NOT_YET {
            assert_eq!(parsed(&format!("{name}=x")), Err(ErrorCode::NotSupportedYet), "{name}");
        }
        for query in [
            "nonsense=1",
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=%2B5",
            "limit=x",
            "limit=",
            "order=oldest",
            "limit=1&limit=1",
            "order=newest&order=sequence",
            "cursor=a&cursor=b",
            "Limit=5",
            "limit=99999999999999999999999",
        ] {
            assert_eq!(parsed(query), Err(ErrorCode::InvalidArgument), "{query}");
        }
        for query in ["from=yesterday", "to=2024-13-01T00:00:00Z", "from="] {
            assert_eq!(parsed(query), Err(ErrorCode::InvalidTimestamp), "{query}");
        }
    }
}
