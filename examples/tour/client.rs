//! The client: calls the bank, breaks things, and says what it saw.

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use vox::{MethodError, OperationId, Rx, Tx, VoxError};

use crate::cable::Cable;
use crate::process::ServerProcess;
use crate::rows::{BadRow, Rows};
use crate::service::{BankClient, Event, Money, Progress, Row, WeatherClient};

/// How many bad lines of a file are shown.
const SHOWN: usize = 10;
/// How long an event may take that is sure to come.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn run(file: &Path) -> Result<(), Box<dyn Error>> {
    let rows = Rows::open(file)?;

    heading("Two processes");
    let server = ServerProcess::start()?;
    println!("started a server: process {}, {}", server.id(), server.address());
    let bank: BankClient = vox::connect(server.address()).await?;
    println!("connected");
    let interrupted = tokio::select! {
        shown = show(&bank, server.address(), rows) => shown.map(|()| false)?,
        pressed = tokio::signal::ctrl_c() => pressed.map(|()| true)?,
    };
    if interrupted {
        heading("Ctrl-C");
        // What is under way ends on both sides: half an import is not taken for a whole one.
        vox::Client::caller(&bank).session().close("interrupted").await;
    }

    heading("An orderly end");
    for line in server.stop()?.lines() {
        println!("server: {line}");
    }
    if interrupted { Ok(()) } else { power_cut().await }
}

async fn show(bank: &BankClient, address: &str, rows: Rows) -> Result<(), Box<dyn Error>> {
    let mut feed = Feed::open(bank).await?;
    calls(bank, &mut feed).await?;
    lost_link(address).await?;
    paid_once(bank, &mut feed).await?;
    import(bank, &mut feed, rows).await?;
    cancel(bank, &mut feed).await?;
    deadline(bank, &mut feed).await?;
    panic(bank).await?;
    refusal(bank).await
}

/// Calls, and the application's own errors.
async fn calls(bank: &BankClient, feed: &mut Feed) -> Result<(), Box<dyn Error>> {
    heading("Calls");
    println!("account 7 holds {}", Money(bank.balance(7).await?));
    let left = bank.transfer(7, 8, 25_000).await?;
    println!("250.00 sent from 7 to 8: 7 holds {}", Money(left));
    feed.until(|event| matches!(event, Event::Transferred { .. })).await?;
    failed("sending 9999.00 more", bank.transfer(7, 8, 999_900).await)?;
    failed("asking for account 4711", bank.balance(4711).await)
}

/// A session outlives its link: its calls and channels go on over the next one.
async fn lost_link(address: &str) -> Result<(), Box<dyn Error>> {
    heading("A lost link");
    let cable = Cable::to(address).await?;
    let bank: BankClient = vox::connect(cable.address()).await?;
    let mut feed = Feed::open(&bank).await?;
    let paying = tokio::spawn(bank.pay(9, 10, 5_000));
    feed.until(|event| matches!(event, Event::PaymentStarted { .. })).await?;
    cable.cut();
    println!("cut the link in the middle of a payment");
    println!("its answer came over the next link: 9 holds {}", Money(paying.await??));
    feed.until(|event| matches!(event, Event::Transferred { .. })).await?;
    println!("and so did the feed's event: it is the same session");
    vox::Client::caller(&bank).session().close("done").await;
    Ok(())
}

/// A `persist` method runs once for one operation id, and all who ask under that id get its outcome.
async fn paid_once(bank: &BankClient, feed: &mut Feed) -> Result<(), Box<dyn Error>> {
    heading("A payment that is made once");
    let id = OperationId::new();
    let paying = tokio::spawn(bank.pay(7, 8, 10_000).operation(id));
    feed.until(|event| matches!(event, Event::PaymentStarted { from: 7, .. })).await?;
    paying.abort();
    println!("gave up waiting: whether it was made is not known here");
    println!("asked again under its id: 7 holds {}", Money(bank.pay(7, 8, 10_000).operation(id).await?));
    println!("and once more: 7 holds {}", Money(bank.pay(7, 8, 10_000).operation(id).await?));
    feed.until(|event| matches!(event, Event::Transferred { from: 7, .. })).await?;
    println!("it was made once: 7 holds {}", Money(bank.balance(7).await?));
    Ok(())
}

/// A channel each way: rows go out, reports come in.
async fn import(bank: &BankClient, feed: &mut Feed, rows: Rows) -> Result<(), Box<dyn Error>> {
    heading("An import");
    println!("reading {}", rows.file());
    let began = Instant::now();
    let (tx, rx) = vox::channel();
    let (reports, mut reported) = vox::channel();
    let importing = tokio::spawn(bank.import(rx, reports));
    // Reading a file blocks, so it has a thread of its own. `send` waits for the server to keep up.
    let runtime = tokio::runtime::Handle::current();
    let reading = tokio::task::spawn_blocking(move || runtime.block_on(send_all(rows, tx)));
    // Where the reports break off, the call says why.
    while let Ok(Some(sum)) = reported.recv().await {
        println!("  the server has booked {} rows", sum.rows);
    }
    let Sent { sum: sent, left_out, bad } = match reading.await? {
        Ok(read) => read,
        Err(error) => {
            importing.abort();
            return Err(error);
        }
    };
    let booked = importing.await??;
    let took = began.elapsed();

    for bad in &bad {
        println!("  left out {bad}");
    }
    if left_out > bad.len() {
        println!("  left out {} more", left_out - bad.len());
    }
    let pace = booked.rows as f64 / took.as_secs_f64();
    println!("{} rows, {} in all, {} lines left out", booked.rows, Money(booked.cents), left_out);
    println!("{} ms, {pace:.0} rows/s", took.as_millis());
    if booked != sent {
        return Err(format!("sent {sent:?}, but the server booked {booked:?}").into());
    }
    println!("what was sent and what was booked are the same");
    feed.until(|event| matches!(event, Event::Imported(_))).await
}

/// What became of a file.
#[derive(Default)]
struct Sent {
    sum: Progress,
    left_out: usize,
    /// The first of them.
    bad: Vec<BadRow>,
}

async fn send_all(mut rows: Rows, tx: Tx<Row>) -> Result<Sent, Box<dyn Error + Send + Sync>> {
    let mut sent = Sent::default();
    // Where a line cannot be read, `tx` is dropped without a close, and the server knows that this is not the whole file.
    while let Some(row) = rows.next()? {
        match row {
            Ok(row) => {
                sent.sum.rows += 1;
                sent.sum.cents += row.cents;
                tx.send(row).await?;
            }
            Err(row) => {
                sent.left_out += 1;
                if sent.bad.len() < SHOWN {
                    sent.bad.push(row);
                }
            }
        }
    }
    tx.close();
    Ok(sent)
}

/// Dropping a call's future cancels the call.
async fn cancel(bank: &BankClient, feed: &mut Feed) -> Result<(), Box<dyn Error>> {
    heading("A cancel");
    let auditing = tokio::spawn(bank.audit(7));
    feed.until(|event| matches!(event, Event::AuditStarted { .. })).await?;
    let cancelled = Instant::now();
    auditing.abort();
    println!("dropped the call");
    feed.until(|event| *event == Event::AuditStopped { account: 7, finished: false }).await?;
    println!("its handler had stopped {} ms later", cancelled.elapsed().as_millis());
    Ok(())
}

/// A deadline holds on both sides.
async fn deadline(bank: &BankClient, feed: &mut Feed) -> Result<(), Box<dyn Error>> {
    heading("A deadline");
    let began = Instant::now();
    failed("an audit in 50 ms", bank.audit(9).timeout(Duration::from_millis(50)).await)?;
    println!("the caller knew after {} ms", began.elapsed().as_millis());
    feed.until(|event| *event == Event::AuditStopped { account: 9, finished: false }).await
}

/// A handler's panic is its own call's affair.
async fn panic(bank: &BankClient) -> Result<(), Box<dyn Error>> {
    heading("A panic");
    println!("May turned over {}", Money(bank.turnover(5).await?));
    failed("the turnover of month 13", bank.turnover(13).await)?;
    println!("the next call is answered: June turned over {}", Money(bank.turnover(6).await?));
    Ok(())
}

/// What is not there is refused, with the reason.
async fn refusal(bank: &BankClient) -> Result<(), Box<dyn Error>> {
    heading("A refusal");
    match vox::Client::caller(bank).session().open::<WeatherClient>().await {
        Err(error) => println!("opening the service `Weather`: {error}"),
        Ok(_) => return Err("the bank tells the weather".into()),
    }
    match vox::connect::<BankClient>("tcp://127.0.0.1:1").await {
        Err(error) => println!("connecting where nobody listens: {error}"),
        Ok(_) => return Err("somebody listens at port 1".into()),
    }
    Ok(())
}

/// A server that is gone without a word.
async fn power_cut() -> Result<(), Box<dyn Error>> {
    heading("A power cut");
    let server = ServerProcess::start()?;
    // Otherwise it would wait for the server to come back, and so would every call, up to its deadline.
    let bank: BankClient = vox::connect(server.address()).no_reconnect().await?;
    let mut feed = Feed::open(&bank).await?;
    let auditing = tokio::spawn(bank.audit(7));
    feed.until(|event| matches!(event, Event::AuditStarted { .. })).await?;
    server.kill()?;
    println!("killed a server in the middle of an audit");
    failed("the audit", auditing.await?)?;
    failed("a call after that", bank.balance(7).await)?;
    match feed.0.recv().await {
        Err(error) => println!("the feed: {error}"),
        Ok(event) => return Err(format!("the feed went on: {event:?}").into()),
    }
    Ok(())
}

/// What the bank tells its watchers.
struct Feed(Rx<Event>);

impl Feed {
    async fn open(bank: &BankClient) -> Result<Self, Box<dyn Error>> {
        let (tx, rx) = vox::channel();
        bank.watch(tx).await?;
        Ok(Self(rx))
    }

    /// Prints events up to the one that is waited for.
    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Result<(), Box<dyn Error>> {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.0.recv()).await??.ok_or("the bank closed its feed")?;
            println!("  feed: {event}");
            if wanted(&event) {
                return Ok(());
            }
        }
    }
}

fn heading(title: &str) {
    println!("\n{title}");
}

/// Shows a failure that was meant to happen. `ran` is what a caller needs to know before it tries again.
fn failed<T, E: MethodError>(what: &str, result: Result<T, VoxError<E>>) -> Result<(), Box<dyn Error>> {
    match result {
        Err(error) => println!("{what}: {error} [{}; ran: {:?}]", error.kind(), error.ran()),
        Ok(_) => return Err(format!("{what} went well, and should not have").into()),
    }
    Ok(())
}
