//! The tokens of JSON.

use super::super::ValueError;
use crate::escaped::Escaped;

/// A place in a text.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

type Read<T> = Result<T, ValueError>;

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next byte that is no space, which stays.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes this byte, if it is the next.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn expect(&mut self, byte: u8) -> Read<()> {
        match self.take(byte) {
            true => Ok(()),
            false => Err(self.syntax(&format!("expected `{}`", char::from(byte)))),
        }
    }

    /// After an item: whether another follows. `close` ends them.
    pub(super) fn goes_on(&mut self, close: u8) -> Read<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                match self.peek() {
                    Some(next) if next == close => Err(self.syntax("expected a value after the comma")),
                    _ => Ok(true),
                }
            }
            Some(next) if next == close => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.syntax(&format!("expected `,` or `{}`", char::from(close)))),
        }
    }

    /// There must be nothing left.
    pub(super) fn end(&mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax("expected the end")),
        }
    }

    /// A word without quotation marks: a number, `null`, `true`, or what is none of these.
    pub(super) fn word(&mut self) -> &'a str {
        self.peek();
        let rest = &self.text[self.at..];
        let len = rest.find(|c: char| c.is_ascii_whitespace() || ",:{}[]\"".contains(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// Takes `null`, if it is next.
    pub(super) fn null(&mut self) -> bool {
        let before = (self.peek(), self.at).1;
        let is_next = self.peek() == Some(b'n') && self.word() == "null";
        if !is_next {
            self.at = before;
        }
        is_next
    }

    /// A text in quotation marks.
    pub(super) fn string(&mut self) -> Read<String> {
        self.expect(b'"')?;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            match rest.as_bytes().get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.syntax("a control character in a text must be escaped")),
                None => return Err(self.syntax("a text does not end")),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let escape = self.text.as_bytes().get(self.at).copied();
        let c = match escape {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.escaped_char();
            }
            _ => return Err(self.syntax("an unknown escape")),
        };
        self.at += 1;
        Ok(c)
    }

    fn escaped_char(&mut self) -> Read<char> {
        let half = "an escape that is half a character";
        let first = self.hex()?;
        let code = match first {
            0xd800..0xdc00 => {
                if !self.text[self.at..].starts_with("\\u") {
                    return Err(self.syntax(half));
                }
                self.at += 2;
                match self.hex()? {
                    second @ 0xdc00..0xe000 => 0x1_0000 + (first - 0xd800) * 0x400 + (second - 0xdc00),
                    _ => return Err(self.syntax(half)),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| self.syntax(half))
    }

    fn hex(&mut self) -> Read<u32> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.syntax("four hexadecimal digits must follow `\\u`"))?;
        self.at += 4;
        Ok(code)
    }

    /// Whether this is one number, as JSON writes it.
    pub(super) fn is_number(word: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let word = word.strip_prefix('-').unwrap_or(word);
        let (mantissa, exponent) = word.split_at(word.find(['e', 'E']).unwrap_or(word.len()));
        let (whole, fraction) = mantissa.split_at(mantissa.find('.').unwrap_or(mantissa.len()));
        let exponent = exponent.get(1..).map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
        digits(whole)
            && (whole.len() == 1 || !whole.starts_with('0'))
            && fraction.get(1..).is_none_or(digits)
            && exponent.is_none_or(digits)
    }

    /// What is next, in a few words.
    pub(super) fn got(&mut self) -> String {
        match self.peek() {
            None => "the end of the text".to_owned(),
            Some(b'{') => "an object".to_owned(),
            Some(b'[') => "an array".to_owned(),
            Some(b'"') => {
                let mut ahead = Self { text: self.text, at: self.at };
                ahead.string().map_or_else(|_| "a text".to_owned(), |text| quoted(&text))
            }
            Some(_) => {
                let word = Self { text: self.text, at: self.at }.word();
                match word.is_empty() {
                    true => format!("`{}`", &self.text[self.at..self.at + 1]),
                    false => Escaped::within(word, 48).to_string(),
                }
            }
        }
    }

    /// What is no JSON.
    pub(super) fn syntax(&mut self, what: &str) -> ValueError {
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        ValueError::new(format!("at line {line}, column {column}: {what}, got {}", self.got()))
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", Escaped::within(text, 48))
}
