//! Going to another point in time.
//!
//! Must not depend on: rows, panes.

use crate::historian::Target;
use crate::historian::moment::{Moment, Origin};
use crate::tui::action::{Action, Effect};
use crate::tui::axis;
use crate::tui::screen::{REAL_TIME, Screen};

/// The slowest and the fastest a recording is played.
const SPEEDS: (u64, u64) = (REAL_TIME / 1024, REAL_TIME * 64);

/// Goes to another point in time.
pub fn travel(screen: &mut Screen, action: Action, moment: &Moment) -> Vec<Effect> {
    let target = match action {
        Action::Pause => return pause(screen, moment),
        Action::Slower => return speed(screen, screen.speed / 2),
        Action::Faster => return speed(screen, screen.speed * 2),
        Action::StepForward => Some(Target::Step(1)),
        Action::StepBack => Some(Target::Step(-1)),
        Action::Begin => Some(Target::Begin),
        Action::Newest => Some(Target::Newest),
        Action::NextMilestone => {
            let next = moment.landmarks().into_iter().find(|mark| mark.at > moment.at);
            next.map(|mark| Target::Time(mark.at))
        }
        Action::PreviousMilestone => {
            let before = moment
                .landmarks()
                .into_iter()
                .rev()
                .find(|mark| mark.at < moment.at);
            before.map(|mark| Target::Time(mark.at))
        }
        Action::NextDisruption => {
            let ends = moment.conclusions();
            let next = ends.iter().find(|at| **at > moment.at).copied();
            next.filter(|at| *at < moment.reach.1)
                .map_or(Some(Target::Newest), |at| Some(Target::Time(at)))
        }
        Action::PreviousDisruption => {
            let ends = moment.conclusions();
            ends.iter()
                .rev()
                .find(|at| **at < moment.at)
                .map(|at| Target::Time(*at))
        }
        _ => None,
    };
    screen.playing = false;
    let Some(target) = target else {
        screen.notice = Some("nothing there".to_owned());
        return Vec::new();
    };
    screen.scrolled = (0, screen.scrolled.1);
    vec![Effect::Go(target)]
}

fn speed(screen: &mut Screen, speed: u64) -> Vec<Effect> {
    screen.speed = speed.clamp(SPEEDS.0, SPEEDS.1);
    screen.notice = Some(format!("a recording is played at {}", screen.pace()));
    Vec::new()
}

/// Live: stop here, or go on with what happens. A recording: play on from here, from the beginning if here is the end.
fn pause(screen: &mut Screen, moment: &Moment) -> Vec<Effect> {
    match (&moment.origin, moment.following) {
        (Origin::Live, true) => vec![Effect::Go(Target::Time(moment.at))],
        (Origin::Live, false) => vec![Effect::Go(Target::Newest)],
        (Origin::Recording(_), true) => {
            screen.playing = true;
            vec![Effect::Go(Target::Time(
                axis::shown(screen, moment).0.max(moment.reach.0),
            ))]
        }
        (Origin::Recording(_), false) => {
            screen.playing = !screen.playing;
            Vec::new()
        }
    }
}

/// Time has passed on the wall: a recording that is played goes on.
pub fn passed(screen: &mut Screen, nanos: u64, moment: &Moment) -> Vec<Effect> {
    // While the newest point is still shown, the first one to play is on its way.
    if !screen.playing || moment.following {
        return Vec::new();
    }
    let on = u64::try_from(u128::from(nanos) * u128::from(screen.speed) / u128::from(REAL_TIME));
    let at = moment.at.plus(on.unwrap_or(u64::MAX).max(1));
    if at >= moment.reach.1 {
        screen.playing = false;
        return vec![Effect::Go(Target::Newest)];
    }
    vec![Effect::Go(Target::Time(at))]
}
