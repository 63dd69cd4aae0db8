//! What a server said to an attack, taken from the wire.

use std::fmt;
use std::time::Duration;

use crate::raw::{self, PONG, REFUSE, REJECTED, REPLY, Raw, VIOLATION};

/// How an attack ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The session goes on, and every call was answered well.
    Fine,
    /// The session goes on. A call was answered with this error, by its number in the protocol.
    Failed(u8),
    /// The session goes on. A connection was refused, with this code.
    Refused(u8),
    /// The session has ended with this violation.
    Violation(u8),
    /// There is no session: it was refused with this code.
    Rejected(u8),
    /// The link was closed, and nothing was said.
    Closed,
    /// The server took no more than it has room for, and the session goes on.
    Waits,
    /// The victim is a client that did not make its call, and says why.
    NotSent,
    /// As above: what it was told of the method could not be read.
    Unreadable,
    /// What must not be: something of another's, or of what was to be escaped.
    Wrong,
    /// No answer came in time.
    Silent,
}

const VIOLATIONS: [&str; 18] = [
    "malformed-frame",
    "frame-too-large",
    "wrong-parity",
    "id-reused",
    "too-many-calls",
    "too-many-connections",
    "too-many-channels",
    "credit-overrun",
    "credit-overflow",
    "unknown-connection",
    "unknown-channel",
    "unknown-request",
    "wrong-direction",
    "metadata-too-large",
    "flood",
    "false-ack",
    "wrong-part",
    "too-many-parts",
];

const ERRORS: [&str; 12] = [
    "User",
    "UnknownMethod",
    "InvalidPayload",
    "Busy",
    "Cancelled",
    "DeadlineExceeded",
    "Panicked",
    "Indeterminate",
    "InvalidResponse",
    "OperationConflict",
    "OperationExpired",
    "StoreUnavailable",
];

const REFUSALS: [&str; 5] = ["UnknownService", "Busy", "ShuttingDown", "Unauthorized", "SessionLost"];

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |names: &[&'static str], code: usize| names.get(code).copied().unwrap_or("another code");
        match *self {
            Self::Fine => f.pad("goes on"),
            Self::Failed(error) => f.pad(name(&ERRORS, usize::from(error))),
            Self::Violation(rule) => f.pad(name(&VIOLATIONS, usize::from(rule).wrapping_sub(1))),
            Self::Refused(code) => f.pad(&format!("Refuse {}", name(&REFUSALS, usize::from(code).wrapping_sub(1)))),
            Self::Rejected(code) => f.pad(&format!("Rejected {}", name(&REFUSALS, usize::from(code).wrapping_sub(1)))),
            Self::Closed => f.pad("closed"),
            Self::Waits => f.pad("waits"),
            Self::NotSent => f.pad("NotSent"),
            Self::Unreadable => f.pad("NotSent, unreadable"),
            Self::Wrong => f.pad("WRONG"),
            Self::Silent => f.pad("NO ANSWER"),
        }
    }
}

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(20);

/// The ping behind an attack: its pong says that the attack was read to its end.
const NONCE: u64 = 0x5eed;

pub(crate) fn ping() -> Vec<u8> {
    raw::frame(raw::PING).var(NONCE).wire()
}

/// Reads until the ping behind the attack is answered and so many calls are, or the session ends.
pub(crate) async fn hear(raw: &mut Raw, replies: usize) -> Answer {
    let (mut pong, mut answered, mut answer, mut last) = (false, 0, Answer::Fine, 0);
    while !pong || answered < replies {
        let read = match tokio::time::timeout(PATIENCE, raw.read()).await {
            Err(_) => return Answer::Silent,
            Ok(None) => return Answer::Closed,
            Ok(Some(read)) => read,
        };
        let mut fields = read.reader();
        match read.kind {
            VIOLATION => return Answer::Violation(fields.u8()),
            REJECTED => return Answer::Rejected(read.body[4]),
            PONG if fields.var() == NONCE => pong = true,
            REFUSE => {
                fields.var();
                answer = Answer::Refused(fields.u8());
            }
            REPLY => {
                answered += 1;
                fields.var();
                let request = fields.var();
                // The last call counts, in whatever order they are answered: an attack ends with its worst.
                if request > last {
                    last = request;
                    answer = if fields.u8() == 1 { Answer::Failed(fields.u8()) } else { Answer::Fine };
                }
            }
            _ => {}
        }
    }
    answer
}
