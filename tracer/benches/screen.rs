//! How long a frame takes with 500 Pods and a million events, and how long it takes to go anywhere in them.
//!
//! `cargo bench -p tracer --bench screen`. Fails where a frame takes longer than [`BUDGET`].
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints figures"
)]

#[path = "../tests/recorded/mod.rs"]
#[allow(dead_code, reason = "a bench tells one story")]
mod recorded;

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use recorded::session::Session;
use recorded::story::{DP, ms};
use recorded::{Plot, events, header};
use rustix::time::{ClockId, clock_gettime};
use tracer::historian::Target;
use tracer::historian::{Historian, Order};
use tracer::ready::Ready;
use tracer::tui::action::Action;
use tracer::tui::theme::{Depth, Theme};
use tracer::tui::view::view;
use tracer_core::event::{Event, EventKind, UpcallCommand, Upcalls};
use tracer_core::history::History;
use tracer_core::id::PortNo;
use tracer_core::log::Entry;
use tracer_core::packet::{Destination, PacketFate, Run, TrafficKey};

const PODS: u16 = 500;
const EVENTS: u64 = 1_000_000;

/// 60 frames a second.
const BUDGET: Duration = Duration::from_millis(16);

/// A restart with 500 Pods, and upcalls of all of them until there are a million events.
fn million() -> Vec<Entry> {
    let plot = Plot {
        pods: PODS,
        ..Plot::default()
    };
    let mut all = events(&plot);
    let missing = EVENTS - all.len() as u64;
    all.extend((0..missing).map(|number| Event {
        at: ms(5 + number * 7990 / missing),
        kind: EventKind::Upcalls(Upcalls {
            dp: DP,
            port_no: PortNo(11 + u32::try_from(number % u64::from(PODS)).unwrap()),
            command: UpcallCommand::Miss,
            result: 0,
            count: 1,
            first: ms(5 + number * 7990 / missing),
            last: ms(5 + number * 7990 / missing),
        }),
    }));
    all.sort();
    (0..).zip(all).map(|(seq, event)| Entry { seq, event }).collect()
}

/// What this thread has spent of its processor.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

struct Figures {
    name: String,
    times: Vec<Duration>,
}

impl Figures {
    fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            times: Vec::new(),
        }
    }

    /// Of this thread alone: others on the same machine do not count.
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = spent();
        let done = work();
        self.times.push(spent().saturating_sub(began));
        done
    }

    /// Prints median and maximum; the maximum.
    fn print(mut self) -> Duration {
        self.times.sort();
        let most = *self.times.last().unwrap();
        let median = self.times[self.times.len() / 2];
        println!("{:44} median {median:>10.3?}  most {most:>10.3?}", self.name);
        most
    }
}

fn main() {
    // First: memory that something else has given back would hide growth.
    idle();
    let entries = million();
    let mut load = Figures::new(format!("taking in {EVENTS} events, {PODS} Pods"));
    let stride = EVENTS / 48;
    let (history, report) = load.time(|| History::of_recording(header(), entries, None, stride));
    load.print();
    let mut session = Session::of(Historian::of_recording("bench".to_owned(), history, report));
    session.theme = Theme {
        depth: Depth::True,
        ascii: false,
    };
    let mut worst = Duration::ZERO;
    for size in [(80, 24), (120, 40), (200, 50), (250, 70)] {
        worst = worst.max(frames(&mut session, size));
    }
    travel(&mut session);
    drop(session);
    let tick = ticks();
    assert!(worst < BUDGET, "a frame took {worst:?}, more than {BUDGET:?}");
    // On another thread than the drawing, which does not wait for it; but no more than a frame late.
    assert!(tick < BUDGET, "a tick took {tick:?}, more than {BUDGET:?}");
}

/// Frames while rows are moved through: everything is drawn anew.
fn frames(session: &mut Session, size: (u16, u16)) -> Duration {
    session.act(Action::Newest);
    session.act(Action::Resize(size.0, size.1));
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    let mut figures = Figures::new(format!("frame, {}x{}", size.0, size.1));
    for turn in 0..200 {
        tracer::tui::update::update(&mut session.screen, Action::Down, &session.moment);
        if turn % 20 == 0 {
            tracer::tui::update::update(&mut session.screen, Action::Sort, &session.moment);
        }
        figures.time(|| {
            terminal
                .draw(|frame| view(&session.moment, &session.screen, session.theme, frame))
                .unwrap();
        });
    }
    figures.print()
}

/// Traffic keys of each Pod in the live node, and runs of each before the restart, while it lasts, and after.
const KEYS: u16 = 8;
const RUNS: [(PacketFate, u64, u64); 3] = [
    (PacketFate::Delivered(PortNo(11)), 100, 1990),
    (PacketFate::DropFlow, 2001, 2310),
    (PacketFate::Delivered(PortNo(11)), 2330, 7900),
];

/// A tick of a live node while every Pod's packets are counted: the runs that are open are told of, and what follows is
/// concluded. On another thread than the drawing, but the screen is as old as this takes.
fn ticks() -> Duration {
    let plot = Plot {
        pods: PODS,
        ..Plot::default()
    };
    let mut seen = events(&plot);
    let runs =
        (0..PODS).flat_map(|pod| (0..KEYS).flat_map(move |key| RUNS.map(|run| packets(pod, key, run))));
    seen.extend(runs);
    seen.sort();
    let mut historian = Historian::live(header(), Ready::default());
    for event in seen {
        historian.obey(Order::Event(event));
    }
    let mut figures = Figures::new(format!("a tick, live, {PODS} Pods with {KEYS} keys each"));
    for tick in 85..185_u64 {
        for pod in 0..PODS {
            let run = (PacketFate::Delivered(PortNo(11)), 2330, tick * 100);
            historian.obey(Order::Event(packets(pod, 0, run)));
        }
        figures.time(|| {
            let at = ms(tick * 100);
            historian.obey(Order::Event(Event {
                at,
                kind: EventKind::Tick,
            }));
            historian.moment()
        });
    }
    figures.print()
}

/// What an allocator may round up to between two looks at the memory: glibc's takes and keeps 128 KiB at a time, from a
/// few places.
const SLACK: u64 = 1 << 20;

/// A day of a live node on which nothing happens, after an hour of it: the program is no larger.
fn idle() {
    let mut historian = Historian::live(header(), Ready::default());
    for event in events(&Plot::default()) {
        historian.obey(Order::Event(event));
    }
    let mut pass = |seconds: std::ops::Range<u64>| {
        for tick in seconds.start * 10..seconds.end * 10 {
            let at = ms(10_000 + tick * 100);
            let mut kinds = vec![EventKind::Tick];
            if tick % 10 == 0 {
                kinds.push(EventKind::DatapathStats {
                    dp: DP,
                    hit: tick,
                    missed: 7,
                    lost: 0,
                    flows: 3,
                    upcalls_before: None,
                    upcalls_after: None,
                });
            }
            for kind in kinds {
                historian.obey(Order::Event(Event { at, kind }));
            }
            historian.moment();
        }
        resident()
    };
    let before = pass(0..3_600);
    let after = pass(3_600..90_000);
    println!("memory after an idle hour {before} KiB, after a day more {after} KiB");
    assert!(
        after * 1024 <= before * 1024 + SLACK,
        "it grows while nothing happens"
    );
}

/// What this program holds of the machine's memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A Pod's address, as the story has it.
fn address(pod: u16) -> std::net::IpAddr {
    let [high, low] = pod.to_be_bytes();
    [10, 0, high, low].into()
}

/// Packets from a Pod to one of its peers.
fn packets(pod: u16, key: u16, (fate, first, last): (PacketFate, u64, u64)) -> Event {
    let run = Run {
        key: TrafficKey {
            dp: DP,
            in_port: PortNo(u32::from(pod) + 11),
            eth_type: 0x800,
            dst: Destination::Ip(address((pod + key) % PODS + 1)),
            proto: 17,
            port: 7000 + key,
        },
        fate,
        executed: false,
        cpu: 0,
        first: ms(first),
        last: ms(last),
        packets: 300,
        bytes: 30_000,
        closed: false,
    };
    Event {
        at: ms(last + 1),
        kind: EventKind::Packets(run),
    }
}

/// Going somewhere happens on another thread; it decides how soon a key has its effect.
fn travel(session: &mut Session) {
    let mut jumps = Figures::new("going to any time");
    for turn in 0..40_u64 {
        let at = ms(turn * 3_571 % 8000);
        session.historian.obey(Order::Go(Target::Time(at)));
        jumps.time(|| session.historian.moment());
    }
    jumps.print();
    for (name, by) in [("one event on", 1), ("one event back", -1)] {
        session.historian.obey(Order::Go(Target::Time(ms(2150))));
        session.historian.moment();
        let mut steps = Figures::new(name);
        for _ in 0..40 {
            session.historian.obey(Order::Go(Target::Step(by)));
            steps.time(|| session.historian.moment());
        }
        steps.print();
    }
}
