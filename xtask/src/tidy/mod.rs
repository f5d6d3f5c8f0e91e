//! What the workspace's files must be like: a head, a length, directions, dependencies, nobody's home folder.
//!
//! Must not depend on: compilers. `cargo xtask tidy`, and part of `cargo xtask test`.

mod circles;
mod dependencies;
mod imports;
mod names;
mod rules;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// The most lines a file may have.
const LINES: usize = 500;

/// Folders that are not the project's own.
const FOREIGN: &[&str] = &["target", ".git", "node_modules"];

/// What is read of `cargo metadata`.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

/// All breaches, in the order of the files.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    let mut sources = imports::Files::new();
    for file in files(root, "")? {
        let path = root.join(&file);
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        // Pictures and other binary files name nobody.
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        breaches.extend(homes(&file, &text));
        if Path::new(&file)
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            breaches.extend(rust(&file, &text, &mut sources));
        }
    }
    breaches.extend(imports::breaches(&sources));
    breaches.extend(manifests(root)?);
    Ok(breaches)
}

/// Paths of all files below `folder`, relative to `root`, sorted.
fn files(root: &Path, folder: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let path = root.join(folder);
    for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
        let entry = entry.with_context(|| format!("reading {}", path.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let relative = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && !FOREIGN.contains(&name.as_str()) {
            found.extend(files(root, &relative)?);
        } else if kind.is_file() {
            found.push(relative);
        }
    }
    found.sort();
    Ok(found)
}

/// What is wrong with one Rust file; what it names goes to `sources`.
fn rust(file: &str, text: &str, sources: &mut imports::Files) -> Vec<String> {
    let mut breaches = Vec::new();
    if !text.starts_with("//!") {
        breaches.push(format!(
            "{file}: does not begin with //! (what it owns, what it must not depend on)"
        ));
    }
    let lines = text.lines().count();
    if lines > LINES {
        breaches.push(format!(
            "{file}: has {lines} lines, {LINES} are the most: split it"
        ));
    }
    let inside = file.split_once("/src/").map_or("", |(_, inside)| inside);
    match names::of(text, &names::module(inside)) {
        Ok(names) => {
            breaches.extend(rules::breaches(file, &names));
            sources.insert(file.to_owned(), names);
        }
        Err(error) => breaches.push(format!("{file}: {error:#}")),
    }
    breaches
}

/// Lines that name the home folder of somebody.
fn homes(file: &str, text: &str) -> Vec<String> {
    let names_one = |line: &str, base: &str| {
        line.split(base)
            .skip(1)
            .any(|rest| rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '.'))
    };
    // Put together here, so that this file does not name them.
    let bases = ["home", "Users", "root"].map(|folder| format!("/{folder}/"));
    let numbered = (1..).zip(text.lines());
    let bad = numbered.filter(|(_, line)| bases.iter().any(|base| names_one(line, base)));
    bad.map(|(number, _)| format!("{file}:{number}: names a home folder of one machine"))
        .collect()
}

/// Dependencies that are not allowed, and allowed ones that nothing has.
fn manifests(root: &Path) -> Result<Vec<String>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(root);
    let output = command.output().context("starting cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let manifests = metadata.packages.into_iter().map(|package| {
        let depends_on = package.dependencies.into_iter().map(|dependency| dependency.name);
        (package.name, depends_on.collect())
    });
    Ok(dependencies::breaches(&manifests.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let breaches = check(root).unwrap();
        assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
    }

    #[test]
    fn a_bad_file_is_caught_for_each_of_its_faults() {
        let text = format!("use std::fs;\n{}", "\n".repeat(LINES));
        let rust = |file, text| rust(file, text, &mut imports::Files::new());
        let found = rust("tracer-core/src/bad.rs", text.as_str());
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("//!") && found[1].contains("501 lines") && found[2].contains("std::fs"));
        assert_eq!(
            rust("tracer-core/src/good.rs", "//! Good.\nuse std::fmt;\n"),
            Vec::<String>::new()
        );
        assert!(
            rust("tracer-core/src/odd.rs", "//! Odd.\nfn f( {")
                .first()
                .unwrap()
                .contains("does not read")
        );
    }

    #[test]
    fn a_home_folder_is_caught_and_the_super_users_is_not() {
        let line = |folder: &str| format!("first\nlet path = \"/{folder}/x/y\";");
        assert_eq!(
            homes("a.md", &line("home")),
            ["a.md:2: names a home folder of one machine"]
        );
        assert_eq!(homes("a.md", &line("var")), Vec::<String>::new());
        assert_eq!(
            homes("a.rs", "let home = \"/root\"; let at = \"/root{place}\";"),
            Vec::<String>::new()
        );
    }
}
