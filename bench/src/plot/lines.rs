//! A sweep: a line for each contender, both axes logarithmic.

use std::fmt::Write as _;

use super::axis::{Axis, time};
use super::{Medians, colour, head, legend};

/// What is on the axis from bottom to top.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// Operations a second of processor time.
    Rate,
    /// Processor time of an operation.
    Cost,
}

/// The sweeps, what is on their axis from left to right, and what on the other.
pub(super) const SWEEPS: &[(&str, &str, Scale)] = &[
    ("in-flight", "calls in flight", Scale::Rate),
    ("payload", "bytes of payload (nought at the left edge)", Scale::Cost),
    ("connections", "connections", Scale::Rate),
    ("methods", "methods of the service", Scale::Rate),
];

const LEFT: usize = 80;
const RIGHT: usize = 780;
const TOP: usize = 44;
const BOTTOM: usize = 400;

/// Draws one sweep.
pub(super) fn draw(medians: &Medians, contenders: &[String], label: &str, scale: Scale) -> String {
    let of = |nanoseconds: f64| match scale {
        Scale::Rate => 1e9 / nanoseconds,
        Scale::Cost => nanoseconds,
    };
    let across = Axis::around(medians.keys().map(|(_, x)| *x as f64), LEFT, RIGHT);
    let up = Axis::around(medians.values().map(|value| of(*value)), BOTTOM, TOP);
    let title = match scale {
        Scale::Rate => format!("Calls per second of processor time, both ends, by {label}"),
        Scale::Cost => format!("Processor time per call, both ends, by {label}"),
    };
    let mut svg = head(940, 450, &title);
    for (value, x) in across.ticks() {
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{BOTTOM}\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 18,
            short(value)
        );
    }
    for (value, y) in up.ticks() {
        let text = if matches!(scale, Scale::Cost) { time(value) } else { short(value) };
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{RIGHT}\" y2=\"{y}\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{text}</text>",
            LEFT - 8,
            y + 4.0
        );
    }
    let _ =
        writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", (LEFT + RIGHT) / 2, BOTTOM + 40);
    for (index, contender) in contenders.iter().enumerate() {
        let points = medians.iter().filter(|((name, _), _)| name == contender);
        let points: Vec<String> = points
            .map(|((_, x), value)| format!("{:.1},{:.1}", across.place(*x as f64), up.place(of(*value))))
            .collect();
        let own = if contender == "vox" { " own" } else { "" };
        let _ = writeln!(svg, "<polyline class=\"c{} line{own}\" points=\"{}\"/>", colour(index), points.join(" "));
    }
    legend(&mut svg, &contenders.iter().collect::<Vec<_>>(), contenders, RIGHT + 24, TOP + 16);
    svg + "</svg>\n"
}

/// A number in few letters.
fn short(value: f64) -> String {
    match value {
        ..1e3 => format!("{value}"),
        1e3..1e6 => format!("{} k", value / 1e3),
        1e6..1e9 => format!("{} M", value / 1e6),
        _ => format!("{} G", value / 1e9),
    }
}
