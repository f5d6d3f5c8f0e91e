//! The version in a kernel's release (`uname -r`).
//!
//! Must not depend on: what a version can do.

use rustix::system::uname;

/// Major and minor number: later versions are greater.
pub(super) type Version = (u32, u32);

/// The running kernel's; `None`: its release does not begin with one.
pub(super) fn running() -> Option<Version> {
    version(&uname().release().to_string_lossy())
}

/// The version that a release begins with.
pub(super) fn version(release: &str) -> Option<Version> {
    let mut numbers = release.split(|other: char| !other.is_ascii_digit());
    let mut next = || numbers.next()?.parse().ok();
    next().zip(next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_begins_with_its_version() {
        for (release, expected) in [
            ("5.10.0-32-cloud-amd64", Some((5, 10))),
            ("6.12.117+deb13-cloud-amd64", Some((6, 12))),
            ("5.15.0-91-generic", Some((5, 15))),
            ("4.18.0-553.el8_10.x86_64", Some((4, 18))),
            ("7.2-amd64", Some((7, 2))),
            ("10.0", Some((10, 0))),
            ("4.19", Some((4, 19))),
            ("unknown", None),
            ("6", None),
            ("", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
        assert!(running().is_some());
    }
}
