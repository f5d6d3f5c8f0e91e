//! All figures that a bench brought back from a node.
//!
//! Must not depend on: how a figure is taken, how it is shown.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use lab::words::sample::{Line, Machine, Sample};

/// All lines of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Where they are from.
    pub machine: Machine,
    /// Each.
    pub all: Vec<Sample>,
}

impl Samples {
    /// Reads a file's text.
    pub fn read(text: &str) -> Result<Self> {
        let mut samples = Self::default();
        for line in text.lines() {
            match serde_json::from_str(line).context("reading a sample")? {
                Line::Machine(machine) => samples.machine = machine,
                Line::Sample(sample) => samples.all.push(sample),
            }
        }
        Ok(samples)
    }

    /// Those of one figure, by what they are of, in the order in which they were taken first.
    pub fn figure(&self, what: &str) -> Vec<(&str, Vec<&Sample>)> {
        let mut order: BTreeMap<&str, usize> = BTreeMap::new();
        let mut groups: Vec<(&str, Vec<&Sample>)> = Vec::new();
        for sample in self.all.iter().filter(|sample| sample.what == what) {
            let at = *order.entry(&sample.of).or_insert_with(|| {
                groups.push((&sample.of, Vec::new()));
                groups.len() - 1
            });
            if let Some((_, group)) = groups.get_mut(at) {
                group.push(sample);
            }
        }
        groups
    }

    /// The median of one figure.
    pub fn median(&self, of: &str, what: &str) -> Option<u64> {
        let is = |sample: &&Sample| sample.of == of && sample.what == what;
        let mut values: Vec<u64> = self.all.iter().filter(is).map(|sample| sample.value).collect();
        values.sort_unstable();
        values.get(values.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use lab::words::sample::Part;

    use super::*;

    #[test]
    fn lines_read_back_and_are_grouped() {
        let sample = |of: &str, round, value| Sample {
            part: Part::Rate,
            of: of.into(),
            what: "udp_pps".into(),
            round,
            value,
            without: Some(10),
        };
        let lines = [
            Line::Machine(Machine {
                kernel: "6.12".into(),
                ..Machine::default()
            }),
            Line::Sample(sample("rest", 1, 9)),
            Line::Sample(sample("armed", 1, 7)),
            Line::Sample(sample("rest", 2, 11)),
        ];
        let text: String = lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap() + "\n")
            .collect();
        let samples = Samples::read(&text).unwrap();
        assert_eq!(samples.machine.kernel, "6.12");
        let figure = samples.figure("udp_pps");
        assert_eq!(
            figure
                .iter()
                .map(|(of, all)| (*of, all.len()))
                .collect::<Vec<_>>(),
            [("rest", 2), ("armed", 1)]
        );
        assert_eq!(samples.median("rest", "udp_pps"), Some(11));
        assert_eq!(samples.median("perf", "udp_pps"), None);
        assert!(Samples::read("{}").is_err());
    }
}
