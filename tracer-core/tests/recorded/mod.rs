//! Recordings of real captures, and the judge's way through their entries.
//!
//! Must not depend on: what is expected of any of them.

use std::path::Path;

use tracer_core::budget::{self, Budget};
use tracer_core::judge::Judge;
use tracer_core::log::{Entry, Header, Reader};
use tracer_core::report::{Report, Verdict};

/// A recording, or a made-up story in its shape.
#[derive(Clone, Debug)]
pub struct Recording {
    pub name: String,
    pub header: Header,
    pub entries: Vec<Entry>,
}

impl Recording {
    /// Reads a file, relative to the crate.
    pub fn read(path: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let bytes = std::fs::read(&path).unwrap();
        let mut reader = Reader::new(bytes.as_slice()).unwrap();
        let header = reader.header().clone();
        let entries = (&mut reader).map(Result::unwrap).collect();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Self {
            name,
            header,
            entries,
        }
    }

    /// What the judge says of it.
    pub fn report(&self) -> Report {
        judge(&self.header, self.entries.clone())
    }
}

/// Judges entries in the order in which they arrived.
pub fn judge(header: &Header, entries: Vec<Entry>) -> Report {
    let mut judge = Judge::new(header.clone());
    for entry in entries {
        judge.push(entry);
    }
    judge.finish(None)
}

/// The verdict, which the gate that allows nothing has to share.
pub fn verdict(report: &Report) -> Result<Verdict, String> {
    let gate = budget::judge(report, &Budget::nothing()).verdict;
    if gate == report.verdict {
        Ok(gate)
    } else {
        Err(format!("the report says {:?}, the gate {gate:?}", report.verdict))
    }
}
