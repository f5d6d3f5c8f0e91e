//! Where a recording goes: a file, or a pipe whose reader may be slow, stand still, or never come. A file gets all of it;
//! for a reader nobody waits before the end, and there not for long.
//!
//! Must not depend on: what is written.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Access, Timespec, access};
use rustix::io::Errno;
use tracer_core::time::{SECOND, Timestamp};

use crate::outfile::{self, Existing};
use crate::source::clock;

/// How long, in nanoseconds, those who read a pipe may take at the end.
pub const PATIENCE: u64 = SECOND;

/// How far a reader may be behind, in bytes: half a minute of a busy node's restart. What comes later it does not get.
const BEHIND: usize = 16 << 20;

/// So many bytes are gathered before they are handed over: what a pipe holds.
const PIECE: usize = 64 << 10;

/// So many bytes go into a pipe without waiting where there is room for any (`PIPE_BUF`).
const ROOM: usize = 4096;

/// What to do about a reader that is too slow.
const REMEDY: &str = "read a pipe without pause, or write into a file";

/// Says, before anything is traced, what could not hold a recording.
pub fn check(path: &Path, existing: Existing) -> anyhow::Result<()> {
    outfile::look(path, existing).with_context(|| refused(path))?;
    // A file that is replaced is one that is made.
    let is_there = fs::symlink_metadata(path).is_ok_and(|found| !found.is_file());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let place = if is_there {
        path
    } else {
        folder.unwrap_or(Path::new("."))
    };
    access(place, Access::WRITE_OK).with_context(|| refused(path))
}

fn refused(path: &Path) -> String {
    format!("cannot write {}: choose another place with -o", path.display())
}

/// Takes bytes, and hands them on as fast as they are taken.
#[derive(Debug)]
pub struct Outlet {
    path: PathBuf,
    /// `None`: a pipe that nobody reads yet.
    file: Option<File>,
    pending: VecDeque<u8>,
    /// How many bytes came since it was last tried to hand them over.
    fresh: usize,
}

impl Outlet {
    /// A new file, or a pipe that is there.
    pub fn create(path: &Path, existing: Existing) -> anyhow::Result<Self> {
        let file = open(path, existing).with_context(|| refused(path))?;
        Ok(Self::new(path.to_owned(), file))
    }

    /// A file that was made under a name of our own.
    pub fn of(path: PathBuf, file: File) -> Self {
        Self::new(path, Some(file))
    }

    fn new(path: PathBuf, file: Option<File>) -> Self {
        Self {
            path,
            file,
            pending: VecDeque::new(),
            fresh: 0,
        }
    }

    /// Where it goes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands over what is taken now; a file takes all. What cannot be handed over at all is thrown away.
    fn hand_over(&mut self) -> io::Result<()> {
        self.fresh = 0;
        if self.file.is_none() {
            self.file = open(&self.path, Existing::Kept)?;
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        while !self.pending.is_empty() {
            match file.write(self.pending.as_slices().0) {
                Ok(taken) => drop(self.pending.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    self.pending.clear();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Hands over the rest, to readers only what they take until then.
    ///
    /// Errors: it could not be written; a reader left some of it.
    pub fn finish(mut self, until: Timestamp) -> io::Result<()> {
        loop {
            self.hand_over()?;
            if self.pending.is_empty() {
                return Ok(());
            }
            let Some(file) = &self.file else {
                return Err(late(format!("nobody reads this pipe; {REMEDY}")));
            };
            if !writable(file, until)? {
                let left = self.pending.len();
                return Err(late(format!("its reader left the last {left} bytes; {REMEDY}")));
            }
        }
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.len() >= BEHIND {
            let behind = BEHIND >> 20;
            return Err(late(format!("its reader is {behind} MiB behind; {REMEDY}")));
        }
        self.pending.extend(bytes);
        self.fresh += bytes.len();
        if self.fresh >= PIECE {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    /// A reader may take it later.
    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

/// `None`: a pipe that nobody reads.
fn open(path: &Path, existing: Existing) -> io::Result<Option<File>> {
    let is_pipe = || fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
    match outfile::create(path, existing) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::NXIO) && is_pipe() => Ok(None),
        opened => opened.map(Some),
    }
}

fn late(why: String) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, why)
}

/// Writes to a descriptor that is shared with others until somebody does not take it in time; how many bytes were taken.
pub fn offer(to: impl AsFd, bytes: &[u8], until: Timestamp) -> io::Result<usize> {
    let mut taken = 0;
    for piece in bytes.chunks(ROOM) {
        let mut left = piece;
        while !left.is_empty() {
            if !writable(&to, until)? {
                return Ok(taken);
            }
            match rustix::io::write(&to, left) {
                Ok(length) => {
                    taken += length;
                    left = left.get(length..).unwrap_or_default();
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(taken)
}

/// Waits until something can be written; `false`: not before `until`.
fn writable(to: impl AsFd, until: Timestamp) -> io::Result<bool> {
    loop {
        let nanos = until.since(clock::now());
        let left = Timespec {
            tv_sec: (nanos / SECOND).try_into().unwrap_or(i64::MAX),
            tv_nsec: (nanos % SECOND).try_into().unwrap_or(0),
        };
        match poll(&mut [PollFd::new(&to, PollFlags::OUT)], Some(&left)) {
            Err(Errno::INTR) => {}
            ready => return Ok(ready? > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use rustix::pipe::{fcntl_setpipe_size, pipe};

    use super::*;

    fn fifo(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    }

    /// A reader that is there, and takes nothing by itself.
    fn reader(path: &Path) -> File {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        fs::OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)
            .unwrap()
    }

    fn soon() -> Timestamp {
        clock::now().plus(SECOND / 20)
    }

    #[test]
    fn a_file_gets_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut outlet = Outlet::create(&path, Existing::Kept).unwrap();
        let bytes = vec![b'x'; 3 * BEHIND];
        outlet.write_all(&bytes).unwrap();
        outlet.finish(Timestamp(0)).unwrap();
        assert_eq!(fs::read(path).unwrap(), bytes);
    }

    #[test]
    fn a_reader_that_stands_still_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let mut reader = reader(&path);
        let mut outlet = Outlet::create(&path, Existing::Kept).unwrap();
        let line = [b'x'; 1024];
        let more = 0..2 * BEHIND / line.len();
        let taken = more.take_while(|_| outlet.write_all(&line).is_ok()).count() * line.len();
        assert!((BEHIND..BEHIND + 2 * PIECE).contains(&taken), "{taken}");
        outlet.flush().unwrap();
        let error = outlet.finish(soon()).unwrap_err();
        assert!(error.to_string().contains("reader left the last"), "{error}");
        // What was handed over is there, and the end is seen.
        assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), PIECE);
    }

    #[test]
    fn a_reader_that_goes_on_gets_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let mut outlet = Outlet::create(&path, Existing::Kept).unwrap();
        let bytes: Vec<u8> = (0..1 << 20).map(|number: u32| number.to_le_bytes()[0]).collect();
        // Before anybody reads, and while nobody goes on.
        outlet.write_all(&bytes).unwrap();
        outlet.flush().unwrap();
        let read = std::thread::spawn(move || fs::read(path).unwrap());
        while outlet.file.is_none() {
            outlet.flush().unwrap();
            std::thread::yield_now();
        }
        outlet.finish(clock::now().plus(60 * SECOND)).unwrap();
        assert_eq!(read.join().unwrap(), bytes);
    }

    #[test]
    fn a_pipe_that_nobody_reads_and_one_that_closes_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = fifo(folder.path());
        let mut outlet = Outlet::create(&path, Existing::Kept).unwrap();
        outlet.write_all(b"line\n").unwrap();
        let error = outlet.finish(soon()).unwrap_err();
        assert!(error.to_string().contains("nobody reads"), "{error}");
        let reader = reader(&path);
        let mut outlet = Outlet::create(&path, Existing::Kept).unwrap();
        drop(reader);
        outlet.write_all(b"line\n").unwrap();
        assert_eq!(outlet.flush().unwrap_err().kind(), ErrorKind::BrokenPipe);
        outlet.flush().unwrap();
    }

    #[test]
    fn what_cannot_hold_a_recording_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let in_folder = |name: &str| folder.path().join(name);
        let _socket = std::os::unix::net::UnixListener::bind(in_folder("socket")).unwrap();
        fs::write(in_folder("file"), "").unwrap();
        for (path, why) in [
            (folder.path().to_owned(), "directory"),
            (in_folder("socket"), "socket"),
            (in_folder("missing/file"), "No such file"),
            (in_folder("file/below"), "Not a directory"),
            (in_folder("file"), "exists already (--overwrite"),
        ] {
            let told = format!("{:#}", check(&path, Existing::Kept).unwrap_err());
            assert!(told.contains("-o") && told.contains(why), "{told}");
        }
        for good in [
            in_folder("new"),
            "/dev/null".into(),
            "/dev/stdout".into(),
            "new".into(),
        ] {
            check(&good, Existing::Kept).unwrap();
        }
        check(&in_folder("file"), Existing::Replaced).unwrap();
        assert!(!in_folder("new").exists(), "checking makes nothing");
    }

    #[test]
    fn a_descriptor_of_others_is_offered_what_it_takes() {
        let (read, write) = pipe().unwrap();
        let size = fcntl_setpipe_size(&write, 2 * ROOM).unwrap();
        assert_eq!(offer(&write, &vec![b'x'; 3 * size], soon()).unwrap(), size);
        assert_eq!(offer(&write, b"y", soon()).unwrap(), 0);
        drop(read);
        let error = offer(&write, b"y", soon()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
