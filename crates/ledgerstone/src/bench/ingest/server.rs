//! The server that is measured: this very program, started as anybody starts it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use ledgerstone_ledger::{NewApiKey, PolicyDraft, TenantCreation};
use ledgerstone_model::access::Role;
use ledgerstone_model::policy::PolicyDocument;
use ledgerstone_model::sealing::{FieldPolicy, Preset};
use ledgerstone_model::system::SigningMode;
use ledgerstone_proof::TenantId;
use ledgerstone_store::LedgerStore as _;
use ledgerstone_store::embedded::{Mode, SealedSizes};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::{missing, told};
use crate::bench::SEED;
use crate::bench::process::Process;
use crate::data_dir::{self, Birth, IfMissing};
use crate::failure::Failure;
use crate::output::Console;
use crate::system::{System, operator};
use crate::workload::Workload;

/// How long what is full may take to be sealed once nothing more comes in.
const SEALING_TIME: Duration = Duration::from_mins(3);

/// A server with an empty ledger and a key for it; it is killed if nobody ends it.
pub(super) struct Server {
    child: Child,
    /// Held open to the end, so that what the server says has somewhere to go.
    output: BufReader<ChildStdout>,
    address: SocketAddr,
    keys: Keys,
    tenant: TenantId,
    place: TempDir,
}

/// The keys that the bench uses.
struct Keys {
    /// For whoever sends.
    writer: String,
    /// For whoever asks how the server is doing.
    operator: String,
}

/// What is left of a server that was ended.
pub(super) struct Ended {
    pub(super) records: u64,
    pub(super) sizes: SealedSizes,
    pub(super) processor_seconds: f64,
    pub(super) bytes_written: u64,
    pub(super) resident_peak_mb: f64,
}

impl Server {
    pub(super) fn start(
        parent: &Path,
        signing: SigningMode,
        sealing: Preset,
        console: &mut Console,
    ) -> anyhow::Result<Self> {
        let place = tempfile::Builder::new().prefix("ledgerstone-bench").tempdir_in(parent)?;
        let data = data_of(&place);
        let tenant = TenantId::parse(&Workload::new(SEED, 1).tenant_of(0))?;
        let keys = prepare(&data, (signing, sealing), &tenant, console)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data"]);
        // What is configured for another server on this machine is not for this one.
        command.arg(&data).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting the server")?;
        let output = child.stdout.take().with_context(missing("anything"))?;
        let mut server = Self {
            child,
            output: BufReader::new(output),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            keys,
            tenant,
            place,
        };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        while self.output.read_line(&mut line)? > 0 {
            let said: Value = serde_json::from_str(&line)?;
            if let Some(port) = said.get("port").and_then(Value::as_u64) {
                self.address.set_port(port.try_into()?);
                return Ok(());
            }
            line.clear();
        }
        Err(missing("where it listens")())
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn key(&self) -> &str {
        &self.keys.writer
    }

    pub(super) fn process(&self) -> Process {
        Process::of(self.child.id())
    }

    /// Log files that are not sealed yet, the one that is written included.
    pub(super) fn unsealed_logs(&self) -> anyhow::Result<u64> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
            self.address, self.keys.operator
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let line = answer.lines().find(|line| line.starts_with("ledgerstone_unsealed_logs "));
        let number = line.and_then(|line| line.split(' ').nth(1)?.parse().ok());
        number.with_context(missing("how many logs are unsealed"))
    }

    /// Lets it seal what is full, stops it in order, and looks at what it leaves. `before` are the
    /// processor time and the bytes that it had used before the load.
    pub(super) fn end(mut self, before: (f64, u64)) -> anyhow::Result<Ended> {
        let begun = Instant::now();
        while self.unsealed_logs()? > 1 && begun.elapsed() < SEALING_TIME {
            std::thread::sleep(Duration::from_millis(20));
        }
        let process = self.process();
        let processor_seconds = process.processor_seconds() - before.0;
        let bytes_written = process.bytes_written() - before.1;
        let resident_peak_mb = process.resident_peak_mb();
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.context("a process has an id")?, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        let store = data_dir::open_store(&data_of(&self.place), Mode::Read, &System::new())?;
        let head = store.head(&self.tenant)?.context("the ledger is gone")?;
        let (records, sizes) = (head.size(), store.sizes());
        Ok(Ended { records, sizes, processor_seconds, bytes_written, resident_peak_mb })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that was ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn data_of(place: &TempDir) -> PathBuf {
    place.path().join("data")
}

/// Makes the directory and a tenant with a policy and a key, as `init`, `tenants create`, `policies set`
/// and `api-keys create` do.
fn prepare(
    data: &Path,
    (signing, sealing): (SigningMode, Preset),
    tenant: &TenantId,
    console: &mut Console,
) -> anyhow::Result<Keys> {
    let usual = Birth::usual().map_err(|failure| told(&failure))?;
    let birth = Birth { signing, ..usual };
    data_dir::create(data, &birth, console).map_err(|failure| told(&failure))?;
    let (if_missing, creation) = (IfMissing::Refuse, TenantCreation::Explicit);
    let granted = data_dir::write_with(data, if_missing, creation, console, |data, _| {
        let (ledger, keys) = (data.ledger(), data.api_keys()?);
        ledger.create_tenant(tenant, &operator())?;
        let document = PolicyDocument::Sealing(FieldPolicy::of_preset(sealing));
        ledger.set_policy(tenant, PolicyDraft { document, based_on: None }, &operator())?;
        let grant = |tenant: &TenantId, role: Role| -> Result<String, Failure> {
            let wanted = NewApiKey { roles: role.into(), label: "bench", expires_at: None };
            let issued = ledger.grant_api_key(&keys, tenant, &wanted, &operator())?;
            Ok(issued.text().to_string())
        };
        let (writer, operator) =
            (grant(tenant, Role::Writer)?, grant(&TenantId::system(), Role::Admin)?);
        Ok(Keys { writer, operator })
    });
    granted.map_err(|failure| told(&failure))
}
