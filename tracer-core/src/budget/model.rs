//! What a disruption may cost, and what a gate says of it.
//!
//! Must not depend on: reports, files, flags.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::vocabulary::bounds::Bounds;
use crate::vocabulary::words::{Cause, Verdict};

/// One limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// What the next wider scope says; no limit where none says anything.
    #[default]
    Inherit,
    /// No limit.
    Unlimited,
    /// At most this (ns, or packets).
    AtMost(u64),
}

impl Limit {
    fn or(self, wider: Self) -> Self {
        match self {
            Self::Inherit => wider,
            Self::Unlimited | Self::AtMost(_) => self,
        }
    }

    /// The figure; `None`: no limit.
    pub fn most(self) -> Option<u64> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::Inherit | Self::Unlimited => None,
        }
    }
}

/// What one Pod may suffer in one disruption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// ns: the longer of its exposed window and its longest gap.
    pub window: Limit,
    /// ns: its exposed window alone, which needs no traffic.
    pub exposed: Limit,
    /// Packets lost, to it and from it.
    pub lost: Limit,
}

impl Limits {
    fn or(self, wider: Self) -> Self {
        Self {
            window: self.window.or(wider.window),
            exposed: self.exposed.or(wider.exposed),
            lost: self.lost.or(wider.lost),
        }
    }
}

/// What a disruption may cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// For every Pod, and for ports that are no Pod.
    pub every: Limits,
    /// For the Pods of a namespace, over `every`.
    pub namespaces: BTreeMap<String, Limits>,
    /// For one Pod (`namespace/name`), over both.
    pub pods: BTreeMap<String, Limits>,
    /// How many Pods may be affected by one disruption.
    pub affected: Limit,
    /// Whether flow-restore-wait may stay set.
    pub allow_stuck_flag: bool,
}

impl Budget {
    /// Nothing lost, nothing exposed: what the report's own verdict asks for.
    pub fn nothing() -> Self {
        let every = Limits {
            window: Limit::AtMost(0),
            exposed: Limit::Inherit,
            lost: Limit::AtMost(0),
        };
        Self {
            every,
            ..Self::default()
        }
    }

    /// Whether it limits nothing at all.
    pub fn is_unlimited(&self) -> bool {
        let free = |limits: &Limits| {
            [limits.window, limits.exposed, limits.lost]
                .iter()
                .all(|limit| limit.most().is_none())
        };
        free(&self.every)
            && self.namespaces.values().all(free)
            && self.pods.values().all(free)
            && self.affected.most().is_none()
    }

    /// What one Pod may suffer; without a namespace: a port that is no Pod.
    pub fn limits(&self, namespace: Option<&str>, name: &str) -> Limits {
        let Some(namespace) = namespace else {
            return self.every;
        };
        let of_namespace = self.namespaces.get(namespace).copied().unwrap_or_default();
        let of_pod = self.pods.get(&format!("{namespace}/{name}"));
        of_pod
            .copied()
            .unwrap_or_default()
            .or(of_namespace)
            .or(self.every)
    }
}

/// What a limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The longer of the exposed window and the longest gap (ns).
    Window,
    /// The exposed window (ns).
    Exposed,
    /// Lost packets.
    Lost,
    /// Affected Pods.
    Pods,
}

/// A limit that is exceeded, or may be for all that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breach {
    /// What the limit is on.
    pub subject: Subject,
    /// The limit.
    pub limit: u64,
    /// What is known.
    pub bounds: Bounds,
    /// `fail`, or `inconclusive` where it cannot be decided.
    pub verdict: Verdict,
}

/// One Pod (or port that is no Pod) in one disruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The disruption's number in the report.
    pub disruption: u32,
    /// `None`: no Pod.
    pub namespace: Option<String>,
    /// The Pod's name, else the interface's.
    pub name: String,
    /// How long its window was (ns).
    pub window: Bounds,
    /// How many packets it lost.
    pub lost: Bounds,
    /// Why; `None`: no window.
    pub cause: Option<Cause>,
    /// Limits that are exceeded or may be.
    pub breaches: Vec<Breach>,
    /// What keeps it from passing, as sentences.
    pub why: Vec<String>,
    /// What follows.
    pub verdict: Verdict,
}

impl Case {
    /// `namespace/name`, or the interface.
    pub fn label(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Something about the node or a whole disruption that keeps the gate shut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// The disruption's number in the report; `None`: the whole capture.
    pub disruption: Option<u32>,
    /// In words, with the remedy where there is one.
    pub detail: String,
    /// `fail` or `inconclusive`.
    pub verdict: Verdict,
}

/// What a gate says of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What was asked for.
    pub budget: Budget,
    /// Every Pod of every disruption, and every port that is no Pod and lost packets, in the report's order.
    pub cases: Vec<Case>,
    /// Too many Pods, a stuck flag, nobody listening, nothing to judge.
    pub obstacles: Vec<Obstacle>,
    /// The worst of all.
    pub verdict: Verdict,
}

impl Judgement {
    /// Cases of a verdict.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(move |case| case.verdict == verdict)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Window => "window",
            Self::Exposed => "exposed",
            Self::Lost => "lost packets",
            Self::Pods => "affected Pods",
        })
    }
}
