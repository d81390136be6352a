//! Where the root key is: the services that wrap the secrets of tenants behind the port
//! [`RootKey`](ledgerstone_ledger::sealing_keys::RootKey).
//!
//! A service is one file here and one line in [`SERVICES`].

#![forbid(unsafe_code)]

mod authorities;
mod aws_credentials;
mod aws_kms;
mod caller;
mod file;
mod local;
mod roots;
mod secret;
mod service;
mod service_url;
mod vault;

pub use authorities::{Authorities, AuthoritiesError};
pub use aws_credentials::AwsEnvironment;
pub use aws_kms::{AwsKmsKey, AwsKmsSource, AwsNameError, AwsRegion};
pub use file::FileSource;
pub use roots::{RootKeySetup, open, open_to_read};
pub use secret::{RootSecret, RootSecretError, SecretSource};
pub use service::{
    Place, RootKeyService, RootKeySource, SERVICE_NAMES, SERVICES, SetupError, service,
};
pub use service_url::{ServiceUrl, ServiceUrlError};
pub use vault::{VaultName, VaultNameError, VaultSource, VaultToken};
