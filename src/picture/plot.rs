//! Curves over numbers.

use super::scale::Scale;

/// Larger numbers have no place on an axis.
const VALUE_MAX: f64 = 1e100;

/// One panel of curves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plot {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

/// What is measured along an axis.
#[derive(Debug, Clone, Default)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) logarithmic: bool,
}

/// One curve.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

impl Plot {
    /// A plot; the names of the axes tell their units: `lateness, ms`.
    pub(crate) fn new(title: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Plot {
        let axis = |name| Axis { name, logarithmic: false };
        Plot { title: title.into(), x: axis(x.into()), y: axis(y.into()), series: Vec::new() }
    }

    /// One more curve, its points from left to right. Points that are no numbers below 10<sup>100</sup> are left out, and on an axis of
    /// powers those that are not above zero.
    pub(crate) fn series(mut self, name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Plot {
        self.series.push(Series { name: name.into(), points: points.into_iter().collect() });
        self
    }

    /// Has the horizontal axis count in powers of ten.
    pub(crate) fn x_in_powers(mut self) -> Plot {
        self.x.logarithmic = true;
        self
    }

    /// Has the vertical axis count in powers of ten.
    pub(crate) fn y_in_powers(mut self) -> Plot {
        self.y.logarithmic = true;
        self
    }

    /// The points of a curve that have a place on the axes.
    pub(super) fn points<'a>(&'a self, series: &'a Series) -> impl Iterator<Item = (f64, f64)> + 'a {
        let has_place = |axis: &Axis, value: f64| value.abs() < VALUE_MAX && (!axis.logarithmic || value > 0.0);
        series.points.iter().copied().filter(move |(x, y)| has_place(&self.x, *x) && has_place(&self.y, *y))
    }

    /// Both axes. A linear vertical one begins at zero: what is twice as high is twice as much.
    pub(super) fn scales(&self) -> (Scale, Scale) {
        let points = || self.series.iter().flat_map(|series| self.points(series));
        let scale = |axis: &Axis, least: f64, most: f64| match axis.logarithmic {
            _ if least > most => Scale::of_numbers(0.0, 1.0), // there is no point
            true => Scale::of_powers(least, most),
            false => Scale::of_numbers(least, most),
        };
        let (low, high) = points().fold((f64::MAX, f64::MIN), |(a, b), (x, _)| (a.min(x), b.max(x)));
        let x = scale(&self.x, low, high);
        let floor = if self.y.logarithmic { f64::MAX } else { 0.0 };
        let (low, high) = points().fold((floor, f64::MIN), |(a, b), (_, y)| (a.min(y), b.max(y)));
        (x, scale(&self.y, low, high))
    }
}
