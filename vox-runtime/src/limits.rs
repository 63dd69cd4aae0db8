//! Every bound of a session, by name, in one place.

pub(crate) mod check;
mod message_room;
mod refusals;
mod shared_memory;

use std::time::Duration;

pub use check::LimitError;
pub(crate) use message_room::{Fits, HEAD_ROOM};
pub use refusals::Refusals;
pub(crate) use refusals::Refused;
pub(crate) use shared_memory::Purse;

/// What a session allows. Announced limits are told to the peer in the handshake and the peer must obey
/// them; the rest are kept by this end alone.
///
/// | limit | default | may be | announced | past it |
/// |---|---|---|---|---|
/// | `max_message_bytes` | 4 MiB | 256 to 67,108,864 | yes | the peer's message is a violation; a call's own is refused before it is sent |
/// | `max_decoded_bytes` | 64 MiB | 1 to 1,099,511,627,776 | yes | a call, an item and a response are refused before they are sent; a peer that sends them gets `InvalidPayload`, a receiver `BadItem` |
/// | `max_depth` | 128 | 1 to 128 | no | the call gets `InvalidPayload`, the receiver `BadItem` |
/// | `handshake_timeout` | 10 s | 1ms to 3600s | no | the link is closed |
/// | `max_handshake_bytes` | 16 KiB | 256 to 1,048,576 | no | the link is closed |
/// | `max_pending_handshakes` | 1,024 | 1 to 16,777,216 | no | so many are listened to, and so many beside them that want a new session are served; as many of these wait, and others are refused as `Busy`. Where so many are listened to, further links wait, in the listener's backlog or in `Server::accept`: of the address that has the most, the one that was silent for longest, and for 100 ms, is closed for another |
/// | `max_peer_handshakes` | 512 | 1 to 16,777,216 | no | further links of that address that want a new session are refused: who a peer is, is not known yet. Nor may one address have more than there are places left, and it always has one |
/// | `max_sessions` | 10,000 | 1 to 16,777,216 | no | further sessions are refused; one counts from before its welcome |
/// | `max_peer_sessions` | 5,000 | 1 to 16,777,216 | no | further sessions of that peer are refused |
/// | `max_connections` | 16 | 1 to 1,024 | yes | a violation; `open` refuses before it is sent |
/// | `max_calls` | 128 | 1 to 1,048,576 | yes | a violation; callers wait |
/// | `max_channels` | 256 | 0 to 1,048,576 | yes | a violation; calls with channels wait |
/// | `channel_items` | 4,096 | 1 to 2,147,483,648 | yes | a violation; senders wait |
/// | `channel_bytes` | 64 KiB | 1 to 2,147,483,648 | yes | a violation; senders wait. One item may overdraw it, so any message fits |
/// | `max_channel_bytes` | 4 MiB | 1 to 2,147,483,648 | no | the window of a channel grows no further. Less than `channel_bytes` counts as that |
/// | `max_partial_messages` | 32 | 1 to 1,048,576 | yes | a violation; further long messages wait for their turn |
/// | `max_partial_bytes` | 20 MiB | 0 to 1,099,511,627,776 | yes | as above. Less than `max_message_bytes` counts as that |
/// | `outbox_bytes` | 400 KiB | 1 to 1,099,511,627,776 | no | new calls and items wait; reading goes on |
/// | `outbox_long_bytes` | 20 MiB | 1 to 1,099,511,627,776 | no | long items wait, and no further handlers are started |
/// | `write_stall` | 30 s | 1ms or longer | no | the link counts as lost |
/// | `idle_keepalive` | 1800 s | 1ms or longer | no | a silent peer is probed though nothing is under way, as below |
/// | `keepalive` / `keepalive_timeout` | 30 s / 20 s | 1ms or longer | no | the link counts as lost |
/// | `call_timeout` | 30 s | 1ms or longer | no | the deadline of a call that has no channels and sets none. It counts anew with each part of a long message |
/// | `resume_window` | 120 s | any | no | a session whose link is not replaced by then is lost |
/// | `link_wait` | 600 s | any | no | a call without a deadline whose session is lost, and that finds no other by then, is not sent |
/// | `replay_bytes` | 16 MiB | 2,097,152 to 1,099,511,627,776 | no | new calls and items wait until the peer acknowledges more, and no further handlers are started. The replies of those that run are kept beyond it, up to `session_memory` |
/// | `session_memory` | 48 MiB | 65,536 to 1,099,511,627,776 | no | first the peer is read no further for a while: see the field. Then new calls get `Busy`, unless they are alone; channels end with `SendError::Full` and `RecvError::Full` when items come on them; long replies, made here or not taken here, become `InvalidResponse` |
/// | `server_memory` | 1 GiB | 1,048,576 to 1,099,511,627,776 | no | as for `session_memory`, in whatever session would keep more than 64 KiB |
/// | `max_detached_sessions` | 1,024 | 0 to 16,777,216 | no | the peer that has most of them loses one: first one over which nothing ever came, then the one that has waited longest |
/// | `max_detached` | 1,024 | 1 to 16,777,216 | no | `persist` calls beyond it get `Busy` |
/// | `max_server_detached` | 16,384 | 1 to 16,777,216 | no | `persist` calls beyond it get `Busy`, in whatever session, unless their operation runs already or is over |
/// | `max_peer_detached` | 4,096 | 1 to 16,777,216 | no | as above, for that peer alone |
///
/// A *peer* is a principal, where the server asks who its peers are. Where it does not, a peer is all that comes from one IP address (of IPv6: from one network of 64 bits),
/// or from one user of this host by Unix sockets; in a handshake it is that always, because nobody has said yet who he is. Other links, those in memory for instance, are nobody's and are not counted so. Many clients that come
/// from one address, through a proxy perhaps, count as one: raise the limits of a peer to those of the server, have the server ask who they are
/// ([`authenticate`](crate::ServerBuilder::authenticate)), or say of each link whose it is ([`Link::of_peer`](crate::transport::Link::of_peer)).
///
/// `connect`, `bind`, `start` and `serve_link` refuse a limit that is not what it may be: see [`check`](Self::check). No value stands for
/// "without bound", and no limit contradicts another. A duration of centuries, such as `Duration::MAX`, means "never". Bytes are
/// bounded by a TiB, and `max_depth` by 128 because nobody sends what is nested deeper.
///
/// Metadata has limits of its own, which the protocol fixes: see [`Metadata`](crate::Metadata).
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "users write it with ..Default::default()")]
pub struct Limits {
    /// The longest message, in bytes, that this end accepts.
    pub max_message_bytes: usize,
    /// The most memory, in bytes, that one message may decode to.
    pub max_decoded_bytes: usize,
    /// How deep values may nest. Each box, owner, collection, option, result and variant with members is a level.
    pub max_depth: usize,
    /// How long all phases of the handshake may take together.
    pub handshake_timeout: Duration,
    /// The longest handshake message, in bytes.
    pub max_handshake_bytes: usize,
    /// How many links may be in their handshake at once, per server.
    pub max_pending_handshakes: usize,
    /// How many of those that want a new session may be of one address.
    pub max_peer_handshakes: usize,
    /// How many sessions one server holds.
    pub max_sessions: usize,
    /// How many of them one peer may have: one principal or, where nobody is asked who he is, one address.
    pub max_peer_sessions: usize,
    /// How many connections the peer may have open. One that waits for an answer counts as open.
    pub max_connections: usize,
    /// How many calls the peer may have in flight on one connection.
    pub max_calls: usize,
    /// How many channels the peer may have open on one connection.
    pub max_channels: usize,
    /// The items that a channel's sender may have sent beyond what was consumed, at first. They grow as the bytes do.
    pub channel_items: u32,
    /// The bytes that a channel's sender may have sent beyond what was consumed, at first: the channel's window.
    pub channel_bytes: u32,
    /// The bytes to which that window may grow. It grows to what the link holds and a quarter more, while its reader keeps up. All that
    /// the windows of a session have grown by takes at most half of `session_memory`, less what is kept; where memory is short they shrink.
    pub max_channel_bytes: u32,
    /// How many long messages, each of which comes in parts, the peer may have begun and not ended at once.
    pub max_partial_messages: usize,
    /// How many bytes all long messages that the peer has begun and not ended may have, taken together.
    pub max_partial_bytes: usize,
    /// The bytes waiting to be written above which new calls and items wait. Long messages, which go between others, do
    /// not count.
    pub outbox_bytes: usize,
    /// The bytes of long messages waiting to be written above which further long items wait and no handlers are started.
    pub outbox_long_bytes: usize,
    /// How long a write may make no progress.
    pub write_stall: Duration,
    /// How long the link may be silent, while calls or channels are live, before it is probed.
    pub keepalive: Duration,
    /// How long the link may be silent while nothing is under way, before it is probed: a peer that is gone without
    /// a word must not keep its session for ever.
    pub idle_keepalive: Duration,
    /// How long the answer to a probe may take.
    pub keepalive_timeout: Duration,
    /// The deadline of a call that sets none and has no channels. While parts of its arguments leave, or parts of its
    /// result arrive, it is moved on: it bounds the time in which nothing moves.
    pub call_timeout: Duration,
    /// How long a session waits for a new link after it lost one.
    pub resume_window: Duration,
    /// How long a call that has no deadline waits for the next session, once its own is lost.
    pub link_wait: Duration,
    /// The bytes that are kept, though they were written, because the peer has not acknowledged them yet.
    ///
    /// A handler that runs already may end, and its reply is kept as well, as far as [`session_memory`](Self::session_memory) lets.
    pub replay_bytes: usize,
    /// The bytes that are kept because of the peer of one session above which its new calls are refused: its messages that are not whole,
    /// its requests until their handlers have ended, its items until they are received, its replies of over 1 KiB until the calls are polled, and what was
    /// sent to it that it has not read or not acknowledged; what is kept of its versions of services that differ from this end's; and read buffers that one of these messages keeps, though no more is read into them. Past it, channels end on which items come, and long replies are not kept: see the table. From three quarters of it on, who
    /// sends items is let go on only once all that came before was received. See [`Session::memory`](crate::Session::memory).
    ///
    /// Where the next message might not fit, the peer is read no further until handlers have ended, items were received or replies were taken, for a second without
    /// any of these and for 5 s at most. So a client whose calls bring more than this in all is not refused where its handlers end in time. Where replies wait that take
    /// half of this, handlers that are under way wait for them to be read, for a second in which none is.
    pub session_memory: usize,
    /// The bytes that all sessions of a server may keep together because of their peers, without the first 64 KiB of each: so idle sessions and small
    /// calls always have room. What is kept of one version of a service counts once for all sessions whose peers have that. It is the server's alone. [`Server::memory_taken`](crate::Server::memory_taken) says how much is taken.
    ///
    /// The default is 21 times `session_memory`. Set it to a quarter of the machine's memory where that is less.
    pub server_memory: usize,
    /// How many sessions of one server may wait for a new link at once.
    pub max_detached_sessions: usize,
    /// How many `persist` handlers may run on after their callers went away, per session.
    pub max_detached: usize,
    /// How many of them may run on in one server, those included whose sessions have ended.
    pub max_server_detached: usize,
    /// How many of them may run on for one peer: one principal or, where nobody is asked who he is, one address.
    pub max_peer_detached: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_decoded_bytes: 64 << 20,
            max_depth: 128,
            handshake_timeout: Duration::from_secs(10),
            max_handshake_bytes: 16 << 10,
            max_pending_handshakes: 1024,
            max_peer_handshakes: 512,
            max_sessions: 10_000,
            max_peer_sessions: 5_000,
            max_connections: 16,
            max_calls: 128,
            max_channels: 256,
            channel_items: 4096,
            channel_bytes: 64 << 10,
            max_channel_bytes: 4 << 20,
            max_partial_messages: 32,
            max_partial_bytes: 20 << 20,
            outbox_bytes: 400 << 10,
            outbox_long_bytes: 20 << 20,
            write_stall: Duration::from_secs(30),
            keepalive: Duration::from_secs(30),
            idle_keepalive: Duration::from_secs(1800),
            keepalive_timeout: Duration::from_secs(20),
            call_timeout: Duration::from_secs(30),
            resume_window: Duration::from_secs(120),
            link_wait: Duration::from_secs(600),
            replay_bytes: 16 << 20,
            session_memory: 48 << 20,
            server_memory: 1 << 30,
            max_detached_sessions: 1024,
            max_detached: 1024,
            max_server_detached: 16_384,
            max_peer_detached: 4_096,
        }
    }
}

impl Limits {
    /// The largest `max_message_bytes` there can be: what a length of four bytes should ever say.
    pub const MESSAGE_CEILING: usize = 64 << 20;

    /// The smallest `replay_bytes` there can be: more than a peer leaves unacknowledged.
    pub(crate) const LEAST_REPLAY: usize = 2 << 20;

    /// Those that bind a client, by their names.
    pub(crate) fn binding(&self) -> [(&'static str, u64); 9] {
        let announced = self.announced();
        [
            ("max_message_bytes", announced.max_message_bytes),
            ("max_decoded_bytes", announced.max_decoded_bytes),
            ("max_depth", self.max_depth as u64),
            ("max_connections", announced.max_connections),
            ("max_calls", announced.max_calls),
            ("max_channels", announced.max_channels),
            ("channel_items", announced.channel_items),
            ("channel_bytes", announced.channel_bytes),
            ("max_partial_messages", announced.max_partial_messages),
        ]
    }

    /// What of these limits the peer is told.
    pub(crate) fn announced(&self) -> AnnouncedLimits {
        AnnouncedLimits {
            max_message_bytes: self.max_message_bytes.min(Self::MESSAGE_CEILING) as u64,
            max_connections: self.max_connections as u64,
            max_calls: self.max_calls as u64,
            max_channels: self.max_channels as u64,
            channel_items: u64::from(self.channel_items.max(1)),
            channel_bytes: u64::from(self.channel_bytes.max(1)),
            max_decoded_bytes: self.max_decoded_bytes as u64,
            max_partial_messages: self.max_partial_messages.max(1) as u64,
            max_partial_bytes: self.max_partial_bytes.max(self.max_message_bytes.min(Self::MESSAGE_CEILING)) as u64,
        }
    }
}

/// The limits that one peer announced to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnnouncedLimits {
    /// See [`Limits::max_message_bytes`].
    pub(crate) max_message_bytes: u64,
    /// See [`Limits::max_connections`].
    pub(crate) max_connections: u64,
    /// See [`Limits::max_calls`].
    pub(crate) max_calls: u64,
    /// See [`Limits::max_channels`].
    pub(crate) max_channels: u64,
    /// See [`Limits::channel_items`].
    pub(crate) channel_items: u64,
    /// See [`Limits::channel_bytes`].
    pub(crate) channel_bytes: u64,
    /// See [`Limits::max_decoded_bytes`].
    pub(crate) max_decoded_bytes: u64,
    /// See [`Limits::max_partial_messages`].
    pub(crate) max_partial_messages: u64,
    /// See [`Limits::max_partial_bytes`].
    pub(crate) max_partial_bytes: u64,
}
