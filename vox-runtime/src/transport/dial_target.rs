//! Where links are made to: the places behind a target.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::net::TcpStream;

use super::{Address, Connector, Link, memory};
use crate::escaped::Escaped;

/// The most addresses of one name that are tried.
const MAX_PLACES: usize = 16;

/// A future of a link.
pub(crate) type DialFuture = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

/// What gives the places of a target.
pub(crate) type Finding<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<Place>>> + Send + 'a>>;

/// A target that links can be made to, again and again.
pub(crate) trait DialTarget: Send + Sync + fmt::Debug {
    /// What it is called in errors and logs, as it may be printed.
    fn name(&self) -> String;

    /// The places to dial, in order. A name of several addresses has several.
    fn places(&self) -> Finding<'_>;
}

/// One place to dial.
pub(crate) struct Place {
    /// What it is called in errors, beside its target. Empty where the target is all there is.
    pub(super) name: String,
    /// Dials, once polled.
    pub(super) link: DialFuture,
}

impl DialTarget for Connector {
    fn name(&self) -> String {
        Escaped::new(self.called()).to_string()
    }

    fn places(&self) -> Finding<'_> {
        let link = self.link();
        Box::pin(async { Ok(vec![Place { name: String::new(), link }]) })
    }
}

impl DialTarget for Address {
    fn name(&self) -> String {
        Escaped::new(&self.to_string()).to_string()
    }

    fn places(&self) -> Finding<'_> {
        Box::pin(async move {
            let only = |link| Ok(vec![Place { name: String::new(), link }]);
            match self.clone() {
                Self::Tcp(host) => match host.parse::<SocketAddr>() {
                    Ok(address) => only(tcp(address)),
                    Err(_) => Ok(tcp_places(tokio::net::lookup_host(host).await?)),
                },
                #[cfg(unix)]
                Self::Unix(path) => only(Box::pin(async move {
                    let address = format!("unix://{}", path.display());
                    Ok(Link::unix(tokio::net::UnixStream::connect(path).await?, address))
                })),
                #[cfg(not(unix))]
                Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
                Self::Memory(name) => only(Box::pin(async move { memory::connect(&name).await })),
            }
        })
    }
}

fn tcp(address: SocketAddr) -> DialFuture {
    Box::pin(async move { Link::tcp(TcpStream::connect(address).await?) })
}

pub(super) fn tcp_places(found: impl Iterator<Item = SocketAddr>) -> Vec<Place> {
    interleaved(found).into_iter().map(|address| Place { name: address.to_string(), link: tcp(address) }).collect()
}

/// The addresses with their families taking turns, each once, in the order that the resolver gave within a family. The
/// family of the first comes first. See RFC 8305, section 4.
fn interleaved(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !all.contains(&address) && all.len() < 4 * MAX_PLACES {
            all.push(address);
        }
    }
    let Some(first) = all.first().map(SocketAddr::is_ipv6) else { return all };
    let (mut same, mut other): (Vec<_>, Vec<_>) = all.into_iter().partition(|address| address.is_ipv6() == first);
    let (mut same, mut other) = (same.drain(..), other.drain(..));
    let mut mixed = Vec::new();
    loop {
        let before = mixed.len();
        mixed.extend(same.next());
        mixed.extend(other.next());
        if mixed.len() == before || mixed.len() >= MAX_PLACES {
            mixed.truncate(MAX_PLACES);
            return mixed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[&str], expected: &[&str]) {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect::<Vec<_>>();
        assert_eq!(interleaved(addresses(found).into_iter()), addresses(expected));
    }

    #[test]
    fn families_take_turns_and_each_address_comes_once() {
        check(&[], &[]);
        check(&["[::1]:1", "[::2]:1", "1.1.1.1:1"], &["[::1]:1", "1.1.1.1:1", "[::2]:1"]);
        check(&["1.1.1.1:1", "1.1.1.1:1", "2.2.2.2:1", "[::1]:1"], &["1.1.1.1:1", "[::1]:1", "2.2.2.2:1"]);
    }

    #[test]
    fn a_name_of_very_many_addresses_costs_no_more_than_one_of_some() {
        let many = (0..1000u16).map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let one = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 1));
        let tried = interleaved(many.take(40).chain([one]));
        assert_eq!((tried.len(), tried[1]), (MAX_PLACES, one));
    }
}
