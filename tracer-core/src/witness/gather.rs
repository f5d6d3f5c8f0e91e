//! The witnesses of one endpoint in one disruption: which source was there, from when to when.
//!
//! Must not depend on: windows, causes. A source counts as there for as long as it has shown that it is alive: what says nothing
//! is not known to have seen nothing.

use crate::memory::coverage::{Blemish, HOOK_MISSING, Of};
use crate::memory::disruption::Disruption;
use crate::memory::engine::Engine;
use crate::memory::topology::Endpoint;
use crate::vocabulary::time::{MILLISECOND, SECOND, Timestamp};
use crate::witness::source::{Source, State, Witness};

/// One endpoint in one disruption.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is remembered.
    pub engine: &'a Engine,
    /// What is known to be missing.
    pub blemishes: &'a [Blemish],
    /// The disruption.
    pub disruption: &'a Disruption,
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// Until when it is judged.
    pub to: Timestamp,
}

/// A source that has shown itself this shortly before the end was there at the end: counters are read every second, and a
/// capture lets go of its hooks before it writes its end.
const ALIVE: u64 = 1_500 * MILLISECOND;

/// All of them.
pub fn witnesses(scene: &Scene<'_>) -> Vec<Witness> {
    let began = scene.disruption.began.max(scene.endpoint.since);
    let risk = scene
        .disruption
        .risk()
        .unwrap_or(scene.disruption.began)
        .max(scene.endpoint.since);
    [
        (Source::Packets, risk, packets(scene, risk)),
        (
            Source::Upcalls,
            began,
            hooks(scene, began, &Of::Upcalls, "ovs_dp_upcall"),
        ),
        (
            Source::Megaflows,
            risk,
            hooks(scene, risk, &Of::Megaflows, "ovs_flow_tbl_insert"),
        ),
        (Source::Flows, began, flows(scene)),
        (Source::Ports, began, ports(scene)),
        (Source::Owners, began, owners(scene)),
    ]
    .map(|(source, from_ns, (state, why))| Witness {
        source,
        state,
        from_ns,
        to_ns: scene.to.max(from_ns),
        why: (state != State::Whole).then_some(why).flatten(),
    })
    .into()
}

type Found = (State, Option<String>);

const WHOLE: Found = (State::Whole, None);

fn partial(why: &str) -> Found {
    (State::Partial, Some(why.to_owned()))
}

fn absent(why: &str) -> Found {
    (State::Absent, Some(why.to_owned()))
}

/// What is known to be missing of a source in a span.
fn blemish(scene: &Scene<'_>, from: Timestamp, of: &Of) -> Option<Found> {
    let kernel = matches!(of, Of::Packets | Of::Upcalls | Of::Megaflows);
    let takes = |one: &&Blemish| one.of == *of || one.of == Of::All || kernel && one.of == Of::Kernel;
    let found = scene
        .blemishes
        .iter()
        .filter(takes)
        .find(|one| one.finding.touches(from, Some(scene.to)))?;
    Some(partial(&found.finding.detail))
}

fn is_hooked(scene: &Scene<'_>, hook: &str) -> bool {
    scene
        .engine
        .coverage
        .hooks()
        .any(|known| known.name == hook && known.ok)
}

fn hooks(scene: &Scene<'_>, from: Timestamp, of: &Of, hook: &str) -> Found {
    if !is_hooked(scene, hook) {
        return absent(&format!(
            "The hook on {hook} was not attached. `ovsgap doctor` says what is missing."
        ));
    }
    blemish(scene, from, of).unwrap_or(WHOLE)
}

fn packets(scene: &Scene<'_>, risk: Timestamp) -> Found {
    let spans = &scene.engine.evidence;
    let touches = |(armed, let_go): &&(Timestamp, Option<Timestamp>)| {
        *armed <= scene.to && let_go.is_none_or(|let_go| let_go >= risk)
    };
    let Some((armed, _)) = spans.iter().find(touches) else {
        return absent(&unfollowed(scene));
    };
    // Where nothing was taken from the megaflows, packets went on by them, and those that went to userspace are always seen.
    let risk = if scene.disruption.risk().is_some() {
        risk
    } else {
        risk.max(*armed)
    };
    // A capture lets go of its hooks before it writes its end.
    let ends = scene.to >= scene.engine.now;
    let forgiven = if ends { ALIVE } else { 0 };
    let covers = |(armed, let_go): &(Timestamp, Option<Timestamp>)| {
        *armed <= risk && let_go.is_none_or(|let_go| let_go.plus(forgiven) >= scene.to)
    };
    if *armed > risk {
        return partial(&format!(
            "Single packets were followed only {} ms after traffic was put at risk. `--evidence always` follows them at all times.",
            armed.since(risk) / MILLISECOND
        ));
    }
    if !spans.iter().any(covers) {
        return partial(
            "Single packets were not followed all the time: the hooks on them were let go meanwhile.",
        );
    }
    let away = &scene.endpoint.away;
    if scene.endpoint.missing.is_some_and(|since| since <= scene.to)
        || away
            .iter()
            .any(|(gone, back)| *gone <= scene.to && *back >= scene.disruption.began)
    {
        return partial(
            "Its port was away from the datapath for a time: packets that came meanwhile met no hook and are not counted.",
        );
    }
    blemish(scene, risk, &Of::Packets)
        .or_else(|| silent(scene, risk))
        .unwrap_or(WHOLE)
}

/// Why packets were not followed: a hook that they need is missing, else nobody asked for it.
fn unfollowed(scene: &Scene<'_>) -> String {
    let missing = |one: &&Blemish| one.of == Of::Packets && one.finding.kind == HOOK_MISSING;
    let why = scene.blemishes.iter().find(missing).map_or(
        "`--evidence auto` follows them during disruptions, `--evidence always` at all times.",
        |one| one.finding.detail.as_str(),
    );
    format!("Single packets were not followed, so what was lost is not known. {why}")
}

/// The datapath counted packets and no hook told of any; or nothing tells whether there were any.
fn silent(scene: &Scene<'_>, risk: Timestamp) -> Option<Found> {
    let seen = scene.engine.traffic.seen();
    let pairs = scene.engine.readings.pairs();
    let mut followed = pairs.filter(|(_, one, next)| one.at >= risk && next.at <= scene.to.plus(SECOND));
    let grew =
        followed.any(|(_, one, next)| next.hit > one.hit && seen.touching(one.at, next.at).next().is_none());
    if grew {
        return Some(partial(
            "The datapath counted packets that no hook reported. The recording is incomplete, or the packets met an action that ovsgap \
             does not follow (sFlow, for example).",
        ));
    }
    let counted = scene
        .engine
        .readings
        .last()
        .is_some_and(|last| last.plus(ALIVE) >= scene.to);
    let last = seen.iter().map(|(_, to, ())| *to).max();
    let alive = last.is_some_and(|last| last.plus(ALIVE) >= scene.to);
    (!counted && !alive).then(|| {
        partial("Neither packets nor the datapath's counters were reported until the end: nothing says that there was no traffic.")
    })
}

fn flows(scene: &Scene<'_>) -> Found {
    let Some(bridge) = &scene.endpoint.bridge else {
        return absent("Its bridge is not known, so its flows cannot be watched.");
    };
    let Some(monitor) = scene.engine.openflow.monitor(bridge) else {
        return absent(&format!(
            "No flow monitor watched {bridge}. See whether its management socket can be reached (`ovsgap doctor`)."
        ));
    };
    // What an earlier ovs-vswitchd told is no longer so.
    let exit = scene.disruption.milestones.vswitchd_exit_ns;
    let (Some(up), Some(_)) = (monitor.up, monitor.told) else {
        return partial(&format!("The flow monitor of {bridge} was off."));
    };
    let since = exit.unwrap_or(scene.disruption.began);
    if exit.is_some_and(|exit| up < exit) || exit.is_none() && up > since {
        return partial(&format!("The flow monitor of {bridge} was not on all the time."));
    }
    if monitor.heard.plus(ALIVE) < scene.to {
        return partial(&format!(
            "The flow monitor of {bridge} did not show that it was alive at the end of the disruption."
        ));
    }
    blemish(scene, since, &Of::Flows(bridge.clone()))
        .filter(|_| !is_only_restart(scene, since, bridge))
        .unwrap_or(WHOLE)
}

/// That the monitor was down from the exit of ovs-vswitchd to the start of the next one takes nothing away: there were no flows.
fn is_only_restart(scene: &Scene<'_>, since: Timestamp, bridge: &str) -> bool {
    let up = scene
        .engine
        .openflow
        .monitor(bridge)
        .and_then(|monitor| monitor.up);
    let mut touching = scene
        .blemishes
        .iter()
        .filter(|one| one.of == Of::All || one.of == Of::Flows(bridge.to_owned()))
        .filter(|one| one.finding.touches(since, Some(scene.to)));
    touching
        .all(|one| one.finding.kind == "source_down" && one.finding.to_ns.is_some_and(|to| Some(to) <= up))
}

fn ports(scene: &Scene<'_>) -> Found {
    let Some(last) = scene.engine.readings.last() else {
        return absent("Netlink did not report the datapath. `ovsgap doctor` says why.");
    };
    if last.plus(ALIVE) < scene.to {
        return partial("Netlink did not report the datapath until the end of the disruption.");
    }
    blemish(scene, scene.disruption.began, &Of::Ports).unwrap_or(WHOLE)
}

fn owners(scene: &Scene<'_>) -> Found {
    if !scene.engine.topology.is_told() {
        return absent("OVSDB did not report which Pods there are. `ovsgap doctor` says why.");
    }
    // A restart of ovsdb-server takes nothing away once all rows have been told again.
    let mut down = scene
        .blemishes
        .iter()
        .filter(|one| one.of == Of::Owners && one.finding.to_ns.is_none());
    down.next()
        .map(|one| partial(&one.finding.detail))
        .or_else(|| blemish(scene, scene.disruption.began, &Of::All))
        .unwrap_or(WHOLE)
}
