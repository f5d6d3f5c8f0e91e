//! When packets are followed: from the signs of a restart on until it is over.
//!
//! Must not depend on: how they are followed, aya, any clock.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use tracer_core::event::EventKind;
use tracer_core::packet::{NOBODY, PacketFate, TrafficKey};
use tracer_core::time::Timestamp;

use super::told::NAME;

/// Whether single packets are followed, which costs time per packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evidence {
    /// While a restart is going on.
    #[default]
    Auto,
    /// At all times.
    Always,
    /// Never: windows are told from flows alone.
    Off,
}

impl FromStr for Evidence {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "off" => Ok(Self::Off),
            _ => Err("evidence is one of auto, always, off"),
        }
    }
}

/// So many times the linger does a loss keep the packets being followed: traffic that a policy drops from some day
/// on would be followed for ever.
const LOSSES_COUNT_FOR: u32 = 10;

/// Decides by what is seen.
#[derive(Debug)]
pub(super) struct Watchfulness {
    evidence: Evidence,
    linger: Duration,
    /// Until when, by the last sign.
    until: Timestamp,
    /// Until when losses still count.
    losses_until: Timestamp,
    /// Traffic that was forwarded: only its loss is of interest.
    forwarded: BTreeSet<TrafficKey>,
}

impl Watchfulness {
    pub(super) fn new(evidence: Evidence, linger: Duration) -> Self {
        Self {
            evidence,
            linger,
            until: Timestamp(0),
            losses_until: Timestamp(0),
            forwarded: BTreeSet::new(),
        }
    }

    /// Takes note of an event, which is known at `now`.
    pub(super) fn see(&mut self, kind: &EventKind, now: Timestamp) {
        match kind {
            EventKind::ProcessExit { process, .. } | EventKind::ProcessExec(process)
                if process.comm == "ovs-vswitchd" =>
            {
                self.restart(now);
            }
            // The module was unloaded or loaded again.
            EventKind::Source { name, .. } if name == NAME => self.restart(now),
            EventKind::FlowFlush { .. } | EventKind::DpChange { pids: Some(_), .. } => self.restart(now),
            EventKind::Upcalls(upcalls) if NOBODY.contains(&upcalls.result) => self.restart(now),
            EventKind::Packets(run) => match run.fate {
                PacketFate::Delivered(_) => {
                    self.forwarded.insert(run.key);
                }
                PacketFate::DropFlow | PacketFate::UpcallFailed(_) if self.forwarded.contains(&run.key) => {
                    self.loss(now);
                }
                PacketFate::DropFlow | PacketFate::UpcallFailed(_) | PacketFate::Queued => {}
            },
            _ => {}
        }
    }

    /// A sign of a restart.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.until = now.plus(nanos(self.linger));
        self.losses_until = now.plus(nanos(self.linger.saturating_mul(LOSSES_COUNT_FOR)));
    }

    fn loss(&mut self, now: Timestamp) {
        if now < self.losses_until {
            self.until = self.until.max(now.plus(nanos(self.linger)));
        }
    }

    /// Whether packets are to be followed at `now`.
    pub(super) fn wants(&self, now: Timestamp) -> bool {
        match self.evidence {
            Evidence::Auto => now < self.until,
            Evidence::Always => true,
            Evidence::Off => false,
        }
    }

    /// Until when packets are wanted, by what was seen so far.
    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether there was a sign since packets were wanted until `refused`.
    pub(super) fn is_new_since(&self, refused: Option<Timestamp>) -> bool {
        refused.is_none_or(|refused| self.until > refused)
    }

    /// Packets are no longer followed.
    pub(super) fn let_go(&mut self) {
        self.forwarded.clear();
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tracer_core::event::Process;
    use tracer_core::id::{DpIfindex, Mac, Pid, PortNo};
    use tracer_core::packet::{Destination, Run};
    use tracer_core::time::SECOND;

    use super::*;

    const LINGER: Duration = Duration::from_secs(10);

    fn packets(fate: PacketFate) -> EventKind {
        let key = TrafficKey {
            dp: DpIfindex(1),
            in_port: PortNo(2),
            eth_type: 0x0800,
            dst: Destination::Mac(Mac::default()),
            proto: 0,
            port: 0,
        };
        let at = Timestamp(1);
        EventKind::Packets(Run {
            key,
            fate,
            executed: false,
            cpu: 0,
            first: at,
            last: at,
            packets: 1,
            bytes: 1,
            closed: false,
        })
    }

    fn exit(comm: &str) -> EventKind {
        let process = Process {
            pid: Pid(1),
            parent: Pid(0),
            comm: comm.to_owned(),
        };
        EventKind::ProcessExit {
            process,
            code: None,
            signal: None,
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp(seconds * SECOND)
    }

    #[test]
    fn at_rest_nothing_is_followed() {
        let mut watchfulness = Watchfulness::new(Evidence::Auto, LINGER);
        watchfulness.see(&EventKind::Tick, at(1));
        watchfulness.see(&exit("ovsdb-server"), at(1));
        watchfulness.see(&packets(PacketFate::DropFlow), at(1));
        assert!(!watchfulness.wants(at(1)));
    }

    #[test]
    fn a_restart_is_followed_for_the_linger() {
        let mut watchfulness = Watchfulness::new(Evidence::Auto, LINGER);
        watchfulness.see(&exit("ovs-vswitchd"), at(5));
        assert!(watchfulness.wants(at(14)));
        assert!(!watchfulness.wants(at(15)));
        let pids = Some(tracer_core::event::Portids::default());
        watchfulness.see(
            &EventKind::DpChange {
                dp: DpIfindex(1),
                tgid: Pid(1),
                pids,
            },
            at(20),
        );
        assert!(watchfulness.wants(at(29)));
    }

    #[test]
    fn losses_of_forwarded_traffic_prolong_it_but_not_for_ever() {
        let mut watchfulness = Watchfulness::new(Evidence::Auto, LINGER);
        watchfulness.restart(at(0));
        watchfulness.see(&packets(PacketFate::DropFlow), at(9));
        assert!(!watchfulness.wants(at(11)), "never forwarded");
        watchfulness.see(&packets(PacketFate::Delivered(PortNo(1))), at(9));
        for second in (9..200).step_by(5) {
            watchfulness.see(&packets(PacketFate::DropFlow), at(second));
        }
        assert!(watchfulness.wants(at(100)));
        assert!(!watchfulness.wants(at(120)));
    }

    #[test]
    fn always_and_off_mean_what_they_say() {
        let mut off = Watchfulness::new(Evidence::Off, LINGER);
        off.restart(at(1));
        assert!(!off.wants(at(1)));
        assert!(Watchfulness::new("always".parse().unwrap(), LINGER).wants(at(1)));
        assert!("perhaps".parse::<Evidence>().is_err());
    }
}
