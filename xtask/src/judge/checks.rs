//! Checks as they are made, and how late a word may come.
//!
//! Must not depend on: what is checked.

use lab::words::step::Step;

use crate::millis::millis;
use crate::outcome::Outcome;

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What must be true.
    pub name: String,
    /// Whether it is; else what is the case instead.
    pub result: Result<(), String>,
}

/// How much later than it was done OVSDB's or a flow monitor's word may be read where every process gets a processor at
/// once: what the daemon does in one round of its main loop before it tells others. Without KVM that is up to 15 ms on a
/// quiet machine, and has been 68 ms on one that was compiling, of which the prober's stalls show only a part.
const TOLD: u64 = 100_000_000;

/// How often a process must be given a processor until the word is read: the daemon's next round, ovsgap's thread that
/// reads, and a third where the word comes in two pieces. How long each waits is seen in the prober, which is ordinary, too.
const WAITS: u64 = 3;

/// How late a word about a step may be.
pub fn told(outcome: &Outcome, step: Option<&Step>, at: Option<u64>) -> u64 {
    let started = step.map_or(0, |step| step.started_ns);
    TOLD + WAITS * outcome.stall(started, at.unwrap_or(started))
}

/// The checks made so far.
pub struct Checks {
    scenario: &'static str,
    /// Each of them.
    pub list: Vec<Check>,
}

impl Checks {
    /// None so far, of a scenario.
    pub fn of(scenario: &'static str) -> Self {
        Self {
            scenario,
            list: Vec::new(),
        }
    }

    /// Something must be the case.
    pub fn that(&mut self, name: &str, result: Result<(), String>) {
        self.list.push(Check {
            name: format!("{}: {name}", self.scenario),
            result,
        });
    }

    /// Something must be what it should.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, is: &T, should: &T) {
        let result = if is == should {
            Ok(())
        } else {
            Err(format!("it is {is:?} and should be {should:?}"))
        };
        self.that(name, result);
    }

    /// A time that the report gives must lie within a step that was done, or up to `late` after it.
    pub fn within(&mut self, name: &str, at: Option<u64>, step: Option<&Step>, late: u64) {
        let result = match (at, step) {
            (None, _) => Err("it is null".to_owned()),
            (_, None) => Err("the scenario did not do it".to_owned()),
            (Some(at), Some(step)) if at < step.started_ns => Err(format!(
                "it is {} ms before it was done",
                millis(step.started_ns - at)
            )),
            (Some(at), Some(step)) if at > step.ended_ns + late => Err(format!(
                "it is {} ms after it was done",
                millis(at - step.ended_ns)
            )),
            (Some(_), Some(_)) => Ok(()),
        };
        self.that(name, result);
    }
}
