//! The openvswitch module: whether it is loaded, and whether it is still the one that was.
//!
//! Must not depend on: hooks.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The module's name.
pub(super) const NAME: &str = "openvswitch";

/// One loading of the module. sysfs gives the directory another number each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loaded(u64);

/// The module as it is loaded now; `None`: it is not, or it is part of the kernel.
pub(super) fn loaded() -> Option<Loaded> {
    let directory = Path::new("/sys/module").join(NAME);
    fs::metadata(directory)
        .ok()
        .map(|directory| Loaded(directory.ino()))
}
