//! Files written from inside the screen: recordings and reports.
//!
//! Must not depend on: keys, what is drawn.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tracer_core::event::{Event, EventKind};
use tracer_core::history::History;
use tracer_core::log::{self, Header};
use tracer_core::report::Report;
use tracer_core::time::Timestamp;

use super::moment::Origin;
use crate::outfile;
use crate::outlet::{Outlet, PATIENCE};
use crate::sink::{Format, Style, render};
use crate::source::clock;

/// Writes a recording.
#[derive(Debug)]
pub struct Scribe {
    path: PathBuf,
    file: Outlet,
    next: u64,
    ended: bool,
    error: Option<std::io::Error>,
}

impl Scribe {
    /// Begins with the first event of a capture.
    pub fn new(path: &Path, header: &Header) -> anyhow::Result<Self> {
        let mut scribe = Self {
            path: path.to_owned(),
            file: Outlet::create(path)?,
            next: 0,
            ended: false,
            error: None,
        };
        log::write_header(&mut scribe.file, header)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(scribe)
    }

    /// Begins in the middle of a capture, with everything that is kept of it. What is forgotten leaves a gap in
    /// the sequence, so that a report over the recording says so.
    pub fn begin(history: &History) -> anyhow::Result<Self> {
        let now = history.head().now();
        let mut scribe = Self::new(
            &outfile::name(now, history.header().wall_offset_ns, ".jsonl"),
            history.header(),
        )?;
        scribe.next = history.begin();
        for event in history.events() {
            scribe.write(event);
        }
        Ok(scribe)
    }

    /// Writes an event. After the first error nothing more is written: what follows a gap could not be trusted.
    pub fn write(&mut self, event: &Event) {
        if self.error.is_some() || self.ended {
            return;
        }
        self.ended = event.kind == EventKind::CaptureEnded;
        let mut written = log::write_entry(&mut self.file, self.next, event);
        if event.kind == EventKind::Tick {
            written = written.and_then(|()| self.file.flush());
        }
        self.next += 1;
        if let Err(error) = written {
            tracing::warn!(
                "the recording {} ends here, it cannot be written: {error}",
                self.path.display()
            );
            self.error = Some(error);
        }
    }

    /// Its file's name; with what is wrong, if it could not be written.
    pub fn name(&self) -> String {
        match &self.error {
            None => self.path.display().to_string(),
            Some(error) => format!("{}: {error}", self.path.display()),
        }
    }

    /// Marks the end, unless the capture has marked it.
    pub fn end(mut self, at: Timestamp) {
        self.write(&Event {
            at,
            kind: EventKind::CaptureEnded,
        });
        if let Err(error) = self.file.finish(clock::now().plus(PATIENCE)) {
            tracing::warn!("the recording {} is not whole: {error}", self.path.display());
        }
    }
}

/// Writes a report as text and as JSON; the names of both files.
pub fn report(report: &Report, origin: &Origin, at: Timestamp) -> anyhow::Result<String> {
    let stem = match origin {
        Origin::Live => outfile::name(at, report.capture.wall_offset_ns, "-report"),
        Origin::Recording(name) => {
            let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
            PathBuf::from(format!("{stem}-report"))
        }
    };
    let mut names = Vec::new();
    for (format, ending) in [(Format::Text, "txt"), (Format::Json, "json")] {
        let style = Style {
            format,
            utc: false,
            explain: false,
        };
        let path = stem.with_added_extension(ending);
        create(&path)?
            .write_all(render(report, style).as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        names.push(path.display().to_string());
    }
    Ok(names.join(" and "))
}

fn create(path: &Path) -> anyhow::Result<File> {
    outfile::create(path).with_context(|| {
        let here = fs::canonicalize(".").unwrap_or_default();
        format!(
            "cannot write {}: start ovsgap in a folder where it may write (this is {})",
            path.display(),
            here.display()
        )
    })
}
