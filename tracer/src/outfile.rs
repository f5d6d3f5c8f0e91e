//! Files that ovsgap writes: what they are called by default, and who may read them.
//!
//! Must not depend on: what is written into them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tracer_core::time::Timestamp;

/// `ovsgap-DATE-TIME` and `ending`, in UTC.
pub fn name(at: Timestamp, wall_offset_ns: i64, ending: &str) -> PathBuf {
    let nanos = i128::from(at.0) + i128::from(wall_offset_ns);
    let time = jiff::Timestamp::from_nanosecond(nanos).unwrap_or_default();
    PathBuf::from(format!("ovsgap-{}{ending}", time.strftime("%Y%m%d-%H%M%S")))
}

/// A new file, or an old one emptied. Names of Pods and addresses are nobody else's business: only the
/// owner may read what is written. A pipe that nobody reads, or whose reader is slow, is an error and not waited for.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
}
