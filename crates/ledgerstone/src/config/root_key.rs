//! Which service holds the root key, and what it has to be told.

use ledgerstone_keys::{
    FileSource, RootKeySetup, RootKeySource, RootSecret, SERVICES, SecretSource,
};

use super::{Configuration, Variables, unusable};
use crate::failure::Failure;

/// The table of the file, and with it the names in the environment, that these settings stand in.
pub const TABLE: &str = "root.";

/// Reads what a service has to be told.
type Reader = fn(&Configuration) -> Result<Box<dyn RootKeySource>, Failure>;

/// How the settings of each service are read.
const READERS: &[(&str, Reader)] = &[("file", file), ("secret", secret)];

impl Configuration {
    /// Where the root key is. Reads the files that hold its secrets, and asks nobody.
    pub fn root_key(&self) -> Result<RootKeySetup, Failure> {
        let given = ["root.key", "root.key_file"].into_iter().find(|key| self.value(key).is_some());
        let unsaid = if given.is_some() { "secret" } else { "file" };
        let current = self.text("root.service").unwrap_or(unsaid);
        let previous = self.text("root.previous_service");
        if previous == Some(current) {
            return Err(unusable("root.previous_service", "it is the service of now"));
        }
        // Whoever gives a root key believes that it is used.
        if let Some(given) = given
            && !std::iter::once(current).chain(previous).any(|name| name == "secret")
        {
            let reason = format!("root.service is {current}, which does not use it; say secret");
            return Err(unusable(given, reason));
        }
        let previous = previous.map(|name| self.source("root.previous_service", name));
        let current = self.source("root.service", current)?;
        Ok(RootKeySetup { current, previous: previous.transpose()? })
    }

    fn source(&self, key: &str, name: &str) -> Result<Box<dyn RootKeySource>, Failure> {
        let read = READERS.iter().find(|(service, _)| *service == name);
        let (_, read) = read.ok_or_else(|| unusable(key, format!("there is no {name}")))?;
        read(self)
    }
}

/// Where the root key is, for commands that write a data directory themselves: as the environment
/// says, and the file that it names.
pub fn of_environment(variables: &Variables) -> Result<RootKeySetup, Failure> {
    Configuration::of_environment(variables, TABLE)?.root_key()
}

/// What the services are, for docs/configuration.md.
pub fn services() -> String {
    let row = |name: &str, about: &str| format!("| `{name}` | {about} |\n");
    let rows: String = SERVICES.iter().map(|one| row(one.name, one.about)).collect();
    format!("| service | the root key is |\n|---|---|\n{rows}")
}

#[expect(clippy::unnecessary_wraps, reason = "one reader of many")]
fn file(_: &Configuration) -> Result<Box<dyn RootKeySource>, Failure> {
    Ok(Box::new(FileSource))
}

fn secret(configuration: &Configuration) -> Result<Box<dyn RootKeySource>, Failure> {
    let given = configuration.secret("root.key", "root.key_file")?;
    let (key, text) =
        given.ok_or_else(|| unusable("root.key", "it is missing; root.service asks for it"))?;
    let secret = RootSecret::parse(&text).map_err(|error| unusable(key, error))?;
    Ok(Box::new(SecretSource(secret)))
}

#[cfg(test)]
mod tests {
    use ledgerstone_keys::SERVICE_NAMES;

    use super::{READERS, of_environment};
    use crate::config::Variables;

    const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    /// The names of the services that these variables ask for, or what is wrong with them.
    fn asked(variables: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
        let variables = variables.iter();
        let variables: Variables = variables
            .map(|(name, value)| (format!("LEDGERSTONE_ROOT_{name}"), (*value).to_owned()))
            .collect();
        let setup = of_environment(&variables).map_err(|failure| failure.message().to_owned())?;
        let sources = [Some(setup.current), setup.previous].into_iter().flatten();
        Ok(sources.map(|source| source.service().name).collect())
    }

    #[test]
    fn every_service_can_be_asked_for() {
        let names: Vec<_> = READERS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, SERVICE_NAMES);
    }

    #[test]
    fn a_key_that_is_given_is_used() {
        assert_eq!(asked(&[]), Ok(vec!["file"]));
        assert_eq!(asked(&[("KEY", KEY)]), Ok(vec!["secret"]));
        assert_eq!(asked(&[("SERVICE", "secret"), ("KEY", KEY)]), Ok(vec!["secret"]));
        let moving = [("SERVICE", "file"), ("PREVIOUS_SERVICE", "secret"), ("KEY", KEY)];
        assert_eq!(asked(&moving), Ok(vec!["file", "secret"]));
        for (variables, says) in [
            (&[("SERVICE", "file"), ("KEY", KEY)][..], "root.key: root.service is file"),
            (&[("SERVICE", "file"), ("KEY_FILE", "x")], "root.key_file: root.service is file"),
            (&[("SERVICE", "secret")], "root.key: it is missing"),
            (&[("KEY", KEY), ("KEY_FILE", "x")], "root.key is given too"),
            (&[("KEY_FILE", "nowhere/at/all")], "root.key_file: nowhere/at/all cannot be read"),
            (&[("KEY", "geheim")], "root.key: it is neither 32 bytes in base64"),
            (&[("SERVICE", "file"), ("PREVIOUS_SERVICE", "file")], "root.previous_service: it is"),
            (&[("SERVICE", "none")], "root.service ($LEDGERSTONE_ROOT_SERVICE): file or secret"),
        ] {
            let reason = asked(variables).unwrap_err();
            assert!(reason.contains(says), "{variables:?}: {reason}");
            assert!(!reason.contains("geheim"));
        }
    }
}
