//! What the server is told: by flags, the environment and a file, in this order.

mod auth;
mod entry;
mod faults;
mod file;
mod kind;
mod page;
pub mod root_key;
mod secrets;
mod server;
mod sources;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};
use ledgerstone_keys::AwsEnvironment;
use ledgerstone_model::ErrorCode;

use crate::failure::Failure;
use crate::location::CLIENT_VARIABLES;
use faults::Faults;
use table::{AWS_CREDENTIALS, FILE_VARIABLE, PREFIX, SETTINGS, Setting, UNUSED_NAMES};

pub use kind::{Kind, Value};
pub use page::page;
pub use secrets::FirstKeys;
pub use server::{LogFormat, LogSettings};

/// The variables of the environment.
pub type Variables = BTreeMap<String, String>;

/// The variables of this process. Those that are not text are none of ours.
pub fn variables() -> Variables {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Who said what a setting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A setting with what is in force for it.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    pub setting: &'static Setting,
    pub value: Option<&'a Value>,
    pub source: Option<&'a Source>,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Configuration {
    values: BTreeMap<&'static str, (Value, Source)>,
    aws: AwsEnvironment,
    notes: Vec<String>,
}

impl Configuration {
    /// Adds the options that settings have on the command line.
    pub fn add_flags(command: clap::Command) -> clap::Command {
        let file = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help(format!("A file with settings (TOML); also ${FILE_VARIABLE}"));
        let flags = SETTINGS.iter().filter_map(|setting| {
            let flag = Arg::new(setting.key).long(setting.flag?).help(setting.meaning);
            Some(match setting.kind {
                Kind::Switch => flag.action(ArgAction::SetTrue),
                Kind::Path => flag.value_name("PATH"),
                Kind::Address => flag.value_name("ADDRESS:PORT"),
                Kind::OneOf(words) => flag.value_name("WORD").value_parser(words.to_vec()),
                _ => flag.value_name("VALUE"),
            })
        });
        command.arg(file).args(flags)
    }

    /// Everything that was said, each setting by whoever comes first: flags, `LEDGERSTONE_…`, the
    /// names that others have, the file, the default. Tells everything of it that is no value.
    pub fn gather(matches: &ArgMatches, variables: &Variables) -> Result<Self, Failure> {
        let file = matches.get_one::<String>("config").or_else(|| variables.get(FILE_VARIABLE));
        let (mut gathered, mut faults) = (Self::begin(|_| true)?, Faults::default());
        faults.note(gathered.take_file(file, |_| true));
        faults.note(gathered.take_variables(variables, |_| true));
        gathered.note_unused(variables);
        faults.note(gathered.take_flags(matches));
        faults.into_result().map(|()| gathered)
    }

    /// The settings of some tables alone, for commands that do not serve: nothing else that may be
    /// wrong with the environment of a server keeps them from their work.
    pub fn of_environment(variables: &Variables, tables: &[&str]) -> Result<Self, Failure> {
        let is_wanted =
            |setting: &Setting| tables.iter().any(|table| setting.key.starts_with(table));
        let mut gathered = Self::begin(is_wanted)?;
        gathered.take_file(variables.get(FILE_VARIABLE), is_wanted)?;
        gathered.take_variables(variables, is_wanted)?;
        Ok(gathered)
    }

    /// The defaults.
    fn begin(is_wanted: impl Fn(&Setting) -> bool) -> Result<Self, Failure> {
        let aws = AwsEnvironment::default();
        let mut begun = Self { values: BTreeMap::new(), aws, notes: Vec::new() };
        for setting in SETTINGS.iter().filter(|setting| is_wanted(setting)) {
            if let Some(default) = setting.default {
                begun.set(setting, default, Source::Default)?;
            }
        }
        Ok(begun)
    }

    fn take_file(
        &mut self,
        file: Option<&String>,
        is_wanted: impl Fn(&Setting) -> bool,
    ) -> Result<(), Failure> {
        let Some(path) = file else { return Ok(()) };
        let said = file::read(Path::new(path))?;
        for (setting, value) in said.into_iter().filter(|(setting, _)| is_wanted(setting)) {
            self.values.insert(setting.key, (value, Source::File(path.into())));
        }
        Ok(())
    }

    fn take_variables(
        &mut self,
        variables: &Variables,
        is_wanted: impl Fn(&Setting) -> bool,
    ) -> Result<(), Failure> {
        let mut faults = Faults::default();
        for setting in SETTINGS.iter().filter(|setting| is_wanted(setting)) {
            let own = setting.variable();
            let names = setting.other_names.iter().copied().chain([own.as_str()]);
            for name in names {
                if let Some(text) = variables.get(name) {
                    faults.note(self.set(setting, text, Source::Variable(name.to_owned())));
                }
            }
        }
        self.aws = AwsEnvironment::of(variables.clone());
        faults.into_result()
    }

    /// Notes the variables that say nothing.
    fn note_unused(&mut self, variables: &Variables) {
        for (name, what) in UNUSED_NAMES {
            if variables.contains_key(*name) {
                self.notes
                    .push(format!("{name} is set and stands for {what}: not used by this version"));
            }
        }
        if !self.uses_aws() {
            let given = AWS_CREDENTIALS.iter().filter(|name| variables.contains_key(**name));
            let note = |name: &&str| format!("{name} is set and used with AWS KMS alone");
            self.notes.extend(given.map(note));
        }
        let is_known = |name: &String| {
            name == FILE_VARIABLE
                || CLIENT_VARIABLES.contains(&name.as_str())
                || SETTINGS.iter().any(|setting| setting.variable() == *name)
        };
        let unknown = variables.keys().filter(|name| name.starts_with(PREFIX) && !is_known(name));
        self.notes
            .extend(unknown.map(|name| format!("{name} is set, and there is no such setting")));
    }

    fn take_flags(&mut self, matches: &ArgMatches) -> Result<(), Failure> {
        let mut faults = Faults::default();
        for setting in SETTINGS {
            let Some(flag) = setting.flag else { continue };
            if matches.value_source(setting.key) != Some(ValueSource::CommandLine) {
                continue;
            }
            let text = match setting.kind {
                Kind::Switch => "true",
                _ => matches.get_one::<String>(setting.key).map_or("", String::as_str),
            };
            faults.note(self.set(setting, text, Source::Flag(flag)));
        }
        faults.into_result()
    }

    fn set(
        &mut self,
        setting: &'static Setting,
        text: &str,
        source: Source,
    ) -> Result<(), Failure> {
        let value = setting.kind.parse(text).map_err(|reason| {
            let message = format!("{} ({source}): {reason}", setting.key);
            Failure::new(ErrorCode::InvalidSettings, message)
        })?;
        self.values.insert(setting.key, (value, source));
        Ok(())
    }

    /// Every setting with what is in force for it.
    pub fn all(&self) -> impl Iterator<Item = InForce<'_>> {
        SETTINGS.iter().map(|setting| {
            let found = self.values.get(setting.key);
            let (value, source) = found.map(|(value, source)| (value, source)).unzip();
            InForce { setting, value, source }
        })
    }

    /// What is worth knowing about what was said.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key).map(|(value, _)| value)
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    fn number(&self, key: &str) -> Option<u64> {
        match self.value(key) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn is_on(&self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::Switch(true)))
    }

    fn list(&self, key: &str) -> &[String] {
        match self.value(key) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    fn tables(&self, key: &str) -> &[toml::Table] {
        match self.value(key) {
            Some(Value::Tables(tables)) => tables,
            _ => &[],
        }
    }
}

/// A setting that cannot be used, by its key.
fn unusable(key: &str, reason: impl fmt::Display) -> Failure {
    Failure::new(ErrorCode::InvalidSettings, format!("{key}: {reason}"))
}
