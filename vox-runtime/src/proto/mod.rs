//! The protocol, as a value.
//!
//! A [`Session`] takes facts (a frame arrived, the user calls, a handler ended, time passed, the link is gone)
//! and gives out facts (dispatch this, abort that, this call has its outcome, these bytes may be written). It
//! knows no socket, task, clock or random number: `now` is an argument, and every map in it is ordered, so a
//! run is repeated by repeating its inputs.
//!
//! The contract: after every input drain [`Session::poll_output`], write what [`Session::take`] gives, drain again once that is written, and
//! call [`Session::handle_timeout`] no later than [`Session::poll_timeout`] says. A session's driver keeps its own state
//! under [`Token`]s of its choosing; the session only hands them back.
//!
//! A session that may be [resumed](Session::resumes) outlives its links. It numbers the bytes of whole frames each way, keeps what the
//! peer has not acknowledged, and when a link is lost it waits: calls, channels and deadlines go on. With the next link
//! each end says how much it has received and the other writes the rest. Nothing is lost, doubled or reordered, and where that cannot
//! be proven the session is lost.
//!
//! A [long](crate::wire::WHOLE) message leaves in parts, which take turns, behind whatever is short: [`Session::take_parts`]. Those of the
//! peer are put together here, in memory that [`Session::lend`] lends to the reader. A call whose last part has not left has not
//! run, and is forgotten where nobody wants it any more.
//!
//! What was taken out of the outbox counts as read by the peer, whether or not its write is reported yet; what is not
//! taken, as not. So when a link is lost, or the peer ends the session, the rest of the outbox is dropped; after this end's
//! own goodbye, or an accusation of the peer, all of it is to be written, for those frames come last. An offered
//! connection is answered whenever its user has decided, in any order; until then it counts among the peer's.

mod agreed;
mod calling;
mod channels;
mod memory_ledger;
mod operation_decisions;
mod outbox;
mod pause;
mod peer_clock;
mod reassembly;
mod receive_window;
mod replay_buffer;
mod retry_policy;
mod secrets;
mod send_credit;
mod serving;
mod session;
mod spent;
mod table;
mod waiting_requests;
mod window_size;

#[cfg(test)]
mod simulator;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod visits;

pub(crate) use calling::{CallEnd, NewCall, Patience, Recalled};
pub(crate) use channels::{ChannelEnd, Run, RunRoom, Sent};
pub(crate) use memory_ledger::{REPLY as LONG_REPLY, SHORT};
pub(crate) use operation_decisions::{Answer, Attempt, OperationEnd, Operations, Round, Step, StoreFailed};
pub(crate) use outbox::{Batch, Outbox};
#[allow(unused_imports, reason = "sessions are not replaced yet")]
pub(crate) use peer_clock::PeerClock;
pub(crate) use reassembly::{Memory, PartMemory};
pub(crate) use retry_policy::{Attempts, Verdict};
pub(crate) use secrets::{Round as ClaimRound, Secrets};
#[cfg(test)]
pub(crate) use send_credit::CREDIT_CEILING;
pub(crate) use serving::{HandlerEnd, Request};
pub(crate) use session::{Discontinuity, Gate, NoTerms, Obstacle, Session, earlier};
pub(crate) use table::IdTable;
pub(crate) use waiting_requests::WaitingRequests;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::error::{EndReason, Refusal, Short};
use crate::ids::{ConnectionId, RequestId};
use crate::limits::Refused;
use crate::metadata::Metadata;
use crate::operation::OperationId;
use crate::schema::{Contract, SchemaHash};
use crate::wire::{Failure, Named};

/// A name that a session's driver gives to a thing of its own: a waiting call, a channel's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token(pub(crate) u64);

impl Token {
    /// The name of an entry of a table, used for the `generation`th time.
    #[inline]
    pub(crate) fn new(index: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(index))
    }

    #[inline]
    pub(crate) fn index(self) -> u32 {
        self.0 as u32
    }

    #[inline]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// What a session wants done or known.
#[derive(Debug)]
pub(crate) enum Output {
    /// The connection that this end asked for under `token` is open, or refused.
    Opened { token: Token, result: Result<ConnectionId, Refusal> },
    /// The peer asks for a connection; answer with `accept` or `refuse`.
    /// `contract` names the service as the peer knows it.
    Offered { connection: ConnectionId, service: String, metadata: Metadata, contract: Option<Named> },
    /// Run a handler; `handler_ended` says when it has ended. The driver counts these from 0, as the session does: what is
    /// said of the handler later names it by that number, the `nth`.
    Dispatch(Request),
    /// End the handler of this request at its next await.
    AbortHandler { connection: ConnectionId, request: RequestId, nth: u64 },
    /// Nobody waits any more for this request's answer, which is its operation's affair: `detach` or `handler_ended`
    /// says what becomes of it. `runs_on`: of its handler, nothing becomes.
    Withdraw { connection: ConnectionId, request: RequestId, nth: u64, failure: Failure, runs_on: bool },
    /// The peer has this operation's outcome and will not ask again.
    Acknowledged { operation: OperationId },
    /// The call's one outcome.
    Finish { token: Token, end: CallEnd },
    /// Items for a receiver: a run, each with its length before it.
    Deliver { token: Token, items: Bytes },
    /// The last that a receiver hears.
    ReceiverEnded { token: Token, end: ChannelEnd },
    /// A sender has credit again.
    GrantPermits { token: Token },
    /// The peer wants no more of this sender.
    SenderEnded { token: Token, end: ChannelEnd },
    /// A connection of either side is gone, with all that was on it.
    ConnectionEnded { connection: ConnectionId },
    /// The peer told this contract, beside which this end has that one. What is kept of it serves connections to come: see
    /// [`Session::open`] and [`Session::accept`].
    Heard { ours: SchemaHash, theirs: Box<Contract> },
    /// A call slot, a channel slot or room in the outbox is free again.
    Room,
    /// Something of the peer's was turned down, or has to wait, for this is short.
    Refused { what: Refused, short: Short },
    /// The link is gone; the session waits for another. What of a batch is not written is dropped.
    LinkDown(EndReason),
    /// The session is over; nothing follows.
    Ended(EndReason),
}

const _: () = assert!(size_of::<Output>() <= 128);

/// What every part of a session may do: write frames and ask for things.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// The longest frame that the peer takes.
    max_frame: u32,
    pub(crate) outbox: Outbox,
    pub(crate) outputs: VecDeque<Output>,
    /// How many handlers were asked for.
    dispatched: u64,
    /// Where in the stream the answers end that this end made by itself and the peer has not acknowledged.
    /// Most sessions never have any.
    #[allow(clippy::box_collection, reason = "idle sessions are many")]
    kept_answers: Option<Box<VecDeque<u64>>>,
    /// What is kept of the peer's requests and items.
    ledger: memory_ledger::Ledger,
    /// How long the frame is that is being handled.
    frame_len: u32,
}

/// Answers of this end's own that a peer may leave unacknowledged. An honest one acknowledges every 16 KiB, which the shortest
/// answers, of six bytes, fill 2,731 times; as much again may be on its way.
const MAX_KEPT_ANSWERS: usize = 8 << 10;

/// How long a frame is, or may be: no frame is longer than 64 MiB.
#[inline]
fn in_bytes(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// What stands at most beside the text in a frame whose last field is a text for a person.
const WORDS_HEAD: usize = 32;

impl Effects {
    fn new(max_frame: usize) -> Self {
        // Most changes ask for one thing, and a queue that made its first room itself would make it for four.
        Self { max_frame: in_bytes(max_frame), outputs: VecDeque::with_capacity(1), ..Self::default() }
    }

    #[inline]
    fn max_frame(&self) -> usize {
        self.max_frame as usize
    }

    #[inline]
    fn frame_len(&self) -> usize {
        self.frame_len as usize
    }

    /// So much of a text for a person as the peer keeps, and takes in one frame.
    fn words(&self, text: &str) -> String {
        crate::wire::words(text, self.max_frame().saturating_sub(WORDS_HEAD)).to_owned()
    }

    #[inline]
    fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Something of the peer's is turned down, or has to wait.
    #[cold]
    fn refused(&mut self, what: Refused, short: Short) {
        self.emit(Output::Refused { what, short });
    }

    /// Asks for a handler.
    #[inline]
    fn dispatch(&mut self, request: Request) {
        self.dispatched += 1;
        self.emit(Output::Dispatch(request));
    }

    /// Takes back the handler that was asked for last. `false`: something else was.
    fn take_back_dispatch(&mut self) -> bool {
        let is_last = matches!(self.outputs.back(), Some(Output::Dispatch(_)));
        if is_last {
            self.outputs.pop_back();
            self.dispatched -= 1;
        }
        is_last
    }

    fn send(&mut self, frame: &crate::wire::Frame) {
        self.outbox.put(|out| frame.put(out));
    }

    /// What was put last answers the peer without anybody's doing.
    fn note_answer(&mut self) {
        self.forget_answers();
        self.kept_answers.get_or_insert_default().push_back(self.outbox.end());
    }

    /// Whether the peer reads such answers, asks for more, and acknowledges none.
    fn keeps_too_many_answers(&mut self) -> bool {
        self.forget_answers();
        self.kept_answers.as_ref().is_some_and(|answers| answers.len() >= MAX_KEPT_ANSWERS)
    }

    fn forget_answers(&mut self) {
        let Some(answers) = &mut self.kept_answers else { return };
        let acknowledged = self.outbox.acknowledged();
        while answers.front().is_some_and(|end| *end <= acknowledged) {
            answers.pop_front();
        }
    }
}
