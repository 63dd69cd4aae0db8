//! What a victim traces, kept as a log would have it.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::Dispatch;
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::{DefaultGuard, NoSubscriber};

/// Everything that is traced on one thread, as text: a line for each field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

/// The longest line that one field may make.
const LONGEST: usize = 8 << 10;

impl Log {
    /// Keeps what this thread traces while the guard lives.
    pub(crate) fn listen(&self) -> DefaultGuard {
        // While a process has one subscriber, `tracing` asks the thread that comes first to a place, for all threads.
        static COMPANY: OnceLock<Dispatch> = OnceLock::new();
        COMPANY.get_or_init(|| Dispatch::new(NoSubscriber::default()));
        tracing::subscriber::set_default(self.clone())
    }

    fn line(&self, what: &impl Debug) {
        let _ = writeln!(self.0.lock().unwrap_or_else(PoisonError::into_inner), "{what:?}");
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is nothing in it that steers a terminal, begins a line of a peer's own, changes the order of text, or is long; and
    /// that each of these words of peers came as far as here.
    pub(crate) fn is_clean(&self, words: &[&str]) -> bool {
        let text = self.text();
        let hazard = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        };
        let forged = |line: &str| line.starts_with("FORGED") || line.len() > LONGEST;
        words.iter().all(|word| text.contains(word)) && !text.contains(hazard) && !text.lines().any(forged)
    }
}

impl Visit for &Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = writeln!(self.0.lock().unwrap_or_else(PoisonError::into_inner), "{field} = {value:?}");
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.line(&span.metadata().name());
        span.record(&mut &*self);
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut &*self);
    }
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        self.line(&event.metadata().name());
        event.record(&mut &*self);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}
