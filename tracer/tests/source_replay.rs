//! A recording played back.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufReader, Cursor, Read};
use std::num::NonZeroU32;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracer::source::replay::Replay;
use tracer_core::event::{Event, EventKind};
use tracer_core::log::{self, Entry, Header, LogError};
use tracer_core::time::Timestamp;

/// A recording of ticks at these times, in seconds.
fn recording(seconds: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header {
        ovsgap_log: log::VERSION,
        tool: "test".into(),
        ..Header::default()
    };
    log::write_header(&mut bytes, &header).unwrap();
    for (seq, second) in (0..).zip(seconds) {
        let event = Event {
            at: Timestamp(second * 1_000_000_000),
            kind: EventKind::Tick,
        };
        log::write_entry(&mut bytes, seq, &event).unwrap();
    }
    bytes
}

fn open(bytes: Vec<u8>) -> Result<Replay, LogError> {
    Replay::open(Box::new(Cursor::new(bytes)))
}

async fn all(bytes: Vec<u8>, times: Option<u32>) -> (Vec<Entry>, Result<(), LogError>) {
    let (sender, mut receiver) = mpsc::channel(4);
    let replay = tokio::spawn(
        open(bytes)
            .unwrap()
            .run(times.map(|times| NonZeroU32::new(times).unwrap()), sender),
    );
    let mut entries = Vec::new();
    while let Some(entry) = receiver.recv().await {
        entries.push(entry);
    }
    (entries, replay.await.unwrap())
}

#[tokio::test]
async fn entries_come_as_they_were_recorded() {
    assert_eq!(open(recording(&[])).unwrap().header().tool, "test");
    for times in [None, Some(u32::MAX)] {
        let (entries, end) = all(recording(&[5, 3, 9]), times).await;
        end.unwrap();
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.seq, entry.event.at.0 / 1_000_000_000))
            .collect();
        assert_eq!(seen, [(0, 5), (1, 3), (2, 9)]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_pace_is_a_multiple_of_the_recorded_one() {
    let began = Instant::now();
    let (entries, _) = all(recording(&[100, 110, 105, 120]), Some(4)).await;
    assert_eq!(entries.len(), 4);
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn what_comes_before_a_cut_is_sent() {
    let mut bytes = recording(&[1, 2, 3]);
    bytes.truncate(bytes.len() - 3);
    for times in [None, Some(u32::MAX)] {
        let (entries, end) = all(bytes.clone(), times).await;
        assert_eq!(entries.len(), 2);
        assert!(matches!(end, Err(LogError::CutOff { line: 4 })), "{end:?}");
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    assert!(matches!(open(b"hello\n".to_vec()), Err(LogError::Foreign(_))));
}

/// Gives nothing, ever, like a terminal at which nobody types.
struct Silent(Cursor<Vec<u8>>);

impl Read for Silent {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => loop {
                std::thread::park();
            },
            length => Ok(length),
        }
    }
}

#[tokio::test]
async fn input_that_blocks_does_not_keep_it() {
    let silent = Box::new(BufReader::new(Silent(Cursor::new(recording(&[1])))));
    let (sender, mut receiver) = mpsc::channel(1);
    let replay = tokio::spawn(Replay::open(silent).unwrap().run(None, sender));
    receiver.recv().await.unwrap();
    drop(receiver);
    replay.await.unwrap().unwrap();
}

/// Never ends.
struct Endless(Vec<u8>, usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.0[self.1..];
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.1 += length;
        if self.1 == self.0.len() {
            self.1 = self.0.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        }
        Ok(length)
    }
}

#[tokio::test]
async fn it_ends_when_nobody_listens() {
    for times in [None, NonZeroU32::new(1)] {
        let endless = Box::new(BufReader::new(Endless(recording(&[1, 2000]), 0)));
        let (sender, mut receiver) = mpsc::channel(1);
        let replay = tokio::spawn(Replay::open(endless).unwrap().run(times, sender));
        receiver.recv().await.unwrap();
        drop(receiver);
        replay.await.unwrap().unwrap();
    }
}
