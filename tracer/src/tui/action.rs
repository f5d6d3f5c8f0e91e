//! What the user can do, and what has to be done for it outside of the screen.
//!
//! Must not depend on: keys, terminals.

use crate::historian::Target;

/// Something the user did, or that happened to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "said in the key table, which the help overlay is printed from"
)]
pub enum Action {
    Quit,
    Help,
    Close,
    NextPane,
    PreviousPane,
    Maximize,
    Open,
    Down,
    Up,
    PageDown,
    PageUp,
    First,
    Last,
    Search,
    NextMatch,
    PreviousMatch,
    Filter,
    AffectedOnly,
    Sort,
    Reverse,
    Pause,
    StepForward,
    StepBack,
    NextMilestone,
    PreviousMilestone,
    NextDisruption,
    PreviousDisruption,
    Begin,
    Newest,
    Slower,
    Faster,
    ZoomIn,
    ZoomOut,
    PanLeft,
    PanRight,
    Fit,
    Utc,
    Record,
    Export,
    Mouse,
    /// A character was typed into the search or the filter.
    Type(char),
    /// The last character was taken back.
    Erase,
    /// The text is complete.
    Submit,
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// The mouse was pressed at this column and row.
    Click(u16, u16),
    /// This much time has passed on the wall, in ns.
    Passed(u64),
}

/// What has to be done outside of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// End the program.
    Quit,
    /// Show another point.
    Go(Target),
    /// Begin to write a recording, or end it.
    Record,
    /// Write the report as shown.
    Export,
    /// Take the mouse, or give it back.
    Mouse(bool),
}
