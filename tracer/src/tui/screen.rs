//! What the user has chosen to see: focus, selection, order, filter, time axis.
//!
//! Must not depend on: terminals, colours, where events come from.

use tracer_core::time::Timestamp;

/// A part of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pane {
    /// Milestones of the disruption, with the times between them.
    Milestones,
    /// A lane per Pod.
    Timeline,
    /// The Pod table.
    Pods,
    /// One Pod.
    Detail,
    /// Upcalls.
    Upcalls,
    /// The event log.
    Events,
    /// What could not be seen.
    Coverage,
}

impl Pane {
    /// All, in the order in which the focus moves.
    pub const ALL: [Self; 7] = [
        Self::Milestones,
        Self::Timeline,
        Self::Pods,
        Self::Detail,
        Self::Upcalls,
        Self::Events,
        Self::Coverage,
    ];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Milestones => "Milestones",
            Self::Timeline => "Timeline",
            Self::Pods => "Pods",
            Self::Detail => "Detail",
            Self::Upcalls => "Upcalls",
            Self::Events => "Events",
            Self::Coverage => "Coverage",
        }
    }

    /// The panes that share one place on a small screen.
    pub const SHARED: [Self; 4] = [Self::Detail, Self::Upcalls, Self::Events, Self::Coverage];
}

/// By what the Pod table is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Packets lost.
    #[default]
    Lost,
    /// The exposed window's length.
    Exposed,
    /// The longest gap's upper bound.
    Gap,
    /// Namespace and name.
    Name,
    /// Why.
    Cause,
}

impl Sort {
    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Lost => Self::Exposed,
            Self::Exposed => Self::Gap,
            Self::Gap => Self::Name,
            Self::Name => Self::Cause,
            Self::Cause => Self::Lost,
        }
    }

    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Exposed => "exposed",
            Self::Gap => "gap",
            Self::Name => "name",
            Self::Cause => "cause",
        }
    }
}

/// Where keys go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// To the panes.
    #[default]
    Normal,
    /// To the help overlay, scrolled by so many lines.
    Help(u16),
    /// Into the search; the text that stood there before comes back on Esc.
    Search(String),
    /// Into the filter; likewise.
    Filter(String),
}

/// Everything the user has chosen.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch that one key turns, and no two belong together"
)]
pub struct Screen {
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Where keys go.
    pub mode: Mode,
    /// The pane that has the focus.
    pub focus: Pane,
    /// The pane that stands in the shared place.
    pub shared: Pane,
    /// The focused pane fills the screen.
    pub maximized: bool,
    /// The selected Pod, by its interface.
    pub selected: Option<String>,
    /// By what Pods are sorted.
    pub sort: Sort,
    /// The other way round.
    pub reverse: bool,
    /// Only Pods whose name contains this.
    pub filter: String,
    /// What is searched for.
    pub search: String,
    /// Only Pods that had a window or lost something.
    pub affected_only: bool,
    /// The time axis; `None`: the shown disruption.
    pub axis: Option<(Timestamp, Timestamp)>,
    /// Times of day instead of milliseconds since the disruption began.
    pub utc: bool,
    /// A recording is played: nanoseconds of it per 1024 ns.
    pub speed: u64,
    /// It is running.
    pub playing: bool,
    /// Lines scrolled in the pane Detail, and in the pane Coverage.
    pub scrolled: (u16, u16),
    /// The mouse is ours.
    pub mouse: bool,
    /// What was just done, or why not.
    pub notice: Option<String>,
}

/// [`Screen::speed`] of real time.
pub const REAL_TIME: u64 = 1024;

impl Screen {
    /// The screen of a terminal of this size.
    pub fn new(size: (u16, u16)) -> Self {
        Self {
            size,
            mode: Mode::Normal,
            focus: Pane::Pods,
            shared: Pane::Detail,
            maximized: false,
            selected: None,
            sort: Sort::default(),
            reverse: false,
            filter: String::new(),
            search: String::new(),
            affected_only: false,
            axis: None,
            utc: false,
            speed: REAL_TIME,
            playing: false,
            scrolled: (0, 0),
            mouse: false,
            notice: None,
        }
    }

    /// The speed in words: `×1/4`.
    pub fn pace(&self) -> String {
        if self.speed >= REAL_TIME {
            format!("×{}", self.speed / REAL_TIME)
        } else {
            format!("×1/{}", REAL_TIME / self.speed.max(1))
        }
    }
}
