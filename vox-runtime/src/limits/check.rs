//! What each limit may be, and the error that says so. The table beside [`Limits`] has the same words.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Limits;

/// A limit that is set to what it cannot be. Names the limit, its value, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitError {
    /// Whose field the limit is.
    of: &'static str,
    limit: &'static str,
    value: String,
    may_be: String,
}

impl LimitError {
    /// The field of [`Limits`], or of [`StoreLimits`](crate::store::StoreLimits).
    pub fn limit(&self) -> &'static str {
        self.limit
    }

    /// The same, of another struct than [`Limits`].
    pub(crate) fn of(self, of: &'static str) -> Self {
        Self { of, ..self }
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}::{}` is {}; it may be {}", self.of, self.limit, self.value, self.may_be)
    }
}

impl std::error::Error for LimitError {}

/// Sessions, handshakes and detached handlers of one server.
const MANY: u64 = 1 << 24;
/// Calls, channels and long messages of one connection or session. With `CONNECTIONS` of them, each still has an index of four bytes.
const SOME: u64 = 1 << 20;
const CONNECTIONS: u64 = 1 << 10;
/// The most credit that the protocol grants.
const CREDIT: u64 = 1 << 31;
/// More memory than there is: what is over it is a mistake.
pub(crate) const BYTES: u64 = 1 << 40;
/// The smallest message that still has room for the frames of the session itself.
const LEAST_MESSAGE: u64 = 256;
/// The smallest handshake that has room for its limits and the name of a service.
const LEAST_HANDSHAKE: u64 = 256;
/// A handshake of this length is allocated before it is read.
const MOST_HANDSHAKE: u64 = 1 << 20;
/// Senders nest no deeper: see `Budget::DEPTH`.
const DEPTH: u64 = 128;
/// Room for a message of the default part's length.
const LEAST_MEMORY: u64 = 64 << 10;
/// Some pieces of what sessions take of it.
const LEAST_SERVER_MEMORY: u64 = 1 << 20;
const REPLAY: u64 = Limits::LEAST_REPLAY as u64;

pub(crate) const SHORTEST: Duration = Duration::from_millis(1);
/// A link that says nothing for longer keeps others out.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(3600);

impl Limits {
    /// Whether each limit is what the table says that it may be. `connect`, `bind`, `start` and `serve_link` ask this before they do
    /// anything; ask it where the limits are read, from a file perhaps.
    ///
    /// ```
    /// # extern crate vox_runtime as vox;
    /// use vox::Limits;
    ///
    /// let error = Limits { max_calls: 0, ..Limits::default() }.check().unwrap_err();
    /// assert_eq!(error.to_string(), "`Limits::max_calls` is 0; it may be 1 to 1,048,576");
    /// ```
    pub fn check(&self) -> Result<(), LimitError> {
        // All fields by name: one without a check is one that is not used here.
        let &Self {
            max_message_bytes,
            max_decoded_bytes,
            max_depth,
            handshake_timeout,
            max_handshake_bytes,
            max_pending_handshakes,
            max_peer_handshakes,
            max_sessions,
            max_peer_sessions,
            max_connections,
            max_calls,
            max_channels,
            channel_items,
            channel_bytes,
            max_channel_bytes,
            max_partial_messages,
            max_partial_bytes,
            outbox_bytes,
            outbox_long_bytes,
            write_stall,
            keepalive,
            idle_keepalive,
            keepalive_timeout,
            call_timeout,
            resume_window,
            link_wait,
            replay_bytes,
            session_memory,
            server_memory,
            max_detached_sessions,
            max_detached,
            max_server_detached,
            max_peer_detached,
        } = self;
        number("max_message_bytes", max_message_bytes, LEAST_MESSAGE..=Self::MESSAGE_CEILING as u64)?;
        number("max_decoded_bytes", max_decoded_bytes, 1..=BYTES)?;
        number("max_depth", max_depth, 1..=DEPTH)?;
        duration("handshake_timeout", handshake_timeout, SHORTEST..=LONGEST_HANDSHAKE)?;
        number("max_handshake_bytes", max_handshake_bytes, LEAST_HANDSHAKE..=MOST_HANDSHAKE)?;
        number("max_pending_handshakes", max_pending_handshakes, 1..=MANY)?;
        number("max_peer_handshakes", max_peer_handshakes, 1..=MANY)?;
        number("max_sessions", max_sessions, 1..=MANY)?;
        number("max_peer_sessions", max_peer_sessions, 1..=MANY)?;
        number("max_connections", max_connections, 1..=CONNECTIONS)?;
        number("max_calls", max_calls, 1..=SOME)?;
        // None: calls with channels are refused.
        number("max_channels", max_channels, 0..=SOME)?;
        number("channel_items", channel_items as usize, 1..=CREDIT)?;
        number("channel_bytes", channel_bytes as usize, 1..=CREDIT)?;
        number("max_channel_bytes", max_channel_bytes as usize, 1..=CREDIT)?;
        number("max_partial_messages", max_partial_messages, 1..=SOME)?;
        number("max_partial_bytes", max_partial_bytes, 0..=BYTES)?;
        number("outbox_bytes", outbox_bytes, 1..=BYTES)?;
        number("outbox_long_bytes", outbox_long_bytes, 1..=BYTES)?;
        duration("write_stall", write_stall, SHORTEST..=Duration::MAX)?;
        duration("keepalive", keepalive, SHORTEST..=Duration::MAX)?;
        duration("idle_keepalive", idle_keepalive, SHORTEST..=Duration::MAX)?;
        duration("keepalive_timeout", keepalive_timeout, SHORTEST..=Duration::MAX)?;
        duration("call_timeout", call_timeout, SHORTEST..=Duration::MAX)?;
        // None: a session ends with its link.
        duration("resume_window", resume_window, Duration::ZERO..=Duration::MAX)?;
        // None: such a call is not sent at once.
        duration("link_wait", link_wait, Duration::ZERO..=Duration::MAX)?;
        number("replay_bytes", replay_bytes, REPLAY..=BYTES)?;
        number("session_memory", session_memory, LEAST_MEMORY..=BYTES)?;
        number("server_memory", server_memory, LEAST_SERVER_MEMORY..=BYTES)?;
        // None: no session waits while its link is gone.
        number("max_detached_sessions", max_detached_sessions, 0..=MANY)?;
        number("max_detached", max_detached, 1..=MANY)?;
        number("max_server_detached", max_server_detached, 1..=MANY)?;
        number("max_peer_detached", max_peer_detached, 1..=MANY)
    }
}

/// Whether this number is within what the limit may be.
pub(crate) fn number(limit: &'static str, value: usize, may_be: RangeInclusive<u64>) -> Result<(), LimitError> {
    if may_be.contains(&(value as u64)) {
        return Ok(());
    }
    let may_be = format!("{} to {}", grouped(*may_be.start()), grouped(*may_be.end()));
    Err(LimitError { of: "Limits", limit, value: grouped(value as u64), may_be })
}

/// Whether this duration is within what the limit may be.
pub(crate) fn duration(
    limit: &'static str,
    value: Duration,
    may_be: RangeInclusive<Duration>,
) -> Result<(), LimitError> {
    if may_be.contains(&value) {
        return Ok(());
    }
    let may_be = match *may_be.end() {
        Duration::MAX => format!("{:?} or longer", may_be.start()),
        longest => format!("{:?} to {longest:?}", may_be.start()),
    };
    Err(LimitError { of: "Limits", limit, value: format!("{value:?}"), may_be })
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::codec::Budget;
    use crate::limits::HEAD_ROOM;
    use crate::proto::CREDIT_CEILING;

    const HOUR: Duration = Duration::from_secs(3600);
    const NEVER: Duration = Duration::MAX;
    const TICK: Duration = Duration::from_nanos(1);
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);
    const TIB: usize = 1 << 40;

    /// Checks what one field may be: `in_range`, and nothing of `out`.
    macro_rules! field {
        ($seen:ident, $name:ident: $may_be:literal, $ok:expr, $out:expr) => {{
            for $name in $ok {
                let limits = Limits { $name, ..Limits::default() };
                assert_eq!(limits.check(), Ok(()), "{} may be {:?}", stringify!($name), $name);
            }
            for $name in $out {
                let error = Limits { $name, ..Limits::default() }.check().expect_err(stringify!($name));
                assert_eq!(error.limit(), stringify!($name));
                let text = error.to_string();
                assert!(text.ends_with(concat!("; it may be ", $may_be)), "{text}");
                let shown = format!("{:?}", $name);
                assert!(
                    text.replace(',', "").starts_with(&format!("`Limits::{}` is {shown};", stringify!($name))),
                    "{text}"
                );
            }
            assert_eq!(may_be_in_table(stringify!($name)), $may_be, "{} in the table", stringify!($name));
            $seen.insert(stringify!($name).to_owned());
        }};
    }

    /// What the table beside [`Limits`] says that a limit may be.
    fn may_be_in_table(name: &str) -> String {
        let rows = include_str!("../limits.rs").lines().filter_map(|line| line.strip_prefix("/// | "));
        let mut rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
        let row = rows.find(|row| row[0].contains(&format!("`{name}`"))).unwrap_or_else(|| panic!("no row of {name}"));
        row[2].to_owned()
    }

    /// The fields, by the names that `Debug` prints.
    fn fields() -> BTreeSet<String> {
        let printed = format!("{:?}", Limits::default());
        let inside = printed.trim_start_matches("Limits { ").trim_end_matches(" }");
        inside.split(", ").map(|field| field.split(": ").next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn every_limit_is_refused_past_what_it_may_be_and_taken_within() {
        let mut seen = BTreeSet::new();
        let max = usize::MAX;
        field!(seen, max_message_bytes: "256 to 67,108,864", [256, 64 << 20], [0, 1, 255, (64 << 20) + 1, max]);
        field!(seen, max_decoded_bytes: "1 to 1,099,511,627,776", [1, TIB], [0, TIB + 1, max]);
        field!(seen, max_depth: "1 to 128", [1, 128], [0, 129, max]);
        field!(seen, handshake_timeout: "1ms to 3600s", [HOUR], [Duration::ZERO, TICK, HOUR + TICK, CENTURY, NEVER]);
        field!(seen, max_handshake_bytes: "256 to 1,048,576", [256, 1 << 20], [0, 255, (1 << 20) + 1, max]);
        field!(seen, max_pending_handshakes: "1 to 16,777,216", [1, 1 << 24], [0, (1 << 24) + 1, max]);
        field!(seen, max_peer_handshakes: "1 to 16,777,216", [1, 1 << 24], [0, (1 << 24) + 1, max]);
        field!(seen, max_sessions: "1 to 16,777,216", [1, 1 << 24], [0, (1 << 24) + 1, max]);
        field!(seen, max_peer_sessions: "1 to 16,777,216", [1, 1 << 24], [0, (1 << 24) + 1, max]);
        field!(seen, max_connections: "1 to 1,024", [1, 1024], [0, 1025, max]);
        field!(seen, max_calls: "1 to 1,048,576", [1, 1 << 20], [0, (1 << 20) + 1, max]);
        field!(seen, max_channels: "0 to 1,048,576", [0, 1 << 20], [(1 << 20) + 1, max]);
        field!(seen, channel_items: "1 to 2,147,483,648", [1, 1 << 31], [0, (1 << 31) + 1, u32::MAX]);
        field!(seen, channel_bytes: "1 to 2,147,483,648", [1, 1 << 31], [0, (1 << 31) + 1, u32::MAX]);
        field!(seen, max_channel_bytes: "1 to 2,147,483,648", [1, 1 << 31], [0, (1 << 31) + 1, u32::MAX]);
        field!(seen, max_partial_messages: "1 to 1,048,576", [1, 1 << 20], [0, (1 << 20) + 1, max]);
        field!(seen, max_partial_bytes: "0 to 1,099,511,627,776", [0, TIB], [TIB + 1, max]);
        field!(seen, outbox_bytes: "1 to 1,099,511,627,776", [1, TIB], [0, TIB + 1, max]);
        field!(seen, outbox_long_bytes: "1 to 1,099,511,627,776", [1, TIB], [0, TIB + 1, max]);
        field!(seen, write_stall: "1ms or longer", [SHORTEST, CENTURY, NEVER], [Duration::ZERO, TICK]);
        field!(seen, keepalive: "1ms or longer", [SHORTEST, CENTURY, NEVER], [Duration::ZERO, TICK]);
        field!(seen, idle_keepalive: "1ms or longer", [SHORTEST, CENTURY, NEVER], [Duration::ZERO, TICK]);
        field!(seen, keepalive_timeout: "1ms or longer", [SHORTEST, CENTURY, NEVER], [Duration::ZERO, TICK]);
        field!(seen, call_timeout: "1ms or longer", [SHORTEST, CENTURY, NEVER], [Duration::ZERO, TICK]);
        field!(seen, resume_window: "any", [Duration::ZERO, CENTURY, NEVER], [Duration::ZERO; 0]);
        field!(seen, link_wait: "any", [Duration::ZERO, CENTURY, NEVER], [Duration::ZERO; 0]);
        field!(seen, replay_bytes: "2,097,152 to 1,099,511,627,776", [2 << 20, TIB], [0, 64 << 10, (2 << 20) - 1, max]);
        field!(seen, session_memory: "65,536 to 1,099,511,627,776", [64 << 10, TIB], [0, (64 << 10) - 1, TIB + 1, max]);
        field!(seen, server_memory: "1,048,576 to 1,099,511,627,776", [1 << 20, TIB], [0, (1 << 20) - 1, TIB + 1, max]);
        field!(seen, max_detached_sessions: "0 to 16,777,216", [0, 1 << 24], [(1 << 24) + 1, max]);
        field!(seen, max_detached: "1 to 16,777,216", [1, 1 << 24], [0, (1 << 24) + 1, max]);
        field!(seen, max_server_detached: "1 to 16,777,216", [1, 1 << 24], [0, (1 << 24) + 1, max]);
        field!(seen, max_peer_detached: "1 to 16,777,216", [1, 1 << 24], [0, (1 << 24) + 1, max]);
        assert_eq!(seen, fields(), "a limit without a check, or a check without a limit");
        assert_eq!(Limits::default().check(), Ok(()));
    }

    /// The bounds that other rooms have reasons for.
    #[test]
    fn the_bounds_are_those_of_the_rooms_that_keep_them() {
        assert_eq!(DEPTH, u64::from(Budget::DEPTH));
        assert_eq!(CREDIT, CREDIT_CEILING as u64);
        assert!(LEAST_MESSAGE > HEAD_ROOM as u64);
        assert!(u32::try_from(SOME * CONNECTIONS).is_ok());
    }
}
