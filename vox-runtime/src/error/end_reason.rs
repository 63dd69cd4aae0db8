//! How a session ended.

use std::fmt;
use std::sync::Arc;

use super::ProtocolViolation;
use crate::escaped::Escaped;

/// How a session ended.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndReason {
    /// This end closed it.
    ClosedHere,
    /// The peer said goodbye; says why.
    Goodbye(Arc<str>),
    /// The link was lost; says how.
    LinkLost(Arc<str>),
    /// The link was lost and the session could not be resumed; says why.
    Lost(Arc<str>),
    /// The peer did not answer a probe in time.
    KeepaliveTimeout,
    /// The peer did not read for too long.
    WriteStalled,
    /// The peer broke the protocol.
    PeerViolation(Arc<ProtocolViolation>),
    /// The peer says that this end broke the protocol.
    AccusedByPeer(Arc<ProtocolViolation>),
    /// vox itself panicked at this end, in this session. That is a bug of vox: please report it, with the panic's message. Other sessions go
    /// on.
    InternalFault,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedHere => f.write_str("closed by this end"),
            Self::Goodbye(why) => write!(f, "closed by the peer: {}", Escaped::new(why)),
            Self::LinkLost(how) => write!(f, "the link was lost: {}", Escaped::new(how)),
            Self::Lost(why) => write!(f, "the session was lost: {}", Escaped::new(why)),
            Self::KeepaliveTimeout => f.write_str("the peer did not answer in time (`Limits::keepalive_timeout`)"),
            Self::WriteStalled => f.write_str("the peer stopped reading (`Limits::write_stall`)"),
            Self::PeerViolation(violation) => write!(f, "the peer broke the protocol: {violation}"),
            Self::AccusedByPeer(violation) => {
                write!(f, "the peer says this end broke the protocol: {violation}")
            }
            Self::InternalFault => f.write_str(
                "an internal fault of vox at this end; please report it, with the message of the panic that was printed",
            ),
        }
    }
}

impl fmt::Debug for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, what): (_, &dyn fmt::Debug) = match self {
            Self::ClosedHere => return f.write_str("ClosedHere"),
            Self::KeepaliveTimeout => return f.write_str("KeepaliveTimeout"),
            Self::WriteStalled => return f.write_str("WriteStalled"),
            Self::InternalFault => return f.write_str("InternalFault"),
            Self::Goodbye(why) => ("Goodbye", &Escaped::new(why)),
            Self::LinkLost(how) => ("LinkLost", &Escaped::new(how)),
            Self::Lost(why) => ("Lost", &Escaped::new(why)),
            Self::PeerViolation(violation) => ("PeerViolation", violation),
            Self::AccusedByPeer(violation) => ("AccusedByPeer", violation),
        };
        f.debug_tuple(name).field(what).finish()
    }
}

impl std::error::Error for EndReason {}
