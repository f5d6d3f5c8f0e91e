//! `docs/performance.md`: each part's tables stand between two markers; all else is written by hand and stays.
//!
//! Must not depend on: what is in a table.

use std::fs;

use anyhow::{Context as _, Result};
use lab::words::sample::{Machine, Part};

use crate::paths::Paths;

/// Puts a part's text into the page.
pub fn put(paths: &Paths, part: Part, machine: &Machine, text: &str) -> Result<()> {
    let path = paths.root.join("docs/performance.md");
    let page = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let Machine {
        kernel,
        ovs,
        processor,
        processors,
    } = machine;
    let about = format!("Linux {kernel}, Open vSwitch {ovs}, {processors} × {processor}.");
    let page = replaced(&page, part.name(), &format!("{about}\n\n{}", text.trim_end()))
        .with_context(|| format!("{} has no place for {}", path.display(), part.name()))?;
    fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// The page with what stands between the markers of `name` replaced.
fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- bench:{name} -->"),
        format!("<!-- /bench:{name} -->"),
    );
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{text}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = "# Head\n<!-- bench:rate -->\nold\n<!-- /bench:rate -->\nby hand\n";
        let expected = "# Head\n<!-- bench:rate -->\nnew\n<!-- /bench:rate -->\nby hand\n";
        assert_eq!(replaced(page, "rate", "new").as_deref(), Some(expected));
        assert_eq!(replaced(page, "storm", "new"), None);
    }

    #[test]
    fn the_page_has_a_place_for_every_part() {
        let page = include_str!("../../../docs/performance.md");
        for part in <Part as clap::ValueEnum>::value_variants() {
            assert!(replaced(page, part.name(), "").is_some(), "{}", part.name());
        }
    }
}
