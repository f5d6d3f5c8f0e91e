//! What every pane draws from, and how all of them write a heading, a time, a word with a meaning.
//!
//! Must not depend on: what stands in a pane, where it stands.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use tracer_core::report::Pod;
use tracer_core::time::{SECOND, Timestamp};

use super::screen::{Pane, Screen};
use super::theme::{Role, Theme};
use crate::historian::moment::Moment;
use crate::writing::{Clock, plain};

/// So long after (or before) a disruption, milliseconds since it tell nobody anything.
const FAR: u64 = 600 * SECOND;

/// What every pane draws from.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What is known.
    pub moment: &'a Moment,
    /// What the user has chosen.
    pub screen: &'a Screen,
    /// The Pods that are shown, in order.
    pub rows: &'a [&'a Pod],
    /// Which of them is selected.
    pub picked: usize,
    /// How it looks.
    pub theme: Theme,
}

impl<'a> Scene<'a> {
    /// Text with a meaning. What of it comes from outside loses its power here, before anything is measured.
    pub fn span(&self, role: Role, text: impl Into<String>) -> Span<'a> {
        Span::styled(plain(text), self.theme.style(role))
    }

    /// A point in time: since the disruption began, or a time of day, where that is wanted or the disruption is far.
    pub fn point(&self, at: Timestamp) -> String {
        let offset = self.moment.whole.capture.wall_offset_ns;
        let zero = self.moment.zero();
        let utc = self.screen.utc || at.since(zero).max(zero.since(at)) >= FAR;
        // Of a time of day the date is known.
        Clock::new(zero, offset, utc).short(at)
    }

    /// A pane's heading over the whole width, with what stands beside its name.
    pub fn heading(&self, pane: Pane, beside: Vec<Span<'a>>, area: Rect, buffer: &mut Buffer) {
        let focused = self.screen.focus == pane;
        let (role, mark) = if focused {
            (Role::Focus, self.theme.either("▌", ">"))
        } else {
            (Role::Heading, self.theme.either("─", "-"))
        };
        let mut spans = vec![self.span(role, format!("{mark}{} ", pane.title()))];
        spans.extend(beside);
        spans.push(Span::raw(" "));
        let line = Line::from(spans);
        let dash = self.theme.either("─", "-");
        let dashes = dash.repeat(usize::from(area.width).saturating_sub(line.width()));
        let head = Rect {
            height: 1.min(area.height),
            ..area
        };
        let mut line = line;
        line.push_span(self.span(Role::Dim, dashes));
        line.render(head, buffer);
    }
}
