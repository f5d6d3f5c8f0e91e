//! The initial RAM disk: a cpio archive in the kernel's "newc" format (initramfs buffer format, kernel docs).
//!
//! Must not depend on: what the files are for.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// An archive being written.
pub struct Archive<W> {
    to: W,
    inode: u32,
}

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

impl<W: Write> Archive<W> {
    /// An empty archive.
    pub fn new(to: W) -> Self {
        Self { to, inode: 1 }
    }

    /// Adds a folder; its parents must be there already.
    pub fn folder(&mut self, name: &str) -> io::Result<()> {
        self.entry(name, FOLDER | 0o755, &[])
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.entry(name, FILE | (mode & 0o777), content)
    }

    /// Adds a file or a whole folder of this machine as `name`; symbolic links inside stay links.
    pub fn tree(&mut self, path: &Path, name: &str) -> Result<()> {
        let about = || format!("copying {} into the node", path.display());
        let meta = fs::metadata(path).with_context(about)?;
        if !meta.is_dir() {
            let content = fs::read(path).with_context(about)?;
            return self
                .file(name, meta.permissions().mode(), &content)
                .with_context(about);
        }
        self.folder(name).with_context(about)?;
        for inside in fs::read_dir(path).with_context(about)? {
            let inside = inside.with_context(about)?;
            let name = format!("{name}/{}", inside.file_name().to_string_lossy());
            if inside.file_type().with_context(about)?.is_symlink() {
                let target = fs::read_link(inside.path()).with_context(about)?;
                self.entry(&name, LINK | 0o777, target.as_os_str().as_encoded_bytes())
                    .with_context(about)?;
            } else {
                self.tree(&inside.path(), &name)?;
            }
        }
        Ok(())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        let name_length = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        // inode, mode, uid, gid, links, mtime, size, device and special device (major, minor), name, checksum.
        let fields = [self.inode, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
        self.inode += 1;
        let mut head = String::from("070701");
        // Writing to a string cannot fail.
        for field in fields {
            let _ = write!(head, "{field:08x}");
        }
        self.to.write_all(head.as_bytes())?;
        self.to.write_all(name.as_bytes())?;
        self.to.write_all(&[0])?;
        self.pad(head.len() + name.len() + 1)?;
        self.to.write_all(content)?;
        self.pad(content.len())
    }

    fn pad(&mut self, written: usize) -> io::Result<()> {
        let zeros = [0; 3];
        self.to.write_all(
            zeros
                .get(..written.next_multiple_of(4) - written)
                .unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_end_with_the_trailer() {
        let mut archive = Archive::new(Vec::new());
        archive.folder("lab").unwrap();
        archive.file("lab/a", 0o755, b"abcde").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.starts_with(b"07070100000001000041ed"));
        let text = String::from_utf8_lossy(&bytes);
        let second = text.find("07070100000002000081ed").unwrap();
        assert_eq!(second % 4, 0);
        assert!(text.contains("abcde\0\0\u{0}070701"));
        assert!(text.trim_end_matches('\0').ends_with("TRAILER!!!"));
    }
}
