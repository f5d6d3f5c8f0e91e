//! A recording as a source: its entries again, at once or at the pace at which they came.
//!
//! Must not depend on: what the entries mean. Unlike the live sources it sends entries, whose sequence numbers tell
//! the judge what is missing from the recording.

use std::io::{self, BufRead};
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tracer_core::log::{Entry, Header, LogError, Reader};
use tracer_core::time::Timestamp;

/// How many entries are read ahead of the pace.
const AHEAD: usize = 256;

/// A recording whose header has been read.
pub struct Replay {
    reader: Reader<Box<dyn BufRead + Send>>,
}

impl Replay {
    /// Reads the header.
    ///
    /// Errors: it is no recording of ours, or of a newer format.
    pub fn open(input: Box<dyn BufRead + Send>) -> Result<Self, LogError> {
        Ok(Self {
            reader: Reader::new(input)?,
        })
    }

    /// Where and when it was made.
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Sends the entries until the recording ends or the receiver is gone: as fast as they are taken, or
    /// `times` as fast as they were recorded.
    ///
    /// Errors: the recording is cut off or damaged; what came before has been sent.
    pub async fn run(self, times: Option<NonZeroU32>, entries: mpsc::Sender<Entry>) -> Result<(), LogError> {
        let (ahead, next) = mpsc::channel(AHEAD);
        let end = self.read(ahead)?;
        tokio::select! {
            () = entries.closed() => Ok(()),
            end = deliver(times, next, &entries, end) => end,
        }
    }

    /// Reads on a thread of its own, which nobody waits for: standard input may block for ever.
    fn read(self, entries: mpsc::Sender<Entry>) -> io::Result<oneshot::Receiver<Result<(), LogError>>> {
        let (sender, end) = oneshot::channel();
        let read = move || {
            let _nobody_asks = sender.send(send_all(self.reader, &entries));
        };
        thread::Builder::new().name("replay".to_owned()).spawn(read)?;
        Ok(end)
    }
}

/// That nobody listens any more ends the reading as the recording's end does.
fn send_all(
    reader: impl Iterator<Item = Result<Entry, LogError>>,
    entries: &mpsc::Sender<Entry>,
) -> Result<(), LogError> {
    for entry in reader {
        if entries.blocking_send(entry?).is_err() {
            break;
        }
    }
    Ok(())
}

async fn deliver(
    times: Option<NonZeroU32>,
    mut next: mpsc::Receiver<Entry>,
    entries: &mpsc::Sender<Entry>,
    end: oneshot::Receiver<Result<(), LogError>>,
) -> Result<(), LogError> {
    let mut pace = Pace { times, began: None };
    while let Some(entry) = next.recv().await {
        if let Some(due) = pace.due(entry.event.at) {
            sleep_until(due).await;
        }
        if entries.send(entry).await.is_err() {
            return Ok(());
        }
    }
    end.await.unwrap_or(Ok(()))
}

/// When an entry is due: entries stand in order of arrival, so one may be older than those before it.
struct Pace {
    times: Option<NonZeroU32>,
    began: Option<(Instant, Timestamp)>,
}

impl Pace {
    /// `None`: at once.
    fn due(&mut self, at: Timestamp) -> Option<Instant> {
        let times = self.times?;
        let (began, first) = *self.began.get_or_insert_with(|| (Instant::now(), at));
        Some(began + Duration::from_nanos(at.since(first)) / times.get())
    }
}
