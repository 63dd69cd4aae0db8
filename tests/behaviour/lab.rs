//! The service that most tests call, and what it is made of.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use vox::transport::Link;
use vox::{Limits, RecvError, Rx, SendError, Tx};

use crate::support::Count;

#[derive(Debug, Clone, PartialEq, facet::Facet)]
#[repr(u8)]
pub enum Explosion {
    FirstPoll,
    AfterAnAwait,
    InDrop,
    InDropWhenCancelled,
    InTheResponsesDrop,
    WithAPayloadThatPanics,
}

#[derive(facet::Facet)]
pub struct Parts {
    pub name: String,
    pub numbers: Option<Rx<u64>>,
    pub nested: Nested,
}

#[derive(facet::Facet)]
pub struct Nested {
    pub answer: Answer,
}

#[derive(facet::Facet)]
#[repr(u8)]
#[allow(dead_code, reason = "made by callers")]
pub enum Answer {
    Nothing,
    To(Tx<u64>),
}

/// Panics when it is dropped while armed.
#[derive(facet::Facet)]
pub struct Mine {
    pub armed: bool,
}

impl Drop for Mine {
    fn drop(&mut self) {
        if self.armed && !std::thread::panicking() {
            panic!("on purpose, in a drop");
        }
    }
}

#[vox::service]
pub trait Lab {
    async fn echo(&self, n: u64) -> u64;
    async fn name(&self, text: &str) -> String;
    async fn size(&self, bytes: &[u8]) -> u64;
    async fn big(&self, len: u64) -> Vec<u8>;
    async fn hang(&self);
    async fn gate(&self, n: u64) -> u64;
    #[vox(persist)]
    async fn persist(&self, millis: u64) -> u64;
    async fn explode(&self, how: Explosion) -> Mine;
    async fn metadata(&self, cx: &vox::Context, key: String) -> Option<String>;
    async fn printed(&self, cx: &vox::Context) -> String;
    async fn millis_left(&self, cx: &vox::Context) -> Option<u64>;
    async fn relay_hang(&self);
    async fn relay_millis_left(&self) -> Option<u64>;
    async fn relay_metadata(&self, key: String) -> Option<String>;
    async fn call_back(&self, cx: &vox::Context, n: u64) -> u64;
    async fn call_back_hang(&self, cx: &vox::Context);
    async fn sum(&self, numbers: Rx<u64>) -> u64;
    async fn first(&self, count: u64, numbers: Rx<u64>) -> Vec<u64>;
    async fn count(&self, to: u64, numbers: Tx<u64>) -> u64;
    async fn later(&self, numbers: Tx<u64>);
    async fn parts(&self, parts: Parts) -> u64;
    async fn ends(&self, numbers: Rx<u64>);
    async fn holding(&self, numbers: Rx<u64>);
    async fn bytes(&self, count: u64, each: u64, out: Tx<Vec<u8>>);
}

/// What tests see and steer of the handlers.
#[derive(Clone)]
pub struct Probe {
    pub started: Count,
    pub stopped: Count,
    pub finished: Count,
    pub sent: Count,
    /// One permit lets one `gate` or one `later` go on.
    pub gate: Arc<Semaphore>,
    /// The order in which `gate`s began.
    pub order: Arc<Mutex<Vec<u64>>>,
    /// How the last channel of `ends` ended, and how the last send of a handler did.
    pub ending: Arc<Mutex<Vec<String>>>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            started: Count::default(),
            stopped: Count::default(),
            finished: Count::default(),
            sent: Count::default(),
            gate: Arc::new(Semaphore::new(0)),
            order: Arc::default(),
            ending: Arc::default(),
        }
    }
}

/// What happened, without the call that it happened to.
pub fn kind(error: &RecvError) -> String {
    match error {
        RecvError::Dropped { .. } => "Dropped".to_owned(),
        RecvError::Reset { .. } => "Reset".to_owned(),
        RecvError::Aborted(reason) => format!("Aborted({:?})", reason.as_str()),
        error => format!("{error:?}"),
    }
}

/// As [`kind`], of a send.
pub fn send_kind(error: &SendError) -> String {
    match error {
        SendError::Reset { .. } => "Reset".to_owned(),
        error => format!("{error:?}"),
    }
}

impl Probe {
    pub fn endings(&self) -> Vec<String> {
        self.ending.lock().expect("no panic").clone()
    }

    fn ended(&self, how: impl Into<String>) {
        self.ending.lock().expect("no panic").push(how.into());
    }
}

#[derive(Clone, Default)]
pub struct Bench {
    pub probe: Probe,
    /// Where `relay_…` methods call.
    pub next: Option<LabClient>,
}

impl Bench {
    fn next(&self) -> &LabClient {
        self.next.as_ref().expect("a next service")
    }
}

impl Lab for Bench {
    async fn echo(&self, n: u64) -> u64 {
        n
    }
    async fn name(&self, text: &str) -> String {
        text.to_owned()
    }
    async fn size(&self, bytes: &[u8]) -> u64 {
        bytes.len() as u64
    }
    async fn big(&self, len: u64) -> Vec<u8> {
        vec![7; len as usize]
    }
    async fn hang(&self) {
        self.probe.started.add();
        let _stopped = self.probe.stopped.on_drop();
        std::future::pending::<()>().await;
    }
    async fn gate(&self, n: u64) -> u64 {
        self.probe.started.add();
        self.probe.order.lock().expect("no panic").push(n);
        let _stopped = self.probe.stopped.on_drop();
        self.probe.gate.acquire().await.expect("never closed").forget();
        n
    }
    async fn persist(&self, millis: u64) -> u64 {
        self.probe.started.add();
        tokio::time::sleep(Duration::from_millis(millis)).await;
        self.probe.finished.add();
        millis
    }
    async fn explode(&self, how: Explosion) -> Mine {
        self.probe.started.add();
        match how {
            Explosion::FirstPoll => panic!("on purpose, at once"),
            Explosion::AfterAnAwait => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                panic!("on purpose, later")
            }
            Explosion::InDrop => {
                let _mine = Mine { armed: true };
                Mine { armed: false }
            }
            Explosion::InDropWhenCancelled => {
                let _mine = Mine { armed: true };
                std::future::pending().await
            }
            Explosion::InTheResponsesDrop => Mine { armed: true },
            Explosion::WithAPayloadThatPanics => std::panic::panic_any(Mine { armed: true }),
        }
    }
    async fn metadata(&self, cx: &vox::Context, key: String) -> Option<String> {
        cx.metadata().get(&key).map(str::to_owned)
    }
    async fn printed(&self, cx: &vox::Context) -> String {
        format!("{cx:?}")
    }
    async fn millis_left(&self, cx: &vox::Context) -> Option<u64> {
        cx.time_left().map(|left| left.as_millis() as u64)
    }
    async fn relay_hang(&self) {
        self.probe.started.add();
        let _stopped = self.probe.stopped.on_drop();
        let _ = self.next().hang().await;
    }
    async fn relay_millis_left(&self) -> Option<u64> {
        self.next().millis_left().await.expect("the next service answers")
    }
    async fn relay_metadata(&self, key: String) -> Option<String> {
        self.next().metadata(key).await.expect("the next service answers")
    }
    async fn call_back(&self, cx: &vox::Context, n: u64) -> u64 {
        let echo: LabClient = cx.session().open().await.expect("the caller serves");
        echo.echo(n).await.expect("the caller answers")
    }
    async fn call_back_hang(&self, cx: &vox::Context) {
        let _stopped = self.probe.stopped.on_drop();
        let back: LabClient = cx.session().open().await.expect("the caller serves");
        self.probe.started.add();
        let _ = back.hang().await;
    }
    async fn sum(&self, mut numbers: Rx<u64>) -> u64 {
        let mut sum = 0;
        while let Some(n) = numbers.recv().await.expect("a clean end") {
            sum += n;
        }
        sum
    }
    async fn first(&self, count: u64, mut numbers: Rx<u64>) -> Vec<u64> {
        let mut first = Vec::new();
        for _ in 0..count {
            first.extend(numbers.recv().await.expect("no error"));
        }
        first
    }
    async fn count(&self, to: u64, numbers: Tx<u64>) -> u64 {
        for n in 0..to {
            if let Err(error) = numbers.send(n).await {
                self.probe.ended(send_kind(&error));
                return n;
            }
            self.probe.sent.add();
        }
        numbers.close();
        to
    }
    async fn later(&self, numbers: Tx<u64>) {
        let probe = self.probe.clone();
        tokio::spawn(async move {
            for n in 0.. {
                probe.gate.acquire().await.expect("never closed").forget();
                if let Err(error) = numbers.send(n).await {
                    return probe.ended(send_kind(&error));
                }
                probe.sent.add();
            }
        });
    }
    async fn parts(&self, parts: Parts) -> u64 {
        let mut sum = parts.name.len() as u64;
        if let Some(mut numbers) = parts.numbers {
            while let Some(n) = numbers.recv().await.expect("a clean end") {
                sum += n;
            }
        }
        if let Answer::To(answer) = parts.nested.answer {
            answer.send(sum).await.expect("the caller listens");
            answer.close();
        }
        sum
    }
    async fn ends(&self, mut numbers: Rx<u64>) {
        loop {
            match numbers.recv().await {
                Ok(Some(_)) => self.probe.sent.add(),
                Ok(None) => return self.probe.ended(format!("closed {:?}", numbers.close_metadata())),
                Err(error) => return self.probe.ended(kind(&error)),
            }
        }
    }
    async fn holding(&self, numbers: Rx<u64>) {
        self.probe.started.add();
        let _stopped = self.probe.stopped.on_drop();
        let _numbers = numbers;
        std::future::pending::<()>().await;
    }
    async fn bytes(&self, count: u64, each: u64, out: Tx<Vec<u8>>) {
        for _ in 0..count {
            if out.send(vec![1; each as usize]).await.is_err() {
                return;
            }
            self.probe.sent.add();
        }
        out.close();
    }
}

/// Serves a bench on one end of a link.
pub fn serve(link: Link, bench: Bench, limits: Limits) -> tokio::task::JoinHandle<Result<(), vox::ServeError>> {
    tokio::spawn(vox::Server::builder().service(LabDispatcher::new(bench)).limits(limits).serve_link(link))
}

/// A client of a bench of its own, and what its handlers do.
pub async fn lab() -> (LabClient, Probe) {
    lab_with(Limits::default()).await
}

/// As [`lab`], the server with these limits.
pub async fn lab_with(limits: Limits) -> (LabClient, Probe) {
    let (ours, theirs) = vox::transport::memory_pair();
    let bench = Bench::default();
    let probe = bench.probe.clone();
    serve(theirs, bench, limits);
    (vox::connect(ours).await.expect("the handshake succeeds"), probe)
}

/// Two services: the first calls the second.
pub async fn chain() -> (LabClient, Probe, Probe) {
    let (next, far) = lab().await;
    let (ours, theirs) = vox::transport::memory_pair();
    let bench = Bench { next: Some(next), ..Bench::default() };
    let near = bench.probe.clone();
    serve(theirs, bench, Limits::default());
    (vox::connect(ours).await.expect("the handshake succeeds"), near, far)
}
