//! Columns of text: each as wide as its widest cell.
//!
//! Must not depend on: what stands in them.

use super::line::line;

/// Writes rows, the first being the head. A cell that looks like a number is set to the right.
pub fn write(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let numeric: Vec<bool> = (0..columns)
        .map(|column| {
            rows.iter()
                .skip(1)
                .filter_map(|row| row.get(column))
                .all(|cell| is_number(cell))
        })
        .collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .enumerate()
            .map(|(column, cell)| pad(cell, widths[column], numeric[column]))
            .collect();
        line(out, &format!("  {}", cells.join("  ")));
    }
}

fn pad(cell: &str, width: usize, right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
    if right {
        format!("{blanks}{cell}")
    } else {
        format!("{cell}{blanks}")
    }
}

fn is_number(cell: &str) -> bool {
    cell.chars()
        .all(|letter| letter.is_ascii_digit() || " .,-–…≥≤".contains(letter))
}
