//! Which files of a crate import which, and that none imports itself by way of others.
//!
//! Must not depend on: how names are found, the disk. A path counts for the file of its longest beginning that
//! is a module; what a `mod.rs` passes on counts for the `mod.rs`. `mod x;` imports nothing, and tests nobody.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::circles::{self, Graph};
use super::names::{self, Name};
use super::rules;

/// The names in each file, by its path from the workspace's root.
pub type Files = BTreeMap<String, Vec<Name>>;

/// For each file the files that it imports, each with the first name that does so.
type Imports<'a> = BTreeMap<&'a str, BTreeMap<&'a str, String>>;

/// One breach for each set of files that import one another.
pub fn breaches(files: &Files) -> Vec<String> {
    let mut crates: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for file in files.keys().filter(|file| !rules::is_test(file)) {
        if let Some((name, inside)) = file.split_once("/src/") {
            crates.entry(name).or_default().insert(inside, file);
        }
    }
    let each = crates.into_values();
    each.flat_map(|sources| in_crate(sources, files)).collect()
}

fn in_crate(mut sources: BTreeMap<&str, &str>, files: &Files) -> Vec<String> {
    if sources.contains_key("lib.rs") {
        // A crate of its own, which nothing imports.
        sources.remove("main.rs");
    }
    let modules: BTreeMap<Name, &str> = sources
        .into_iter()
        .map(|(inside, file)| (names::module(inside), file))
        .collect();
    let imports: Imports = modules
        .iter()
        .map(|(module, file)| (*file, of(file, module, &files[*file], &modules)))
        .collect();
    let graph: Graph = imports
        .iter()
        .map(|(file, others)| {
            (
                (*file).to_owned(),
                others.keys().map(|other| (*other).to_owned()).collect(),
            )
        })
        .collect();
    let components = circles::components(&graph);
    components
        .iter()
        .map(|component| breach(component, &circles::ways(component, &graph), &imports))
        .collect()
}

/// What one file imports.
fn of<'a>(
    file: &str,
    module: &Name,
    names: &[Name],
    modules: &BTreeMap<Name, &'a str>,
) -> BTreeMap<&'a str, String> {
    let mut imports = BTreeMap::new();
    for name in names {
        let whole = absolute(name, module, names, modules);
        let other = (1..=whole.len())
            .rev()
            .find_map(|parts| modules.get(&whole[..parts]));
        if let Some(other) = other.filter(|other| **other != file) {
            imports.entry(*other).or_insert_with(|| whole.join("::"));
        }
    }
    imports
}

/// A name from the crate's root, where it begins with a module of this file or with one that this file imports.
fn absolute(name: &Name, module: &Name, names: &[Name], modules: &BTreeMap<Name, &str>) -> Name {
    let Some(first) = name.first().filter(|first| *first != "crate") else {
        return name.clone();
    };
    let mut child = module.clone();
    child.push(first.clone());
    let imported = names
        .iter()
        .filter(|other| other.len() > 1 && other.last() == Some(first));
    let known = std::iter::once(&child)
        .chain(imported)
        .find(|base| modules.contains_key(*base));
    known.map_or_else(|| name.clone(), |base| [base, &name[1..]].concat())
}

fn breach(component: &[String], ways: &[Vec<String>], imports: &Imports) -> String {
    let mut text = format!(
        "{} files import one another; what they share belongs into a file below them. Of each of these circles, cut one step:",
        component.len()
    );
    for way in ways {
        for (at, (file, next)) in circles::steps(way).enumerate() {
            let name = &imports[file.as_str()][next.as_str()];
            let lead = if at == 0 { "  " } else { "    then " };
            let _ = write!(text, "\n{lead}{file} names {name}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let named = files.iter().map(|(file, text)| {
            let (_, inside) = file.split_once("/src/").unwrap();
            let names = names::of(text, &names::module(inside)).unwrap();
            ((*file).to_owned(), names)
        });
        breaches(&named.collect())
    }

    fn caught(files: &[(&str, &str)], lines: &[&str]) {
        let found = found(files);
        let [breach] = found.as_slice() else {
            panic!("{found:?}")
        };
        let named: Vec<&str> = breach.lines().skip(1).map(str::trim).collect();
        assert_eq!(named, lines);
    }

    #[test]
    fn two_files_that_import_each_other_are_named_with_what_they_import() {
        caught(
            &[
                ("a/src/lib.rs", "mod paint; mod scene;"),
                ("a/src/paint.rs", "use crate::scene::Scene;"),
                ("a/src/scene.rs", "fn f() { super::paint::all() }"),
            ],
            &[
                "a/src/paint.rs names crate::scene::Scene",
                "then a/src/scene.rs names crate::paint::all",
            ],
        );
    }

    #[test]
    fn a_circle_of_three_is_named_in_order() {
        caught(
            &[
                ("a/src/main.rs", "mod one; mod two; mod three;"),
                (
                    "a/src/one.rs",
                    "use crate::{three, two::Two}; fn f() { three::g() }",
                ),
                ("a/src/three.rs", "use super::one::*;"),
                ("a/src/two.rs", "use crate::three::Three;"),
                ("b/src/lib.rs", "use crate::one::One;"),
            ],
            &[
                "a/src/one.rs names crate::three",
                "then a/src/three.rs names crate::one::*",
            ],
        );
        caught(
            &[
                ("a/src/one.rs", "use crate::two::Two;"),
                ("a/src/three.rs", "use crate::one::One;"),
                ("a/src/two.rs", "use crate::three::Three;"),
            ],
            &[
                "a/src/one.rs names crate::two::Two",
                "then a/src/two.rs names crate::three::Three",
                "then a/src/three.rs names crate::one::One",
            ],
        );
    }

    #[test]
    fn what_meets_again_below_is_no_circle() {
        let files = [
            (
                "a/src/lib.rs",
                "mod base; mod left; mod right; pub use left::Left; pub use right::Right;",
            ),
            ("a/src/left.rs", "use crate::base::Base;"),
            ("a/src/right.rs", "use crate::base::{Base, self};"),
            ("a/src/base.rs", "pub struct Base;"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }

    #[test]
    fn a_mod_rs_counts_for_what_it_passes_on_and_not_for_what_it_declares() {
        let child = ("a/src/pane/head.rs", "use super::Area;");
        let declares = ("a/src/pane/mod.rs", "mod head; pub struct Area;");
        assert_eq!(found(&[child, declares]), Vec::<String>::new());
        caught(
            &[child, ("a/src/pane/mod.rs", "mod head; pub use head::Head;")],
            &[
                "a/src/pane/head.rs names crate::pane::Area",
                "then a/src/pane/mod.rs names crate::pane::head::Head",
            ],
        );
        caught(
            &[
                ("a/src/pane/mod.rs", "mod head; fn f() { head::paint() }"),
                (
                    "a/src/pane/head.rs",
                    "use crate::{pane, time::{self, now}}; fn f() { pane::area() }",
                ),
                ("a/src/time.rs", ""),
            ],
            &[
                "a/src/pane/head.rs names crate::pane",
                "then a/src/pane/mod.rs names crate::pane::head::paint",
            ],
        );
    }

    #[test]
    fn a_module_that_was_imported_is_known_by_its_own_name() {
        caught(
            &[
                ("a/src/sink/mod.rs", "pub mod text;"),
                ("a/src/sink/text.rs", "use crate::page;"),
                ("a/src/page.rs", "use crate::sink; fn f() { sink::text::row() }"),
            ],
            &[
                "a/src/page.rs names crate::sink::text::row",
                "then a/src/sink/text.rs names crate::page",
            ],
        );
    }

    #[test]
    fn tests_and_the_program_beside_a_library_count_for_nothing() {
        let files = [
            (
                "a/src/lib.rs",
                "pub mod one; pub mod two; pub const LIMIT: u64 = 1;",
            ),
            ("a/src/main.rs", "use a::one; fn main() { crate::one::f() }"),
            ("a/src/one.rs", "use crate::{two, LIMIT}; #[cfg(test)] mod tests;"),
            ("a/src/two.rs", "#[cfg(test)] mod tests { use crate::one; }"),
            (
                "a/src/one/tests.rs",
                "use super::*; use crate::two::tests::planted;",
            ),
            ("a/src/two/tests.rs", "use crate::one::tests::Planted;"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }
}
