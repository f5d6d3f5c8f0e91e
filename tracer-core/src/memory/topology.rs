//! Who sits where: datapath ports, OVSDB rows and Pods joined by device name, over time.
//!
//! Must not depend on: packets, disruptions. Rows and vports that are gone are remembered, because evidence
//! about them may still be judged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::memory::identity::{Identity, identify};
use crate::memory::owners::Owners;
use crate::vocabulary::event::{BridgeRow, InterfaceRow, PortRow};
use crate::vocabulary::id::{DpIfindex, Mac, OfPort, PortNo};
use crate::vocabulary::time::{SECOND, Timestamp};

/// Something at a datapath port: a Pod, a gateway, a tunnel, an uplink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The bridge of its interface.
    pub bridge: Option<String>,
    /// Its OpenFlow number there.
    pub ofport: Option<OfPort>,
    /// Its datapath and its number in it.
    pub vport: Option<(DpIfindex, PortNo)>,
    /// Who it is.
    pub identity: Identity,
    /// When it was first seen.
    pub since: Timestamp,
    /// When it was deleted: gone from the datapath, and nobody wants it there any more. `None`: it should be there.
    pub until: Option<Timestamp>,
    /// Since when it has had no port in the datapath, although it should have one.
    pub missing: Option<Timestamp>,
    /// Its bridge was deleted with it: its row says nothing about whether it is wanted.
    unbridged: Option<Timestamp>,
    /// When it got another datapath port number than it had.
    pub renumbered: Option<Timestamp>,
    /// When its datapath port was made again after having been deleted.
    pub recreated: Option<Timestamp>,
    /// From when to when it had no port in the datapath.
    pub away: Vec<(Timestamp, Timestamp)>,
}

/// Which device was at a datapath port since when; `None`: no device.
type History = Vec<(Timestamp, Option<String>)>;

/// Everything known of who sits where. Endpoints are named by their device.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    datapaths: BTreeMap<DpIfindex, String>,
    vports: BTreeMap<(DpIfindex, PortNo), History>,
    bridges: BTreeMap<String, BridgeRow>,
    ports: BTreeMap<String, PortRow>,
    interfaces: BTreeMap<String, InterfaceRow>,
    endpoints: BTreeMap<String, Endpoint>,
    ips: Owners<IpAddr>,
    macs: Owners<Mac>,
    /// Nothing was told before the first snapshot: what it names was there before.
    told: bool,
    /// The latest change of a row.
    changed: Timestamp,
    /// Ports that the kernel was asked to make, and when: it tells later that they are there.
    asked: BTreeMap<(DpIfindex, String), Timestamp>,
    /// Rows not seen since the last snapshot began.
    stale: Option<Stale>,
    /// Something changed since the last [`Topology::settle`].
    unsettled: bool,
}

#[derive(Clone, Debug, Default)]
struct Stale {
    bridges: BTreeSet<String>,
    ports: BTreeSet<String>,
    interfaces: BTreeSet<String>,
}

impl Topology {
    /// A datapath exists.
    pub fn datapath(&mut self, dp: DpIfindex, name: &str) {
        self.datapaths.insert(dp, name.to_owned());
    }

    /// A datapath is gone, and its vports with it.
    pub fn datapath_gone(&mut self, at: Timestamp, dp: DpIfindex) {
        let ports: Vec<PortNo> = self
            .vports
            .keys()
            .filter(|(of, _)| *of == dp)
            .map(|(_, port)| *port)
            .collect();
        for port_no in ports {
            self.vport_gone(at, dp, port_no);
        }
    }

    /// The kernel was asked to make a vport, and did: its number follows.
    pub fn vport_asked(&mut self, at: Timestamp, dp: DpIfindex, name: &str) {
        self.asked.insert((dp, name.to_owned()), at);
    }

    /// A vport exists, since it was asked for.
    pub fn vport(&mut self, told: Timestamp, dp: DpIfindex, port_no: PortNo, name: &str) {
        let asked = self.asked.remove(&(dp, name.to_owned()));
        let at = asked.map_or(told, |asked| asked.min(told));
        let history = self.vports.entry((dp, port_no)).or_default();
        if history
            .last()
            .is_none_or(|(_, last)| last.as_deref() != Some(name))
        {
            history.push((at, Some(name.to_owned())));
        }
        // Port 0 is the datapath's own device: no packet enters or leaves a bridge there.
        if port_no == PortNo(0) {
            return;
        }
        let endpoint = self.endpoints.entry(name.to_owned()).or_insert_with(|| Endpoint {
            since: at,
            ..Endpoint::default()
        });
        let gone = endpoint.missing.take().or(endpoint.until);
        endpoint.until = None;
        endpoint.unbridged = None;
        if let Some(gone) = gone {
            endpoint.recreated = Some(at);
            endpoint.away.push((gone, at));
        }
        if endpoint.vport.is_some_and(|before| before != (dp, port_no)) {
            endpoint.renumbered = Some(at);
        }
        endpoint.vport = Some((dp, port_no));
        self.unsettled = true;
    }

    /// A vport is gone.
    pub fn vport_gone(&mut self, at: Timestamp, dp: DpIfindex, port_no: PortNo) {
        let Some(history) = self.vports.get_mut(&(dp, port_no)) else {
            return;
        };
        let Some((_, Some(name))) = history.last().cloned() else {
            return;
        };
        history.push((at, None));
        if let Some(endpoint) = self.endpoints.get_mut(&name)
            && endpoint.vport == Some((dp, port_no))
        {
            let wanted = endpoint.unbridged.is_some() || self.interfaces.values().any(|row| row.name == name);
            if wanted && endpoint.until.is_none() {
                endpoint.missing.get_or_insert(at);
            } else {
                endpoint.until.get_or_insert(at);
            }
        }
    }

    /// A whole OVSDB snapshot begins.
    pub fn snapshot_begins(&mut self) {
        self.stale = Some(Stale {
            bridges: self.bridges.keys().cloned().collect(),
            ports: self.ports.keys().cloned().collect(),
            interfaces: self.interfaces.keys().cloned().collect(),
        });
    }

    /// The snapshot is whole: rows that it did not name are gone.
    pub fn snapshot_ends(&mut self, at: Timestamp) {
        self.settle_at(at, true);
        self.told = true;
        let Some(Stale {
            bridges,
            ports,
            interfaces,
        }) = self.stale.take()
        else {
            return;
        };
        for uuid in &bridges {
            self.bridge(at, uuid, None);
        }
        for uuid in &ports {
            self.port(at, uuid, None);
        }
        for uuid in &interfaces {
            self.interface(at, uuid, None);
        }
    }

    /// A Bridge row as of now.
    pub fn bridge(&mut self, at: Timestamp, uuid: &str, row: Option<BridgeRow>) {
        self.settle();
        if let (None, Some(gone)) = (&row, self.bridges.get(uuid)) {
            // Nobody deletes a bridge to delete a Pod.
            let name = Some(gone.name.clone());
            for endpoint in self.endpoints.values_mut() {
                if endpoint.bridge == name && endpoint.identity.pod.is_some() {
                    endpoint.unbridged = Some(at);
                    if endpoint.until.is_some_and(|until| at.since(until) < TOGETHER) {
                        endpoint.missing = endpoint.until.take();
                    }
                }
            }
        }
        if let Some(stale) = &mut self.stale {
            stale.bridges.remove(uuid);
        }
        store(&mut self.bridges, uuid, row);
        self.unsettled = true;
    }

    /// A Port row as of now.
    pub fn port(&mut self, at: Timestamp, uuid: &str, row: Option<PortRow>) {
        self.changed = self.changed.max(at);
        if let Some(stale) = &mut self.stale {
            stale.ports.remove(uuid);
        }
        store(&mut self.ports, uuid, row);
        self.unsettled = true;
    }

    /// An Interface row as of now.
    pub fn interface(&mut self, at: Timestamp, uuid: &str, row: Option<InterfaceRow>) {
        if let Some(stale) = &mut self.stale {
            stale.interfaces.remove(uuid);
        }
        self.changed = self.changed.max(at);
        let before = self.interfaces.get(uuid).map(|row| row.name.clone());
        store(&mut self.interfaces, uuid, row);
        self.unsettled = true;
        match (self.interfaces.get(uuid).map(|row| row.name.clone()), before) {
            (Some(name), _) => {
                let vports = &self.vports;
                let endpoint = self.endpoints.entry(name.clone()).or_insert_with(|| Endpoint {
                    since: at,
                    ..Endpoint::default()
                });
                // Its row was exchanged for another, and its port in the datapath never went.
                let last = endpoint.vport.and_then(|vport| vports.get(&vport)?.last());
                if last.is_some_and(|(_, device)| *device == Some(name)) {
                    endpoint.until = None;
                }
            }
            (None, Some(name)) => {
                let other = self.interfaces.values().any(|row| row.name == name);
                if let Some(endpoint) = self.endpoints.get_mut(&name).filter(|_| !other) {
                    delete(endpoint, at);
                }
            }
            (None, None) => {}
        }
    }

    /// Joins rows, devices and datapath ports, if anything changed. Not while a snapshot is under way: half
    /// a database would name the wrong Pods. What is gone from OVSDB is not forgotten here.
    pub fn settle(&mut self) {
        if self.stale.is_none() {
            self.settle_at(self.changed, false);
        }
    }

    fn settle_at(&mut self, at: Timestamp, snapshot: bool) {
        if !self.unsettled && !snapshot {
            return;
        }
        self.unsettled = false;
        let mut ips: BTreeSet<(IpAddr, &str)> = BTreeSet::new();
        let mut macs: BTreeSet<(Mac, &str)> = BTreeSet::new();
        let port_of = index(&self.ports, |row| &row.interfaces);
        let bridge_of = index(&self.bridges, |row| &row.ports);
        for (uuid, interface) in &self.interfaces {
            let Some(endpoint) = self.endpoints.get_mut(&interface.name) else {
                continue;
            };
            endpoint.ofport = interface.ofport.or(endpoint.ofport);
            let Some(port) = port_of.get(uuid.as_str()) else {
                continue;
            };
            if let Some(bridge) = bridge_of.get(*port) {
                endpoint.bridge = self.bridges.get(*bridge).map(|row| row.name.clone());
            }
            let Some(port) = self.ports.get(*port) else {
                continue;
            };
            let identity = identify(&port.external_ids, &interface.external_ids);
            if identity != Identity::default() {
                ips.extend(identity.ips.iter().map(|ip| (*ip, interface.name.as_str())));
                macs.extend(identity.mac.map(|mac| (mac, interface.name.as_str())));
                endpoint.identity = identity;
            }
        }
        // What was there when the capture began had its addresses before.
        let since = if self.told { at } else { Timestamp(0) };
        self.ips.are(since, &ips);
        self.macs.are(since, &macs);
    }

    /// Since when deleted endpoints are remembered: since `before`, or since later where there are too many of them.
    fn deleted_since(&self, before: Timestamp) -> Timestamp {
        let mut deleted: Vec<Timestamp> = self.endpoints.values().filter_map(|one| one.until).collect();
        let Some(surplus) = deleted.len().checked_sub(DELETED) else {
            return before;
        };
        let newest = deleted.len().saturating_sub(1);
        let (_, since, _) = deleted.select_nth_unstable(surplus.min(newest));
        before.max(*since)
    }

    /// Forgets endpoints that were deleted before, and what addresses they had.
    pub fn forget(&mut self, before: Timestamp) {
        let since = self.deleted_since(before);
        self.endpoints
            .retain(|_, endpoint| endpoint.until.is_none_or(|until| until >= since));
        for endpoint in self.endpoints.values_mut() {
            endpoint.away.retain(|(_, back)| *back >= before);
        }
        self.ips.forget(before);
        self.macs.forget(before);
        self.vports.retain(|_, history| {
            let over = |index: usize| history.get(index + 1).is_some_and(|(since, _)| *since < before);
            let stale = (0..history.len()).take_while(|index| over(*index)).count();
            history.drain(..stale);
            history.len() > 1
                || history
                    .iter()
                    .any(|(since, name)| name.is_some() || *since >= before)
        });
    }

    /// A datapath's name.
    pub fn datapath_name(&self, dp: DpIfindex) -> Option<&str> {
        self.datapaths.get(&dp).map(String::as_str)
    }

    /// A datapath's name, or its number where no name was reported.
    pub fn datapath_label(&self, dp: DpIfindex) -> String {
        self.datapath_name(dp)
            .map_or_else(|| dp.to_string(), str::to_owned)
    }

    /// All datapaths seen.
    pub fn datapaths(&self) -> impl Iterator<Item = (DpIfindex, &str)> {
        self.datapaths.iter().map(|(dp, name)| (*dp, name.as_str()))
    }

    /// The device that was at a datapath port at a time (or, before the first sight, first after it).
    pub fn device_at(&self, dp: DpIfindex, port_no: PortNo, at: Timestamp) -> Option<&str> {
        let history = self.vports.get(&(dp, port_no))?;
        let known = history
            .iter()
            .rev()
            .find(|(since, name)| *since <= at && name.is_some());
        known.or_else(|| history.first())?.1.as_deref()
    }

    /// The endpoint that owned an IP address at a time; a link-local one, which OVSDB does not tell, by the Ethernet address it is
    /// made from. `None`: nobody did, or more than one.
    pub fn owner_of_ip(&self, ip: IpAddr, at: Timestamp) -> Option<&str> {
        let told = self.ips.owner(ip, at);
        told.or_else(|| self.owner_of_mac(interface_identifier(ip)?, at))
    }

    /// The endpoint that owned an Ethernet address at a time.
    pub fn owner_of_mac(&self, mac: Mac, at: Timestamp) -> Option<&str> {
        self.macs.owner(mac, at)
    }

    /// Whether OVSDB has told which rows there are.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// The row of an endpoint's interface, as OVSDB has it now.
    pub fn row(&self, device: &str) -> Option<&InterfaceRow> {
        self.interfaces.values().find(|row| row.name == device)
    }

    /// The bridge of an endpoint, as OVSDB has it now.
    pub fn bridge_of(&self, endpoint: &Endpoint) -> Option<&BridgeRow> {
        self.bridges
            .values()
            .find(|row| Some(&row.name) == endpoint.bridge.as_ref())
    }

    /// All endpoints by device name.
    pub fn endpoints(&self) -> &BTreeMap<String, Endpoint> {
        &self.endpoints
    }

    /// All bridges that exist now.
    pub fn bridges(&self) -> impl Iterator<Item = &BridgeRow> {
        self.bridges.values()
    }
}

/// So many deleted endpoints are remembered while a disruption is open. What others lost is counted without a name.
const DELETED: usize = 4096;

/// A port that goes this shortly before its row was deleted with it: OVSDB and netlink tell independently.
const TOGETHER: u64 = SECOND;

/// Its row is gone: nobody wants it any more, unless its bridge went with it.
fn delete(endpoint: &mut Endpoint, at: Timestamp) {
    let with_bridge = |unbridged: Timestamp| at.since(unbridged) < TOGETHER;
    if endpoint.until.is_some() || endpoint.unbridged.is_some_and(with_bridge) {
        return;
    }
    let gone = endpoint.missing.take();
    endpoint.until = Some(gone.filter(|gone| at.since(*gone) < TOGETHER).unwrap_or(at));
}

/// From the row ids that `members` names to the row that names them.
fn index<'a, Row>(
    rows: &'a BTreeMap<String, Row>,
    members: impl Fn(&'a Row) -> &'a Vec<String>,
) -> BTreeMap<&'a str, &'a str> {
    let pairs = rows.iter().flat_map(|(uuid, row)| {
        members(row)
            .iter()
            .map(move |member| (member.as_str(), uuid.as_str()))
    });
    pairs.collect()
}

fn store<Row>(rows: &mut BTreeMap<String, Row>, uuid: &str, row: Option<Row>) {
    match row {
        Some(row) => drop(rows.insert(uuid.to_owned(), row)),
        None => drop(rows.remove(uuid)),
    }
}

/// The Ethernet address that a link-local address is made from (RFC 4291, appendix A); `None`: from none.
fn interface_identifier(ip: IpAddr) -> Option<Mac> {
    let IpAddr::V6(ip) = ip else { return None };
    let octets = ip.octets();
    let [first, rest @ ..] = octets.strip_prefix(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0])? else {
        return None;
    };
    // The bit that tells a universal address from a local one is inverted.
    match *rest {
        [second, third, 0xff, 0xfe, ref last @ ..] => {
            let [fourth, fifth, sixth] = *last.first_chunk()?;
            Some(Mac([first ^ 2, second, third, fourth, fifth, sixth]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
