//! The one loop: events come in, are written to the log in arrival order, and are judged.
//!
//! Must not depend on: where events come from, how reports are printed.

use std::io::{self, Write as _};
use std::sync::Arc;

use tokio::sync::watch;
use tracer_core::event::{Event, EventKind};
use tracer_core::judge::Judge;
use tracer_core::log::{self, Entry, Header};
use tracer_core::report::Report;
use tracer_core::time::{MILLISECOND, Timestamp};

use crate::outlet::Outlet;
use crate::ready::Ready;
use crate::source::EventReceiver;

/// What the loop tells while it runs.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Every source has told what there was when the capture began.
    pub ready: bool,
    /// The report over what has been judged so far; made anew twice a second while somebody asks for it.
    pub report: Option<Arc<Report>>,
}

/// What is left at the end.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// Why the log is not whole, if it is not.
    pub log_error: Option<io::Error>,
    /// The log, of which a reader may still have to take the end.
    log: Option<Outlet>,
}

impl Outcome {
    /// Hands over what is left of the log; to readers what they take until then.
    pub fn keep(&mut self, until: Timestamp) {
        if let Some(Err(error)) = self.log.take().map(|log| log.finish(until)) {
            self.log_error.get_or_insert(error);
        }
    }
}

/// Runs until the capture has ended, or all senders of events are gone. The log is flushed on every tick, so that a recorder that is killed
/// loses no more than a tick. A log that cannot be written does not end the capture: the report is still made.
///
/// It keeps the thread that it runs on busy: to judge hundreds of thousands of flows, or to draw a report, takes its time, and sources
/// must not wait for it.
pub fn run(
    header: Header,
    mut events: EventReceiver,
    log: Option<Outlet>,
    mut ready: Ready,
    progress: &watch::Sender<Progress>,
) -> Outcome {
    let mut recorder = Recorder::new(log, &header);
    let mut judge = Judge::new(header);
    let mut told = Told::default();
    let mut seq = 0;
    while let Some(event) = events.blocking_recv() {
        recorder.write(seq, &event);
        ready.see(&event.kind);
        let tick = (event.kind == EventKind::Tick).then_some(event.at);
        // A source that hangs holds its sender for ever.
        let ended = event.kind == EventKind::CaptureEnded;
        judge.push(Entry { seq, event });
        seq += 1;
        if let Some(at) = tick {
            recorder.flush();
            told.tell(progress, &judge, &ready, at);
        }
        if ended {
            break;
        }
    }
    recorder.flush();
    forget(progress);
    Outcome {
        report: judge.finish(None),
        log_error: recorder.error,
        log: recorder.log,
    }
}

/// From one report to the next, in nanoseconds. Of 500 Pods each takes more than a millisecond, and many times that without KVM; who waits for
/// one waits for seconds.
const BETWEEN_REPORTS: u64 = 500 * MILLISECOND;

/// When progress was told last.
#[derive(Default)]
struct Told {
    ready: bool,
    due: Timestamp,
}

impl Told {
    /// Tells of progress, on a tick at `at`, where somebody listens and where it is due or readiness has changed.
    fn tell(&mut self, progress: &watch::Sender<Progress>, judge: &Judge, ready: &Ready, at: Timestamp) {
        let ready = ready.is_ready();
        if progress.is_closed() || (at < self.due && ready == self.ready) {
            return;
        }
        *self = Self {
            ready,
            due: at.plus(BETWEEN_REPORTS),
        };
        forget(progress);
        let report = Some(Arc::new(judge.report()));
        progress.send_replace(Progress { ready, report });
    }
}

/// Lets go of the report before the next one is made: of 500 Pods each takes more than a MiB. Nobody is told.
fn forget(progress: &watch::Sender<Progress>) {
    progress.send_if_modified(|progress| {
        progress.report = None;
        false
    });
}

struct Recorder {
    log: Option<Outlet>,
    error: Option<io::Error>,
}

impl Recorder {
    fn new(log: Option<Outlet>, header: &Header) -> Self {
        let mut recorder = Self { log, error: None };
        recorder.attempt(|log| log::write_header(log, header));
        recorder
    }

    /// After the first error nothing more is written: what follows a hole could not be trusted.
    fn write(&mut self, seq: u64, event: &Event) {
        if self.error.is_none() {
            self.attempt(|log| log::write_entry(log, seq, event));
        }
    }

    /// What came before an error may still be handed over.
    fn flush(&mut self) {
        self.attempt(Outlet::flush);
    }

    fn attempt(&mut self, write: impl FnOnce(&mut Outlet) -> io::Result<()>) {
        if let Some(Err(error)) = self.log.as_mut().map(write) {
            tracing::warn!("the recording ends here, it cannot be written: {error}");
            self.error.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::outfile::Existing;
    use crate::source::channel;

    #[test]
    fn reports_are_made_twice_a_second() {
        let (sender, mut seen) = watch::channel(Progress::default());
        let mut told = Told::default();
        let mut tell = |tenth: u64| {
            let at = Timestamp((100 + tenth) * 100 * MILLISECOND);
            told.tell(&sender, &Judge::default(), &Ready::default(), at);
            let new = seen.has_changed().unwrap();
            drop(seen.borrow_and_update());
            new
        };
        let reports: Vec<u64> = (0..12).filter(|tenth| tell(*tenth)).collect();
        assert_eq!(reports, [0, 5, 10]);
    }

    #[test]
    fn a_full_disk_does_not_end_the_capture() {
        let (sender, receiver) = channel(16);
        let ticks = (0..10).map(|at| (at, EventKind::Tick));
        for (at, kind) in ticks.chain([(10, EventKind::CaptureEnded)]) {
            let at = Timestamp(at);
            let sent = tokio::runtime::Builder::new_current_thread().build();
            sent.unwrap().block_on(sender.send(Event { at, kind })).unwrap();
        }
        drop(sender);
        let (progress, _) = watch::channel(Progress::default());
        let outcome = run(
            Header::default(),
            receiver,
            Some(Outlet::create(Path::new("/dev/full"), Existing::Kept).unwrap()),
            Ready::default(),
            &progress,
        );
        assert_eq!(
            outcome.log_error.map(|error| error.kind()),
            Some(io::ErrorKind::StorageFull)
        );
        assert_eq!(outcome.report.capture.events, 11, "judged to the end");
    }
}
