//! The calls that are measured, as typed methods, and the loops that make them. All contenders but the bare echo run the same loops.

use std::future::Future;
use std::time::Instant;

use facet::Facet;
use serde::{Deserialize, Serialize};

use crate::contender::{Client, Fault, Item, Pending, Times, Work, expect};
use crate::far::{self, Far, Figures, Meter, NotOffered};

/// What a contender's client can be asked, by its own generated methods.
///
/// A caller has the client to itself: one that is used by several is cloned for each.
pub trait Calls: Clone + Send + Sync + 'static {
    /// One of the records, in the type that a user of this contender would have: its own where it generates types.
    type Record: Send + 'static;

    /// The record of this id, as [`Record::of`] makes it.
    fn record(id: u64) -> Self::Record;

    /// What the record's fields come to, as [`Record::sum`] has it.
    fn sum(record: &Self::Record) -> u64;

    /// The number comes back.
    fn echo(&mut self, number: u64) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// The bytes come back; how many, is returned.
    fn blob(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<usize, Fault>> + Send;

    /// The records come back.
    fn records(&mut self, records: Vec<Self::Record>) -> impl Future<Output = Result<Vec<Self::Record>, Fault>> + Send;

    /// Takes a stream of the numbers from nought to `items`, each of which is checked.
    fn numbers(&mut self, items: u64) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Takes a stream of structs, whose ids are checked.
    fn structs(&mut self, items: u64) -> impl Future<Output = Result<(), Fault>> + Send;

    /// A call that is never answered.
    fn hold(&mut self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// How many calls of [`hold`](Self::hold) the server has in hand.
    fn held(&mut self) -> impl Future<Output = Result<u64, Fault>> + Send;

    /// Brings bytes up; how many arrived, is returned.
    fn put(&mut self, bytes: Vec<u8>) -> impl Future<Output = Result<u64, Fault>> + Send {
        let _ = bytes;
        async { Err(NotOffered.into()) }
    }

    /// Brings so many bytes down; how many arrived, is returned.
    fn get(&mut self, bytes: u64) -> impl Future<Output = Result<usize, Fault>> + Send {
        let _ = bytes;
        async { Err(NotOffered.into()) }
    }

    /// Takes a stream of the numbers from nought to `items`, each of which is checked, until the meter has had enough.
    fn numbers_into(&mut self, items: u64, meter: &mut Meter) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (items, meter);
        async { Err(NotOffered.into()) }
    }

    /// Takes a stream of so many items of [`CHUNK`](far::CHUNK) bytes, until the meter has had enough.
    fn chunks_into(&mut self, items: u64, meter: &mut Meter) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (items, meter);
        async { Err(NotOffered.into()) }
    }
}

/// The record of the scenario with records.
#[derive(Debug, Clone, PartialEq, Facet, Serialize, Deserialize)]
pub struct Record {
    /// Which.
    pub id: u64,
    /// 16 letters and digits.
    pub name: String,
    /// Three words.
    pub tags: Vec<String>,
    /// A number with a fraction.
    pub score: f64,
    /// Of every other one.
    pub flag: bool,
}

impl Record {
    /// The record of this id.
    pub fn of(id: u64) -> Self {
        Self {
            id,
            name: format!("record-{id:09}"),
            tags: ["alpha", "beta", "gamma"].map(str::to_owned).to_vec(),
            score: id as f64 * 0.5,
            flag: id.is_multiple_of(2),
        }
    }

    /// A number that every field has its part in.
    pub fn sum(&self) -> u64 {
        let tags: usize = self.tags.iter().map(String::len).sum();
        self.id + (self.name.len() + tags) as u64 + self.score as u64 + u64::from(self.flag)
    }
}

/// A struct of a hundred bytes.
#[derive(Debug, Clone, Copy, PartialEq, Facet, Serialize, Deserialize)]
pub struct Hundred {
    /// Which.
    pub id: u64,
    /// When, in nanoseconds.
    pub at: u64,
    /// Of what kind.
    pub kind: u32,
    /// What was measured.
    pub values: [f32; 20],
}

impl Hundred {
    /// The struct of this id.
    pub fn of(id: u64) -> Self {
        Self { id, at: 1_700_000_000_000_000_000 + id, kind: (id % 7) as u32, values: [id as f32; 20] }
    }
}

/// A client of [`Calls`], driven by the loops that all share.
pub struct Driven<C>(pub C);

impl<C: Calls> Client for Driven<C> {
    fn run<'a>(&'a mut self, work: Work, times: Option<&'a mut Times>) -> Pending<'a, ()> {
        Box::pin(drive(&mut self.0, work, times))
    }

    fn far(&mut self, far: Far) -> Pending<'_, Figures> {
        Box::pin(far::drive(&mut self.0, far))
    }
}

/// Does the work with this client.
pub async fn drive<C: Calls>(client: &mut C, work: Work, times: Option<&mut Times>) -> Result<(), Fault> {
    let mut clock = Clock { times };
    match work {
        Work::Echo { calls, in_flight: 1 } => {
            for number in 0..calls {
                let began = clock.start();
                expect(client.echo(number).await?, number)?;
                clock.stop(began);
            }
        }
        Work::Echo { calls, in_flight } => crowd(client, calls, in_flight, clock.times).await?,
        Work::Blob { calls, bytes } => {
            for _ in 0..calls {
                let began = clock.start();
                // Every call has bytes of its own, as a user's would.
                expect(client.blob(vec![7; bytes]).await?, bytes)?;
                clock.stop(began);
            }
        }
        Work::Records { calls, records } => {
            // What comes back is sent again, so that making records costs nobody anything.
            let mut list: Vec<C::Record> = (0..records).map(C::record).collect();
            let wanted: u64 = (0..records).map(|id| Record::of(id).sum()).sum();
            for _ in 0..calls {
                let began = clock.start();
                list = client.records(list).await?;
                clock.stop(began);
            }
            expect(list.iter().map(C::sum).sum(), wanted)?;
        }
        Work::Stream { items, item: Item::Number } => client.numbers(items).await?,
        Work::Stream { items, item: Item::Struct } => client.structs(items).await?,
        Work::Hold { calls } => {
            let before = client.held().await?;
            for _ in 0..calls {
                let mut client = client.clone();
                tokio::spawn(async move { client.hold().await });
            }
            while client.held().await? < before + calls {
                tokio::task::yield_now().await;
            }
        }
    }
    Ok(())
}

/// So many callers, each with a client of its own.
async fn crowd<C: Calls>(client: &C, calls: u64, in_flight: u64, times: Option<&mut Times>) -> Result<(), Fault> {
    let timed = times.is_some();
    let callers = (0..in_flight).map(|caller| {
        let mut client = client.clone();
        tokio::spawn(async move {
            let mut own = Times::new();
            let mut clock = Clock { times: timed.then_some(&mut own) };
            for number in (caller..calls).step_by(in_flight as usize) {
                let began = clock.start();
                expect(client.echo(number).await?, number)?;
                clock.stop(began);
            }
            Ok::<Times, Fault>(own)
        })
    });
    let mut all = Times::new();
    for caller in callers.collect::<Vec<_>>() {
        all.append(&mut caller.await??);
    }
    if let Some(times) = times {
        times.append(&mut all);
    }
    Ok(())
}

/// Reads the time only where it is wanted, since that costs something too.
pub struct Clock<'a> {
    /// Where it is written down.
    pub times: Option<&'a mut Times>,
}

impl Clock<'_> {
    /// Now, if it is wanted.
    pub fn start(&self) -> Option<Instant> {
        self.times.is_some().then(Instant::now)
    }

    /// Writes down how long it took since then.
    pub fn stop(&mut self, began: Option<Instant>) {
        if let (Some(times), Some(began)) = (self.times.as_deref_mut(), began) {
            times.push(u32::try_from(began.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
    }
}
