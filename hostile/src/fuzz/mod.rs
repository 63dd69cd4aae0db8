//! A fuzzer of live sessions, in both directions.
//!
//! Honest sessions are recorded, the frames of both ends. Then one end is replaced by somebody who plays what was recorded, spoilt: with other
//! fields, lengths and ids, in another order, doubled, dropped, cut, mixed with frames of other sessions, on links that are lost and resumed with
//! lies. All of it runs in one thread, on links of memory and a paused clock, and a seed and a number name a case.
//!
//! Whatever is played, nothing panics, an honest client beside is answered right, the session ends with a named violation, an ended link, or goes
//! on, the calls of a client end in time, and the memory comes back.

mod clients;
mod dice;
mod record;
mod servers;
mod spoil;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dice::Dice;

use crate::meter::Meter;

/// How many cases share a server.
const BATCH: u64 = 50;

/// What may be left once a server and all its peers are gone: the thread's buffers, and the process's memory for long messages.
const LEFT: isize = 1 << 20;

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// How the cases ended.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) violations: u64,
    pub(crate) closed: u64,
    pub(crate) alive: u64,
}

/// Plays cases for so long. Whether all of them held.
pub(crate) fn run(seconds: u64, seed: u64) -> bool {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        hook(panic);
    }));
    let meter = Meter::of_this_thread();
    let recorded = runtime().block_on(record::all());
    println!(
        "recorded: {} frames of clients, {} frames of servers",
        recorded.client.iter().map(Vec::len).sum::<usize>(),
        recorded.server.iter().map(Vec::len).sum::<usize>()
    );
    let (began, mut batch, mut ends) = (Instant::now(), 0, [Ends::default(); 2]);
    // The first fills what is kept for good.
    let mut before = None;
    while began.elapsed() < Duration::from_secs(seconds) || batch < 2 {
        let cases = batch * BATCH..(batch + 1) * BATCH;
        for (side, ends) in ["server", "client"].into_iter().zip(&mut ends) {
            let held = runtime().block_on(async {
                let played = async {
                    match side {
                        "server" => servers::attack(&recorded, seed, cases.clone(), ends).await,
                        _ => clients::attack(&recorded, seed, cases.clone(), ends).await,
                    }
                };
                played.await
            });
            if let Err(fault) = held {
                println!("FAILED: {side}, seed {seed}, {fault}");
                return false;
            }
            if PANICS.load(Ordering::SeqCst) > 0 {
                println!("FAILED: {side}, seed {seed}: something panicked in cases {cases:?}");
                return false;
            }
        }
        let left = meter.live() - *before.get_or_insert_with(|| meter.live());
        if left > LEFT {
            println!("FAILED: seed {seed}: {left} bytes are left after cases {cases:?}");
            return false;
        }
        batch += 1;
    }
    for (side, ends) in ["servers", "clients"].into_iter().zip(ends) {
        println!(
            "{} cases against {side}: {} ended by a named violation, {} by the link's end, {} went on",
            batch * BATCH,
            ends.violations,
            ends.closed,
            ends.alive
        );
    }
    println!("all held; seed {seed}, {} s", began.elapsed().as_secs());
    true
}

/// The dice of one case.
fn dice(seed: u64, case: u64) -> Dice {
    Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ case)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}
