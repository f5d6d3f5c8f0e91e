//! Circles in a graph of names: which nodes reach themselves, and by which way.
//!
//! Must not depend on: what the nodes are. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The nodes that each node points to.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// Every strongly connected component of more than one node, each sorted: who is in one reaches itself.
pub fn components(graph: &Graph) -> Vec<Vec<String>> {
    let mut search = Search::default();
    for node in graph.keys() {
        if !search.seen.contains_key(node.as_str()) {
            search.from(node, graph);
        }
    }
    search.found.sort();
    search.found
}

/// Ways around inside `component`, the shortest first, none of which shares a step with another: each needs a
/// cut of its own, and nothing goes around where all their steps are cut. The first node is not repeated at the end.
pub fn ways(component: &[String], graph: &Graph) -> Vec<Vec<String>> {
    let inside = |node: &String| component.contains(node);
    let mut left: Graph = graph
        .iter()
        .filter(|(node, _)| inside(node))
        .map(|(node, next)| {
            (
                node.clone(),
                next.iter().filter(|next| inside(next)).cloned().collect(),
            )
        })
        .collect();
    let mut ways = Vec::new();
    while let Some(way) = shortest(&left) {
        for (from, to) in steps(&way) {
            if let Some(next) = left.get_mut(from) {
                next.remove(to);
            }
        }
        ways.push(way);
    }
    ways
}

/// Each node of a way with the one after it; the last leads back to the first.
pub fn steps(way: &[String]) -> impl Iterator<Item = (&String, &String)> {
    way.iter().zip(way.iter().cycle().skip(1))
}

/// A shortest way around; of those as short, the first by name.
fn shortest(graph: &Graph) -> Option<Vec<String>> {
    let ways = graph.keys().filter_map(|node| around(node, graph));
    ways.min_by_key(Vec::len)
}

/// The shortest way from a node back to it.
fn around(start: &String, graph: &Graph) -> Option<Vec<String>> {
    let mut before: BTreeMap<&String, &String> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        for next in graph.get(node).into_iter().flatten() {
            if next == start {
                let mut way: Vec<String> =
                    std::iter::successors(Some(node), |node| before.get(node).copied())
                        .cloned()
                        .collect();
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(next, node);
                waiting.push_back(next);
            }
        }
    }
    None
}

/// Tarjan's search, with a stack of its own instead of recursion.
#[derive(Default)]
struct Search<'a> {
    /// When each node was reached, and the earliest node on the stack that it is known to reach.
    seen: BTreeMap<&'a str, (usize, usize)>,
    /// Nodes whose component is not known yet.
    open: Vec<&'a str>,
    found: Vec<Vec<String>>,
}

impl<'a> Search<'a> {
    fn from(&mut self, start: &'a str, graph: &'a Graph) {
        let next = |node: &str| graph.get(node).into_iter().flatten();
        self.reach(start);
        let mut path = vec![(start, next(start))];
        while let Some((node, rest)) = path.last_mut() {
            let node = *node;
            match rest.next() {
                Some(to) if !self.seen.contains_key(to.as_str()) => {
                    self.reach(to);
                    path.push((to, next(to)));
                }
                Some(to) if self.open.contains(&to.as_str()) => self.lower(node, self.seen[to.as_str()].0),
                Some(_) => {}
                None => {
                    path.pop();
                    self.leave(node);
                    if let Some((above, _)) = path.last() {
                        self.lower(above, self.seen[node].1);
                    }
                }
            }
        }
    }

    fn reach(&mut self, node: &'a str) {
        let number = self.seen.len();
        self.seen.insert(node, (number, number));
        self.open.push(node);
    }

    fn lower(&mut self, node: &'a str, to: usize) {
        if let Some((_, lowest)) = self.seen.get_mut(node) {
            *lowest = to.min(*lowest);
        }
    }

    /// Closes the component of a node that reaches nothing earlier.
    fn leave(&mut self, node: &str) {
        let (number, lowest) = self.seen[node];
        let start = self.open.iter().position(|open| *open == node);
        if let Some(start) = start.filter(|_| number == lowest) {
            let mut component: Vec<String> = self.open.drain(start..).map(str::to_owned).collect();
            component.sort();
            if component.len() > 1 {
                self.found.push(component);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &str) -> Graph {
        let mut graph = Graph::new();
        for edge in edges.split(' ') {
            let (from, to) = edge.split_once('>').unwrap();
            graph.entry(from.to_owned()).or_default().insert(to.to_owned());
            graph.entry(to.to_owned()).or_default();
        }
        graph
    }

    fn all(edges: &str) -> Vec<String> {
        let graph = graph(edges);
        let components = components(&graph);
        let ways = components.iter().flat_map(|component| ways(component, &graph));
        ways.map(|way| way.join(" ")).collect()
    }

    #[test]
    fn what_meets_again_is_no_circle() {
        let diamond = graph("a>b a>c b>d c>d");
        assert_eq!(components(&diamond), Vec::<Vec<String>>::new());
        assert_eq!(shortest(&diamond), None);
    }

    #[test]
    fn circles_are_found_behind_and_beside_each_other() {
        assert_eq!(all("a>b b>a"), ["a b"]);
        assert_eq!(all("x>c c>b b>a a>c a>y"), ["a c b"]);
        assert_eq!(
            components(&graph("a>b b>a b>c c>d d>c")),
            [["a", "b"], ["c", "d"]]
        );
        // The later node reaches back behind the one that it was reached from.
        assert_eq!(components(&graph("a>b b>c c>b c>a c>d")), [["a", "b", "c"]]);
    }

    #[test]
    fn each_circle_of_a_component_is_named_with_steps_of_its_own() {
        assert_eq!(all("a>b b>a b>c c>b c>a"), ["a b", "b c"]);
        assert_eq!(all("a>b b>c c>a c>d d>a"), ["a b c"]);
    }
}
