//! Everything that is known to be missing of what could have been seen.
//!
//! Must not depend on: windows, verdicts.

use crate::memory::coverage::{Blemish, Of, blemish, finding};
use crate::memory::engine::Engine;
use crate::memory::readings::Growth;
use crate::verdict::absence;
use crate::vocabulary::time::Timestamp;

/// Everything that is known to be missing. `transport`: of the recording.
pub fn blemishes(engine: &Engine, transport: Vec<Blemish>) -> Vec<Blemish> {
    let mut all = engine.coverage.blemishes();
    all.extend(transport);
    all.extend(disagreements(engine));
    all.extend(unreported(engine));
    all.extend(forgotten(engine.traffic.forgotten()));
    all.extend(surplus(engine.traffic.surplus()));
    all.extend(absence::blemishes(engine));
    all
}

/// Between which readings the datapath counted other upcalls than the hooks.
fn disagreements(engine: &Engine) -> Vec<Blemish> {
    let differ = engine.readings.counted_pairs().filter_map(|(dp, one, next)| {
        let growth = Growth::between(one, next).filter(|growth| !growth.agrees())?;
        let Growth {
            missed,
            seen_missed,
            lost,
            seen_lost,
        } = growth;
        let detail = format!(
            "Datapath {} counted {missed} misses and {lost} lost upcalls, the hooks {} to {} and {} to {}: some upcalls were \
             not seen, or the datapath was made anew.",
            engine.topology.datapath_label(dp), seen_missed[0], seen_missed[1], seen_lost[0], seen_lost[1]
        );
        Some(upcalls_differ(one.at, next.at, detail))
    });
    let unseen = engine.readings.pairs().filter_map(|(dp, one, next)| {
        let grown = next.lost.checked_sub(one.lost).filter(|grown| *grown > 0)?;
        if engine.readings.is_counted(dp) {
            return None;
        }
        let datapath = engine.topology.datapath_label(dp);
        let detail = format!("Datapath {datapath} lost {grown} upcalls while the hooks counted none.");
        Some(upcalls_differ(one.at, next.at, detail))
    });
    differ.chain(unseen).collect()
}

fn upcalls_differ(from: Timestamp, to: Timestamp, detail: String) -> Blemish {
    blemish(
        Of::Upcalls,
        finding("counters_differ", Some(from), Some(to), detail),
    )
}

/// Upcalls that the hooks counted and no event reports: whatever else was read with them is missing, too.
fn unreported(engine: &Engine) -> impl Iterator<Item = Blemish> {
    engine.readings.short().map(|(dp, (from, to, missing))| {
        let detail = format!(
            "The hooks counted {missing} more upcalls of datapath {} than the events of that time report. Some events are missing: \
             what happened meanwhile cannot pass.",
            engine.topology.datapath_label(dp)
        );
        blemish(
            Of::Kernel,
            finding("events_missing", Some(*from), Some(*to), detail),
        )
    })
}

fn forgotten(gaps: u64) -> Option<Blemish> {
    let detail = format!(
        "{gaps} gaps of traffic that flapped all the time are no longer remembered: only the newest of each are in the figures."
    );
    (gaps > 0).then(|| blemish(Of::Packets, finding("gaps_forgotten", None, None, detail)))
}

fn surplus(keys: u64) -> Option<Blemish> {
    let detail = format!(
        "{keys} traffic keys were forgotten because there were too many at once: what they lost is not in the figures."
    );
    (keys > 0).then(|| blemish(Of::Packets, finding("keys_forgotten", None, None, detail)))
}
