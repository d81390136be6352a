//! Whether requests may go over a network in the clear.

use std::net::SocketAddr;

/// What keeps what is sent over a connection secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Nothing: only for what stays on the machine.
    Plain,
    /// The server's own TLS.
    Tls,
    /// Something in front of the server ends TLS; the operator said so.
    BehindProxy,
}

/// Whether a server may listen there: credentials must not cross a network unprotected.
pub(super) fn is_protected(address: SocketAddr, transport: Transport) -> bool {
    let ip = address.ip();
    let is_loopback = ip.to_canonical().is_loopback();
    is_loopback || transport != Transport::Plain
}

#[cfg(test)]
mod tests {
    use super::{Transport, is_protected};

    #[test]
    fn plain_http_stays_on_the_machine() {
        for (address, plain_is_fine) in [
            ("127.0.0.1:80", true),
            ("127.8.9.1:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("10.0.0.1:80", false),
            ("[::ffff:10.0.0.1]:80", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(is_protected(address, Transport::Plain), plain_is_fine, "{address}");
            assert!(is_protected(address, Transport::Tls));
            assert!(is_protected(address, Transport::BehindProxy));
        }
    }
}
