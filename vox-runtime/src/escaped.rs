//! Escapes text that is not this end's own before it is printed: in a log, on a terminal, in an error.
//!
//! A peer may say anything. What it says is kept as it came and escaped where it is printed, so that it cannot steer a terminal, begin a
//! line of its own or be read in another order than it was written in. And it is cut: what is printed has a bound, whatever its escapes take.

use std::fmt::{self, Write};

/// The most bytes that are printed of a text.
const MOST: usize = 2 << 10;
/// The same of a name or a key.
const MOST_OF_NAME: usize = 128;

/// A text that prints as it may be printed. Its `Debug` has quotation marks around it.
///
/// Escapes have no backslashes of their own escaped, so what was printed once is printed the same again.
#[derive(Clone, Copy)]
pub(crate) struct Escaped<'a> {
    text: &'a str,
    most: usize,
}

impl<'a> Escaped<'a> {
    /// A text: a reason, a value, an address.
    pub(crate) fn new(text: &'a str) -> Self {
        Self::within(text, MOST)
    }

    /// A name, of which less is printed.
    pub(crate) fn name(text: &'a str) -> Self {
        Self::within(text, MOST_OF_NAME)
    }

    /// A text of which at most so many bytes are printed, and how long it is where they are not all.
    pub(crate) fn within(text: &'a str, most: usize) -> Self {
        Self { text, most }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.len() <= self.most && self.text.chars().all(is_plain) {
            return f.pad(self.text);
        }
        let mut out = Escaping::new(f, self.most, false);
        out.write_str(self.text)?;
        out.finish()
    }
}

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut out = Escaping::new(f, self.most, true);
        out.write_str(self.text)?;
        out.finish()?;
        f.write_char('"')
    }
}

/// Prints what prints itself, and may hold anything.
pub(crate) fn show(f: &mut fmt::Formatter<'_>, what: fmt::Arguments<'_>) -> fmt::Result {
    let mut out = Escaping::new(f, MOST, false);
    out.write_fmt(what)?;
    out.finish()
}

/// So many characters of a text as are kept of it, with a replacement for each that is not printed as it is.
pub(crate) fn cleaned(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// Whether a character is printed as it is. The others steer a terminal, break a line, order what is around them, or cannot be seen.
pub(crate) fn is_plain(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    !matches!(
        c,
        // Controls, and marks, embeddings, overrides and isolates of direction.
        '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Separators of lines and paragraphs.
        | '\u{2028}' | '\u{2029}'
        // What takes no room, or shows nothing: soft hyphens, separators of vowels and words, operators, deprecated formatting, a byte order
        // mark, annotations, shorthand and musical controls, tags, selectors that no script needs.
        | '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        // Letters that are blank: fillers of Hangul, inherent vowels of Khmer, a blank pattern of Braille.
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}'
    )
}

/// Escapes what is written, up to a number of bytes, and counts the rest.
struct Escaping<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    left: usize,
    quoted: bool,
    /// How many bytes were to be written, before they were escaped.
    len: usize,
    cut: bool,
}

impl<'a, 'f> Escaping<'a, 'f> {
    fn new(out: &'a mut fmt::Formatter<'f>, most: usize, quoted: bool) -> Self {
        Self { out, left: most, quoted, len: 0, cut: false }
    }

    fn put(&mut self, text: &str) -> fmt::Result {
        self.cut |= text.len() > self.left;
        if self.cut {
            return Ok(());
        }
        self.left -= text.len();
        self.out.write_str(text)
    }

    /// Says how long the text is, where not all of it was printed.
    fn finish(self) -> fmt::Result {
        if self.cut { write!(self.out, "… ({} bytes)", self.len) } else { Ok(()) }
    }
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.len += text.len();
        for c in text.chars() {
            if self.cut {
                break;
            }
            let (mut utf8, mut escape) = ([0; 4], Escape::default());
            let written = match c {
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '"' if self.quoted => "\\\"",
                '\\' if self.quoted => "\\\\",
                c if is_plain(c) => c.encode_utf8(&mut utf8),
                c => escape.of(c),
            };
            self.put(written)?;
        }
        Ok(())
    }
}

/// Room for the escape of a character: `\u{10ffff}` at most.
#[derive(Default)]
struct Escape([u8; 10]);

impl Escape {
    fn of(&mut self, c: char) -> &str {
        let escape = c.escape_unicode();
        let len = escape.len();
        self.0.iter_mut().zip(escape).for_each(|(byte, c)| *byte = c as u8);
        std::str::from_utf8(&self.0[..len]).unwrap_or_default()
    }
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, displayed: &str, debugged: &str) {
        let shown = Escaped::new(text);
        assert_eq!((&*format!("{shown}"), &*format!("{shown:?}")), (displayed, debugged));
        assert_eq!(
            format!("{}", Escaped::new(displayed)),
            displayed,
            "what was printed once is printed the same again"
        );
    }

    #[test]
    fn plain_text_is_printed_as_it_is() {
        check("", "", "\"\"");
        check(
            "say \"aye\" \\ né 名 👩\u{200d}🚀",
            "say \"aye\" \\ né 名 👩\u{200d}🚀",
            "\"say \\\"aye\\\" \\\\ né 名 👩\u{200d}🚀\"",
        );
        assert_eq!(format!("{:>6}|{:<6}|", Escaped::new("aye"), Escaped::new("aye")), "   aye|aye   |");
    }

    #[test]
    fn controls_directions_and_separators_are_escaped() {
        check("a\x1b[31m\r\n\tb\0", "a\\u{1b}[31m\\r\\n\\tb\\u{0}", "\"a\\u{1b}[31m\\r\\n\\tb\\u{0}\"");
        check("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}", "\"\\u{9b}2J\\u{7f}\"");
        check("\u{202e}gpj\u{2066}\u{200f}", "\\u{202e}gpj\\u{2066}\\u{200f}", "\"\\u{202e}gpj\\u{2066}\\u{200f}\"");
        check("\u{2028}\u{2029}\u{e0041}", "\\u{2028}\\u{2029}\\u{e0041}", "\"\\u{2028}\\u{2029}\\u{e0041}\"");
        check("a\u{ad}\u{3164}b\u{e0100}", "a\\u{ad}\\u{3164}b\\u{e0100}", "\"a\\u{ad}\\u{3164}b\\u{e0100}\"");
    }

    #[test]
    fn what_is_printed_has_a_bound_whatever_its_escapes_take() {
        for text in ["x", "\x01", "\u{202e}", "\"", "é"].map(|text| text.repeat(8 << 10)) {
            for shown in [format!("{}", Escaped::new(&text)), format!("{:?}", Escaped::new(&text))] {
                assert!((MOST - 10..MOST + 30).contains(&shown.len()), "{} bytes of {}", shown.len(), text.len());
                assert!(shown.contains(&format!("… ({} bytes)", text.len())), "{shown}");
            }
        }
        assert_eq!(format!("{}", Escaped::within("abcdef", 3)), "abc… (6 bytes)");
        assert_eq!(format!("{}", Escaped::within("ab\x01f", 3)), "ab… (4 bytes)");
    }

    #[test]
    fn what_is_kept_of_a_text_has_a_replacement_for_what_is_not_printed() {
        assert_eq!(cleaned("a\x1b\u{202e}b\u{2028}cd", 6), "a\u{fffd}\u{fffd}b\u{fffd}c");
    }

    /// Unicode's *default ignorable* characters, but for what emoji and joined scripts need: joiners and the sixteen variation selectors.
    #[test]
    fn what_a_reader_cannot_see_is_not_printed_as_it_is() {
        let ignorable = [
            0xad..=0xad,
            0x34f..=0x34f,
            0x61c..=0x61c,
            0x115f..=0x1160,
            0x17b4..=0x17b5,
            0x180b..=0x180f,
            0x200b..=0x200b,
            0x200e..=0x200f,
            0x202a..=0x202e,
            0x2060..=0x206f,
            0x3164..=0x3164,
            0xfeff..=0xfeff,
            0xffa0..=0xffa0,
            0xfff0..=0xfff8,
            0x1bca0..=0x1bca3,
            0x1d173..=0x1d17a,
            0xe0000..=0xe0fff,
        ];
        for c in ignorable.into_iter().flatten().filter_map(char::from_u32) {
            assert!(!is_plain(c), "U+{:04X}", u32::from(c));
        }
        assert!("\u{200c}\u{200d}\u{fe0f}".chars().all(is_plain));
    }

    #[test]
    fn whatever_std_calls_a_control_is_none_that_is_printed() {
        assert!(!(char::MIN..=char::MAX).any(|c| c.is_control() && is_plain(c)));
    }
}
