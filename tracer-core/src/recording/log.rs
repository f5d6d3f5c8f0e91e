//! The recording: a header line, then one event a line, in arrival order (JSON lines).
//!
//! Must not depend on: paths, sources, what events mean. Format: docs/events.md.
//!
//! Every line carries a sequence number, so that a line that went missing is noticed.

use std::fmt;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

pub use crate::recording::entry::Entry;
use crate::recording::line;
use crate::vocabulary::event::{Event, EventKind};
pub use crate::vocabulary::header::Header;
use crate::vocabulary::time::Timestamp;

/// The format's version; readers refuse a newer one.
pub const VERSION: u32 = 2;

/// The longest line a reader accepts, in bytes: larger than any event, small enough for any memory.
const MAX_LINE: u64 = 64 << 20;

/// A line as it stands in the file: flat by hand, because `#[serde(flatten)]` buffers every value.
#[derive(Deserialize)]
struct ReadLine {
    seq: u64,
    at: Timestamp,
    kind: EventKind,
}

/// The same for writing, without a copy of the event.
#[derive(Serialize)]
struct WriteLine<'a> {
    seq: u64,
    at: Timestamp,
    kind: &'a EventKind,
}

/// Why a recording cannot be read (further).
#[derive(Debug)]
pub enum LogError {
    /// The file could not be read.
    Io(io::Error),
    /// The first line is no header of ours.
    Foreign(String),
    /// The recording is of a newer format.
    Newer(u32),
    /// A line does not parse; everything before it was delivered.
    Corrupt {
        /// Its number, 1 for the header.
        line: u64,
        /// What is wrong with it.
        error: String,
    },
    /// The last line has no end: the recorder was interrupted. Everything before it was delivered.
    CutOff {
        /// Its number.
        line: u64,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(out, "cannot read it: {error}"),
            Self::Foreign(why) => write!(
                out,
                "this is not a recording of ovsgap: {why}; make one with `ovsgap record -o FILE`"
            ),
            Self::Newer(version) => write!(
                out,
                "it is of format {version}, this ovsgap reads up to {VERSION}: use the ovsgap that made it, or a newer one"
            ),
            Self::Corrupt { line, error } => write!(
                out,
                "line {line} is damaged ({error}): what comes before it can be read, what follows cannot be trusted; record again"
            ),
            Self::CutOff { line } => write!(
                out,
                "it is cut off in line {line}: the recorder was interrupted or the disk was full; what comes before can be read"
            ),
        }
    }
}

impl std::error::Error for LogError {}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a recording: the header at once, the entries as an iterator that ends at the first error.
pub struct Reader<R> {
    input: R,
    header: Header,
    line: u64,
    ended: bool,
    buffer: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads and checks the header.
    pub fn new(mut input: R) -> Result<Self, LogError> {
        let mut buffer = Vec::new();
        if !read_line(&mut input, &mut buffer)? {
            let why = if buffer.is_empty() {
                "it is empty"
            } else {
                "its first line has no end"
            };
            return Err(LogError::Foreign(why.to_owned()));
        }
        let header = parse_header(&buffer)?;
        Ok(Self {
            input,
            header,
            line: 1,
            ended: false,
            buffer,
        })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn entry(&mut self) -> Result<Option<Entry>, LogError> {
        self.buffer.clear();
        self.line += 1;
        let line = self.line;
        if !read_line(&mut self.input, &mut self.buffer)? {
            return if self.buffer.is_empty() {
                Ok(None)
            } else {
                Err(LogError::CutOff { line })
            };
        }
        let entry = line::read(&self.buffer).map_or_else(|| parse(&self.buffer), Ok);
        entry.map(Some).map_err(|error| LogError::Corrupt {
            line,
            error: error.to_string(),
        })
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Entry, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.entry();
        self.ended = !matches!(entry, Ok(Some(_)));
        entry.transpose()
    }
}

/// The entry of a line in any form; [`Reader`] reads lines as we write them in a quicker way, to the same value.
///
/// Errors: it means no entry.
pub fn parse(line: &[u8]) -> serde_json::Result<Entry> {
    let ReadLine { seq, at, kind } = serde_json::from_slice(line)?;
    Ok(Entry {
        seq,
        event: Event { at, kind },
    })
}

fn parse_header(line: &[u8]) -> Result<Header, LogError> {
    #[derive(Deserialize)]
    struct Version {
        ovsgap_log: u32,
    }
    let foreign = |error: serde_json::Error| LogError::Foreign(error.to_string());
    let Version { ovsgap_log } = serde_json::from_slice(line).map_err(foreign)?;
    if ovsgap_log > VERSION {
        return Err(LogError::Newer(ovsgap_log));
    }
    serde_json::from_slice(line).map_err(foreign)
}

/// Whether a whole line was read; an unfinished one is left in `buffer`.
fn read_line(input: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.clear();
    io::Read::take(&mut *input, MAX_LINE).read_until(b'\n', buffer)?;
    Ok(buffer.last() == Some(&b'\n'))
}

/// Writes the header line.
pub fn write_header(output: &mut impl Write, header: &Header) -> io::Result<()> {
    write_line(output, header)
}

/// Writes one entry.
pub fn write_entry(output: &mut impl Write, seq: u64, event: &Event) -> io::Result<()> {
    write_line(
        output,
        &WriteLine {
            seq,
            at: event.at,
            kind: &event.kind,
        },
    )
}

/// Most lines are no longer, in bytes.
const LINE: usize = 512;

/// In one piece: serde writes in pieces of a few bytes, and what each takes of `output` may be more than to make it.
fn write_line(output: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = Vec::with_capacity(LINE);
    serde_json::to_writer(&mut line, value)?;
    line.push(b'\n');
    output.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::event::EventKind;
    use crate::vocabulary::id::{DpIfindex, Mac, PortNo};
    use crate::vocabulary::packet::{Destination, PacketFate, Run, TrafficKey};

    fn recording() -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(
            &mut bytes,
            &Header {
                ovsgap_log: VERSION,
                ..Header::default()
            },
        )
        .unwrap();
        for seq in 0..3 {
            write_entry(
                &mut bytes,
                seq,
                &Event {
                    at: Timestamp(seq * 10),
                    kind: EventKind::Tick,
                },
            )
            .unwrap();
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (usize, Option<LogError>) {
        let mut good = 0;
        let mut error = None;
        for entry in Reader::new(bytes).unwrap() {
            match entry {
                Ok(_) => good += 1,
                Err(found) => error = Some(found),
            }
        }
        (good, error)
    }

    #[test]
    fn a_recording_reads_back() {
        let (good, error) = read(&recording());
        assert_eq!(good, 3);
        assert!(error.is_none());
    }

    #[test]
    fn a_cut_recording_delivers_what_came_before() {
        let bytes = recording();
        let (good, error) = read(&bytes[..bytes.len() - 4]);
        assert_eq!(good, 2);
        assert!(matches!(error, Some(LogError::CutOff { line: 4 })), "{error:?}");
    }

    #[test]
    fn a_damaged_line_ends_the_reading_with_its_number() {
        let mut bytes = recording();
        let at = bytes.len() - 5;
        bytes[at] = b'\xff';
        let (good, error) = read(&bytes);
        assert_eq!(good, 2);
        assert!(
            matches!(error, Some(LogError::Corrupt { line: 4, .. })),
            "{error:?}"
        );
    }

    /// Runs with every way of writing each of their fields.
    fn runs() -> Vec<Event> {
        let destinations = [
            Destination::Ip([10, 0, 0, 2].into()),
            Destination::Ip("fd00::10:4".parse::<std::net::IpAddr>().unwrap()),
            Destination::Mac(Mac([2, 0, 0, 0xab, 0, 1])),
        ];
        let fates = [
            PacketFate::Delivered(PortNo(u32::MAX)),
            PacketFate::DropFlow,
            PacketFate::Queued,
            PacketFate::UpcallFailed(-107),
        ];
        let run = |dst, fate, number: u64| Run {
            key: TrafficKey {
                dp: DpIfindex(5),
                in_port: PortNo(0),
                eth_type: 0x86dd,
                dst,
                proto: 17,
                port: u16::MAX,
            },
            fate,
            executed: number & 1 == 0,
            cpu: 3,
            first: Timestamp(number),
            last: Timestamp(u64::MAX),
            packets: number * 10,
            bytes: u64::MAX - number,
            closed: number & 2 == 0,
        };
        let pairs = destinations
            .into_iter()
            .flat_map(|dst| fates.map(|fate| (dst, fate)));
        (0..)
            .zip(pairs)
            .map(|(number, (dst, fate))| Event {
                at: Timestamp(number),
                kind: EventKind::Packets(run(dst, fate, number)),
            })
            .collect()
    }

    fn line(event: &Event) -> Vec<u8> {
        let mut line = Vec::new();
        write_entry(&mut line, 7, event).unwrap();
        line
    }

    #[test]
    fn what_is_written_is_read_without_looking_for_names() {
        for event in runs() {
            let line = line(&event);
            let entry = Entry { seq: 7, event };
            assert_eq!(line::read(&line).as_ref(), Some(&entry));
            assert_eq!(parse(&line).unwrap(), entry);
        }
    }

    #[test]
    fn a_line_that_is_not_as_it_was_written_means_what_serde_says() {
        let others = [
            br#"{"seq":7,"at":3,"kind":{"source":{"name":"ebpf","ok":true,"detail":"\u00e4"}}}"#,
            &br#"{"seq":7,"at":3,"kind":"capture_ended"}"#[..],
            br#"{"kind":"tick","seq":7,"at":3}"#,
        ];
        let ended = |line: &[u8]| [line, b"\n"].concat();
        let lines = runs()
            .iter()
            .map(line)
            .chain(others.map(ended))
            .collect::<Vec<_>>();
        let bytes = *b"0-9.e \"{}[],:\\tfx\x00\xff";
        for line in lines {
            for (at, byte) in (0..line.len()).flat_map(|at| bytes.map(|byte| (at, byte))) {
                let mut inserted = line.clone();
                inserted.insert(at, byte);
                let mut replaced = line.clone();
                replaced[at] = byte;
                let mut removed = line.clone();
                removed.remove(at);
                for odd in [inserted, replaced, removed] {
                    if let Some(entry) = line::read(&odd) {
                        let by_serde = parse(&odd).ok();
                        assert_eq!(Some(entry), by_serde, "{}", String::from_utf8_lossy(&odd));
                    }
                }
            }
        }
    }

    #[test]
    fn foreign_and_newer_files_are_refused() {
        for bytes in [
            &b""[..],
            b"hello\n",
            b"{\"a\":1}\n",
            b"{\"ovsgap_log\":1",
            b"\x7fELF\n",
        ] {
            assert!(matches!(Reader::new(bytes), Err(LogError::Foreign(_))));
        }
        assert!(matches!(
            Reader::new(&b"{\"ovsgap_log\":9}\n"[..]),
            Err(LogError::Newer(9))
        ));
    }
}
