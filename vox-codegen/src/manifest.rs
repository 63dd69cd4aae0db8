//! Reads as much of TOML as it takes to find dependencies in a `Cargo.toml`: every form of key, string, table and comment.
//!
//! A parser of the whole language would cost each user of vox more crates than it finds names. Numbers and dates are passed over as they
//! are. Text that is no TOML ends the reading; cargo has refused such a manifest before a macro sees it.

use std::iter::Peekable;
use std::str::Chars;

/// A value, with the keys that lead to it: `["dependencies", "vox", "path"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: Vec<String>,
    pub(crate) value: Value,
}

/// What a key has, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    True,
    /// A header, or an inline table; what is in it are entries of their own.
    Table,
    Other,
}

/// The values of a manifest, in their order.
pub(crate) fn entries(manifest: &str) -> Vec<Entry> {
    let mut reader = Reader { rest: manifest.chars().peekable(), table: Vec::new(), found: Vec::new() };
    while reader.line().is_some() {}
    reader.found
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    /// The keys of the last header.
    table: Vec<String>,
    found: Vec<Entry>,
}

impl Reader<'_> {
    /// Reads a header or a pair. `None` at the end, or where it is no TOML.
    fn line(&mut self) -> Option<()> {
        self.skip_lines();
        if *self.rest.peek()? == '[' {
            let mut brackets = 0;
            while self.rest.next_if_eq(&'[').is_some() {
                brackets += 1;
            }
            self.table = self.keys()?;
            for _ in 0..brackets {
                self.rest.next_if_eq(&']')?;
            }
            self.found.push(Entry { path: self.table.clone(), value: Value::Table });
            return Some(());
        }
        let table = self.table.clone();
        self.pair(&table, 0)
    }

    /// Reads `key = value` below `table`.
    fn pair(&mut self, table: &[String], depth: usize) -> Option<()> {
        let mut path = table.to_vec();
        path.extend(self.keys()?);
        self.rest.next_if_eq(&'=')?;
        let value = self.value(&path, depth)?;
        self.found.push(Entry { path, value });
        Some(())
    }

    /// Reads `a."b".c`, and the spaces around it.
    fn keys(&mut self) -> Option<Vec<String>> {
        let mut keys = Vec::new();
        loop {
            self.skip_spaces();
            keys.push(match self.rest.peek()? {
                '"' | '\'' => self.text()?,
                _ => self.bare(|c| c.is_alphanumeric() || c == '_' || c == '-')?,
            });
            self.skip_spaces();
            if self.rest.next_if_eq(&'.').is_none() {
                return Some(keys);
            }
        }
    }

    fn value(&mut self, path: &[String], depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_spaces();
        match self.rest.peek()? {
            '"' | '\'' => self.text().map(Value::Text),
            '{' => {
                self.rest.next();
                self.list('}', |reader| reader.pair(path, depth + 1))?;
                Some(Value::Table)
            }
            '[' => {
                self.rest.next();
                self.list(']', |reader| {
                    // What is in an array has no path of its own.
                    let found = reader.found.len();
                    reader.value(path, depth + 1)?;
                    reader.found.truncate(found);
                    Some(())
                })?;
                Some(Value::Other)
            }
            _ => {
                let word = self.bare(|c| !c.is_whitespace() && !matches!(c, ',' | ']' | '}' | '#'))?;
                Some(if word == "true" { Value::True } else { Value::Other })
            }
        }
    }

    /// Reads elements and the commas between them, up to `end`.
    fn list(&mut self, end: char, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        loop {
            self.skip_lines();
            if self.rest.next_if_eq(&end).is_some() {
                return Some(());
            }
            element(self)?;
            self.skip_lines();
            if self.rest.next_if_eq(&',').is_none() {
                return self.rest.next_if_eq(&end).map(|_| ());
            }
        }
    }

    /// Reads a string of any of the four kinds.
    fn text(&mut self) -> Option<String> {
        let quote = self.rest.next()?;
        let mut quotes = 1;
        while quotes < 3 && self.rest.next_if_eq(&quote).is_some() {
            quotes += 1;
        }
        if quotes == 2 {
            return Some(String::new());
        }
        let is_long = quotes == 3;
        let mut text = String::new();
        if is_long {
            self.line_end();
        }
        loop {
            match self.rest.next()? {
                c if c == quote && !is_long => return Some(text),
                c if c == quote => {
                    let mut run = 1;
                    while self.rest.next_if_eq(&quote).is_some() {
                        run += 1;
                    }
                    // Up to two may stand before the three that end it.
                    let inside = if run >= 3 { run - 3 } else { run };
                    text.extend(std::iter::repeat_n(quote, inside));
                    if run >= 3 {
                        return Some(text);
                    }
                }
                '\\' if quote == '"' => self.escape(&mut text)?,
                '\n' if !is_long => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Option<()> {
        let escaped = self.rest.next()?;
        let digits = match escaped {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => {
                match escaped {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    '"' | '\\' => text.push(escaped),
                    // The end of a line, and all white space after it.
                    c if c.is_whitespace() => while self.rest.next_if(|c| c.is_whitespace()).is_some() {},
                    // A bell and the like: in no name of a crate.
                    _ => {}
                }
                return Some(());
            }
        };
        let mut code = 0;
        for _ in 0..digits {
            code = code * 16 + self.rest.next()?.to_digit(16)?;
        }
        text.push(char::from_u32(code)?);
        Some(())
    }

    /// One or more characters that are `allowed`.
    fn bare(&mut self, allowed: impl Fn(char) -> bool) -> Option<String> {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| allowed(*c)) {
            word.push(c);
        }
        (!word.is_empty()).then_some(word)
    }

    fn skip_spaces(&mut self) {
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    }

    /// Skips white space, ends of lines and comments.
    fn skip_lines(&mut self) {
        loop {
            while self.rest.next_if(|c| c.is_whitespace() || *c == '\u{feff}').is_some() {}
            if self.rest.next_if_eq(&'#').is_none() {
                return;
            }
            while self.rest.next_if(|c| *c != '\n').is_some() {}
        }
    }

    fn line_end(&mut self) {
        self.rest.next_if_eq(&'\r');
        self.rest.next_if_eq(&'\n');
    }
}

/// How deep arrays and inline tables are followed. Deeper ones are in no manifest.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(manifest: &str) -> Vec<String> {
        let entries = entries(manifest).into_iter();
        let shown = entries.filter_map(|Entry { path, value }| match value {
            Value::Text(text) => Some(format!("{}={text}", path.join("/"))),
            Value::True => Some(format!("{}=true", path.join("/"))),
            Value::Table | Value::Other => None,
        });
        shown.collect()
    }

    #[test]
    fn every_kind_of_string_is_read() {
        for (text, expected) in [
            (r#"a = "b""#, "b"),
            (r"a = 'b\n'", r"b\n"),
            (r#"a = "\u0062\x63\"\\""#, "bc\"\\"),
            ("a = \"\"\"\nb\n\"\"\"", "b\n"),
            ("a = \"\"\"b \\\n   c\"\"\"\"", "b c\""),
            ("a = '''\r\nb'c'''", "b'c"),
            ("a = \"\" # nothing", ""),
            ("a = '# no comment' # one", "# no comment"),
        ] {
            assert_eq!(texts(text), [format!("a={expected}")], "{text}");
        }
    }

    #[test]
    fn keys_tables_and_arrays_are_followed() {
        let manifest = "\u{feff}# head\n'a b'.\"c\" . d = 'e'\r\n[t.'x.y']\nk = true# yes\nn = 1979-05-27T07:32:00Z\n\
            l = [ # many\n 'no', { q = 'no' },\n]\nz = { a.b = 'c', d = [], # remark\n e = { f = \"g\" }, }\n[[bin]]\nname = 'x'\n[ last ]\nv='w'";
        let expected = ["a b/c/d=e", "t/x.y/k=true", "t/x.y/z/a/b=c", "t/x.y/z/e/f=g", "bin/name=x", "last/v=w"];
        assert_eq!(texts(manifest), expected);
    }

    #[test]
    fn what_is_no_toml_ends_the_reading_and_nothing_else() {
        for broken in
            ["a = 'b", "a = \"b\nc\"", "= 1", "[a", "a = {b", "a b", "a = \"\\ud800\"", "a = [,]", "\"\"\"", "a ="]
        {
            assert_eq!(texts(&format!("x = 'y'\n{broken}")), ["x=y"], "{broken}");
        }
        let deep = format!("a = {}", "[".repeat(100_000));
        assert_eq!(texts(&deep), Vec::<String>::new());
    }
}
