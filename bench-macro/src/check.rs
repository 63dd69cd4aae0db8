//! What checking a service costs: the same trait in each crate, again and again after its file was touched.
//!
//! Rounds are interleaved, so that what else the machine does falls on all alike.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::Options;
use crate::peers::{self, Cost, Fault, Peer};
use crate::service;

pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    let peers = options.chosen(&[Peer::Vox, Peer::Tarpc, Peer::Remoc]);
    let mut clean = Vec::new();
    peers::prepare(&[])?;
    for peer in &peers {
        peer.write(&service::source(*peer, options.methods))?;
        eprintln!("building {} and what it depends on", peer.name());
        clean.push(if options.keep { None } else { Some(from_nothing(*peer)?) });
        peer.check()?;
    }
    let mut touched = vec![Vec::new(); peers.len()];
    let mut idle = vec![Vec::new(); peers.len()];
    for round in 0..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        for (index, peer) in peers.iter().enumerate() {
            File::options().append(true).open(peer.source())?.set_modified(SystemTime::now())?;
            let cost = peer.check()?;
            let nothing = peer.check()?;
            // The first round fills caches.
            if round > 0 {
                touched[index].push(cost);
                idle[index].push(nothing);
            }
        }
    }
    println!("\n{} methods, {} rounds; medians, with the least and the most", options.methods, options.rounds);
    println!(
        "\n| | after a touch, cpu | after a touch, wall | nothing to do, cpu | from nothing, cpu | from nothing, wall | crates | lines a method |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (index, peer) in peers.iter().enumerate() {
        let cpu = |costs: &[Cost]| spread(costs.iter().map(|cost| cost.cpu));
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            peer.title()?,
            cpu(&touched[index]),
            spread(touched[index].iter().map(|cost| cost.wall)),
            cpu(&idle[index]),
            clean[index].map_or_else(String::new, |cost| seconds(cost.cpu)),
            clean[index].map_or_else(String::new, |cost| seconds(cost.wall)),
            crates(*peer)?,
            lines_of_a_method(*peer, options.methods)?,
        );
    }
    Ok(())
}

/// Checks a package and all that it depends on, with nothing built before.
fn from_nothing(peer: Peer) -> Result<Cost, Fault> {
    match fs::remove_dir_all(peer.target()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => peer.check(),
    }
}

/// How many crates are built for a package, itself apart.
fn crates(peer: Peer) -> Result<usize, Fault> {
    let mut tree = peer.cargo(&["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let output = tree.output()?;
    let text = String::from_utf8(output.stdout)?;
    let names: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    Ok(names.len() - 1)
}

/// How many formatted lines the expansion of a method takes, on average.
fn lines_of_a_method(peer: Peer, methods: usize) -> Result<usize, Fault> {
    let (with, without) = (expanded_lines(peer, methods)?, expanded_lines(peer, 1)?);
    Ok((with - without) / (methods - 1))
}

fn expanded_lines(peer: Peer, methods: usize) -> Result<usize, Fault> {
    peer.write(&service::source(peer, methods))?;
    let mut expand = peer.cargo(&["rustc", "--quiet", "--profile", "check"]);
    // Build scripts look at the variable below: what they build is not what is measured.
    expand.env("CARGO_TARGET_DIR", peer.target().with_extension("expanded"));
    // Only this flag shows an expansion, and it is not stable.
    let expanded =
        expand.args(["--", "-Zunpretty=expanded"]).env("RUSTC_BOOTSTRAP", "with_vox,with_tarpc,with_remoc").output()?;
    if !expanded.status.success() {
        return Err(String::from_utf8_lossy(&expanded.stderr).into());
    }
    let mut format = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=100"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = format.stdin.take().ok_or("no input to rustfmt")?;
    let writing = std::thread::spawn(move || stdin.write_all(&expanded.stdout));
    let formatted = format.wait_with_output()?;
    writing.join().map_err(|_| "writing to rustfmt panicked")??;
    Ok(String::from_utf8(formatted.stdout)?.lines().filter(|line| !line.trim().is_empty()).count())
}

/// The median, with the least and the most.
fn spread(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    format!("{} ({}–{})", seconds(times[times.len() / 2]), seconds(times[0]), seconds(times[times.len() - 1]))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
