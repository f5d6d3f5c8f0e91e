//! Finds out what the screen shows: takes events in, goes to any point of them, writes files.
//!
//! Must not depend on: keys, terminals, what is drawn. It runs on a thread of its own, so that judging never waits for
//! drawing; orders that have piled up are answered by one moment.

pub mod describe;
pub mod export;
pub mod moment;
pub mod strangers;
mod worth;

use std::sync::Arc;

use tokio::sync::mpsc;
use tracer_core::detail;
use tracer_core::event::{Event, EventKind};
use tracer_core::history::{Book, History, Limits};
use tracer_core::intake::Intake;
use tracer_core::log::{Entry, Header};
use tracer_core::report::Report;
use tracer_core::time::{SECOND, Timestamp};

use self::describe::{describe, result};
use self::export::Scribe;
use self::moment::{Closeup, LogLine, Moment, Origin, UpcallCount, UpcallFigures};
use self::worth::Worth;
use crate::ready::Ready;
use crate::writing::word;

/// Events kept of a live capture: hours of an ordinary node, and a bound on memory.
const KEPT: usize = 200_000;

/// Live events between two points to which going back is at once.
const STRIDE: u64 = 8_192;

/// Orders taken before the screen is told.
const BURST: usize = 8_192;

/// Lines of the event log before the shown point, and after it.
const LINES: (usize, usize) = (80, 40);

/// Slots of the upcall rate: more than the widest pane has columns.
const SLOTS: usize = 128;

/// How often a conclusion is drawn from a live capture in which little happens.
const PACE: u64 = SECOND / 5;

/// Where to go in a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the newest point, and on with it.
    Newest,
    /// To the first point.
    Begin,
    /// To a time.
    Time(Timestamp),
    /// So many events on, or back.
    Step(i64),
}

/// What the historian is told.
#[derive(Debug)]
pub enum Order {
    /// Something was seen.
    Event(Event),
    /// Show another point.
    Go(Target),
    /// Tell more of this Pod.
    Closeup(Option<String>),
    /// Begin to write a recording, or end it.
    Record,
    /// Write the report as shown.
    Export,
}

/// What the historian tells.
#[derive(Debug)]
pub enum News {
    /// What is to be shown.
    Moment(Arc<Moment>),
    /// What was done, or why not.
    Notice(String),
}

/// Keeps a capture, and where in it the screen is.
pub struct Historian {
    origin: Origin,
    history: History,
    /// The report over everything.
    whole: Arc<Report>,
    worth: Worth,
    intake: Intake,
    /// How many events have been taken in.
    taken: u64,
    ready: Ready,
    /// The point that is shown, and its time; `None`: the newest.
    place: Option<(u64, Timestamp)>,
    near: Option<Book>,
    /// How many times it was told to go somewhere.
    gone: u64,
    closeup: Option<String>,
    scribe: Option<Scribe>,
    /// What follows from what has come since is not told yet.
    stale: bool,
    asked: bool,
    notices: Vec<String>,
}

impl Historian {
    /// Over what is going to happen on this node.
    pub fn live(header: Header, ready: Ready) -> Self {
        let limits = Limits {
            stride: STRIDE,
            events: Some(KEPT),
        };
        let history = History::new(header, limits);
        let whole = Arc::new(history.report(history.head()));
        Self::new(Origin::Live, history, whole, ready)
    }

    /// Over a whole recording.
    pub fn of_recording(name: String, history: History, report: Report) -> Self {
        Self::new(
            Origin::Recording(name),
            history,
            Arc::new(report),
            Ready::default(),
        )
    }

    fn new(origin: Origin, history: History, whole: Arc<Report>, ready: Ready) -> Self {
        let mut worth = Worth::default();
        for (position, event) in (history.begin()..).zip(history.events()) {
            worth.see(position, event);
        }
        Self {
            origin,
            history,
            whole,
            worth,
            intake: Intake::default(),
            taken: 0,
            ready,
            place: None,
            near: None,
            gone: 0,
            closeup: None,
            scribe: None,
            stale: false,
            asked: true,
            notices: Vec::new(),
        }
    }

    /// Writes everything from here on to a file.
    pub fn record_to(&mut self, scribe: Scribe) {
        self.scribe = Some(scribe);
    }

    /// Obeys until nobody can give orders any more, or nobody listens.
    pub fn run(mut self, mut orders: mpsc::Receiver<Order>, tell: impl Fn(News) -> bool) {
        while self.report(&tell) {
            let Some(order) = orders.blocking_recv() else {
                break;
            };
            self.obey(order);
            for _ in 0..BURST {
                let Ok(order) = orders.try_recv() else { break };
                self.obey(order);
            }
        }
        // Nobody looks any more, but the sources' last words still belong into the recording.
        while let Some(order) = orders.blocking_recv() {
            if let Order::Event(event) = order {
                self.take(event);
            }
        }
        while let Some(event) = self.intake.take() {
            self.follow(event);
        }
        if let Some(scribe) = self.scribe.take() {
            scribe.end(self.history.head().now());
        }
    }

    fn report(&mut self, tell: &impl Fn(News) -> bool) -> bool {
        let notices: Vec<String> = self.notices.drain(..).collect();
        let told = notices.into_iter().all(|notice| tell(News::Notice(notice)));
        if !self.asked {
            return told;
        }
        self.asked = false;
        told && tell(News::Moment(Arc::new(self.moment())))
    }

    /// Takes an order; what follows from it is found out when the screen is told.
    pub fn obey(&mut self, order: Order) {
        match order {
            Order::Event(event) => return self.take(event),
            Order::Go(target) => {
                self.gone += 1;
                self.go(target);
            }
            Order::Closeup(interface) => self.closeup = interface,
            Order::Record => self.record(),
            Order::Export => self.export(),
        }
        self.asked = true;
    }

    fn take(&mut self, event: Event) {
        self.ready.see(&event.kind);
        let tick = event.kind == EventKind::Tick;
        let seq = self.taken;
        self.taken += 1;
        self.intake.push(Entry { seq, event });
        while let Some(event) = self.intake.pop() {
            self.follow(event);
        }
        if tick {
            let quiet = self.history.head().now().since(self.whole.capture.ended_ns);
            if quiet >= if self.stale { PACE } else { SECOND } {
                self.conclude();
            }
        }
    }

    fn follow(&mut self, event: Event) {
        if let Some(scribe) = &mut self.scribe {
            scribe.write(&event);
        }
        self.stale |= event.kind != EventKind::Tick;
        self.history.follow(event);
        let newest = self.history.end().saturating_sub(1);
        if let Some(event) = self.history.event(newest) {
            self.worth.see(newest, event);
        }
        self.worth.forget(self.history.begin());
    }

    fn conclude(&mut self) {
        self.history.comes_by(&self.intake, None);
        self.whole = Arc::new(self.history.report(self.history.head()));
        self.stale = false;
        self.asked = true;
    }

    fn go(&mut self, target: Target) {
        let newest = self.history.end();
        let here = self.place.map_or(newest, |(position, _)| position);
        self.place = match target {
            Target::Newest => None,
            Target::Begin => Some(self.at(self.history.begin())),
            Target::Time(at) => Some((
                self.history.position_at(at),
                at.clamp(self.first(), self.history.head().now()),
            )),
            Target::Step(by) => Some(self.at(self.stepped(here, by))),
        };
        if self.origin != Origin::Live && self.place.is_some_and(|(position, _)| position == newest) {
            self.place = None;
        }
    }

    fn first(&self) -> Timestamp {
        self.history
            .event(self.history.begin())
            .map_or(Timestamp(0), |event| event.at)
    }

    /// A position, and the time of the last event seen there.
    fn at(&self, position: u64) -> (u64, Timestamp) {
        let seen = position.checked_sub(1).and_then(|last| self.history.event(last));
        (position, seen.map_or(self.first(), |event| event.at))
    }

    /// So many events on or back. Ticks are no events to look at.
    fn stepped(&self, here: u64, by: i64) -> u64 {
        let worth = |position: &u64| {
            let event = position.checked_sub(1).and_then(|last| self.history.event(last));
            event.is_some_and(|event| event.kind != EventKind::Tick)
        };
        let steps = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX).max(1) - 1;
        if by > 0 {
            (here + 1..=self.history.end())
                .filter(worth)
                .nth(steps)
                .unwrap_or(self.history.end())
        } else {
            let begin = self.history.begin();
            (begin + 1..here).rev().filter(worth).nth(steps).unwrap_or(begin)
        }
    }

    /// The moment that is shown.
    pub fn moment(&mut self) -> Moment {
        let here = self
            .place
            .map(|(position, at)| (position.max(self.history.begin()), at));
        let near = self.near.take();
        self.near = here.map(|(position, _)| self.history.book(position, near));
        let book = self.near.as_ref().unwrap_or(self.history.head());
        let report = match here {
            Some(_) => Arc::new(self.history.report(book)),
            None => Arc::clone(&self.whole),
        };
        let closeup = self.closeup.as_ref().map(|interface| Closeup {
            interface: interface.clone(),
            traffic: detail::traffic(&book.docket.engine, interface),
        });
        let roster = if report.disruptions.is_empty() {
            detail::roster(&book.docket.engine)
        } else {
            Vec::new()
        };
        let strangers = report.disruptions.last().map_or_else(Vec::new, strangers::rows);
        let totals = book.meter.totals().iter();
        let at = here.map_or(book.now(), |(_, at)| at);
        Moment {
            origin: self.origin.clone(),
            gone: self.gone,
            following: here.is_none(),
            ready: self.origin != Origin::Live || self.ready.is_ready(),
            at,
            position: book.position,
            begin: self.history.begin(),
            end: self.history.end(),
            reach: (self.first(), self.history.head().now()),
            report,
            whole: Arc::clone(&self.whole),
            roster,
            strangers,
            closeup,
            upcalls: UpcallFigures {
                totals: totals
                    .map(|((command, returned), count)| UpcallCount {
                        why: word(command),
                        result: result(*returned),
                        returned: *returned,
                        count: *count,
                    })
                    .collect(),
                recent: book.meter.recent(at, SLOTS),
            },
            log: lines(&self.history, &self.worth, book),
            recording: self.scribe.as_ref().map(Scribe::name),
        }
    }

    fn record(&mut self) {
        if let Some(scribe) = self.scribe.take() {
            let name = scribe.name();
            scribe.end(self.history.head().now());
            self.notices.push(format!("the recording {name} is complete"));
            return;
        }
        if let Origin::Recording(name) = &self.origin {
            self.notices.push(format!("this is a recording already: {name}"));
            return;
        }
        match Scribe::begin(&self.history) {
            Ok(scribe) => {
                self.notices.push(format!(
                    "writing {}, with everything from the beginning",
                    scribe.name()
                ));
                self.scribe = Some(scribe);
            }
            Err(error) => self.notices.push(format!("{error:#}")),
        }
    }

    fn export(&mut self) {
        let moment = self.moment();
        let written = export::report(&moment.report, &self.origin, moment.at);
        self.notices.push(match written {
            Ok(names) => format!("wrote {names}"),
            Err(error) => format!("{error:#}"),
        });
    }
}

/// Events around a point, oldest first.
fn lines(history: &History, worth: &Worth, book: &Book) -> Vec<LogLine> {
    let line = |position: u64| {
        let event = history.event(position)?;
        let (what, text, weight) = describe(event, &book.docket.engine);
        Some(LogLine {
            at: event.at,
            position: position + 1,
            what,
            text,
            weight,
        })
    };
    let around = worth.around(book.position, LINES.0, LINES.1);
    around.filter_map(line).collect()
}
