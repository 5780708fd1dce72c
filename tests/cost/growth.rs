//! Whether cost grows in proportion.

/// How well a straight line fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// R² of the straight line of least squares.
    pub(crate) fit: f64,
    /// The dearest additional byte of any step, as a multiple of the mean byte over all.
    pub(crate) step: f64,
}

impl Growth {
    /// Of points of input and cost, smallest input first.
    pub(crate) fn of(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
        let slope = sum(&|point| (point.0 - x) * (point.1 - y)) / sum(&|point| (point.0 - x).powi(2));
        let missed = sum(&|point| (point.1 - y - slope * (point.0 - x)).powi(2));
        let spread = sum(&|point| (point.1 - y).powi(2));
        let steps = points.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0));
        Self { fit: 1.0 - missed / spread, step: steps.fold(0.0, f64::max) / slope }
    }
}

#[test]
fn a_square_is_no_straight_line() {
    let straight: Vec<(f64, f64)> = [5.0, 50.0, 500.0, 5000.0].map(|x| (x, 700.0 + 60.0 * x)).to_vec();
    let growth = Growth::of(&straight);
    assert!(growth.fit > 0.9999 && growth.step < 1.0001, "{growth:?}");
    let square: Vec<(f64, f64)> = [1.0, 3.0, 10.0, 30.0].map(|x| (x, x * x)).to_vec();
    let growth = Growth::of(&square);
    assert!(growth.fit < 0.99 && growth.step > 1.2, "{growth:?}");
    let stepped: Vec<(f64, f64)> =
        [(5.0, 300.0), (50.0, 6000.0), (500.0, 30_000.0), (5000.0, 300_000.0)].to_vec();
    let growth = Growth::of(&stepped);
    assert!(growth.fit > 0.99 && growth.step > 2.0, "{growth:?}");
}
