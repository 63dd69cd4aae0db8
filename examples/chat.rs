//! A chat room: many clients, and calls in both directions on each session.
//!
//! ```text
//! cargo run --example chat                                    a room and five guests, in one process, over TCP
//! cargo run --example chat -- --serve 127.0.0.1:9000          a room
//! cargo run --example chat -- --join 127.0.0.1:9000 ANNA      a guest: type lines, end with Ctrl-D or Ctrl-C
//! ```
//!
//! A guest calls the room's service, and serves one itself: the room calls it back with what the others say.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io::BufRead;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use facet::Facet;
use tokio::sync::mpsc;
use vox::Client;

/// What a room serves.
#[vox::service]
trait Room {
    /// Enters under a name. Gives the names of those who are there.
    async fn enter(&self, cx: &vox::Context, name: String) -> Result<Vec<String>, Refused>;

    /// Says something to everybody in the room.
    async fn say(&self, cx: &vox::Context, text: String) -> Result<(), Refused>;
}

/// What a guest serves.
#[vox::service]
trait Guest {
    /// Somebody spoke, came or went.
    async fn hear(&self, line: Line);
}

#[derive(Debug, Clone, PartialEq, Eq, Facet)]
#[repr(u8)]
enum Line {
    Said { name: String, text: String },
    Came { name: String },
    Left { name: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Facet)]
#[repr(u8)]
enum Refused {
    NameTaken(String),
    InTheRoom,
    NotInTheRoom,
    CannotBeCalled(String),
}

/// Lines that a guest may be behind. One who is further behind is shown out: the room waits for nobody.
const BACKLOG: usize = 256;
/// How long a guest may take to hear one line.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Default)]
struct MyRoom {
    /// By the address that their session comes from, which this end's own transport says and a guest cannot choose.
    present: Arc<Mutex<BTreeMap<String, Present>>>,
}

struct Present {
    name: String,
    lines: mpsc::Sender<Line>,
}

impl Room for MyRoom {
    async fn enter(&self, cx: &vox::Context, name: String) -> Result<Vec<String>, Refused> {
        let guest: GuestClient =
            cx.session().open().await.map_err(|error| Refused::CannotBeCalled(error.to_string()))?;
        let address = cx.peer().address().to_owned();
        let (lines, queue) = mpsc::channel(BACKLOG);
        let mut names: Vec<String> = {
            let mut present = self.present();
            if present.contains_key(&address) {
                return Err(Refused::InTheRoom);
            }
            if present.values().any(|other| other.name == name) {
                return Err(Refused::NameTaken(name));
            }
            tell(&mut present, &Line::Came { name: name.clone() });
            present.insert(address.clone(), Present { name, lines });
            present.values().map(|guest| guest.name.clone()).collect()
        };
        // By their addresses they stand in no order that means anything.
        names.sort();
        tokio::spawn(self.clone().attend(address, guest, queue));
        Ok(names)
    }

    async fn say(&self, cx: &vox::Context, text: String) -> Result<(), Refused> {
        // Under one lock, so that everybody hears everything in the same order.
        let mut present = self.present();
        let name = present.get(cx.peer().address()).ok_or(Refused::NotInTheRoom)?.name.clone();
        tell(&mut present, &Line::Said { name, text });
        Ok(())
    }
}

impl MyRoom {
    /// Calls one guest back, line by line, until it is gone or shown out.
    async fn attend(self, address: String, guest: GuestClient, mut queue: mpsc::Receiver<Line>) {
        loop {
            let line = tokio::select! {
                line = queue.recv() => line,
                _ = guest.caller().closed() => None,
            };
            let Some(line) = line else { break };
            if guest.hear(line).timeout(PATIENCE).await.is_err() {
                break;
            }
        }
        self.show_out(&address);
        guest.caller().session().close("you are not in the room any more").await;
    }

    /// One guest has left.
    fn show_out(&self, address: &str) {
        let mut present = self.present();
        if let Some(Present { name, .. }) = present.remove(address) {
            tell(&mut present, &Line::Left { name });
        }
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<String, Present>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues a line for everybody. Who cannot take it loses the queue, and with it the place in the room.
fn tell(present: &mut BTreeMap<String, Present>, line: &Line) {
    let mut gone = Vec::new();
    present.retain(|_, guest| {
        let keeps_up = guest.lines.try_send(line.clone()).is_ok();
        if !keeps_up {
            gone.push(Line::Left { name: guest.name.clone() });
        }
        keeps_up
    });
    for line in gone {
        tell(present, &line);
    }
}

/// Serves what a guest hears by handing it on.
struct Ears(mpsc::Sender<Line>);

impl Guest for Ears {
    async fn hear(&self, line: Line) {
        // A full queue makes the room wait, and in the end lose patience.
        let _ = self.0.send(line).await;
    }
}

/// Enters a room. Gives the client, what is heard, and who is there.
async fn enter(address: &str, name: &str) -> Result<(RoomClient, mpsc::Receiver<Line>, Vec<String>), Box<dyn Error>> {
    let (ears, heard) = mpsc::channel(BACKLOG);
    let room: RoomClient = vox::connect(address).serving(GuestDispatcher::new(Ears(ears))).await?;
    let names = room.enter(name.to_owned()).await?;
    Ok((room, heard, names))
}

/// Five guests read from a script; then the room closes.
async fn demo() -> Result<(), Box<dyn Error>> {
    let server = open_room("tcp://127.0.0.1:0").await?;
    println!("the room is open at {}", server.address());

    let mut guests = Vec::new();
    for name in ["Anna", "Béla", "Chloé", "Dmitri", "Eun-ji"] {
        let (room, heard, names) = enter(&server.address(), name).await?;
        println!("{name} entered and finds: {}", names.join(", "));
        guests.push((name, room, heard));
    }
    match enter(&server.address(), "Anna").await {
        Err(error) => println!("another Anna is refused: {error}"),
        Ok(_) => return Err("two guests have one name".into()),
    }

    // All at once: the room decides in which order.
    let mut speaking = tokio::task::JoinSet::new();
    for (name, room, _) in &guests {
        let (name, room) = (*name, room.clone());
        speaking.spawn(async move {
            room.say(format!("I am {name}.")).await?;
            room.say(format!("And this is {name}'s second line.")).await
        });
    }
    while let Some(said) = speaking.join_next().await {
        said??;
    }
    let (name, room, _) = guests.pop().ok_or("nobody came")?;
    room.caller().session().close("goodbye").await;
    println!("{name} left");

    // Everybody has heard it all once they hear that. Whom they saw come depends on when they came themselves.
    let mut transcripts = Vec::new();
    for (_, _, heard) in &mut guests {
        let mut transcript = Vec::new();
        while transcript.last() != Some(&Line::Left { name: name.to_owned() }) {
            let line = tokio::time::timeout(PATIENCE, heard.recv()).await?.ok_or("the room closed too early")?;
            transcript.push(line);
        }
        transcripts.push(transcript.into_iter().filter(|line| !matches!(line, Line::Came { .. })).collect::<Vec<_>>());
    }
    println!("\nwhat was heard:");
    transcripts[0].iter().for_each(|line| println!("  {line}"));
    if transcripts.iter().any(|transcript| *transcript != transcripts[0]) {
        return Err("the guests heard different things".into());
    }
    println!("{} guests heard the same {} lines in the same order", guests.len(), transcripts[0].len());

    close(&server).await;
    Ok(())
}

async fn open_room(address: &str) -> Result<vox::Server, vox::ServeError> {
    vox::Server::builder().service(RoomDispatcher::new(MyRoom::default())).bind(address).await
}

async fn serve(address: &str) -> Result<(), Box<dyn Error>> {
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let server = tokio::select! {
        // Polled first: Ctrl-C is heard from then on.
        biased;
        pressed = &mut interrupted => return Ok(pressed?),
        opened = open_room(address) => opened?,
    };
    println!("the room is open at {}; end it with Ctrl-C", server.address());
    interrupted.await?;
    close(&server).await;
    Ok(())
}

/// Lets calls come to their end, and tells everybody that the room closes.
async fn close(server: &vox::Server) {
    let report = server.shutdown(PATIENCE).await;
    println!("the room closed on {} guests, {} calls cut off", report.sessions, report.aborted_calls);
}

async fn join(address: &str, name: &str) -> Result<(), Box<dyn Error>> {
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let (room, mut heard, names) = tokio::select! {
        // Polled first: Ctrl-C is heard from then on.
        biased;
        pressed = &mut interrupted => return Ok(pressed?),
        entered = enter(address, name) => entered?,
    };
    println!("in the room: {}", names.join(", "));
    let (typed, mut lines) = mpsc::channel(1);
    // A thread of its own, because reading a terminal blocks; not one that the runtime would wait for.
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| typed.blocking_send(line))
    });
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(text) => room.say(text).await?,
                None => break,
            },
            Some(line) = heard.recv() => println!("{line}"),
            how = room.caller().closed() => return Err(format!("the room is gone: {how}").into()),
            pressed = &mut interrupted => {
                pressed?;
                break;
            }
        }
    }
    // Whatever was said has arrived when this returns, and the room knows that the guest has left.
    room.caller().session().close("goodbye").await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments[..] {
        [] => demo().await,
        ["--serve", address] => serve(address).await,
        ["--join", address, name] => join(address, name).await,
        _ => Err("usage: chat [--serve ADDRESS | --join ADDRESS NAME]".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: {error}");
            ExitCode::FAILURE
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { name, text } => write!(f, "{name}: {text}"),
            Self::Came { name } => write!(f, "({name} came)"),
            Self::Left { name } => write!(f, "({name} left)"),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken(name) => write!(f, "somebody is called {name} already"),
            Self::InTheRoom => f.write_str("you are in the room already"),
            Self::NotInTheRoom => f.write_str("enter the room before you speak"),
            Self::CannotBeCalled(why) => write!(f, "a guest has to serve `Guest`: {why}"),
        }
    }
}

impl Error for Refused {}
