//! Which service holds the root key, and what it has to be told.

use std::fmt::Display;
use std::time::Duration;

use ledgerstone_keys::{
    Authorities, AwsKmsKey, AwsKmsSource, AwsRegion, FileSource, RootKeySetup, RootKeySource,
    RootSecret, SERVICES, SecretSource, ServiceUrl, VaultName, VaultSource, VaultToken,
};

use super::{Configuration, unusable};
use crate::failure::Failure;

/// The table of the file, and with it the names in the environment, that these settings stand in.
pub const TABLE: &str = "root.";

/// Reads what a service has to be told.
type Reader = fn(&Configuration) -> Result<Box<dyn RootKeySource>, Failure>;

/// How long a call may take where nobody says.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How the settings of each service are read.
const READERS: &[(&str, Reader)] =
    &[("file", file), ("secret", secret), ("vault", vault), ("aws-kms", aws_kms)];

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

fn vault(configuration: &Configuration) -> Result<Box<dyn RootKeySource>, Failure> {
    Ok(Box::new(VaultSource {
        address: configuration.required("root.vault.address", ServiceUrl::parse)?,
        mount: configuration.required("root.vault.mount", VaultName::parse_path)?,
        key: configuration.required("root.vault.key", VaultName::parse)?,
        namespace: configuration.parsed("root.vault.namespace", VaultName::parse_path)?,
        token: configuration.vault_token()?,
        authorities: configuration.authorities("root.vault.ca")?,
        timeout: configuration.seconds("root.timeout_seconds", TIMEOUT),
    }))
}

fn aws_kms(configuration: &Configuration) -> Result<Box<dyn RootKeySource>, Failure> {
    let key = configuration.required("root.aws_kms.key", AwsKmsKey::parse)?;
    // What the key itself says comes before a region that AWS tools are told.
    let region = match key.region() {
        Some(region) => region,
        None => configuration.required("root.aws_kms.region", AwsRegion::parse)?,
    };
    let endpoint = configuration.parsed("root.aws_kms.endpoint", ServiceUrl::parse)?;
    let endpoint = endpoint.map_or_else(|| region.endpoint(), Ok);
    Ok(Box::new(AwsKmsSource {
        key,
        region,
        endpoint: endpoint.map_err(|error| unusable("root.aws_kms.region", error))?,
        environment: configuration.aws.clone(),
        timeout: configuration.seconds("root.timeout_seconds", TIMEOUT),
    }))
}

impl Configuration {
    /// Whether credentials for AWS are of use.
    pub(super) fn uses_aws(&self) -> bool {
        let services = ["root.service", "root.previous_service"];
        services.into_iter().any(|key| self.text(key) == Some("aws-kms"))
    }

    fn parsed<T, E: Display>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Failure> {
        self.text(key).map(parse).transpose().map_err(|error| unusable(key, error))
    }

    fn required<T, E: Display>(
        &self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Failure> {
        let missing = || unusable(key, "it is missing; root.service asks for it");
        self.parsed(key, parse)?.ok_or_else(missing)
    }

    /// A file is read here too, so that one that cannot be read is told at the start.
    fn vault_token(&self) -> Result<VaultToken, Failure> {
        let given = self.secret("root.vault.token", "root.vault.token_file")?;
        let missing = || unusable("root.vault.token", "it is missing; root.service asks for it");
        let (_, token) = given.ok_or_else(missing)?;
        let of_file = self.path("root.vault.token_file").map(VaultToken::File);
        Ok(of_file.unwrap_or(VaultToken::Given(token)))
    }

    fn authorities(&self, key: &str) -> Result<Authorities, Failure> {
        let Some(path) = self.path(key) else { return Ok(Authorities::default()) };
        let wrong = |why: &dyn Display| unusable(key, format!("{}: {why}", path.display()));
        let pem = std::fs::read(&path).map_err(|error| wrong(&error))?;
        Authorities::parse(&pem).map_err(|error| wrong(&error))
    }
}

#[cfg(test)]
mod tests {
    use ledgerstone_keys::SERVICE_NAMES;

    use super::{READERS, TABLE};
    use crate::config::{Configuration, Variables};

    const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    /// The names of the services that these variables ask for, or what is wrong with them.
    fn asked(variables: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
        let variables = variables.iter();
        let variables: Variables = variables
            .map(|(name, value)| (format!("LEDGERSTONE_ROOT_{name}"), (*value).to_owned()))
            .collect();
        let configuration = Configuration::of_environment(&variables, &[TABLE]);
        let setup = configuration
            .and_then(|configuration| configuration.root_key())
            .map_err(|failure| failure.message().to_owned())?;
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
            (&[("SERVICE", "vault"), ("KEY", KEY)], "root.key: root.service is vault"),
        ] {
            let reason = asked(variables).unwrap_err();
            assert!(reason.contains(says), "{variables:?}: {reason}");
            assert!(!reason.contains("geheim"));
        }
    }
    #[test]
    fn vault_is_told_where_it_is_and_who_asks() {
        let whole = [
            ("SERVICE", "vault"),
            ("VAULT_ADDRESS", "https://vault.example:8200"),
            ("VAULT_KEY", "ledger"),
            ("VAULT_TOKEN", "hvs.geheim"),
        ];
        assert_eq!(asked(&whole), Ok(vec!["vault"]));
        let moving = [&whole[..], &[("PREVIOUS_SERVICE", "file")]].concat();
        assert_eq!(asked(&moving), Ok(vec!["vault", "file"]));
        for left_out in ["VAULT_ADDRESS", "VAULT_KEY", "VAULT_TOKEN"] {
            let rest = whole.iter().copied().filter(|(name, _)| *name != left_out);
            let reason = asked(&rest.collect::<Vec<_>>()).unwrap_err();
            let key = left_out.to_lowercase().replace('_', ".");
            assert!(reason.contains(&format!("root.{key}: it is missing")), "{reason}");
        }
        for (name, value, says) in [
            ("VAULT_ADDRESS", "http://vault.example", "root.vault.address: secrets are sent over"),
            ("VAULT_MOUNT", "a/../b", "root.vault.mount: it has other characters"),
            ("VAULT_KEY", "a/b", "root.vault.key: it has other characters"),
            ("VAULT_NAMESPACE", "a b", "root.vault.namespace: it has other characters"),
            ("VAULT_CA", "nowhere.pem", "root.vault.ca: nowhere.pem: "),
            ("VAULT_CA", "Cargo.toml", "root.vault.ca: Cargo.toml: it is no PEM"),
            ("VAULT_TOKEN_FILE", "nowhere", "root.vault.token_file: root.vault.token is given too"),
            ("TIMEOUT_SECONDS", "0", "root.timeout_seconds"),
        ] {
            let changed = [&whole[..], &[(name, value)]].concat();
            let reason = asked(&changed).unwrap_err();
            assert!(reason.contains(says), "{name}: {reason}");
            assert!(!reason.contains("geheim"), "{reason}");
        }
    }
    #[test]
    fn kms_is_told_which_key_and_where() {
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(asked(&[("SERVICE", "aws-kms"), ("AWS_KMS_KEY", arn)]), Ok(vec!["aws-kms"]));
        let by_alias = [
            ("SERVICE", "aws-kms"),
            ("AWS_KMS_KEY", "alias/ledgerstone"),
            ("AWS_KMS_REGION", "eu-central-1"),
        ];
        assert_eq!(asked(&by_alias), Ok(vec!["aws-kms"]));
        for (variables, says) in [
            (&by_alias[..1], "root.aws_kms.key: it is missing"),
            (&by_alias[..2], "root.aws_kms.region: it is missing"),
        ] {
            assert!(asked(variables).unwrap_err().contains(says), "{says}");
        }
        for (name, value, says) in [
            ("AWS_KMS_KEY", "a b", "root.aws_kms.key: it is no id"),
            ("AWS_KMS_REGION", "Frankfurt", "root.aws_kms.region: it is no region"),
            ("AWS_KMS_ENDPOINT", "http://kms.example", "root.aws_kms.endpoint: secrets are sent"),
        ] {
            let reason = asked(&[&by_alias[..], &[(name, value)]].concat()).unwrap_err();
            assert!(reason.contains(says), "{name}: {reason}");
        }
    }
}
