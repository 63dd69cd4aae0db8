//! The same for datagrams: a client's, which come from one address, and the server's back to it. What finds the queue full is dropped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::line::{Line, sleep_until};
use super::sockets;
use crate::contender::Fault;

/// What may wait for the bottleneck: as much as a small router keeps.
const QUEUE: Duration = Duration::from_millis(200);
/// The longest datagram.
const LONGEST: usize = 64 << 10;

/// Carries until its standard input ends.
pub(super) fn carry(server: SocketAddr, line: Line) -> Result<(), Fault> {
    let near = UdpSocket::bind("127.0.0.1:0")?;
    println!("{}", near.local_addr()?);
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&is_cut);
    thread::spawn(move || from_clients(&near, server, line, &cut));
    for word in std::io::stdin().lines() {
        let away = Duration::from_millis(word?.parse()?);
        is_cut.store(true, Ordering::Relaxed);
        println!("cut");
        thread::sleep(away);
        is_cut.store(false, Ordering::Relaxed);
    }
    Ok(())
}

fn from_clients(near: &UdpSocket, server: SocketAddr, line: Line, is_cut: &Arc<AtomicBool>) {
    // The thread that sends to the server, of each client.
    let mut ways: HashMap<SocketAddr, Sender<Vec<u8>>> = HashMap::new();
    let mut bytes = vec![0; LONGEST];
    while let Ok((read, client)) = near.recv_from(&mut bytes) {
        if is_cut.load(Ordering::Relaxed) {
            continue;
        }
        let way = match ways.entry(client) {
            Entry::Occupied(way) => way.into_mut(),
            Entry::Vacant(free) => {
                let Ok(way) = join(near, client, server, line, is_cut) else { return };
                free.insert(way)
            }
        };
        let _ = way.send(bytes[..read].to_vec());
    }
}

/// Carries between one client and the server. What is sent to the sender leaves for the server.
fn join(
    near: &UdpSocket,
    client: SocketAddr,
    server: SocketAddr,
    line: Line,
    is_cut: &Arc<AtomicBool>,
) -> Result<Sender<Vec<u8>>, Fault> {
    let far = UdpSocket::bind("127.0.0.1:0")?;
    far.connect(server)?;
    let (sent, sending) = channel();
    let (to_server, from_server) = (far.try_clone()?, far);
    let up = delay(move |bytes| to_server.send(bytes).is_ok());
    thread::spawn(move || {
        let mut free_at = Instant::now();
        while let Ok(bytes) = sending.recv() {
            pass(line, bytes, &mut free_at, &up);
        }
    });
    let near = near.try_clone()?;
    let down = delay(move |bytes| near.send_to(bytes, client).is_ok());
    let is_cut = Arc::clone(is_cut);
    thread::spawn(move || {
        let (mut free_at, mut bytes) = (Instant::now(), vec![0; LONGEST]);
        loop {
            // The server's socket may be gone for a moment, which is an error of this one.
            let Ok(read) = from_server.recv(&mut bytes) else { continue };
            if !is_cut.load(Ordering::Relaxed) {
                pass(line, bytes[..read].to_vec(), &mut free_at, &down);
            }
        }
    });
    Ok(sent)
}

fn pass(line: Line, bytes: Vec<u8>, free_at: &mut Instant, on: &Sender<(Instant, Vec<u8>)>) {
    if let Some(arrives) = line.passes(bytes.len(), QUEUE, free_at) {
        let _ = on.send((arrives, bytes));
    }
}

/// The way itself, with a thread of its own.
fn delay(to: impl Fn(&[u8]) -> bool + Send + 'static) -> Sender<(Instant, Vec<u8>)> {
    // What is in it is bounded by the rate, or by what the peers' congestion control lets them send.
    let (sent, arriving) = channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        sockets::sleep_precisely();
        while let Ok((at, bytes)) = arriving.recv() {
            sleep_until(at);
            to(&bytes);
        }
    });
    sent
}
