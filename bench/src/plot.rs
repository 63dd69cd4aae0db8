//! Draws what was measured, as SVG that follows its reader's preference for light or dark.

mod axis;
mod dots;
mod lines;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::contender::Fault;
use crate::json;
use crate::measure::Summary;

/// Figures by what they are of, in the order of the file: the median of each.
type Medians = BTreeMap<(String, u64), f64>;

/// Reads files of lines as `--out` writes them, and draws all that is in them into a directory, which is named last.
pub(crate) fn run(arguments: &[String]) -> Result<(), Fault> {
    let Some((directory, files)) = arguments.split_last().filter(|(_, files)| !files.is_empty()) else {
        return Err("plot <figures.jsonl>... <directory>".into());
    };
    let mut text = String::new();
    for file in files {
        text += &fs::read_to_string(file)?;
    }
    fs::create_dir_all(directory)?;
    let write = |name: &str, svg: String| fs::write(Path::new(directory).join(name), svg);
    let cells = Figures::read(&text, "scenario");
    if !cells.of.is_empty() {
        for (name, suffix, title) in [
            ("cells.svg", "", "one process, one thread, TCP"),
            ("cells-two.svg", "-two", "two processes, one thread each, TCP"),
        ] {
            write(name, dots::draw(&cells, suffix, title))?;
        }
    }
    for (name, label, scale) in lines::SWEEPS {
        let figures = Figures::read_only(&text, "sweep", name);
        if let Some(medians) = figures.of.get(*name) {
            write(&format!("sweep-{name}.svg"), lines::draw(medians, &figures.contenders, label, *scale))?;
        }
    }
    Ok(())
}

/// The processor time of everything in a file.
struct Figures {
    /// Of each cell or sweep, by contender and, for a sweep, the place on its axis.
    of: BTreeMap<String, Medians>,
    /// In the order of the file.
    contenders: Vec<String>,
}

impl Figures {
    fn read(text: &str, kind: &str) -> Self {
        Self::of_lines(text.lines().filter(|line| json::text(line, kind).is_some()), kind)
    }

    fn read_only(text: &str, kind: &str, name: &str) -> Self {
        Self::of_lines(text.lines().filter(|line| json::text(line, kind) == Some(name)), kind)
    }

    fn of_lines<'a>(lines: impl Iterator<Item = &'a str>, kind: &str) -> Self {
        let mut samples: BTreeMap<String, BTreeMap<(String, u64), Vec<f64>>> = BTreeMap::new();
        let mut contenders = Vec::new();
        for line in lines {
            let (Some(name), Some(contender), Some(cpu)) =
                (json::text(line, kind), json::text(line, "contender"), json::number(line, "cpu_ns"))
            else {
                continue;
            };
            if !contenders.iter().any(|known| known == contender) {
                contenders.push(contender.to_owned());
            }
            let x = json::number(line, "x").unwrap_or(0.0) as u64;
            samples.entry(name.to_owned()).or_default().entry((contender.to_owned(), x)).or_default().push(cpu);
        }
        let of = samples.into_iter().map(|(name, of)| {
            (name, of.into_iter().map(|(place, samples)| (place, Summary::of(samples.into_iter()).median)).collect())
        });
        Self { of: of.collect(), contenders }
    }
}

/// A colour for light and one for dark, for each contender in turn; the last is for all that are more.
const COLOURS: [(&str, &str); 10] = [
    ("#8a8f98", "#8b949e"),
    ("#57606a", "#c9d1d9"),
    ("#d1242f", "#ff7b72"),
    ("#0969da", "#79c0ff"),
    ("#1a7f37", "#7ee787"),
    ("#8250df", "#d2a8ff"),
    ("#bc4c00", "#ffa657"),
    ("#0e7490", "#67e8f9"),
    ("#9a6700", "#e3b341"),
    ("#bf3989", "#ff9bce"),
];

/// The beginning of a picture of this size.
fn head(width: usize, height: usize, title: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{title}</title>\n<style>\n"
    );
    let mut rules = [String::new(), String::new()];
    for (index, (light, dark)) in COLOURS.iter().enumerate() {
        for (rules, colour) in rules.iter_mut().zip([light, dark]) {
            let _ = write!(rules, ".c{index}{{fill:{colour};stroke:{colour}}}");
        }
    }
    let [light, dark] = rules;
    let _ = write!(
        svg,
        "text{{font:12px system-ui,sans-serif;fill:#1f2328}}.title{{font-size:14px;font-weight:600}}.ground{{fill:#fff}}.grid{{stroke:#d0d7de;stroke-width:1}}.line{{fill:none;stroke-width:1.5}}.own{{stroke-width:3}}{light}\n\
         @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}.ground{{fill:#0d1117}}.grid{{stroke:#30363d}}{dark}}}\n.line{{fill:none}}\n</style>\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n<text class=\"title\" x=\"16\" y=\"24\">{title}</text>\n"
    );
    svg
}

/// The colour of a contender.
fn colour(index: usize) -> usize {
    index.min(COLOURS.len() - 1)
}

/// Names beside their colours, in a column from there down.
fn legend(svg: &mut String, contenders: &[&String], all: &[String], x: usize, y: usize) {
    for (row, contender) in contenders.iter().enumerate() {
        let index = all.iter().position(|known| known == *contender).unwrap_or(0);
        let at = y + row * 18;
        let _ = writeln!(
            svg,
            "<circle class=\"c{}\" cx=\"{x}\" cy=\"{at}\" r=\"4\"/><text x=\"{}\" y=\"{}\">{contender}</text>",
            colour(index),
            x + 10,
            at + 4
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "{\"scenario\":\"s1\",\"contender\":\"raw\",\"round\":0,\"cpu_ns\":10}\n\
        {\"scenario\":\"s1\",\"contender\":\"vox\",\"round\":0,\"cpu_ns\":20}\n\
        {\"scenario\":\"s1\",\"contender\":\"vox\",\"round\":1,\"cpu_ns\":40}\n\
        {\"sweep\":\"payload\",\"contender\":\"vox\",\"x\":0,\"round\":1,\"cpu_ns\":40}\n";

    #[test]
    fn figures_are_the_medians_of_rounds() {
        let cells = Figures::read(LINES, "scenario");
        assert_eq!(cells.contenders, ["raw", "vox"]);
        assert_eq!(cells.of["s1"][&("vox".to_owned(), 0)], 30.0);
        assert_eq!(Figures::read_only(LINES, "sweep", "payload").of["payload"].len(), 1);
    }

    #[test]
    fn a_picture_has_a_mark_for_every_figure() {
        let svg = dots::draw(&Figures::read(LINES, "scenario"), "", "one process");
        // Two in the row and two in the legend.
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.ends_with("</svg>\n"));
    }
}
