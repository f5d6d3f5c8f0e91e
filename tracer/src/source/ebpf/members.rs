//! Where members are in the structures of a kernel's types.
//!
//! Must not depend on: which members are asked for, whose types they are. Types may be anything: structures that contain
//! themselves, type names that name themselves.

use std::collections::BTreeSet;

use btf_rs::{Btf, Member, Type};
use tracer_common::offsets::Offsets;

/// Deeper than any of the structures is nested.
const NESTING: u32 = 8;

/// More members, qualifiers and type names than are looked at in all: those of Linux 6.18 are 567, those of an openvswitch
/// of its own some 120.
const LOOKS: usize = 1 << 13;

/// Offsets by name in the structures that are asked for; of several of one name the first that has the member
/// counts. `types`: the structures that bear a name.
pub(super) fn find(btf: &Btf, types: impl Fn(&str) -> Vec<Type>, asked: impl Fn(&str) -> bool) -> Offsets {
    let places: Vec<Place> = Offsets::unknown()
        .members()
        .map(|(structure, path, _)| (structure, path))
        .collect();
    let mut search = Search {
        btf,
        found: vec![None; places.len()],
        looks: LOOKS,
    };
    // What was found until then is known.
    let (Ok(()) | Err(Spent)) = search.all(&places, types, asked);
    let mut found = search.found.into_iter();
    Offsets::resolve(|_, _| found.next().flatten())
}

/// A structure and the path of a member in it (`phy.in_port`).
type Place = (&'static str, &'static str);

/// As much was looked at as there may be.
struct Spent;

struct Search<'a> {
    btf: &'a Btf,
    /// Offsets in bytes, in the order of the places.
    found: Vec<Option<u32>>,
    /// How many members, qualifiers and type names may still be looked at.
    looks: usize,
}

/// What is asked for inside a structure: the number of its place, and what is left of its path there.
#[derive(Clone, Copy)]
struct Wanted {
    place: usize,
    rest: &'static str,
}

impl Wanted {
    /// What is left of the path inside a member of that name: nothing where it is the member itself. Members of an
    /// anonymous one are those of its structure. `None`: it is not in there.
    fn inside(self, member: &str) -> Option<Self> {
        let rest = if member.is_empty() {
            self.rest
        } else {
            let rest = self.rest.strip_prefix(member)?;
            rest.strip_prefix('.').or(rest.is_empty().then_some(rest))?
        };
        Some(Self { rest, ..self })
    }
}

impl Search<'_> {
    fn all(
        &mut self,
        places: &[Place],
        types: impl Fn(&str) -> Vec<Type>,
        asked: impl Fn(&str) -> bool,
    ) -> Result<(), Spent> {
        let structures: BTreeSet<&str> = places.iter().map(|(structure, _)| *structure).collect();
        for structure in structures.into_iter().filter(|structure| asked(structure)) {
            let of_it = (0..).zip(places).filter(|(_, (of, _))| *of == structure);
            let wanted: Vec<Wanted> = of_it.map(|(place, (_, rest))| Wanted { place, rest }).collect();
            for candidate in types(structure) {
                self.within(&candidate, 0, &wanted, NESTING)?;
            }
        }
        Ok(())
    }

    /// Looks through a structure that lies at an offset.
    fn within(&mut self, structure: &Type, at: u32, wanted: &[Wanted], depth: u32) -> Result<(), Spent> {
        let (Type::Struct(structure) | Type::Union(structure)) = structure else {
            return Ok(());
        };
        let Some(depth) = depth.checked_sub(1) else {
            return Ok(());
        };
        // All of them were read with the structure.
        self.look(structure.members.len())?;
        for member in &structure.members {
            let Ok(name) = self.btf.resolve_name(member) else {
                continue;
            };
            let missing = wanted.iter().filter(|one| self.found[one.place].is_none());
            let inside: Vec<Wanted> = missing.filter_map(|one| one.inside(&name)).collect();
            let Some(at) = at.checked_add(member.bit_offset() / 8) else {
                continue;
            };
            let (itself, deeper): (Vec<Wanted>, Vec<Wanted>) =
                inside.into_iter().partition(|one| one.rest.is_empty());
            for one in itself {
                self.found[one.place] = Some(at);
            }
            if !deeper.is_empty()
                && let Some(inner) = self.unqualified(member)?
            {
                self.within(&inner, at, &deeper, depth)?;
            }
        }
        Ok(())
    }

    /// A member's type without qualifiers and type names.
    fn unqualified(&mut self, member: &Member) -> Result<Option<Type>, Spent> {
        for chained in self.btf.chained_type_iter(member) {
            self.look(1)?;
            if !matches!(
                chained,
                Type::Typedef(_) | Type::Const(_) | Type::Volatile(_) | Type::TypeTag(_) | Type::DeclTag(_)
            ) {
                return Ok(Some(chained));
            }
        }
        Ok(None)
    }

    fn look(&mut self, count: usize) -> Result<(), Spent> {
        self.looks = self.looks.checked_sub(count).ok_or(Spent)?;
        Ok(())
    }
}
