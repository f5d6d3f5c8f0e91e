//! Names of devices, each once in memory: thousands of flows name the same few Pods.
//!
//! Must not depend on: flows.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Devices that a flow names, in order, each once.
pub(super) type Names = Arc<[Arc<str>]>;

/// All names, and all lists of names, that are in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    names: BTreeSet<Arc<str>>,
    lists: BTreeSet<Names>,
}

impl Book {
    /// A name, shared.
    pub fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.names.insert(Arc::clone(&new));
        new
    }

    /// A list of names, shared.
    pub fn list<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Names {
        let names: BTreeSet<Arc<str>> = names.into_iter().map(|name| self.name(name)).collect();
        let list: Vec<Arc<str>> = names.into_iter().collect();
        if let Some(known) = self.lists.get(list.as_slice()) {
            return Arc::clone(known);
        }
        let new: Names = list.into();
        self.lists.insert(Arc::clone(&new));
        new
    }

    /// Forgets what nobody uses any more.
    pub fn forget(&mut self) {
        self.lists.retain(|list| Arc::strong_count(list) > 1);
        self.names.retain(|name| Arc::strong_count(name) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_are_one_list_until_nobody_uses_it() {
        let mut book = Book::default();
        let one = book.list(["b", "a", "b"]);
        let other = book.list(["a", "b"]);
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(one.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["a", "b"]);
        drop(other);
        book.forget();
        assert_eq!((book.lists.len(), book.names.len()), (1, 2));
        drop(one);
        book.forget();
        assert_eq!((book.lists.len(), book.names.len()), (0, 0));
    }
}
