//! The configuration file: TOML, in which every key has to be one that there is.

use std::path::Path;

use ledgerstone_model::ErrorCode;

use super::kind::Value;
use super::table::{SETTINGS, Setting, find};
use crate::failure::Failure;

/// Reads the settings that stand in a file.
pub fn read(path: &Path) -> Result<Vec<(&'static Setting, Value)>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the configuration {} cannot be read: {error}", path.display());
        Failure::new(ErrorCode::InvalidSettings, message).with_remedy("Check the path.")
    })?;
    parse(&text).map_err(|reason| {
        Failure::new(ErrorCode::InvalidSettings, format!("{}: {reason}", path.display()))
    })
}

fn parse(text: &str) -> Result<Vec<(&'static Setting, Value)>, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        format!("line {line}: {}", error.message().lines().collect::<Vec<_>>().join(" "))
    })?;
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    collect("", &table, (&mut found, &mut faults));
    if faults.is_empty() { Ok(found) } else { Err(faults.join("; ")) }
}

fn collect(
    prefix: &str,
    table: &toml::Table,
    (found, faults): (&mut Vec<(&'static Setting, Value)>, &mut Vec<String>),
) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if let Some(setting) = find(&key) {
            match setting.kind.read(value) {
                Ok(value) => found.push((setting, value)),
                Err(reason) => faults.push(format!("{key}: {reason}")),
            }
            continue;
        }
        let begins_with_it = |setting: &&Setting| {
            setting.key.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        match value {
            toml::Value::Table(inner) if SETTINGS.iter().any(|one| begins_with_it(&one)) => {
                collect(&key, inner, (&mut *found, &mut *faults));
            }
            _ => faults.push(format!("there is no setting {key}; {}", suggestion(&key))),
        }
    }
}

/// The known key that is most like this one.
fn suggestion(key: &str) -> String {
    let nearest = SETTINGS.iter().map(|one| one.key).min_by_key(|known| distance(key, known));
    format!("the nearest is {}", nearest.unwrap_or_default())
}

/// The number of letters to insert, remove or replace that makes one text out of another
/// (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (position, other) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[position + 1];
            row[position + 1] = replaced.min(diagonal + 1).min(row[position] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::kind::Value;
    use super::{distance, parse};

    #[test]
    fn keys_stand_plain_or_in_tables() {
        let found =
            parse("data = \"x\"\nlimits.headers = 9\n[tls]\ncertificate = \"c\"\n").unwrap();
        let found: Vec<_> =
            found.into_iter().map(|(setting, value)| (setting.key, value)).collect();
        assert!(found.contains(&("data", Value::Text("x".to_owned()))));
        assert!(found.contains(&("limits.headers", Value::Number(9))));
        assert!(found.contains(&("tls.certificate", Value::Text("c".to_owned()))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            ("lissten = \"x\"", "no setting lissten; the nearest is listen"),
            ("[limits]\nheader = 9", "no setting limits.header; the nearest is limits.headers"),
            ("[tsl]\nkey = \"x\"", "no setting tsl; the nearest is"),
            ("[[tls]]\nkey = \"x\"", "no setting tls;"),
            ("limits = 3", "no setting limits;"),
            ("data = 3", "data: a path is wanted"),
            ("[limits]\nheaders = \"9\"", "limits.headers: a whole number from"),
            ("data = \"x\"\ndata = \"y\"", "line 2: "),
            ("data =", "line 1: "),
            ("auth.issuers = [3]", "auth.issuers: a list of tables"),
        ] {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(says), "{text:?}: {reason}");
        }
    }

    #[test]
    fn distances_count_letters() {
        for (left, right, expected) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
