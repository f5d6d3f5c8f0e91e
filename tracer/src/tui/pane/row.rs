//! Lines below a heading: scrolled, broken between words, and how many do not fit.
//!
//! Must not depend on: what they say, panes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use crate::tui::scene::Scene;
use crate::tui::theme::Role;
use crate::writing::{count, width as columns};

/// What is left below a heading.
pub fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect {
        y: area.y + rows,
        height: area.height - rows,
        ..area
    }
}

/// A line, and how far what does not fit is set in on the next; `None`: it is cut.
pub type Row<'a> = (Line<'a>, Option<usize>);

/// Lines from the scrolled one on; no farther than to the last screenful. The heading above says how many do not fit.
pub fn text(scene: &Scene<'_>, rows: Vec<Row<'_>>, scrolled: u16, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let lines: Vec<Line<'_>> = rows
        .into_iter()
        .flat_map(|(line, indent)| match indent {
            Some(indent) => wrapped(line, width, indent),
            None => vec![line],
        })
        .collect();
    let first = usize::from(scrolled).min(lines.len().saturating_sub(area.height.into()));
    for (row, line) in area.rows().zip(lines.iter().skip(first)) {
        line.render(row, buffer);
    }
    let below = lines.len().saturating_sub(first + usize::from(area.height));
    if below > 0 {
        let arrow = scene.theme.either("↓", "v");
        let more = scene.span(
            Role::Note,
            format!(" {arrow} {} more ", count(below as u64, "line")),
        );
        let width = u16::try_from(more.width()).unwrap_or(0).min(area.width);
        let corner = Rect {
            x: area.right() - width,
            y: area.y.saturating_sub(1),
            width,
            height: 1,
        };
        more.render(corner, buffer);
    }
}

/// A line broken between words.
fn wrapped(line: Line<'_>, width: usize, indent: usize) -> Vec<Line<'_>> {
    let mut lines = vec![Line::default()];
    let mut used = 0;
    for span in line.spans {
        for word in span.content.split_inclusive(' ') {
            let length = columns(word.trim_end());
            if used + length > width && used > indent {
                lines.push(Line::from(" ".repeat(indent)));
                used = indent;
            }
            if let Some(last) = lines.last_mut() {
                last.push_span(Span::styled(word.to_owned(), span.style));
            }
            used += columns(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        let line = Line::from("why it was so long");
        let broken: Vec<String> = wrapped(line, 9, 4).iter().map(ToString::to_string).collect();
        assert_eq!(broken, ["why it ", "    was ", "    so ", "    long"]);
    }
}
