//! Points in time as places on a line, in thousandths of a percent: exact, and the same on every machine.
//!
//! Must not depend on: what is drawn.

use tracer_core::time::Timestamp;

/// A span of time that fills a line.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// At the left end.
    pub from: Timestamp,
    /// At the right end.
    pub to: Timestamp,
}

/// The whole line, in thousandths of a percent.
const WHOLE: u64 = 100_000;

impl Scale {
    /// Thousandths of a percent from the left, at most the whole line.
    pub fn place(self, at: Timestamp) -> u64 {
        share(at.since(self.from), self.to.since(self.from))
    }

    /// `x` and `width` of a stretch, as SVG wants them.
    pub fn stretch(self, from: Timestamp, to: Timestamp) -> String {
        let (left, right) = (self.place(from), self.place(to));
        let width = percent(right.saturating_sub(left));
        format!("x=\"{}\" width=\"{width}\"", percent(left))
    }

    /// Whether a point lies on the line.
    pub fn holds(self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }

    /// Round points on the line, counted from an origin: 4 to 10 of them.
    pub fn ticks(self, origin: Timestamp) -> Vec<Timestamp> {
        let step = step(self.to.since(self.from));
        let first = if self.from <= origin {
            Timestamp(origin.0 - origin.since(self.from) / step * step)
        } else {
            origin.plus(self.from.since(origin).div_ceil(step).saturating_mul(step))
        };
        let points = (0_u64..).map(|number| first.plus(number.saturating_mul(step)));
        points.take_while(|at| *at <= self.to).take(12).collect()
    }
}

/// Part of a whole in thousandths of a percent.
pub fn share(part: u64, whole: u64) -> u64 {
    let place = u128::from(part) * u128::from(WHOLE) / u128::from(whole.max(1));
    u64::try_from(place).unwrap_or(WHOLE).min(WHOLE)
}

/// `12.345%`.
pub fn percent(thousandths: u64) -> String {
    format!("{}.{:03}%", thousandths / 1_000, thousandths % 1_000)
}

/// The greatest of 1, 2, 5 times a power of ten that divides a length into at least four.
fn step(length: u64) -> u64 {
    let mut best = 1;
    let mut power: u64 = 1;
    while power <= length / 4 {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if step <= length / 4 {
                best = step;
            }
        }
        power = power.saturating_mul(10);
        if power == u64::MAX {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_exact_and_stay_on_the_line() {
        let scale = Scale {
            from: Timestamp(1_000),
            to: Timestamp(2_000),
        };
        assert_eq!(percent(scale.place(Timestamp(1_234))), "23.400%");
        assert_eq!(scale.place(Timestamp(0)), 0);
        assert_eq!(scale.place(Timestamp(u64::MAX)), WHOLE);
        assert_eq!(
            scale.stretch(Timestamp(1_000), Timestamp(1_500)),
            "x=\"0.000%\" width=\"50.000%\""
        );
    }

    #[test]
    fn ticks_are_round_from_the_origin() {
        let scale = Scale {
            from: Timestamp(13_000_000),
            to: Timestamp(834_000_000),
        };
        let ticks = scale.ticks(Timestamp(3_000_000));
        assert_eq!(
            ticks,
            [203_000_000, 403_000_000, 603_000_000, 803_000_000].map(Timestamp)
        );
        let before = scale.ticks(Timestamp(1_000_000_000));
        assert_eq!(before.first(), Some(&Timestamp(200_000_000)));
        for length in [1, 7, 1_000, u64::MAX] {
            assert!(
                Scale {
                    from: Timestamp(0),
                    to: Timestamp(length)
                }
                .ticks(Timestamp(0))
                .len()
                    <= 12
            );
        }
    }
}
