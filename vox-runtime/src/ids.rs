//! Identifiers, as newtypes. An id is only ever compared, sent and printed; arithmetic on it lives here.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::exhaustive_structs, reason = "a number by another name")]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }

        impl From<$name> for u64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id! {
    /// One service inside a session. Unique in the session; the opener's parity.
    ConnectionId
}
id! {
    /// One attempt at a call. Unique in its connection; the caller's parity.
    RequestId
}
id! {
    /// One one-way stream of items. Unique in its connection; the caller's parity.
    ChannelId
}

/// A method, as the wire names it: FNV-1a 64 of `Service.method`, computed when the trait is expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_structs, reason = "a number by another name")]
pub struct MethodId(pub u64);

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Which end of the link a peer is: who spoke first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sent the `Hello`. Its ids are odd.
    Initiator,
    /// Answered with the `Welcome`. Its ids are even.
    Acceptor,
}

impl Role {
    /// The other end.
    pub(crate) fn peer(self) -> Self {
        match self {
            Self::Initiator => Self::Acceptor,
            Self::Acceptor => Self::Initiator,
        }
    }

    /// Whether `id` is one that this end may allocate. Zero belongs to nobody.
    pub(crate) fn owns(self, id: u64) -> bool {
        match self {
            Self::Initiator => id % 2 == 1,
            Self::Acceptor => id != 0 && id.is_multiple_of(2),
        }
    }
}

/// Hands out one end's ids: its parity, strictly increasing, never reused.
#[derive(Debug)]
pub(crate) struct IdAllocator {
    next: u64,
}

impl IdAllocator {
    pub(crate) fn new(role: Role) -> Self {
        Self {
            next: match role {
                Role::Initiator => 1,
                Role::Acceptor => 2,
            },
        }
    }

    /// The next id. 2⁶³ ids of one parity outlive any session.
    pub(crate) fn allocate<Id: From<u64>>(&mut self) -> Id {
        let id = self.next;
        self.next += 2;
        Id::from(id)
    }
}

/// Checks one peer's ids: its parity, strictly increasing.
#[derive(Debug)]
pub(crate) struct IdWatch {
    owner: Role,
    highest: u64,
}

/// What is wrong with an id that a peer opened something with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdFault {
    Parity,
    Reused,
}

impl IdWatch {
    pub(crate) fn new(owner: Role) -> Self {
        Self { owner, highest: 0 }
    }

    pub(crate) fn open(&mut self, id: u64) -> Result<(), IdFault> {
        if !self.owner.owns(id) {
            return Err(IdFault::Parity);
        }
        if id <= self.highest {
            return Err(IdFault::Reused);
        }
        self.highest = id;
        Ok(())
    }

    /// Whether `id` was opened at some time: below the highest, every id of the right parity counts as
    /// opened and closed, so nothing has to be remembered of what is gone.
    pub(crate) fn was_opened(&self, id: u64) -> bool {
        self.owner.owns(id) && id <= self.highest
    }
}

/// Which of the services that an end serves.
pub(crate) type ServiceIndex = u32;

impl MethodId {
    /// The id of this method of this service: FNV-1a of both names, joined by a dot.
    pub fn of(service: &str, method: &str) -> Self {
        let bytes = service.bytes().chain([b'.']).chain(method.bytes());
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_parity_of_their_owner_and_only_grow() {
        let mut ids = IdAllocator::new(Role::Acceptor);
        let mut watch = IdWatch::new(Role::Acceptor);
        for expected in [2, 4, 6] {
            let ConnectionId(id) = ids.allocate();
            assert_eq!(id, expected);
            assert_eq!(watch.open(id), Ok(()));
        }
        assert_eq!(watch.open(6), Err(IdFault::Reused));
        assert_eq!(watch.open(4), Err(IdFault::Reused));
        assert_eq!(watch.open(9), Err(IdFault::Parity));
        assert_eq!(watch.open(0), Err(IdFault::Parity));
        assert!(watch.was_opened(4));
        assert!(!watch.was_opened(8));
    }
}
