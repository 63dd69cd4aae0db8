//! The words, signs and numbers of a snapshot's text, each with its line and column.

use super::parse::SnapshotError;
use crate::escaped::Escaped;

type Read<T> = Result<T, SnapshotError>;

/// A piece of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Quoted(String),
    /// What begins with a digit.
    Number(&'a str),
    Sign(&'a str),
}

/// The pieces of a text, one after the other.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// Where the line begins.
    line_at: usize,
}

/// A place to come back to.
pub(super) struct Mark(usize, usize, usize);

const SIGNS: &[&str] = &["->", "(", ")", "<", ">", "[", "]", "{", "}", ",", ":", ";", "="];

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1, line_at: 0 }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.at, self.line, self.line_at)
    }

    pub(super) fn go_to(&mut self, Mark(at, line, line_at): Mark) {
        (self.at, self.line, self.line_at) = (at, line, line_at);
    }

    /// The line and the column of what comes next.
    pub(super) fn place(&mut self) -> (usize, usize) {
        self.pass_blanks();
        (self.line, self.text[self.line_at..self.at].chars().count() + 1)
    }

    /// What comes next; `None` at the end.
    pub(super) fn peek(&mut self) -> Read<Option<Token<'a>>> {
        let mark = self.mark();
        let token = self.next();
        self.go_to(mark);
        token
    }

    pub(super) fn next(&mut self) -> Read<Option<Token<'a>>> {
        self.pass_blanks();
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Ok(None) };
        if first == '"' {
            return self.quoted().map(Some);
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.at += sign.len();
            return Ok(Some(Token::Sign(sign)));
        }
        let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        // A word has no dash in front of `>`.
        let len = rest.char_indices().find(|(at, c)| !is_inside(*c) || rest[*at..].starts_with("->"));
        let len = len.map_or(rest.len(), |(at, _)| at);
        if len == 0 {
            return Err(
                self.fault(format!("`{}` stands for nothing here", Escaped::new(first.encode_utf8(&mut [0; 4]))))
            );
        }
        let word = &rest[..len];
        self.at += len;
        Ok(Some(if first.is_ascii_digit() { Token::Number(word) } else { Token::Word(word) }))
    }

    fn quoted(&mut self) -> Read<Token<'a>> {
        let mut out = String::new();
        let mut chars = self.text[self.at..].char_indices().skip(1);
        let fault = loop {
            match chars.next() {
                Some((at, '"')) => {
                    self.at += at + 1;
                    return Ok(Token::Quoted(out));
                }
                Some((_, '\\')) => match chars.next() {
                    Some((_, c @ ('"' | '\\'))) => out.push(c),
                    Some((_, 'u')) if matches!(chars.next(), Some((_, '{'))) => {
                        let digits: String = chars.by_ref().map(|(_, c)| c).take_while(|c| *c != '}').take(7).collect();
                        match u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32) {
                            Some(c) => out.push(c),
                            None => break "there is no such character",
                        }
                    }
                    _ => break "an escape is `\\\"`, `\\\\` or `\\u{…}`",
                },
                Some((_, c)) if crate::escaped::is_plain(c) => out.push(c),
                _ => break "the text in quotation marks does not end on this line",
            }
        };
        Err(self.fault(fault.to_owned()))
    }

    /// Passes over blanks, and over remarks, which go to the ends of their lines.
    fn pass_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_at = self.at + 1;
                }
                b' ' | b'\r' | b'\t' => {}
                b'#' => {
                    let len = self.text[self.at..].find('\n').unwrap_or(self.text.len() - self.at);
                    self.at += len;
                    continue;
                }
                _ => return,
            }
            self.at += 1;
        }
    }

    pub(super) fn fault(&mut self, fault: String) -> SnapshotError {
        let (line, column) = self.place();
        SnapshotError { line, column, fault }
    }

    /// That something else comes than what should.
    pub(super) fn unexpected(&mut self, wanted: &str) -> SnapshotError {
        let found = match self.peek() {
            Err(error) => return error,
            Ok(None) => "the end of the text".to_owned(),
            Ok(Some(Token::Word(word) | Token::Number(word) | Token::Sign(word))) => {
                format!("`{}`", Escaped::name(word))
            }
            Ok(Some(Token::Quoted(text))) => format!("{:?}", Escaped::name(&text)),
        };
        self.fault(format!("{found} stands where {wanted} should"))
    }

    pub(super) fn word(&mut self, word: &str) -> Read<()> {
        match self.peek()? == Some(Token::Word(word)) {
            true => self.next().map(|_| ()),
            false => Err(self.unexpected(&format!("`{word}`"))),
        }
    }

    pub(super) fn sign(&mut self, sign: &str) -> Read<()> {
        match self.takes(sign)? {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{sign}`"))),
        }
    }

    /// Whether a sign came next, which is taken then.
    pub(super) fn takes(&mut self, sign: &str) -> Read<bool> {
        let is_next = self.peek()? == Some(Token::Sign(sign));
        if is_next {
            self.next()?;
        }
        Ok(is_next)
    }

    /// A name, in quotation marks or not.
    pub(super) fn name(&mut self, what: &str) -> Read<String> {
        match self.peek()? {
            Some(Token::Word(word)) if !word.contains('-') => self.next().map(|_| word.to_owned()),
            Some(Token::Quoted(text)) => self.next().map(|_| text),
            _ => Err(self.unexpected(what)),
        }
    }

    pub(super) fn quotation(&mut self, what: &str) -> Read<String> {
        match self.peek()? {
            Some(Token::Quoted(text)) => self.next().map(|_| text),
            _ => Err(self.unexpected(what)),
        }
    }

    /// Letters, digits and dashes.
    pub(super) fn raw(&mut self, what: &str) -> Read<&'a str> {
        match self.peek()? {
            Some(Token::Word(word) | Token::Number(word)) => self.next().map(|_| word),
            _ => Err(self.unexpected(what)),
        }
    }

    pub(super) fn number(&mut self) -> Read<u64> {
        match self.peek()? {
            Some(Token::Number(word)) => match word.parse() {
                Ok(number) => self.next().map(|_| number),
                Err(_) => Err(self.fault(format!("`{}` is no number up to {}", Escaped::name(word), u64::MAX))),
            },
            _ => Err(self.unexpected("a number")),
        }
    }
}
