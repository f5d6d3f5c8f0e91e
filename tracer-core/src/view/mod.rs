//! The same facts in the detail that a screen shows, at any point of a capture.
//!
//! Must not depend on: screens, files.

pub mod detail;
pub mod history;
pub mod meter;
pub mod timeline;
