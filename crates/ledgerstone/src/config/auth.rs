//! Whom to believe: the issuers of tokens and the names in client certificates, out of the file.

use std::path::PathBuf;
use std::time::Duration;

use ledgerstone_edge::auth::jose::Algorithm;
use ledgerstone_edge::auth::jwks::JwksTimes;
use ledgerstone_edge::auth::{
    AuthSettings, CertificateGrant, CertificateName, ClaimName, IssuerConfig, IssuerKeys,
    RolesFrom, TenantFrom,
};
use ledgerstone_model::access::{Role, RoleSet};
use ledgerstone_proof::TenantId;
use toml::{Table, Value};
use zeroize::Zeroizing;

use super::{Configuration, unusable};
use crate::failure::Failure;

/// A line of a table of the file, with its name and meaning.
pub struct Member {
    pub name: &'static str,
    pub meaning: &'static str,
}

const fn member(name: &'static str, meaning: &'static str) -> Member {
    Member { name, meaning }
}

/// What stands in a table of `auth.issuers`.
pub const ISSUER: &[Member] = &[
    member("issuer", "What `iss` must be, byte for byte; required"),
    member("audience", "What must be in `aud`; required"),
    member("algorithms", "`EdDSA`, `ES256`, `ES384`, `PS256`, `RS256`; required"),
    member("jwks_url", "Where its keys are fetched, over https"),
    member("jwks_file", "A file with its keys as a JSON Web Key set"),
    member("pem_file", "A file with its public keys in PEM"),
    member("development_secret", "A secret for HS256, with `auth.development` alone"),
    member("tenant", "The tenant of all its tokens"),
    member("tenant_claim", "The claim that names the tenant: a name, or a JSON pointer"),
    member("roles", "The roles of all its tokens"),
    member("roles_claim", "The claim that names the roles: a name, or a JSON pointer"),
    member("leeway_seconds", "By how much clocks may differ; 60, at most 300"),
    member("max_lifetime_seconds", "How long a token may live; 86400, and no longer"),
    member("token_type", "What `typ` must be; otherwise none, `JWT` and `at+jwt` are fine"),
];

/// What stands in a table of `auth.certificates`.
pub const CERTIFICATE: &[Member] = &[
    member("name", "A URI or DNS name among the certificate's alternative names; required"),
    member("tenant", "The tenant; required"),
    member("roles", "The roles; required"),
];

impl Configuration {
    pub fn auth(&self) -> Result<AuthSettings, Failure> {
        let read = |key: &'static str, members: &'static [Member]| {
            let tables = self.tables(key).iter().enumerate();
            tables.map(move |(at, table)| Entry::new(format!("{key}[{at}]"), table, members))
        };
        let issuers = read("auth.issuers", ISSUER).map(|entry| issuer(&entry?));
        let certificates = read("auth.certificates", CERTIFICATE).map(|entry| certificate(&entry?));
        let usual = JwksTimes::default();
        Ok(AuthSettings {
            issuers: issuers.collect::<Result<_, Failure>>()?,
            certificates: certificates.collect::<Result<_, Failure>>()?,
            development: self.is_on("auth.development"),
            jwks: JwksTimes {
                stale: self.seconds("auth.jwks_stale_seconds", usual.stale),
                ..usual
            },
        })
    }
}

fn issuer(entry: &Entry<'_>) -> Result<IssuerConfig, Failure> {
    let algorithm = |name: String| {
        Algorithm::parse(&name).ok_or_else(|| entry.wrong("algorithms", format!("{name} is none")))
    };
    let algorithms = entry.texts("algorithms")?.into_iter().map(algorithm);
    let algorithms = algorithms.collect::<Result<Vec<_>, _>>()?;
    let mut config = IssuerConfig::new(
        entry.required("issuer")?,
        entry.required("audience")?,
        algorithms,
        keys(entry)?,
        tenant_from(entry)?,
        roles_from(entry)?,
    );
    if let Some(seconds) = entry.seconds("leeway_seconds")? {
        config.leeway = seconds;
    }
    if let Some(seconds) = entry.seconds("max_lifetime_seconds")? {
        config.max_lifetime = seconds;
    }
    config.token_type = entry.text("token_type")?;
    Ok(config)
}

fn keys(entry: &Entry<'_>) -> Result<IssuerKeys, Failure> {
    let path = |text: String| PathBuf::from(text);
    let secret = |text: String| Zeroizing::new(text.into_bytes());
    let mut found = [
        entry.text("jwks_url")?.map(IssuerKeys::JwksUrl),
        entry.text("jwks_file")?.map(path).map(IssuerKeys::JwksFile),
        entry.text("pem_file")?.map(path).map(IssuerKeys::PemFile),
        entry.text("development_secret")?.map(secret).map(IssuerKeys::DevelopmentSecret),
    ]
    .into_iter()
    .flatten();
    match (found.next(), found.next()) {
        (Some(keys), None) => Ok(keys),
        _ => Err(entry.wrong("jwks_url", "give one of jwks_url, jwks_file and pem_file")),
    }
}

fn tenant_from(entry: &Entry<'_>) -> Result<TenantFrom, Failure> {
    match (entry.text("tenant")?, entry.text("tenant_claim")?) {
        (Some(tenant), None) => entry.tenant(&tenant).map(TenantFrom::Fixed),
        (None, Some(claim)) => entry.claim("tenant_claim", &claim).map(TenantFrom::Claim),
        _ => Err(entry.wrong("tenant", "give either tenant or tenant_claim")),
    }
}

fn roles_from(entry: &Entry<'_>) -> Result<RolesFrom, Failure> {
    match entry.text("roles_claim")? {
        Some(claim) if !entry.table.contains_key("roles") => {
            entry.claim("roles_claim", &claim).map(RolesFrom::Claim)
        }
        None if entry.table.contains_key("roles") => entry.roles().map(RolesFrom::Fixed),
        _ => Err(entry.wrong("roles", "give either roles or roles_claim")),
    }
}

fn certificate(entry: &Entry<'_>) -> Result<(CertificateName, CertificateGrant), Failure> {
    let name = CertificateName::parse(&entry.required("name")?);
    let name = name.map_err(|error| entry.wrong("name", error))?;
    let tenant = entry.tenant(&entry.required("tenant")?)?;
    Ok((name, CertificateGrant { tenant, roles: entry.roles()? }))
}

/// One table of a list, in which every member is one that there is.
struct Entry<'a> {
    place: String,
    table: &'a Table,
}

impl<'a> Entry<'a> {
    fn new(place: String, table: &'a Table, members: &[Member]) -> Result<Self, Failure> {
        let unknown = table.keys().find(|key| !members.iter().any(|known| known.name == **key));
        if let Some(key) = unknown {
            let names: Vec<_> = members.iter().map(|known| known.name).collect();
            let reason = format!("there is no {key} in it, but {}", names.join(", "));
            return Err(unusable(&place, reason));
        }
        Ok(Self { place, table })
    }

    fn wrong(&self, name: &str, reason: impl std::fmt::Display) -> Failure {
        unusable(&format!("{}.{name}", self.place), reason)
    }

    fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.table.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(name, "a text is wanted")),
        }
    }

    fn required(&self, name: &str) -> Result<String, Failure> {
        self.text(name)?.ok_or_else(|| self.wrong(name, "it is required"))
    }

    fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let items = self.table.get(name).and_then(Value::as_array);
        let text = |item: &Value| item.as_str().map(ToOwned::to_owned);
        let texts: Option<Vec<_>> = items.and_then(|items| items.iter().map(text).collect());
        texts
            .filter(|texts| !texts.is_empty())
            .ok_or_else(|| self.wrong(name, "a list of texts is wanted"))
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let Some(value) = self.table.get(name) else { return Ok(None) };
        let seconds = value.as_integer().and_then(|number| u64::try_from(number).ok());
        let seconds = seconds.ok_or_else(|| self.wrong(name, "a whole number is wanted"))?;
        Ok(Some(Duration::from_secs(seconds)))
    }

    fn tenant(&self, name: &str) -> Result<TenantId, Failure> {
        TenantId::parse(name).map_err(|error| self.wrong("tenant", error))
    }

    fn claim(&self, name: &str, claim: &str) -> Result<ClaimName, Failure> {
        ClaimName::parse(claim).map_err(|error| self.wrong(name, error))
    }

    fn roles(&self) -> Result<RoleSet, Failure> {
        let role = |name: String| {
            Role::parse(&name)
                .ok_or_else(|| self.wrong("roles", format!("there is no role {name}")))
        };
        self.texts("roles")?.into_iter().map(role).collect()
    }
}
