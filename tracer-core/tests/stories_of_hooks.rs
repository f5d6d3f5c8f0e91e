//! Stories of nodes on which one hook could not be attached: what rests on it is not certain, and the report says which it was.
//!
//! Must not depend on: how the judge weighs.

mod story;
mod told;

use story::Story;
use told::{does_not_pass, ev, has_finding, healthy, idle, only, passes, told};
use tracer_core::event::{Event, EventKind, Hook};
use tracer_core::report::{Pod, Report};
use tracer_core::witness::proof::Proof;
use tracer_core::witness::source::{Source, State, Witness};

fn hook(name: &str, ok: bool) -> Event {
    let hook = Hook {
        name: name.to_owned(),
        attach: "kprobe".to_owned(),
        ok,
        error: if ok {
            ""
        } else {
            "this kernel has no such function"
        }
        .to_owned(),
        offsets: None,
    };
    ev(1, EventKind::Hook(hook))
}

/// The same, but that this hook is not attached.
fn without(events: Vec<Event>, name: &str) -> Report {
    let is_it = |event: &Event| matches!(&event.kind, EventKind::Hook(hook) if hook.name == name);
    let mut events: Vec<Event> = events.into_iter().filter(|event| !is_it(event)).collect();
    events.push(hook(name, false));
    told(events)
}

fn why(pods: &[Pod]) -> String {
    let proofs = pods.iter().filter_map(|pod| pod.proof.as_ref());
    let why: Vec<String> = proofs.flat_map(Proof::why).cloned().collect();
    why.join(" ")
}

#[test]
fn whatever_packets_rest_on_is_missed() {
    for plot in [healthy(), idle(&healthy())] {
        passes(&told(Story::tell(&plot)));
        for name in [
            "ovs_dp_change",
            "ovs_vport_set_upcall_portids",
            "ovs_dp_upcall",
            "sched_process_exec",
        ] {
            let report = without(Story::tell(&plot), name);
            does_not_pass(&report);
            assert!(has_finding(&report, "hook_missing"), "{name}");
            assert!(
                why(&only(&report).pods).contains(name),
                "{name}: {}",
                why(&only(&report).pods)
            );
        }
    }
}

/// Packets are then followed from a time on when nobody knew which port was which: flows may prove what packets do not.
#[test]
fn packets_prove_nothing_where_ports_may_be_others() {
    for name in [
        "ovs_vport_cmd_new",
        "ovs_vport_cmd_del",
        "ovs_dp_cmd_new",
        "ovs_dp_cmd_del",
    ] {
        let report = without(Story::tell(&healthy()), name);
        for pod in &only(&report).pods {
            let of_packets = |witness: &&Witness| witness.source == Source::Packets;
            let witness = pod.witnesses.iter().find(of_packets).unwrap();
            assert_eq!(witness.state, State::Partial, "{name}");
            assert!(witness.why.as_ref().unwrap().contains(name), "{witness:?}");
        }
    }
}

#[test]
fn packets_that_could_not_be_followed_name_the_hook_and_not_the_flag() {
    let events = Story::tell(&healthy()).into_iter();
    let unfollowed =
        events.filter(|event| !matches!(event.kind, EventKind::Evidence { .. } | EventKind::Packets(_)));
    let report = without(unfollowed.collect(), "ovs_flow_key_extract_userspace");
    does_not_pass(&report);
    let why = why(&only(&report).pods);
    assert!(
        why.contains("ovs_flow_key_extract_userspace") && !why.contains("--evidence"),
        "{why}"
    );
}
