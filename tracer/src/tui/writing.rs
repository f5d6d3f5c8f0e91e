//! How figures are written on the screen.
//!
//! May not know: what they say.

pub use crate::sink::text::units::{Clock, count, millis, span, time_of_day};

/// Text cut to a width, with a mark where it was cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { format!("{kept}…") }
}

/// Set to the left in a column.
pub fn left(text: &str, width: usize) -> String {
    format!("{:width$}", cut(text, width))
}

/// Set to the right in a column.
pub fn right(text: &str, width: usize) -> String {
    format!("{:>width$}", cut(text, width))
}
