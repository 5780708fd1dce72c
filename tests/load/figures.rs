//! From samples to figures.

/// Least, middle and greatest of what the rounds gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    /// Over these rounds.
    pub(crate) fn of(rounds: &[f64]) -> Self {
        Self { min: quantile(rounds, 0.0), median: quantile(rounds, 0.5), max: quantile(rounds, 1.0) }
    }

    /// `median (least–greatest)`, without decimals.
    pub(crate) fn whole(&self) -> String {
        format!("{:.0} ({:.0}–{:.0})", self.median, self.min, self.max)
    }

    /// `median (least–greatest)`, with two decimals.
    pub(crate) fn fine(&self) -> String {
        format!("{:.2} ({:.2}–{:.2})", self.median, self.min, self.max)
    }
}

/// The value below which this share of the samples lies, between two of them if need be; 0 of none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "a place in a list of some thousands"
)]
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = sorted.len().saturating_sub(1) as f64 * share;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or_default();
    let (below, above) = (at(place.floor()), at(place.ceil()));
    below + (above - below) * place.fract()
}

/// What a target takes longer than another, request by request; pairs with a failure are left out.
pub(crate) fn added(target: &[Option<f64>], direct: &[Option<f64>]) -> Vec<f64> {
    target.iter().zip(direct).filter_map(|(one, other)| Some((*one)? - (*other)?)).collect()
}

/// What one thing is of another, round by round.
pub(crate) fn ratio(ones: &[f64], others: &[f64]) -> Spread {
    let rounds: Vec<f64> = ones.iter().zip(others).map(|(one, other)| one / other).collect();
    Spread::of(&rounds)
}

/// A time for each of so many.
#[expect(clippy::cast_precision_loss, reason = "counts of some thousands")]
pub(crate) fn each(total: f64, count: usize) -> f64 {
    total / count.max(1) as f64
}
