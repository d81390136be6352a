//! Which crate may use which: the line of ARCHITECTURE.md as a table, and what stays outside of
//! whole groups of crates.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::Fault;

/// The line, read from left to right: a crate uses only what stands in a group before its own.
const LINE: &[&[&str]] = &[
    &["ledgerstone-proof"],
    &["ledgerstone-model"],
    &["ledgerstone-store", "ledgerstone-render", "ledgerstone-compliance"],
    &["ledgerstone-ledger"],
    &["ledgerstone-keys", "ledgerstone-outlets", "ledgerstone-edge"],
    &["ledgerstone"],
];

/// Crates beside the line, with all that they may use of ours.
const BESIDE: &[(&str, &[&str])] = &[
    // What applications embed must not pull the server in.
    (CLIENT, &["ledgerstone-proof", "ledgerstone-model"]),
    (
        "ledgerstone-testkit",
        &[
            "ledgerstone-proof",
            "ledgerstone-model",
            "ledgerstone-store",
            "ledgerstone-ledger",
            "ledgerstone-edge",
        ],
    ),
    ("xtask", &["ledgerstone-proof", "ledgerstone-model"]),
];

/// What applications embed; of our crates the binary alone uses it, for its commands.
const CLIENT: &str = "ledgerstone-client";
const BINARY: &str = "ledgerstone";

/// Allowed as a development dependency everywhere, and as nothing else.
const TESTKIT: &str = "ledgerstone-testkit";

/// A foreign crate that only some of ours may name, and why.
struct Reserved {
    names: &'static [&'static str],
    may: &'static [&'static str],
    reason: &'static str,
}

/// The crates that talk to the outside world.
const OUTER: &[&str] = &[
    "ledgerstone-keys",
    "ledgerstone-outlets",
    "ledgerstone-edge",
    "ledgerstone-client",
    "ledgerstone",
];

const RESERVED: &[Reserved] = &[
    Reserved {
        names: &[
            "async-trait",
            "axum",
            "futures",
            "hyper",
            "hyper-util",
            "rdkafka",
            "redis",
            "reqwest",
            "rustls",
            "tokio",
            "tokio-rustls",
            "tokio-stream",
            "tokio-util",
            "tonic",
            "tower",
            "tower-http",
        ],
        may: OUTER,
        reason: "everything up to the ledger is synchronous and knows no network",
    },
    Reserved {
        names: &["rusqlite"],
        may: &["ledgerstone-store"],
        reason: "databases are reached through the store contract",
    },
    Reserved {
        names: &["clap", "comfy-table", "indicatif"],
        may: &["ledgerstone"],
        reason: "only the binary knows a terminal",
    },
    Reserved {
        names: &["anyhow"],
        may: &["ledgerstone", "xtask"],
        reason: "libraries have an error enum per module",
    },
    Reserved {
        names: &["chrono", "time"],
        may: &[],
        reason: "time is jiff: one calendar in the house",
    },
    Reserved { names: &["rand"], may: &[], reason: "randomness is an argument: take an `Entropy`" },
    Reserved {
        names: &["once_cell", "lazy_static"],
        may: &[],
        reason: "the standard library has `OnceLock` and `LazyLock`",
    },
];

/// A dependency as a manifest states it.
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    development: bool,
}

/// Faults in what `cargo metadata --no-deps` says.
pub fn check(metadata: &str) -> Result<Vec<Fault>> {
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata is not JSON")?;
    let packages = list(&metadata, "packages")?;
    let mut ours = Vec::new();
    for package in packages {
        ours.push(text(package, "name")?);
    }
    let mut faults: Vec<Fault> = ours.iter().filter_map(|name| unplaced(name)).collect();
    for package in packages {
        let from = text(package, "name")?;
        for dependency in list(package, "dependencies")? {
            let edge = Edge {
                from,
                to: text(dependency, "name")?,
                development: dependency.get("kind").and_then(Value::as_str) == Some("dev"),
            };
            let known = ours.contains(&edge.to);
            faults.extend(if known { own(&edge) } else { foreign(&edge) });
        }
    }
    Ok(faults)
}

fn unplaced(name: &str) -> Option<Fault> {
    let placed = group(name).is_some() || beside(name).is_some();
    (!placed).then(|| {
        let advice = "this crate has no place in the line; add it to xtask/src/tidy/crates.rs";
        Fault::in_file(name, advice)
    })
}

/// An edge between two crates of ours. A crate may name itself for its tests, to turn on a feature.
fn own(edge: &Edge<'_>) -> Option<Fault> {
    if edge.from == edge.to && edge.development {
        return None;
    }
    if edge.to == TESTKIT {
        return (!edge.development).then(|| {
            let told = format!("uses {TESTKIT} outside of tests; make it a dev-dependency");
            Fault::in_file(edge.from, told)
        });
    }
    let allowed = match beside(edge.from) {
        Some(may) => may.contains(&edge.to),
        None if edge.to == CLIENT => edge.from == BINARY,
        None => group(edge.to) < group(edge.from) && group(edge.to).is_some(),
    };
    (!allowed).then(|| {
        let told =
            format!("uses {}, which does not stand to its left in the line of crates", edge.to);
        Fault::in_file(edge.from, told)
    })
}

/// An edge to a crate of somebody else. Tests may use what they need.
fn foreign(edge: &Edge<'_>) -> Option<Fault> {
    let rule = RESERVED.iter().find(|rule| rule.names.contains(&edge.to))?;
    let allowed = edge.development || rule.may.contains(&edge.from);
    (!allowed).then(|| {
        let told = format!("must not use the crate {}: {}", edge.to, rule.reason);
        Fault::in_file(edge.from, told)
    })
}

fn group(name: &str) -> Option<usize> {
    LINE.iter().position(|group| group.contains(&name))
}

fn beside(name: &str) -> Option<&'static [&'static str]> {
    let (_, may) = BESIDE.iter().find(|(own, _)| *own == name)?;
    Some(may)
}

fn list<'a>(value: &'a Value, member: &str) -> Result<&'a Vec<Value>> {
    value
        .get(member)
        .and_then(Value::as_array)
        .with_context(|| format!("cargo metadata has no list `{member}`"))
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str> {
    value
        .get(member)
        .and_then(Value::as_str)
        .with_context(|| format!("cargo metadata has no text `{member}`"))
}

#[cfg(test)]
mod tests {
    use super::check;
    use serde_json::{Value, json};

    /// The faults of a workspace with all crates of the line, plus one dependency.
    fn faults_of(from: &str, to: &str, kind: Option<&str>) -> Vec<String> {
        let names = [
            "ledgerstone-proof",
            "ledgerstone-model",
            "ledgerstone-store",
            "ledgerstone-render",
            "ledgerstone-ledger",
            "ledgerstone-edge",
            "ledgerstone-client",
            "ledgerstone-testkit",
            "ledgerstone",
            "xtask",
        ];
        let package = |name: &str| {
            let edges: Vec<Value> =
                if name == from { vec![json!({"name": to, "kind": kind})] } else { Vec::new() };
            json!({"name": name, "dependencies": edges})
        };
        let packages: Vec<Value> = names.into_iter().map(package).collect();
        let metadata = json!({ "packages": packages }).to_string();
        let faults = check(&metadata).unwrap();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn edges_that_the_line_allows() {
        for (from, to, kind) in [
            ("ledgerstone-model", "ledgerstone-proof", None),
            ("ledgerstone-ledger", "ledgerstone-render", None),
            ("ledgerstone", "ledgerstone-proof", None),
            ("ledgerstone-client", "ledgerstone-model", None),
            ("ledgerstone", "ledgerstone-client", None),
            ("ledgerstone-proof", "ledgerstone-testkit", Some("dev")),
            ("ledgerstone-store", "ledgerstone-store", Some("dev")),
            ("ledgerstone-store", "rusqlite", None),
            ("ledgerstone-edge", "tokio", None),
            ("ledgerstone-ledger", "tokio", Some("dev")),
            ("ledgerstone-ledger", "serde", None),
            ("xtask", "ledgerstone-model", None),
        ] {
            let told = faults_of(from, to, kind);
            assert!(told.is_empty(), "{from} -> {to}: {told:?}");
        }
    }

    #[test]
    fn edges_that_the_line_forbids() {
        for (from, to, kind) in [
            ("ledgerstone-proof", "ledgerstone-model", None),
            ("ledgerstone-model", "ledgerstone-store", Some("dev")),
            ("ledgerstone-store", "ledgerstone-render", None),
            ("ledgerstone-edge", "ledgerstone", None),
            ("ledgerstone-client", "ledgerstone-ledger", None),
            ("ledgerstone-ledger", "ledgerstone-client", None),
            ("ledgerstone-edge", "ledgerstone-client", None),
            ("ledgerstone-edge", "ledgerstone-testkit", None),
            ("ledgerstone-ledger", "tokio", None),
            ("ledgerstone-store", "tokio", Some("build")),
            ("ledgerstone-edge", "rusqlite", None),
            ("ledgerstone-edge", "anyhow", None),
            ("ledgerstone", "chrono", None),
        ] {
            let told = faults_of(from, to, kind);
            assert_eq!(told.len(), 1, "{from} -> {to}: {told:?}");
            assert!(told.iter().all(|fault| fault.contains(to)), "{told:?}");
        }
    }

    #[test]
    fn a_crate_without_a_place_is_named() {
        let metadata = r#"{"packages":[{"name":"ledgerstone-things","dependencies":[]}]}"#;
        let faults = check(metadata).unwrap();
        assert_eq!(faults.len(), 1);
        assert!(check("{}").is_err());
    }
}
