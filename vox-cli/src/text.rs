//! Texts of the command line: times, and values that stand in a file or in the environment.

use std::time::Duration;

/// A time such as `500ms`, `2s`, `1.5s` or `3m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err(format!("a time is a number and `ms`, `s`, `m` or `h`, as in `2s`: {text}")),
    };
    let number: f64 = number.parse().map_err(|_| format!("`{number}` is no number"))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|error| format!("{text}: {error}"))
}

/// `key=value`, with the value read from where it stands.
pub(crate) fn entry(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("write `key=value`: {text}"))?;
    Ok((key.to_owned(), resolved(value)?))
}

/// A value: `@file` is what the file has, without the line's end behind it, `@env:NAME` what the environment has, and `@@…` is `@…`.
pub(crate) fn resolved(value: &str) -> Result<String, String> {
    let Some(place) = value.strip_prefix('@') else { return Ok(value.to_owned()) };
    if place.starts_with('@') {
        return Ok(place.to_owned());
    }
    if let Some(name) = place.strip_prefix("env:") {
        return std::env::var(name).map_err(|_| format!("there is no text under `{name}` in the environment"));
    }
    let mut read = std::fs::read_to_string(place).map_err(|error| format!("{place}: {error}"))?;
    if read.ends_with('\n') {
        read.pop();
        if read.ends_with('\r') {
            read.pop();
        }
    }
    Ok(read)
}

/// The text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || !is_plain(c) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a terminal shows it as what it is: not what turns the direction of text, or separates lines.
fn is_plain(c: char) -> bool {
    !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text for a terminal: what steers one is escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(c),
            c if c.is_control() || !is_plain(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, quoted, resolved, shown};

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "1d", "1e400s", "-1s", "1.2.3s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_at_sign_is_doubled_to_stand_for_itself() {
        assert_eq!(resolved("@@home"), Ok("@home".to_owned()));
        assert_eq!(resolved("a@b"), Ok("a@b".to_owned()));
        assert!(resolved("@env:NOT_SET_ANYWHERE_7").is_err());
        assert!(resolved("@/no/such/file").unwrap_err().starts_with("/no/such/file: "));
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{1b}[2J\u{202e}"), r#""a\"b\\c\u000a\u001b[2J\u202e""#);
        assert_eq!(shown("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
