//! Reaching a unix socket whose server comes and goes, again within milliseconds of its return.
//!
//! Must not depend on: what is said over the socket. A server that binds its socket makes a file (`IN_CREATE`), so
//! inotify on the directory wakes us; between bind and listen, and where inotify is not to be had, short
//! retries bridge the time.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;

use super::readiness;

/// The longest wait between two attempts; without inotify it is all that finds the server again.
const LONGEST: Duration = Duration::from_secs(1);
const LONGEST_UNWATCHED: Duration = Duration::from_millis(100);
/// A server whose socket has just been made listens within microseconds.
const JUST_MADE: Duration = Duration::from_millis(1);

/// One server's socket, and how eagerly it is tried.
pub(crate) struct Dial {
    path: PathBuf,
    shortest: Duration,
    delay: Duration,
    watch: Option<AsyncFd<OwnedFd>>,
}

impl Dial {
    /// Attempts start `shortest` apart and get rarer, up to one a second; a socket that appears is tried at once.
    pub(crate) fn new(path: PathBuf, shortest: Duration) -> Self {
        Self {
            path,
            shortest,
            delay: shortest,
            watch: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes one attempt. The directory is watched from before the attempt until one succeeds, so that a
    /// socket that comes right after a failure is not missed.
    pub(crate) async fn connect(&mut self) -> io::Result<UnixStream> {
        self.arm();
        let stream = UnixStream::connect(&self.path).await?;
        self.watch = None;
        Ok(stream)
    }

    /// The server does what it should: the next attempts are eager again.
    pub(crate) fn succeeded(&mut self) {
        self.delay = self.shortest;
    }

    /// Waits until another attempt is worth it.
    pub(crate) async fn wait(&mut self) {
        self.arm();
        let longest = if self.watch.is_some() {
            LONGEST
        } else {
            LONGEST_UNWATCHED
        };
        let delay = self.delay.min(longest);
        self.delay = (delay * 2).min(longest);
        self.wait_for(delay).await;
    }

    /// Waits until the server is there anew, at most for `delay`.
    pub(crate) async fn wait_for(&mut self, delay: Duration) {
        self.arm();
        let name = self.path.file_name().unwrap_or_default().to_owned();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            seen = created(self.watch.as_ref(), name) => {
                self.delay = JUST_MADE;
                if seen.is_err() {
                    self.watch = None;
                }
            }
        }
    }

    fn arm(&mut self) {
        if self.watch.is_none() {
            self.watch = watch(self.path.parent().unwrap_or(Path::new("."))).ok();
        }
    }
}

fn watch(dir: &Path) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    let what = WatchFlags::CREATE
        | WatchFlags::MOVED_TO
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR;
    inotify::add_watch(&fd, dir, what)?;
    readiness::register(fd)
}

/// Ready when `name` appeared in the watched directory; an error when the directory itself is gone.
async fn created(watch: Option<&AsyncFd<OwnedFd>>, name: OsString) -> io::Result<()> {
    let Some(watch) = watch else {
        return std::future::pending().await;
    };
    loop {
        let mut ready = watch.readable().await?;
        if appeared(watch.get_ref(), &name)? {
            return Ok(());
        }
        ready.clear_ready();
    }
}

/// Reads all pending events.
fn appeared(watch: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    let mut found = false;
    loop {
        let event = match events.next() {
            Ok(event) => event,
            Err(Errno::WOULDBLOCK) => return Ok(found),
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let gone = ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED | ReadFlags::UNMOUNT;
        if event.events().intersects(gone) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let same = event
            .file_name()
            .is_some_and(|file| file.to_bytes() == name.as_encoded_bytes());
        found |= same || event.events().contains(ReadFlags::QUEUE_OVERFLOW);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::net::UnixListener;

    use super::*;

    async fn dial_until_it_answers(dial: &mut Dial) -> UnixStream {
        loop {
            match dial.connect().await {
                Ok(stream) => return stream,
                Err(_) => dial.wait().await,
            }
        }
    }

    /// After many failures the back-off is long; only inotify can be quick then.
    #[tokio::test]
    async fn a_socket_that_appears_is_found_long_before_the_back_off_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("br0.mgmt");
        let mut dial = Dial::new(path.clone(), Duration::from_mins(10));
        dial.delay = LONGEST;
        let server = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            std::fs::write(dir.path().join("br1.mgmt"), "").unwrap();
            (Instant::now(), UnixListener::bind(&path).unwrap())
        };
        let ((bound, _listener), _stream) = tokio::join!(server, dial_until_it_answers(&mut dial));
        assert!(
            bound.elapsed() < Duration::from_millis(500),
            "{:?}",
            bound.elapsed()
        );
    }

    /// `make_unix_socket` of OVS unlinks the stale file of its predecessor before it binds.
    #[tokio::test]
    async fn a_stale_socket_file_is_survived() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let mut dial = Dial::new(path.clone(), Duration::from_millis(1));
        let refused = dial.connect().await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let server = async {
            std::fs::remove_file(&path).unwrap();
            UnixListener::bind(&path).unwrap()
        };
        let (_listener, _stream) = tokio::join!(server, dial_until_it_answers(&mut dial));
    }

    #[tokio::test]
    async fn a_directory_that_is_made_later_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let rundir = dir.path().join("openvswitch");
        let path = rundir.join("db.sock");
        let mut dial = Dial::new(path.clone(), Duration::from_millis(1));
        assert!(dial.connect().await.is_err());
        let server = async {
            std::fs::create_dir(&rundir).unwrap();
            UnixListener::bind(&path).unwrap()
        };
        let (_listener, _stream) = tokio::join!(server, dial_until_it_answers(&mut dial));
        std::fs::remove_dir_all(&rundir).unwrap();
        assert!(dial.connect().await.is_err());
    }
}
