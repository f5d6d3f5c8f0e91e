//! What guest and host say to each other over the virtio port: length-prefixed frames, in order.
//!
//! Must not depend on: processes, QEMU. One ordered stream carries everything, so that the verdict is known to
//! come after the last byte of output; kernel messages go to the serial console and never mix with it.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

/// The program of this crate in a node, found along PATH.
pub const PROGRAM: &str = "ovsgap-lab";
/// Name of the virtio port.
pub const PORT: &str = "ovsgap.lab";
/// Name of the virtio port of a screen. The host writes a line `COLUMNS ROWS` whenever its terminal has another size, the
/// guest one byte when the screen is closed.
pub const SCREEN: &str = "ovsgap.screen";
/// The serial line of a screen, in the guest.
pub const SCREEN_LINE: &str = "/dev/ttyS1";
/// What the guest's init prints on the serial console as its first line.
pub const ALIVE: &str = "ovsgap-lab: alive";
/// Before an error of the guest's init on the serial console.
pub const FAILED: &str = "ovsgap-lab: failed: ";
/// The longest body of a frame.
pub const LONGEST: usize = 64 * 1024;

/// One message of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The node is up, the command starts.
    Ready,
    /// Bytes the command wrote to stdout.
    Stdout(Vec<u8>),
    /// Bytes the command wrote to stderr.
    Stderr(Vec<u8>),
    /// A piece of the tar archive of `/out`.
    Out(Vec<u8>),
    /// How the command ended; the last frame. The host answers it with one byte.
    Verdict(Verdict),
}

/// How the command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It exited with this code.
    Code(u8),
    /// This signal ended it.
    Signal(i32),
    /// It did not end in time and was killed.
    TimedOut,
    /// It could not be started, or the node could not be brought up.
    Failed(String),
}

/// What the guest is to do, as `/lab/job.json` in the initial RAM disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Program and arguments; empty: say [`ALIVE`] and power off.
    pub argv: Vec<String>,
    /// Seconds after which the command is killed.
    pub timeout_s: u64,
    /// Kernel modules of `/lab/modules` that the root drive and the port need, in order.
    pub modules: Vec<String>,
    /// Whether `/out` is wanted.
    pub out: bool,
}

/// A line that names a screen's size.
pub fn size_line(columns: u16, rows: u16) -> String {
    format!("{columns} {rows}\n")
}

/// Columns and rows of such a line.
pub fn size(line: &str) -> Option<(u16, u16)> {
    let (columns, rows) = line.trim().split_once(' ')?;
    Some((columns.parse().ok()?, rows.parse().ok()?))
}

impl Frame {
    /// Writes the frame.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let verdict;
        let (kind, body): (u8, &[u8]) = match self {
            Self::Ready => (b'r', &[]),
            Self::Stdout(bytes) => (b'o', bytes),
            Self::Stderr(bytes) => (b'e', bytes),
            Self::Out(bytes) => (b't', bytes),
            Self::Verdict(value) => {
                verdict = serde_json::to_vec(value)?;
                (b'v', &verdict)
            }
        };
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(body.len() + 5);
        bytes.push(kind);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(body);
        to.write_all(&bytes)
    }

    /// Reads the next frame; `None` at the end of the stream.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 5];
        match from.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
        if length > 2 * LONGEST {
            return Err(io::Error::other(format!("a frame of {length} bytes")));
        }
        let mut body = vec![0; length];
        from.read_exact(&mut body)?;
        Ok(Some(match kind {
            b'r' => Self::Ready,
            b'o' => Self::Stdout(body),
            b'e' => Self::Stderr(body),
            b't' => Self::Out(body),
            b'v' => Self::Verdict(serde_json::from_slice(&body)?),
            other => return Err(io::Error::other(format!("a frame of unknown kind {other}"))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_in_order() {
        let frames = [
            Frame::Ready,
            Frame::Stdout(b"hello\n".to_vec()),
            Frame::Stderr(vec![0, 255]),
            Frame::Out(vec![7; LONGEST]),
            Frame::Verdict(Verdict::Signal(9)),
            Frame::Verdict(Verdict::Failed("no such program".into())),
        ];
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.write(&mut bytes).unwrap();
        }
        let mut from = bytes.as_slice();
        for frame in &frames {
            assert_eq!(Frame::read(&mut from).unwrap().as_ref(), Some(frame));
        }
        assert_eq!(Frame::read(&mut from).unwrap(), None);
    }

    #[test]
    fn sizes_read_back() {
        assert_eq!(size(&size_line(250, 70)), Some((250, 70)));
        assert_eq!(size("250"), None);
        assert_eq!(size("many rows"), None);
    }

    #[test]
    fn nonsense_is_an_error_and_not_a_huge_allocation() {
        assert!(Frame::read(&mut [b'o', 255, 255, 255, 255].as_slice()).is_err());
        assert!(Frame::read(&mut [b'?', 0, 0, 0, 0].as_slice()).is_err());
        assert!(Frame::read(&mut [b'o', 9, 0, 0, 0, 1].as_slice()).is_err());
    }
}
