//! A network between client and server: cells over links with delay and a rate.
//!
//! Each figure is of a server, a line and a connection of its own, and contenders take turns: in each round every one is measured once, and another
//! goes first.

mod cells;
mod datagrams;
mod line;
mod sockets;
mod table;

use std::time::{Duration, Instant};

pub(crate) use self::line::carry;
pub(crate) use self::sockets::send_little;

use self::cells::{Cell, Measure};
use self::line::Laid;
use self::table::Table;
use crate::command::Options;
use crate::contender::{Client, Contender, Fault, Item, Link, Setting, Times, Work};
use crate::far::{Far, Figures, NotOffered, micros};
use crate::lane::{Other, runtime};
use crate::measure::{Stopwatch, percentile};
use crate::patience;

/// How long a stream is, unless it is said otherwise.
pub(crate) const SECONDS: u64 = 5;
/// What is said to be a call of 4 MiB: with its head, no contender's default limit is below it.
const PUT: usize = (4 << 20) - (1 << 10);
/// How long connects are refused after a cut.
const AWAY: Duration = Duration::from_millis(100);
/// How often a caller tries again whose call has failed.
const AGAIN: Duration = Duration::from_millis(5);
/// So long the calls of a cell take about, if their contender is slower than the link.
const LONG: Duration = Duration::from_secs(5);
/// How many calls each caller makes first, which say how long one takes, and the fewest that are measured.
const FIRST_CALLS: u64 = 10;
/// A client that makes no good call for so long after a cut never does.
const NEVER: Duration = Duration::from_secs(3);

/// Measures the cells that are asked for, and prints a table of each.
pub(crate) fn run(mut options: Options) -> Result<(), Fault> {
    let mut chosen = Vec::new();
    for word in &options.words {
        let named = cells::named(word);
        if named.is_empty() {
            return Err(format!("no cell `{word}`").into());
        }
        chosen.extend(named);
    }
    if chosen.is_empty() {
        let names: Vec<String> = cells::all().into_iter().map(|cell| cell.name).collect();
        return Err(format!("say which cells: all, {}", names.join(", ")).into());
    }
    let rounds = options.extent.rounds.min(3);
    let length = Duration::from_secs(options.seconds);
    for cell in chosen {
        let mut table = Table::new(&cell, rounds);
        for round in 0..rounds {
            for at in 0..options.contenders.len() {
                let contender = &options.contenders[(at + round) % options.contenders.len()];
                if !contender.takes_part(setting(cell.measure)) {
                    continue;
                }
                match measure(&**contender, &cell, length) {
                    Ok(figures) => table.add(contender.name(), figures),
                    Err(fault) if fault.is::<NotOffered>() => {}
                    Err(fault) => options.faults.push(format!("{}: {}: {fault}", cell.name, contender.name())),
                }
            }
        }
        let names: Vec<&str> = options.contenders.iter().map(|contender| contender.name()).collect();
        table.sort(&names);
        println!("{table}");
        options.write(&table.json_lines())?;
    }
    options.end()
}

/// What a contender is set up for: nothing that asks for a limit other than its default.
fn setting(measure: Measure) -> Setting {
    let work = match measure {
        Measure::Numbers | Measure::Chunks => Work::Stream { items: 1, item: Item::Number },
        Measure::Echo(_) | Measure::Put | Measure::Beside(_) | Measure::Connect | Measure::Cut => {
            Work::Echo { calls: 1, in_flight: 1 }
        }
    };
    Setting { link: Link::Tcp, work, kept: false }
}

/// One contender in one cell, once.
fn measure(contender: &dyn Contender, cell: &Cell, length: Duration) -> Result<Figures, Fault> {
    let setting = setting(cell.measure);
    let is_slow = cell.line.rate > 0;
    let server = match is_slow {
        true => Other::start_with_small_buffers(contender.name(), setting, 1)?,
        false => Other::start(contender.name(), setting, 1)?,
    };
    let at = socket_address(&server.address)?;
    let mut laid = Laid::to(at, contender.carrier(), cell.line)?;
    let address = server.address.replace(at, laid.address());
    let runtime = runtime(1)?;
    let process = server.process.id();
    let figures = patience::block_on(&runtime, contender.name(), async {
        let began = Instant::now();
        let mut client = contender.connect(address, setting).await?;
        client.run(Work::Echo { calls: 1, in_flight: 1 }, None).await?;
        let connected = began.elapsed();
        if is_slow {
            send_little()?;
        }
        let watch = Stopwatch::start(Some(process))?;
        let mut figures = match cell.measure {
            Measure::Connect => {
                let rtts = connected.as_secs_f64() / cell.line.rtt.as_secs_f64();
                vec![("connected_us", micros(connected)), ("rtts", rtts)]
            }
            Measure::Echo(in_flight) => echo(&mut *client, cell, in_flight).await?,
            Measure::Numbers => client.far(Far::Numbers(length)).await?,
            Measure::Chunks => client.far(Far::Chunks(length)).await?,
            Measure::Put => client.far(Far::Put(PUT)).await?,
            Measure::Beside(large) => client.far(Far::Beside(large)).await?,
            Measure::Cut => cut(&mut *client, &mut laid).await?,
        };
        share(&mut figures, cell.line.rate);
        if let Some(at) = figures.iter().position(|(name, _)| *name == "operations") {
            let (_, operations) = figures.remove(at);
            figures.push(("cpu_us", watch.stop(operations.max(1.0) as u64)?.cpu / 1e3));
        }
        Ok(figures)
    });
    runtime.shutdown_timeout(Duration::from_millis(100));
    figures
}

/// The part of an address that is a socket's.
fn socket_address(address: &str) -> Result<&str, Fault> {
    let begins = address.find("127.0.0.1:").ok_or("the server is not on the loopback")?;
    let rest = &address[begins..];
    let ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
    Ok(&rest[..ends])
}

/// Of a link with a rate, the part that goodput takes.
fn share(figures: &mut Figures, rate: u64) {
    let goodput = figures.iter().find(|(name, _)| *name == "bytes_s").map(|(_, goodput)| *goodput);
    if let Some(goodput) = goodput.filter(|_| rate > 0) {
        figures.push(("share", goodput * 8.0 / rate as f64 * 100.0));
    }
}

/// How many calls one caller makes, of which each takes so long: for about two seconds, if nothing but the delay counts.
fn calls_each(rtt: Duration, takes: Duration) -> u64 {
    let by_delay = (2.0 / rtt.as_secs_f64()) as u64;
    let by_contender = (LONG.as_secs_f64() / takes.as_secs_f64().max(1e-6)) as u64;
    by_delay.min(by_contender).clamp(FIRST_CALLS, 2_000)
}

async fn echo(client: &mut dyn Client, cell: &Cell, in_flight: u64) -> Result<Figures, Fault> {
    let began = Instant::now();
    client.run(Work::Echo { calls: FIRST_CALLS * in_flight, in_flight }, None).await?;
    let calls = calls_each(cell.line.rtt, began.elapsed() / FIRST_CALLS as u32) * in_flight;
    let mut times = Times::new();
    let began = Instant::now();
    client.run(Work::Echo { calls, in_flight }, Some(&mut times)).await?;
    let rate = calls as f64 / began.elapsed().as_secs_f64();
    let mut at = |percent| f64::from(percentile(&mut times, percent)) / 1e3;
    Ok(vec![("p50_us", at(50)), ("p99_us", at(99)), ("calls_s", rate), ("operations", calls as f64)])
}

/// Cuts the link under a client whose caller goes on trying.
async fn cut(client: &mut dyn Client, laid: &mut Laid) -> Result<Figures, Fault> {
    laid.cut(AWAY)?;
    let (cut, mut failed) = (Instant::now(), 0.0);
    let good = tokio::time::timeout(NEVER, async {
        while client.run(Work::Echo { calls: 1, in_flight: 1 }, None).await.is_err() {
            failed += 1.0;
            tokio::time::sleep(AGAIN).await;
        }
        cut.elapsed()
    });
    match good.await {
        Ok(after) => {
            Ok(vec![("next_us", micros(after)), ("after_us", micros(after.saturating_sub(AWAY))), ("failed", failed)])
        }
        Err(_) => Ok(vec![("failed", failed)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_of_a_server_is_found_in_its_address() {
        for address in ["tcp://127.0.0.1:123", "http://127.0.0.1:123/", "127.0.0.1:123 0af3", "127.0.0.1:123"] {
            assert_eq!(socket_address(address).ok(), Some("127.0.0.1:123"), "{address}");
        }
        assert!(socket_address("unix:///tmp/s").is_err());
    }

    #[test]
    fn a_slow_contender_makes_fewer_calls() {
        let millis = Duration::from_millis;
        let (local, near) = (Duration::from_micros(200), millis(10));
        assert_eq!([calls_each(near, millis(10)), calls_each(near, Duration::ZERO)], [200, 200]);
        assert_eq!(
            [calls_each(local, local), calls_each(local, millis(5)), calls_each(local, millis(50))],
            [2_000, 1_000, 100]
        );
        assert_eq!([calls_each(near, millis(900)), calls_each(millis(1500), millis(1500))], [10, 10]);
    }

    #[test]
    fn goodput_is_told_as_a_share_of_a_link_that_has_a_rate() {
        let mut figures = vec![("bytes_s", 1_250_000.0)];
        share(&mut figures, 0);
        assert_eq!(figures.len(), 1);
        share(&mut figures, 100_000_000);
        assert_eq!(figures[1], ("share", 10.0));
    }
}
