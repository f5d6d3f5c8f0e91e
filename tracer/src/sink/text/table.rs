//! Columns of text: each as wide as its widest cell.
//!
//! Must not depend on: what stands in them.

use crate::writing::{left, line, right, short, width};

/// No column is wider; a longer name is cut in its middle.
pub const WIDEST: usize = 64;

/// Writes rows, the first being the head. A cell that looks like a number is set to the right.
pub fn write(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| width(cell).min(WIDEST))
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

fn pad(cell: &str, width: usize, is_numeric: bool) -> String {
    let cell = short(cell, width);
    if is_numeric {
        right(&cell, width)
    } else {
        left(&cell, width)
    }
}

fn is_number(cell: &str) -> bool {
    cell.chars()
        .all(|letter| letter.is_ascii_digit() || " .,-–…≥≤".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_shift_no_column() {
        let long = "x".repeat(10_000);
        let names = ["POD", "日本語", "e\u{301}\u{301}", "👍🏽", "a\u{202e}b", &long];
        let rows = names.map(|name| vec![name.to_owned(), "CAUSE".to_owned()]);
        let mut out = String::new();
        write(&mut out, &rows);
        let place = |line: &str| line.find("CAUSE").map(|at| width(&line[..at]));
        let places: Vec<_> = out.lines().map(place).collect();
        assert_eq!(places, [Some(2 + WIDEST + 2); 6], "{out}");
    }
}
