//! Functions that the kernel lists under another name than their source does: what compilers append to it, and whether such a
//! function can be hooked.
//!
//! Must not depend on: which functions are hooked, aya.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// Where a kernel lists its functions; the addresses may be hidden, the names never are (`s_show` in kernel/kallsyms.c).
const LIST: &str = "/proc/kallsyms";

/// What a compiler did to a function to which it gave another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// Nothing but the name, so that it is unique in the whole program: `.llvm.HASH` (`ThinLTO` of LLVM), `.lto_priv.N` (GCC's LTO).
    Renamed,
    /// A copy for callers whose arguments are known or not needed: those that are left may be elsewhere. `.constprop.N`
    /// (gcc/ipa-cp.cc), `.isra.N` (gcc/ipa-sra.cc).
    Arguments,
    /// A part of it, which is called where the rest, at each caller, has not already returned: `.part.N` (gcc/ipa-split.cc).
    Part,
    /// Something else.
    Unknown,
}

/// How a function can be hooked that the kernel does not list under its own name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Under this name, as if it were its own.
    Hookable(String),
    /// Not; why.
    Refused(String),
    /// The kernel does not list it at all.
    Absent,
}

/// Looks for a function of which nothing is listed under its own name; `reads_arguments`: its hook has to know where they are.
pub(super) fn find(function: &str, reads_arguments: bool) -> io::Result<Found> {
    find_in(BufReader::new(File::open(LIST)?), function, reads_arguments)
}

fn find_in(list: impl BufRead, function: &str, reads_arguments: bool) -> io::Result<Found> {
    let mut found = Vec::new();
    for line in list.lines() {
        let line = line?;
        if let Some((symbol, change)) =
            code(&line).and_then(|symbol| Some((symbol, change(symbol, function)?)))
        {
            found.push((symbol.to_owned(), change));
        }
    }
    let reason = match &found[..] {
        [] => return Ok(Found::Absent),
        [(symbol, Change::Renamed)] => return Ok(Found::Hookable(symbol.clone())),
        [(symbol, Change::Arguments)] if !reads_arguments => return Ok(Found::Hookable(symbol.clone())),
        [(_, change)] => change.to_string(),
        _ => "each of them sees only some of the calls".to_owned(),
    };
    let names: Vec<&str> = found.iter().map(|(symbol, _)| symbol.as_str()).collect();
    Ok(Found::Refused(format!(
        "the compiler of this kernel changed {function} and left only {}: {reason}",
        names.join(" and ")
    )))
}

/// The name of a function, from a line such as `ffffffffc0a1b2c0 t ovs_dp_change.isra.0\t[openvswitch]`.
fn code(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace();
    let (_, kind, symbol) = (words.next()?, words.next()?, words.next()?);
    kind.eq_ignore_ascii_case("t").then_some(symbol)
}

/// What was done to `function` where `symbol` is one of it by another name, and can be called.
fn change(symbol: &str, function: &str) -> Option<Change> {
    let suffix = symbol.strip_prefix(function)?.strip_prefix('.')?;
    let words = suffix
        .split('.')
        .filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
    let mut worst = Change::Renamed;
    for word in words {
        worst = worst.max(match word {
            // What is seldom run, moved out of the way: jumped to, never called.
            "cold" => return None,
            "llvm" | "lto_priv" => Change::Renamed,
            "isra" | "constprop" => Change::Arguments,
            "part" => Change::Part,
            _ => Change::Unknown,
        });
    }
    Some(worst)
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Renamed => "it has another name",
            Self::Arguments => {
                "its arguments may have been moved, so what a hook reads there may be something else"
            }
            Self::Part => "a hook there misses the calls that return before they reach it",
            Self::Unknown => "what it did is not known to ovsgap; please report it",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the form of a kernel that hides addresses.
    fn list(symbols: &[&str]) -> String {
        let mut list =
            "0000000000000000 T _text\n0000000000000000 d ovs_dp_change.llvm.7\t[openvswitch]\n".to_owned();
        for symbol in symbols {
            list.extend(["0000000000000000 t ", symbol, "\t[openvswitch]\n"]);
        }
        list
    }

    fn found(symbols: &[&str], reads_arguments: bool) -> Found {
        find_in(list(symbols).as_bytes(), "ovs_dp_change", reads_arguments).unwrap()
    }

    fn refusal(symbols: &[&str]) -> String {
        match found(symbols, true) {
            Found::Refused(why) => why,
            other => panic!("{symbols:?}: {other:?}"),
        }
    }

    #[test]
    fn a_function_that_was_only_renamed_is_hooked_by_its_new_name() {
        for symbol in ["ovs_dp_change.llvm.1234567890", "ovs_dp_change.lto_priv.0"] {
            assert_eq!(found(&[symbol], true), Found::Hookable(symbol.to_owned()));
        }
    }

    #[test]
    fn where_arguments_may_have_moved_only_hooks_that_read_none_are_attached() {
        for symbol in [
            "ovs_dp_change.isra.0",
            "ovs_dp_change.constprop.0",
            "ovs_dp_change.constprop.0.isra.1",
        ] {
            assert!(
                refusal(&[symbol]).contains("arguments may have been moved"),
                "{symbol}"
            );
            assert_eq!(found(&[symbol], false), Found::Hookable(symbol.to_owned()));
        }
    }

    #[test]
    fn parts_of_a_function_and_several_copies_are_refused() {
        assert!(refusal(&["ovs_dp_change.part.0"]).contains("return before they reach it"));
        assert!(refusal(&["ovs_dp_change.isra.0.part.0"]).contains("return before they reach it"));
        let several = refusal(&["ovs_dp_change.constprop.0", "ovs_dp_change.constprop.1"]);
        assert!(
            several.contains("constprop.0 and ovs_dp_change.constprop.1"),
            "{several}"
        );
        assert!(refusal(&["ovs_dp_change.newpass.0"]).contains("please report it"));
    }

    #[test]
    fn what_is_never_called_and_what_is_another_function_is_not_found() {
        for symbol in [
            "ovs_dp_change.cold",
            "ovs_dp_change.isra.0.cold",
            "ovs_dp_changed.isra.0",
            "ovs_dp_change_x",
        ] {
            assert_eq!(found(&[symbol], false), Found::Absent, "{symbol}");
        }
        let both = ["ovs_dp_change.lto_priv.0", "ovs_dp_change.lto_priv.0.cold"];
        assert_eq!(found(&both, true), Found::Hookable(both[0].to_owned()));
    }

    #[test]
    fn this_kernels_list_can_be_read() {
        assert_eq!(find("no_function_is_called_so", true).unwrap(), Found::Absent);
    }
}
