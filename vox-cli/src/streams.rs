//! Channels of a call: fed from a file or from standard input, and printed as their items come.

use std::io::{self, Write};
use std::path::PathBuf;

use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use vox::SendError;
use vox::dynamic::{Channels, ValueRx, ValueTx};

use crate::failure::Failure;
use crate::text::{quoted, shown};

/// The longest line that is read for an item.
const MAX_LINE: u64 = 16 << 20;

/// A channel that this end feeds, and where from.
pub(crate) struct Feed {
    path: String,
    sender: ValueTx,
    source: Source,
}

enum Source {
    Input,
    File(PathBuf),
}

/// A channel that this end reads.
pub(crate) struct Drain {
    path: String,
    receiver: ValueRx,
    /// There are others, so each item says which channel it is of.
    is_one_of_many: bool,
}

/// What to do with the channels of a call. Each that this end sends on needs a source.
pub(crate) fn plan(mut channels: Channels, sources: &[(String, String)]) -> Result<(Vec<Feed>, Vec<Drain>), Failure> {
    let paths: Vec<String> = channels.paths().map(str::to_owned).collect();
    let (mut feeds, mut drains) = (Vec::new(), Vec::new());
    for path in &paths {
        let source = sources.iter().find(|(place, _)| place == path).map(|(_, source)| source.as_str());
        if let Some(receiver) = channels.receiver(path) {
            if source.is_some() {
                return Err(Failure::Usage(format!("the server sends on `{}`: it needs no source", shown(path))));
            }
            drains.push(Drain { path: path.clone(), receiver, is_one_of_many: false });
        } else if let Some(sender) = channels.sender(path) {
            let source = match source {
                Some("-") => Source::Input,
                Some(file) => Source::File(file.trim_start_matches('@').into()),
                None => {
                    let path = shown(path);
                    let why = format!("`{path}` takes items: say where they are, as `{path}=-` or `{path}=@FILE`");
                    return Err(Failure::Usage(why));
                }
            };
            feeds.push(Feed { path: path.clone(), sender, source });
        }
    }
    if let Some((place, _)) = sources.iter().find(|(place, _)| !paths.contains(place)) {
        let known = paths.iter().map(|path| shown(path)).collect::<Vec<_>>().join(" ");
        return Err(Failure::Usage(format!("there is no channel at `{}`; there are: {known}", shown(place))));
    }
    if feeds.iter().filter(|feed| matches!(feed.source, Source::Input)).count() > 1 {
        return Err(Failure::Usage("two channels cannot both be fed from standard input".to_owned()));
    }
    let is_one_of_many = drains.len() > 1;
    drains.iter_mut().for_each(|drain| drain.is_one_of_many = is_one_of_many);
    Ok((feeds, drains))
}

impl Feed {
    /// Sends an item for each line, as fast as the server takes them, and closes the channel. What cannot be read, or is no item, aborts it.
    /// `Err` says why.
    pub(crate) async fn run(self) -> Result<(), String> {
        let Self { path, sender, source } = self;
        let fed = match source {
            Source::Input => feed(&sender, BufReader::new(tokio::io::stdin())).await,
            Source::File(file) => match File::open(&file).await {
                Ok(open) => feed(&sender, BufReader::new(open)).await,
                Err(error) => Err(format!("{}: {error}", file.display())),
            },
        };
        match fed {
            Ok(()) => {
                sender.close();
                Ok(())
            }
            Err(why) => {
                sender.abort(&why);
                Err(format!("`{}`: {why}", shown(&path)))
            }
        }
    }
}

/// `Ok` also where the server has left: the outcome of the call says more.
async fn feed(sender: &ValueTx, mut lines: impl AsyncBufRead + Unpin) -> Result<(), String> {
    let mut line = String::new();
    for number in 1_u64.. {
        line.clear();
        let mut bounded = (&mut lines).take(MAX_LINE);
        let read = tokio::select! {
            biased;
            _left = sender.closed() => return Ok(()),
            read = bounded.read_line(&mut line) => read,
        };
        match read {
            Ok(0) => break,
            Ok(_) if line.len() as u64 == MAX_LINE && !line.ends_with('\n') => {
                return Err(format!("line {number} is longer than {MAX_LINE} bytes"));
            }
            Ok(_) => {}
            Err(error) => return Err(format!("line {number}: {error}")),
        }
        if line.trim().is_empty() {
            continue;
        }
        match sender.send_json(line.trim()).await {
            Ok(()) => {}
            Err(error @ SendError::InvalidItem(_)) => return Err(format!("line {number}: {error}")),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

impl Drain {
    /// Prints each item on a line, as it comes. `Err` says why that ended before the channel was closed.
    pub(crate) async fn run(mut self) -> Result<(), String> {
        loop {
            let line = match self.receiver.recv_json().await {
                Ok(Some(item)) if self.is_one_of_many => {
                    format!("{{\"channel\":{},\"item\":{item}}}", quoted(&self.path))
                }
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                Err(error) => return Err(format!("`{}`: {error}", shown(&self.path))),
            };
            print(&line).map_err(|error| format!("standard output: {error}"))?;
        }
    }
}

/// Prints a line. Not by `println`, which panics where nobody reads it any more.
pub(crate) fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}
