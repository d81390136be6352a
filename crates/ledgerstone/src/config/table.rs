//! The table of settings: one line each. It drives the flags, the environment, the file, what
//! `config` prints, and docs/configuration.md.

use ledgerstone_keys::SERVICE_NAMES;
use ledgerstone_model::system::KeyAlgorithm;
use ledgerstone_model::{EVENT_BYTES_MAX, Numbers};

use super::kind::Kind;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in the file, with dots between tables.
    pub key: &'static str,
    /// Names in the environment beside `LEDGERSTONE_…`: those that earlier services
    /// and other programs have.
    pub other_names: &'static [&'static str],
    /// The option of `serve`, without its dashes.
    pub flag: Option<&'static str>,
    pub kind: Kind,
    /// What holds where nobody says anything, written as in the environment.
    pub default: Option<&'static str>,
    pub meaning: &'static str,
    /// Never printed.
    pub is_secret: bool,
}

const fn setting(key: &'static str, kind: Kind, meaning: &'static str) -> Setting {
    let (other_names, flag, default, is_secret) = (&[] as &[_], None, None, false);
    Setting { key, other_names, flag, kind, default, meaning, is_secret }
}

impl Setting {
    const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn also(self, other_names: &'static [&'static str]) -> Self {
        Self { other_names, ..self }
    }

    const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// The name in the environment: `LEDGERSTONE_` and the key in capitals.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// How all our names in the environment begin.
pub const PREFIX: &str = "LEDGERSTONE_";

/// The file with the settings, named in the environment.
pub const FILE_VARIABLE: &str = "LEDGERSTONE_CONFIG";

/// The names of the presets of field policies.
const PRESETS: [&str; 4] = ["none", "standard", "strict", "cloudtrail"];

const COUNT: Kind = Kind::Number { min: 1, max: 1_000_000 };
const BYTES: Kind = Kind::Number { min: 1024, max: 1 << 40 };
const SECONDS: Kind = Kind::Number { min: 1, max: 3_600 };

/// Every setting there is.
#[rustfmt::skip] // one line for each
pub const SETTINGS: &[Setting] = &[
    setting("data", Kind::Path, "The data directory").flag("data").default("./ledgerstone-data"),
    setting("listen", Kind::Address, "The address and port to listen on; port 0 lets the system choose one").flag("listen").default("127.0.0.1:8003"),
    setting("port", Kind::Number { min: 0, max: 65_535 }, "Takes the place of the port in `listen`").also(&["PORT"]),
    setting("behind_proxy", Kind::Switch, "Something in front of the server ends TLS, so plain HTTP may be listened for on any address").flag("behind-proxy").default("false"),
    setting("environment", Kind::Text, "What this deployment is called in logs and in the status").also(&["ENVIRONMENT"]).default("production"),
    setting("tls.certificate", Kind::Path, "PEM file of the server's certificate and those between it and the authority").flag("tls-cert"),
    setting("tls.key", Kind::Path, "PEM file of the certificate's private key").flag("tls-key"),
    setting("tls.client_ca", Kind::Path, "PEM file of the authorities whose client certificates are accepted").flag("tls-client-ca"),
    setting("tls.client_certificates", Kind::OneOf(&["optional", "required"]), "Whether clients must show a certificate once there is `tls.client_ca`").default("optional"),
    setting("tenants.create_on_first_event", Kind::Switch, "Create a tenant when the first event for it comes in").default("false"),
    setting("record_key_algorithm", Kind::OneOf(&KeyAlgorithm::NAMES), "Algorithm of the key that signs records, of a data directory that the server makes; in one that is there, `signing-keys rotate` changes it").flag("record-key-algorithm").default(KeyAlgorithm::Ed25519.as_str()),
    setting("auth.issuers", Kind::Tables, "The issuers of tokens; see below"),
    setting("auth.certificates", Kind::Tables, "The names in client certificates; see below"),
    setting("auth.development", Kind::Switch, "Allow HS256 tokens, with which whoever verifies can also sign: never in production").default("false"),
    setting("auth.jwks_stale_seconds", Kind::Number { min: 300, max: 2_592_000 }, "How long an issuer's fetched keys are used while it does not answer, since they were fetched; then its tokens are refused with `ISSUER_UNAVAILABLE`").default("86400"),
    setting("bootstrap.key", Kind::Text, "The first admin API key of the tenant `default`, made with `ledgerstone api-keys generate`").secret(),
    setting("bootstrap.key_file", Kind::Path, "The same in a file"),
    setting("operator.key", Kind::Text, "An admin API key of `_system`, for who administers tenants, made with `ledgerstone api-keys generate`").secret(),
    setting("operator.key_file", Kind::Path, "The same in a file"),
    setting("root.service", Kind::OneOf(&SERVICE_NAMES), "Where the root key is, which wraps the keys of tenants; see below. Without it: `secret` where a root key is given, otherwise `file`"),
    setting("root.previous_service", Kind::OneOf(&SERVICE_NAMES), "Where the root key was before, while keys of tenants still have to move; it only opens"),
    setting("root.key", Kind::Text, "The root key of the service `secret`: 32 bytes in base64, as `openssl rand -base64 32` makes them").secret(),
    setting("root.key_file", Kind::Path, "The same in a file; also a `root.key` of a data directory"),
    setting("root.timeout_seconds", Kind::Number { min: 1, max: 60 }, "How long a call to a service over the network may take").default("5"),
    setting("root.vault.address", Kind::Text, "Vault or OpenBao, over https, or an agent on this machine, e.g. `https://vault.example:8200`").also(&["VAULT_ADDR"]),
    setting("root.vault.mount", Kind::Text, "Where its transit engine is mounted").default("transit"),
    setting("root.vault.key", Kind::Text, "The name of the key in the transit engine"),
    setting("root.vault.namespace", Kind::Text, "The namespace that the engine is in").also(&["VAULT_NAMESPACE"]),
    setting("root.vault.token", Kind::Text, "A token that may encrypt and decrypt with the key").also(&["VAULT_TOKEN"]).secret(),
    setting("root.vault.token_file", Kind::Path, "The same in a file, which is read for every call"),
    setting("root.vault.ca", Kind::Path, "PEM file of the authorities whose certificate Vault shows, in place of those that the system trusts").also(&["VAULT_CACERT"]),
    setting("root.aws_kms.key", Kind::Text, "The key of AWS KMS: its ARN or id, or an alias that always means the same key"),
    setting("root.aws_kms.region", Kind::Text, "The region that the key is in, where `root.aws_kms.key` is no ARN").also(&["AWS_DEFAULT_REGION", "AWS_REGION"]),
    setting("root.aws_kms.endpoint", Kind::Text, "Where KMS is, if not where that region has it: a VPC or FIPS endpoint").also(&["AWS_ENDPOINT_URL_KMS"]),
    setting("sealing.default_policy", Kind::OneOf(&PRESETS), "What is sealed of the events of tenants that set no policy of their own").default("standard"),
    setting("sealing.key_backup_days", Kind::Number { min: 0, max: 36_500 }, "How long copies of `keys/` are kept elsewhere, as certificates of erasure say; without it they say nothing of copies"),
    setting("sealing.storage", Kind::Text, "What the data directory lies on, as certificates of erasure say, e.g. whether what is overwritten there is gone"),
    setting("cors.origins", Kind::List, "Origins whose pages may use the interface from a browser, or `*` for all").also(&["CORS_ORIGINS"]),
    setting("rate_limit.requests_per_second", Kind::Number { min: 0, max: 1_000_000 }, "Requests a second that each credential may send in the long run; 0 sets no limit").default("0"),
    setting("rate_limit.burst", COUNT, "Requests that a credential may send at once after a pause").default("200"),
    setting("log.level", Kind::OneOf(&["error", "warn", "info", "debug", "trace"]), "What the log tells").flag("log-level").default("info"),
    setting("log.format", Kind::OneOf(&["auto", "text", "json"]), "How the log is written to standard error; `auto` is text on a terminal and JSON otherwise").flag("log-format").default("auto"),
    setting("log.access", Kind::Switch, "One line of the log for each request, at the level `info`").default("true"),
    setting("otlp.endpoint", Kind::Text, "The collector of OpenTelemetry traces, e.g. `http://127.0.0.1:4318`; spans go to `/v1/traces` there").also(&["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    setting("otlp.traces_endpoint", Kind::Text, "The same as a whole URL").also(&["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]),
    setting("otlp.service_name", Kind::Text, "What this server is called in traces").also(&["OTEL_SERVICE_NAME"]).default("ledgerstone"),
    setting("limits.connections", COUNT, "Connections at one moment; more are answered 503 `SERVER_BUSY`").default("4096"),
    setting("limits.header_bytes", Kind::Number { min: 8_192, max: 1 << 20 }, "Bytes of a request's line and headers; larger ones are answered 431").default("65536"),
    setting("limits.headers", Kind::Number { min: 8, max: 1_000 }, "Headers of a request; more are answered 431").default("64"),
    setting("limits.header_seconds", SECONDS, "How long a request's header may take, and the first byte of a new connection").default("30"),
    setting("limits.idle_seconds", SECONDS, "How long a connection may be idle between two requests").default("75"),
    setting("limits.handshake_seconds", SECONDS, "How long a TLS handshake may take").default("10"),
    setting("limits.write_pause_seconds", SECONDS, "How long a client may leave unread what is sent to it").default("60"),
    setting("limits.http2_streams", Kind::Number { min: 1, max: 10_000 }, "Requests that run at one moment on one HTTP/2 connection").default("128"),
    setting("limits.drain_seconds", SECONDS, "How long running requests may take to end once the server stops").default("20"),
    setting("limits.event_bytes", Kind::Number { min: 1_024, max: EVENT_BYTES_MAX as u64 }, "Bytes of one event in canonical form that are taken over HTTP; larger ones are refused with `EVENT_TOO_LARGE`").default("262144"),
    setting("limits.body_bytes_in_memory", BYTES, "Bytes of memory for all request bodies at one moment, each of which counts as it is unpacked and three times, for what is made of it; more are answered 503 `SERVER_BUSY`").default("268435456"),
    setting("limits.response_bytes_in_memory", BYTES, "Bytes of all answers that are held until they have gone out, and a fourth of it for those of one tenant; where there is no room for one within two seconds, it is 503 `SERVER_BUSY`").default("268435456"),
    setting("limits.body_pause_seconds", SECONDS, "How long a request's body may pause").default("30"),
    setting("limits.body_bytes_per_second", COUNT, "Bytes a second that a body must bring in the long run; NDJSON may bring less while a line ends within `limits.body_pause_seconds`").default("1024"),
    setting("limits.streams", COUNT, "NDJSON requests that run at one moment; more are answered 503 `SERVER_BUSY`").default("64"),
    setting("limits.streams_per_credential", COUNT, "The same for one credential, so that one cannot keep all others out").default("16"),
    setting("limits.blocking_requests", Kind::Number { min: 1, max: 500 }, "Requests that read the disk or compute at one moment; others wait").default("64"),
    setting("limits.blocking_requests_per_credential", Kind::Number { min: 1, max: 500 }, "The same for one credential, whose others wait behind them").default("16"),
    setting("jobs.workers", COUNT, "Jobs that run at one moment").default("2"),
    setting("jobs.open", COUNT, "Jobs of all tenants that wait or run; more are answered 429 `TOO_MANY_JOBS`").default("64"),
    setting("jobs.open_per_tenant", COUNT, "The same for one tenant").default("8"),
    setting("numbers", Kind::OneOf(Numbers::NAMES), "What becomes of numbers in HTTP requests that canonical JSON cannot hold exactly: the event is refused, or they become strings; `sources` says otherwise of single senders, and `?numbers=` of a request").default("refuse"),
    setting("sources", Kind::Tables, "Senders of whom something else holds; see below"),
    setting("dead_letters.days", Kind::Number { min: 1, max: 3_650 }, "Days that refused events are kept").default("30"),
    setting("dead_letters.letters", Kind::Number { min: 0, max: 10_000_000 }, "Refused events of all tenants that are kept; more are refused without being kept").default("100000"),
    setting("dead_letters.letters_per_tenant", Kind::Number { min: 0, max: 10_000_000 }, "The same for one tenant").default("10000"),
    setting("dead_letters.bytes", BYTES, "Bytes of the files of all tenants' refused events").default("268435456"),
    setting("dead_letters.bytes_per_tenant", BYTES, "The same for one tenant").default("67108864"),
    setting("retention.every_hours", Kind::Number { min: 0, max: 8_760 }, "Hours between two runs that drop the contents whose time is over, of all tenants; 0: only when somebody asks").default("24"),
    setting("verification.records_per_second", COUNT, "Records a second that the verification in the background reads").default("5000"),
    setting("verification.pause_seconds", Kind::Number { min: 1, max: 604_800 }, "Rest between two passes of the verification in the background").default("600"),
];

/// Names of earlier services that are understood and not used, with what they stood for.
pub const UNUSED_NAMES: &[(&str, &str)] = &[
    ("DATABASE_URL", "a database"),
    ("AUDIT_DB_URL", "a database"),
    ("REDIS_URL", "a Redis server"),
    ("ELASTICSEARCH_URL", "a search engine"),
    ("S3_BUCKET_NAME", "an object store"),
    ("AWS_ENDPOINT_URL", "an object store"),
];

/// Credentials that are used for the root key in AWS KMS, and for nothing else.
pub const AWS_CREDENTIALS: &[&str] =
    &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The setting of this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{AWS_CREDENTIALS, SETTINGS, UNUSED_NAMES};
    use crate::location::CLIENT_VARIABLES;

    #[test]
    fn names_stand_once_and_defaults_can_be_read() {
        let mut seen = HashSet::new();
        for setting in SETTINGS {
            assert!(seen.insert(setting.key.to_owned()), "{}", setting.key);
            assert!(seen.insert(setting.variable()), "{}", setting.key);
            for name in setting.other_names.iter().copied().chain(setting.flag) {
                assert!(seen.insert(format!("{name} ")), "{name}");
            }
            if let Some(default) = setting.default {
                setting.kind.parse(default).unwrap();
            }
            assert!(!setting.meaning.ends_with('.') && setting.meaning.len() > 10);
            assert!(!setting.is_secret || setting.default.is_none());
        }
        for name in UNUSED_NAMES.iter().map(|(name, _)| name).chain(AWS_CREDENTIALS) {
            assert!(seen.insert(format!("{name} ")), "{name}");
        }
        for name in CLIENT_VARIABLES {
            assert!(seen.insert((*name).to_owned()), "{name}");
        }
    }
}
