//! Lines of JSON as this package writes them: flat objects of texts and numbers, without anything that would need escaping.

/// One object on a line.
pub(crate) fn line(texts: &[(&str, &str)], numbers: &[(&str, f64)]) -> String {
    let texts = texts.iter().map(|(name, text)| format!("\"{name}\":\"{text}\""));
    let numbers = numbers.iter().map(|(name, number)| match number.fract() == 0.0 {
        true => format!("\"{name}\":{number}"),
        false => format!("\"{name}\":{number:.1}"),
    });
    format!("{{{}}}\n", texts.chain(numbers).collect::<Vec<_>>().join(","))
}

/// The text of that name on a line.
pub(crate) fn text<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    value(line, name)?.strip_prefix('"')?.split('"').next()
}

/// The number of that name on a line.
pub(crate) fn number(line: &str, name: &str) -> Option<f64> {
    value(line, name)?.split([',', '}']).next()?.parse().ok()
}

fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let name = format!("\"{name}\":");
    line.find(&name).map(|at| &line[at + name.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let line = line(&[("scenario", "s1-two"), ("contender", "vox")], &[("round", 3.0), ("cpu_ns", 1234.56)]);
        assert_eq!(line, "{\"scenario\":\"s1-two\",\"contender\":\"vox\",\"round\":3,\"cpu_ns\":1234.6}\n");
        assert_eq!((text(&line, "contender"), number(&line, "cpu_ns")), (Some("vox"), Some(1234.6)));
        assert_eq!((text(&line, "sweep"), number(&line, "round")), (None, Some(3.0)));
    }
}
