//! What is traced, kept as a log would have it. The end-to-end tests use this too.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level, span};

/// Everything that is traced on one thread while it listens.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Line>>>);

/// An event, or a span.
#[derive(Debug, Default)]
struct Line {
    /// Of an event.
    level: Option<Level>,
    name: &'static str,
    fields: Vec<(&'static str, String)>,
}

impl Line {
    fn words(&self) -> String {
        self.fields.iter().map(|(name, value)| format!("{name}={value} ")).collect()
    }
}

/// The longest that one field may be.
const LONGEST: usize = 8 << 10;

impl Log {
    /// Keeps what this thread traces while the guard lives.
    pub fn new() -> (Self, DefaultGuard) {
        let log = Self::default();
        let guard = log.listen();
        (log, guard)
    }

    /// Keeps what this thread traces while the guard lives.
    pub fn listen(&self) -> DefaultGuard {
        listen_in_company();
        tracing::subscriber::set_default(self.clone())
    }

    /// All of it: the name of each event and span, and a line for each field.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for Line { name, fields, .. } in self.lines().iter() {
            let _ = writeln!(text, "{name:?}");
            for (field, value) in fields {
                let _ = writeln!(text, "{field} = {value}");
            }
        }
        text
    }

    /// Takes out the events of this level or a graver one, each as `field=value field=value `. The others are forgotten.
    pub fn take(&self, level: Level) -> Vec<(Level, String)> {
        let lines = std::mem::take(&mut *self.lines());
        let told = lines.into_iter().filter_map(|line| Some((line.level.filter(|of| *of <= level)?, line)));
        told.map(|(level, line)| (level, line.words())).collect()
    }

    /// Takes out the events of `WARN` and `ERROR`.
    pub fn warnings(&self) -> Vec<String> {
        self.take(Level::WARN).into_iter().map(|(_, text)| text).collect()
    }

    /// Whether there is nothing in it that steers a terminal, begins a line of a peer's own, changes the order of text, or is long; and
    /// that each of these words of peers came as far as here.
    pub fn is_clean(&self, words: &[&str]) -> bool {
        let text = self.text();
        let hazard = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        let forged = |line: &str| line.starts_with("FORGED") || line.len() > LONGEST;
        words.iter().all(|word| text.contains(word)) && !text.contains(hazard) && !text.lines().any(forged)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// To be called before a thread listens to what is traced. While a process has one subscriber, `tracing` asks the thread that comes first to a
/// place whether anybody wants what is traced there, and that may be another's, which says no for all. So there are two.
pub fn listen_in_company() {
    static COMPANY: OnceLock<Dispatch> = OnceLock::new();
    COMPANY.get_or_init(|| Dispatch::new(NoSubscriber::default()));
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }
}

impl tracing::Subscriber for Log {
    /// All of it: where the only subscriber wants no spans, others would miss theirs.
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        let mut line = Line { name: span.metadata().name(), ..Line::default() };
        span.record(&mut line);
        self.lines().push(line);
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut line = Line { name: "record", ..Line::default() };
        values.record(&mut line);
        self.lines().push(line);
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let (level, name) = (Some(*event.metadata().level()), event.metadata().name());
        let mut line = Line { level, name, ..Line::default() };
        event.record(&mut line);
        self.lines().push(line);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
