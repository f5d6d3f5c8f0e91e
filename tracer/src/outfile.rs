//! Files that ovsgap writes: what they are called by default, who may read them, and what of others they never touch.
//!
//! Must not depend on: what is written into them. As root in a folder where others may write, a name is a trap: no
//! symbolic link is followed, no file that is there is taken over.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tracer_core::time::Timestamp;

/// Names of Pods and addresses are nobody else's business.
const OWNER_ALONE: u32 = 0o600;

/// Names with a number that are tried before it is given up.
const NUMBERS: u32 = 1_000;

/// What becomes of a file that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    #[default]
    Kept,
    /// Another one takes its place (`--overwrite`).
    Replaced,
}

impl Existing {
    /// As the flag says.
    pub fn overwrite(overwrite: bool) -> Self {
        if overwrite { Self::Replaced } else { Self::Kept }
    }
}

/// `ovsgap-DATE-TIME`, in UTC.
pub fn stem(at: Timestamp, wall_offset_ns: i64) -> String {
    let nanos = i128::from(at.0) + i128::from(wall_offset_ns);
    let time = jiff::Timestamp::from_nanosecond(nanos).unwrap_or_default();
    format!("ovsgap-{}", time.strftime("%Y%m%d-%H%M%S"))
}

/// The first of `stem`, `stem-2`, … under which nothing is. Somebody may be faster: then it cannot be made.
pub fn free(stem: &str, ending: &str) -> io::Result<PathBuf> {
    numbered(stem, |name| {
        let path = PathBuf::from(format!("{name}{ending}"));
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(path),
            Err(error) => Err(error),
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        }
    })
}

/// `stem`, or where that is taken `stem-2`, `stem-3`, …, until one can be made. What `make` says of a name that is taken
/// is [`ErrorKind::AlreadyExists`].
pub fn numbered<T>(stem: &str, mut make: impl FnMut(&str) -> io::Result<T>) -> io::Result<T> {
    for number in 1..NUMBERS {
        let result = match number {
            1 => make(stem),
            number => make(&format!("{stem}-{number}")),
        };
        match result {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            done => return done,
        }
    }
    Err(io::Error::new(
        ErrorKind::AlreadyExists,
        format!("{stem} and {NUMBERS} names like it are taken"),
    ))
}

/// A file that was not there before; only its owner may read it.
pub fn create_new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ALONE)
        .open(path)?;
    // The umask, or the folder's default ACL, may have had another say.
    file.set_permissions(Permissions::from_mode(OWNER_ALONE))?;
    Ok(file)
}

/// A new file, or what is there and is no file: a pipe (one that nobody reads, or whose reader is slow, is an error and not
/// waited for), a terminal, `/dev/null`, a descriptor of our own (`/dev/stdout`).
pub fn create(path: &Path, existing: Existing) -> io::Result<File> {
    if is_descriptor(path) {
        return open(path, OFlags::empty());
    }
    match create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        created => return created,
    }
    let found = fs::symlink_metadata(path)?;
    refuse(&found, existing)?;
    if found.is_file() {
        // Emptied, it would still belong to its owner, be open to whoever has it open, and be there under its other names.
        fs::remove_file(path)?;
        return create_new(path);
    }
    let opened = open(path, OFlags::NOFOLLOW)?;
    // It may have become a file meanwhile.
    refuse(&opened.metadata()?, Existing::Kept)?;
    Ok(opened)
}

fn open(path: &Path, more: OFlags) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | more;
    // What the shell has begun is gone on with.
    let mut options = OpenOptions::new();
    options.append(true).custom_flags(flags.bits().cast_signed());
    options.open(path)
}

/// Says why nothing could be written there, as far as that can be known without making anything.
pub fn look(path: &Path, existing: Existing) -> io::Result<()> {
    if is_descriptor(path) {
        return refuse(&fs::metadata(path)?, Existing::Replaced);
    }
    match fs::symlink_metadata(path) {
        Ok(found) => refuse(&found, existing),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn refuse(found: &fs::Metadata, existing: Existing) -> io::Result<()> {
    let kind = found.file_type();
    let why = if kind.is_symlink() {
        "it is a symbolic link, and none is followed"
    } else if kind.is_dir() {
        "it is a directory"
    } else if kind.is_socket() {
        "it is a socket"
    } else if kind.is_block_device() {
        "it is a block device"
    } else if kind.is_file() && existing == Existing::Kept {
        "it exists already (--overwrite replaces it)"
    } else {
        return Ok(());
    };
    Err(io::Error::new(ErrorKind::InvalidInput, why))
}

/// Whether it names a descriptor of this process, and not a file: `/dev/stdout`, `/dev/fd/63` (`>(gzip > x)` in a shell). The
/// kernel has links there, and nobody else can put any.
fn is_descriptor(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::to_str);
    matches!(path.to_str(), Some("/dev/stdout" | "/dev/stderr"))
        || matches!(folder, Some("/dev/fd" | "/proc/self/fd"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[track_caller]
    fn refused(path: &Path, existing: Existing, why: &str) {
        for error in [
            look(path, existing).unwrap_err(),
            create(path, existing).unwrap_err(),
        ] {
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        for exists in [false, true] {
            if exists {
                fs::write(&target, "precious").unwrap();
            } else {
                symlink(&target, &link).unwrap();
            }
            for existing in [Existing::Kept, Existing::Replaced] {
                assert!(
                    look(&link, existing)
                        .unwrap_err()
                        .to_string()
                        .contains("symbolic link")
                );
                assert!(create(&link, existing).is_err());
            }
        }
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(link.is_symlink());
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_it_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        fs::hard_link(&path, &other).unwrap();
        refused(&path, Existing::Kept, "exists already");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        look(&path, Existing::Replaced).unwrap();
        create(&path, Existing::Replaced)
            .unwrap()
            .write_all(b"new")
            .unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), 0o600));
        assert_eq!(
            (fs::read(&other).unwrap(), mode(&other)),
            (b"old".to_vec(), 0o644)
        );
    }

    #[test]
    fn what_is_no_file_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
        let before = mode(&pipe);
        let reader = open(&pipe, OFlags::empty());
        assert!(reader.is_err(), "nobody reads it");
        let _reader = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&pipe)
            .unwrap();
        for path in [pipe.as_path(), Path::new("/dev/null"), Path::new("/dev/full")] {
            let before = mode(path);
            look(path, Existing::Kept).unwrap();
            drop(create(path, Existing::Kept).unwrap());
            assert_eq!(mode(path), before);
        }
        assert_eq!(mode(&pipe), before);
        refused(folder.path(), Existing::Replaced, "directory");
    }

    #[test]
    fn what_the_shell_has_opened_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "begun ").unwrap();
        let opened = OpenOptions::new().append(true).open(&path).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&opened);
        let name = PathBuf::from(format!("/dev/fd/{number}"));
        look(&name, Existing::Kept).unwrap();
        create(&name, Existing::Kept)
            .unwrap()
            .write_all(b"gone on with")
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"begun gone on with");
        assert!(!is_descriptor(Path::new("/dev/fd/../shm/x")));
        assert!(!is_descriptor(Path::new("/dev/shm/x")));
    }

    #[test]
    fn names_that_are_taken_get_a_number() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str| create_new(&folder.path().join(name)).map(|_| name.to_owned());
        let names: Vec<String> = (0..3).map(|_| numbered("x", make).unwrap()).collect();
        assert_eq!(names, ["x", "x-2", "x-3"]);
        assert_eq!(mode(&folder.path().join("x-3")), 0o600);
        let missing = numbered("no/x", make).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}
