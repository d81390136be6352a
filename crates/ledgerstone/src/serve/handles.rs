//! File handles: every connection needs one, and many systems give a process few to begin with.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Allows this process as many file handles as it may have.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of file handles stays as it was");
    }
}
