//! Files written from inside the screen: recordings and reports.
//!
//! Must not depend on: keys, what is drawn.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tracer_core::event::{Event, EventKind};
use tracer_core::history::History;
use tracer_core::log::{self, Header};
use tracer_core::report::Report;
use tracer_core::time::Timestamp;

use super::moment::Origin;
use crate::outfile::{self, Existing};
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
    error: Option<io::Error>,
}

impl Scribe {
    /// Begins with the first event of a capture.
    pub fn new(path: &Path, existing: Existing, header: &Header) -> anyhow::Result<Self> {
        Self::over(Outlet::create(path, existing)?, header)
    }

    fn over(file: Outlet, header: &Header) -> anyhow::Result<Self> {
        let mut scribe = Self {
            path: file.path().to_owned(),
            file,
            next: 0,
            ended: false,
            error: None,
        };
        log::write_header(&mut scribe.file, header)
            .with_context(|| format!("cannot write {}", scribe.path.display()))?;
        Ok(scribe)
    }

    /// Begins in the middle of a capture, with everything that is kept of it. What is forgotten leaves a gap in
    /// the sequence, so that a report over the recording says so.
    pub fn begin(history: &History) -> anyhow::Result<Self> {
        let now = history.head().now();
        let stem = outfile::stem(now, history.header().wall_offset_ns);
        let (path, file) =
            outfile::numbered(&stem, |stem| create(stem, "jsonl")).with_context(|| refused(&stem))?;
        let mut scribe = Self::over(Outlet::of(path, file), history.header())?;
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
        Origin::Live => outfile::stem(at, report.capture.wall_offset_ns),
        Origin::Recording(name) => {
            let stem = Path::new(name).file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        }
    };
    let stem = format!("{stem}-report");
    let files = outfile::numbered(&stem, both).with_context(|| refused(&stem))?;
    let mut names = Vec::new();
    for (format, (path, mut file)) in [Format::Text, Format::Json].into_iter().zip(files) {
        let style = Style {
            format,
            utc: false,
            explain: false,
        };
        file.write_all(render(report, style).as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        names.push(path.display().to_string());
    }
    Ok(names.join(" and "))
}

/// Both files under one name, or neither.
fn both(stem: &str) -> io::Result<[(PathBuf, File); 2]> {
    let text = create(stem, "txt")?;
    let json = create(stem, "json").inspect_err(|_| {
        // It has just been made, and is empty.
        let _ = fs::remove_file(&text.0);
    })?;
    Ok([text, json])
}

/// A file that was not there before.
fn create(stem: &str, ending: &str) -> io::Result<(PathBuf, File)> {
    let path = PathBuf::from(format!("{stem}.{ending}"));
    let file = outfile::create_new(&path)?;
    Ok((path, file))
}

fn refused(stem: &str) -> String {
    let here = fs::canonicalize(".").unwrap_or_default();
    format!(
        "cannot write {stem}: start ovsgap in a folder where it may write (this is {})",
        here.display()
    )
}
