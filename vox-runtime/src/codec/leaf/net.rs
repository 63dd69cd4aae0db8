//! Network addresses: serde's compact forms, for formats that people do not read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::super::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder};
use super::{Leaf, Table};

pub(super) fn register(table: &mut Table) {
    table.add::<Ipv4Addr>();
    table.add::<Ipv6Addr>();
    table.add::<IpAddr>();
    table.add::<SocketAddrV4>();
    table.add::<SocketAddrV6>();
    table.add::<SocketAddr>();
}

impl Leaf for Ipv4Addr {
    const NAME: &'static str = "Ipv4Addr";
    const MIN: usize = 4;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.raw(&self.octets())
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.array::<4>().map(Self::from)
    }
}

impl Leaf for Ipv6Addr {
    const NAME: &'static str = "Ipv6Addr";
    const MIN: usize = 16;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        to.raw(&self.octets())
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        from.array::<16>().map(Self::from)
    }
}

impl Leaf for IpAddr {
    const NAME: &'static str = "IpAddr";
    const MIN: usize = 5;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Self::V4(v4) => to.byte(0).and_then(|()| v4.put(to)),
            Self::V6(v6) => to.byte(1).and_then(|()| v6.put(to)),
        }
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match version(from)? {
            Version::V4 => Ipv4Addr::take(from).map(Self::V4),
            Version::V6 => Ipv6Addr::take(from).map(Self::V6),
        }
    }
}

impl Leaf for SocketAddrV4 {
    const NAME: &'static str = "SocketAddrV4";
    const MIN: usize = 5;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.ip().put(to)?;
        to.varint(u64::from(self.port()))
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let ip = Ipv4Addr::take(from)?;
        Ok(Self::new(ip, from.varint_of(16)? as u16))
    }
}

/// Flow and scope do not cross, as in serde.
impl Leaf for SocketAddrV6 {
    const NAME: &'static str = "SocketAddrV6";
    const MIN: usize = 17;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        self.ip().put(to)?;
        to.varint(u64::from(self.port()))
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let ip = Ipv6Addr::take(from)?;
        Ok(Self::new(ip, from.varint_of(16)? as u16, 0, 0))
    }
}

impl Leaf for SocketAddr {
    const NAME: &'static str = "SocketAddr";
    const MIN: usize = 6;

    fn put(&self, to: &mut Encoder<'_>) -> Result<(), EncodeError> {
        match self {
            Self::V4(v4) => to.byte(0).and_then(|()| v4.put(to)),
            Self::V6(v6) => to.byte(1).and_then(|()| v6.put(to)),
        }
    }

    fn take(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match version(from)? {
            Version::V4 => SocketAddrV4::take(from).map(Self::V4),
            Version::V6 => SocketAddrV6::take(from).map(Self::V6),
        }
    }
}

enum Version {
    V4,
    V6,
}

fn version(from: &mut Decoder<'_>) -> Result<Version, DecodeError> {
    match from.varint_of(32)? as u32 {
        0 => Ok(Version::V4),
        1 => Ok(Version::V6),
        other => Err(from.error(DecodeErrorKind::BadVariant(other))),
    }
}
