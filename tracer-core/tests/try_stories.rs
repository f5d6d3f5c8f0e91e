#![allow(warnings, clippy::all, clippy::pedantic)]
mod story;
use std::collections::BTreeMap;
use std::net::IpAddr;
use story::{DP, Plot, Story, device, ms};
use tracer_core::budget::{self, Budget, Limit, Limits};
use tracer_core::engine::Engine;
use tracer_core::event::*;
use tracer_core::flow::{Actions, FlowKey};
use tracer_core::id::*;
use tracer_core::judge::{Judge, judge};
use tracer_core::log::{Entry, Header};
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};
use tracer_core::report::*;
use tracer_core::time::*;

fn header() -> Header {
    Header {
        ovsgap_log: 1,
        ..Header::default()
    }
}
fn ev(at: u64, kind: EventKind) -> Event {
    Event { at: ms(at), kind }
}
fn go(mut events: Vec<Event>) -> Report {
    events.sort_by_key(|e| e.at);
    judge(header(), events)
}
fn show(name: &str, r: &Report) {
    println!("== {name}: report verdict {:?}", r.verdict);
    for re in &r.disruptions {
        println!(
            "   restart {} kind {:?} began {} flush {:?} verdict {:?} lost {} affected {}",
            re.id,
            re.kind,
            re.began_ns.0 / 1_000_000,
            re.milestones.flush_ns.map(|t| t.0 / 1_000_000),
            re.verdict,
            re.summary.lost_packets,
            re.summary.affected
        );
        for p in &re.pods {
            println!(
                "      {}/{} verdict {:?} cause {:?} exposed {:?} lost to {:?} from {:?}",
                p.namespace.clone().unwrap_or("-".into()),
                p.name,
                p.verdict,
                p.cause,
                p.exposed
                    .as_ref()
                    .map(|e| (e.duration_ns.map(|d| d / 1000), e.ended_by)),
                p.observed.to_pod.as_ref().map(|l| l.lost_packets),
                p.observed.from_pod.as_ref().map(|l| l.lost_packets)
            );
        }
    }
    if !r.why.is_empty() {
        println!("   WHY {:?}", r.why);
    }
    for re in &r.disruptions {
        for p in &re.pods {
            println!(
                "       proof {} {:?}",
                p.name,
                p.proof
                    .as_ref()
                    .map(|x| (x.says(), x.lost_packets(), x.window_ns(), x.why().to_vec()))
            );
        }
        for u in &re.unattributed {
            println!("      unattributed {} {}", u.interface, u.loss.lost_packets);
        }
    }
    for s in &r.steady_drops {
        println!(
            "   steady drop {} -> {} port {} {} packets",
            s.interface, s.dst, s.port, s.packets
        );
    }
    for c in &r.conditions {
        println!("   condition {:?}", c.cause);
    }
    for f in &r.coverage {
        println!(
            "   finding {} weakens {} {:?}..{:?}",
            f.kind,
            f.weakens,
            f.from_ns.map(|t| t.0 / 1_000_000),
            f.to_ns.map(|t| t.0 / 1_000_000)
        );
    }
}
fn check(r: &Report, b: &Budget) -> Verdict {
    budget::judge(r, b).verdict
}
fn fixed() -> Plot {
    Plot {
        flows_after_flush: Some(-100),
        ..Plot::default()
    }
}
fn armed() -> Event {
    ev(1, EventKind::Evidence { armed: true })
}
fn port(p: u16) -> PortNo {
    PortNo(u32::from(p) + 10)
}
fn run(p: u16, dst: IpAddr, l4: u16, fate: PacketFate, first: u64, last: u64) -> Event {
    let key = TrafficKey {
        dp: DP,
        in_port: port(p),
        eth_type: 0x800,
        dst: Destination::Ip(dst),
        proto: 6,
        port: l4,
    };
    let packets = last - first + 1;
    ev(
        last + 1,
        EventKind::Packets(Run {
            key,
            fate,
            executed: false,
            cpu: 0,
            first: ms(first),
            last: ms(last),
            packets,
            bytes: 60 * packets,
            closed: true,
        }),
    )
}
const NEW: Pid = Pid(200);
fn flow(change: Change, table: u8, pod: u16) -> OpenFlowChange {
    OpenFlowChange {
        change,
        table,
        priority: 100,
        cookie: 0,
        matches: OpenFlowMatch {
            ip_src: Some(IpAddr::from([10, 0, 0, pod as u8])),
            wire: format!("policy{table}-{pod}"),
            ..OpenFlowMatch::default()
        },
    }
}
fn flows(at: u64, changes: Vec<OpenFlowChange>) -> Event {
    ev(
        at,
        EventKind::OpenFlowFlows {
            bridge: "br-int".into(),
            changes,
        },
    )
}

#[test]
fn t01_upcalls_that_failed_for_a_new_connection_pass() {
    let mut e = Story::tell(&fixed());
    e.push(armed());
    e.push(run(
        1,
        [192, 0, 2, 1].into(),
        443,
        PacketFate::UpcallFailed(-107),
        1200,
        1900,
    ));
    let r = go(e);
    show(
        "t01 701 failed upcalls (ENOTCONN) of a connection never delivered",
        &r,
    );
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t02_monitor_tells_1ms_late() {
    let mut e = Story::tell(&fixed());
    e.push(armed());
    for x in &mut e {
        if matches!(x.kind, EventKind::OpenFlowFlows { .. }) && x.at > ms(1000) {
            x.at = ms(2001);
        }
    }
    let r = go(e);
    show("t02 healthy, flow monitor read 1 ms after the flush", &r);
}
#[test]
fn t03_one_flow_not_reinstalled() {
    let mut e = Story::tell(&fixed());
    e.push(armed());
    e.push(flows(6, (1..=3).map(|p| flow(Change::Added, 9, p)).collect()));
    let r = go(e);
    show(
        "t03 healthy, one policy flow a Pod not installed again (upgrade, policy deleted)",
        &r,
    );
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t04_missing_for_ever() {
    let mut e = Story::tell(&fixed());
    e.push(armed());
    e.push(flows(6, vec![flow(Change::Added, 9, 1)]));
    e.retain(|x| x.kind != EventKind::CaptureEnded);
    let later = 3_600_000;
    let mut second: Vec<Event> = Story::tell(&fixed())
        .into_iter()
        .filter(|x| x.at >= ms(1000))
        .collect();
    for x in &mut second {
        x.at = Timestamp(x.at.0 + ms(later).0);
        let re = |p: &mut Pid| p.0 += 100;
        match &mut x.kind {
            EventKind::ProcessExit { process, .. } | EventKind::ProcessExec(process) => re(&mut process.pid),
            EventKind::DpChange { tgid, .. }
            | EventKind::FlowFlush { tgid, .. }
            | EventKind::FlowInsert { tgid, .. } => re(tgid),
            EventKind::Packets(r) => {
                r.first = Timestamp(r.first.0 + ms(later).0);
                r.last = Timestamp(r.last.0 + ms(later).0);
            }
            _ => {}
        }
    }
    e.extend(second);
    let r = go(e);
    show(
        "t04 second healthy restart an hour after a policy went in the first",
        &r,
    );
}
#[test]
fn t05_killed_and_the_monitor_never_back() {
    let plot = Plot {
        traffic: false,
        flows_after_flush: Some(3000),
        ..Plot::default()
    };
    let mut e = Story::tell(&plot);
    e.push(armed());
    e.retain(|x| {
        !(matches!(
            x.kind,
            EventKind::OpenFlowUp { .. }
                | EventKind::OpenFlowFlows { .. }
                | EventKind::OpenFlowSnapshot { .. }
        ) && x.at > ms(1000))
    });
    for x in &mut e {
        if let EventKind::ProcessExit { signal, .. } = &mut x.kind {
            *signal = Some(9);
        }
    }
    let r = go(e);
    show(
        "t05 killed, monitor does not come back, drop megaflows for 3 s, idle",
        &r,
    );
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t06_handlers_never_bound() {
    let plot = Plot {
        traffic: false,
        ..fixed()
    };
    let mut e = Story::tell(&plot);
    e.push(armed());
    e.retain(|x| !matches!(x.kind, EventKind::FlowInsert { .. }));
    for x in &mut e {
        if let EventKind::DpChange { pids: Some(p), .. } = &mut x.kind {
            *p = Portids { given: 2, bound: 0 };
        }
    }
    let r = go(e);
    show("t06 handlers never bound, idle Pods", &r);
    println!(
        "   check: {:?} bound milestone {:?}",
        check(&r, &Budget::nothing()),
        r.disruptions[0].milestones.upcalls_bound_ns
    );
}
#[test]
fn t07_report_and_check_disagree() {
    let plot = Plot {
        monitored: false,
        ..fixed()
    };
    let mut e = Story::tell(&plot);
    e.push(armed());
    let r = go(e);
    show("t07 no monitor, healthy", &r);
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t08_no_ovsdb() {
    let plot = Plot {
        traffic: false,
        flows_after_flush: None,
        monitored: false,
        ..Plot::default()
    };
    let mut e = Story::tell(&plot);
    e.push(armed());
    e.retain(|x| {
        !matches!(
            x.kind,
            EventKind::OvsdbUp
                | EventKind::OvsdbSnapshot
                | EventKind::BridgeRow { .. }
                | EventKind::PortRow { .. }
                | EventKind::InterfaceRow { .. }
                | EventKind::OpenVswitchRow { .. }
        )
    });
    e.push(ev(
        2,
        EventKind::OvsdbDown {
            error: "hangs".into(),
        },
    ));
    let r = go(e);
    show("t08 OVSDB hangs, drop megaflows for ever, idle", &r);
}
#[test]
fn t09_flag_in_capitals() {
    let mut e = Story::tell(&Plot::default());
    e.push(armed());
    for x in &mut e {
        if let EventKind::OpenVswitchRow {
            flow_restore_wait: Some(v),
            ..
        } = &mut x.kind
        {
            *v = "True".into();
        }
    }
    let r = go(e);
    show("t09 flow-restore-wait=True", &r);
    println!("   milestones {:?}", r.disruptions[0].milestones);
}
fn shifted(by: u64, plot: &Plot) -> Vec<Event> {
    Story::tell(plot)
        .into_iter()
        .map(|mut x| {
            if x.at >= ms(900) {
                x.at = Timestamp(x.at.0 + ms(by).0);
                if let EventKind::Packets(r) = &mut x.kind {
                    r.first = Timestamp(r.first.0 + ms(by).0);
                    r.last = Timestamp(r.last.0 + ms(by).0);
                }
            }
            x
        })
        .collect()
}
#[test]
fn t10_skips_hours_apart() {
    let h = 3_600_000;
    let mut e = shifted(10 * h, &fixed());
    e.push(armed());
    e.retain(|x| x.kind != EventKind::CaptureEnded);
    for at in [h, 20 * h] {
        e.push(ev(
            at,
            EventKind::HitsSkipped {
                hook: "ovs_execute_actions".into(),
                count: 1,
            },
        ));
    }
    e.push(ev(21 * h, EventKind::CaptureEnded));
    let r = go(e);
    show(
        "t10 one hit skipped at hour 1, one at hour 20, healthy restart at hour 10",
        &r,
    );
}
#[test]
fn t11_flush_only_turns_bad_later() {
    let mut e: Vec<Event> = Story::tell(&fixed())
        .into_iter()
        .filter(|x| x.at < ms(900))
        .collect();
    e.push(armed());
    e.push(ev(
        2000,
        EventKind::FlowFlush {
            dp: DP,
            tgid: Pid(100),
        },
    ));
    for p in 1..=3u16 {
        let to = p % 3 + 1;
        e.push(ev(
            2005,
            EventKind::FlowInsert {
                dp: DP,
                tgid: Pid(100),
                ufid: Ufid([p as u8; 16]),
                key: FlowKey {
                    in_port: port(p),
                    eth_type: 0x800,
                    ip_dst: Some([10, 0, 0, to as u8].into()),
                    proto: 17,
                    ..FlowKey::default()
                },
                actions: Actions {
                    outputs: vec![port(to)],
                    length: 8,
                    ..Actions::default()
                },
            },
        ));
    }
    e.push(flows(6, vec![flow(Change::Added, 9, 1)]));
    let mut before = e.clone();
    before.push(ev(7_000, EventKind::CaptureEnded));
    show("t11a flush alone", &go(before));
    e.push(flows(3_600_000, vec![flow(Change::Removed, 9, 1)]));
    e.push(ev(3_601_000, EventKind::CaptureEnded));
    show("t11b the same, a policy deleted an hour later", &go(e));
}
#[test]
fn t12_second_restart_not_followed() {
    let mut e = Story::tell(&fixed());
    e.push(armed());
    e.push(ev(7000, EventKind::Evidence { armed: false }));
    e.retain(|x| x.kind != EventKind::CaptureEnded);
    let later = 3_600_000;
    let mut second: Vec<Event> = Story::tell(&fixed())
        .into_iter()
        .filter(|x| x.at >= ms(1000) && !matches!(x.kind, EventKind::Packets(_)))
        .collect();
    for x in &mut second {
        x.at = Timestamp(x.at.0 + ms(later).0);
        let re = |p: &mut Pid| p.0 += 100;
        match &mut x.kind {
            EventKind::ProcessExit { process, .. } | EventKind::ProcessExec(process) => re(&mut process.pid),
            EventKind::DpChange { tgid, .. }
            | EventKind::FlowFlush { tgid, .. }
            | EventKind::FlowInsert { tgid, .. } => re(tgid),
            _ => {}
        }
    }
    e.extend(second);
    let mut alone = e.clone();
    let r = go(e);
    show(
        "t12 second restart: packets were not followed (hooks could not be attached)",
        &r,
    );
}
#[test]
fn t13_quadratic_up() {
    for n in [2000u32, 4000, 8000, 16000] {
        let mut e = Engine::default();
        let changes: Vec<OpenFlowChange> = (0..n)
            .map(|i| OpenFlowChange {
                change: Change::Initial,
                table: 1,
                priority: 1,
                cookie: 0,
                matches: OpenFlowMatch {
                    ip_dst: Some(IpAddr::from(i.to_be_bytes())),
                    wire: format!("000010041{i:08x}"),
                    ..OpenFlowMatch::default()
                },
            })
            .collect();
        for c in changes.chunks(500) {
            e.step(&ev(
                10,
                EventKind::OpenFlowFlows {
                    bridge: "b".into(),
                    changes: c.to_vec(),
                },
            ));
        }
        let t = std::time::Instant::now();
        e.step(&ev(
            20,
            EventKind::OpenFlowUp {
                bridge: "b".into(),
                version: 1,
            },
        ));
        println!("== t13 monitor back on with {n} flows: {:?}", t.elapsed());
    }
}
fn rss() -> u64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .unwrap()
}
#[test]
fn t14_memory_of_200k_flows() {
    let before = rss();
    let mut e = Engine::default();
    let n = 200_000u32;
    let mut i = 0u32;
    while i < n {
        let c: Vec<OpenFlowChange> = (i..i + 500)
            .map(|i| OpenFlowChange {
                change: Change::Initial,
                table: 1,
                priority: 1,
                cookie: 0,
                matches: OpenFlowMatch {
                    ip_dst: Some(IpAddr::from(i.to_be_bytes())),
                    wire: format!(
                        "00000602080000000800000e04{i:08x}0001d20800000000000000010001d60400000000"
                    ),
                    ..OpenFlowMatch::default()
                },
            })
            .collect();
        e.step(&ev(
            10,
            EventKind::OpenFlowFlows {
                bridge: "br-int".into(),
                changes: c,
            },
        ));
        i += 500;
    }
    let one = rss();
    println!("== t14 200k OpenFlow flows: {} MiB more", (one - before) / 1024);
    let copy = e.clone();
    println!(
        "   a copy of the engine (a stop of History): {} MiB more",
        (rss() - one) / 1024
    );
    let c2 = rss();
    let t = std::time::Instant::now();
    e.step(&ev(3000, EventKind::FlowFlush { dp: DP, tgid: Pid(1) }));
    println!(
        "   a restart begins (baseline): {:?}, {} MiB more",
        t.elapsed(),
        (rss() - c2) / 1024
    );
    drop(copy);
}
#[test]
fn t15_del_flows_is_a_restart_that_passes() {
    let mut e: Vec<Event> = Story::tell(&fixed())
        .into_iter()
        .filter(|x| x.at < ms(900))
        .collect();
    e.push(armed());
    e.push(ev(
        2000,
        EventKind::FlowFlush {
            dp: DP,
            tgid: Pid(4242),
        },
    ));
    e.push(ev(7_000, EventKind::CaptureEnded));
    let r = go(e);
    show("t15 `ovs-dpctl del-flows`, nothing restarted", &r);
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t16_stranger_flushes_while_waiting() {
    let mut e = Story::tell(&Plot::default());
    e.push(armed());
    e.push(ev(
        1500,
        EventKind::FlowFlush {
            dp: DP,
            tgid: Pid(4242),
        },
    ));
    let r = go(e);
    show(
        "t16 the bug, with `ovs-dpctl del-flows` while the flag is set",
        &r,
    );
}
#[test]
fn t17_one_late_event() {
    let h = 3_600_000;
    let mut e = shifted(10 * h, &fixed());
    e.push(armed());
    e.sort_by_key(|x| x.at);
    let at = e.iter().position(|x| x.at > ms(11 * h / 2)).unwrap_or(0);
    let mut j = Judge::new(header());
    let mut seq = 0;
    for x in e.drain(..) {
        if x.at >= ms(900) && seq < 1_000_000 {
            for k in [
                ev(h, EventKind::Tick),
                ev(h + 700, EventKind::Tick),
                ev(h + 100, EventKind::Tick),
            ] {
                j.push(Entry { seq, event: k });
                seq += 1;
            }
            seq += 1_000_000;
            seq -= 1_000_000;
            j.push(Entry { seq, event: x });
            seq += 1;
            break;
        }
        j.push(Entry { seq, event: x });
        seq += 1;
    }
    println!("(see t17b)");
}
#[test]
fn t17b_one_late_event() {
    let h = 3_600_000u64;
    let mut e = shifted(10 * h, &fixed());
    e.push(armed());
    e.sort_by_key(|x| x.at);
    let (a, b): (Vec<Event>, Vec<Event>) = e.into_iter().partition(|x| x.at < ms(h));
    let mut j = Judge::new(header());
    let all = a
        .into_iter()
        .chain([
            ev(h, EventKind::Tick),
            ev(h + 700, EventKind::Tick),
            ev(h + 1400, EventKind::Tick),
            ev(h + 100, EventKind::Tick),
        ])
        .chain(b);
    for (seq, event) in (0..).zip(all) {
        j.push(Entry { seq, event });
    }
    show(
        "t17 one tick came late at hour 1; healthy restart at hour 10",
        &j.finish(None),
    );
}
#[test]
fn t20_policy_drop_without_monitor() {
    let plot = Plot {
        monitored: false,
        ..fixed()
    };
    let mut e = Story::tell(&plot);
    e.push(armed());
    for p in 1..=3u16 {
        e.push(ev(
            2300,
            EventKind::FlowInsert {
                dp: DP,
                tgid: NEW,
                ufid: Ufid([100 + p as u8; 16]),
                key: FlowKey {
                    in_port: port(p),
                    eth_type: 0x800,
                    ip_dst: Some([192, 0, 2, 9].into()),
                    proto: 6,
                    ..FlowKey::default()
                },
                actions: Actions::default(),
            },
        ));
        e.push(run(
            p,
            [192, 0, 2, 9].into(),
            25,
            PacketFate::DropFlow,
            2301,
            2310,
        ));
    }
    let r = go(e);
    show("t20 no monitor, a policy's drop megaflow, nothing lost", &r);
}
#[test]
fn t22_reused_ip() {
    let mut e = Story::tell(&Plot::default());
    e.push(armed());
    // Pod 1's row goes after the restart, a new Pod gets its address.
    e.push(ev(
        7000,
        EventKind::InterfaceRow {
            uuid: "interface1".into(),
            row: None,
        },
    ));
    e.push(ev(
        7000,
        EventKind::PortRow {
            uuid: "port1".into(),
            row: None,
        },
    ));
    e.push(ev(
        7000,
        EventKind::VportGone {
            dp: DP,
            port_no: port(1),
        },
    ));
    let ids: Map = [
        ("pod-namespace", "default"),
        ("pod-name", "newcomer"),
        ("ip-address", "10.0.0.1"),
        ("attached-mac", "02:00:00:00:00:99"),
    ]
    .map(|(a, b)| (a.to_owned(), b.to_owned()))
    .into();
    e.push(ev(
        7100,
        EventKind::PortRow {
            uuid: "port9".into(),
            row: Some(PortRow {
                name: "veth9".into(),
                interfaces: vec!["interface9".into()],
                external_ids: ids,
            }),
        },
    ));
    e.push(ev(
        7100,
        EventKind::InterfaceRow {
            uuid: "interface9".into(),
            row: Some(InterfaceRow {
                name: "veth9".into(),
                ofport: Some(OfPort(9)),
                ..InterfaceRow::default()
            }),
        },
    ));
    e.push(ev(
        7100,
        EventKind::Vport {
            dp: DP,
            port_no: PortNo(30),
            name: "veth9".into(),
            ifindex: None,
            kind: 1,
        },
    ));
    // something that settles
    e.push(flows(7200, vec![flow(Change::Added, 1, 2)]));
    let r = go(e);
    show(
        "t22 Pod 1 deleted 5 s after the restart, its address given to a new Pod",
        &r,
    );
}
#[test]
fn t25_two_vswitchds_on_one_kernel() {
    let mut e = Story::tell(&Plot::default());
    e.push(armed());
    e.push(ev(
        1,
        EventKind::ProcessSeen(Process {
            pid: Pid(900),
            parent: Pid(1),
            comm: "ovs-vswitchd".into(),
        }),
    ));
    let r = go(e);
    show(
        "t25 a second ovs-vswitchd (another kind node) on the same kernel",
        &r,
    );
    println!("   exit {:?}", r.disruptions[0].milestones.vswitchd_exit_ns);
}
#[test]
fn t41_a_port_that_never_comes_back() {
    let plot = Plot {
        traffic: false,
        ..fixed()
    };
    let mut e = Story::tell(&plot);
    e.push(armed());
    for p in 1..=3u16 {
        e.push(ev(
            1010,
            EventKind::VportGone {
                dp: DP,
                port_no: port(p),
            },
        ));
    }
    for p in 1..=2u16 {
        e.push(ev(
            1200,
            EventKind::Vport {
                dp: DP,
                port_no: port(p),
                name: device(p),
                ifindex: None,
                kind: 1,
            },
        ));
    }
    e.push(ev(
        1201,
        EventKind::InterfaceRow {
            uuid: "interface3".into(),
            row: Some(InterfaceRow {
                name: device(3),
                ofport: None,
                error: Some("could not add network device veth3 to ofproto (No such device)".into()),
                ..InterfaceRow::default()
            }),
        },
    ));
    let r = go(e);
    show("t41 ports made again, but for web-3's: its row says why", &r);
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t47_agent_restart_alone() {
    let mut e: Vec<Event> = Story::tell(&Plot::default())
        .into_iter()
        .filter(|x| x.at < ms(900))
        .collect();
    e.push(armed());
    let removed: Vec<OpenFlowChange> = e
        .iter()
        .find_map(|x| match &x.kind {
            EventKind::OpenFlowFlows { changes, .. } => Some(changes.clone()),
            _ => None,
        })
        .unwrap();
    let gone = removed
        .iter()
        .cloned()
        .map(|mut c| {
            c.change = Change::Removed;
            c
        })
        .collect();
    for p in 1..=3u16 {
        let to = p % 3 + 1;
        let dst: IpAddr = [10, 0, 0, to as u8].into();
        e.push(run(p, dst, 7000, PacketFate::Delivered(port(to)), 500, 999));
        e.push(ev(
            1000,
            EventKind::FlowSet {
                dp: DP,
                tgid: Pid(100),
                ufid: Ufid([p as u8; 16]),
                entered: ms(1000),
                actions: Actions::default(),
            },
        ));
        e.push(run(p, dst, 7000, PacketFate::DropFlow, 1000, 2999));
        e.push(run(p, dst, 7000, PacketFate::Delivered(port(to)), 3000, 5000));
    }
    e.push(flows(1000, gone));
    e.push(flows(3000, removed));
    e.push(ev(7000, EventKind::CaptureEnded));
    let r = go(e);
    show(
        "t47 ovn-controller restarted: all flows deleted, 2 s later there again; 6000 packets lost",
        &r,
    );
}
#[test]
fn t19_conditions_and_verdict() {
    let mut e = Story::tell(&Plot {
        traffic: false,
        ..fixed()
    });
    e.push(armed());
    for (a, b) in [(3000u64, 3100u64), (3200, 4600), (4700, 6000)] {
        e.push(ev(
            b + 1,
            EventKind::Upcalls(Upcalls {
                dp: DP,
                port_no: port(1),
                command: UpcallCommand::Miss,
                result: -107,
                count: 100,
                first: ms(a),
                last: ms(b),
            }),
        ));
    }
    let r = go(e);
    show("t19 handlers down after the restart", &r);
}
#[test]
fn t55_lost_by_a_port_nobody_told_of() {
    let mut e = Story::tell(&fixed());
    e.push(armed());
    for x in [
        (PacketFate::Delivered(port(1)), 1500u64, 1999u64),
        (PacketFate::DropFlow, 2000, 2999),
        (PacketFate::Delivered(port(1)), 3000, 4000),
    ] {
        let key = TrafficKey {
            dp: DP,
            in_port: PortNo(99),
            eth_type: 0x800,
            dst: Destination::Ip([192, 0, 2, 7].into()),
            proto: 17,
            port: 53,
        };
        e.push(ev(
            x.2 + 1,
            EventKind::Packets(Run {
                key,
                fate: x.0,
                executed: false,
                cpu: 0,
                first: ms(x.1),
                last: ms(x.2),
                packets: x.2 - x.1 + 1,
                bytes: 0,
                closed: true,
            }),
        ));
    }
    let r = go(e);
    show("t55 packets lost that no known port or Pod owns", &r);
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t41b_only_one_port_never_comes_back() {
    let plot = Plot {
        traffic: false,
        ..fixed()
    };
    let mut e = Story::tell(&plot);
    e.push(armed());
    e.push(ev(
        1010,
        EventKind::VportGone {
            dp: DP,
            port_no: port(3),
        },
    ));
    e.push(ev(
        1201,
        EventKind::InterfaceRow {
            uuid: "interface3".into(),
            row: Some(InterfaceRow {
                name: device(3),
                ofport: None,
                error: Some("could not add network device veth3 to ofproto (No such device)".into()),
                ..InterfaceRow::default()
            }),
        },
    ));
    let r = go(e);
    show("t41b web-3's port is not made again: its row says why", &r);
    println!("   check: {:?}", check(&r, &Budget::nothing()));
}
#[test]
fn t56_overlapping_addresses() {
    let mut e = Story::tell(&Plot::default());
    e.push(armed());
    let ids: Map = [
        ("pod-namespace", "blue"),
        ("pod-name", "other-tenant"),
        ("ip-address", "10.0.0.1"),
        ("attached-mac", "02:00:00:00:00:99"),
    ]
    .map(|(a, b)| (a.to_owned(), b.to_owned()))
    .into();
    e.push(ev(
        2,
        EventKind::PortRow {
            uuid: "port9".into(),
            row: Some(PortRow {
                name: "veth9".into(),
                interfaces: vec!["interface9".into()],
                external_ids: ids,
            }),
        },
    ));
    e.push(ev(
        2,
        EventKind::InterfaceRow {
            uuid: "interface9".into(),
            row: Some(InterfaceRow {
                name: "veth9".into(),
                ofport: Some(OfPort(9)),
                ..InterfaceRow::default()
            }),
        },
    ));
    e.push(ev(
        3,
        EventKind::Vport {
            dp: DP,
            port_no: PortNo(30),
            name: "veth9".into(),
            ifindex: None,
            kind: 1,
        },
    ));
    let r = go(e);
    show("t56 two Pods of two networks with one address", &r);
}
#[test]
fn t57_many_flushes() {
    let plot = Plot {
        pods: 250,
        traffic: false,
        ..fixed()
    };
    let e: Vec<Event> = Story::tell(&plot)
        .into_iter()
        .filter(|x| x.at < ms(900))
        .collect();
    let mut j = Judge::new(header());
    let mut seq = 0;
    let mut put = |j: &mut Judge, x: Event| {
        j.push(Entry { seq, event: x });
        seq += 1;
    };
    for x in e {
        put(&mut j, x);
    }
    for p in 1..=250u16 {
        put(
            &mut j,
            ev(
                10,
                EventKind::OpenFlowFlows {
                    bridge: "br-int".into(),
                    changes: (0..18u8)
                        .map(|t| OpenFlowChange {
                            change: Change::Added,
                            table: 10 + t,
                            priority: 100,
                            cookie: 0,
                            matches: OpenFlowMatch {
                                ip_src: Some(IpAddr::from([10, 0, (p >> 8) as u8, p as u8])),
                                wire: format!("0000060208000000{t:02x}00000e04{p:08x}"),
                                ..OpenFlowMatch::default()
                            },
                        })
                        .collect(),
                },
            ),
        );
    }
    let mut last = rss();
    for n in 1..=400u64 {
        put(
            &mut j,
            ev(
                60_000 * n,
                EventKind::FlowFlush {
                    dp: DP,
                    tgid: Pid(100),
                },
            ),
        );
        put(&mut j, ev(60_000 * n + 1000, EventKind::Tick));
        if n == 1 || n % 100 == 0 {
            let t = std::time::Instant::now();
            let r = j.report();
            println!(
                "== t57 250 Pods, 5000 flows, {n} flushes: RSS {} MiB (+{}), a report takes {:?}, restarts {}",
                rss() / 1024,
                (rss() - last.min(rss())) / 1024,
                t.elapsed(),
                r.disruptions.len()
            );
            last = rss();
        }
    }
}
#[test]
fn t58_keys() {
    let before = rss();
    let mut e = Engine::default();
    for i in 0..300_000u32 {
        let key = TrafficKey {
            dp: DP,
            in_port: port(1),
            eth_type: 0x800,
            dst: Destination::Ip(IpAddr::from(i.to_be_bytes())),
            proto: 6,
            port: 443,
        };
        e.step(&ev(
            1000 + u64::from(i),
            EventKind::Packets(Run {
                key,
                fate: PacketFate::UpcallFailed(-11),
                executed: false,
                cpu: 0,
                first: ms(1000 + u64::from(i)),
                last: ms(1000 + u64::from(i)),
                packets: 1,
                bytes: 60,
                closed: true,
            }),
        ));
    }
    println!(
        "== t58 300k traffic keys seen over a capture: {} MiB",
        (rss() - before) / 1024
    );
}
#[test]
fn t13b_quadratic_up() {
    for n in [8000u32, 16000, 32000, 64000] {
        let mut e = Engine::default();
        let changes: Vec<OpenFlowChange> = (0..n)
            .map(|i| OpenFlowChange {
                change: Change::Initial,
                table: 1,
                priority: 1,
                cookie: 0,
                matches: OpenFlowMatch {
                    ip_dst: Some(IpAddr::from(i.to_be_bytes())),
                    wire: format!("000010041{i:08x}"),
                    ..OpenFlowMatch::default()
                },
            })
            .collect();
        for c in changes.chunks(500) {
            e.step(&ev(
                10,
                EventKind::OpenFlowFlows {
                    bridge: "b".into(),
                    changes: c.to_vec(),
                },
            ));
        }
        let t = std::time::Instant::now();
        e.step(&ev(
            20,
            EventKind::OpenFlowUp {
                bridge: "b".into(),
                version: 1,
            },
        ));
        println!(
            "== t13b (release) monitor back on with {n} flows: {:?}",
            t.elapsed()
        );
    }
}
