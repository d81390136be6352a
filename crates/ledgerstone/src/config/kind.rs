//! What kinds of values settings have, and how each is read from text and from the file.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};

/// The kind of a setting's value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Text,
    Path,
    /// An IP address or host name, and a port.
    Address,
    Number {
        min: u64,
        max: u64,
    },
    /// `true` or `false`.
    Switch,
    OneOf(&'static [&'static str]),
    /// Texts: in the environment a JSON list, or with commas between them.
    List,
    /// Tables of the file; there is no other way to write them.
    Tables,
}

/// A setting's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(u64),
    Switch(bool),
    Address(SocketAddr),
    List(Vec<String>),
    Tables(Vec<toml::Table>),
}

impl Kind {
    /// Reads a value as it is written in the environment or on the command line. The error says what
    /// would have been one.
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let unfit = || format!("{} is wanted", self.wanted());
        match self {
            Self::Text | Self::Path if text.is_empty() => Err(unfit()),
            Self::Text | Self::Path => Ok(Value::Text(text.to_owned())),
            Self::Address => address(text).map(Value::Address).ok_or_else(unfit),
            Self::Number { .. } => self.number(text.parse().map_err(|_| unfit())?),
            Self::Switch => text.parse().map(Value::Switch).map_err(|_| unfit()),
            Self::OneOf(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Self::List if text.trim_start().starts_with('[') => {
                serde_json::from_str(text).map(Value::List).map_err(|_| unfit())
            }
            Self::List => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                Ok(Value::List(parts.map(ToOwned::to_owned).collect()))
            }
            Self::OneOf(_) | Self::Tables => Err(unfit()),
        }
    }

    /// Reads a value as it is written in the file.
    pub fn read(self, value: &toml::Value) -> Result<Value, String> {
        let unfit = || format!("{} is wanted", self.wanted());
        match (self, value) {
            (
                Self::Text | Self::Path | Self::Address | Self::OneOf(_),
                toml::Value::String(text),
            ) => self.parse(text),
            (Self::Number { .. }, toml::Value::Integer(number)) => {
                self.number(u64::try_from(*number).map_err(|_| unfit())?)
            }
            (Self::Switch, toml::Value::Boolean(switch)) => Ok(Value::Switch(*switch)),
            (Self::List, toml::Value::Array(items)) => {
                let text = |item: &toml::Value| item.as_str().map(ToOwned::to_owned);
                items.iter().map(text).collect::<Option<_>>().map(Value::List).ok_or_else(unfit)
            }
            (Self::Tables, toml::Value::Array(items)) => {
                let table = |item: &toml::Value| item.as_table().cloned();
                items.iter().map(table).collect::<Option<_>>().map(Value::Tables).ok_or_else(unfit)
            }
            _ => Err(unfit()),
        }
    }

    fn number(self, number: u64) -> Result<Value, String> {
        match self {
            Self::Number { min, max } if (min..=max).contains(&number) => Ok(Value::Number(number)),
            _ => Err(format!("{} is wanted", self.wanted())),
        }
    }

    /// What a value of this kind is, for messages and documents.
    pub fn wanted(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Address => "an address and a port, like 127.0.0.1:8003 or [::1]:8003".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Switch => "true or false".to_owned(),
            Self::OneOf(words) => words.join(" or "),
            Self::List => "a list of texts".to_owned(),
            Self::Tables => "a list of tables in the file".to_owned(),
        }
    }
}

/// An address by number, or the first one that a host name stands for.
fn address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.to_socket_addrs().ok()?.next())
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Switch(switch) => switch.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::List(items) => f.write_str(&items.join(", ")),
            // What is in them may be secret.
            Self::Tables(tables) => write!(f, "{} of them", tables.len()),
        }
    }
}

impl Value {
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => (*number).into(),
            Self::Switch(switch) => (*switch).into(),
            Self::Address(address) => address.to_string().into(),
            Self::List(items) => items.as_slice().into(),
            Self::Tables(tables) => tables.len().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Value};

    #[test]
    fn values_are_read_from_text() {
        let number = Kind::Number { min: 2, max: 10 };
        assert_eq!(number.parse("10"), Ok(Value::Number(10)));
        for wrong in ["1", "11", "-3", "", "2.5", "0x4"] {
            assert!(number.parse(wrong).unwrap_err().contains("from 2 to 10"), "{wrong}");
        }
        assert_eq!(Kind::Switch.parse("true"), Ok(Value::Switch(true)));
        assert!(Kind::Switch.parse("yes").is_err());
        let list =
            |items: &[&str]| Ok(Value::List(items.iter().map(ToString::to_string).collect()));
        assert_eq!(Kind::List.parse(r#"["http://a","http://b"]"#), list(&["http://a", "http://b"]));
        assert_eq!(Kind::List.parse("http://a, http://b"), list(&["http://a", "http://b"]));
        assert_eq!(Kind::List.parse(""), list(&[]));
        assert!(Kind::List.parse("[1]").is_err());
        assert!(Kind::OneOf(&["a", "b"]).parse("c").unwrap_err().contains("a or b"));
        assert!(Kind::Address.parse("8003").is_err());
        assert!(Kind::Path.parse("").is_err());
        assert!(Kind::Tables.parse("[]").is_err());
    }
}
