//! Reads transfers from a CSV file, and says of every line that is none why.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use csv::StringRecord;

use crate::service::{Date, Row};

const HEADER: [&str; 6] = ["id", "from", "to", "cents", "date", "text"];
/// More than anybody has, and little enough that sums of it fit.
const MOST_CENTS: u64 = 1_000_000_000_000;

/// The rows of one file.
pub struct Rows {
    file: String,
    reader: csv::Reader<File>,
    record: StringRecord,
    lines: Lines,
}

/// A line that is no transfer. The lines after it are not affected.
#[derive(Debug)]
pub struct BadRow {
    pub line: u64,
    pub reason: String,
}

/// The file is no use: it cannot be read, or is not a list of transfers at all.
#[derive(Debug)]
pub struct BadFile(String);

impl Rows {
    pub fn open(path: &Path) -> Result<Self, BadFile> {
        // A path below the current directory is shown from there.
        let shown = std::env::current_dir().ok().and_then(|dir| path.strip_prefix(dir).ok().map(Path::to_path_buf));
        let file = shown.as_deref().unwrap_or(path).display().to_string();
        let open = || File::open(path).map_err(|error| BadFile(format!("cannot read {file}: {error}")));
        let lines = Lines { file: BufReader::new(open()?), read: 0, line: 1 };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(open()?);
        let header = reader.headers().map_err(|error| BadFile(format!("{file}, line 1: {}", why(error))))?;
        if !header.iter().eq(HEADER) {
            let found = header.iter().collect::<Vec<_>>().join(",");
            let wanted = HEADER.join(",");
            return Err(BadFile(format!("{file}, line 1: the header is `{}`, not `{wanted}`", found.escape_debug())));
        }
        Ok(Self { file, reader, record: StringRecord::new(), lines })
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// The next row, good or bad; `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<Result<Row, BadRow>>, BadFile> {
        let reason = match self.reader.read_record(&mut self.record) {
            Ok(false) => return Ok(None),
            Ok(true) => match row(&self.record) {
                Ok(row) => return Ok(Some(Ok(row))),
                Err(reason) => reason,
            },
            Err(error) if error.is_io_error() => return Err(self.broken(why(error))),
            Err(error) => why(error),
        };
        let start = self.record.position().map_or(0, csv::Position::byte);
        let line = self.lines.line_of(start).map_err(|error| self.broken(error.to_string()))?;
        Ok(Some(Err(BadRow { line, reason })))
    }

    fn broken(&self, why: String) -> BadFile {
        BadFile(format!("{}, after line {}: {why}", self.file, self.reader.position().line()))
    }
}

/// Counts lines, which the CSV reader does not do where lines are blank or end in CR LF.
struct Lines {
    file: BufReader<File>,
    read: u64,
    line: u64,
}

impl Lines {
    /// The line of the record whose bytes start at `start`, or after the blank lines there.
    fn line_of(&mut self, start: u64) -> io::Result<u64> {
        loop {
            let ahead = self.file.fill_buf()?;
            let passed = match start.saturating_sub(self.read) as usize {
                0 if !matches!(ahead.first(), Some(b'\r' | b'\n')) => return Ok(self.line),
                0 => 1,
                missing => missing.min(ahead.len()),
            };
            if passed == 0 {
                return Ok(self.line);
            }
            self.line += ahead[..passed].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.file.consume(passed);
            self.read += passed as u64;
        }
    }
}

fn row(record: &StringRecord) -> Result<Row, String> {
    if record.len() != HEADER.len() {
        return Err(format!("it has {} fields, not {}", record.len(), HEADER.len()));
    }
    let number = |column: usize| {
        let (name, text) = (HEADER[column], &record[column]);
        text.parse::<u64>().map_err(|_| format!("`{name}` is `{}`, not a whole number", text.escape_debug()))
    };
    if number(3)? > MOST_CENTS {
        return Err(format!("`cents` is {}, more than {MOST_CENTS}", &record[3]));
    }
    let date = parse_date(&record[4]).ok_or_else(|| format!("`date` is `{}`, not a day", record[4].escape_debug()))?;
    Ok(Row { id: number(0)?, from: number(1)?, to: number(2)?, cents: number(3)?, date, text: record[5].to_owned() })
}

/// A day as `YYYY-MM-DD`.
fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let mut part = |len| parts.next().filter(|part| part.len() == len)?.parse::<u16>().ok();
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u16::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=days).contains(&day).then_some(Date { year, month: month as u8, day: day as u8 })
}

fn why(error: csv::Error) -> String {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        csv::ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8", err.field() + 1),
        kind => format!("{kind:?}"),
    }
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadFile {}
