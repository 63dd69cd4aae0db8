//! Helpers of the core's tests: a service, a time to begin at, and a peer that speaks raw frames.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Batch, HandlerEnd, NewCall, Output, Session, Token};
use crate::descriptor::{MethodDescriptor, RetryPolicy, ServiceDescriptor};
use crate::error::{ProtocolViolation, Refusal, RefusalCode};
use crate::ids::{ChannelId, ConnectionId, MethodId, RequestId, Role};
use crate::limits::{Limits, Refusals, Refused};
use crate::metadata::Metadata;
use crate::wire::{CallHead, ChannelDirection, ChannelOpen, Frame, LENGTH_BYTES, LongHead, Open, PART};

/// A method that dies with its caller.
pub(crate) const VOLATILE: MethodId = MethodId(1);
/// A method that runs to its end.
pub(crate) const PERSIST: MethodId = MethodId(2);

/// The one service that tests serve.
pub(crate) static SERVICE: ServiceDescriptor = ServiceDescriptor {
    name: "alpha",
    docs: "",
    methods: &[method("volatile", VOLATILE, RetryPolicy::VOLATILE), method("persist", PERSIST, RetryPolicy::PERSIST)],
};

const fn method(name: &'static str, id: MethodId, policy: RetryPolicy) -> MethodDescriptor {
    MethodDescriptor {
        id,
        service: "alpha",
        name,
        docs: "",
        args: &[],
        response: <u8 as facet::Facet>::SHAPE,
        policy,
        timeout: None,
        carried: |outcome, _| Ok(outcome.clone()),
        described: None,
        told_names: None,
    }
}

/// Some instant: only what is added to it matters. The one look at a clock in all tests of the core.
pub(crate) fn epoch() -> Instant {
    Instant::now()
}

/// The next that a session wants done or known, until nothing is left to do.
pub(crate) fn next_output(session: &mut Session) -> Option<Output> {
    loop {
        match session.poll_output() {
            None if session.is_behind() => session.go_on(),
            output => return output,
        }
    }
}

/// A session and a peer that speaks raw frames to it: the acceptor, which serves connection 1 and has opened
/// connection 2 for calls of its own.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    /// Everything that the session asked for, in order.
    pub(crate) outputs: Vec<Output>,
    written: Vec<u8>,
}

/// The connection that the bench's peer opened.
pub(crate) const THEIRS: ConnectionId = ConnectionId(1);
/// The connection that the bench opened itself.
pub(crate) const OURS: ConnectionId = ConnectionId(2);

/// Two of everything.
pub(crate) fn two_of_each() -> Limits {
    Limits {
        max_connections: 2,
        max_calls: 2,
        max_channels: 2,
        channel_items: 2,
        channel_bytes: 10,
        ..Limits::default()
    }
}

impl Bench {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::of(limits, None)
    }

    /// One whose session can be resumed within ten seconds.
    pub(crate) fn resumable(limits: Limits) -> Self {
        Self::of(limits, Some(Duration::from_secs(10)))
    }

    fn of(limits: Limits, window: Option<Duration>) -> Self {
        let now = epoch();
        let mut session = Session::new(Role::Acceptor, limits.clone(), limits.announced(), now);
        if let Some(window) = window {
            session.resumes(window);
        }
        session.accepted_in_handshake(0, &SERVICE, None, None).expect("there is nothing to compare");
        session.open(SERVICE.name, Metadata::new(), None, None, Token(0)).expect("one connection is allowed");
        let mut bench = Self { session, now, outputs: Vec::new(), written: Vec::new() };
        bench.accept(Frame::Accept { connection: OURS, differs: None });
        bench.write();
        bench.outputs.clear();
        bench.written.clear();
        bench
    }

    /// A frame arrives.
    pub(crate) fn receive(&mut self, frame: &Frame) -> Result<(), ProtocolViolation> {
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        self.receive_raw(&bytes[LENGTH_BYTES..])
    }

    /// A frame's body arrives.
    pub(crate) fn receive_raw(&mut self, body: &[u8]) -> Result<(), ProtocolViolation> {
        let result = self.session.handle(self.now, Bytes::copy_from_slice(body));
        self.drain();
        result
    }

    /// A frame arrives that breaks no rule.
    pub(crate) fn accept(&mut self, frame: Frame) {
        self.receive(&frame).unwrap_or_else(|violation| panic!("{frame:?}: {violation}"));
    }

    /// A change by this end's user.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut Session) -> R) -> R {
        let result = change(&mut self.session);
        self.drain();
        result
    }

    /// The holder of the first channel that the peer opened, under the token of the same number, took so much.
    pub(crate) fn consumed(&mut self, items: u32, bytes: u64) {
        let now = self.now;
        self.change(|session| session.consumed(now, THEIRS, (ChannelId(1), Token(1)), items, bytes));
    }

    fn drain(&mut self) {
        while let Some(output) = next_output(&mut self.session) {
            if let Output::Offered { connection, service, .. } = &output {
                match service == SERVICE.name {
                    true => self.session.accept(*connection, 0, &SERVICE, None, None),
                    false => self.session.refuse(*connection, Refusal::new(RefusalCode::UnknownService, "none")),
                }
            }
            self.outputs.push(output);
        }
    }

    /// The link takes all there is, a part at a time, and says so.
    pub(crate) fn write(&mut self) {
        while self.session.has_long() {
            self.write_parts(PART);
        }
        self.write_parts(0);
    }

    /// The link takes about so much of long messages, and what goes before it.
    pub(crate) fn write_parts(&mut self, budget: usize) {
        let mut batch = Batch::default();
        match self.session.has_long() {
            true => self.session.take_parts(self.now, &mut batch, budget),
            false => self.session.take(&mut batch),
        }
        let before = self.written.len();
        for slice in batch.slices() {
            self.written.extend_from_slice(slice);
        }
        self.session.on_written(self.written.len() - before);
        self.drain();
    }

    /// What was written since it was last asked, frame by frame.
    pub(crate) fn seen(&mut self) -> Vec<Frame> {
        let written = std::mem::take(&mut self.written);
        let mut rest = written.as_slice();
        let mut frames = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk() {
            let (body, after) = after.split_at(u32::from_le_bytes(*length) as usize);
            frames.push(Frame::parse(Bytes::copy_from_slice(body), &Limits::default()).expect("a frame of our own"));
            rest = after;
        }
        frames
    }

    /// Writes, and gives every frame that was written since it was last asked.
    pub(crate) fn sent(&mut self) -> Vec<Frame> {
        self.write();
        self.seen()
    }

    /// This end calls on its own connection, with these channels, whose tokens count from 100.
    pub(crate) fn call(&mut self, token: u64, channels: &[ChannelDirection]) -> (RequestId, Vec<ChannelId>) {
        self.call_with(token, channels, None, 0)
    }

    /// As [`call`](Self::call), with arguments of so many bytes, in this time.
    pub(crate) fn call_with(
        &mut self,
        token: u64,
        channels: &[ChannelDirection],
        time: Option<Duration>,
        len: usize,
    ) -> (RequestId, Vec<ChannelId>) {
        let call = NewCall {
            method: VOLATILE,
            operation: None,
            deadline: time.map(|time| self.now + time),
            patience: None,
            metadata: Metadata::new(),
            channels: channels.iter().enumerate().map(|(i, direction)| (*direction, Token(100 + i as u64))).collect(),
        };
        let now = self.now;
        let made = self.change(|session| session.call(now, OURS, Token(token), call, &mut vec![7; len].into()));
        let made = made.expect("connection 2 is open");
        (made.request, made.channels)
    }

    /// A handler ends well.
    pub(crate) fn returns(&mut self, connection: ConnectionId, request: u64) {
        self.change(|session| {
            session.handler_ended(connection, RequestId(request), HandlerEnd::Returned(&mut vec![0, 0].into()));
        });
    }
}

/// A call from the bench's peer.
pub(crate) fn call(connection: ConnectionId, request: u64, channels: &[(u64, ChannelDirection)]) -> Frame {
    call_of(VOLATILE, connection, request, channels)
}

/// As [`call`], of either method.
pub(crate) fn call_of(
    method: MethodId,
    connection: ConnectionId,
    request: u64,
    channels: &[(u64, ChannelDirection)],
) -> Frame {
    let channels = channels.iter().map(|(id, direction)| ChannelOpen { id: ChannelId(*id), direction: *direction });
    let head = CallHead {
        connection,
        request: RequestId(request),
        method,
        operation: None,
        timeout: None,
        patient: false,
        metadata: Metadata::new(),
        channels: channels.collect(),
    };
    Frame::Call { head, payload: Bytes::new() }
}

/// Asks the bench for a connection.
pub(crate) fn open(connection: u64, service: &str) -> Frame {
    let open = Open { service: service.to_owned(), metadata: Metadata::new(), contract: None };
    Frame::Open { connection: ConnectionId(connection), open }
}

/// A run of items of these lengths.
pub(crate) fn items(connection: ConnectionId, channel: u64, lengths: &[u8]) -> Frame {
    let items: Vec<u8> = lengths.iter().flat_map(|len| std::iter::repeat_n(*len, 1 + usize::from(*len))).collect();
    Frame::Items { connection, channel: ChannelId(channel), items: items.into() }
}

/// A long message of the bench's peer begins.
pub(crate) fn long(number: u64, total: u64, head: LongHead) -> Frame {
    Frame::Long { number, total, head }
}

/// A long call of the bench's peer begins.
pub(crate) fn long_call(number: u64, total: u64, request: u64, channels: &[(u64, ChannelDirection)]) -> Frame {
    let Frame::Call { head, .. } = call(THEIRS, request, channels) else { panic!("a call") };
    long(number, total, LongHead::Call(head))
}

/// A part of so many bytes.
pub(crate) fn part(number: u64, len: usize) -> Frame {
    Frame::Part { number, bytes: vec![7; len].into() }
}

thread_local! {
    /// What is taken of each [`Pot`].
    static TAKEN: std::cell::RefCell<std::collections::BTreeMap<usize, usize>> = const { std::cell::RefCell::new(std::collections::BTreeMap::new()) };
}

/// Memory that the sessions of a test have in common, which is on one thread.
#[derive(Debug)]
pub(crate) struct Pot {
    pub(crate) number: usize,
    pub(crate) limit: usize,
}

impl Pot {
    /// How much is taken of the pot of this number.
    pub(crate) fn taken(number: usize) -> usize {
        TAKEN.with_borrow(|taken| taken.get(&number).copied().unwrap_or_default())
    }

    pub(crate) fn purse(number: usize, limit: usize) -> std::sync::Arc<Box<dyn crate::limits::Purse>> {
        TAKEN.with_borrow_mut(|taken| taken.remove(&number));
        let purse: Box<dyn crate::limits::Purse> = Box::new(Self { number, limit });
        purse.into()
    }
}

impl crate::limits::Purse for Pot {
    fn take(&self, bytes: usize, at_any_rate: bool) -> bool {
        let sum = Self::taken(self.number) + bytes;
        let may = at_any_rate || sum <= self.limit;
        if may {
            TAKEN.with_borrow_mut(|taken| taken.insert(self.number, sum));
        }
        may
    }

    fn give_back(&self, bytes: usize) {
        let left = Self::taken(self.number).checked_sub(bytes).expect("no more is given back than was taken");
        TAKEN.with_borrow_mut(|taken| taken.insert(self.number, left));
    }

    fn wait(&self, ticket: Option<u64>, _: &std::task::Waker) -> u64 {
        ticket.unwrap_or_default()
    }

    fn leave(&self, _: u64) -> bool {
        true
    }

    fn call_next(&self) {}

    fn note(&self, _: Refused) {}

    fn refusals(&self) -> Refusals {
        Refusals::default()
    }

    fn is_low(&self) -> bool {
        Self::taken(self.number) > self.limit - self.limit / 16
    }

    fn sums(&self) -> (usize, usize) {
        (Self::taken(self.number), self.limit)
    }
}
