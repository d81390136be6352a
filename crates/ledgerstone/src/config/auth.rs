//! Whom to believe: the issuers of tokens and the names in client certificates, out of the file.

use std::path::PathBuf;

use ledgerstone_edge::auth::jose::Algorithm;
use ledgerstone_edge::auth::jwks::JwksTimes;
use ledgerstone_edge::auth::{
    AuthSettings, CertificateGrant, CertificateName, IssuerConfig, IssuerKeys, RolesFrom,
    TenantFrom,
};
use zeroize::Zeroizing;

use super::Configuration;
use super::entry::{Entry, Member, member};
use crate::failure::Failure;

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
        let issuers = self.entries("auth.issuers", ISSUER).map(|entry| issuer(&entry?));
        let certificates = self.entries("auth.certificates", CERTIFICATE);
        let certificates = certificates.map(|entry| certificate(&entry?));
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
        Some(claim) if !entry.has("roles") => {
            entry.claim("roles_claim", &claim).map(RolesFrom::Claim)
        }
        None if entry.has("roles") => entry.roles().map(RolesFrom::Fixed),
        _ => Err(entry.wrong("roles", "give either roles or roles_claim")),
    }
}

fn certificate(entry: &Entry<'_>) -> Result<(CertificateName, CertificateGrant), Failure> {
    let name = CertificateName::parse(&entry.required("name")?);
    let name = name.map_err(|error| entry.wrong("name", error))?;
    let tenant = entry.tenant(&entry.required("tenant")?)?;
    Ok((name, CertificateGrant { tenant, roles: entry.roles()? }))
}
