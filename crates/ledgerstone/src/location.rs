//! Where the ledgers are that a command is about: in a data directory, or behind a server.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use ledgerstone_model::ErrorCode;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::output::Console;
use crate::remote::Remote;

/// The data directory where nothing else is said.
const DEFAULT_DATA: &str = "./ledgerstone-data";

const SERVER: &str = "LEDGERSTONE_SERVER";
const API_KEY: &str = "LEDGERSTONE_API_KEY";
const API_KEY_FILE: &str = "LEDGERSTONE_API_KEY_FILE";
const AUTHORITIES: &str = "LEDGERSTONE_CA";

/// What the environment may say of a server; `serve` has other names.
pub const CLIENT_VARIABLES: &[&str] = &[SERVER, API_KEY, API_KEY_FILE, AUTHORITIES];

const DATA_HELP: &str = "The data directory; ./ledgerstone-data where no server is named either";
const SERVER_HELP: &str =
    "In its place a server, like http://127.0.0.1:8003; also $LEDGERSTONE_SERVER, without --data";
const ONLY_SERVER_HELP: &str = "The server, like http://127.0.0.1:8003; also $LEDGERSTONE_SERVER";
const API_KEY_HELP: &str =
    "Its API key; $LEDGERSTONE_API_KEY is better where others see the list of processes";
const API_KEY_FILE_HELP: &str = "A file with the API key; also $LEDGERSTONE_API_KEY_FILE";
const CA_HELP: &str = "PEM file of the authorities that may vouch for the server, in place of those that the \
                       system trusts; also $LEDGERSTONE_CA";

/// Bytes of a file with an API key or a token, more than which is none.
const KEY_FILE_BYTES_MAX: u64 = 16 * 1024;

/// `--data DIR`, or `--server URL` with what it takes.
#[derive(Args, Debug)]
pub struct LocationOption {
    #[arg(
        id = "data",
        long = "data",
        value_name = "DIR",
        conflicts_with_all = ["server", "api_key", "api_key_file", "ca"],
        help = DATA_HELP
    )]
    data: Option<PathBuf>,
    #[arg(long, value_name = "URL", help = SERVER_HELP)]
    server: Option<String>,
    #[command(flatten)]
    access: AccessOption,
}

/// `--server URL` with what it takes, for what works on no data directory.
#[derive(Args, Debug)]
pub struct ServerOption {
    #[arg(long, value_name = "URL", help = ONLY_SERVER_HELP)]
    server: Option<String>,
    #[command(flatten)]
    access: AccessOption,
}

/// How a server is reached.
#[derive(Args, Debug)]
struct AccessOption {
    #[arg(long, value_name = "KEY", value_parser = Secret::of, help = API_KEY_HELP)]
    api_key: Option<Secret>,
    #[arg(long, value_name = "FILE", conflicts_with = "api_key", help = API_KEY_FILE_HELP)]
    api_key_file: Option<PathBuf>,
    #[arg(long, value_name = "FILE", help = CA_HELP)]
    ca: Option<PathBuf>,
}

/// A text that is not shown.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    #[expect(clippy::unnecessary_wraps, reason = "what the command line wants of a parser")]
    fn of(text: &str) -> Result<Self, String> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where the ledgers are.
#[derive(Debug)]
pub enum Location {
    Directory(PathBuf),
    Server(Box<Remote>),
}

impl LocationOption {
    /// The place that was named. Nothing is opened and nothing sent.
    pub fn find(&self, console: &mut Console) -> Result<Location, Failure> {
        if let Some(path) = &self.data {
            return Ok(Location::Directory(path.clone()));
        }
        if let Some(url) = self.server.clone().or_else(|| variable(SERVER)) {
            return Ok(Location::Server(self.access.remote(&url, console)?));
        }
        self.access.refuse_without_server()?;
        Ok(Location::Directory(PathBuf::from(DEFAULT_DATA)))
    }
}

impl ServerOption {
    /// The server that was named. Nothing is sent.
    pub fn find(&self, command: &str, console: &mut Console) -> Result<Box<Remote>, Failure> {
        if let Some(url) = self.server.clone().or_else(|| variable(SERVER)) {
            return self.access.remote(&url, console);
        }
        let message = format!("`{command}` works through a server, and none is named");
        Err(Failure::new(ErrorCode::InvalidArgument, message).with_remedy(
            "Start one on the data directory, and give its URL with --server or $LEDGERSTONE_SERVER.",
        ))
    }
}

impl AccessOption {
    fn remote(&self, url: &str, console: &mut Console) -> Result<Box<Remote>, Failure> {
        let authorities = self.ca.clone().or_else(|| variable(AUTHORITIES).map(PathBuf::from));
        let authorities = authorities.as_deref().map(crate::arguments::read_file).transpose()?;
        let credential = self.credential()?;
        let empty = [API_KEY, API_KEY_FILE].into_iter().find(|name| is_empty(name));
        if let Some(name) = empty.filter(|_| credential.is_none()) {
            console.note(format!("${name} is set and empty, so no API key is sent"));
        }
        let remote = Remote::new(url, credential.as_ref(), authorities)?;
        if remote.is_exposed() {
            console.note(format!(
                "the API key crosses the network in the clear; use https if {url} is not reached \
                 through a tunnel"
            ));
        }
        Ok(Box::new(remote))
    }

    fn credential(&self) -> Result<Option<Secret>, Failure> {
        if let Some(key) = &self.api_key {
            return Ok(Some(key.clone()));
        }
        if let Some(path) = &self.api_key_file {
            return read_key(path).map(Some);
        }
        if let Some(key) = variable(API_KEY) {
            return Ok(Some(Secret(Zeroizing::new(key))));
        }
        variable(API_KEY_FILE).map(|path| read_key(Path::new(&path))).transpose()
    }

    fn refuse_without_server(&self) -> Result<(), Failure> {
        let given = [
            ("--api-key", self.api_key.is_some()),
            ("--api-key-file", self.api_key_file.is_some()),
            ("--ca", self.ca.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((name, _)) => Err(Failure::new(
                ErrorCode::InvalidArgument,
                format!("{name} is for a server, and none is named"),
            )
            .with_remedy("Add --server URL, or leave it out for the data directory.")),
        }
    }
}

/// Refuses what can only be done in a data directory.
pub fn only_with_data(option: &str, is_given: bool) -> Result<(), Failure> {
    if !is_given {
        return Ok(());
    }
    Err(Failure::new(
        ErrorCode::InvalidArgument,
        format!("{option} works on a data directory, and a server is named"),
    )
    .with_remedy("Leave it out, or give --data DIR in place of the server."))
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn is_empty(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|text| text.is_empty())
}

fn read_key(path: &Path) -> Result<Secret, Failure> {
    let unreadable = |reason: String| {
        let message = format!("the file with the API key, {}, {reason}", path.display());
        Failure::new(ErrorCode::InvalidArgument, message).with_remedy("Check the path.")
    };
    let failed = |error: std::io::Error| unreadable(format!("cannot be read: {error}"));
    if std::fs::metadata(path).map_err(failed)?.len() > KEY_FILE_BYTES_MAX {
        return Err(unreadable("is too large for one".to_owned()));
    }
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(failed)?;
    Ok(Secret(Zeroizing::new(text.trim().to_owned())))
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::of("lsk_geheim").unwrap();
        assert!(!format!("{secret:?}").contains("geheim"));
        assert_eq!(secret.expose(), "lsk_geheim");
    }
}
