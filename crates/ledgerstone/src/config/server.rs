//! The settings as the parts of the server want them.

use std::time::Duration;

use ledgerstone_edge::rest::limits::RateLimit;
use ledgerstone_edge::rest::{Limits, Origins, RouterSettings};
use ledgerstone_edge::server::{ClientCertificates, ConnectionLimits, ServerSettings, TlsSettings};
use ledgerstone_edge::trace::TraceSettings;
use ledgerstone_ledger::dead_letters::RETENTION;
use ledgerstone_ledger::jobs::BackgroundSettings;
use ledgerstone_ledger::{JobSettings, TenantCreation};
use ledgerstone_model::sealing::Preset;
use ledgerstone_model::system::KeyAlgorithm;
use ledgerstone_store::DeadLetterLimits;
use tracing::level_filters::LevelFilter;

use super::faults::Faults;
use super::kind::Value;
use super::{Configuration, unusable};
use crate::data_dir::{Birth, SealingChoices};
use crate::failure::Failure;
use crate::system::System;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// What the log tells, and how.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    pub level: LevelFilter,
    pub format: LogFormat,
    /// One line for each request.
    pub access: bool,
}

impl Configuration {
    /// Checks all that can be checked without starting: also what stands in the files that the
    /// settings name. Makes nothing, and tells everything that is wrong.
    pub fn check(&self) -> Result<(), Failure> {
        let mut faults = Faults::default();
        let server = faults.note(self.server());
        faults.note(self.router());
        let auth = faults.note(self.auth());
        faults.note(self.numbers());
        faults.note(self.first_keys());
        faults.note(self.root_key());
        faults.note(self.traces());
        faults.note(self.data());
        faults.note(self.birth());
        if let Some(server) = server {
            let checked = server.check();
            faults.note(checked.map_err(|error| Failure::new(error.code(), error.to_string())));
        }
        if let Some(auth) = auth {
            let checked = auth.check(&System::new().clock);
            faults.note(checked.map_err(|error| Failure::new(error.code(), error.to_string())));
        }
        faults.into_result()
    }

    pub fn server(&self) -> Result<ServerSettings, Failure> {
        let Some(Value::Address(mut listen)) = self.value("listen").cloned() else {
            return Err(unusable("listen", "it is missing"));
        };
        if let Some(port) = self.number("port") {
            listen.set_port(u16::try_from(port).unwrap_or_default());
        }
        Ok(ServerSettings {
            listen,
            tls: self.tls()?,
            behind_proxy: self.is_on("behind_proxy"),
            limits: self.connection_limits(),
        })
    }

    fn tls(&self) -> Result<Option<TlsSettings>, Failure> {
        let client_ca = self.path("tls.client_ca");
        match (self.path("tls.certificate"), self.path("tls.key")) {
            (Some(certificate), Some(key)) => {
                let is_required = self.text("tls.client_certificates") == Some("required");
                let clients = match client_ca {
                    None if is_required => {
                        return Err(unusable(
                            "tls.client_certificates",
                            "there are no authorities; give them in tls.client_ca",
                        ));
                    }
                    None => ClientCertificates::None,
                    Some(path) if is_required => ClientCertificates::Required(path),
                    Some(path) => ClientCertificates::Optional(path),
                };
                Ok(Some(TlsSettings { certificate, key, clients }))
            }
            (Some(_), None) => Err(unusable("tls.key", "tls.certificate needs it")),
            (None, Some(_)) => Err(unusable("tls.certificate", "tls.key needs it")),
            (None, None) if client_ca.is_some() => {
                Err(unusable("tls.client_ca", "it needs tls.certificate and tls.key"))
            }
            (None, None) => Ok(None),
        }
    }

    fn connection_limits(&self) -> ConnectionLimits {
        let usual = ConnectionLimits::default();
        ConnectionLimits {
            connections: self.count("limits.connections", usual.connections),
            handshake_time: self.seconds("limits.handshake_seconds", usual.handshake_time),
            header_time: self.seconds("limits.header_seconds", usual.header_time),
            idle_time: self.seconds("limits.idle_seconds", usual.idle_time),
            write_pause: self.seconds("limits.write_pause_seconds", usual.write_pause),
            header_bytes: self.count("limits.header_bytes", usual.header_bytes),
            headers: self.count("limits.headers", usual.headers),
            http2_streams: u32::try_from(self.count("limits.http2_streams", 0))
                .unwrap_or(usual.http2_streams),
            http2_ping: usual.http2_ping,
            drain_time: self.seconds("limits.drain_seconds", usual.drain_time),
        }
    }

    /// The limits of the interface itself.
    pub fn limits(&self) -> Limits {
        let usual = Limits::default();
        let rate = self.number("rate_limit.requests_per_second").filter(|rate| *rate > 0);
        Limits {
            event_bytes: self.count("limits.event_bytes", usual.event_bytes),
            body_bytes_in_memory: self
                .count("limits.body_bytes_in_memory", usual.body_bytes_in_memory),
            response_bytes_in_memory: self
                .count("limits.response_bytes_in_memory", usual.response_bytes_in_memory),
            body_pause: self.seconds("limits.body_pause_seconds", usual.body_pause),
            body_bytes_per_second: self
                .number("limits.body_bytes_per_second")
                .unwrap_or(usual.body_bytes_per_second),
            streams: self.count("limits.streams", usual.streams),
            streams_per_credential: self
                .count("limits.streams_per_credential", usual.streams_per_credential),
            blocking_requests: self.count("limits.blocking_requests", usual.blocking_requests),
            blocking_requests_per_credential: self.count(
                "limits.blocking_requests_per_credential",
                usual.blocking_requests_per_credential,
            ),
            rate: rate.map(|requests_per_second| RateLimit {
                requests_per_second,
                burst: self.number("rate_limit.burst").unwrap_or(requests_per_second),
            }),
        }
    }

    pub fn jobs(&self) -> JobSettings {
        let usual = JobSettings::default();
        JobSettings {
            workers: self.count("jobs.workers", usual.workers),
            open_jobs: self.count("jobs.open", usual.open_jobs),
            open_jobs_per_tenant: self.count("jobs.open_per_tenant", usual.open_jobs_per_tenant),
            retention_every: self.retention_every(),
            ..usual
        }
    }

    pub fn dead_letters(&self) -> DeadLetterLimits {
        let usual = DeadLetterLimits::default();
        let number = |key, usual| self.number(key).unwrap_or(usual);
        DeadLetterLimits {
            letters: number("dead_letters.letters", usual.letters),
            letters_per_tenant: number("dead_letters.letters_per_tenant", usual.letters_per_tenant),
            bytes: number("dead_letters.bytes", usual.bytes),
            bytes_per_tenant: number("dead_letters.bytes_per_tenant", usual.bytes_per_tenant),
        }
    }

    /// How long dead letters are kept.
    pub fn dead_letter_retention(&self) -> Duration {
        let days = self.number("dead_letters.days").and_then(|days| u32::try_from(days).ok());
        days.map_or(RETENTION, |days| Duration::from_hours(24) * days)
    }

    /// How often what expired is dropped; `None` where only somebody's word does it.
    pub fn retention_every(&self) -> Option<Duration> {
        let hours =
            self.number("retention.every_hours").and_then(|hours| u32::try_from(hours).ok());
        hours.filter(|hours| *hours > 0).map(|hours| Duration::from_hours(1) * hours)
    }

    pub fn verification(&self) -> BackgroundSettings {
        let usual = BackgroundSettings::default();
        let rate = self.number("verification.records_per_second");
        let rate = rate.and_then(|rate| u32::try_from(rate).ok());
        BackgroundSettings {
            records_per_second: rate.unwrap_or(usual.records_per_second),
            pause: self.seconds("verification.pause_seconds", usual.pause),
            ..usual
        }
    }

    pub fn router(&self) -> Result<RouterSettings, Failure> {
        let origins = Origins::parse(self.list("cors.origins"));
        let cors = origins.map_err(|error| unusable("cors.origins", error))?;
        Ok(RouterSettings { cors })
    }

    pub fn log(&self) -> LogSettings {
        let level = self.text("log.level").and_then(|level| level.parse().ok());
        LogSettings {
            level: level.unwrap_or(LevelFilter::INFO),
            format: match self.text("log.format") {
                Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                _ => LogFormat::Auto,
            },
            access: self.is_on("log.access"),
        }
    }

    /// Where spans go, if anybody collects them.
    pub fn traces(&self) -> Result<Option<TraceSettings>, Failure> {
        let (key, endpoint) = match (self.text("otlp.traces_endpoint"), self.text("otlp.endpoint"))
        {
            (Some(whole), _) => ("otlp.traces_endpoint", whole.to_owned()),
            (None, Some(base)) => {
                ("otlp.endpoint", format!("{}/v1/traces", base.trim_end_matches('/')))
            }
            (None, None) => return Ok(None),
        };
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(unusable(key, "it does not begin with http:// or https://"));
        }
        Ok(Some(TraceSettings {
            endpoint,
            service_name: self.text("otlp.service_name").unwrap_or("ledgerstone").to_owned(),
            environment: self.environment().to_owned(),
        }))
    }

    pub fn tenant_creation(&self) -> TenantCreation {
        if self.is_on("tenants.create_on_first_event") {
            TenantCreation::OnFirstEvent
        } else {
            TenantCreation::Explicit
        }
    }

    /// What a data directory is given that the server makes.
    /// What is sealed by default, and what certificates of erasure say.
    pub fn sealing(&self) -> SealingChoices {
        let preset = self.text("sealing.default_policy").and_then(Preset::parse);
        SealingChoices {
            default: preset.unwrap_or(Preset::None),
            key_backup_lifetime: self
                .number("sealing.key_backup_days")
                .map(|days| Duration::from_hours(24 * days)),
            storage: self.text("sealing.storage").map(ToOwned::to_owned),
        }
    }

    pub fn birth(&self) -> Result<Birth, Failure> {
        let algorithm = self.text("record_key_algorithm").and_then(KeyAlgorithm::parse);
        Ok(Birth { record_key: algorithm.unwrap_or(KeyAlgorithm::Ed25519), ..Birth::usual()? })
    }

    pub fn data(&self) -> Result<std::path::PathBuf, Failure> {
        self.path("data").ok_or_else(|| unusable("data", "it is missing"))
    }

    pub fn environment(&self) -> &str {
        self.text("environment").unwrap_or_default()
    }

    fn count(&self, key: &str, usual: usize) -> usize {
        self.number(key).and_then(|number| usize::try_from(number).ok()).unwrap_or(usual)
    }

    pub(super) fn seconds(&self, key: &str, usual: Duration) -> Duration {
        self.number(key).map_or(usual, Duration::from_secs)
    }
}
