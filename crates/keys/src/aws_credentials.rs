//! Where credentials for AWS come from: what the library looks through, with our HTTP client and no
//! more of the machine than it needs.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use reqsign_aws_v4::DefaultCredentialProvider;
use reqsign_core::{Context, Error, FileRead, HttpSend, Result, StaticEnv};
use reqwest::Client;
use reqwest::redirect::Policy;

/// How long the machine's own metadata service may take: where there is none, nobody answers.
const METADATA_TIME: Duration = Duration::from_secs(2);

/// Bytes of a file or an answer with credentials; there are none that take more.
const CREDENTIAL_BYTES_MAX: usize = 64 * 1024;

/// The variables in which AWS tools look for credentials.
#[derive(Clone, Default)]
pub struct AwsEnvironment(HashMap<String, String>);

impl AwsEnvironment {
    /// What of the variables of a process is about AWS: `AWS_…`, and `HOME`, where its files are.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let is_about_it = |name: &str| name.starts_with("AWS_") || name == "HOME";
        Self(variables.into_iter().filter(|(name, _)| is_about_it(name)).collect())
    }
}

impl fmt::Debug for AwsEnvironment {
    /// Names alone: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.keys().collect();
        names.sort();
        f.debug_tuple("AwsEnvironment").field(&names).finish()
    }
}

/// Variables, shared files, web identity (as in EKS), containers (ECS, EKS), the machine (EC2), in
/// this order. Programs that a file names are not run.
pub(crate) fn provider() -> DefaultCredentialProvider {
    DefaultCredentialProvider::builder().no_process().build()
}

/// What the library may use to look.
pub(crate) fn context(client: &Client, environment: &AwsEnvironment) -> Context {
    let envs = environment.0.clone();
    let home_dir = envs.get("HOME").map(PathBuf::from);
    let direct = Client::builder()
        .no_proxy()
        .timeout(METADATA_TIME)
        .redirect(Policy::none())
        .build()
        .unwrap_or_else(|_| client.clone());
    Context::new()
        .with_file_read(Files)
        .with_http_send(Http { client: client.clone(), direct })
        .with_env(StaticEnv { home_dir, envs })
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    /// The thread is our own, and the files are small.
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        let unreadable =
            |error| Error::config_invalid(format!("{path} cannot be read")).with_source(error);
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > CREDENTIAL_BYTES_MAX as u64 {
            return Err(Error::config_invalid(format!("{path} is too long for credentials")));
        }
        std::fs::read(path).map_err(unreadable)
    }
}

#[derive(Debug)]
struct Http {
    client: Client,
    /// For what is on the machine or its link, where no proxy stands between.
    direct: Client,
}

impl HttpSend for Http {
    async fn http_send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let client = if is_near(request.uri()) { &self.direct } else { &self.client };
        let failed = |error| Error::unexpected("the request failed").with_source(error);
        let request = request.try_into().map_err(failed)?;
        let mut response = client.execute(request).await.map_err(failed)?;
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > CREDENTIAL_BYTES_MAX {
                return Err(Error::unexpected("the answer is too long for credentials"));
            }
            body.extend_from_slice(&chunk);
        }
        let unfit = |error| Error::unexpected("the answer is none").with_source(error);
        answer.body(body.into()).map_err(unfit)
    }
}

/// Whether a host is this machine or on its link, as metadata services are.
fn is_near(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_link_local() || ip.is_loopback(),
        Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_loopback(),
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::{AwsEnvironment, is_near};

    #[test]
    fn only_what_is_near_is_asked_without_a_proxy() {
        for (url, near) in [
            ("http://169.254.169.254/latest/api/token", true),
            ("http://169.254.170.2/v2/credentials", true),
            ("http://[fd00:ec2::254]/latest", true),
            ("http://127.0.0.1:1338/", true),
            ("http://localhost/", true),
            ("https://sts.eu-central-1.amazonaws.com/", false),
            ("http://10.0.0.1/", false),
            ("http://localhost.example/", false),
        ] {
            assert_eq!(is_near(&url.parse().unwrap()), near, "{url}");
        }
    }

    #[test]
    fn only_variables_about_aws_are_taken_and_none_is_shown() {
        let variables = [("AWS_SECRET_ACCESS_KEY", "geheim"), ("HOME", "/root"), ("PATH", "/bin")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let shown = format!("{:?}", AwsEnvironment::of(variables));
        assert_eq!(shown, "AwsEnvironment([\"AWS_SECRET_ACCESS_KEY\", \"HOME\"])");
    }
}
