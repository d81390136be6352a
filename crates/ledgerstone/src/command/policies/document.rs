//! Documents of policies as people write them: JSON, or TOML that says the same.

use std::io::Read as _;
use std::path::Path;

use ledgerstone_model::ErrorCode;
use serde_json::{Map, Number, Value};

use crate::arguments::read_file;
use crate::failure::Failure;

/// Reads a document from a file, or from standard input where it is called `-`, and gives it as JSON. What is
/// neither JSON nor TOML is refused with this code.
pub fn read(file: &Path, code: ErrorCode) -> Result<Vec<u8>, Failure> {
    let text = if file == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text).map_err(|error| {
            Failure::new(ErrorCode::StorageFailed, format!("standard input: {error}"))
        })?;
        text
    } else {
        read_file(file)?
    };
    let shown =
        if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    as_json(text).map_err(|reason| Failure::new(code, format!("{shown}: {reason}")))
}

/// No TOML begins with a brace, and every policy in JSON does.
fn as_json(text: Vec<u8>) -> Result<Vec<u8>, String> {
    if text.trim_ascii_start().starts_with(b"{") {
        return Ok(text);
    }
    let text = String::from_utf8(text).map_err(|_| "is neither JSON nor TOML".to_owned())?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| 1 + text.get(..span.start).unwrap_or_default().matches('\n').count());
        let reason = error.message().lines().collect::<Vec<_>>().join(" ");
        format!(
            "is not JSON, which begins with a brace, and as TOML line {line} is wrong: {reason}"
        )
    })?;
    if table.is_empty() {
        // Every policy that says nothing means something, and nobody means it by an empty file.
        return Err(
            "holds no policy; `{}` is one that leaves everything to its defaults".to_owned()
        );
    }
    Ok(value("", toml::Value::Table(table))?.to_string().into_bytes())
}

/// The same value in JSON. `name` is the key that it stands under.
fn value(name: &str, found: toml::Value) -> Result<Value, String> {
    Ok(match found {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => {
            let number = Number::from_f64(number);
            Value::Number(number.ok_or_else(|| format!("{name}: JSON has no such number"))?)
        }
        toml::Value::Boolean(is_it) => is_it.into(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::Array(elements) => {
            elements.into_iter().map(|element| value(name, element)).collect::<Result<_, _>>()?
        }
        toml::Value::Table(table) => {
            let members = table.into_iter().map(|(name, member)| {
                let member = value(&name, member)?;
                Ok((name, member))
            });
            Value::Object(members.collect::<Result<Map<_, _>, String>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::as_json;
    use serde_json::{Value, json};

    #[test]
    fn toml_says_the_same_as_json() {
        let toml = "preset = 'strict'\ndetection = false\nperson_types = ['user']\n\
                    [[rules]]\npath = 'data.x'\nclass = 'secret'\n[[rules]]\npath = 'data.y'\nclass = 'public'\n";
        let json: Value =
            serde_json::from_slice(&as_json(toml.as_bytes().to_vec()).unwrap()).unwrap();
        let expected = json!({
            "preset": "strict", "detection": false, "person_types": ["user"],
            "rules": [{"path": "data.x", "class": "secret"}, {"path": "data.y", "class": "public"}],
        });
        assert_eq!(json, expected);
        assert_eq!(as_json(b" \n{\"a\": 1}".to_vec()).unwrap(), b" \n{\"a\": 1}");
        assert_eq!(as_json(b"{}".to_vec()).unwrap(), b"{}");
        assert_eq!(
            as_json(b"at = 2026-01-02\nn = 1.5".to_vec()).unwrap(),
            br#"{"at":"2026-01-02","n":1.5}"#
        );
    }

    #[test]
    fn what_is_neither_is_named() {
        for (text, says) in [
            (&b"preset ="[..], "as TOML line 1 is wrong: "),
            (b"a = 1\na = 2", "as TOML line 2 is wrong: "),
            (b"\xff\xfe", "neither JSON nor TOML"),
            (b"", "holds no policy"),
            (b"# nothing\n", "holds no policy"),
            (b"limit = nan", "limit: JSON has no such number"),
        ] {
            let reason = as_json(text.to_vec()).unwrap_err();
            assert!(reason.contains(says), "{reason}");
        }
    }
}
