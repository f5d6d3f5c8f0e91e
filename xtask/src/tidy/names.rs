//! The paths a Rust file names, `use` groups expanded and `self`/`super` resolved.
//!
//! Must not depend on: which of them are allowed. Works on tokens: comments and strings name nothing, and what is
//! inside a macro counts.

use std::iter::Peekable;
use std::str::FromStr as _;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream};

/// A path such as `["std", "fs", "File"]`; a glob ends in `*`.
pub type Name = Vec<String>;

/// All paths of more than one part in the file that is the module `module` (`["crate", "sink", "text"]`).
pub fn of(text: &str, module: &[String]) -> Result<Vec<Name>> {
    let tokens = TokenStream::from_str(text).map_err(|error| anyhow!("does not read as Rust: {error}"))?;
    let mut names = Vec::new();
    walk(tokens, &mut names);
    Ok(names
        .into_iter()
        .filter(|name| name.len() > 1)
        .map(|name| resolve(name, module))
        .collect())
}

/// The module of a file below a crate's `src`: `sink/text/mod.rs` is `crate::sink::text`.
pub fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let parts = path
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib" | "main"));
    std::iter::once("crate").chain(parts).map(str::to_owned).collect()
}

fn walk(tokens: TokenStream, names: &mut Vec<Name>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(first) => path(vec![first.to_string()], &mut tokens, names),
            TokenTree::Group(group) => walk(group.stream(), names),
            TokenTree::Punct(punct) if punct.as_char() == '#' => attribute(&mut tokens, names),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Reads an attribute; `#[cfg(test)] mod … { … }` is left out whole: a test may name what it likes.
fn attribute(tokens: &mut Peekable<token_stream::IntoIter>, names: &mut Vec<Name>) {
    let Some(TokenTree::Group(group)) = tokens.peek().cloned() else {
        return;
    };
    tokens.next();
    let is_module = matches!(tokens.peek(), Some(TokenTree::Ident(word)) if word == "mod");
    if is_module && group.stream().to_string().replace(' ', "") == "cfg(test)" {
        // `mod`, its name, its body (or a semicolon).
        tokens.nth(2);
    } else {
        walk(group.stream(), names);
    }
}

/// Reads on after a path's first part.
fn path(mut name: Name, tokens: &mut Peekable<token_stream::IntoIter>, names: &mut Vec<Name>) {
    while colon(tokens) && colon(tokens) {
        match tokens.next() {
            Some(TokenTree::Ident(part)) => name.push(part.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                return members(&name, group.stream(), names);
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                name.push("*".to_owned());
                break;
            }
            // `Vec::<T>::new`: what follows is read as a path of its own.
            Some(TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_)) | None => break,
        }
    }
    names.push(name);
}

/// Takes a colon if there is one.
fn colon(tokens: &mut Peekable<token_stream::IntoIter>) -> bool {
    let is_colon = matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    if is_colon {
        tokens.next();
    }
    is_colon
}

/// `prefix::{a, b::c, self, *}`.
fn members(prefix: &Name, group: TokenStream, names: &mut Vec<Name>) {
    let mut tokens = group.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let part = match token {
            TokenTree::Ident(part) => part.to_string(),
            TokenTree::Punct(star) if star.as_char() == '*' => "*".to_owned(),
            TokenTree::Punct(_) | TokenTree::Literal(_) | TokenTree::Group(_) => continue,
        };
        if part == "self" {
            names.push(prefix.clone());
        } else if part == "as" {
            // The new name names nothing else.
            tokens.next();
        } else {
            let mut name = prefix.clone();
            name.push(part);
            path(name, &mut tokens, names);
        }
    }
}

fn resolve(name: Name, module: &[String]) -> Name {
    let ups = name.iter().take_while(|part| *part == "super").count();
    let own = name.first().is_some_and(|first| first == "self");
    if ups == 0 && !own {
        return name;
    }
    let base = module.iter().take(module.len().saturating_sub(ups)).cloned();
    base.chain(name.into_iter().skip(ups.max(1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        of(text, &module("sink/text/mod.rs"))
            .unwrap()
            .iter()
            .map(|name| name.join("::"))
            .collect()
    }

    #[test]
    fn groups_are_expanded_and_renamed_things_keep_their_name() {
        assert_eq!(
            names("use std::{fs, collections::{self, HashMap as Map}, io::*};"),
            [
                "std::fs",
                "std::collections",
                "std::collections::HashMap",
                "std::io::*"
            ]
        );
    }

    #[test]
    fn relative_paths_are_resolved() {
        assert_eq!(
            names("use super::super::source::clock; fn f() { self::row::g() }"),
            ["crate::source::clock", "crate::sink::text::row::g"]
        );
    }

    #[test]
    fn test_modules_are_left_out() {
        let text =
            "use std::fmt; #[cfg(test)] mod tests { use std::fs; } #[derive(std::hash::Hash)] struct A;";
        assert_eq!(names(text), ["std::fmt", "std::hash::Hash"]);
    }

    #[test]
    fn comments_and_strings_name_nothing_and_macros_do() {
        assert_eq!(
            names(
                "// std::fs\n/* std::env */ fn f() { g(\"std::net\"); println!(\"{}\", std::env::args()) }"
            ),
            ["std::env::args"]
        );
    }
}
