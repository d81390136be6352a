//! The parameters of a request, and in our words what is wrong with them: which one, and what may
//! stand there.

use axum::extract::Query;
use http::Uri;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use super::list_query::invalid;
use super::problem::Problem;

/// Characters of a parameter's name that an answer repeats.
const SHOWN_MAX: usize = 40;

/// Reads the parameters that `Q` describes, each at most once and none besides them.
pub(super) fn parameters<Q: DeserializeOwned + IntoParams>(uri: &Uri) -> Result<Q, Problem> {
    Query::<Q>::try_from_uri(uri).map(|Query(query)| query).or_else(|_| {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)?;
        Err(invalid(fault(&described::<Q>(), &pairs)))
    })
}

/// What a parameter that is not known is answered with; `known` are those that are.
pub(super) fn unknown<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Problem {
    invalid(unknown_words(name, known))
}

/// A parameter as the description of the interface has it.
struct Described {
    name: String,
    is_required: bool,
    schema: Value,
}

fn described<Q: IntoParams>() -> Vec<Described> {
    let parameters = Q::into_params(|| Some(ParameterIn::Query)).into_iter();
    parameters
        .map(|parameter| {
            let json = serde_json::to_value(&parameter).unwrap_or_default();
            Described {
                name: parameter.name,
                is_required: json["required"] == true,
                schema: json["schema"].clone(),
            }
        })
        .collect()
}

fn fault(known: &[Described], pairs: &[(String, String)]) -> String {
    let names = || known.iter().map(|parameter| parameter.name.as_str());
    for (at, (name, value)) in pairs.iter().enumerate() {
        let Some(parameter) = known.iter().find(|parameter| parameter.name == *name) else {
            return unknown_words(name, names());
        };
        if pairs.iter().take(at).any(|(earlier, _)| earlier == name) {
            return format!("{name} stands twice; give it once");
        }
        if !parameter.allows(value) {
            return format!("{name} is {}", parameter.allowed());
        }
    }
    let given = |parameter: &Described| pairs.iter().any(|(name, _)| *name == parameter.name);
    match known.iter().find(|parameter| parameter.is_required && !given(parameter)) {
        Some(missing) => format!("{} is missing; it is {}", missing.name, missing.allowed()),
        None => format!("the parameters are not well formed; there are {}", listed(names())),
    }
}

fn unknown_words<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let shown: String = name.chars().take(SHOWN_MAX).collect();
    match listed(known) {
        none if none.is_empty() => {
            format!("there is no parameter {shown:?} here; this route takes none")
        }
        known => format!("there is no parameter {shown:?} here; there are {known}"),
    }
}

fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

impl Described {
    /// The type's name; what may be left out can have `null` beside it.
    fn kind(&self) -> Option<&str> {
        match &self.schema["type"] {
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")
            }
            kind => kind.as_str(),
        }
    }

    fn allows(&self, value: &str) -> bool {
        if let Some(values) = self.schema["enum"].as_array() {
            return values.iter().any(|allowed| allowed == value);
        }
        match self.kind() {
            Some("boolean") => matches!(value, "true" | "false"),
            Some("integer") => value.parse::<u64>().is_ok_and(|number| {
                self.schema["minimum"].as_u64().is_none_or(|least| least <= number)
                    && self.schema["maximum"].as_u64().is_none_or(|most| number <= most)
            }),
            _ => true,
        }
    }

    fn allowed(&self) -> String {
        if let Some(values) = self.schema["enum"].as_array() {
            return listed(values.iter().filter_map(Value::as_str)).replace(", ", " or ");
        }
        match self.kind() {
            Some("boolean") => "true or false".to_owned(),
            Some("integer") => {
                let least = self.schema["minimum"].as_u64().unwrap_or(0);
                let most = self.schema["maximum"].as_u64().unwrap_or(u64::MAX);
                format!("a whole number from {least} to {most}")
            }
            _ => "a text".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use utoipa::IntoParams;

    use super::parameters;

    /// One of each kind.
    #[derive(Debug, PartialEq, Eq, Deserialize, IntoParams)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        size: u64,
        #[param(minimum = 1, maximum = 9)]
        limit: Option<u16>,
        #[serde(default)]
        whole: bool,
    }

    fn read(query: &str) -> Result<Wanted, String> {
        let uri = format!("/x?{query}").parse().unwrap();
        parameters(&uri).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let wanted = Wanted { size: 3, limit: Some(2), whole: true };
        assert_eq!(read("size=3&limit=2&whole=true"), Ok(wanted));
        let size = "size is a whole number from 0 to 18446744073709551615";
        for (query, words) in [
            ("", "size is missing; it is a whole number from 0 to 18446744073709551615"),
            ("size=", size),
            ("size=x", size),
            ("size=-1", size),
            ("size=18446744073709551616", size),
            ("size=1&limit=65536", "limit is a whole number from 1 to 9"),
            ("size=1&whole=yes", "whole is true or false"),
            ("size=1&size=2", "size stands twice; give it once"),
            (
                "size=1&colour=red",
                "there is no parameter \"colour\" here; there are size, limit, whole",
            ),
        ] {
            assert_eq!(read(query).unwrap_err(), words, "{query}");
        }
    }
}
