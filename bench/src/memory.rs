//! What idle connections and pending calls take: resident memory of both processes, before and after.
//!
//! Every measurement is a process of its own with a server of its own, so that nobody finds memory that another has given back.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::command::Options;
use crate::contender::{Client, Contender, Fault, Link, Setting, Work};
use crate::json;
use crate::lane::{Other, runtime};
use crate::measure::Summary;
use crate::patience;

/// What is counted.
const KINDS: [(&str, &str, u64); 2] =
    [("idle", "bytes per idle connection", 2_000), ("pending", "bytes per pending call", 50_000)];

/// Measures all contenders, and prints a table.
pub(crate) fn run(mut options: Options) -> Result<(), Fault> {
    let rounds = options.extent.rounds.min(3);
    for (kind, title, count) in KINDS {
        if !options.words.is_empty() && !options.words.iter().any(|word| word == kind) {
            continue;
        }
        println!("{title}: {count} of them, {rounds} rounds, medians");
        println!("{:<12} {:>10} {:>10} {:>12}", "", "client", "server", "connections");
        let setting = Setting { link: Link::Tcp, work: Work::Hold { calls: 1 }, kept: false };
        let idle = Setting { work: Work::Echo { calls: 1, in_flight: 1 }, ..setting };
        let setting = if kind == "idle" { idle } else { setting };
        let chosen = options.contenders.iter().filter(|contender| contender.takes_part(setting));
        let names: Vec<&str> = chosen.map(|contender| contender.name()).collect();
        for name in names {
            let mut measured = Vec::new();
            for round in 0..rounds {
                match measure(name, kind, count) {
                    Ok(figures) => measured.push(figures),
                    Err(fault) => options.faults.push(format!("{kind}: {name}: {fault}")),
                }
                if let Some((client, server, connections)) = measured.get(round) {
                    options.write(&json::line(
                        &[("memory", kind), ("contender", name)],
                        &[
                            ("round", round as f64),
                            ("client", *client),
                            ("server", *server),
                            ("connections", *connections),
                        ],
                    ))?;
                }
            }
            if measured.is_empty() {
                continue;
            }
            let client = Summary::of(measured.iter().map(|of| of.0)).median;
            let server = Summary::of(measured.iter().map(|of| of.1)).median;
            println!("{name:<12} {client:>10.0} {server:>10.0} {:>12}", measured[0].2);
        }
        println!();
    }
    options.end()
}

/// Bytes of the client and of the server for each, and on how many connections.
fn measure(name: &str, kind: &str, count: u64) -> Result<(f64, f64, f64), Fault> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["memory-of", name, kind, &count.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let line = patience::read(&mut child, patience::PROCESS, std::io::read_to_string)?;
    child.wait()?;
    let number = |of| json::number(&line, of).ok_or_else(|| format!("no {of}"));
    Ok((number("client")?, number("server")?, number("connections")?))
}

/// The process that has the clients.
pub(crate) fn child(contenders: &[Box<dyn Contender>], arguments: &[String]) -> Result<(), Fault> {
    let [name, kind, count] = arguments else { return Err("memory-of <contender> <kind> <count>".into()) };
    let count: u64 = count.parse()?;
    let contender = contenders.iter().find(|contender| contender.name() == name).ok_or("no such contender")?;
    raise_file_limit();
    let setting = Setting { link: Link::Tcp, work: Work::Echo { calls: 1, in_flight: 1 }, kept: false };
    let other = Other::start(name, setting, 1)?;
    runtime(1)?.block_on(async {
        let resident = || Ok::<_, Fault>((resident(std::process::id())?, resident(other.process.id())?));
        // What is made once, is made by the first few.
        let mut clients = connect(&**contender, &other.address, setting, 10).await?;
        let each = contender.calls_per_connection().min(count as usize) as u64;
        let before = if kind == "idle" {
            settle().await;
            let before = resident()?;
            clients.extend(connect(&**contender, &other.address, setting, count).await?);
            before
        } else {
            clients.extend(connect(&**contender, &other.address, setting, count.div_ceil(each)).await?);
            for client in &mut clients[..10] {
                client.run(Work::Hold { calls: each.min(10) }, None).await?;
            }
            settle().await;
            let before = resident()?;
            let mut left = count;
            for client in &mut clients[10..] {
                let calls = left.min(each);
                client.run(Work::Hold { calls }, None).await?;
                left -= calls;
            }
            before
        };
        settle().await;
        let after = resident()?;
        let per = |before: u64, after: u64| (after.saturating_sub(before)) as f64 / count as f64;
        let (client, server) = (per(before.0, after.0), per(before.1, after.1));
        let connections = (clients.len() - 10) as f64;
        print!("{}", json::line(&[], &[("client", client), ("server", server), ("connections", connections)]));
        Ok(())
    })
}

/// Connections that have each made a call.
async fn connect(
    contender: &dyn Contender,
    address: &str,
    setting: Setting,
    count: u64,
) -> Result<Vec<Box<dyn Client>>, Fault> {
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = contender.connect(address.to_owned(), setting).await?;
        client.run(Work::Echo { calls: 1, in_flight: 1 }, None).await?;
        clients.push(client);
    }
    Ok(clients)
}

/// Lets everything come to rest that is under way.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// Bytes of memory that a process has.
fn resident(process: u32) -> Result<u64, Fault> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no resident memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Asks for as many open files as 10,000 connections in one process need, or as many as there may be.
pub(crate) fn raise_file_limit() {
    const FILES: libc::rlim_t = 65_536;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live limit.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let wanted = libc::rlimit { rlim_cur: FILES, rlim_max: limit.rlim_max.max(FILES) };
    // SAFETY: the pointer is to a live limit.
    if limit.rlim_cur < FILES && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) } != 0 {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: as above.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    }
}
