//! When there was no datapath, or no port in it, that could have counted anything.
//!
//! Must not depend on: packets, windows.

use crate::memory::coverage::{Blemish, Of, finding};
use crate::memory::disruption::Disruption;
use crate::memory::engine::Engine;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Finding;

/// So many Pods are named.
const NAMED: usize = 3;

/// What is to be said of them.
pub fn blemishes(engine: &Engine) -> Vec<Blemish> {
    let datapaths: Vec<Blemish> = engine
        .disruptions
        .list
        .iter()
        .filter_map(without_datapath)
        .collect();
    let told = |absence: &Absence| {
        let mut datapaths = datapaths.iter();
        datapaths.any(|one| one.finding.touches(absence.from, Some(absence.to)))
    };
    let mut ports = absences(engine);
    ports.retain(|absence| !told(absence));
    let ports = ports.iter().map(without_port);
    datapaths.iter().cloned().chain(ports).collect()
}

/// While the module was away its packets met no hook.
fn without_datapath(disruption: &Disruption) -> Option<Blemish> {
    disruption.module_gone?;
    let again = disruption.without_datapath.and_then(|(_, again)| again);
    let detail = "The module was unloaded and the datapath with it: packets that came meanwhile met no hook and are not counted.";
    let found = finding("datapath_gone", disruption.dark(), again, detail.to_owned());
    Some(weakening(Of::Packets, found))
}

/// Pods without a port, at times that overlap.
struct Absence {
    from: Timestamp,
    to: Timestamp,
    pods: Vec<String>,
}

fn absences(engine: &Engine) -> Vec<Absence> {
    let endpoints = engine.topology.endpoints().values();
    let mut single: Vec<(Timestamp, Timestamp, String)> = endpoints
        .filter_map(|endpoint| Some((endpoint, endpoint.identity.pod.as_ref()?)))
        .flat_map(|(endpoint, (namespace, name))| {
            let away = endpoint.away.iter();
            away.map(move |(from, to)| (*from, *to, format!("{namespace}/{name}")))
        })
        .collect();
    single.sort();
    let mut joined: Vec<Absence> = Vec::new();
    for (from, to, pod) in single {
        match joined.last_mut().filter(|last| from <= last.to) {
            Some(last) => {
                last.to = last.to.max(to);
                last.pods.push(pod);
            }
            None => joined.push(Absence {
                from,
                to,
                pods: vec![pod],
            }),
        }
    }
    joined
}

/// The Pods are weighed one by one: others are not concerned.
fn without_port(absence: &Absence) -> Blemish {
    let mut pods = absence.pods.clone();
    pods.sort();
    pods.dedup();
    let named = pods.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = match pods.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let detail = format!(
        "{named}{more} had no port in the datapath for a time: packets that came meanwhile met no hook and are not counted."
    );
    weakening(
        Of::Nothing,
        finding("port_gone", Some(absence.from), Some(absence.to), detail),
    )
}

fn weakening(of: Of, finding: Finding) -> Blemish {
    let finding = finding.weakening();
    Blemish { of, finding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::event::{Event, EventKind, InterfaceRow, PortRow};
    use crate::vocabulary::id::{DpIfindex, PortNo};

    #[test]
    fn pods_that_had_no_port_at_the_same_time_are_told_together() {
        let mut engine = Engine::default();
        let mut step = |at: u64, kind: EventKind| {
            let at = Timestamp(at);
            engine.step(&Event { at, kind });
        };
        for pod in 1..=5_u32 {
            let name = format!("veth{pod}");
            let ids = [("pod-namespace", "default"), ("pod-name", name.as_str())];
            let port = PortRow {
                name: name.clone(),
                interfaces: vec![format!("i{pod}")],
                external_ids: ids.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            };
            let interface = InterfaceRow {
                name: name.clone(),
                ..InterfaceRow::default()
            };
            let (uuid, dp, port_no) = (format!("i{pod}"), DpIfindex(5), PortNo(pod));
            let there = EventKind::Vport {
                dp,
                port_no,
                name: name.clone(),
                ifindex: None,
                kind: 1,
            };
            step(1, there.clone());
            step(
                2,
                EventKind::InterfaceRow {
                    uuid,
                    row: Some(interface),
                },
            );
            step(
                3,
                EventKind::PortRow {
                    uuid: name,
                    row: Some(port),
                },
            );
            if pod > 1 {
                step(10, EventKind::VportGone { dp, port_no });
                step(20 + u64::from(pod), there);
            }
        }
        engine.topology.settle();
        let found: Vec<_> = blemishes(&engine).into_iter().map(|one| one.finding).collect();
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.kind.as_str(), one.from_ns, one.to_ns))
            .collect();
        assert_eq!(told, [("port_gone", Some(Timestamp(10)), Some(Timestamp(25)))]);
        let detail = &found[0].detail;
        assert!(
            detail.starts_with("default/veth2, default/veth3, default/veth4 and 1 more had no port"),
            "{detail}"
        );
    }
}
