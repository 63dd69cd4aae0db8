//! What the client knows of its transfers, on its disk: under which id each was first tried, and its outcome.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::str::FromStr;

use vox::OperationId;

/// The journal of one list. An entry is a line: the transfer's place in the list, its operation, and an outcome or `tried`.
pub struct Journal {
    file: File,
    entries: BTreeMap<usize, Entry>,
}

#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub operation: OperationId,
    pub outcome: Option<Outcome>,
}

/// What a transfer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Applied,
    Refused,
    /// Nobody knows.
    Indeterminate,
}

const OUTCOMES: [(Outcome, &str); 3] =
    [(Outcome::Applied, "applied"), (Outcome::Refused, "refused"), (Outcome::Indeterminate, "indeterminate")];
const TRIED: &str = "tried";

impl Journal {
    /// Opens a journal, or begins one. A last line that is not whole was being written when its client was killed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.seek(io::SeekFrom::End(0))?;
        let mut entries = BTreeMap::new();
        for line in text[..whole].lines() {
            let (place, entry) = parse(line).ok_or_else(|| io::Error::other(format!("no journal's line: {line}")))?;
            entries.insert(place, entry);
        }
        Ok(Self { file, entries })
    }

    pub fn entries(&self) -> impl Iterator<Item = (usize, Entry)> {
        self.entries.iter().map(|(place, entry)| (*place, *entry))
    }

    /// Gives each of the first `count` transfers an operation that has none, and has it on the disk before any is tried:
    /// a client that was killed must try again under the same ids.
    pub fn begin(&mut self, count: usize) -> io::Result<()> {
        let mut lines = String::new();
        for place in 0..count {
            self.entries.entry(place).or_insert_with(|| {
                let operation = OperationId::new();
                lines += &format!("{place} {operation} {TRIED}\n");
                Entry { operation, outcome: None }
            });
        }
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()
    }

    /// Notes how a transfer ended.
    pub fn note(&mut self, place: usize, outcome: Outcome) -> io::Result<()> {
        let Some(entry) = self.entries.get_mut(&place) else { return Ok(()) };
        entry.outcome = Some(outcome);
        let line = format!("{place} {} {outcome}\n", entry.operation);
        self.file.write_all(line.as_bytes())
    }

    /// Has everything on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

fn parse(line: &str) -> Option<(usize, Entry)> {
    let mut words = line.split(' ');
    let place = words.next()?.parse().ok()?;
    let operation = words.next()?.parse().ok()?;
    let outcome = match words.next()? {
        TRIED => None,
        word => Some(word.parse().ok()?),
    };
    Some((place, Entry { operation, outcome }))
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = OUTCOMES.iter().find(|(outcome, _)| outcome == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Outcome {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        OUTCOMES.iter().find(|(_, name)| *name == word).map(|(outcome, _)| *outcome).ok_or(())
    }
}
