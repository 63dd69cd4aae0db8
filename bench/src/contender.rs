//! What is compared, and what it is asked to do.

use std::future::Future;
use std::pin::Pin;

use crate::scenario::Scenario;

/// Whatever went wrong; a benchmark only prints it.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// One future per batch of work, so boxing it weighs nothing.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + 'a>>;

/// One way to make calls between two peers.
pub(crate) trait Contender {
    /// What it is called in tables.
    fn name(&self) -> &'static str;

    /// Whether it is measured in this scenario.
    fn takes_part(&self, _scenario: &Scenario) -> bool {
        true
    }

    /// Listens, serves for as long as the runtime runs, and says where.
    fn serve(&self, link: Link) -> Pending<'static, String>;

    /// Connects for work of this kind.
    fn connect(&self, address: String, work: Work) -> Pending<'static, Box<dyn Client>>;

    /// Serves and connects over a link inside the process.
    fn in_memory(&self, work: Work) -> Pending<'static, Box<dyn Client>>;
}

/// A connected client.
pub(crate) trait Client {
    /// Does the work once, and checks what comes back.
    fn run(&mut self, work: Work) -> Pending<'_, ()>;
}

/// What a link runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Tcp,
    Unix,
    Memory,
}

/// One batch of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Echoes of a `u64`, so many of them in flight.
    Echo { calls: u64, in_flight: u64 },
    /// Echoes of that many bytes, one in flight.
    Blob { calls: u64, bytes: usize },
    /// A stream of `u64` from the server.
    Stream { items: u64 },
}

impl Work {
    /// How many operations a batch is.
    pub(crate) fn operations(self) -> u64 {
        match self {
            Self::Echo { calls, .. } | Self::Blob { calls, .. } => calls,
            Self::Stream { items } => items,
        }
    }

    /// A batch of the same kind with a fraction of the operations.
    pub(crate) fn shorter(self, by: u64) -> Self {
        match self {
            Self::Echo { calls, in_flight } => Self::Echo { calls: (calls / by).max(in_flight), in_flight },
            Self::Blob { calls, bytes } => Self::Blob { calls: (calls / by).max(1), bytes },
            Self::Stream { items } => Self::Stream { items: (items / by).max(1) },
        }
    }
}

/// Fails where an answer is not what it has to be.
pub(crate) fn expect<T: PartialEq + std::fmt::Debug>(found: T, wanted: T) -> Result<(), Fault> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("an answer of {found:?} where {wanted:?} was due").into()),
    }
}
