//! What a process has cost so far.
//!
//! Must not depend on: which process.

use std::fs;

use anyhow::{Context as _, Result};

/// What a process has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// CPU, all threads, user and kernel, in milliseconds.
    pub cpu_ms: u64,
    /// Memory that is resident, in KiB.
    pub rss_kib: u64,
    /// The most that was resident, in KiB.
    pub peak_kib: u64,
}

/// `USER_HZ` of x86-64: the unit of times in `/proc/PID/stat`.
const TICK_MS: u64 = 10;

/// What process `pid` has cost.
pub fn cost(pid: u32) -> Result<Cost> {
    let read = |file: &str| {
        let path = format!("/proc/{pid}/{file}");
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    };
    parse(&read("stat")?, &read("status")?).context("reading what a process costs")
}

fn parse(stat: &str, status: &str) -> Option<Cost> {
    // proc(5): the name, in parentheses, may hold anything; utime and stime are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let ticks: u64 = times.next()?.parse::<u64>().ok()? + times.next()?.parse::<u64>().ok()?;
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(Cost {
        cpu_ms: ticks * TICK_MS,
        rss_kib: kib("VmRSS:")?,
        peak_kib: kib("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 12 30 0 0 20 0 1 0 100 200 300";
        let status = "Name:\ta\nVmHWM:\t    900 kB\nVmRSS:\t    800 kB\n";
        let cost = Cost {
            cpu_ms: 420,
            rss_kib: 800,
            peak_kib: 900,
        };
        assert_eq!(parse(stat, status), Some(cost));
        assert_eq!(parse(stat, "Name:\ta\n"), None);
    }
}
