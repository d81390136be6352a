//! A server on a port of its own, over an embedded store in a directory of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::middleware::map_response;
use axum::response::Response;
use ledgerstone_edge::auth::{AuthSettings, Authenticator};
use ledgerstone_edge::rest::{
    CursorKey, Limits, NumberRules, RouterSettings, Seen, Service, ServiceParts, router_with,
};
use ledgerstone_ledger::DeadLetters;
use ledgerstone_ledger::check::{Level, VerifyOptions, verify};
use ledgerstone_ledger::dead_letters::RETENTION;
use ledgerstone_ledger::jobs::JobTools;
use ledgerstone_ledger::{
    ApiKeys, JobPool, JobSettings, KeyFiles, KeyHome, Ledger, MemoryKeys, NewApiKey, Settings,
};
use ledgerstone_model::Actor;
use ledgerstone_model::access::{Role, RoleSet};
use ledgerstone_model::sealing::Preset;
use ledgerstone_model::system::{KeyAlgorithm, LogName};
use ledgerstone_proof::TenantId;
use ledgerstone_store::conformance::FaultyStore;
use ledgerstone_store::embedded::files::Files;
use ledgerstone_store::embedded::{EmbeddedStore, Options};
use ledgerstone_store::{DeadLetterLimits, FileDeadLetters, MemoryJobs};
use ledgerstone_testkit::{MockClock, SeededEntropy, TestDirectory};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::sealing_keys::SealingKeys;

/// The tenants of every test; a key of each has each role.
pub const TENANTS: [&str; 3] = ["acme", "beta", "_system"];

/// A running server and everything it works with.
pub struct Rig {
    pub address: SocketAddr,
    pub ledger: Arc<Ledger>,
    pub clock: Arc<MockClock>,
    pub dead_letters: Arc<DeadLetters>,
    /// The ledger's store, which can hold appends back.
    pub store: Arc<FaultyStore<EmbeddedStore>>,
    /// What fields are sealed with, where they are.
    pub sealing: Option<SealingKeys>,
    /// What each answer with records left for the log of reads.
    pub seen: Arc<Mutex<Vec<Seen>>>,
    keys: HashMap<(String, Role), String>,
    client: Client,
    directory: TestDirectory,
}

/// What is different from the usual.
pub struct RigOptions {
    pub limits: Limits,
    pub router: RouterSettings,
    /// The ledger's own settings.
    pub ledger: Settings,
    pub dead_letters: DeadLetterLimits,
    /// What is sealed by default; without one there are no keys to seal with.
    pub sealing: Option<Preset>,
    pub numbers: NumberRules,
    pub store: Options,
}

impl Default for RigOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            router: RouterSettings::default(),
            ledger: Settings::new(LogName::parse("test.example").unwrap()),
            dead_letters: DeadLetterLimits::default(),
            sealing: None,
            numbers: NumberRules::default(),
            store: Options::default(),
        }
    }
}

impl Rig {
    pub async fn start() -> Self {
        Self::start_with(RigOptions::default()).await
    }

    /// One that seals what a preset names.
    pub async fn start_sealing(preset: Preset) -> Self {
        Self::start_with(RigOptions { sealing: Some(preset), ..RigOptions::default() }).await
    }

    pub async fn start_with(mut options: RigOptions) -> Self {
        let directory = TestDirectory::new("http");
        let data = directory.path().join("data");
        let entropy = Arc::new(SeededEntropy::new(7));
        let clock = Arc::new(MockClock::at(MockClock::START_MICROS));
        let store = EmbeddedStore::create(
            &data,
            options.store,
            Files::new(),
            Arc::clone(&clock) as _,
            Arc::clone(&entropy) as _,
        );
        let sealing = options.sealing.map(|preset| {
            options.ledger.default_sealing = preset;
            let tools = (Arc::clone(&clock) as _, Arc::clone(&entropy) as _);
            SealingKeys::open(&data.join("sealing"), tools)
        });
        let keys = key_home(&data, &entropy, sealing.as_ref());
        let store = Arc::new(FaultyStore::new(store.unwrap()));
        let ledger = Ledger::create(
            Arc::clone(&store) as _,
            keys,
            options.ledger,
            Arc::clone(&clock) as _,
            Arc::clone(&entropy) as _,
        );
        let ledger = Arc::new(ledger.unwrap());
        ledger
            .create_tenants(&["acme", "beta"].map(|name| TenantId::parse(name).unwrap()))
            .unwrap();
        let api_keys = Arc::new(ApiKeys::default());
        let keys = grant_all(&ledger, &api_keys);
        let authenticator =
            Authenticator::new(AuthSettings::default(), api_keys, Arc::clone(&clock) as _).unwrap();
        let dead = FileDeadLetters::open(&data.join("dead"), Files::new(), options.dead_letters);
        let dead_letters = Arc::new(DeadLetters::new(
            Arc::new(dead.unwrap()),
            Arc::clone(&clock) as _,
            Arc::clone(&entropy) as _,
            RETENTION,
        ));
        let jobs = JobPool::start(
            &ledger,
            Arc::<MemoryJobs>::default(),
            JobTools {
                dead_letters: Some(Arc::clone(&dead_letters)),
                contents: Some(Arc::clone(&store) as _),
            },
            JobSettings::default(),
        );
        let service = Service::new(ServiceParts {
            ledger: Arc::clone(&ledger),
            authenticator,
            clock: Arc::clone(&clock) as _,
            entropy: Arc::clone(&entropy) as _,
            limits: options.limits,
            jobs: Arc::new(jobs.unwrap()),
            cursor_key: CursorKey::new(&[9; 32]),
            dead_letters: Arc::clone(&dead_letters),
            numbers: options.numbers,
        });
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let address = serve(service, options.router, Arc::clone(&seen)).await;
        let client = Client::builder().no_proxy().build().unwrap();
        Self { address, ledger, clock, dead_letters, store, sealing, seen, keys, client, directory }
    }

    /// The API key of a tenant with a role.
    pub fn key(&self, tenant: &str, role: Role) -> &str {
        &self.keys[&(tenant.to_owned(), role)]
    }

    /// A request without a credential.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    /// A request with the key of a tenant's role.
    pub fn request(&self, method: Method, path: &str, tenant: &str, role: Role) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(self.key(tenant, role))
    }

    /// An append by acme's writer.
    pub fn append(&self, query: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let path = format!("/v1/events{query}");
        self.request(Method::POST, &path, "acme", Role::Writer)
            .header("content-type", "application/json")
            .body(body)
    }

    /// The files of dead letters.
    pub fn dead_letter_files(&self) -> Vec<std::path::PathBuf> {
        let Ok(files) = std::fs::read_dir(self.directory.path().join("data/dead/acme")) else {
            return Vec::new();
        };
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Records of a tenant's ledger.
    pub fn size(&self, tenant: &str) -> u64 {
        self.ledger.reader().size(&tenant_of(tenant)).unwrap()
    }

    /// Damages a byte of an event on the disk, behind the server's back.
    pub fn flip_content_byte(&self) {
        let log = self.directory.path().join("data/log");
        let mut files = std::fs::read_dir(log).unwrap().map(|file| file.unwrap().path());
        let is_damaged = files.any(|file| {
            let mut bytes = std::fs::read(&file).unwrap();
            let found = bytes.windows(10).position(|window| window == b"user.login");
            let Some(at) = found else { return false };
            bytes[at] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            true
        });
        assert!(is_damaged);
    }

    /// The verifier finds nothing.
    pub fn assert_sound(&self) {
        let report = verify(self.ledger.store(), &VerifyOptions::new(Level::Full, 2), &|_| {});
        let report = report.unwrap();
        assert!(report.holds(), "{:?}", report.findings);
    }
}

/// The keys that sign, in files unless there are others to seal with.
fn key_home(
    data: &Path,
    entropy: &SeededEntropy,
    sealing: Option<&SealingKeys>,
) -> Arc<dyn KeyHome> {
    let files = KeyFiles::in_directory(data.join("keys"));
    files.create(KeyAlgorithm::Ed25519, entropy).unwrap();
    match sealing {
        None => Arc::new(files),
        Some(sealing) => {
            let signing = MemoryKeys::new(files.load().unwrap());
            Arc::new(signing.with_sealing(Arc::clone(&sealing.ring)))
        }
    }
}

/// Serves on a free port, and keeps what answers leave for the log of reads.
async fn serve(
    service: Service,
    settings: RouterSettings,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let note = move |response: Response| {
            seen.lock().unwrap().extend(response.extensions().get::<Seen>().cloned());
            std::future::ready(response)
        };
        let router = router_with(&service, &settings).layer(map_response(note));
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).await.unwrap();
    });
    address
}

fn tenant_of(name: &str) -> TenantId {
    if name == "_system" { TenantId::system() } else { TenantId::parse(name).unwrap() }
}

fn grant_all(ledger: &Ledger, api_keys: &ApiKeys) -> HashMap<(String, Role), String> {
    let mut keys = HashMap::new();
    for name in TENANTS {
        let tenant = tenant_of(name);
        for role in Role::ALL.iter().copied() {
            let wanted = NewApiKey { roles: RoleSet::from(role), label: "test", expires_at: None };
            let issued = ledger.grant_api_key(api_keys, &tenant, &wanted, &Actor::operator("test"));
            let text = issued.unwrap().text().to_string();
            keys.insert((name.to_owned(), role), text);
        }
    }
    keys
}

/// The body of an answer as JSON, which it must be.
pub async fn json(response: reqwest::Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Sends a request, and compares status and code of the answer.
pub async fn assert_problem(request: RequestBuilder, status: u16, code: &str) -> Value {
    let response = request.send().await.unwrap();
    let (found, content_type) =
        (response.status().as_u16(), response.headers().get("content-type").cloned());
    let problem = json(response).await;
    assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    assert_eq!(content_type.unwrap(), "application/problem+json");
    for member in ["type", "title", "detail", "remedy", "instance"] {
        assert!(
            problem[member].as_str().is_some_and(|text| !text.is_empty()),
            "{member}: {problem}"
        );
    }
    problem
}
