//! The datapaths and vports there are, as reported: turns what the kernel says into events for what changed.
//!
//! Must not depend on: netlink, time.

use std::collections::BTreeMap;

use tracer_core::event::EventKind;
use tracer_core::id::{DpIfindex, PortNo};

use super::codec::{self, Datapath, Malformed, Vport};
use super::kernel::Dump;

/// `OVS_DP_CMD_*` and `OVS_VPORT_CMD_*`.
const NEW: u8 = 1;
const DEL: u8 = 2;
const SET: u8 = 4;

/// What was reported and not taken back.
#[derive(Debug, Default)]
pub struct Table {
    datapaths: BTreeMap<DpIfindex, String>,
    vports: BTreeMap<(DpIfindex, PortNo), Vport>,
}

impl Table {
    /// The datapaths there are.
    pub fn datapaths(&self) -> Vec<DpIfindex> {
        self.datapaths.keys().copied().collect()
    }

    /// A message of family `ovs_datapath` in its group.
    pub fn datapath_notice(&mut self, command: u8, payload: &[u8]) -> Result<Vec<EventKind>, Malformed> {
        let datapath = codec::datapath(payload)?;
        Ok(match command {
            NEW | SET => self.datapath(datapath).into_iter().collect(),
            DEL => self.datapath_gone(datapath.dp),
            _ => Vec::new(),
        })
    }

    /// A message of family `ovs_vport` in its group.
    pub fn vport_notice(&mut self, command: u8, payload: &[u8]) -> Result<Option<EventKind>, Malformed> {
        let vport = codec::vport(payload)?;
        Ok(match command {
            NEW | SET => self.vport(vport),
            DEL => self.vport_gone(vport.dp, vport.port_no),
            _ => None,
        })
    }

    /// A datapath exists.
    fn datapath(&mut self, datapath: Datapath) -> Option<EventKind> {
        let Datapath { dp, name, stats: _ } = datapath;
        let known = self.datapaths.insert(dp, name.clone());
        (known.as_ref() != Some(&name)).then_some(EventKind::Datapath { dp, name })
    }

    /// A datapath is gone. The kernel does not tell of each of its vports.
    fn datapath_gone(&mut self, dp: DpIfindex) -> Vec<EventKind> {
        let ports: Vec<_> = self.vports.keys().filter(|(of, _)| *of == dp).copied().collect();
        let mut events: Vec<_> = ports
            .into_iter()
            .filter_map(|(dp, port_no)| self.vport_gone(dp, port_no))
            .collect();
        if self.datapaths.remove(&dp).is_some() {
            events.push(EventKind::DatapathGone { dp });
        }
        events
    }

    /// A vport exists.
    fn vport(&mut self, vport: Vport) -> Option<EventKind> {
        let known = self.vports.insert((vport.dp, vport.port_no), vport.clone());
        let changed = known.as_ref() != Some(&vport);
        let Vport {
            dp,
            port_no,
            name,
            ifindex,
            kind,
        } = vport;
        changed.then_some(EventKind::Vport {
            dp,
            port_no,
            name,
            ifindex,
            kind,
        })
    }

    /// A vport is gone.
    fn vport_gone(&mut self, dp: DpIfindex, port_no: PortNo) -> Option<EventKind> {
        self.vports
            .remove(&(dp, port_no))
            .map(|_| EventKind::VportGone { dp, port_no })
    }

    /// These are all there are.
    pub fn replace(&mut self, dump: Dump) -> Vec<EventKind> {
        let Dump { datapaths, vports } = dump;
        let missing: Vec<_> = self
            .datapaths
            .keys()
            .filter(|dp| !datapaths.iter().any(|datapath| datapath.dp == **dp))
            .copied()
            .collect();
        let mut events: Vec<_> = missing
            .into_iter()
            .flat_map(|dp| self.datapath_gone(dp))
            .collect();
        let present: BTreeMap<_, _> = vports
            .into_iter()
            .map(|vport| ((vport.dp, vport.port_no), vport))
            .collect();
        let missing: Vec<_> = self
            .vports
            .keys()
            .filter(|key| !present.contains_key(key))
            .copied()
            .collect();
        events.extend(
            missing
                .into_iter()
                .filter_map(|(dp, port_no)| self.vport_gone(dp, port_no)),
        );
        events.extend(
            datapaths
                .into_iter()
                .filter_map(|datapath| self.datapath(datapath)),
        );
        events.extend(present.into_values().filter_map(|vport| self.vport(vport)));
        events
    }
}

#[cfg(test)]
mod tests {
    use tracer_core::id::Ifindex;

    use super::*;

    const DP: DpIfindex = DpIfindex(7);

    fn datapath(dp: DpIfindex) -> Datapath {
        Datapath {
            dp,
            name: "ovs-system".into(),
            stats: None,
        }
    }

    fn vport(port_no: u32, name: &str) -> Vport {
        Vport {
            dp: DP,
            port_no: PortNo(port_no),
            name: name.into(),
            ifindex: Some(Ifindex(9)),
            kind: 1,
        }
    }

    fn told(port_no: u32, name: &str) -> EventKind {
        let Vport {
            dp,
            port_no,
            name,
            ifindex,
            kind,
        } = vport(port_no, name);
        EventKind::Vport {
            dp,
            port_no,
            name,
            ifindex,
            kind,
        }
    }

    #[test]
    fn what_is_known_is_not_told_again() {
        let mut table = Table::default();
        assert_eq!(
            table.datapath(datapath(DP)),
            Some(EventKind::Datapath {
                dp: DP,
                name: "ovs-system".into()
            })
        );
        assert_eq!(table.datapath(datapath(DP)), None);
        assert_eq!(table.vport(vport(1, "veth1")), Some(told(1, "veth1")));
        assert_eq!(table.vport(vport(1, "veth1")), None);
        assert_eq!(table.vport(vport(1, "veth2")), Some(told(1, "veth2")));
        assert_eq!(table.vport_gone(DP, PortNo(3)), None);
    }

    #[test]
    fn a_datapath_takes_its_vports_with_it() {
        let mut table = Table::default();
        table.replace(Dump {
            datapaths: vec![datapath(DP), datapath(DpIfindex(8))],
            vports: vec![vport(0, "ovs-system"), vport(1, "veth1")],
        });
        let gone = |port_no| EventKind::VportGone {
            dp: DP,
            port_no: PortNo(port_no),
        };
        assert_eq!(
            table.datapath_gone(DP),
            [gone(0), gone(1), EventKind::DatapathGone { dp: DP }]
        );
        assert_eq!(table.datapath_gone(DP), []);
        assert_eq!(table.datapaths(), [DpIfindex(8)]);
    }

    #[test]
    fn a_new_dump_tells_the_difference_and_first_what_is_gone() {
        let mut table = Table::default();
        let dump = |vports| Dump {
            datapaths: vec![datapath(DP)],
            vports,
        };
        table.replace(dump(vec![vport(1, "veth1"), vport(2, "veth2")]));
        let events = table.replace(dump(vec![vport(2, "veth2"), vport(3, "veth1")]));
        assert_eq!(
            events,
            [
                EventKind::VportGone {
                    dp: DP,
                    port_no: PortNo(1)
                },
                told(3, "veth1")
            ]
        );
    }
}
