//! What is compared, and what it is asked to do.

use std::future::Future;
use std::pin::Pin;

use crate::far::{Far, Figures, NotOffered};

/// Whatever went wrong; a benchmark only prints it.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// One future per batch of work, so boxing it weighs nothing.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// One way to make calls between two peers.
///
/// Everything here is called within a tokio runtime of the contender's own: of one thread, or of two workers.
pub trait Contender: Send + Sync {
    /// What it is called in tables.
    fn name(&self) -> &'static str;

    /// Whether it can do this at all.
    fn takes_part(&self, setting: Setting) -> bool {
        let _ = setting;
        true
    }

    /// How many calls its defaults let wait for their answers on one connection.
    fn calls_per_connection(&self) -> usize {
        usize::MAX
    }

    /// What its bytes travel in.
    fn carrier(&self) -> Carrier {
        Carrier::Tcp
    }

    /// Listens, serves for as long as the runtime runs, and says where: all that [`connect`](Self::connect) must know.
    fn serve(&self, setting: Setting) -> Pending<'static, String>;

    /// Connects for work of this kind.
    fn connect(&self, address: String, setting: Setting) -> Pending<'static, Box<dyn Client>>;

    /// Serves and connects inside the process, by whatever it offers for that.
    fn in_memory(&self, setting: Setting) -> Pending<'static, Box<dyn Client>>;
}

/// A connected client.
pub trait Client: Send {
    /// Does the work once, and checks what comes back. Where the times of single calls are wanted, they are added to `times`.
    fn run<'a>(&'a mut self, work: Work, times: Option<&'a mut Times>) -> Pending<'a, ()>;

    /// Does what is asked over a network.
    fn far(&mut self, far: Far) -> Pending<'_, Figures> {
        let _ = far;
        Box::pin(async { Err(NotOffered.into()) })
    }
}

/// What bytes travel in over a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// How long single calls took, in nanoseconds.
pub type Times = Vec<u32>;

/// What a contender is set up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// What the calls go over.
    pub link: Link,
    /// What they are.
    pub work: Work,
    /// Whether the outcomes are kept; only some contenders know such calls.
    pub kept: bool,
}

impl Setting {
    /// What one message must have room for. Where a contender's default is less, it is raised, as its user would have to.
    pub fn largest_message(self) -> usize {
        match self.work {
            Work::Blob { bytes, .. } => bytes + (64 << 10),
            _ => 1 << 20,
        }
    }
}

/// What a link runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// TCP over the loopback; a contender over QUIC has its UDP here.
    Tcp,
    /// A Unix socket.
    Unix,
    /// Something inside the process.
    Memory,
}

/// What one item of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A `u64`.
    Number,
    /// A [`Hundred`](crate::calls::Hundred).
    Struct,
}

/// One batch of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Echoes of a `u64`, so many of them in flight.
    Echo {
        /// How many.
        calls: u64,
        /// How many at once.
        in_flight: u64,
    },
    /// Echoes of that many bytes, one in flight.
    Blob {
        /// How many.
        calls: u64,
        /// Of how many bytes.
        bytes: usize,
    },
    /// Echoes of a list of records, one in flight.
    Records {
        /// How many.
        calls: u64,
        /// Of how many records.
        records: u64,
    },
    /// A stream from the server.
    Stream {
        /// Of how many items.
        items: u64,
        /// Of which kind.
        item: Item,
    },
    /// Calls that are never answered, so many of them; done when all have reached the server.
    Hold {
        /// How many.
        calls: u64,
    },
}

impl Work {
    /// How many operations a batch is.
    pub fn operations(self) -> u64 {
        match self {
            Self::Echo { calls, .. }
            | Self::Blob { calls, .. }
            | Self::Records { calls, .. }
            | Self::Hold { calls } => calls,
            Self::Stream { items, .. } => items,
        }
    }

    /// A batch of the same kind with that many operations, or a few more where fewer would be none.
    pub fn of(self, operations: u64) -> Self {
        let calls = operations.max(1);
        match self {
            Self::Echo { in_flight, .. } => Self::Echo { calls: calls.max(in_flight), in_flight },
            Self::Blob { bytes, .. } => Self::Blob { calls, bytes },
            Self::Records { records, .. } => Self::Records { calls, records },
            Self::Stream { item, .. } => Self::Stream { items: calls, item },
            Self::Hold { .. } => Self::Hold { calls },
        }
    }
}

/// Fails where an answer is not what it has to be.
pub fn expect<T: PartialEq + std::fmt::Debug>(found: T, wanted: T) -> Result<(), Fault> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("an answer of {found:?} where {wanted:?} was due").into()),
    }
}
