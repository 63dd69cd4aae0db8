//! A link with delay and a rate, in user space: a process of its own, so that the processor time of contenders has nothing of it.
//!
//! Each direction of a connection has a token bucket, which is the bottleneck, and a delay line behind it, with a thread each: the timers of a
//! runtime are too coarse for a tenth of a millisecond. Where there is a rate, segments are as long as on Ethernet and the buffers of the line's
//! sockets are small, so that what waits for the bottleneck waits in the contender's own socket, as it would in front of a slow uplink.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::sockets;
use crate::contender::{Carrier, Fault};

/// What a link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    /// There and back.
    pub(super) rtt: Duration,
    /// Bits in a second each way; any number where it is 0.
    pub(super) rate: u64,
}

/// What is read at once where there is no rate.
const LARGEST_READ: usize = 64 << 10;
/// How much may be on its way in one direction: so many reads.
const IN_FLIGHT: usize = 4096;
/// What the bucket lets through without a wait.
const BURST: Duration = Duration::from_micros(500);
/// How much the bucket holds: what a thread that overslept catches up with.
const DEPTH: Duration = Duration::from_millis(2);

impl Line {
    fn delay(self) -> Duration {
        self.rtt / 2
    }

    /// How long so many bytes take to pass the bottleneck.
    fn takes(self, bytes: usize) -> Duration {
        match self.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64),
        }
    }

    /// As much as passes in half a millisecond, but a segment at least.
    fn read_at_once(self) -> usize {
        match self.rate {
            0 => LARGEST_READ,
            rate => usize::try_from(rate / 16_000).unwrap_or(LARGEST_READ).clamp(sockets::SEGMENT, LARGEST_READ),
        }
    }
}

// ---- the process that measures ----

/// The process of a line, as the one that measures has it. It ends with it.
pub(super) struct Laid {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Laid {
    /// Lays a line to a server.
    pub(super) fn to(server: &str, carrier: Carrier, line: Line) -> Result<Self, Fault> {
        let kind = if carrier == Carrier::Udp { "udp" } else { "tcp" };
        let mut process = Command::new(std::env::current_exe()?)
            .args(["wan-line", server, kind, &line.rtt.as_micros().to_string(), &line.rate.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        let mut laid = Self { process, output, address: String::new() };
        laid.address = laid.hear()?;
        Ok(laid)
    }

    /// Where it takes connections.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Closes both sockets of every connection, and refuses others for so long.
    pub(super) fn cut(&mut self, away: Duration) -> Result<(), Fault> {
        let input = self.process.stdin.as_mut().ok_or("no standard input")?;
        writeln!(input, "{}", away.as_millis())?;
        self.hear().map(|_| ())
    }

    fn hear(&mut self) -> Result<String, Fault> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim_end() {
            "" => Err("the line said nothing".into()),
            said => Ok(said.to_owned()),
        }
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

// ---- the line's own process ----

/// Carries until its standard input ends.
pub(crate) fn carry(arguments: &[String]) -> Result<(), Fault> {
    let [server, kind, micros, rate] = arguments else { return Err("wan-line <server> <kind> <µs> <bit/s>".into()) };
    let line = Line { rtt: Duration::from_micros(micros.parse()?), rate: rate.parse()? };
    let server: SocketAddr = server.parse()?;
    if kind == "udp" {
        return super::datagrams::carry(server, line);
    }
    let open = Open::default();
    let mut listener = sockets::listen("127.0.0.1:0".parse()?, line.rate != 0)?;
    let address = listener.local_addr()?;
    take(&listener, server, line, &open)?;
    println!("{address}");
    for word in std::io::stdin().lines() {
        let away = Duration::from_millis(word?.parse()?);
        // A socket that is shut down listens no longer, and the thread in it ends.
        sockets::stop_listening(listener.as_raw_fd());
        drop(listener);
        open.close();
        println!("cut");
        thread::sleep(away);
        listener = sockets::listen(address, line.rate != 0)?;
        take(&listener, server, line, &open)?;
    }
    Ok(())
}

/// The sockets of all connections.
#[derive(Clone, Default)]
struct Open(Arc<Mutex<Vec<TcpStream>>>);

impl Open {
    fn add(&self, stream: &TcpStream) -> std::io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        Ok(())
    }

    fn close(&self) {
        for stream in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Takes connections in a thread, until nobody listens any longer.
fn take(listener: &TcpListener, server: SocketAddr, line: Line, open: &Open) -> Result<(), Fault> {
    let (listener, open) = (listener.try_clone()?, open.clone());
    thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let _ = join(&near, server, line, &open);
        }
    });
    Ok(())
}

/// Carries between one client and the server.
fn join(near: &TcpStream, server: SocketAddr, line: Line, open: &Open) -> Result<(), Fault> {
    let far = sockets::connect(server, line.rate != 0)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    open.add(near)?;
    open.add(&far)?;
    for (from, to) in [(near, &far), (&far, near)] {
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let (departed, arriving) = sync_channel(IN_FLIGHT);
        thread::spawn(move || squeeze(from, line, &departed));
        thread::spawn(move || delay(&arriving, to));
    }
    Ok(())
}

/// The bottleneck: reads no faster than the rate.
fn squeeze(mut from: TcpStream, line: Line, departed: &SyncSender<(Instant, Vec<u8>)>) {
    sockets::sleep_precisely();
    let mut bytes = vec![0; line.read_at_once()];
    let mut free_at = Instant::now();
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let now = Instant::now();
        free_at = free_at.max(now - DEPTH) + line.takes(read);
        if departed.send((free_at.max(now) + line.delay(), bytes[..read].to_vec())).is_err() {
            return;
        }
        if let Some(wait) = free_at.checked_duration_since(Instant::now() + BURST) {
            thread::sleep(wait);
        }
    }
}

/// The way itself.
fn delay(arriving: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    sockets::sleep_precisely();
    while let Ok((at, bytes)) = arriving.recv() {
        sleep_until(at);
        if to.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

pub(super) fn sleep_until(at: Instant) {
    if let Some(wait) = at.checked_duration_since(Instant::now()) {
        thread::sleep(wait);
    }
}

impl Line {
    /// For what has no back pressure: when something of so many bytes arrives, and `free_at` moves on. `None`: it finds the queue full.
    pub(super) fn passes(self, bytes: usize, queue: Duration, free_at: &mut Instant) -> Option<Instant> {
        let now = Instant::now();
        let begins = (*free_at).max(now);
        if begins - now > queue {
            return None;
        }
        *free_at = begins + self.takes(bytes);
        Some(*free_at + self.delay())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_a_bottleneck_takes_its_time_and_a_full_queue_drops() {
        let line = Line { rtt: Duration::from_millis(50), rate: 10_000_000 };
        assert_eq!(line.takes(1_250_000), Duration::from_secs(1));
        let began = Instant::now();
        let mut free_at = began;
        let mut last = began;
        for _ in 0..10 {
            let arrives = line.passes(12_500, Duration::from_millis(95), &mut free_at).expect("there is room");
            assert!(arrives >= last + Duration::from_millis(10) && arrives >= began + Duration::from_millis(35));
            last = arrives;
        }
        assert_eq!(line.passes(12_500, Duration::ZERO, &mut free_at), None);
        assert!(free_at >= began + Duration::from_millis(100));
    }

    #[test]
    fn without_a_rate_nothing_waits_for_the_bottleneck() {
        let line = Line { rtt: Duration::from_millis(10), rate: 0 };
        assert_eq!((line.takes(1 << 30), line.read_at_once()), (Duration::ZERO, LARGEST_READ));
    }
}
