//! The time axis: which stretch of time is shown, and how wide names stand beside it.
//!
//! Must not depend on: colours, what is drawn along it.

use tracer_core::report::Pod;
use tracer_core::time::{SECOND, Timestamp};
use tracer_core::timeline::span;

use super::action::Action;
use super::rows::label;
use super::screen::Screen;
use crate::historian::moment::Moment;
use crate::writing::width;

/// The shortest axis, in ns: a cell is then still more than the clock's grain.
const SHORTEST: u64 = 10_000;

/// The longest: a day.
const LONGEST: u64 = 86_400 * SECOND;

/// What is shown of a capture without a disruption.
const QUIET: u64 = 10 * SECOND;

/// Names wider than this are cut.
const WIDEST_NAME: u16 = 40;

/// The stretch of time that is shown. Unless the user has chosen another: the shown disruption, widened to its first sign or
/// moved so that the shown point is in sight.
pub fn shown(screen: &Screen, moment: &Moment) -> (Timestamp, Timestamp) {
    if let Some(axis) = screen.axis {
        return axis;
    }
    let Some(disruption) = moment.whole_disruption() else {
        return (Timestamp(moment.at.0.saturating_sub(QUIET)), moment.at);
    };
    let (from, to) = span(disruption, moment.reach.1);
    let length = to.since(from);
    let at = moment.at;
    if moment.following || moment.conclusions().contains(&at) || (from..=to).contains(&at) {
        (from, to)
    } else if (disruption.began_ns..from).contains(&at) {
        let margin = to.since(disruption.began_ns) / 12;
        (Timestamp(disruption.began_ns.0.saturating_sub(margin)), to)
    } else {
        let begin = Timestamp(at.0.saturating_sub(length / 2));
        (begin, begin.plus(length))
    }
}

/// Changes what is shown.
pub fn change(screen: &mut Screen, action: Action, moment: &Moment) {
    let (from, to) = shown(screen, moment);
    let length = to.since(from).max(SHORTEST);
    screen.axis = match action {
        Action::ZoomIn => Some(around(moment.at, (from, to), length / 2)),
        Action::ZoomOut => Some(around(moment.at, (from, to), length.saturating_mul(2))),
        Action::PanLeft => Some((
            Timestamp(from.0.saturating_sub(length / 4)),
            Timestamp(to.0.saturating_sub(length / 4)),
        )),
        Action::PanRight => Some((from.plus(length / 4), to.plus(length / 4))),
        _ => None,
    };
}

/// An axis of another length; the shown point stays where it is, the middle where it is not in sight.
fn around(at: Timestamp, (from, to): (Timestamp, Timestamp), length: u64) -> (Timestamp, Timestamp) {
    let length = length.clamp(SHORTEST, LONGEST);
    let before = to.since(from).max(1);
    let fixed = if (from..to).contains(&at) {
        at
    } else {
        from.plus(before / 2)
    };
    let share = u128::from(fixed.since(from)) * u128::from(length) / u128::from(before);
    let begin = Timestamp(fixed.0.saturating_sub(u64::try_from(share).unwrap_or(u64::MAX)));
    (begin, begin.plus(length))
}

/// The point in the middle of a column.
pub fn point(column: u16, columns: u16, (from, to): (Timestamp, Timestamp)) -> Timestamp {
    let place = u128::from(to.since(from)) * (2 * u128::from(column) + 1) / (2 * u128::from(columns.max(1)));
    from.plus(u64::try_from(place).unwrap_or(u64::MAX))
}

/// How wide the names beside the lanes are.
pub fn names(rows: &[&Pod]) -> u16 {
    let widest = rows.iter().map(|pod| width(&label(pod))).max().unwrap_or(0);
    u16::try_from(widest).unwrap_or(u16::MAX).min(WIDEST_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_the_shown_point_in_its_place() {
        let (from, to) = around(
            Timestamp(1_250_000),
            (Timestamp(1_000_000), Timestamp(2_000_000)),
            500_000,
        );
        assert_eq!((from, to), (Timestamp(1_125_000), Timestamp(1_625_000)));
        let (from, to) = around(
            Timestamp(0),
            (Timestamp(1_000_000), Timestamp(2_000_000)),
            500_000,
        );
        assert_eq!((from, to), (Timestamp(1_250_000), Timestamp(1_750_000)));
    }

    #[test]
    fn columns_are_points() {
        let axis = (Timestamp(100), Timestamp(200));
        assert_eq!(point(0, 10, axis), Timestamp(105));
        assert_eq!(point(9, 10, axis), Timestamp(195));
    }
}
