//! One pane a file: what is said where. Every pane draws what it is given and knows no other.
//!
//! Must not depend on: keys that lead to it, events, where it stands.

mod coverage;
mod detail;
mod events;
pub mod foot;
pub mod head;
pub mod help;
mod latency;
mod milestones;
mod pods;
mod row;
mod timeline;
mod upcalls;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scene::Scene;
use super::screen::Pane;

/// Draws a pane.
pub fn draw(pane: Pane, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    match pane {
        Pane::Milestones => milestones::draw(scene, area, buffer),
        Pane::Timeline => timeline::draw(scene, area, buffer),
        Pane::Pods => pods::draw(scene, area, buffer),
        Pane::Detail => detail::draw(scene, area, buffer),
        Pane::Upcalls => upcalls::draw(scene, area, buffer),
        Pane::Events => events::draw(scene, area, buffer),
        Pane::Coverage => coverage::draw(scene, area, buffer),
    }
}
