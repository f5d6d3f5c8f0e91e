//! Everything a scenario left behind, and what the truth says about one Pod in it.
//!
//! Must not depend on: what it should be (that is `judge`), how it is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use lab::words::packets::Packets;
use lab::words::report::{Disruption, Report};
use lab::words::scenario::{Notes, Scenario};
use lab::words::step::{NEXT, Step};
use lab::words::truth::{Stream, Truth};
use serde::de::DeserializeOwned;

use crate::bounds::{self, Hole};

/// What one scenario left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: &'static Scenario,
    /// What the prober saw.
    pub truth: Truth,
    /// What was done, and when.
    pub steps: Vec<Step>,
    /// What the node noted.
    pub notes: Notes,
    /// Every packet of each of the truth's streams.
    pub packets: Vec<Packets>,
    /// The report over the recording.
    pub report: Report,
    /// The report over the first part of the recording: what was known while the capture ran.
    pub early: Option<Report>,
    /// The report that `ovsgap record` printed.
    pub live: String,
    /// The same report made from the recording.
    pub replayed: String,
    /// When the prober sent the packets that it numbers, all streams together, in order.
    pub sent: Vec<u64>,
    /// What is sent from here on is not looked at.
    pub until: u64,
    /// What `ovsgap record` said on stderr.
    pub log: String,
    /// Who was told where upcalls go, as the recording has it.
    pub dispatch: Dispatch,
}

/// Whose portids ovs-vswitchd sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dispatch {
    /// Those of the datapath's processors.
    pub per_cpu: bool,
    /// Those of each vport.
    pub per_vport: bool,
}

impl Dispatch {
    /// By the lines of a recording (`docs/events.md`).
    fn of(recording: &str) -> Self {
        let told = |event: &str| {
            let kinds = recording
                .lines()
                .filter(|line| line.contains(event))
                .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            kinds
                .filter_map(|line| line.pointer(&format!("/kind/{event}/pids")).cloned())
                .any(|pids| pids.get("bound").and_then(serde_json::Value::as_u64) > Some(0))
        };
        Self {
            per_cpu: told("dp_change"),
            per_vport: told("vport_portids"),
        }
    }
}

impl Outcome {
    /// Reads the folder of a scenario.
    pub fn read(scenario: &'static Scenario, folder: &Path) -> Result<Self> {
        let text = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let steps = text("steps.jsonl").unwrap_or_default();
        // A report that is not there or cannot be read is for the judge to say.
        let report = |file: &str| text(file).ok().and_then(|text| json::<Report>(&text, file).ok());
        let whole = report("report.json").unwrap_or_default();
        let packets: Vec<Packets> = json(&text("packets.json")?, "packets.json")?;
        Ok(Self {
            scenario,
            truth: json(&text("truth.json")?, "truth.json")?,
            steps: steps
                .lines()
                .map(|line| json(line, "steps.jsonl"))
                .collect::<Result<_>>()?,
            notes: json(&text("notes.json")?, "notes.json")?,
            sent: sent(&packets),
            packets,
            early: report("early.json"),
            until: whole.capture.ended_ns,
            report: whole,
            live: text("live")?,
            replayed: text("replayed").unwrap_or_default(),
            log: text("record.log").unwrap_or_default(),
            dispatch: Dispatch::of(&text("recording.jsonl").unwrap_or_default()),
        })
    }

    /// A step by its name and Pod.
    pub fn step(&self, name: &str, pod: Option<&str>) -> Option<&Step> {
        self.steps
            .iter()
            .find(|step| step.name == name && step.pod.as_deref() == pod)
    }

    /// The restart that the report is about: the one whose flush came last.
    pub fn restart(&self) -> Option<&Disruption> {
        self.report
            .disruptions
            .iter()
            .max_by_key(|restart| restart.milestone("flush_ns"))
    }

    /// The same, restart by restart.
    pub fn restarts(&self) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut rest = self.clone();
        loop {
            let next = rest.steps.iter().position(|step| step.name == NEXT);
            let later = next.map(|next| rest.steps.split_off(next));
            let (at, until) = (parts.len(), later.as_ref().and_then(|steps| steps.first()));
            let mut part = rest.clone();
            part.until = until.map_or(self.report.capture.ended_ns, |step| step.started_ns);
            part.report.disruptions = self.report.disruptions.get(at).cloned().into_iter().collect();
            parts.push(part);
            match later {
                Some(steps) => rest.steps = steps.into_iter().skip(1).collect(),
                None => return parts,
            }
        }
    }

    /// Names of the Pods: those in the traffic and those that are idle.
    pub fn pods(&self) -> BTreeSet<&str> {
        let busy = self
            .truth
            .streams
            .iter()
            .flat_map(|stream| [stream.src.as_str(), stream.dst.as_str()]);
        busy.chain(self.scenario.idle.iter().copied()).collect()
    }

    /// Every stream with its packets.
    pub fn streams(&self) -> impl Iterator<Item = (&Stream, bounds::Stream<'_>)> {
        let began = self.steps.first().map_or(0, |step| step.started_ns);
        let streams = self.truth.streams.iter().zip(&self.packets);
        streams.map(move |(stream, packets)| {
            let of = bounds::Stream {
                packets,
                began,
                ended: self.until,
                error: self.truth.clock_error_ns,
                prober: &self.sent,
                tapped: packets.sent == packets.done,
            };
            (stream, of)
        })
    }

    /// The longest time in which nothing was sent, of those that lie at least in part between two points: so long an
    /// ordinary process waited for a processor.
    pub fn stall(&self, from: u64, to: u64) -> u64 {
        bounds::stall(&self.sent, from, to)
    }

    /// From the flush to the last Pod's flows.
    pub fn under_way(&self) -> std::ops::Range<u64> {
        let flush = self.restart().and_then(|restart| restart.milestone("flush_ns"));
        let last = self
            .steps
            .iter()
            .rev()
            .find(|step| step.name == "flows_installed");
        flush.unwrap_or(u64::MAX)..last.map_or(0, |step| step.started_ns)
    }

    /// What the prober saw of one Pod since the restart began.
    pub fn of_pod(&self, pod: &str) -> PodTruth {
        let own = self.step("flows_installed", Some(pod));
        // Where there is hardly a hole, the step may begin before the flush, and traffic still flow by the old megaflows.
        let flush = self
            .restart()
            .and_then(|restart| restart.milestone("flush_ns"))
            .unwrap_or_default();
        let of = |is_of: fn(&Stream, &str) -> bool| {
            let streams = self
                .streams()
                .filter(move |(stream, _)| stream.flows && is_of(stream, pod));
            streams.collect::<Vec<_>>()
        };
        PodTruth::new(
            own.map_or(0, |step| step.started_ns.max(flush)),
            &of(|stream, pod| stream.dst == pod),
            &of(|stream, pod| stream.src == pod),
        )
    }
}

fn sent(packets: &[Packets]) -> Vec<u64> {
    // What only taps have seen was sent by kernels.
    let numbered = packets.iter().filter(|packets| packets.sent != packets.done);
    let mut sent: Vec<u64> = numbered.flat_map(|packets| &packets.sent).copied().collect();
    sent.sort_unstable();
    sent
}

fn json<T: DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text).with_context(|| format!("reading {what}"))
}

/// What the prober saw of one Pod since the restart began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodTruth {
    /// Packets to the Pod.
    pub to: Direction,
    /// Packets from the Pod.
    pub from: Direction,
    /// When each kind of its traffic that had lost packets was forwarded again: the first packet sent since then and since the
    /// Pod's own flows came that had not waited for userspace arrived, of the kind for which that came last. `None`: nothing
    /// was lost.
    pub again_ns: Option<u64>,
}

/// What was lost in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// Packets that were lost.
    pub lost: u64,
    /// The longest hole of one stream.
    pub longest: Option<Hole>,
}

impl PodTruth {
    fn new(own: u64, to: &[(&Stream, bounds::Stream)], from: &[(&Stream, bounds::Stream)]) -> Self {
        // To and from the Pod, and apart what finds neighbours: that may flow when nothing else does.
        let mut kinds: BTreeMap<(bool, bool), Vec<&bounds::Stream>> = BTreeMap::new();
        let to_and_from = to
            .iter()
            .map(|one| (true, one))
            .chain(from.iter().map(|one| (false, one)));
        for (direction, (stream, packets)) in to_and_from {
            let kind = kinds.entry((direction, stream.finds_neighbours())).or_default();
            kind.push(packets);
        }
        let blocked: Option<Vec<u64>> = kinds
            .into_values()
            .filter_map(|streams| {
                // Before it lost one it was forwarded by what was there before, even where its own flows had come by then.
                let lost = streams.iter().filter_map(|packets| packets.lost_first()).min()?;
                let prompt = streams
                    .iter()
                    .filter_map(|packets| packets.first_prompt(own.max(lost)));
                Some(prompt.min().filter(|_| own > 0))
            })
            .collect();
        Self {
            to: Direction::new(to),
            from: Direction::new(from),
            again_ns: blocked.and_then(|kinds| kinds.into_iter().max()),
        }
    }
}

impl Direction {
    fn new(streams: &[(&Stream, bounds::Stream)]) -> Self {
        let longest = streams.iter().filter_map(|(_, packets)| packets.longest());
        Self {
            lost: streams
                .iter()
                .map(|(_, packets)| packets.lost().count() as u64)
                .sum(),
            longest: longest.max_by_key(Hole::at_least),
        }
    }
}
