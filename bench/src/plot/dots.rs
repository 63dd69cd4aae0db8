//! Cells below each other, with a dot for each contender.

use std::fmt::Write as _;

use super::axis::{Axis, time};
use super::{Figures, colour, head, legend};

/// What is drawn, in this order, if it was measured.
const ROWS: [(&str, &str); 9] = [
    ("s1", "s1: call, 1 in flight"),
    ("s2", "s2: call, 64 in flight"),
    ("s2-256", "s2-256: call, 256 in flight"),
    ("s3", "s3: echo of 1 MiB"),
    ("s4", "s4: item, u64"),
    ("s4-structs", "s4-structs: item, 100 B"),
    ("s5", "s5: echo of 1,000 records"),
    ("s6", "s6: call in memory, 1 in flight"),
    ("s6-64", "s6-64: the same, 64 in flight"),
];
const LEFT: usize = 230;
const RIGHT: usize = 860;
const ROW: usize = 34;

/// Draws those cells whose names end so.
pub(super) fn draw(figures: &Figures, suffix: &str, title: &str) -> String {
    let rows: Vec<_> =
        ROWS.iter().filter_map(|(name, label)| Some((*label, figures.of.get(&format!("{name}{suffix}"))?))).collect();
    let axis = Axis::around(rows.iter().flat_map(|(_, row)| row.values().copied()), LEFT, RIGHT);
    let height = (100 + rows.len() * ROW).max(80 + figures.contenders.len() * 18);
    let mut svg = head(1000, height, &format!("Processor time per operation, both ends; {title}"));
    for (value, x) in axis.ticks() {
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x}\" y1=\"44\" x2=\"{x}\" y2=\"{}\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            60 + rows.len() * ROW,
            78 + rows.len() * ROW,
            time(value)
        );
    }
    for (index, (label, row)) in rows.iter().enumerate() {
        let y = 64 + index * ROW;
        let _ = writeln!(svg, "<text x=\"16\" y=\"{}\">{label}</text>", y + 4);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{RIGHT}\" y2=\"{y}\"/>");
        for ((contender, _), value) in *row {
            let of = figures.contenders.iter().position(|known| known == contender).unwrap_or(0);
            let radius = if contender == "vox" { 7 } else { 4 };
            let _ = writeln!(
                svg,
                "<circle class=\"c{}\" cx=\"{:.1}\" cy=\"{y}\" r=\"{radius}\" fill-opacity=\"0.75\"><title>{contender}: {:.3} µs</title></circle>",
                colour(of),
                axis.place(*value),
                value / 1e3
            );
        }
    }
    let drawn =
        figures.contenders.iter().filter(|name| rows.iter().any(|(_, row)| row.keys().any(|(of, _)| of == *name)));
    legend(&mut svg, &drawn.collect::<Vec<_>>(), &figures.contenders, RIGHT + 24, 64);
    svg + "</svg>\n"
}
