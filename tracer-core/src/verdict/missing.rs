//! Everything that is known to be missing of what could have been seen.
//!
//! Must not depend on: windows, verdicts.

use crate::memory::coverage::{Blemish, Of, finding};
use crate::memory::engine::Engine;
use crate::memory::readings::Growth;
use crate::verdict::absence;

/// Everything that is known to be missing. `transport`: of the recording.
pub fn blemishes(engine: &Engine, transport: Vec<Blemish>) -> Vec<Blemish> {
    let mut all = engine.coverage.blemishes();
    all.extend(transport);
    all.extend(disagreements(engine));
    all.extend(forgotten(engine.traffic.forgotten()));
    all.extend(absence::blemishes(engine));
    all
}

/// Between which readings the datapath counted other upcalls than the hooks.
fn disagreements(engine: &Engine) -> Vec<Blemish> {
    let differ = engine.readings.counted_pairs().filter_map(|(dp, one, next)| {
        let growth = Growth::between(one, next).filter(|growth| !growth.agrees())?;
        let name = engine.topology.datapath_name(dp);
        let datapath = name.map_or_else(|| dp.to_string(), str::to_owned);
        let Growth {
            missed,
            seen_missed,
            lost,
            seen_lost,
        } = growth;
        let detail = format!(
            "Datapath {datapath} counted {missed} misses and {lost} lost upcalls, the hooks {} to {} and {} to {}: some upcalls were \
             not seen, or the datapath was made anew.",
            seen_missed[0], seen_missed[1], seen_lost[0], seen_lost[1]
        );
        let mut found = finding("counters_differ", Some(one.at), Some(next.at), detail);
        found.weakens = true;
        Some(Blemish {
            of: Of::Upcalls,
            finding: found,
        })
    });
    let unseen = engine.readings.pairs().filter_map(|(dp, one, next)| {
        let grown = next.lost.checked_sub(one.lost).filter(|grown| *grown > 0)?;
        if engine.readings.is_counted(dp) {
            return None;
        }
        let name = engine.topology.datapath_name(dp);
        let datapath = name.map_or_else(|| dp.to_string(), str::to_owned);
        let detail = format!("Datapath {datapath} lost {grown} upcalls while the hooks counted none.");
        let mut found = finding("counters_differ", Some(one.at), Some(next.at), detail);
        found.weakens = true;
        Some(Blemish {
            of: Of::Upcalls,
            finding: found,
        })
    });
    differ.chain(unseen).collect()
}

fn forgotten(gaps: u64) -> Option<Blemish> {
    let detail = format!(
        "{gaps} gaps of traffic that flapped all the time are no longer remembered: only the newest of each are in the figures."
    );
    let mut found = finding("gaps_forgotten", None, None, detail);
    found.weakens = true;
    (gaps > 0).then_some(Blemish {
        of: Of::Packets,
        finding: found,
    })
}
