//! One contender in one cell: its runtime, its connection, and the process that serves it where that is another.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::contender::{Client, Contender, Fault, Item, Link, Setting, Times, Work};
use crate::measure::{Sample, Stopwatch};
use crate::patience;
use crate::scenario::Scenario;

/// One contender, connected.
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    // Before the runtime, which its connection needs. It is away only while it works.
    client: Option<Box<dyn Client>>,
    runtime: Option<Runtime>,
    other: Option<Other>,
    /// Whether the runtime has threads of its own.
    threaded: bool,
}

impl Lane {
    pub(crate) fn start(contender: &dyn Contender, scenario: &Scenario) -> Result<Self, Fault> {
        let runtime = runtime(scenario.threads)?;
        let mut other = None;
        let setting = scenario.setting;
        let connecting = async {
            if setting.link == Link::Memory {
                return contender.in_memory(setting).await;
            }
            let address = match scenario.two_processes {
                false => contender.serve(setting).await?,
                true => other.insert(Other::start(contender.name(), setting, scenario.threads)?).address.clone(),
            };
            contender.connect(address, setting).await
        };
        let client = patience::block_on(&runtime, contender.name(), connecting)?;
        let threaded = scenario.threads > 1;
        Ok(Self { name: contender.name(), client: Some(client), runtime: Some(runtime), other, threaded })
    }

    /// Does the work once.
    pub(crate) fn batch(&mut self, work: Work) -> Result<Sample, Fault> {
        let watch = Stopwatch::start(self.other.as_ref().map(|other| other.process.id()))?;
        self.run(work, None)?;
        Ok(watch.stop(work.operations())?)
    }

    /// Does the work once, and says how long each call took.
    pub(crate) fn timed(&mut self, work: Work) -> Result<Times, Fault> {
        let mut times = Times::new();
        self.run(work, Some(&mut times))?;
        Ok(times)
    }

    fn run(&mut self, work: Work, times: Option<&mut Times>) -> Result<(), Fault> {
        let (Some(runtime), Some(mut client)) = (&self.runtime, self.client.take()) else {
            return Err("what failed before cannot go on".into());
        };
        if !self.threaded {
            patience::block_on(runtime, self.name, client.run(work, times))?;
            self.client = Some(client);
            return Ok(());
        }
        // Where there are workers, the client is one of their tasks, as a user's would be.
        let mut own = Times::new();
        let timed = times.is_some();
        let task = runtime.spawn(async move {
            let done = client.run(work, timed.then_some(&mut own)).await;
            (client, own, done)
        });
        let (client, mut own, done) = patience::block_on(runtime, self.name, async { Ok(task.await?) })?;
        self.client = Some(client);
        if let Some(times) = times {
            times.append(&mut own);
        }
        done
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.client = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(100));
        }
    }
}

/// A runtime of one thread, the caller's, or of so many workers.
pub(crate) fn runtime(threads: usize) -> Result<Runtime, Fault> {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    Ok(builder.enable_all().build()?)
}

/// The process that serves.
pub(crate) struct Other {
    pub(crate) process: Child,
    pub(crate) address: String,
}

impl Other {
    pub(crate) fn start(name: &str, setting: Setting, threads: usize) -> Result<Self, Fault> {
        Self::start_as("serve", name, setting, threads)
    }

    /// As [`start`](Self::start), but its sockets keep little of what they send.
    pub(crate) fn start_with_small_buffers(name: &str, setting: Setting, threads: usize) -> Result<Self, Fault> {
        Self::start_as("serve-with-small-buffers", name, setting, threads)
    }

    fn start_as(command: &str, name: &str, setting: Setting, threads: usize) -> Result<Self, Fault> {
        let process = Command::new(std::env::current_exe()?)
            .args([command, name, &threads.to_string()])
            .args(words(setting))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut other = Self { process, address: String::new() };
        let said = patience::read(&mut other.process, patience::BATCH, |output| {
            let mut line = String::new();
            BufReader::new(output).read_line(&mut line).map(|_| line)
        })?;
        other.address = said.trim_end().to_owned();
        match other.address.is_empty() {
            true => Err("the server said no address".into()),
            false => Ok(other),
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(path) = self.address.strip_prefix("unix://") {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A setting as far as a server cares: the link, the kind of work, and the size of a message.
fn words(setting: Setting) -> [String; 3] {
    let link = if setting.link == Link::Unix { "unix" } else { "tcp" };
    let (kind, bytes) = match setting.work {
        Work::Blob { bytes, .. } => ("blob", bytes),
        Work::Stream { .. } => ("stream", 0),
        Work::Records { .. } => ("records", 0),
        Work::Echo { .. } | Work::Hold { .. } => ("echo", 0),
    };
    [link.to_owned(), kind.to_owned(), bytes.to_string()]
}

/// What the words say.
fn setting(words: &[String]) -> Result<Setting, Fault> {
    let [link, kind, bytes] = words else { return Err("a setting is three words".into()) };
    let work = match kind.as_str() {
        "blob" => Work::Blob { calls: 1, bytes: bytes.parse()? },
        "stream" => Work::Stream { items: 1, item: Item::Number },
        "records" => Work::Records { calls: 1, records: 1 },
        _ => Work::Echo { calls: 1, in_flight: 1 },
    };
    Ok(Setting { link: if link == "unix" { Link::Unix } else { Link::Tcp }, work, kept: false })
}

/// The other process: serves until its standard input ends, so it never outlives who started it.
/// `prepared`: what is done to its sockets once it listens.
pub(crate) fn serve(
    contenders: &[Box<dyn Contender>],
    arguments: &[String],
    prepared: impl FnOnce() -> std::io::Result<()>,
) -> Result<(), Fault> {
    let [name, threads, words @ ..] = arguments else { return Err("serve <contender> <threads> <setting>".into()) };
    let setting = setting(words)?;
    let contender =
        contenders.iter().find(|contender| contender.name() == name).ok_or_else(|| format!("no contender `{name}`"))?;
    crate::memory::raise_file_limit();
    runtime(threads.parse()?)?.block_on(async {
        let address = contender.serve(setting).await?;
        prepared()?;
        println!("{address}");
        let (over, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = over.send(());
        });
        ended.await?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_told_to_the_other_process() {
        for work in [Work::Echo { calls: 1, in_flight: 1 }, Work::Blob { calls: 1, bytes: 1 << 24 }] {
            for link in [Link::Tcp, Link::Unix] {
                let told = Setting { link, work, kept: false };
                assert_eq!(setting(&words(told)).ok(), Some(told));
            }
        }
    }
}
