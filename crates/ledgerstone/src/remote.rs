//! A server that a command works on: calls that are waited for, and failures in the words that all
//! commands have.

use std::cell::OnceCell;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use ledgerstone_client::{BuildError, Client, ClientError, Problem, Retry, Status};
use ledgerstone_model::{ErrorCode, Rejection};
use ledgerstone_proof::TenantId;
use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;
use crate::location::Secret;

/// Somebody waits at the terminal.
const IMPATIENT: Retry = Retry::new(4, Duration::from_millis(200), Duration::from_secs(2));

/// Long enough for a server to be started again.
const PATIENT: Retry = Retry::new(12, Duration::from_millis(200), Duration::from_secs(10));

/// A server, with the credential that it is asked with.
pub struct Remote {
    runtime: Runtime,
    client: Client,
    status: OnceCell<Status>,
    tenant: OnceCell<TenantId>,
}

impl Remote {
    pub fn new(
        url: &str,
        credential: Option<&Secret>,
        authorities: Option<Vec<u8>>,
    ) -> Result<Self, Failure> {
        let mut builder = Client::builder(url).retry(IMPATIENT);
        if let Some(credential) = credential {
            builder = builder.api_key(credential.expose());
        }
        if let Some(pem) = authorities {
            builder = builder.authorities(pem);
        }
        let client = builder.build().map_err(|error| unusable(&error))?;
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            Failure::new(ErrorCode::Internal, format!("no runtime for requests: {error}"))
        })?;
        Ok(Self { runtime, client, status: OnceCell::new(), tenant: OnceCell::new() })
    }

    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// A client that waits for a server that is being started again.
    pub fn patient_client(&self) -> Client {
        self.client.with_retry(PATIENT)
    }

    /// Whether the credential can be read on its way.
    pub fn is_exposed(&self) -> bool {
        self.client.is_exposed()
    }

    /// Waits for an answer.
    pub fn wait<T>(
        &self,
        call: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(call).map_err(Failure::from)
    }

    /// Waits for something that cannot fail.
    pub fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The state of the credential's ledger, as it was when it was first asked for.
    pub fn status(&self) -> Result<&Status, Failure> {
        if let Some(status) = self.status.get() {
            return Ok(status);
        }
        let status = self.wait(self.client.status())?;
        Ok(self.status.get_or_init(|| status))
    }

    /// The credential's tenant, which is the only one there is here.
    pub fn tenant(&self) -> Result<TenantId, Failure> {
        if let Some(tenant) = self.tenant.get() {
            return Ok(tenant.clone());
        }
        let tenant = self.wait(self.client.tenant())?;
        Ok(self.tenant.get_or_init(|| tenant).clone())
    }

    /// Refuses a tenant that is not the credential's own.
    pub fn check_tenant(&self, asked: Option<&TenantId>) -> Result<(), Failure> {
        let Some(asked) = asked else { return Ok(()) };
        let own = self.tenant()?;
        if *asked == own {
            return Ok(());
        }
        let message = format!("the credential is of tenant {own}, and opens no ledger of {asked}");
        Err(Failure::new(ErrorCode::UnknownTenant, message)
            .with_remedy("Leave --tenant out, or use an API key of that tenant."))
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("client", &self.client).finish_non_exhaustive()
    }
}

fn unusable(error: &BuildError) -> Failure {
    let failure = Failure::new(ErrorCode::InvalidArgument, error.to_string());
    match error {
        BuildError::Url { .. } => failure
            .with_remedy("Give the address as the server prints it, like http://127.0.0.1:8003."),
        BuildError::Credential => failure.with_remedy("Give the whole key, without anything else."),
        BuildError::Authorities(_) => {
            failure.with_remedy("Give a PEM file with the certificate of the authority.")
        }
        BuildError::Http(_) => failure,
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused(problem) => Self::from(&**problem),
            ClientError::Unreachable { .. } => {
                Self::new(ErrorCode::ServerUnreachable, error.to_string())
            }
            ClientError::UnexpectedAnswer { .. } => {
                Self::new(ErrorCode::UnexpectedAnswer, error.to_string())
            }
        }
    }
}

impl From<&Problem> for Failure {
    /// What the server refused, told as it would be told in a data directory.
    fn from(problem: &Problem) -> Self {
        let Some(code) = problem.known_code() else {
            let message = problem.to_string();
            return Self::new(ErrorCode::UnexpectedAnswer, message)
                .with_remedy(problem.remedy().to_owned());
        };
        if !problem.faults().is_empty() {
            return Rejection::relayed(code, problem.faults().to_vec()).into();
        }
        let message = match (code, problem.request_id()) {
            // Only the server's log says more.
            (ErrorCode::Internal | ErrorCode::StorageFailed, Some(id)) => {
                format!("{} (request {id})", problem.detail())
            }
            _ => problem.detail().to_owned(),
        };
        let failure = Self::new(code, message);
        match problem.event_id() {
            Some(id) => failure.about(id),
            None => failure,
        }
    }
}
