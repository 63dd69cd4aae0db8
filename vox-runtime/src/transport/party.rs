//! The party of a link, as far as its transport can tell: shares are counted by it where nobody says who they are.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// What links have in common that count as one peer's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first 64 bits of an IPv6 address: who has one address of a network mostly has them all.
    V6([u8; 8]),
    /// A user of this host.
    User(u32),
    /// The name that was given with the link.
    Named(Arc<str>),
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => Ipv4Addr::from(*ip).fmt(f),
            Self::V6(network) => {
                let mut ip = [0; 16];
                ip[..8].copy_from_slice(network);
                write!(f, "{}/64", Ipv6Addr::from(ip))
            }
            Self::User(user) => write!(f, "user {user}"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Party {
    pub(crate) fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let mut network = [0; 8];
                network.copy_from_slice(&ip.octets()[..8]);
                Self::V6(network)
            }
        }
    }

    /// A text that is an IP address counts as that.
    pub(crate) fn named(name: &str) -> Self {
        name.parse().map_or_else(|_| Self::Named(name.into()), Self::of_ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_party() {
        let party = Party::named;
        assert_eq!(party("2001:db8:1:2:3::4"), party("2001:db8:1:2:ffff::1"));
        assert_ne!(party("2001:db8:1:2:3::4"), party("2001:db8:1:3:3::4"));
        assert_eq!(party("::ffff:10.0.0.1"), party("10.0.0.1"));
        assert_ne!(party("10.0.0.2"), party("10.0.0.1"));
        assert_ne!(party("acme"), party("other"));
        assert_eq!(party("acme"), Party::Named("acme".into()));
        let shown = ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:1:2:3::4", "acme"].map(|name| party(name).to_string());
        assert_eq!(shown, ["10.0.0.1", "10.0.0.1", "2001:db8:1:2::/64", "acme"]);
    }
}
