//! What is said about the kernel's datapaths, and when it is looked at again.
//!
//! Must not depend on: netlink's sockets and bytes.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::{Interval, MissedTickBehavior};
use tracer_core::event::{EventKind, UpcallTotals};
use tracer_core::id::DpIfindex;
use tracer_core::time::Timestamp;

use super::codec::{self, Body, CONTROL, Stats};
use super::kernel::{self, Dump, Families, Kernel};
use super::state::{explain, source_event};
use super::table::Table;
use crate::source::clock;
use crate::source::outbox::Outbox;

/// How often counters are read.
const PERIOD: Duration = Duration::from_secs(1);
/// How often a dump that changed while it was read is made again at once.
const ATTEMPTS: u32 = 5;

const ABSENT: &str = "the kernel has no openvswitch datapath: its module is not loaded \
     (`modprobe openvswitch`), or OVS uses the userspace datapath, which ovsgap cannot see into";

fn ticks() -> Interval {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// Reads what the hooks have counted so far for a datapath.
pub type ReadUpcalls = Box<dyn Fn(DpIfindex) -> Option<UpcallTotals> + Send>;

/// The source and what it has said.
pub struct Source {
    kernel: Kernel,
    upcalls: Option<ReadUpcalls>,
    outbox: Outbox,
    table: Table,
    families: Option<Families>,
    /// What is wrong, as last reported.
    ill: Option<String>,
}

impl Source {
    /// Nothing has been said.
    pub fn new(kernel: Kernel, upcalls: Option<ReadUpcalls>, outbox: Outbox) -> Self {
        Self {
            kernel,
            upcalls,
            outbox,
            table: Table::default(),
            families: None,
            ill: None,
        }
    }

    /// Ends only when notices cannot be heard any more.
    pub async fn watch(&mut self) -> io::Error {
        self.refresh().await;
        let mut ticks = ticks();
        loop {
            tokio::select! {
                datagram = self.kernel.notices() => match datagram {
                    Ok(datagram) => self.take(clock::now(), &datagram).await,
                    Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                        self.recover(clock::now()).await;
                    }
                    Err(error) => {
                        self.report(clock::now(), Some(error.to_string())).await;
                        return error;
                    }
                },
                _ = ticks.tick() => self.tick().await,
            }
        }
    }

    /// The first tick comes at once.
    async fn tick(&mut self) {
        // That the module comes back is a notice; anything else is worth another try.
        if self.ill.as_deref().is_some_and(|ill| ill != ABSENT) {
            self.refresh().await;
        }
        self.report_counters().await;
    }

    /// Acts on a datagram of notices.
    async fn take(&mut self, at: Timestamp, datagram: &[u8]) {
        let mut families_changed = false;
        for message in codec::messages(datagram) {
            match message.map(|message| message.body) {
                Ok(Body::Generic {
                    family: CONTROL,
                    payload,
                    ..
                }) => {
                    let changed = codec::family(payload);
                    families_changed |= changed.is_ok_and(|family| kernel::concerns_us(&family.name));
                }
                Ok(Body::Generic {
                    family,
                    command,
                    payload,
                    ..
                }) => {
                    self.take_notice(at, family, command, payload).await;
                }
                Ok(Body::End(_)) => {}
                Err(error) => self.report(at, Some(error.to_string())).await,
            }
        }
        if families_changed {
            self.refresh().await;
        }
    }

    async fn take_notice(&mut self, at: Timestamp, family: u16, command: u8, payload: &[u8]) {
        let Some(Families { datapath, vport }) = &self.families else {
            return;
        };
        let events = if family == *datapath {
            self.table.datapath_notice(command, payload)
        } else if family == *vport {
            self.table.vport_notice(command, payload).map(Vec::from_iter)
        } else {
            Ok(Vec::new())
        };
        match events {
            Ok(events) => self.put_notice(at, events).await,
            Err(error) => self.report(at, Some(error.to_string())).await,
        }
    }

    /// A new datapath has a local vport, of which there is no notice.
    async fn put_notice(&mut self, at: Timestamp, events: Vec<EventKind>) {
        let anew = events
            .iter()
            .any(|event| matches!(event, EventKind::Datapath { .. }));
        self.put_all(at, events).await;
        if anew {
            self.refresh().await;
        }
    }

    /// The kernel had no room for a notice: what is there now has to be read.
    pub async fn recover(&mut self, at: Timestamp) {
        let detail = "the kernel dropped notices of datapath changes (ENOBUFS); what exists is read anew, \
                      but when it changed is not known";
        self.report(at, Some(detail.to_owned())).await;
        self.refresh().await;
    }

    /// Finds the families and all there is, and says what is wrong where that fails.
    async fn refresh(&mut self) {
        let found = self.find().await;
        let at = clock::now();
        match found {
            Ok(Some(dump)) => {
                let events = self.table.replace(dump);
                self.put_all(at, events).await;
                self.report(at, None).await;
            }
            Ok(None) => {
                let gone = self.table.replace(Dump::default());
                self.put_all(at, gone).await;
                self.report(at, Some(ABSENT.to_owned())).await;
            }
            Err(error) => self.report(at, Some(explain(&error))).await,
        }
    }

    /// All there is; `None` without the module.
    async fn find(&mut self) -> anyhow::Result<Option<Dump>> {
        for _ in 0..ATTEMPTS {
            self.families = self.kernel.families().await?;
            let Some(families) = &self.families else {
                return Ok(None);
            };
            if let Some(dump) = self.kernel.dump(families).await? {
                return Ok(Some(dump));
            }
        }
        anyhow::bail!("datapaths and vports change faster than they can be read")
    }

    /// Reads the counters of every datapath.
    pub async fn report_counters(&mut self) {
        let Some(families) = &self.families else { return };
        for dp in self.table.datapaths() {
            let upcalls_before = self.upcalls.as_ref().and_then(|upcalls| upcalls(dp));
            let stats = self.kernel.stats(families, dp).await;
            let at = clock::now();
            let upcalls_after = self.upcalls.as_ref().and_then(|upcalls| upcalls(dp));
            match stats {
                Ok(Some(Stats {
                    hit,
                    missed,
                    lost,
                    flows,
                })) => {
                    let kind = EventKind::DatapathStats {
                        dp,
                        hit,
                        missed,
                        lost,
                        flows,
                        upcalls_before,
                        upcalls_after,
                    };
                    self.outbox.put(at, kind).await;
                }
                // It went away just now; the notice follows.
                Ok(None) => {}
                Err(error) => return self.report(at, Some(explain(&error))).await,
            }
        }
    }

    async fn put_all(&mut self, at: Timestamp, events: Vec<EventKind>) {
        for event in events {
            self.outbox.put(at, event).await;
        }
    }

    /// Says what is wrong, or that nothing is any more, if that was not the last word.
    async fn report(&mut self, at: Timestamp, ill: Option<String>) {
        if self.ill != ill {
            self.ill.clone_from(&ill);
            self.outbox.put(at, source_event(ill)).await;
        }
    }
}
