//! What a disruption's rows are drawn from.
//!
//! Must not depend on: how they are drawn.

use std::collections::BTreeMap;

use crate::memory::coverage::Blemish;
use crate::memory::disruption::Disruption;
use crate::memory::engine::Engine;
use crate::memory::openflow::{SharedStanding, Standing};
use crate::memory::topology::Endpoint;
use crate::report::{Exposed, Loss, Observed};
use crate::verdict::evidence::{Evidence, Span};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::words::Reason;

/// Everything one disruption's rows are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is remembered.
    pub engine: &'a Engine,
    /// Packets.
    pub evidence: &'a Evidence<'a>,
    /// What is known to be missing.
    pub blemishes: &'a [Blemish],
    /// The disruption.
    pub disruption: &'a Disruption,
    /// When the next one began.
    pub until: Option<Timestamp>,
}

impl View<'_> {
    /// From this disruption's first sign to the next one's.
    pub fn span(&self) -> Span {
        (self.disruption.began, self.until)
    }

    /// Whether flow-restore-wait is set, if this is the latest disruption.
    pub fn flag(&self) -> bool {
        self.until.is_none() && self.engine.disruptions.flag() == Some(true)
    }
}

/// What is found of one endpoint, before it is weighed.
#[derive(Debug)]
pub struct Found<'a> {
    /// Its device.
    pub device: &'a str,
    /// Who it is.
    pub endpoint: &'a Endpoint,
    /// Where its own flows stand.
    pub standing: Standing,
    /// Where the flows stand that all Pods of its bridge share.
    pub shared: SharedStanding,
    /// When its traffic would have been lost.
    pub exposed: Option<Exposed>,
    /// What it lost.
    pub observed: Observed,
    /// The same by reason, both directions.
    pub lost: BTreeMap<Reason, u64>,
}

/// What was lost in either direction.
pub fn losses(observed: &Observed) -> impl Iterator<Item = &Loss> + Clone {
    [&observed.to_pod, &observed.from_pod].into_iter().flatten()
}
