//! A model checker runs calls, the session's task and the peer against each other, in all orders of their steps. In each, every call
//! ends though no timer ever fires: a wake that is lost is a deadlock, which the checker finds. `VOX_PREEMPTIONS=2` looks deeper.

use std::collections::VecDeque;
use std::future::{Future, IntoFuture, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use loom::sync::Notify;
use loom::thread::JoinHandle;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use super::super::super::clock::now;
use super::super::super::peer::Peer;
use super::super::super::reading::Reader;
use super::super::super::router::Router;
use super::super::super::session_task::Driver;
use super::super::super::sync::{Mutex, modelled};
use super::super::super::writer::Writer;
use super::super::Shared;
use crate::client::{Caller, Client};
use crate::ids::Role;
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::proto::Session;
use crate::transport::WriteHalf;
use crate::wire::{Frame, LENGTH_BYTES};

#[vox_macros::service(crate = crate)]
trait Echo {
    async fn echo(&self, n: u64) -> u64;
}

/// How many words a stack has.
const STACK: usize = 128 << 10;

/// The link as the near end has it. The far end is [`Far`].
#[derive(Clone)]
struct Near(Arc<Mutex<Wire>>);

/// The far end: answers calls.
struct Far(Arc<Mutex<Wire>>);

#[derive(Default)]
struct Wire {
    /// What the near end has written, and the far end has not read.
    sent: Vec<u8>,
    far: Option<Waker>,
    /// What the far end has written, and the near end has not read.
    answered: VecDeque<u8>,
    near: Option<Waker>,
}

impl AsyncRead for Near {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.0.lock().expect("no panic");
        if wire.answered.is_empty() {
            wire.near = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = wire.answered.len().min(buffer.remaining());
        buffer.put_slice(&wire.answered.drain(..count).collect::<Vec<_>>());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Near {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let far = {
            let mut wire = self.0.lock().expect("no panic");
            wire.sent.extend_from_slice(bytes);
            wire.far.take()
        };
        far.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Far {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Frame> {
        let mut wire = self.0.lock().expect("no panic");
        let Some(length) = wire.sent.first_chunk::<LENGTH_BYTES>() else {
            wire.far = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let end = LENGTH_BYTES + u32::from_le_bytes(*length) as usize;
        let body: Vec<u8> = wire.sent.drain(..end).skip(LENGTH_BYTES).collect();
        Poll::Ready(Frame::parse(Bytes::from(body), &Limits::default()).expect("an honest frame"))
    }

    fn send(&self, bytes: &[u8]) {
        let near = {
            let mut wire = self.0.lock().expect("no panic");
            wire.answered.extend(bytes);
            wire.near.take()
        };
        near.into_iter().for_each(Waker::wake);
    }

    fn answer(&self, Manner { calls, pieces, pings, pings_last }: Manner) {
        let frame = || block_on(&Task::new(), poll_fn(|cx| self.poll_frame(cx)));
        for _ in 0..calls {
            let reply = loop {
                if let Frame::Call { head, payload } = frame() {
                    let payload = [&[0], &payload[..]].concat().into();
                    break bytes_of(&Frame::Reply { connection: head.connection, request: head.request, payload });
                }
            };
            if pings {
                self.send(&bytes_of(&Frame::Ping { nonce: 3 }));
                while !matches!(frame(), Frame::Pong { nonce: 3 }) {}
            }
            for piece in reply.chunks(reply.len().div_ceil(pieces)) {
                self.send(piece);
            }
            if pings_last {
                self.send(&bytes_of(&Frame::Ping { nonce: 4 }));
                while !matches!(frame(), Frame::Pong { nonce: 4 }) {}
            }
        }
    }
}

fn bytes_of(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.put(&mut bytes);
    bytes
}

/// How the far end behaves.
#[derive(Clone, Copy)]
struct Manner {
    /// How many calls it answers.
    calls: usize,
    /// In how many pieces each reply comes.
    pieces: usize,
    /// It pings before each reply, and waits for the answer.
    pings: bool,
    /// And after each.
    pings_last: bool,
}

/// What a thread of the model runs, to be woken.
struct Task(Notify);

impl Task {
    fn new() -> Arc<Self> {
        Arc::new(Self(Notify::new()))
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

fn block_on<F: Future>(task: &Arc<Task>, future: F) -> F::Output {
    let (waker, mut future) = (Waker::from(Arc::clone(task)), pin!(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => task.0.wait(),
        }
    }
}

/// A runtime for the timers that the session's task sets. Nobody runs it, so that none fires.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime"))
}

/// A session with one connection, whose calls may read inline. Its task has had its first turn.
fn session(near: Near) -> (Arc<Shared>, Driver, EchoClient) {
    let limits = Arc::new(Limits::default());
    let mut session = Session::new(Role::Initiator, Arc::clone(&limits), limits.announced(), now());
    let connection = session.opened_in_handshake(None, None, None);
    let (read, write) = (Box::new(near.clone()), WriteHalf::Other(Box::new(near)));
    let peer = (Peer::new("mem://modelled".to_owned(), Metadata::new()), 0);
    let shared = Shared::new(session, Writer::new(write, 0), Reader::new(read), Router::default(), limits, peer, None);
    // As if a call had just been made.
    shared.lock().inline_reader.last = Some(now());
    let service = (EchoClient::SERVICE, Metadata::new());
    let caller = Caller::on(Arc::clone(&shared), connection, None, service);
    (Arc::clone(&shared), Driver::new(shared), EchoClient::from_caller(caller))
}

/// A thread of the model. Its stack is that of a thread, for loom's own are small.
fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    loom::thread::Builder::new().stack_size(STACK).spawn(run).expect("a thread of the model")
}

/// Runs `user` against a far end that behaves like this, in all orders in which threads are interrupted so often at most. Sees that all of it
/// ends, and that calls read inline in some of them.
fn check(preemptions: usize, manner: Manner, user: fn(&Arc<EchoClient>)) {
    let deeper = std::env::var("VOX_PREEMPTIONS").ok().and_then(|value| value.parse().ok());
    let preemptions = deeper.unwrap_or(preemptions);
    let _runtime = runtime().enter();
    let inline = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&inline);
    let count = modelled::check(preemptions, move || {
        let counted = Arc::clone(&counted);
        spawn(move || run(manner, user, &counted)).join().expect("no panic");
    });
    let inline = inline.load(Ordering::Relaxed);
    assert!(count > 1 && inline > 1, "{count} orders, {inline} with a call that reads inline");
}

fn run(manner: Manner, user: fn(&Arc<EchoClient>), inline: &AtomicUsize) {
    let wire = Arc::new(Mutex::new(Wire::default()));
    let (shared, mut driver, client) = session(Near(Arc::clone(&wire)));
    let client = Arc::new(client);
    let (task, is_done) = (Task::new(), Arc::new(AtomicBool::new(false)));
    let far = spawn(move || Far(wire).answer(manner));
    let near = spawn({
        let (task, is_done) = (Arc::clone(&task), Arc::clone(&is_done));
        let turn = move |cx: &mut Context<'_>| match is_done.load(Ordering::SeqCst) {
            true => Poll::Ready(()),
            false => Pin::new(&mut driver).poll(cx),
        };
        move || block_on(&task, poll_fn(turn))
    });
    user(&client);
    far.join().expect("no panic");
    // What comes after is of no matter.
    loom::stop_exploring();
    inline.fetch_add(usize::from(shared.lock().inline_reader.led > 0), Ordering::Relaxed);
    is_done.store(true, Ordering::SeqCst);
    task.wake();
    near.join().expect("no panic");
}

const PLAIN: Manner = Manner { calls: 1, pieces: 1, pings: false, pings_last: false };

fn call(client: &EchoClient) {
    assert_eq!(block_on(&Task::new(), client.echo(7).into_future()), Ok(7));
}

#[test]
fn a_call_that_reads_inline_ends() {
    check(2, PLAIN, |client| call(client));
}

#[test]
fn a_call_whose_reply_comes_in_pieces_ends() {
    check(2, Manner { pieces: 2, ..PLAIN }, |client| call(client));
}

#[test]
fn what_else_comes_while_a_call_reads_inline_is_read_as_well() {
    check(1, Manner { pings: true, ..PLAIN }, |client| call(client));
}

#[test]
fn what_comes_as_a_call_that_reads_inline_ends_is_read_as_well() {
    check(1, Manner { pings_last: true, ..PLAIN }, |client| call(client));
}

/// The link may have woken it already.
#[test]
fn a_call_that_is_dropped_leaves_the_link_to_those_that_follow() {
    check(1, Manner { calls: 2, ..PLAIN }, |client| {
        let mut dropped = pin!(client.echo(1).into_future());
        let _ = dropped.as_mut().poll(&mut Context::from_waker(&Waker::from(Task::new())));
        dropped.set(client.echo(7).into_future());
        assert_eq!(block_on(&Task::new(), dropped), Ok(7));
    });
}

/// The task before may have been woken already, which polls it no more.
#[test]
fn a_call_that_moves_to_another_task_ends_there() {
    check(2, PLAIN, |client| {
        let mut moved = pin!(client.echo(7).into_future());
        let before = moved.as_mut().poll(&mut Context::from_waker(&Waker::from(Task::new())));
        let reply = if let Poll::Ready(reply) = before { reply } else { block_on(&Task::new(), moved) };
        assert_eq!(reply, Ok(7));
    });
}

#[test]
fn calls_at_the_same_time_end() {
    check(0, Manner { calls: 2, ..PLAIN }, |client| {
        let other = Arc::clone(client);
        let other = spawn(move || call(&other));
        call(client);
        other.join().expect("no panic");
    });
}
