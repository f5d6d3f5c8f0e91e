//! How the source says that it sees the datapath, or why it does not.
//!
//! Must not depend on: what is seen.

use std::io;

use tracer_core::event::EventKind;

/// That it sees; or what is wrong.
pub fn source_event(ill: Option<String>) -> EventKind {
    EventKind::Source {
        name: "datapath".to_owned(),
        ok: ill.is_none(),
        detail: ill.unwrap_or_default(),
    }
}

/// An error with its remedy.
pub fn explain(error: &anyhow::Error) -> String {
    let denied = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    let denied = denied
        .map(io::Error::kind)
        .any(|kind| kind == io::ErrorKind::PermissionDenied);
    let remedy = if denied {
        "; run ovsgap as root in the host's network namespace"
    } else {
        ""
    };
    format!("cannot read the datapath: {error:#}{remedy}")
}
