//! A logarithmic axis.

/// From where to where, in what is measured and in the picture.
pub(super) struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Has room for all of the values, which are above nought, between whole powers of ten.
    pub(super) fn around(values: impl Iterator<Item = f64>, from: usize, to: usize) -> Self {
        let (mut low, mut high) = (f64::MAX, f64::MIN_POSITIVE);
        for value in values.filter(|value| *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        let low = low.min(high).log10().floor();
        Self { low, high: high.log10().ceil().max(low + 1.0), from: from as f64, to: to as f64 }
    }

    /// Where a value is in the picture; what is not above nought is at the lower end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let part = (value.max(f64::MIN_POSITIVE).log10() - self.low) / (self.high - self.low);
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// The powers of ten, and where they are.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, f64)> {
        (self.low as i32..=self.high as i32).map(|power| (10_f64.powi(power), self.place(10_f64.powi(power))))
    }
}

/// A time in nanoseconds, in the unit that suits it.
pub(super) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds} ns"),
        1e3..1e6 => format!("{} µs", nanoseconds / 1e3),
        _ => format!("{} ms", nanoseconds / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_between_powers_of_ten() {
        let axis = Axis::around([20.0, 3_000.0].into_iter(), 100, 400);
        let ticks: Vec<_> = axis.ticks().map(|(value, place)| (value as u64, place as u64)).collect();
        assert_eq!(ticks, [(10, 100), (100, 200), (1_000, 300), (10_000, 400)]);
        assert_eq!((axis.place(0.0), axis.place(1e9)), (100.0, 400.0));
    }
}
