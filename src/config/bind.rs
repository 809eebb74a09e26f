//! The address to listen on.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};

/// An address to listen on, or a host name that is resolved when the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind(Host);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(SocketAddr),
    Name(String, u16),
}

impl Bind {
    /// All addresses. Resolving a name can block.
    ///
    /// # Errors
    /// If the name can't be resolved.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Host::Address(address) => Ok(vec![*address]),
            Host::Name(name, port) => Ok((name.as_str(), *port).to_socket_addrs()?.collect()),
        }
    }

    /// The port. 0 stands for any free port.
    pub fn port(&self) -> u16 {
        match &self.0 {
            Host::Address(address) => address.port(),
            Host::Name(_, port) => *port,
        }
    }
}

impl From<SocketAddr> for Bind {
    fn from(address: SocketAddr) -> Self {
        Self(Host::Address(address))
    }
}

impl fmt::Display for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Host::Address(address) => address.fmt(f),
            Host::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

/// Parses `host:port`, with an IPv6 address in brackets.
pub(super) fn bind(text: &str) -> Result<Bind, String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Bind::from(address));
    }
    let named = || {
        let (name, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|_| port.bytes().all(|b| b.is_ascii_digit()))?;
        is_host_name(name).then(|| Bind(Host::Name(name.to_owned(), port)))
    };
    named().ok_or_else(|| "an address and a port, such as 127.0.0.1:7860, localhost:7860 or [::1]:7860".to_owned())
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // A numeric last label is a misspelled IPv4 address. Some resolvers would still guess an address.
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(label) && !numeric
}
